//! JUnit XML, as Jenkins and others read it: a test case for each device.
//!
//! A device passes where it does not keep the exit code from 0. One of which it is unknown or unproven what it runs is an
//! error, since nothing was found out; everything else is a failure, also a device that was stopped: it was to be upgraded
//! and is not.

use std::io::{self, Write};

use jiff::tz::TimeZone;

use super::markup::escape;
use super::overview::{self, audit_words};
use crate::model::{OutcomeKind, VerdictKind};
use crate::report::Exit;
use crate::report::run_report::{DeviceReport, RunReport};

/// How a test case ended.
enum Case {
    Passed,
    Skipped { message: String },
    Failed { kind: String, message: String },
    Error { kind: String, message: String },
}

pub(super) fn write(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let devices = report.devices.iter().map(|device| (device, case(device)));
    let cases: Vec<(&DeviceReport, Case)> = devices.collect();
    let count = |wanted: fn(&Case) -> bool| cases.iter().filter(|(_, case)| wanted(case)).count();
    let left_out = report.not_asked.len();
    let numbers = format!(
        "tests=\"{}\" failures=\"{}\" errors=\"{}\"",
        cases.len() + left_out,
        count(|case| matches!(case, Case::Failed { .. })) + left_out,
        count(|case| matches!(case, Case::Error { .. })),
    );
    let skipped = count(|case| matches!(case, Case::Skipped { .. }));
    let time = super::seconds(report.took_ms.unwrap_or(0));
    let name = escape(&overview::title(report));
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"hemfleet\" {numbers} time=\"{time}\">"
    )?;
    write!(
        out,
        "  <testsuite name=\"{name}\" {numbers} skipped=\"{skipped}\" time=\"{time}\""
    )?;
    if let Some(started) = report.started {
        // Readers of the schema take no zone and no fraction; this is UTC.
        let at = started.to_zoned(TimeZone::UTC);
        write!(out, " timestamp=\"{}\"", at.strftime("%Y-%m-%dT%H:%M:%S"))?;
    }
    writeln!(out, ">")?;
    writeln!(out, "    <properties>")?;
    for (name, value) in overview::facts(report) {
        let value = escape(&value);
        writeln!(out, "      <property name=\"{name}\" value=\"{value}\"/>")?;
    }
    writeln!(out, "    </properties>")?;
    for (device, case) in &cases {
        test_case(device, case, out)?;
    }
    for name in &report.not_asked {
        let name = escape(name);
        writeln!(
            out,
            "    <testcase name=\"{name}\" classname=\"hemfleet\" time=\"0.000\">\n      <failure type=\"not_asked\" \
             message=\"could not be asked what is offered to it, and was left out\"/>\n    </testcase>"
        )?;
    }
    writeln!(out, "  </testsuite>\n</testsuites>")
}

fn case(device: &DeviceReport) -> Case {
    let skipped = device.outcome == Some(OutcomeKind::Skipped)
        || (device.outcome, device.verdict) == (None, Some(VerdictKind::Skip));
    let kind = || device.code.clone().unwrap_or_else(|| "not_done".to_owned());
    let good = device.outcome.is_some_and(OutcomeKind::is_good);
    let contradicts = device
        .audit
        .as_ref()
        .filter(|audit| good && audit.contradicts());
    match (device.exit, contradicts) {
        (Exit::Good, _) if skipped => Case::Skipped {
            message: device.said(),
        },
        (Exit::Good, _) => Case::Passed,
        (Exit::Failed, Some(audit)) => Case::Failed {
            kind: audit.code.clone(),
            message: format!("{}; audit {}", device.said(), audit_words(audit)),
        },
        (Exit::Doubt, _) => Case::Error {
            kind: kind(),
            message: device.said(),
        },
        // Left while the install was watched.
        (_, _) if device.in_doubt && device.outcome.is_none() => Case::Error {
            kind: "in_doubt".to_owned(),
            message: device.said(),
        },
        _ => Case::Failed {
            kind: kind(),
            message: device.said(),
        },
    }
}

fn test_case(device: &DeviceReport, case: &Case, out: &mut impl Write) -> io::Result<()> {
    let class = match &device.group {
        Some(group) => format!("hemfleet.{group}"),
        None => "hemfleet".to_owned(),
    };
    writeln!(
        out,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{}\">",
        escape(&device.device),
        escape(&class),
        super::seconds(device.took_ms.unwrap_or(0))
    )?;
    let hint = device.hint.as_deref().map(|hint| format!("hint: {hint}"));
    let hint = escape(&hint.unwrap_or_default());
    match case {
        Case::Passed => {}
        Case::Skipped { message } => {
            writeln!(out, "      <skipped message=\"{}\"/>", escape(message))?;
        }
        Case::Failed { kind, message } => {
            let (kind, message) = (escape(kind), escape(message));
            writeln!(
                out,
                "      <failure type=\"{kind}\" message=\"{message}\">{hint}</failure>"
            )?;
        }
        Case::Error { kind, message } => {
            let (kind, message) = (escape(kind), escape(message));
            writeln!(
                out,
                "      <error type=\"{kind}\" message=\"{message}\">{hint}</error>"
            )?;
        }
    }
    if !device.timeline.is_empty() {
        writeln!(out, "      <system-out>")?;
        for step in &device.timeline {
            let cells = overview::step_cells(step);
            let named = overview::STEPS.iter().zip(&cells);
            let line: Vec<String> = named
                .filter(|(_, cell)| !cell.is_empty())
                .map(|(name, cell)| format!("{}={}", name.to_lowercase(), escape(cell)))
                .collect();
            writeln!(out, "{}", line.join("  "))?;
        }
        writeln!(out, "      </system-out>")?;
    }
    writeln!(out, "    </testcase>")
}
