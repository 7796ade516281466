//! Kills hemfleet at a chosen step of writing the journal, for the crash test. Not in release builds.

/// A step of writing: before a write, between the write and its commit, or after the commit and before anybody is told.
#[cfg(debug_assertions)]
pub(super) fn step() {
    use std::sync::OnceLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    static KILL_AT: OnceLock<Option<u64>> = OnceLock::new();
    static STEPS: AtomicU64 = AtomicU64::new(0);
    let kill_at = KILL_AT.get_or_init(|| {
        let number = std::env::var("HEMFLEET_KILL_AT_JOURNAL_WRITE").ok()?;
        number.parse().ok()
    });
    let step = STEPS.fetch_add(1, Ordering::Relaxed) + 1;
    if *kill_at == Some(step) {
        let us = rustix::process::getpid();
        let _ = rustix::process::kill_process(us, rustix::process::Signal::KILL);
        // Until the signal arrives nothing more is written.
        loop {
            std::thread::park();
        }
    }
}

/// Nothing.
#[cfg(not(debug_assertions))]
pub(super) fn step() {}
