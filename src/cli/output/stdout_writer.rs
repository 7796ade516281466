//! Standard output of a run, written by a thread: a reader that stops reading stops neither the run nor an interrupt.
//! Nothing is dropped until [`ROOM`] is full; then the reader counts as gone.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::rc::Rc;
use std::time::Duration;

use tokio::sync::mpsc;

use super::byte_queue::ByteQueue;
use super::stderr_and_log;
use crate::engine::StopSignal;

/// Bytes that may wait for a reader: the events of some thousand devices.
const ROOM: usize = 64 * 1024 * 1024;

/// How long a reader is waited for once somebody wants to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing is said of that wait.
const QUIET: Duration = Duration::from_secs(1);

/// Where a reporter writes; [`StdoutWriter::flush`] takes it from there.
#[derive(Clone, Default)]
pub(in crate::cli) struct OutputBuffer(Rc<RefCell<Vec<u8>>>);

impl OutputBuffer {
    /// How much was written since.
    pub(super) fn len(&self) -> usize {
        self.0.borrow().len()
    }

    /// What was written since.
    pub(super) fn take(&self) -> Vec<u8> {
        self.0.take()
    }
}

impl Write for OutputBuffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.borrow_mut().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes pages to standard output in a thread of its own.
pub(super) struct StdoutWriter {
    page: OutputBuffer,
    queue: ByteQueue,
}

/// Why nothing more can be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Closed {
    /// Nobody reads any more.
    Gone,
    /// Whoever reads is further behind than there is room for.
    Behind,
}

impl StdoutWriter {
    /// Takes what is written to `page` to standard output.
    pub(in crate::cli) fn stdout(page: OutputBuffer) -> io::Result<Self> {
        let own = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Self {
            page,
            queue: ByteQueue::start(own, true)?,
        })
    }

    /// Hands on what has been written to the page; never waits for the reader.
    pub(in crate::cli) fn flush(&self) -> Result<(), Closed> {
        let bytes = self.page.take();
        self.queue.with(|state| {
            if state.is_broken() {
                return Err(Closed::Gone);
            }
            // A whole page or nothing: what is written is whole lines.
            if state.bytes + bytes.len() > ROOM {
                return Err(Closed::Behind);
            }
            if !bytes.is_empty() {
                state.push(bytes);
            }
            Ok(())
        })
    }

    /// Waits until all is written: as long as it takes, unless somebody wants to stop, or wanted to already
    /// (`hurried`). Whether all is written. A wait that is not over at once is said on standard error.
    pub(super) async fn close(
        self,
        hurried: bool,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) -> bool {
        let done = async {
            if hurried {
                let queue = self.queue;
                let within = tokio::task::spawn_blocking(move || queue.settle_within(PATIENCE));
                within.await.unwrap_or(false)
            } else {
                self.queue.settled().await;
                self.queue.with(|state| !state.is_broken())
            }
        };
        let mut done = std::pin::pin!(done);
        let mut said = false;
        loop {
            tokio::select! {
                biased;
                done = &mut done => return done,
                Some(_) = interrupts.recv() => return false,
                () = tokio::time::sleep(QUIET), if !said => {
                    said = true;
                    stderr_and_log::say(&waits(hurried));
                }
            }
        }
    }
}

/// What is said of a wait for the reader.
fn waits(hurried: bool) -> String {
    let limit = if hurried {
        format!("until it has taken nothing for {} s", PATIENCE.as_secs())
    } else {
        "as long as it takes".to_owned()
    };
    format!(
        "waiting for the reader of standard output, {limit}: no device is worked on any more, and Ctrl-C ends the \
         wait\n"
    )
}

/// Writes `text` to standard output; whether it was written before somebody wanted to stop.
pub(in crate::cli) async fn print(
    text: Vec<u8>,
    hurried: bool,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> bool {
    let mut page = OutputBuffer::default();
    // A page takes everything.
    let _ = page.write_all(&text);
    match StdoutWriter::stdout(page) {
        Ok(out) => out.flush().is_ok() && out.close(hurried, interrupts).await,
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_for_the_reader_says_how_long_it_is() {
        assert!(waits(false).contains("reader of standard output, as long as it takes"));
        assert!(waits(true).contains("until it has taken nothing for 5 s"));
    }
}
