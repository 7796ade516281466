//! Standard error and log files, written by a thread: nobody waits for a terminal, a pipe or a disk that takes nothing.
//! Lines that find no room are dropped, and their number is written where they are missing.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::byte_queue::ByteQueue;
use crate::model::{RunId, counted};

/// Bytes that may wait.
const ROOM: usize = 8 * 1024 * 1024;

/// How long a file that takes nothing is waited for at the end.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes lines to a file, in a thread of its own.
#[derive(Clone)]
pub(in crate::cli) struct LineWriter(Arc<Lines>);

struct Lines {
    queue: ByteQueue,
    room: usize,
    lost: AtomicU64,
    /// Whether the last thing written is a line of progress, which the next line takes the place of.
    progress: AtomicBool,
}

/// Back to the begin of the line, and nothing left on it.
pub(super) const WIPE: &str = "\r\x1b[K";

impl LineWriter {
    /// A writer to `file`.
    pub(in crate::cli) fn start(file: impl Write + Send + 'static) -> io::Result<Self> {
        Self::with_room(file, ROOM)
    }

    fn with_room(file: impl Write + Send + 'static, room: usize) -> io::Result<Self> {
        Ok(Self(Arc::new(Lines {
            queue: ByteQueue::start(file, false)?,
            room,
            lost: AtomicU64::new(0),
            progress: AtomicBool::new(false),
        })))
    }

    /// Writes one line, or counts it as lost.
    pub(in crate::cli) fn line(&self, line: &[u8]) {
        let lines = &*self.0;
        lines.queue.with(|state| {
            let lost = lines.lost.load(Ordering::Relaxed);
            // Once lines are lost there has to be real room again, or gap would follow upon gap.
            let room = if lost > 0 { lines.room / 2 } else { lines.room };
            if state.bytes + line.len() > room {
                lines.lost.store(lost + 1, Ordering::Relaxed);
                return;
            }
            if lost > 0 {
                lines.lost.store(0, Ordering::Relaxed);
                state.push(gap(lost));
            }
            if lines.progress.swap(false, Ordering::Relaxed) {
                state.push(WIPE.into());
            }
            state.push(line.to_vec());
        });
    }

    /// Writes a line of progress in place of the last one, to stand there until the next line is written; an empty one
    /// stands nowhere.
    fn progress(&self, text: &str) {
        self.0.progress.store(false, Ordering::Relaxed);
        self.line(format!("{WIPE}{text}").as_bytes());
        self.0.progress.store(!text.is_empty(), Ordering::Relaxed);
    }

    /// Waits until all is written, but not for a file that takes nothing.
    pub(in crate::cli) fn finish(&self) {
        self.0
            .queue
            .with(|state| match self.0.lost.swap(0, Ordering::Relaxed) {
                0 => {}
                lost => state.push(gap(lost)),
            });
        self.0.queue.settle_within(PATIENCE);
    }
}

fn gap(lost: u64) -> Vec<u8> {
    let lines = counted(
        usize::try_from(lost).unwrap_or(usize::MAX),
        "line is",
        "lines are",
    );
    let of_run = run().map_or_else(String::new, |run| format!("{run} "));
    format!("{of_run}WARN hemfleet: {lines} missing here: they could not be written in time\n")
        .into_bytes()
}

/// The run that this process is about.
static RUN: OnceLock<RunId> = OnceLock::new();

/// From now on lines of the log say that they are about this run.
pub(in crate::cli) fn of_run(run: &RunId) {
    let _ = RUN.set(run.clone());
}

/// The run that lines of the log are about, once there is one.
pub(super) fn run() -> Option<&'static str> {
    RUN.get().map(RunId::as_str)
}

/// What is written at once is one line, as `tracing` does it.
impl Write for LineWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static STDERR: OnceLock<LineWriter> = OnceLock::new();

/// The one writer to standard error.
pub(in crate::cli) fn stderr() -> io::Result<LineWriter> {
    if let Some(writer) = STDERR.get() {
        return Ok(writer.clone());
    }
    let own = File::from(io::stderr().as_fd().try_clone_to_owned()?);
    let writer = LineWriter::start(own)?;
    Ok(STDERR.get_or_init(|| writer).clone())
}

/// Says something to the person at standard error; it may be gone, and the run goes on.
pub(in crate::cli) fn say(text: &str) {
    match stderr() {
        Ok(writer) => writer.line(text.as_bytes()),
        // No thread to be had: at the end of a process's means it is written at once.
        Err(_) => drop(io::stderr().write_all(text.as_bytes())),
    }
}

/// Shows how far something is, in place of what was shown last; nothing at all, where `text` is empty. For a terminal.
pub(super) fn show_progress(text: &str) {
    if let Ok(writer) = stderr() {
        writer.progress(text);
    }
}

/// Says whether something else has written a line of progress to the terminal: the next line takes its place.
pub(super) fn progress_stands(stands: bool) {
    if let Ok(writer) = stderr() {
        writer.0.progress.store(stands, Ordering::Relaxed);
    }
}

/// Waits until what was said is written, but not for a standard error that takes nothing.
pub(super) fn finish_stderr() {
    if let Some(writer) = STDERR.get() {
        writer.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A file that takes nothing until its gate is gone.
    struct Gated {
        gate: mpsc::Receiver<()>,
        written: mpsc::Sender<Vec<u8>>,
    }

    impl Write for Gated {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _ = self.gate.recv();
            let _ = self.written.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn lines_that_find_no_room_are_counted_where_they_are_missing() {
        let (gate, waits) = mpsc::channel();
        let (written, lines_written) = mpsc::channel();
        let file = Gated {
            gate: waits,
            written,
        };
        let lines = LineWriter::with_room(file, 4096).unwrap();
        for _ in 0..4 {
            lines.line(&[b'x'; 4000]);
        }
        // There is room for a short line, but not yet so much that the gap is over.
        lines.line(b"too soon\n");
        drop(gate);
        let settled = lines.0.queue.settle_within(Duration::from_secs(60));
        assert!(settled, "what waits is not written, although it is taken");
        lines.line(b"there again\n");
        lines.finish();
        drop(lines);
        let all: Vec<u8> = lines_written.iter().flatten().collect();
        let text = String::from_utf8(all).unwrap();
        let end = text.trim_start_matches('x');
        assert_eq!(text.len() - end.len(), 4000);
        assert_eq!(
            end,
            "WARN hemfleet: 4 lines are missing here: they could not be written in time\nthere again\n"
        );
    }

    #[test]
    fn the_end_does_not_wait_for_a_file_that_takes_nothing() {
        let (_reader, writer) = io::pipe().unwrap();
        let file = File::from(std::os::fd::OwnedFd::from(writer));
        let queue = ByteQueue::start(file, false).unwrap();
        queue.with(|state| state.push(vec![0; 8 * 1024 * 1024]));
        assert!(!queue.settle_within(Duration::from_millis(50)));
    }
}
