//! Ctrl-C: asks long work to stop at its next step; a second one ends the program at once.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

static ASKED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// Begins to listen, and tells from then on whether the person asked to stop.
pub(super) fn flag() -> Arc<AtomicBool> {
    let flag = ASKED.get_or_init(|| {
        let flag = Arc::new(AtomicBool::new(false));
        let set = flag.clone();
        let listening = ctrlc::set_handler(move || {
            if set.swap(true, Ordering::SeqCst) {
                std::process::exit(super::INTERRUPTED.into());
            }
        });
        if let Err(e) = listening {
            eprintln!("note: Ctrl-C will end the program at once: {e}");
        }
        flag
    });
    flag.clone()
}

/// Whether the person asked to stop.
pub(super) fn asked() -> bool {
    ASKED.get().is_some_and(|flag| flag.load(Ordering::SeqCst))
}
