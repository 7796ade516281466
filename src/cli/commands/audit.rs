//! `hemfleet audit`: reads and saves the logs of devices, and verifies saved ones without a device. A verified log is
//! as trustworthy as the link over which it was read (section 9).

use std::error::Error;
use std::fs::File;
use std::io::{self, Read as _, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use bytes::Bytes;

use crate::device::RawLog;
use crate::engine::{Fleet, Intent, LogKeeper, Mode};
use crate::hem::audit::{self, Delivery, KeyFault, LogKey, LogLine, Verified, Verifier};
use crate::model::{AuditEntry, DeviceId, LogEnd, LogId, Payload, PayloadFacts, printable};
use crate::report::{AuditTable, Exit, InventoryOrder, JsonLines, Reporter};

use crate::cli::args::{AuditRead, AuditVerify, Cli};
use crate::cli::locks_and_secrets::devices_with_secrets;
use crate::cli::output::headless_loop::LookOnly;
use crate::cli::output::logging;
use crate::cli::output::plain_stdout::plain_stdout;
use crate::cli::output::report_files::ReportFiles;
use crate::cli::output::show_session::{self, Ending, OutputMode};
use crate::cli::output::stdout_writer::OutputBuffer;
use crate::cli::process::private_file::PartialFile;
use crate::cli::process::{private_file, signals};
use crate::cli::wiring::Kept;
use crate::cli::{CliError, load, runtime, wiring};

/// How much of a saved file is read at a time, in bytes.
const PIECE: usize = 64 * 1024;

/// `hemfleet audit`: reads and verifies the logs of devices. Its exit codes stand at [`Exit`].
pub(in crate::cli) fn read_logs(cli: &Cli, args: &AuditRead) -> Result<Exit, CliError> {
    let how = if args.format.is_json() {
        OutputMode::Json
    } else {
        OutputMode::Plain
    };
    logging::start(cli, how)?;
    let settings = load::settings(&args.select)?;
    if let Some(dir) = &args.save {
        private_file::folder(dir).map_err(|source| CliError::Folder {
            path: dir.clone(),
            source,
        })?;
    }
    let mut reports = ReportFiles::open(&args.reports)?;
    let look = show_session::look(args.ascii);
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let run = wiring::run_id()?;
        let mode = Mode::Audit {
            all: args.all_files,
        };
        let keeper = args
            .save
            .clone()
            .map(|dir| Arc::new(LogFolder { dir }) as Arc<dyn LogKeeper>);
        let kept = Kept {
            logs: keeper,
            ..Kept::nowhere()
        };
        let facts = wiring::facts(run, &settings, PayloadFacts::default(), mode);
        let Some(devices) = devices_with_secrets(&settings, &mut interrupts).await? else {
            let mut session = wiring::idle_session(facts);
            session.intend(Intent::Interrupt);
            return Ok(reports.finish_unbegun(session, &mut interrupts).await);
        };
        let (fleet, policy) = (Fleet::of(facts), &settings.policy);
        let mut session = wiring::session_over(fleet, policy, Payload::default(), devices, kept);
        let written = OutputBuffer::default();
        let mut told: Box<dyn Reporter> = match how {
            OutputMode::Json => Box::new(JsonLines::new(written.clone())),
            _ => Box::new(InventoryOrder::new(AuditTable::new(written.clone(), look))),
        };
        let look_only = LookOnly {
            reporter: &mut *told,
            written,
            verb: "read the logs of",
            look,
        };
        let (told, exit) = look_only
            .run(&mut session, &mut reports, &mut interrupts)
            .await;
        let fleet = session.fleet();
        let ending = Ending {
            exit: Some(exit),
            log: None,
            reports: reports.written(),
            told,
        };
        show_session::summary(fleet, how, look, ending, &mut interrupts).await;
        Ok(exit)
    });
    runtime.shutdown_background();
    exit
}

/// Keeps the files that are read, a folder for each device.
struct LogFolder {
    dir: PathBuf,
}

impl LogKeeper for LogFolder {
    fn begin(&self, device: &DeviceId, file: &LogId, key: &Bytes) -> Box<dyn RawLog> {
        Box::new(LogFile {
            dir: self.dir.join(private_file::file_name(device.as_str())),
            file: file.clone(),
            key: key.clone(),
            partial: None,
        })
    }
}

/// A log file on its way to the disk.
struct LogFile {
    dir: PathBuf,
    file: LogId,
    key: Bytes,
    /// Absent before the first byte.
    partial: Option<PartialFile>,
}

impl RawLog for LogFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let partial = match &mut self.partial {
            Some(partial) => partial,
            none => none.insert(PartialFile::new(&self.dir)?),
        };
        partial.write(bytes)
    }

    fn keep(self: Box<Self>, whole: bool) -> io::Result<()> {
        let Some(partial) = self.partial else {
            // An empty file is not worth keeping.
            return Ok(());
        };
        // The file itself may not show that it was cut short: it may end with a whole line.
        let ending = if whole { "log" } else { "cut.log" };
        let (log, _) = partial.persist_unique(self.file.as_str(), ending)?;
        // The nonce differs each time, so that each file keeps the key it was read with. If an earlier run was stopped
        // between the two, this key will do: it has just verified the file.
        match private_file::new_file(&log.with_extension("key.json"), &self.key) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }
}

/// `hemfleet audit verify`. Exit code 0 if the file verifies, 1 if not, 2 if it cannot be read.
pub(in crate::cli) fn verify(args: &AuditVerify) -> Result<ExitCode, CliError> {
    let mut key = Vec::new();
    open(&args.key)?
        .read_to_end(&mut key)
        .map_err(|e| unreadable(&args.key, e))?;
    // Opened before the key is checked, so that a missing file is reported as missing.
    open(&args.file)?;
    let key = audit::parse_key_answer(&key).map_err(|e| bad_key(&args.key, e))?;
    let mut out = plain_stdout();
    let key = match audit::prove_key(&key) {
        Ok(key) => key,
        Err(KeyFault::NotSigned) => {
            let why = KeyFault::NotSigned;
            writeln!(out, "{}: NOT verified: {why}", args.key.display())?;
            return Ok(Exit::Failed.into());
        }
        Err(fault) => return Err(bad_key(&args.key, fault)),
    };
    let (log, count) = read_through(&args.file, &key, args.entries, &mut out)?;
    print_verdict(&args.file, &log, count, &key, &mut out)?;
    Ok(match log.end {
        LogEnd::Whole => ExitCode::SUCCESS,
        _ => Exit::Failed.into(),
    })
}

fn bad_key(path: &Path, source: impl Into<Box<dyn Error + Send + Sync>>) -> CliError {
    CliError::LogKey {
        path: path.to_owned(),
        source: source.into(),
    }
}

fn unreadable(path: &Path, source: io::Error) -> CliError {
    CliError::Unreadable {
        path: path.to_owned(),
        source,
    }
}

/// Opens a file that is no larger than a log may be.
fn open(path: &Path) -> Result<File, CliError> {
    let meta = std::fs::metadata(path).map_err(|e| unreadable(path, e))?;
    if !meta.is_file() || meta.len() > audit::MAX_FILE {
        return Err(CliError::NotALog {
            path: path.to_owned(),
            bytes: meta.len(),
        });
    }
    File::open(path).map_err(|e| unreadable(path, e))
}

/// Verifies a file piece by piece, with its entries shown on the way if wanted; how many there are.
fn read_through(
    path: &Path,
    key: &LogKey,
    entries: bool,
    out: &mut impl Write,
) -> Result<(Verified, usize), CliError> {
    let mut file = open(path)?;
    let mut verifier = Verifier::new(key);
    let (mut count, mut written) = (0, Ok(()));
    let mut see = |seen| {
        if let LogLine::Entry(entry) = seen {
            count += 1;
            if entries && written.is_ok() {
                written = writeln!(out, "{}", entry_line(&entry));
            }
        }
    };
    let mut piece = vec![0; PIECE];
    loop {
        let n = file.read(&mut piece).map_err(|e| unreadable(path, e))?;
        if n == 0 {
            break;
        }
        verifier.feed(&piece[..n], &mut see);
    }
    let end = verifier.finish(Delivery::Whole, &mut see);
    written?;
    Ok((end, count))
}

fn print_verdict(
    path: &Path,
    log: &Verified,
    count: usize,
    key: &LogKey,
    out: &mut impl Write,
) -> io::Result<()> {
    let shown = path.display();
    match log.end {
        LogEnd::Whole => writeln!(out, "{shown}: verified, {count} entries")?,
        LogEnd::CutShort { line } => writeln!(
            out,
            "{shown}: NOT verified: it is cut short in line {line}; the {count} entries before that verify"
        )?,
        LogEnd::Failed { line, fault, .. } => writeln!(
            out,
            "{shown}: NOT verified: line {line}: {fault}; the {count} entries before that verify"
        )?,
    }
    if let Some(firmware) = &log.firmware {
        writeln!(out, "written by {firmware} (the file's own word)")?;
    }
    writeln!(out, "log key {key}: is it the device's?")
}

/// One entry, for people: line, counter, time, type, result, subject and what its extra field says.
fn entry_line(entry: &AuditEntry) -> String {
    printable(
        &format!(
            "{:>5}  {:>8x}  {:<20}  {:<22}  {:<6}  {:<4}  {}",
            entry.line,
            entry.counter,
            entry.time.to_string(),
            entry.kind.to_string(),
            entry.result.to_string(),
            entry.subject,
            entry.extra,
        ),
        400,
    )
    .trim_end()
    .to_owned()
}
