//! CSV (RFC 4180): a row for each device. What each stage did is in the other formats.

use std::io::{self, Write};

use crate::report::run_report::{DeviceReport, RunReport};

const COLUMNS: [&str; 23] = [
    "run",
    "device",
    "group",
    "tags",
    "link",
    "result",
    "in_doubt",
    "stage",
    "code",
    "status",
    "reason",
    "hint",
    "touched",
    "from",
    "to",
    "from_fws",
    "to_fws",
    "audit",
    "audit_reason",
    "audit_link",
    "attempts",
    "started",
    "took_s",
];

pub(super) fn write(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    row(out, COLUMNS.map(str::to_owned))?;
    for device in &report.devices {
        row(out, cells(report, device))?;
    }
    for device in &report.not_asked {
        let mut cells = [const { String::new() }; COLUMNS.len()];
        cells[0].clone_from(&report.run);
        cells[1].clone_from(device);
        "left out".clone_into(&mut cells[5]);
        "not_asked".clone_into(&mut cells[8]);
        row(out, cells)?;
    }
    Ok(())
}

fn cells(report: &RunReport, device: &DeviceReport) -> [String; COLUMNS.len()] {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    let audit = device.audit.as_ref();
    let of_audit = |what: fn(&crate::report::DeviceAudit) -> &String| {
        audit.map(what).cloned().unwrap_or_default()
    };
    [
        report.run.clone(),
        device.device.clone(),
        text(&device.group),
        device.tags.join(" "),
        device.link.clone(),
        device.words().to_owned(),
        device.in_doubt.to_string(),
        text(&device.stage),
        text(&device.code),
        device.status.map_or_else(String::new, |s| s.to_string()),
        text(&device.reason),
        text(&device.hint),
        text(&device.touched),
        text(&device.from),
        text(&device.to),
        text(&device.from_fws),
        text(&device.to_fws),
        of_audit(|audit| &audit.words),
        of_audit(|audit| &audit.reason),
        of_audit(|audit| &audit.link),
        device.attempts.to_string(),
        device
            .started
            .map_or_else(String::new, |at| format!("{at:.3}")),
        device.took_ms.map_or_else(String::new, super::seconds),
    ]
}

fn row(out: &mut impl Write, cells: [String; COLUMNS.len()]) -> io::Result<()> {
    let cells = cells.map(|cell| quoted(&cell));
    write!(out, "{}\r\n", cells.join(","))
}

/// A cell. One that a spreadsheet would take for a formula gets a quote in front, which shows and does nothing.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    let guard = if formula { "'" } else { "" };
    if formula || cell.contains([',', '"', '\r', '\n']) {
        format!("\"{guard}{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
