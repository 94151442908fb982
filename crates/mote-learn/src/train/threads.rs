//! How many threads a training step is worth.
//!
//! Burn hands every product above a fixed size to all threads. Products of a small model are barely
//! above it: handing them over, and waiting for whoever was slowest, then costs more than the second
//! thread brings. So small models compute on a pool of one.

use rayon::{ThreadPool, ThreadPoolBuilder};

/// Multiply-adds of a step below which one thread is faster. Measured where two threads draw even
/// with one: VAE and flow, 32 to 256 channels, between 0.3 and 0.9 thousand million.
const WORTH_SHARING: usize = 500_000_000;

/// Where the steps of a training compute.
pub(super) struct Threads {
    /// `None` for all that there are.
    alone: Option<ThreadPool>,
}

impl Threads {
    /// For steps of a model of `weights` over `samples` time steps, the batch and its windows
    /// multiplied: convolutions use each weight once in each of them, other layers less often.
    pub(super) fn for_step(weights: usize, samples: usize) -> Self {
        if weights.saturating_mul(samples) >= WORTH_SHARING {
            return Self { alone: None };
        }
        // Where no thread can be had, the usual pool does the same work, only slower.
        Self { alone: ThreadPoolBuilder::new().num_threads(1).build().ok() }
    }

    /// Runs `work` there and waits for it.
    pub(super) fn run<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        match &self.alone {
            Some(pool) => pool.install(work),
            None => work(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_steps_stay_on_one_thread_and_large_ones_do_not() {
        let threads =
            |weights, samples| Threads::for_step(weights, samples).run(rayon::current_num_threads);
        assert_eq!(threads(30_000, 128 * 64), 1);
        assert_eq!(threads(1_400_000, 128 * 64), rayon::current_num_threads());
        assert_eq!(threads(usize::MAX, 2), rayon::current_num_threads());
    }
}
