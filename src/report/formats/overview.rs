//! What stands at the top of the reports that people read, Markdown and HTML, and the words that they share.

use std::time::Duration;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::model::{counted, human_bytes, human_duration};
use crate::report::run_report::{
    DeviceAudit, DeviceLog, DeviceReport, LogLine, ReasonGroup, RunReport, RunState, StepReport,
};
use crate::report::{phrases, run_report};

/// The heading of the file.
pub(super) fn title(report: &RunReport) -> String {
    format!("hemfleet run {}", report.run)
}

/// What there is to know of the run as a whole: what it is called, and what it is.
pub(super) fn facts(report: &RunReport) -> Vec<(&'static str, String)> {
    let took = report.took_ms.map(duration);
    let how = took.as_ref().map_or_else(
        || report.how().to_owned(),
        |took| format!("{} in {took}", report.how()),
    );
    let devices = phrases::devices(report.devices.len());
    let code = report
        .exit_code
        .map_or_else(|| "none".to_owned(), |code| code.to_string());
    let mut facts = vec![(
        "Result",
        format!("{how}: {} of {devices}", report.counts_words()),
    )];
    if report.state == Some(RunState::Died) {
        let run = &report.run;
        let text = format!(
            "the process ended before the run did, and nobody has gone on with it: hemfleet resume {run} asks each \
             unfinished device what it is now"
        );
        facts.push(("Unfinished", text));
    }
    facts.push(("Exit code", format!("{code}: {}", report.exit_meaning)));
    facts.extend(report.halt.clone().map(|halt| ("Halted", halt)));
    facts.extend(report.started.map(|at| ("Started", time(at))));
    let gone_on = report.gone_on.iter();
    facts.extend(gone_on.map(|gone_on| ("Gone on with", gone_on.words(&time(gone_on.at)))));
    let ended = match report.state {
        Some(RunState::Died) => "Last word",
        Some(RunState::GoingOn) => "As of",
        Some(RunState::Over) | None => "Ended",
    };
    facts.push((ended, time(report.ended)));
    facts.extend(report.by.clone().map(|by| ("Run by", by)));
    let inventory = report.inventory.clone();
    facts.extend(inventory.map(|inventory| ("Inventory", inventory)));
    facts.push(("Mode", report.mode.clone()));
    if let Some(image) = &report.image {
        let name = image.name.as_ref().unwrap_or(&image.version);
        let size = human_bytes(image.bytes);
        facts.push(("Image", format!("{name}, {size}, sha256 {}", image.sha256)));
        facts.extend(image.fws.clone().map(|fws| ("Image fws", fws)));
    }
    if let Some(app) = &report.app {
        let version = app.version.as_deref().unwrap_or("version unknown");
        let size = human_bytes(app.bytes);
        let text = format!("{version}, {size}, sha256 {}", app.sha256);
        facts.push(("Management app", text));
    }
    facts.extend(phrases::counted_words(&report.audits).map(|audits| ("Audit logs", audits)));
    if !report.not_asked.is_empty() {
        facts.push(("Left out, could not be asked", report.not_asked.join(", ")));
    }
    facts.push(("hemfleet", report.hemfleet.clone()));
    facts
}

/// What somebody has to look at: a heading, and under it a list.
pub(super) struct Concern {
    pub(super) head: String,
    pub(super) items: Vec<String>,
    pub(super) hint: Option<String>,
}

/// All of it, the gravest first.
pub(super) fn concerns(report: &RunReport) -> Vec<Concern> {
    let contradicted = report.contradicted().map(|(device, audit)| Concern {
        head: format!("LOG CONTRADICTS: {} ({})", device.device, device.words()),
        items: vec![audit_words(audit)],
        hint: audit.hint.clone(),
    });
    let doubt = report
        .in_doubt()
        .into_iter()
        .map(|g| concern("IN DOUBT: ", &g));
    let unwell = report.unwell().into_iter().map(|g| concern("", &g));
    contradicted.chain(doubt).chain(unwell).collect()
}

fn concern(prefix: &str, group: &ReasonGroup<'_>) -> Concern {
    let items = group.by_left_with().into_iter().map(|(left, names)| {
        let names = names.join(", ");
        match left {
            Some(left) => format!("{names} (touched: {left})"),
            None => names,
        }
    });
    Concern {
        head: format!(
            "{prefix}{} {}: {}",
            run_report::times(group.devices.len()),
            group.what(),
            group.reason()
        ),
        items: items.collect(),
        hint: group.first().hint.clone(),
    }
}

/// The columns of the devices' table.
pub(super) const COLUMNS: [&str; 10] = [
    "Device",
    "Group",
    "Tags",
    "From",
    "To",
    "Result",
    "Why",
    "Audit log",
    "Attempts",
    "Took",
];

/// A device's cells under [`COLUMNS`].
pub(super) fn cells(device: &DeviceReport) -> [String; 10] {
    let mut result = format!("{} {}", device.sign(), device.words());
    if let Some(stage) = &device.stage {
        result.push_str(" at ");
        result.push_str(stage);
    }
    if device.audit.as_ref().is_some_and(DeviceAudit::contradicts) {
        result.push_str(", LOG CONTRADICTS");
    }
    [
        device.device.clone(),
        device.group.clone().unwrap_or_default(),
        device.tags.join(", "),
        device.from.clone().unwrap_or_default(),
        device.to.clone().unwrap_or_default(),
        result,
        device.reason.clone().unwrap_or_default(),
        device.audit.as_ref().map_or_else(String::new, audit_words),
        device.attempts.to_string(),
        device.took_ms.map_or_else(String::new, duration),
    ]
}

/// The columns of a device's timeline.
pub(super) const STEPS: [&str; 7] = ["Attempt", "Stage", "Try", "At", "Took", "Status", "What"];

/// A step's cells under [`STEPS`].
pub(super) fn step_cells(step: &StepReport) -> [String; 7] {
    let what = match (&step.reason, &step.note) {
        (Some(reason), _) => format!("✖ {reason}"),
        (None, Some(note)) => note.clone(),
        (None, None) => "done".to_owned(),
    };
    [
        step.attempt.to_string(),
        step.stage.clone(),
        step.try_no.to_string(),
        time(step.at),
        duration(step.took_ms),
        step.status.map_or_else(String::new, |s| s.to_string()),
        what,
    ]
}

/// What there is to say of a device above its timeline: what it is called, and what it is.
pub(super) fn verdicts(device: &DeviceReport) -> Vec<(&'static str, String)> {
    let mut verdicts = Vec::new();
    if let Some(plan) = &device.plan {
        let reason = plan.reason.as_ref().map(|why| format!(": {why}"));
        let text = format!("{}{}", plan.verdict, reason.unwrap_or_default());
        verdicts.push(("Plan", text));
    }
    verdicts.push(("Result", format!("{} {}", device.sign(), device.said())));
    verdicts.extend(
        device
            .audit
            .as_ref()
            .map(|audit| ("Audit log", audit_words(audit))),
    );
    verdicts
}

/// The log of a device whose lines are shown: those that verify.
pub(super) fn log(device: &DeviceReport) -> Option<(String, &DeviceLog)> {
    let audit = device.audit.as_ref()?;
    let log = audit.log.as_ref().filter(|log| !log.lines.is_empty())?;
    let file = audit.file.as_deref().unwrap_or("?");
    let over = audit.over.as_ref().map(|over| format!("; {over}"));
    let verified = counted(log.verified, "entry verifies", "entries verify");
    let shown = match log.lines.len() {
        n if n == log.verified => String::new(),
        n => format!(", {n} of them below"),
    };
    let head = format!(
        "Log file {file} {}: {verified}{shown}{}",
        log.end,
        over.unwrap_or_default()
    );
    Some((head, log))
}

/// The columns of a log's lines.
pub(super) const LINES: [&str; 7] = [
    "Line", "Counter", "Time", "Type", "Result", "Subject", "Extra",
];

/// A line's cells under [`LINES`].
pub(super) fn line_cells(line: &LogLine) -> [String; 7] {
    let sign = if line.decides { "▶ " } else { "" };
    [
        format!("{sign}{}", line.line),
        format!("{:x}", line.counter),
        line.time.clone(),
        line.kind.clone(),
        line.result.clone(),
        line.subject.clone(),
        line.extra.clone(),
    ]
}

/// What the log says, with what that is worth.
pub(super) fn audit_words(audit: &DeviceAudit) -> String {
    let mut text = audit.words.clone();
    if let Some(file) = &audit.file {
        text.push_str(", file ");
        text.push_str(file);
    }
    text.push_str(": ");
    text.push_str(&audit.reason);
    if let Some(over) = &audit.over {
        text.push_str("; ");
        text.push_str(over);
    }
    text
}

/// A moment. Reports go to others, so it says its zone.
pub(super) fn time(at: Timestamp) -> String {
    at.to_zoned(TimeZone::UTC)
        .strftime("%Y-%m-%d %H:%M:%S UTC")
        .to_string()
}

fn duration(ms: u64) -> String {
    human_duration(Duration::from_millis(ms))
}
