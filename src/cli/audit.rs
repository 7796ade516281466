//! `hemfleet audit`: the logs of devices, read and kept, and saved ones checked without any device.
//! Must not: say that a log proves anything; it is as good as the way it was read (section 9).

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use crate::engine::{DeviceFact, Event, Fact, Fleet, Mode};
use crate::hem::audit::{self, Delivery, KeyFault, LogKey};
use crate::model::{
    AuditEntry, AuditLog, DeviceId, LogEnd, LogRead, Payload, human_bytes, printable,
};
use crate::report::{AuditTable, Exit, JsonLines, Reporter};

use super::args::{AuditRead, AuditVerify, Cli, PlanOutput, Selection};
use super::outlet::Page;
use super::show::{self, Show};
use super::{Refusal, headless, keep, logging, run, runtime, signals};

/// The largest log file, or file of a key, that is read, in bytes.
const MAX_LOG: u64 = 64 * 1024 * 1024;

/// `hemfleet audit`: reads and verifies the logs of devices. Its exit codes stand at [`Exit`].
pub(super) fn read_logs(cli: &Cli, args: &AuditRead) -> Result<Exit, Refusal> {
    let how = match args.output {
        PlanOutput::Plain => Show::Plain,
        PlanOutput::Json => Show::Json,
    };
    logging::start(cli, how)?;
    let settings = run::settings(&Selection {
        config: args.config.clone(),
        only: args.only.clone(),
        concurrency: args.concurrency,
    })?;
    if let Some(dir) = &args.save {
        keep::folder(dir).map_err(|e| Refusal::new(format!("folder {}: {e}", dir.display())))?;
    }
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let mode = Mode::Audit {
            all: args.all_files,
        };
        let opened = run::open(&settings, Payload::default(), mode, &mut interrupts).await?;
        let Some(mut session) = opened else {
            return Ok(Exit::Interrupted);
        };
        let page = Page::default();
        let told: Box<dyn Reporter> = match how {
            Show::Json => Box::new(JsonLines::new(page.clone())),
            _ => Box::new(AuditTable::new(page.clone(), show::color())),
        };
        let mut saving = Saving {
            told,
            dir: args.save.as_deref(),
            failed: None,
        };
        let told = headless::run(&mut session, &mut saving, page, &mut interrupts).await;
        let exit = Exit::of(session.fleet());
        show::summary(session.fleet(), how, Some(exit), None, told);
        match saving.failed {
            Some(why) => Err(Refusal::new(why).hint("the logs themselves were read; see above")),
            None => Ok(exit),
        }
    });
    runtime.shutdown_background();
    exit
}

/// Keeps what is read, before it is told of.
struct Saving<'a> {
    told: Box<dyn Reporter>,
    dir: Option<&'a Path>,
    /// The first file that could not be written; no other is tried then.
    failed: Option<String>,
}

impl Saving<'_> {
    fn save(&self, device: &DeviceId, read: &LogRead) -> io::Result<()> {
        let Some(dir) = self.dir.filter(|_| !read.raw.is_empty()) else {
            return Ok(());
        };
        let dir = dir.join(keep::file_name(device.as_str()));
        keep::folder(&dir)?;
        // Of a file that came short nothing in the file itself tells: what came is whole lines at times.
        let ending = match &read.log {
            Ok(log) if matches!(log.end, LogEnd::CutShort { .. }) => "cut.log",
            _ => "log",
        };
        let (log, new) = keep::beside_others(&dir, read.id.as_str(), ending, &read.raw)?;
        if new {
            // The nonce is another one each time: the key goes with the file that it was read with.
            keep::new_file(&log.with_extension("key.json"), &read.key)?;
        }
        Ok(())
    }
}

impl Reporter for Saving<'_> {
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()> {
        if self.failed.is_none()
            && let Fact::Device { device, fact, .. } = &event.fact
            && let DeviceFact::LogRead { read } = fact
            && let Err(e) = self.save(device, read)
        {
            self.failed = Some(format!("{device}: log {} could not be kept: {e}", read.id));
        }
        self.told.event(fleet, event)
    }
}

/// Exit code 0 verified, 1 not, 2 unreadable.
pub(super) fn verify(args: &AuditVerify) -> Result<ExitCode, Refusal> {
    let key = read(&args.key)?;
    let log = read(&args.file)?;
    let key = audit::parse_key_answer(&key).map_err(|e| bad_key(&args.key, &e.to_string()))?;
    let mut out = io::stdout().lock();
    let key = match audit::prove_key(&key) {
        Ok(key) => key,
        Err(KeyFault::NotSigned) => {
            let why = KeyFault::NotSigned;
            writeln!(out, "{}: NOT verified: {why}", args.key.display())?;
            return Ok(Exit::Failed.into());
        }
        Err(fault) => return Err(bad_key(&args.key, &fault.to_string())),
    };
    let log = audit::verify(&log, &key, Delivery::Whole);
    tell(&args.file, &log, &key, args.entries, &mut out)?;
    Ok(if log.verifies() {
        ExitCode::SUCCESS
    } else {
        Exit::Failed.into()
    })
}

fn bad_key(path: &Path, why: &str) -> Refusal {
    Refusal::new(format!("log key {}: {why}", path.display()))
        .hint("the key is the saved answer of GET /api/logger/key: key, nonce and nonce_signed")
}

fn read(path: &Path) -> Result<Vec<u8>, Refusal> {
    let shown = path.display();
    let unreadable = |e: io::Error| Refusal::new(format!("{shown} is not readable: {e}"));
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() || meta.len() > MAX_LOG {
        let size = human_bytes(meta.len());
        return Err(Refusal::new(format!("{shown} is no log file ({size})")));
    }
    std::fs::read(path).map_err(unreadable)
}

fn tell(
    path: &Path,
    log: &AuditLog,
    key: &LogKey,
    entries: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    if entries {
        for entry in &log.entries {
            writeln!(out, "{}", line(entry))?;
        }
    }
    let (count, shown) = (log.entries.len(), path.display());
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
fn line(entry: &AuditEntry) -> String {
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
