//! Writes the messages of one run, on a thread of its own: what it is given, it writes in batches, and it makes sure that
//! they outlive a power cut when somebody waits for that. One transaction of it is in `batch`.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use futures_channel::oneshot;
use futures_util::future::BoxFuture;
use jiff::Timestamp;

use super::batch::{Batch, BatchWriter};
use super::error::JournalError;
use super::log_files::LogFiles;
use super::message_kind::{PROGRESS, device_of, kind_of, time_of};
use super::record::RunContext;
use super::run_entry::Summaries;
use super::run_lock::RunLock;
use super::write_queue::{Last, Row, Waiter, WriteQueue};
use crate::engine::{Fleet, Message, Recorder};
use crate::model::{DeviceId, RunId, human_duration};

/// How long the end of a run waits for the disk. A disk that answers at all has done so long before.
const LAST_WRITE: Duration = Duration::from_secs(30);

/// The [`Recorder`] of one run. Cheap to clone; the run is written as long as one of the clones lives, or until
/// [`Self::finish`].
#[derive(Clone, Debug)]
pub struct RunWriter(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    run: RunId,
    path: PathBuf,
    logs: LogFiles,
    queue: Arc<WriteQueue>,
    numbers: HashMap<DeviceId, u32>,
    context: RunContext,
    /// What came of the last write, once the thread has ended; absent once it was waited for.
    ended: Mutex<Option<Receiver<Result<(), JournalError>>>>,
}

impl RunWriter {
    /// A writer for the run that `context` tells of, whose first message gets the number `next_seq`.
    pub(super) fn start(
        writer: BatchWriter,
        lock: RunLock,
        run: &RunId,
        context: RunContext,
        next_seq: u64,
    ) -> Result<Self, JournalError> {
        let queue = Arc::new(WriteQueue::new(next_seq));
        let path = writer.path().to_path_buf();
        let logs = LogFiles::beside(&path);
        let (tell, ended) = sync_channel(1);
        let thread = WriterThread::new(writer, Arc::clone(&queue), lock);
        let work = move || {
            let written = thread.run();
            // Whoever waited may have given up.
            let _ = tell.send(written);
        };
        let builder = thread::Builder::new().name("journal".to_owned());
        builder
            .spawn(work)
            .map_err(|source| JournalError::Unopened {
                path: path.clone(),
                source: source.into(),
            })?;
        let names = context.devices.iter().map(|device| device.id.clone());
        Ok(Self(Arc::new(Handle {
            run: run.clone(),
            path,
            logs,
            queue,
            numbers: names.zip(0..).collect(),
            context,
            ended: Mutex::new(Some(ended)),
        })))
    }

    /// The run that it writes.
    pub fn run(&self) -> &RunId {
        &self.0.run
    }

    /// Where the log files are kept that its messages refer to.
    pub fn log_files(&self) -> &LogFiles {
        &self.0.logs
    }

    /// Messages that were recorded and are not written yet.
    pub fn waiting(&self) -> usize {
        self.0.queue.unwritten()
    }

    /// Writes all that was recorded, and what it has come to: `fleet` is the state after the last message. Frees the run
    /// for other processes. What is recorded afterwards is not kept.
    ///
    /// # Errors
    ///
    /// Messages could not be written, or the disk does not answer. Then the run is this process's as long as it lives,
    /// because the write that hangs may still come about.
    pub fn finish(&self, fleet: &Fleet) -> Result<(), JournalError> {
        self.finish_within(fleet, LAST_WRITE)
    }

    /// The same, where the disk is waited for as long as this.
    pub(super) fn finish_within(&self, fleet: &Fleet, limit: Duration) -> Result<(), JournalError> {
        let summaries = Summaries::of(fleet, &self.0.context);
        self.0.end(Last::Finished(Box::new(summaries)), limit)
    }
}

impl Handle {
    fn end(&self, last: Last, limit: Duration) -> Result<(), JournalError> {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(ended) = ended.take() else {
            return Ok(());
        };
        self.queue.close(last);
        match ended.recv_timeout(limit) {
            Ok(written) => written,
            // It panicked, and said so where it happened.
            Err(RecvTimeoutError::Disconnected) => Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                let path = self.path.clone();
                let what = format!("no answer from the disk in {}", human_duration(limit));
                Err(missing(
                    self.queue.unwritten(),
                    JournalError::Io { path, what },
                ))
            }
        }
    }
}

/// The error of a run's end after which `waiting` messages are not known to be written.
fn missing(waiting: usize, why: JournalError) -> JournalError {
    if waiting == 0 {
        return why;
    }
    JournalError::Unwritten {
        waiting,
        source: Box::new(why),
    }
}

impl Drop for Handle {
    /// The command ends early: what was recorded is written, and the run stays unfinished.
    fn drop(&mut self) {
        if let Err(error) = self.end(Last::Dropped, LAST_WRITE) {
            tracing::error!(error = %crate::model::chain(&error), "the end of the run is not in the journal");
        }
    }
}

impl Recorder for RunWriter {
    fn record(&self, message: &Message) {
        let kind = kind_of(message);
        let body = match serde_json::to_string(message) {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, kind, "a message cannot be journalled: the journal ends here");
                self.0.queue.refuse("a message could not be written down");
                return;
            }
        };
        let at = time_of(message).unwrap_or_else(Timestamp::now);
        self.0.queue.push(Row {
            seq: 0,
            at: at.as_millisecond(),
            device: device_of(message).and_then(|id| self.0.numbers.get(id).copied()),
            kind,
            is_progress: kind == PROGRESS,
            body,
        });
    }

    fn on_disk(&self) -> BoxFuture<'static, Result<(), String>> {
        let (tell, told) = oneshot::channel();
        self.0.queue.wait(tell);
        Box::pin(async move {
            told.await
                .unwrap_or_else(|_| Err("the thread that writes the journal has died".to_owned()))
        })
    }
}

/// The thread.
struct WriterThread {
    writer: BatchWriter,
    queue: Arc<WriteQueue>,
    /// Frees the run when the thread ends.
    _lock: RunLock,
    /// Messages that are to be written, with those that were refused before.
    rows: VecDeque<Row>,
    /// What was refused last, as it was told.
    refused: Option<String>,
}

impl WriterThread {
    fn new(writer: BatchWriter, queue: Arc<WriteQueue>, lock: RunLock) -> Self {
        Self {
            writer,
            queue,
            _lock: lock,
            rows: VecDeque::new(),
            refused: None,
        }
    }

    fn run(mut self) -> Result<(), JournalError> {
        loop {
            let work = self.queue.next(self.refused.is_some());
            self.rows.extend(work.rows);
            let finished = match &work.last {
                // What has overflowed is missing: the messages alone then say what the run came to.
                Some(Last::Finished(summaries)) if !self.queue.has_overflowed() => {
                    Some(&**summaries)
                }
                _ => None,
            };
            let batch = Batch {
                rows: &self.rows,
                sync: !work.waiters.is_empty() || work.last.is_some(),
                finished,
            };
            let written = self.writer.write(&batch);
            self.tell(&written, work.waiters);
            if work.last.is_some() {
                let waiting = self.rows.len();
                return written.map_err(|why| missing(waiting, why));
            }
        }
    }

    fn tell(&mut self, written: &Result<(), JournalError>, waiters: Vec<Waiter>) {
        let answer = match written {
            Ok(()) => {
                self.queue.done_with(&self.rows);
                self.rows.clear();
                if self.refused.take().is_some() {
                    tracing::warn!("the journal is written again, and nothing is missing from it");
                }
                Ok(())
            }
            Err(error) => Err(self.keep(error)),
        };
        for waiter in waiters {
            // Its device may have been stopped meanwhile.
            let _ = waiter.send(answer.clone());
        }
    }

    /// Keeps what could not be written, but for news from inside a stage. Says so once for each reason.
    fn keep(&mut self, error: &JournalError) -> String {
        let (dropped, kept) = self.rows.drain(..).partition(|row| row.is_progress);
        self.queue.done_with(&dropped);
        self.rows = kept;
        let what = crate::model::chain(error);
        if self.refused.as_ref() != Some(&what) {
            let waiting = self.queue.unwritten();
            tracing::error!(
                waiting,
                hint = error.hint(),
                "{what}. The run goes on, but no further install is sent; its messages wait in memory"
            );
            self.refused = Some(what.clone());
        }
        what
    }
}

impl Drop for WriterThread {
    /// Also after a panic: nobody waits for ever.
    fn drop(&mut self) {
        self.queue.abandon();
    }
}
