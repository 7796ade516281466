//! The files of `--report`: refused before anything is sent where they cannot be written, and replaced as a whole when the
//! run is over, in whichever way. What is in them is written by `report`.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::byte_queue::ByteQueue;
use super::stderr_and_log::say;
use super::stdout_writer::OutputBuffer;
use crate::cli::process::private_file::PartialFile;
use crate::engine::{Event, Fleet, FleetRun, StopSignal};
use crate::report::{Exit, JsonLines, ReportFormat, Reporter as _, RunExit, RunReport};

/// What a file of events ends in.
const EVENTS: &str = "jsonl";

/// Bytes of events that may wait for the disk.
const ROOM: usize = 64 * 1024 * 1024;

/// How long a disk that takes nothing is waited for once somebody wants to stop.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long nothing is said of that wait.
const QUIET: Duration = Duration::from_secs(1);

/// Why no report can be written to a file. Nothing was sent yet.
#[derive(Debug, thiserror::Error)]
#[error("--report {}: {why}", path.display())]
pub struct ReportRefused {
    path: PathBuf,
    why: Why,
}

#[derive(Debug, thiserror::Error)]
enum Why {
    #[error("its ending says no format that there is")]
    Ending,
    #[error("it is named twice")]
    Twice,
    #[error("there is no such folder")]
    NoFolder,
    #[error("it is there already, and no file")]
    NoFile,
    #[error("it cannot be written: {0}")]
    Io(#[from] io::Error),
}

impl ReportRefused {
    /// What to do about it.
    pub(in crate::cli) fn hint(&self) -> String {
        match &self.why {
            Why::Ending => {
                let endings = ReportFormat::ALL.map(ReportFormat::ending);
                let (last, others) = endings.split_last().unwrap_or((&"", &[]));
                format!(
                    "a report ends in .{EVENTS} (the events), .{} or .{last}",
                    others.join(", .")
                )
            }
            Why::Twice => "name each file once; a run writes as many as you like".to_owned(),
            Why::NoFolder => "make the folder first".to_owned(),
            Why::NoFile => "name a file; one that is there already is replaced".to_owned(),
            Why::Io(_) => {
                "name a file that you may write, in a folder that you may write to".to_owned()
            }
        }
    }
}

/// All report files of a run.
#[derive(Default)]
pub(in crate::cli) struct ReportFiles {
    whole: Vec<(ReportFormat, PathBuf)>,
    events: Vec<EventsFile>,
    written: Vec<PathBuf>,
    /// Whether one of them could not be written.
    missing: bool,
}

/// The events, on their way to the disk: written as they come, so that a long run needs no memory for them.
struct EventsFile {
    path: PathBuf,
    page: OutputBuffer,
    lines: JsonLines<OutputBuffer>,
    body: EventsBody,
}

/// The file behind an [`EventsFile`].
struct EventsBody {
    partial: PartialFile,
    queue: ByteQueue,
    /// Whether the disk was too far behind.
    lost: bool,
}

impl ReportFiles {
    /// Checks that each file can be written, and begins those that are written on the way.
    ///
    /// # Errors
    ///
    /// One of them cannot be.
    pub(in crate::cli) fn open(paths: &[PathBuf]) -> Result<Self, ReportRefused> {
        let mut files = Self::default();
        let mut taken: Vec<PathBuf> = Vec::new();
        for path in paths {
            let refused = |why| ReportRefused {
                path: path.clone(),
                why,
            };
            let real = real_path(path).map_err(refused)?;
            if taken.contains(&real) {
                return Err(refused(Why::Twice));
            }
            files.add(path, &real).map_err(refused)?;
            taken.push(real);
        }
        Ok(files)
    }

    fn add(&mut self, path: &Path, real: &Path) -> Result<(), Why> {
        let ending = path.extension().and_then(|e| e.to_str()).unwrap_or("");
        let format = ReportFormat::of_ending(ending);
        if format.is_none() && !ending.eq_ignore_ascii_case(EVENTS) {
            return Err(Why::Ending);
        }
        may_be_replaced(real)?;
        // Made in any case: a folder that takes no file is found out now.
        let partial = PartialFile::new(folder_of(real))?;
        match format {
            Some(format) => self.whole.push((format, real.to_owned())),
            None => self.events.push(EventsFile::begin(real, partial)?),
        }
        Ok(())
    }

    /// Takes in what happened.
    pub(in crate::cli) fn event(&mut self, fleet: &Fleet, event: &Event) {
        for file in &mut self.events {
            file.event(fleet, event);
        }
    }

    /// Ends the run for whoever reads a report of it, and takes in what is still to be told.
    pub(in crate::cli) fn drain(&mut self, session: &mut FleetRun) {
        session.finish();
        while let Some(event) = session.try_next() {
            self.event(session.fleet(), &event);
        }
    }

    /// Writes all of them; the exit code that follows. What cannot be written is said on standard error.
    pub(in crate::cli) async fn finish(
        &mut self,
        fleet: &Fleet,
        exit: Exit,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) -> Exit {
        self.write(fleet, RunExit::of(exit, fleet), interrupts)
            .await;
        if self.missing {
            exit.without_report()
        } else {
            exit
        }
    }

    /// The same for a run that ends before its first request.
    pub(in crate::cli) async fn finish_unbegun(
        &mut self,
        mut session: FleetRun,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) -> Exit {
        self.drain(&mut session);
        let fleet = session.fleet();
        self.finish(fleet, Exit::of(fleet), interrupts).await
    }

    /// The same after a panic, with what is known by then.
    pub(super) async fn finish_after_panic(
        &mut self,
        session: &mut FleetRun,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) {
        self.drain(session);
        self.write(session.fleet(), RunExit::panicked(), interrupts)
            .await;
    }

    /// The files that were written.
    pub(in crate::cli) fn written(&self) -> &[PathBuf] {
        &self.written
    }

    /// Whether one of them could not be written.
    pub(in crate::cli) fn is_missing(&self) -> bool {
        self.missing
    }

    /// Writes each file, or says why not.
    async fn write(
        &mut self,
        fleet: &Fleet,
        exit: RunExit,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) {
        let (whole, events) = (
            std::mem::take(&mut self.whole),
            std::mem::take(&mut self.events),
        );
        let mut done = async |path: PathBuf, work: Box<dyn FnOnce() -> io::Result<()> + Send>| {
            let ended = in_time(&path, work, interrupts).await;
            match ended {
                Ok(()) => self.written.push(path),
                Err(error) => {
                    self.missing = true;
                    say(&not_written(&path, &error));
                }
            }
        };
        let report = RunReport::of(fleet, Timestamp::now(), exit);
        for (format, path) in whole {
            let mut text = Vec::new();
            // A vector takes everything.
            let _ = format.write(&report, &mut text);
            let to = path.clone();
            done(path, Box::new(move || replace(&to, &text))).await;
        }
        for EventsFile { path, body, .. } in events {
            let to = path.clone();
            done(path, Box::new(move || body.end(&to))).await;
        }
    }
}

impl EventsFile {
    fn begin(path: &Path, partial: PartialFile) -> io::Result<Self> {
        let page = OutputBuffer::default();
        Ok(Self {
            path: path.to_owned(),
            lines: JsonLines::new(page.clone()),
            page,
            body: EventsBody {
                queue: ByteQueue::start(partial.handle()?, true)?,
                partial,
                lost: false,
            },
        })
    }

    fn event(&mut self, fleet: &Fleet, event: &Event) {
        // A page takes everything.
        let _ = self.lines.event(fleet, event);
        let bytes = self.page.take();
        let body = &mut self.body;
        body.lost = body.lost
            || body.queue.with(|state| {
                let full = state.bytes + bytes.len() > ROOM;
                if !full {
                    state.push(bytes);
                }
                full
            });
    }
}

impl EventsBody {
    /// Waits until all is in the file, and gives it its name.
    fn end(self, path: &Path) -> io::Result<()> {
        if self.lost {
            return Err(io::Error::other("the disk was more than 64 MiB behind"));
        }
        // How long is up to whoever waits for this thread.
        while !self.queue.settle_within(PATIENCE) {
            if let Some(error) = self.queue.with(|state| state.error.take()) {
                return Err(error);
            }
        }
        self.partial.replace(path)
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut partial = PartialFile::new(folder_of(path))?;
    partial.write(bytes)?;
    partial.replace(path)
}

/// Does `work` in a thread, and waits for it: as long as it takes, unless somebody wants to stop. Interrupts that came
/// before leave it [`PATIENCE`] as well.
async fn in_time(
    path: &Path,
    work: impl FnOnce() -> io::Result<()> + Send + 'static,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> io::Result<()> {
    let mut work = std::pin::pin!(tokio::task::spawn_blocking(work));
    let mut said = false;
    loop {
        let late = tokio::select! {
            biased;
            done = &mut work => return done.map_err(io::Error::other)?,
            Some(_) = interrupts.recv() => tokio::time::timeout(PATIENCE, &mut work).await,
            () = tokio::time::sleep(QUIET), if !said => {
                said = true;
                let path = path.display();
                say(&format!("waiting for the disk to take {path}: no device is worked on any more, and Ctrl-C ends the wait\n"));
                continue;
            }
        };
        return match late {
            Ok(done) => done.map_err(io::Error::other)?,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        };
    }
}

fn not_written(path: &Path, error: &io::Error) -> String {
    format!(
        "error: NO REPORT: {} could not be written: {error}\nhint: the devices are as the summary and the log say, and a \
         file that was there before is unchanged; make room, or name a file elsewhere\n",
        path.display()
    )
}

/// The file that a path leads to, so that one file has one name. It may not be there yet; its folder is.
fn real_path(path: &Path) -> Result<PathBuf, Why> {
    if let Ok(real) = path.canonicalize() {
        return Ok(real);
    }
    let name = path.file_name().ok_or(Why::NoFile)?;
    let folder = folder_of(path).canonicalize().map_err(|e| match e.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Why::NoFolder,
        _ => Why::Io(e),
    })?;
    if !folder.is_dir() {
        return Err(Why::NoFolder);
    }
    Ok(folder.join(name))
}

/// A folder, a pipe or a device is not replaced by a file, nor is what its owner protects from being written.
fn may_be_replaced(path: &Path) -> Result<(), Why> {
    match path.metadata() {
        Ok(there) if !there.is_file() => Err(Why::NoFile),
        Ok(_) => {
            std::fs::OpenOptions::new().append(true).open(path)?;
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e.into()),
    }
}

fn folder_of(path: &Path) -> &Path {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    folder.unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests;
