//! What became of devices: of all devices of one run (`hemfleet history --run`), and of one device run by run (`--device`).
//!
//! `--run --json` prints one object with `schema`, the fields of the run as the list of runs has them, and `results`: its
//! devices as the JSON report has them (`hemfleet report --format json`).
//!
//! `--device --json` prints one object with `schema`, `device` (the name that was asked for) and `runs`, newest first. Each has
//! `run`, `device` (the name in that run), `reach`, `started` (of the run), `ended`, `version` (of what was rolled out), `from`,
//! `to`, `from_fws`, `to_fws`, `outcome`, `reason`, `code`, `hint`, `in_doubt`, and `audit` with `verdict`, `code`, `reason`,
//! `file` and `link`. What does not fit is absent.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::run_list::RunLine;
use super::run_report::{DeviceAudit, DeviceReport, RunReport, milliseconds, outcome_word};
use super::style::LineStyle;
use super::text_table::{TableLook, TextRow, TextTable, write_below};
use crate::model::{OutcomeKind, human_duration};

/// A run and its devices.
#[derive(Clone, Debug, Serialize)]
pub struct RunDevices {
    /// The run.
    #[serde(flatten)]
    pub line: RunLine,
    /// Its devices.
    pub results: Vec<DeviceReport>,
}

const OF_RUN: [&str; 6] = ["DEVICE", "FROM", "TO", "RESULT", "AUDIT LOG", ">TOOK"];

/// Writes a run and its devices.
pub fn run_devices(run: &RunDevices, how: &TableLook, out: &mut impl Write) -> io::Result<()> {
    let line = &run.line;
    let until = line.ended.map(|at| format!(" to {}", how.time(at)));
    let head = format!(
        "run {} · {}{} · {} on {} · hemfleet {}",
        line.run,
        how.time(line.started),
        until.unwrap_or_default(),
        line.user,
        line.host,
        line.hemfleet
    );
    let mut lines = vec![
        (Some(LineStyle::Heading), head),
        (None, format!("{} · {}", line.version, line.inventory)),
    ];
    lines.extend(line.below());
    write_below(&lines, how, 0, out)?;
    writeln!(out)?;
    let rows = run.results.iter().map(|device| TextRow {
        cells: vec![
            device.device.clone(),
            device.from.clone().unwrap_or_default(),
            device.to.clone().unwrap_or_default(),
            format!("{} {}", device.sign(), device.words()),
            device.audit.as_ref().map(audit_word).unwrap_or_default(),
            device
                .took_ms
                .map(|ms| human_duration(Duration::from_millis(ms)))
                .unwrap_or_default(),
        ],
        style: device.outcome.map(LineStyle::of),
        below: why(
            device.outcome,
            device.reason.as_deref(),
            device.audit.as_ref(),
        ),
    });
    let table = TextTable {
        heads: &OF_RUN,
        rows: rows.collect(),
    };
    table.write(how, 4, out)
}

impl RunDevices {
    /// The devices of `report` with their run.
    pub fn of(line: RunLine, report: RunReport) -> Self {
        let results = report.devices;
        Self { line, results }
    }
}

/// What one run says of a device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceRun {
    /// The run.
    pub run: String,
    /// What the run calls the device.
    pub device: String,
    /// The way to it.
    pub reach: String,
    /// When the run was begun.
    #[serde(serialize_with = "milliseconds")]
    pub started: Timestamp,
    /// When the device's last attempt ended.
    #[serde(
        serialize_with = "milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub ended: Option<Timestamp>,
    /// What was rolled out.
    pub version: String,
    /// The version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version after the install.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The signature of the firmware before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_fws: Option<String>,
    /// The signature of the firmware after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_fws: Option<String>,
    /// How it ended.
    #[serde(
        serialize_with = "outcome_word",
        skip_serializing_if = "Option::is_none"
    )]
    pub outcome: Option<OutcomeKind>,
    /// Why, or on what evidence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The same for scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Whether nobody knows what an install did to it.
    pub in_doubt: bool,
    /// What its audit log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<DeviceAudit>,
}

const OF_DEVICE: [&str; 7] = [
    "RUN",
    "STARTED",
    "DEVICE",
    "FROM",
    "TO",
    "RESULT",
    "AUDIT LOG",
];

/// Writes what became of the device that is called `name`, run by run. What other runs call it stands in each line; where
/// several devices were called so, the way to each as well.
pub fn device_runs(
    name: &str,
    runs: &[DeviceRun],
    how: &TableLook,
    out: &mut impl Write,
) -> io::Result<()> {
    let one_way = runs.windows(2).all(|two| two[0].reach == two[1].reach);
    let renamed = runs.iter().any(|run| run.device != name);
    let rows = runs.iter().map(|run| {
        let result = match run.outcome {
            Some(outcome) => format!("{} {}", outcome.sign(), outcome.words()),
            None => "… not ended".to_owned(),
        };
        let mut below = Vec::new();
        if !one_way {
            below.push((None, format!("at {}", run.reach)));
        }
        if run.in_doubt {
            let text = format!(
                "IN DOUBT: hemfleet resume {} asks it what it is now",
                run.run
            );
            below.push((Some(LineStyle::Bad), text));
        }
        below.extend(why(run.outcome, run.reason.as_deref(), run.audit.as_ref()));
        TextRow {
            cells: vec![
                run.run.clone(),
                how.time(run.started),
                if renamed {
                    run.device.clone()
                } else {
                    String::new()
                },
                run.from.clone().unwrap_or_default(),
                run.to.clone().unwrap_or_default(),
                result,
                run.audit.as_ref().map(audit_word).unwrap_or_default(),
            ],
            style: run.outcome.map(LineStyle::of),
            below,
        }
    });
    let table = TextTable {
        heads: &OF_DEVICE,
        rows: rows.collect(),
    };
    table.write(how, 10, out)
}

fn audit_word(audit: &DeviceAudit) -> String {
    if audit.contradicts() {
        "CONTRADICTS".to_owned()
    } else {
        audit.words.clone()
    }
}

/// Why a device ended as it did, where its end does not say it all.
fn why(
    outcome: Option<OutcomeKind>,
    reason: Option<&str>,
    audit: Option<&DeviceAudit>,
) -> Vec<(Option<LineStyle>, String)> {
    let mut lines = Vec::new();
    let is_good = outcome.is_some_and(OutcomeKind::is_good);
    if let Some(reason) = reason.filter(|_| !is_good) {
        lines.push((None, reason.to_owned()));
    }
    if let Some(audit) = audit.filter(|audit| audit.contradicts()) {
        let text = format!("LOG CONTRADICTS: {}", audit.reason);
        lines.push((Some(LineStyle::Bad), text));
    }
    lines
}
