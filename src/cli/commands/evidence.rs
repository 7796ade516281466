//! `hemfleet evidence`: writes the evidence of a run, and verifies such a folder. What is in it is in `cli::evidence`.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use jiff::Timestamp;

use crate::cli::args::journal::{Evidence, EvidenceMake, EvidenceSaved, EvidenceVerify};
use crate::cli::evidence::{
    Bundle, EvidenceRefused, LogRead, NotVerified, Signed, Verified, verify,
};
use crate::cli::output::plain_stdout::plain_stdout;
use crate::cli::output::stderr_and_log;
use crate::cli::{CliError, journal_file};
use crate::model::{AuditReport, Outcome, OutcomeKind, counted, printable};
use crate::report::Exit;

/// Longest text that is shown of what a stranger wrote.
const MAX_TEXT: usize = 300;

/// `hemfleet evidence`.
pub(in crate::cli) fn evidence(args: &Evidence) -> Result<ExitCode, CliError> {
    match &args.saved {
        Some(EvidenceSaved::Verify(verify)) => verify_folder(verify),
        None => make(&args.make),
    }
}

fn make(args: &EvidenceMake) -> Result<ExitCode, CliError> {
    // Clap has asked for it.
    let out = args.out.as_deref().unwrap_or(Path::new("evidence"));
    let journal = journal_file::existing(&args.journal)?.ok_or(EvidenceRefused::NoJournal)?;
    let entry = if let Some(run) = &args.run {
        journal.find(run)?
    } else {
        let newest = journal.runs()?.into_iter().next();
        newest.ok_or(EvidenceRefused::NoRun)?
    };
    let run = entry.run;
    let record = journal.record(&run)?;
    let logs = journal.log_files();
    let mut bundle = Bundle::begin(out, record, &logs, Timestamp::now())?;
    journal.stored_messages(&run, |stored| {
        bundle.message(stored).map_err(CliError::from)
    })?;
    let written = bundle.finish(args.sign_key.as_deref())?;
    for (device, why) in &written.absent {
        let (device, why) = (printable(device, MAX_TEXT), printable(why, MAX_TEXT));
        let text = format!("WARNING: {device}: the log file that decided is not in it: {why}\n");
        stderr_and_log::say(&text);
    }
    let mut text = plain_stdout();
    let files = counted(written.logs, "log file", "log files");
    writeln!(text, "{}: evidence of run {run}, with {files}", shown(out))?;
    if entry.is_alive {
        writeln!(text, "the run goes on: this is what it had come to so far")?;
    }
    // Whoever hands it on knows that it holds.
    say(out, verify(out, None), &mut text)
}

/// `hemfleet evidence verify`. Exit code 0 if the folder verifies, 1 if not, 2 if it cannot be read.
fn verify_folder(args: &EvidenceVerify) -> Result<ExitCode, CliError> {
    let found = verify(&args.dir, args.signers.as_deref());
    say(&args.dir, found, &mut plain_stdout())
}

fn say(
    dir: &Path,
    found: Result<Verified, NotVerified>,
    out: &mut impl Write,
) -> Result<ExitCode, CliError> {
    match found {
        Ok(verified) => {
            print(dir, &verified, out)?;
            Ok(ExitCode::SUCCESS)
        }
        Err(NotVerified::Wrong(fault)) => {
            writeln!(out, "{}: NOT verified: {fault}", shown(dir))?;
            Ok(Exit::Failed.into())
        }
        Err(NotVerified::Unreadable(path, source)) => Err(CliError::Unreadable { path, source }),
    }
}

fn shown(path: &Path) -> String {
    printable(&path.display().to_string(), MAX_TEXT)
}

fn print(dir: &Path, verified: &Verified, out: &mut impl Write) -> io::Result<()> {
    let (facts, context) = (&verified.facts, &verified.context);
    writeln!(out, "{}: verified", shown(dir))?;
    let word = |text: &str| printable(text, MAX_TEXT);
    let (user, host) = (word(&context.user), word(&context.host));
    let version = word(&context.version);
    let run = word(facts.run.as_str());
    write!(
        out,
        "run {run}, by {user} on {host}, with hemfleet {version}"
    )?;
    match verified.times {
        (Some(began), Some(ended)) => writeln!(out, ", {began:.0} to {ended:.0}")?,
        (Some(began), None) => writeln!(out, ", {began:.0}, and not ended")?,
        (None, _) => writeln!(out, ", and not begun")?,
    }
    if let Some(image) = &facts.payload.firmware {
        let label = word(&image.version_label());
        writeln!(out, "firmware {label}, SHA-256 {}", image.sha256_hex())?;
    }
    if let Some(app) = &facts.payload.app {
        writeln!(out, "management app, SHA-256 {}", app.sha256_hex())?;
    }
    writeln!(
        out,
        "{}; {}",
        counted(
            usize::try_from(verified.messages).unwrap_or(usize::MAX),
            "event",
            "events"
        ),
        outcomes(verified)
    )?;
    for log in &verified.logs {
        writeln!(out, "{}", log_line(log))?;
    }
    match &verified.signed {
        Signed::By(name) => writeln!(out, "signed by {name}")?,
        Signed::WithKey(key) => writeln!(
            out,
            "signed with the key {}; whose it is was not asked: --signers FILE",
            word(key)
        )?,
        Signed::Unchecked(e) => writeln!(
            out,
            "signed, but the signature is not verified: ssh-keygen cannot be run: {e}"
        )?,
        Signed::Not => writeln!(
            out,
            "not signed: this shows accidents, and neither who made it nor that nobody rewrote it"
        )?,
    }
    writeln!(
        out,
        "what this proves, and what not, stands in {}",
        shown(&dir.join("README.txt"))
    )
}

/// How many devices ended in which way.
fn outcomes(verified: &Verified) -> String {
    let mut kinds: BTreeMap<OutcomeKind, usize> = BTreeMap::new();
    let mut open = 0;
    for (_, outcome, _) in &verified.devices {
        match outcome.as_ref().map(Outcome::kind) {
            Some(kind) => *kinds.entry(kind).or_default() += 1,
            None => open += 1,
        }
    }
    let mut counts: Vec<String> = kinds
        .iter()
        .map(|(kind, n)| format!("{n} {}", kind.as_str()))
        .collect();
    if open > 0 {
        counts.push(format!("{open} not ended"));
    }
    let devices = counted(verified.devices.len(), "device", "devices");
    let counts = counts.join(", ");
    let doubts = verified.devices.iter().filter(|(_, _, doubt)| *doubt);
    match doubts.count() {
        0 => format!("{devices}: {counts}"),
        n => format!("{devices}: {counts}; an install of {n} is in doubt"),
    }
}

/// What a log says, and where that stands.
fn log_line(log: &LogRead) -> String {
    let report = AuditReport {
        verdict: log.verdict.clone(),
        judged: log.judged,
        link: log.link,
        file: None,
        log: None,
    };
    let says = format!("{}: {report}", log.device);
    let text = match &log.file {
        Some(Ok((file, key))) => format!("{says}; {file}, log key {key}"),
        Some(Err(why)) => format!("{says}; NOT verified here, its file is missing: {why}"),
        None => says,
    };
    printable(&text, 2 * MAX_TEXT)
}
