//! The last words on a run, on the normal screen: how each device stands now. It follows the dashboard as well as plain
//! lines, and does not repeat what they said on the way.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;

use super::run_report::{DeviceAudit, ReasonGroup, RunExit, RunReport, times};
use super::style::{LineLook, LineStyle, folded};
use super::{Exit, phrases};
use crate::engine::Fleet;
use crate::model::human_duration;

/// Names of devices with which nothing is wrong, in one line.
const NAMED: usize = 12;

/// How the summary is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Summary {
    /// With which colours and characters.
    pub look: LineLook,
    /// In how many columns it is folded; a file has none, so that a search finds whole sentences.
    pub width: Option<usize>,
    /// The code that the process will end with, explained in the last line; absent where somebody
    /// else explains it (the demo has codes of its own).
    pub exit: Option<Exit>,
}

/// Writes how the run ended: first and loudly that it was halted, the devices whose audit log contradicts and
/// those in doubt, then those that are not well, grouped by reason, with what was touched and, once for each group, what
/// to do, then what the audit logs leave open, the counts, the duration and the exit code. Each device that somebody has
/// to look at is named. After `hemfleet audit` only the last line or two.
///
/// `now` counts as the end of a run whose last event has not come.
pub fn print_summary(
    fleet: &Fleet,
    now: Timestamp,
    style: Summary,
    out: &mut impl Write,
) -> io::Result<()> {
    let exit = style.exit.unwrap_or_else(|| Exit::of(fleet));
    let report = RunReport::of(fleet, now, RunExit::of(exit, fleet));
    let mut text = SummaryText { style, out };
    // The table of an audit has named each device with what became of it.
    if !report.is_audit() {
        needs_a_look(&report, &mut text)?;
        left_alone(&report, &mut text)?;
        audits(&report, &mut text)?;
    }
    closing(&report, &mut text)
}

/// Lines, folded and in colour as far as that is wanted.
struct SummaryText<'a, W> {
    style: Summary,
    out: &'a mut W,
}

impl<W: Write> SummaryText<'_, W> {
    /// A line of one style.
    fn line(&mut self, style: Option<LineStyle>, text: &str) -> io::Result<()> {
        self.indented(0, 2, text, |look, line| look.paint(style, line))
    }

    /// A line under a heading, and what of it has no room in lines below it.
    fn item(&mut self, indent: usize, text: &str) -> io::Result<()> {
        self.indented(indent, indent + 2, text, |look, line| {
            look.paint(None, line)
        })
    }

    /// The same with a word in a style of its own.
    fn item_with(&mut self, word: &str, style: LineStyle, text: &str) -> io::Result<()> {
        self.indented(2, 4, text, |look, line| {
            line.replacen(word, &look.paint(Some(style), word), 1)
        })
    }

    fn indented(
        &mut self,
        indent: usize,
        hanging: usize,
        text: &str,
        paint: impl Fn(LineLook, &str) -> String,
    ) -> io::Result<()> {
        let look = self.style.look;
        for line in folded(&look.text(text), self.style.width, indent, hanging) {
            writeln!(self.out, "{}", paint(look, &line))?;
        }
        Ok(())
    }

    fn blank(&mut self) -> io::Result<()> {
        writeln!(self.out)
    }
}

fn needs_a_look(report: &RunReport, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    if let Some(halt) = &report.halt {
        text.line(Some(LineStyle::Bad), halt)?;
        text.blank()?;
    }
    contradicted(report, text)?;
    let doubtful = report.in_doubt();
    if !doubtful.is_empty() {
        let n = doubtful.iter().map(|group| group.devices.len()).sum();
        let devices = phrases::devices(n);
        let loud =
            format!("IN DOUBT: {devices} had the install sent and did not show what became of it:");
        text.line(Some(LineStyle::Bad), &loud)?;
        for group in &doubtful {
            describe(group, text)?;
        }
        text.blank()?;
    }
    let unwell = report.unwell();
    if !unwell.is_empty() {
        text.line(Some(LineStyle::Heading), "Not upgraded, or not proven:")?;
        for group in &unwell {
            describe(group, text)?;
        }
        text.blank()?;
    }
    Ok(())
}

/// Devices that ended alike, with all that helps.
fn describe(group: &ReasonGroup<'_>, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    let first = group.first();
    let who = match group.devices.len() {
        1 => format!("{}:", first.device),
        n => times(n),
    };
    match first.outcome {
        Some(kind) => {
            let line = format!("{who} {}: {}", group.what(), group.reason());
            text.item_with(&kind.words().to_uppercase(), LineStyle::of(kind), &line)?;
        }
        None => text.item(2, &format!("{who} {}", group.reason()))?,
    }
    for (left, names) in group.by_left_with() {
        match (left, group.devices.len()) {
            (Some(left), 1) => text.item(4, &format!("touched: {left}"))?,
            (None, 1) => {}
            (Some(left), _) => {
                text.item(4, &format!("{} (touched: {left})", names.join(", ")))?;
            }
            (None, _) => text.item(4, &names.join(", "))?,
        }
    }
    hint(first.hint.as_deref(), text)
}

fn hint(hint: Option<&str>, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    match hint {
        Some(hint) => text.item(4, &format!("hint: {hint}")),
        None => Ok(()),
    }
}

/// The devices whose audit log contradicts their upgrade, whatever they ended as: an alarm. What to do is said once for
/// all that it is true of.
fn contradicted(report: &RunReport, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    let mut hints: Vec<Option<&str>> = Vec::new();
    for (_, audit) in report.contradicted() {
        if !hints.contains(&audit.hint.as_deref()) {
            hints.push(audit.hint.as_deref());
        }
    }
    let head = match report.contradicted().count() {
        0 => return Ok(()),
        1 => "the audit log of 1 device contradicts its upgrade".to_owned(),
        n => format!("the audit logs of {n} devices contradict their upgrades"),
    };
    text.line(Some(LineStyle::Bad), &format!("LOG CONTRADICTS: {head}"))?;
    for to_do in hints {
        for (device, audit) in report.contradicted() {
            if audit.hint.as_deref() != to_do {
                continue;
            }
            let DeviceAudit {
                file, reason, over, ..
            } = audit;
            let file = file.as_ref().map(|f| format!("file {f}, "));
            let line = format!(
                "{} ({}): {}{reason}; {}",
                device.device,
                device.words(),
                file.unwrap_or_default(),
                over.as_deref().unwrap_or_default()
            );
            text.item(2, &line)?;
        }
        hint(to_do, text)?;
    }
    text.blank()
}

/// Devices of which there is nothing to say but their names: one line for each reason.
fn left_alone(report: &RunReport, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    for group in report.left_alone() {
        let names = group.names();
        let who = match names.len() {
            n if n == report.devices.len() => "all devices".to_owned(),
            n if n > NAMED => format!("{} and {} more", names[..NAMED].join(", "), n - NAMED),
            _ => names.join(", "),
        };
        let line = format!("{} ({}): {who}", group.first().words(), group.reason());
        text.line(None, &line)?;
    }
    if !report.not_asked.is_empty() {
        let who = report.not_asked.join(", ");
        let line = format!("left out (could not be asked what is offered to them): {who}");
        text.line(None, &line)?;
    }
    Ok(())
}

/// What the audit logs leave open: one line for each reason is enough.
fn audits(report: &RunReport, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for device in &report.devices {
        let Some(audit) = &device.audit else { continue };
        let why = match audit.verdict.as_str() {
            "missing" => "audit missing (no entry of this upgrade)".to_owned(),
            "unavailable" => format!("audit unavailable ({})", audit.reason),
            _ => continue,
        };
        match groups.iter_mut().find(|(known, _)| *known == why) {
            Some((_, names)) => names.push(&device.device),
            None => groups.push((why, vec![&device.device])),
        }
    }
    for (why, names) in groups {
        let who = if names.len() == report.devices.len() {
            "all devices".to_owned()
        } else {
            names.join(", ")
        };
        text.line(None, &format!("{why}: {who}"))?;
    }
    Ok(())
}

fn closing(report: &RunReport, text: &mut SummaryText<'_, impl Write>) -> io::Result<()> {
    let took = report
        .took_ms
        .map(Duration::from_millis)
        .map(human_duration);
    let took = took.map_or_else(String::new, |took| format!(" in {took}"));
    let line = format!(
        "run {} {}{took}: {} of {}",
        report.run,
        report.how(),
        report.counts_words(),
        phrases::devices(report.devices.len())
    );
    text.line(Some(LineStyle::Heading), &line)?;
    if let Some(audits) = phrases::counted_words(&report.audits) {
        text.line(None, &format!("audit logs: {audits}"))?;
    }
    match text.style.exit {
        Some(exit) => {
            let line = format!("exit code {}: {}", exit.code(), report.exit_meaning);
            text.line(None, &line)
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
