//! The audit log of a device: the verdict with what it rests on, and the decoded entries. The trust in the link stands
//! beside each verdict, because a log is worth no more than that (section 9).

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::{DeviceState, audit_hint};
use crate::model::{AuditEntry, AuditLog, AuditReport, AuditType, LogEnd, counted};

use super::text_layout::{fit, left, right, rule, span, with_mark};
use super::{Scene, put};
use crate::tui::theme::{Mark, POINTER, Tone};

/// Draws the log over the whole screen.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let device = scene.ui.selected(scene.fleet);
    let mut title = vec![span("Audit log", Tone::Plain.bold())];
    if let Some(device) = device {
        title.push(span(format!(" · {}", device.id), Tone::Plain.bold()));
    }
    let Some(report) = device.and_then(|device| device.audit.as_deref()) else {
        put(buf, area, 0, &rule(title, Vec::new(), width));
        let text = "   not read in this attempt so far; Esc goes back";
        return put(buf, area, 1, &span(text, Tone::Dull.style()).into());
    };
    let mark = Mark::of_audit(report);
    title.push(span(
        format!(" · {} {}", mark.glyph, report.word().words()),
        mark.tone.bold(),
    ));
    put(buf, area, 0, &rule(title, Vec::new(), width));
    let list = List::of(report, width);
    let room = usize::from(area.height.saturating_sub(1));
    let from = scene.ui.scroll.min(list.len().saturating_sub(room));
    // Only what is on the screen is built: a log may have thousands of entries.
    for (line, n) in (1..area.height).zip(from..list.len()) {
        put(buf, area, line, &list.line(n));
    }
}

/// How many lines the whole log takes.
pub(super) fn height(device: &DeviceState, width: usize) -> usize {
    let report = device.audit.as_deref();
    report.map_or(0, |report| List::of(report, width).len())
}

/// How far to scroll so that the entry in question stands in the middle of `room` lines.
pub(super) fn reveal(device: &DeviceState, width: usize, room: usize) -> usize {
    let marked = device.audit.as_deref().and_then(|report| {
        let list = List::of(report, width);
        Some(list.head.len() + 1 + list.marked()?)
    });
    match marked {
        Some(marked) if marked >= room => marked - room / 2,
        _ => 0,
    }
}

/// Verdict, file and link; then what to do about it.
pub(super) fn verdict(report: &AuditReport, width: usize) -> Vec<Line<'static>> {
    let mark = Mark::of_audit(report);
    let mut what = format!("log {}", report.word().words());
    if let Some(file) = &report.file {
        let _ = write!(what, " · file {file}");
    }
    if let Some(counter) = report.verdict.counter() {
        let _ = write!(what, " · counter {counter:x}");
    }
    let room = width.saturating_sub(5);
    let mut lines = with_mark(mark.glyph, &what, room, mark.tone.bold());
    let mut why = report.verdict.to_string();
    if let Some(over) = report.over() {
        why.push_str("; ");
        why.push_str(over);
    }
    lines.extend(with_mark(" ", &why, room, mark.tone.style()));
    if let Some(hint) = audit_hint(&report.verdict) {
        lines.extend(with_mark("→", hint, room, Tone::Plain.style()));
    }
    lines
}

/// The entry in question, and the key that shows all of them; nothing where that takes more than `most` lines.
pub(super) fn excerpt(report: &AuditReport, width: usize, most: usize) -> Vec<Line<'static>> {
    let list = List::of(report, width);
    let mut lines = Vec::new();
    if let Some(marked) = list.marked() {
        lines.extend([list.heads(), list.row(marked)]);
    }
    if list.rows() > 0 {
        let text = match list.log {
            Some(log) if list.left_out() > 0 => {
                let kept = log.entries.len();
                format!("    a shows {kept} of the log's {} entries", log.count)
            }
            _ => format!("    a shows all {} lines of the log", list.rows()),
        };
        lines.push(Line::from(span(text, Tone::Dull.style())));
    }
    if lines.len() > most {
        lines.clear();
    }
    lines
}

/// The lines of a log: the verdict, column heads, the entries that are kept of those that verify, what is left
/// out before and behind them, and where the log ends.
struct List<'a> {
    report: &'a AuditReport,
    log: Option<&'a AuditLog>,
    head: Vec<Line<'static>>,
    width: usize,
    columns: Columns,
}

impl<'a> List<'a> {
    fn of(report: &'a AuditReport, width: usize) -> Self {
        let log = report.log.as_deref();
        let mut head = verdict(report, width);
        if let Some(log) = log {
            let by = log.firmware.as_deref().unwrap_or("an unnamed firmware");
            let mut text = format!("{} entries, {} · by {by}", log.count, log.end);
            for line in &log.other_lines {
                let _ = write!(text, " · line {line} is no entry, no MAC covers it");
            }
            match log.others.saturating_sub(log.other_lines.len()) {
                0 => {}
                n => {
                    let _ = write!(text, " · nor are {n} more");
                }
            }
            head.extend(with_mark(
                " ",
                &text,
                width.saturating_sub(5),
                Tone::Dull.style(),
            ));
        }
        Self {
            report,
            log,
            head,
            width,
            columns: Columns::of(width),
        }
    }

    fn len(&self) -> usize {
        match self.rows() {
            0 => self.head.len(),
            rows => self.head.len() + 1 + rows,
        }
    }

    /// The entries, with a line for what is left out on either side and one for what does not verify.
    fn rows(&self) -> usize {
        self.log.map_or(0, |log| {
            log.entries.len()
                + usize::from(log.before > 0)
                + usize::from(log.after() > 0)
                + usize::from(!log.verifies())
        })
    }

    /// How many entries are not here.
    fn left_out(&self) -> usize {
        self.log.map_or(0, |log| log.before + log.after())
    }

    fn line(&self, n: usize) -> Line<'static> {
        match n.checked_sub(self.head.len()) {
            None => self.head[n].clone(),
            Some(0) => self.heads(),
            Some(n) => self.row(n - 1),
        }
    }

    /// Which of [`Self::rows`] is the one in question.
    fn marked(&self) -> Option<usize> {
        let line = self.report.verdict.line()?;
        let log = self.log?;
        match log.end {
            LogEnd::Failed { line: failed, .. } if failed == line => Some(self.rows() - 1),
            _ => {
                let n = log.entries.iter().position(|entry| entry.line == line)?;
                Some(n + usize::from(log.before > 0))
            }
        }
    }

    fn heads(&self) -> Line<'static> {
        let cells = [
            "LINE", "COUNTER", "TIME", "TYPE", "RESULT", "SUBJECT", "EXTRA",
        ];
        let cells = cells.map(str::to_owned);
        let text = format!("   {}", self.columns.join(&cells));
        Line::from(fit(vec![span(text, Tone::Dull.style())], self.width))
    }

    fn row(&self, n: usize) -> Line<'static> {
        let Some(log) = self.log else {
            return Line::default();
        };
        let marked = self.marked() == Some(n);
        let tone = match Mark::of_audit(self.report).tone {
            tone if marked => tone,
            _ => Tone::Plain,
        };
        let kept = n.checked_sub(usize::from(log.before > 0));
        let (tone, text) = match kept.map(|n| (n, log.entries.get(n))) {
            None => (
                Tone::Dull,
                left_out(&counted(log.before, "earlier entry", "earlier entries")),
            ),
            Some((_, Some(entry))) => {
                let dull = entry.kind == AuditType::KEY && !marked;
                let tone = if dull { Tone::Dull } else { tone };
                (tone, self.columns.join(&cells(entry)))
            }
            Some((n, None)) if n == log.entries.len() && log.after() > 0 => (
                Tone::Dull,
                left_out(&counted(log.after(), "later entry", "later entries")),
            ),
            Some((_, None)) => (Tone::Warn, ending(log)),
        };
        let style = if marked { tone.bold() } else { tone.style() };
        let pointer = if marked { POINTER } else { " " };
        let spans: Vec<Span<'static>> =
            vec![span(format!(" {pointer} "), style), span(text, style)];
        Line::from(fit(spans, self.width))
    }
}

/// Says how many entries of a long log are not kept in memory.
fn left_out(entries: &str) -> String {
    format!("  … {entries} left out; hemfleet audit --save has all")
}

/// The line behind the last entry that verifies.
fn ending(log: &AuditLog) -> String {
    match log.end {
        LogEnd::Whole => String::new(),
        LogEnd::CutShort { line } => format!("{line:>4}  the file is cut short here"),
        LogEnd::Failed { line, fault, .. } => format!("{line:>4}  {fault}"),
    }
}

fn cells(entry: &AuditEntry) -> [String; 7] {
    let subject = match entry.subject.as_str() {
        "U" => "user",
        "M" => "master",
        other => other,
    };
    [
        entry.line.to_string(),
        format!("{:x}", entry.counter),
        entry.time.to_string(),
        entry.kind.to_string(),
        entry.result.to_string(),
        subject.to_owned(),
        entry.extra.to_string(),
    ]
}

/// The columns' widths; 0 for those that there is no room for.
struct Columns([usize; 7]);

impl Columns {
    fn of(width: usize) -> Self {
        let mut widths = match width {
            100.. => [5, 7, 20, 22, 9, 16, 0],
            72.. => [4, 0, 20, 18, 6, 8, 0],
            56.. => [4, 0, 20, 12, 6, 0, 0],
            _ => [4, 0, 0, 16, 6, 0, 0],
        };
        let used: usize = widths.iter().filter(|w| **w > 0).map(|w| w + 1).sum();
        widths[6] = width.saturating_sub(3 + used);
        Self(widths)
    }

    fn join(&self, cells: &[String; 7]) -> String {
        let mut text = String::new();
        for (n, (cell, width)) in cells.iter().zip(self.0).enumerate() {
            if width == 0 {
                continue;
            }
            // Numbers are aligned to the right.
            let cell = if n < 2 {
                right(cell, width)
            } else {
                left(cell, width)
            };
            text.push_str(&cell);
            text.push(' ');
        }
        text.truncate(text.trim_end().len());
        text
    }
}
