//! Threads that wait for parts of large layers.

use mote_runtime::{Part, Threads};
use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// The thread that calls and others that wait.
pub struct Pool(ThreadPool);

impl Pool {
    /// `count` threads with the one that calls, two at least.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] if the system refuses them.
    pub fn new(count: usize) -> Result<Self, Error> {
        let others = count.max(2) - 1;
        let pool = ThreadPoolBuilder::new().num_threads(others).build();
        pool.map(Self).map_err(|e| Error::Usage(format!("--threads: {e}")))
    }
}

impl Threads for Pool {
    fn count(&self) -> usize {
        self.0.current_num_threads() + 1
    }

    fn run(&self, parts: &mut [Part<'_>]) {
        let Some((own, others)) = parts.split_first_mut() else { return };
        self.0.in_place_scope(|scope| {
            for part in others {
                scope.spawn(|_| part.run());
            }
            own.run();
        });
    }
}
