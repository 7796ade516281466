//! `hemfleet history`: lists what the journal has, removes what is old, and writes runs to files.

use std::collections::HashSet;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::report::write_file;
use crate::cli::args::journal::{Export, History, HistoryMore, Prune};
use crate::cli::journal_lines::{InDoubt, device_run, report_of, run_line, run_of, table_look};
use crate::cli::output::plain_stdout::{plain_stdout, print_json};
use crate::cli::{CliError, journal_file};
use crate::config::{self, Overrides};
use crate::journal::{DeviceSummary, Journal, RunEntry, WhichDevice, write_run};
use crate::model::{Reach, counted, spelled_duration};
use crate::report::{DeviceRun, RunDevices, RunLine, device_runs, run_devices, run_list};

/// `hemfleet history`.
pub(in crate::cli) fn history(args: &History) -> Result<ExitCode, CliError> {
    match &args.more {
        Some(HistoryMore::Prune(prune)) => self::prune(prune),
        Some(HistoryMore::Export(export)) => self::export(export),
        None => list(args),
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Runs {
    runs: Vec<RunLine>,
}

/// What `--device --json` prints.
#[derive(Serialize)]
struct RunsOfDevice<'a> {
    device: &'a str,
    runs: &'a [DeviceRun],
}

fn list(args: &History) -> Result<ExitCode, CliError> {
    if let Some(run) = &args.run {
        return one_run(args, run);
    }
    let journal = journal_file::existing(&args.journal)?;
    if let Some(name) = &args.device {
        return one_device(args, journal.as_ref(), name);
    }
    let runs = match &journal {
        Some(journal) => journal.runs()?.iter().map(run_line).collect(),
        None => Vec::new(),
    };
    if args.format.is_json() {
        print_json(&Runs { runs })?;
    } else if runs.is_empty() {
        writeln!(plain_stdout(), "no run yet")?;
    } else {
        let mut out = BufWriter::new(plain_stdout());
        run_list(&runs, &table_look(args.ascii), &mut out)?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one_run(args: &History, run: &str) -> Result<ExitCode, CliError> {
    let (journal, entry) = run_of(&args.journal, Some(run))?;
    let report = report_of(&entry, &journal.load(&entry.run)?);
    let run = RunDevices::of(run_line(&entry), report);
    if args.format.is_json() {
        print_json(&run)?;
    } else {
        let mut out = BufWriter::new(plain_stdout());
        run_devices(&run, &table_look(args.ascii), &mut out)?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

fn one_device(args: &History, journal: Option<&Journal>, name: &str) -> Result<ExitCode, CliError> {
    let runs: Vec<DeviceRun> = match journal {
        Some(journal) => {
            let open = InDoubt::of(journal)?;
            let known = under_all_names(journal, name)?;
            let runs = known.iter();
            runs.map(|(entry, summary)| device_run(entry, summary, &open))
                .collect()
        }
        None => Vec::new(),
    };
    if args.format.is_json() {
        print_json(&RunsOfDevice {
            device: name,
            runs: &runs,
        })?;
    } else if runs.is_empty() {
        return Err(CliError::NoSuchDevice(name.to_owned()));
    } else {
        let mut out = BufWriter::new(plain_stdout());
        device_runs(name, &runs, &table_look(args.ascii), &mut out)?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What the runs say of the devices that one of them, or the inventory, calls `name`, whatever the others call them: they are
/// told apart by the way to them. Device by device, newest run first.
fn under_all_names(
    journal: &Journal,
    name: &str,
) -> Result<Vec<(RunEntry, DeviceSummary)>, CliError> {
    let named = journal.device_history(WhichDevice::Named(name))?;
    let named = named.into_iter().map(|(_, summary)| summary.reach);
    // A run that is gone on with keeps the names that it began with: a newer one is in the inventory alone.
    let named = named.chain(reach_of_inventory_here(name));
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    for reach in named {
        if !seen.contains(&reach) {
            all.extend(journal.device_history(WhichDevice::At(&reach))?);
            seen.insert(reach);
        }
    }
    Ok(all)
}

/// The way to the device that is called so in the inventory that is found without `-c`, where there is one without faults.
fn reach_of_inventory_here(name: &str) -> Option<Reach> {
    let inventory = journal_file::inventory_here()?;
    let loaded = config::load(&inventory, &Overrides::default(), &config::process_env);
    let devices = loaded.settings?.devices;
    let device = devices.iter().find(|device| device.id.as_str() == name)?;
    Some(Reach::of(device))
}

fn prune(args: &Prune) -> Result<ExitCode, CliError> {
    let keep = match &args.keep {
        Some(text) => humantime::parse_duration(text).map_err(|source| CliError::Keep {
            text: text.clone(),
            source,
        })?,
        None => journal_file::of_inventory_here()?.keep,
    };
    let older_than = SignedDuration::try_from(keep)
        .ok()
        .and_then(|keep| Timestamp::now().checked_sub(keep).ok())
        .unwrap_or(Timestamp::MIN);
    let runs = match journal_file::existing(&args.journal)? {
        Some(journal) => {
            let removed = journal.prune(older_than, args.dry_run)?;
            removed.iter().map(run_line).collect()
        }
        None => Vec::new(),
    };
    let mut out = BufWriter::new(plain_stdout());
    if !runs.is_empty() {
        run_list(&runs, &table_look(false), &mut out)?;
    }
    let runs = counted(runs.len(), "run", "runs");
    let kept = spelled_duration(keep);
    let done = if args.dry_run {
        "would be removed"
    } else {
        "removed"
    };
    writeln!(
        out,
        "{runs} {done}: over for more than {kept}, with nothing left to do and no device in doubt"
    )?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn export(args: &Export) -> Result<ExitCode, CliError> {
    let (journal, entry) = run_of(&args.journal, args.run.as_deref())?;
    let run = journal.load(&entry.run)?;
    if let Some(path) = &args.out {
        let mut text = Vec::new();
        write_run(&run, args.anonymise, &mut text)?;
        write_file(path, &text)?;
    } else {
        let mut out = BufWriter::new(plain_stdout());
        write_run(&run, args.anonymise, &mut out)?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}
