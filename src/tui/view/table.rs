//! The table of devices. It builds only the rows that are on the screen; `device_order` filters and sorts them.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::engine::{DevicePhase, DeviceState, Fleet};
use crate::model::{AuditVerdict, Outcome, Stage};

use super::device_message::message;
use super::text_layout::{clock, fit, left, right, rule, span};
use super::{Scene, put};
use crate::tui::theme::{MARKED, Mark, POINTER, SELECTED, Tone};
use crate::tui::ui::Ui;

/// The columns that there is room for; the message takes what the others leave.
struct Columns {
    name: usize,
    group: usize,
    state: usize,
    audit: usize,
    link: usize,
    message: usize,
    firmware: usize,
    attempt: usize,
    time: usize,
}

/// The widest outcome or stage: `rolled back`.
const STATE: usize = 11;
/// Glyph and word: `≠ contradicted`.
const AUDIT: usize = 14;
/// `1.2.2 → 1.2.3`, and a little more for `-DIAG`.
const FIRMWARE: usize = 15;
/// Pointer, glyph and a space.
const MARK: usize = 3;

impl Columns {
    fn of(scene: &Scene<'_>, width: usize) -> Self {
        let (name, group, link) = common_widths(scene.fleet, width);
        let mut columns = Self {
            name,
            group,
            state: STATE,
            // Only once a log is being read: in a run without an audit the column would stay empty.
            audit: match (scene.fleet.devices().iter().any(is_audited), width >= 100) {
                (false, _) => 0,
                (true, true) => AUDIT,
                (true, false) => 1,
            },
            link,
            message: 0,
            firmware: if width >= 84 { FIRMWARE } else { 0 },
            attempt: if width >= 84 { 3 } else { 0 },
            time: 7,
        };
        columns.message = width.saturating_sub(columns.fixed());
        columns
    }

    fn fixed(&self) -> usize {
        let others = [
            self.name,
            self.group,
            self.state,
            self.audit,
            self.link,
            self.firmware,
            self.attempt,
            self.time,
        ];
        // One column after each, and one at the end of the line.
        MARK + others
            .iter()
            .filter(|w| **w > 0)
            .map(|w| w + 1)
            .sum::<usize>()
            + 1
    }
}

/// The widths of NAME, GROUP and LINK on a screen of `width` columns; 0 for those that are left out. The plan has
/// these columns too.
pub(super) fn common_widths(fleet: &Fleet, width: usize) -> (usize, usize, usize) {
    let devices = fleet.devices().iter();
    let name = devices.clone().map(|device| device.id.as_str().width());
    let name = name.max().unwrap_or(0);
    let groups = devices.clone().filter_map(|device| device.group.as_deref());
    let group = groups.map(UnicodeWidthStr::width).max();
    let weak = devices.clone().any(|device| device.link.is_weak());
    let group = match group {
        Some(group) if width >= 100 => group.clamp(5, 14),
        _ => 0,
    };
    let link = match (weak, width >= 60) {
        (false, _) => 0,
        (true, true) => 8,
        (true, false) => 1,
    };
    let longest_name = if width >= 100 { 24 } else { 14 };
    (name.clamp(4, longest_name), group, link)
}

/// Draws title, column heads and the rows on the screen.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    put(buf, area, 0, &title(scene, width));
    let columns = Columns::of(scene, width);
    put(buf, area, 1, &heads(&columns));
    let shown = usize::from(area.height.saturating_sub(2));
    let rows = scene.fleet.devices();
    let visible = scene
        .ui
        .order
        .iter()
        .enumerate()
        .skip(scene.ui.top)
        .take(shown);
    for (line, (at, &n)) in (2..).zip(visible) {
        let Some(row) = rows.get(n) else { continue };
        let selected = at == scene.ui.cursor;
        let marked = scene.ui.marks.contains(&n);
        let row = row_line(scene, row, &columns, (selected, marked));
        put(buf, area, line, &row);
        if selected {
            super::paint(buf, area, line, SELECTED);
        }
    }
    if scene.ui.order.is_empty() {
        let text = "no device matches the filter; Esc in the filter clears it";
        put(
            buf,
            area,
            2,
            &Line::from(span(format!("   {text}"), Tone::Warn.style())),
        );
    }
}

/// The rule above the table: what is shown, and how it is sorted.
pub(super) fn title(scene: &Scene<'_>, width: usize) -> Line<'static> {
    let ui = scene.ui;
    let mut title = vec![span("Devices", Tone::Plain.bold())];
    title.extend(filter_and_marks(ui));
    let all = scene.fleet.devices().len();
    let count = if ui.order.len() == all {
        all.to_string()
    } else {
        format!("{} of {all}", ui.order.len())
    };
    let turned = if ui.reverse { ", turned round" } else { "" };
    let end = format!("{count} · by {}{turned}", ui.sort.as_str());
    rule(title, vec![span(end, Tone::Dull.style())], width)
}

/// The filter, and how many devices are marked, for a title.
pub(super) fn filter_and_marks(ui: &Ui) -> Vec<Span<'static>> {
    let mut title = Vec::new();
    let filter = ui.filter.value();
    if ui.filter.editing {
        title.push(span("  / ", Tone::Live.bold()));
        title.push(span(filter.to_owned(), Tone::Live.style()));
        title.push(span("▏", Tone::Live.style()));
    } else if !filter.is_empty() {
        title.push(span(format!("  filter: {filter}"), Tone::Warn.style()));
    }
    if !ui.marks.is_empty() {
        let marked = format!("  {} marked", ui.marks.len());
        title.push(span(marked, Tone::Live.bold()));
    }
    title
}

fn heads(columns: &Columns) -> Line<'static> {
    let link = if columns.link > 1 { "LINK" } else { "" };
    let audit = if columns.audit > 1 { "AUDIT" } else { "" };
    let cells = [
        (left("NAME", columns.name), columns.name),
        (left("GROUP", columns.group), columns.group),
        (left("STAGE", columns.state), columns.state),
        (left(audit, columns.audit), columns.audit),
        (left(link, columns.link), columns.link),
        (left("PROGRESS", columns.message), columns.message),
        (left("FIRMWARE", columns.firmware), columns.firmware),
        (right("TRY", columns.attempt), columns.attempt),
        (right("TIME", columns.time), columns.time),
    ];
    let mut text = " ".repeat(MARK);
    for (cell, width) in cells {
        if width > 0 {
            text.push_str(&cell);
            text.push(' ');
        }
    }
    Line::from(span(text, Tone::Dull.style()))
}

fn row_line(
    scene: &Scene<'_>,
    row: &DeviceState,
    columns: &Columns,
    (selected, marked): (bool, bool),
) -> Line<'static> {
    let mark = Mark::of_device(row);
    let style = mark.tone.style();
    let text = match mark.tone {
        Tone::Dull => Tone::Dull,
        _ => Tone::Plain,
    };
    let mut spans = vec![
        pointer(selected),
        span(mark.glyph, style),
        span(if marked { MARKED } else { " " }, Tone::Live.bold()),
        span(left(row.id.as_str(), columns.name), text.style()),
        Span::raw(" "),
    ];
    let mut column = |text: String, width: usize, style| {
        if width > 0 {
            spans.push(span(text, style));
            spans.push(Span::raw(" "));
        }
    };
    let group = row.group.as_deref().unwrap_or("");
    column(
        left(group, columns.group),
        columns.group,
        Tone::Dull.style(),
    );
    column(left(mark.word, columns.state), columns.state, style);
    let (audit, audit_style) = audit(row, columns.audit);
    column(left(&audit, columns.audit), columns.audit, audit_style);
    let (link, tone) = link(row, columns.link);
    column(left(link, columns.link), columns.link, tone.bold());
    let cell = pad(message(scene, row, columns.message), columns.message);
    spans.extend(cell);
    spans.push(Span::raw(" "));
    let mut column = |text: String, width: usize| {
        if width > 0 {
            spans.push(span(text, Tone::Plain.style()));
            spans.push(Span::raw(" "));
        }
    };
    column(
        left(&firmware(scene, row), columns.firmware),
        columns.firmware,
    );
    let attempt = match (row.attempt, &row.state) {
        // Nothing was tried yet.
        (0, _) | (1, DevicePhase::Waiting) => String::new(),
        (n, _) => n.to_string(),
    };
    column(right(&attempt, columns.attempt), columns.attempt);
    let time = row.elapsed(scene.now).map(clock).unwrap_or_default();
    column(right(&time, columns.time), columns.time);
    Line::from(spans)
}

/// The first column of a row.
pub(super) fn pointer(selected: bool) -> Span<'static> {
    if selected {
        span(POINTER, Tone::Plain.bold())
    } else {
        Span::raw(" ")
    }
}

/// `spans` made `width` columns wide.
pub(super) fn pad(spans: Vec<Span<'static>>, width: usize) -> Vec<Span<'static>> {
    let mut spans = fit(spans, width);
    let used: usize = spans.iter().map(Span::width).sum();
    spans.push(Span::raw(" ".repeat(width.saturating_sub(used))));
    spans
}

fn is_audited(row: &DeviceState) -> bool {
    row.audit.is_some() || row.active().is_some_and(|a| a.stage == Stage::Audit)
}

/// What the log says, as glyph and word or, where room is short, the glyph. One that contradicts is bold.
fn audit(row: &DeviceState, width: usize) -> (String, Style) {
    let Some(report) = &row.audit else {
        return (String::new(), Tone::Plain.style());
    };
    let mark = Mark::of_audit(report);
    let style = match report.verdict {
        AuditVerdict::Contradicted { .. } => mark.tone.bold(),
        _ => mark.tone.style(),
    };
    let text = if width > 1 {
        format!("{} {}", mark.glyph, mark.word)
    } else {
        mark.glyph.to_owned()
    };
    (text, style)
}

/// The mark of a weak link; empty for any other.
pub(super) fn link(row: &DeviceState, width: usize) -> (&'static str, Tone) {
    if !row.link.is_weak() {
        return ("", Tone::Plain);
    }
    (if width > 1 { row.link.as_str() } else { "!" }, Tone::Warn)
}

/// `1.2.2 → 1.2.3`: what it ran, and what it is to run or says that it runs.
fn firmware(scene: &Scene<'_>, row: &DeviceState) -> String {
    let Some(from) = row.from_label() else {
        return String::new();
    };
    if scene.fleet.payload().firmware.is_none() {
        return from;
    }
    let to = match &row.state {
        DevicePhase::Running(_) | DevicePhase::Starting => {
            Some(scene.fleet.payload().version_label())
        }
        DevicePhase::Done(Outcome::Lost | Outcome::Unknown(_)) if row.after.is_none() => {
            Some("?".to_owned())
        }
        _ => row.to_label(),
    };
    match to {
        Some(to) => format!("{from} → {to}"),
        None => from,
    }
}
