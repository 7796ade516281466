//! A queue of bytes in front of a file, and the thread that writes them. Whoever adds bytes never waits, even if the
//! file takes nothing. When the file falls behind, [`super::stdout_writer`] gives it up, and [`super::stderr_and_log`]
//! drops lines and counts them.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tokio::sync::Notify;

/// A queue and its thread. The thread ends with the queue, once it has written what is there.
pub(super) struct ByteQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// There is something to write, something was written, or the queue was closed.
    changed: Condvar,
    written: Notify,
}

/// How far the thread is.
#[derive(Default)]
pub(in crate::cli) struct State {
    waiting: VecDeque<Vec<u8>>,
    /// Bytes in `waiting`, and those being written.
    pub(in crate::cli) bytes: usize,
    /// Chunks that were written or lost so far: it grows while the file takes anything.
    chunks: u64,
    closed: bool,
    /// What the file said last, and how often.
    pub(super) errors: u64,
    pub(in crate::cli) error: Option<io::Error>,
    /// Whether nothing more is written after an error.
    strict: bool,
}

impl State {
    /// Hands over bytes. After an error of a strict queue they go nowhere.
    pub(in crate::cli) fn push(&mut self, bytes: Vec<u8>) {
        if !self.is_broken() {
            self.bytes += bytes.len();
            self.waiting.push_back(bytes);
        }
    }

    /// Whether all is written that ever will be.
    fn is_settled(&self) -> bool {
        self.bytes == 0 || self.is_broken()
    }

    pub(super) fn is_broken(&self) -> bool {
        self.strict && self.error.is_some()
    }
}

impl ByteQueue {
    /// A queue in front of `file`. A strict one stops at the first error; another one goes on, since a full disk
    /// may have room again.
    pub(in crate::cli) fn start(
        file: impl io::Write + Send + 'static,
        strict: bool,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        lock(&shared.state).strict = strict;
        let for_thread = Arc::clone(&shared);
        thread::Builder::new()
            .name("writer".to_owned())
            .spawn(move || write_all(&for_thread, file))?;
        Ok(Self(shared))
    }

    /// Looks at the state, or hands over bytes, or both at once.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        let answer = work(&mut lock(&self.0.state));
        self.0.changed.notify_all();
        answer
    }

    /// Waits until all is written, or nothing more will be.
    pub(super) async fn settled(&self) {
        loop {
            let mut written = std::pin::pin!(self.0.written.notified());
            // Before the look, so that nothing is missed between look and wait.
            written.as_mut().enable();
            if self.with(|state| state.is_settled()) {
                return;
            }
            written.await;
        }
    }

    /// Waits until all is written, but no longer than `patience` while the file takes nothing; whether all is.
    pub(super) fn settle_within(&self, patience: Duration) -> bool {
        let mut state = lock(&self.0.state);
        let mut seen = state.chunks;
        while !state.is_settled() {
            let (woken, late) = self
                .0
                .changed
                .wait_timeout(state, patience)
                .unwrap_or_else(PoisonError::into_inner);
            state = woken;
            if late.timed_out() && state.chunks == seen {
                return false;
            }
            seen = state.chunks;
        }
        // Of a broken queue nothing waits either: what came after the error went nowhere.
        !state.is_broken()
    }
}

impl Drop for ByteQueue {
    fn drop(&mut self) {
        self.with(|state| state.closed = true);
    }
}

/// The largest piece that is written at once: progress shows after each.
const PIECE: usize = 64 * 1024;

fn write_all(shared: &Shared, mut file: impl io::Write) {
    let mut state = lock(&shared.state);
    loop {
        let Some(chunk) = state.waiting.pop_front() else {
            if state.closed {
                return;
            }
            state = shared
                .changed
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
            continue;
        };
        for piece in chunk.chunks(PIECE) {
            drop(state);
            let done = file.write_all(piece);
            state = lock(&shared.state);
            state.bytes -= piece.len();
            state.chunks += 1;
            if let Err(error) = done {
                state.errors += 1;
                state.error = Some(error);
            }
            shared.changed.notify_all();
            shared.written.notify_waiters();
            if state.is_broken() {
                return;
            }
        }
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
