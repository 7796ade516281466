//! What became of devices: of all devices of one run (`hemfleet history --run`), and of one device run by run (`--device`).
//!
//! `--run --json` prints one object with `schema`, the fields of the run as the list of runs has them, `gone_on` as the JSON
//! report has it, and `results`: its devices as the JSON report has them (`hemfleet report --format json`).
//!
//! `--device --json` prints one object with `schema`, `device` (the name that was asked for) and `runs`, newest first. Each has
//! `run`, `device` (the name in that run), `reach`, `started` (of the run), `ended`, `version` (of what was rolled out), `from`,
//! `to`, `from_fws`, `to_fws`, `outcome`, `reason`, `code`, `hint`, `in_doubt`, `next` (the command that finds out more), and `audit` with `verdict`, `code`, `reason`,
//! `file` and `link`. What does not fit is absent.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

use super::phrases;
use super::run_list::RunLine;
use super::run_report::{
    DeviceAudit, DeviceEnd, DeviceReport, GoneOnReport, RunReport, milliseconds,
};
use super::style::LineStyle;
use super::text_table::{TableLook, TextRow, TextTable, write_below};
use crate::model::{OutcomeKind, human_duration};

/// A run and its devices.
#[derive(Clone, Debug, Serialize)]
pub struct RunDevices {
    /// The run.
    #[serde(flatten)]
    pub line: RunLine,
    /// Who went on with it after it had broken off, and when.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub gone_on: Vec<GoneOnReport>,
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
    lines.extend(run.gone_on.iter().map(|gone_on| {
        let text = gone_on.words(&how.time(gone_on.at));
        (None, format!("gone on with {text}"))
    }));
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
            device.reason.as_deref().filter(|_| !device.is_as_it_was()),
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
        Self {
            line,
            gone_on: report.gone_on,
            results: report.devices,
        }
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
    /// Whether nobody knows what an install did to it.
    pub in_doubt: bool,
    /// Whether a process is at work on the run.
    #[serde(skip)]
    pub is_alive: bool,
    /// The command that finds out more, where it is in doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// How it ended.
    #[serde(flatten)]
    pub end: DeviceEnd,
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
        let end = &run.end;
        let result = match end.outcome {
            Some(outcome) => format!("{} {}", outcome.sign(), outcome.words()),
            None => "… not ended".to_owned(),
        };
        let mut below = Vec::new();
        if !one_way {
            below.push((None, format!("at {}", run.reach)));
        }
        if run.in_doubt {
            let next = run.next.as_deref().unwrap_or_default();
            let next = phrases::next_of_doubt(next, run.is_alive);
            below.push((Some(LineStyle::Bad), format!("IN DOUBT: {next}")));
        }
        below.extend(why(end.outcome, end.reason.as_deref(), end.audit.as_ref()));
        TextRow {
            cells: vec![
                run.run.clone(),
                how.time(run.started),
                if renamed {
                    run.device.clone()
                } else {
                    String::new()
                },
                end.from.clone().unwrap_or_default(),
                end.to.clone().unwrap_or_default(),
                result,
                end.audit.as_ref().map(audit_word).unwrap_or_default(),
            ],
            style: end.outcome.map(LineStyle::of),
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

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::engine::Mode;
    use crate::engine::fixtures::seed;
    use crate::engine::fixtures::{TestRun, firmware};
    use crate::model::{Doubt, LinkTrust, Outcome, Skip, Touched};
    use crate::report::fixtures;
    use crate::report::run_list::RunStanding;
    use crate::report::{LineLook, RunOrigin, RunState};

    fn look() -> TableLook {
        TableLook {
            look: LineLook::default(),
            width: Some(80),
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    fn report(run: &TestRun) -> RunReport {
        let origin = RunOrigin {
            by: "anna on ops".to_owned(),
            inventory: "/srv/fleets/warsaw.toml".to_owned(),
            hemfleet: "0.1.0".to_owned(),
            state: RunState::Over,
        };
        RunReport::of_journal(&run.fleet, run.now, origin)
    }

    fn written(run: &TestRun) -> String {
        let report = report(run);
        let line = RunLine {
            run: report.run.clone(),
            state: RunStanding::Over,
            started: report.started.unwrap(),
            ended: Some(report.ended),
            took_ms: report.took_ms,
            user: "anna".to_owned(),
            host: "ops".to_owned(),
            inventory: "/srv/fleets/warsaw.toml".to_owned(),
            version: "1.2.3".to_owned(),
            hemfleet: "0.1.0".to_owned(),
            devices: report.devices.len(),
            counts: Some(report.counts.clone()),
            in_doubt: 0,
            process: None,
            next: None,
        };
        let mut out = Vec::new();
        run_devices(&RunDevices::of(line, report), &look(), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn five() -> TestRun {
        let mut run = fixtures::run(Mode::Go, 5);
        run.begin();
        fixtures::upgrade_to_log(&mut run, 0);
        run.audit(0, fixtures::confirmed());
        run.finish(0, Outcome::Upgraded);
        fixtures::refuse(&mut run, 1);
        run.finish(2, Outcome::Skipped(Skip::Epa));
        run.finish(3, Outcome::Cancelled(Touched::Nothing));
        fixtures::upgrade_to_log(&mut run, 4);
        run.audit(4, fixtures::contradicted());
        run.finish(4, Outcome::Upgraded);
        run.end();
        run
    }

    #[test]
    fn each_device_of_a_run() {
        insta::assert_snapshot!(written(&five()));
    }

    #[test]
    fn one_long_name_among_two_hundred_moves_only_its_own_line() {
        let name = |n: usize| match n {
            7 => "hsm-of-the-backup-site-in-the-old-town-of-krakow-unit-0007".to_owned(),
            n => format!("vault-{n:03}"),
        };
        let seeds = (0..200).map(|n| seed(name(n).as_str(), LinkTrust::Ca));
        let mut run = TestRun::new(Mode::Go, seeds.collect(), firmware(3_000_000));
        run.begin();
        for n in 0..200 {
            run.finish(name(n).as_str(), Outcome::Upgraded);
        }
        run.end();
        let text = written(&run);
        let lines: Vec<&str> = text
            .lines()
            .filter(|line| line.contains("✔ upgraded"))
            .collect();
        assert_eq!(lines.len(), 200);
        let wide = lines.iter().filter(|line| line.width() > 80).count();
        let at = |line: &&str| line.find('✔');
        let moved = lines
            .iter()
            .filter(|line| at(line) != at(&lines[0]))
            .count();
        assert!(wide <= 1 && moved == 1, "{text}");
    }

    fn device_run(n: u8, device: &str, outcome: Option<&Outcome>, in_doubt: bool) -> DeviceRun {
        let started: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let is_upgraded = outcome == Some(&Outcome::Upgraded);
        let audit = is_upgraded.then(fixtures::confirmed);
        DeviceRun {
            run: format!("{n:08x}"),
            device: device.to_owned(),
            reach: "vault-01.example:443".to_owned(),
            started,
            ended: Some(started),
            version: "1.2.3".to_owned(),
            in_doubt,
            is_alive: false,
            next: in_doubt.then(|| format!("hemfleet resume {n:08x}")),
            end: DeviceEnd {
                from: Some("1.2.2".to_owned()),
                to: is_upgraded.then(|| "1.2.3".to_owned()),
                ..DeviceEnd::of(outcome, None, None, audit.as_ref())
            },
        }
    }

    #[test]
    fn one_device_run_by_run() {
        let runs = [
            device_run(3, "vault-01", None, true),
            device_run(
                2,
                "hsm-7",
                Some(&Outcome::Unknown(Doubt::AnswerLost)),
                false,
            ),
            device_run(1, "hsm-7", Some(&Outcome::Upgraded), false),
        ];
        let mut out = Vec::new();
        device_runs("vault-01", &runs, &look(), &mut out).unwrap();
        insta::assert_snapshot!(String::from_utf8(out).unwrap());
    }
}
