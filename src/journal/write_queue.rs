//! What waits to be written: filled by whoever runs the fleet, who is never kept waiting, and emptied by the thread that
//! writes (`run_writer`).

use std::collections::VecDeque;
use std::mem;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_channel::oneshot;

use super::run_entry::Summaries;

/// How long messages are gathered before they are written together.
const GATHERED: Duration = Duration::from_millis(200);

/// How often a write that was refused is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// So many messages may wait before news from inside a stage are dropped: nothing follows from them.
const WAITING: usize = 20_000;

/// So many bytes may wait before nothing more is taken in. A run of 1,000 devices does not come near it while no install
/// is sent, and a journal that ends early is still a true one.
const BYTES: usize = 256 << 20;

/// A message as it is stored.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) seq: u64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    pub(super) device: Option<u32>,
    pub(super) kind: &'static str,
    pub(super) is_progress: bool,
    pub(super) body: String,
}

/// Who waits until everything before is on disk. Dropped, it says so by itself.
pub(super) type Waiter = oneshot::Sender<Result<(), String>>;

/// What is to be done next.
pub(super) struct Work {
    pub(super) rows: VecDeque<Row>,
    pub(super) waiters: Vec<Waiter>,
    pub(super) last: Option<Last>,
}

/// Nothing comes after this.
#[derive(Debug)]
pub(super) enum Last {
    /// The run ended like this.
    Finished(Box<Summaries>),
    /// Whoever ran it went away.
    Dropped,
}

/// The queue.
#[derive(Debug)]
pub(super) struct WriteQueue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    rows: VecDeque<Row>,
    /// Messages that are not written yet, whoever has them, and their bytes.
    unwritten: (usize, usize),
    next_seq: u64,
    waiters: Vec<Waiter>,
    last: Option<Last>,
    /// Whether messages came when there was no room for them.
    overflowed: bool,
    /// Why nothing more is taken in.
    closed: Option<&'static str>,
}

impl State {
    fn is_urgent(&self) -> bool {
        !self.waiters.is_empty() || self.last.is_some()
    }
}

impl WriteQueue {
    /// A queue whose first message gets this number.
    pub(super) fn new(next_seq: u64) -> Self {
        Self {
            state: Mutex::new(State {
                rows: VecDeque::new(),
                unwritten: (0, 0),
                next_seq,
                waiters: Vec::new(),
                last: None,
                overflowed: false,
                closed: None,
            }),
            changed: Condvar::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a message in; its number is given here.
    pub(super) fn push(&self, mut row: Row) {
        let mut state = self.lock();
        let (rows, bytes) = state.unwritten;
        if state.closed.is_some() || (row.is_progress && rows >= WAITING) {
            return;
        }
        if bytes + row.body.len() > BYTES {
            state.closed = Some("too many messages wait for the disk");
            state.overflowed = true;
            tracing::error!("too many messages wait for the journal: it ends here");
            return;
        }
        row.seq = state.next_seq;
        state.next_seq += 1;
        state.unwritten = (rows + 1, bytes + row.body.len());
        let was_empty = state.rows.is_empty();
        state.rows.push_back(row);
        drop(state);
        if was_empty {
            self.changed.notify_one();
        }
    }

    /// Asks to be told once everything that was taken in before is on disk.
    pub(super) fn wait(&self, waiter: Waiter) {
        let mut state = self.lock();
        if let Some(why) = state.closed {
            // Nobody there: then nobody waits.
            let _ = waiter.send(Err(why.to_owned()));
            return;
        }
        state.waiters.push(waiter);
        drop(state);
        self.changed.notify_one();
    }

    /// These are written, or given up.
    pub(super) fn done_with(&self, done: &VecDeque<Row>) {
        let mut state = self.lock();
        let (rows, bytes) = state.unwritten;
        let size: usize = done.iter().map(|row| row.body.len()).sum();
        state.unwritten = (rows.saturating_sub(done.len()), bytes.saturating_sub(size));
    }

    /// Messages that are not written yet.
    pub(super) fn unwritten(&self) -> usize {
        self.lock().unwritten.0
    }

    /// Whether messages came when there was no room for them.
    pub(super) fn has_overflowed(&self) -> bool {
        self.lock().overflowed
    }

    /// Takes nothing more in; what waits is written once more, and `last` after it.
    pub(super) fn close(&self, last: Last) {
        let mut state = self.lock();
        state.closed.get_or_insert("the run is over");
        if state.last.is_none() {
            state.last = Some(last);
        }
        drop(state);
        self.changed.notify_one();
    }

    /// The thread that writes is gone: whoever waits is told so.
    pub(super) fn abandon(&self) {
        let mut state = self.lock();
        state.closed = Some("the thread that writes the journal has died");
        state.waiters.clear();
        state.rows.clear();
    }

    /// Waits for what is to be written. While writes are `refused` it is tried again after a while, or when somebody
    /// waits for it.
    pub(super) fn next(&self, refused: bool) -> Work {
        let mut state = self.lock();
        if refused {
            state = self.gather(state, AGAIN);
        } else {
            let idle = |state: &mut State| state.rows.is_empty() && !state.is_urgent();
            let woken = self.changed.wait_while(state, idle);
            state = self.gather(woken.unwrap_or_else(PoisonError::into_inner), GATHERED);
        }
        Work {
            rows: mem::take(&mut state.rows),
            waiters: mem::take(&mut state.waiters),
            last: state.last.take(),
        }
    }

    fn gather<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        let waits = |state: &mut State| !state.is_urgent();
        let gathered = self.changed.wait_timeout_while(state, time, waits);
        gathered.unwrap_or_else(PoisonError::into_inner).0
    }
}
