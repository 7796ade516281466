//! The table of devices. It builds only the rows that are on the screen; `device_order` filters and sorts them, and
//! `columns` says which columns there is room for.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::engine::{DevicePhase, DeviceState};
use crate::model::{AuditVerdict, Outcome};

use super::columns::{Columns, MARK};
use super::device_message::message;
use super::stage_strip::strip;
use super::text_layout::{clock, fit, left, right, rule, span};
use super::{Scene, put};
use crate::tui::device_order::Sort;
use crate::tui::theme::{MARKED, Mark, POINTER, SCROLL_MARK, SELECTED, Tone};
use crate::tui::ui::Ui;

/// Draws title, column heads and the rows on the screen.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    put(buf, area, 0, &title(scene, width));
    let inventory = &scene.ui.inventory;
    let columns = Columns::of_table(scene.fleet, inventory, width).with_names(inventory, width);
    put(buf, area, 1, &heads(&columns));
    rows(scene, area, buf, |n, selected| {
        row_line(scene, n, &columns, selected)
    });
}

/// Draws the rows that are on the screen, or says that there are none. `line` makes the row of a device.
pub(super) fn rows(
    scene: &Scene<'_>,
    area: Rect,
    buf: &mut Buffer,
    line: impl Fn(usize, bool) -> Line<'static>,
) {
    let shown = usize::from(area.height.saturating_sub(2));
    let visible = scene
        .ui
        .order
        .iter()
        .enumerate()
        .skip(scene.ui.top)
        .take(shown);
    for (y, (at, &n)) in (2..).zip(visible) {
        let selected = at == scene.ui.cursor;
        put(buf, area, y, &line(n, selected));
        if selected {
            super::paint(buf, area, y, SELECTED);
        }
    }
    scroll_mark(scene, area, buf);
    if scene.ui.order.is_empty() {
        let text = "   no device matches the filter; Esc in the filter clears it";
        put(buf, area, 2, &Line::from(span(text, Tone::Warn.style())));
    }
}

/// The rule above the table: what is shown, and how it is sorted.
pub(super) fn title(scene: &Scene<'_>, width: usize) -> Line<'static> {
    let ui = scene.ui;
    let mut title = vec![span("Devices", Tone::Plain.bold())];
    title.extend(filter_and_marks(ui));
    let (all, shown) = (scene.fleet.devices().len(), ui.order.len());
    let at = (ui.cursor + 1).min(shown);
    let of = if shown == all {
        String::new()
    } else {
        format!(" of {all}")
    };
    let last = if ui.sort == Sort::Inventory && scene.fleet.finished_before() > 0 {
        ", finished last"
    } else {
        ""
    };
    let turned = if ui.reverse { ", turned round" } else { "" };
    let end = format!("{at}/{shown}{of} · by {}{last}{turned}", ui.sort.as_str());
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
        (left("DONE", columns.strip), columns.strip),
        (left("STAGE", columns.state), columns.state),
        (left(audit, columns.audit), columns.audit),
        (left(link, columns.link), columns.link),
        (left("PROGRESS", columns.reason), columns.reason),
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

fn row_line(scene: &Scene<'_>, n: usize, columns: &Columns, selected: bool) -> Line<'static> {
    let row = &scene.fleet.devices()[n];
    let mark = Mark::of_device(row);
    let style = mark.tone.style();
    let text = match mark.tone {
        Tone::Dull => Tone::Dull.style(),
        _ => Tone::Plain.style(),
    };
    let name = left(scene.ui.inventory.names.shown(n), columns.name);
    let group = left(row.group.as_deref().unwrap_or(""), columns.group);
    let (audit, audit_style) = audit(row, columns.audit);
    let (link, link_tone) = link(row, columns.link);
    let reason = if columns.state > 0 {
        message(scene, row, columns.reason)
    } else {
        spoken(scene, row, columns.reason)
    };
    let attempt = match (row.attempt, &row.state) {
        // Nothing was tried yet.
        (0, _) | (1, DevicePhase::Waiting) => String::new(),
        (n, _) => n.to_string(),
    };
    let time = row.elapsed(scene.now).map(clock).unwrap_or_default();
    let plain = Tone::Plain.style();
    let cell = |text: String, style| vec![span(text, style)];
    let cells = [
        (columns.name, cell(name, text)),
        (columns.group, cell(group, Tone::Dull.style())),
        (columns.strip, strip(scene.fleet, row)),
        (columns.state, cell(state(row).to_owned(), style)),
        (columns.audit, cell(audit, audit_style)),
        (columns.link, cell(link.to_owned(), link_tone.bold())),
        (columns.reason, reason),
        (columns.firmware, cell(firmware(scene, row), plain)),
        (
            columns.attempt,
            cell(right(&attempt, columns.attempt), plain),
        ),
        (columns.time, cell(right(&time, columns.time), plain)),
    ];
    let marked = scene.ui.marks.contains(&n);
    let mut spans = vec![
        pointer(selected),
        span(mark.glyph, style),
        span(if marked { MARKED } else { " " }, Tone::Live.bold()),
    ];
    for (width, cell) in cells {
        if width > 0 {
            spans.extend(pad(cell, width));
            spans.push(Span::raw(" "));
        }
    }
    Line::from(spans)
}

/// The stage or the outcome of a device. That it failed is said by its sign and its colour; the word says where.
pub(super) fn state(row: &DeviceState) -> &'static str {
    match row.outcome() {
        Some(Outcome::Failed(failure)) => failure.stage.as_str(),
        _ => Mark::of_device(row).word,
    }
}

/// The message with the state before it, where that has no column of its own. How a device ended well, its sign and the
/// message say by themselves.
fn spoken(scene: &Scene<'_>, row: &DeviceState, width: usize) -> Vec<Span<'static>> {
    let state = state(row);
    if matches!(Mark::of_device(row).tone, Tone::Good | Tone::Dull) {
        return message(scene, row, width);
    }
    let message = message(scene, row, width.saturating_sub(state.width() + 2));
    let colon = if message.iter().all(|span| span.content.is_empty()) {
        ""
    } else {
        ": "
    };
    let style = Mark::of_device(row).tone.style();
    let mut spans = vec![span(format!("{state}{colon}"), style)];
    spans.extend(message);
    fit(spans, width)
}

/// Marks at the right edge which part of the rows is on the screen, where not all are.
fn scroll_mark(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (rows, shown) = (
        scene.ui.order.len(),
        usize::from(area.height.saturating_sub(2)),
    );
    if rows <= shown || shown == 0 || area.width == 0 {
        return;
    }
    let size = (shown * shown / rows).max(1);
    let top = scene.ui.top.min(rows - shown);
    let from = (top * (shown - size)).div_ceil(rows - shown);
    let x = area.x + area.width - 1;
    for (line, y) in (0..shown).zip(area.y + 2..) {
        if (from..from + size).contains(&line) {
            buf[(x, y)]
                .set_symbol(SCROLL_MARK)
                .set_style(Tone::Dull.style());
        }
    }
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
