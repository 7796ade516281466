//! What went wrong, by reason: how many devices, where, why, and what to do; unfolded, the devices as well.
//! `ui::failures` has the cursor and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::model::{Outcome, counted};

use super::table::{filter_and_marks, pointer};
use super::text_layout::{cut, fit, rule, span, with_mark};
use super::{Scene, paint, put};
use crate::tui::theme::{MARKED, Mark, SELECTED, Tone};
use crate::tui::ui::failures::{List, Place, Reason, what_happened};

/// A line that is drawn if it is on the screen.
enum Row<'a> {
    Ready(Line<'static>),
    /// A device, and the reason above it.
    Device(usize, &'a str),
}

/// Draws title and list, scrolled so that the cursor is on the screen.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let list = &scene.ui.failures.list;
    put(buf, area, 0, &title(scene, list, width));
    let room = usize::from(area.height).saturating_sub(1);
    let mut rows: Vec<Row<'_>> = Vec::new();
    let mut cursor = 0..0;
    let mut above = "";
    for (n, place) in list.places.iter().enumerate() {
        let selected = n == list.cursor;
        let from = rows.len();
        match place {
            Place::Reason(key) => {
                if let Some(reason) = list.reason(*key) {
                    above = &reason.words;
                    let lines = of_reason(scene, reason, selected, width);
                    rows.extend(lines.into_iter().map(Row::Ready));
                }
            }
            Place::Device(n) => rows.push(Row::Device(*n, above)),
        }
        if selected {
            cursor = from..rows.len();
        }
    }
    let skip = cursor.end.saturating_sub(room).min(cursor.start);
    for (y, (at, row)) in (1..area.height).zip(rows.iter().enumerate().skip(skip)) {
        // Only the first line of a reason is painted as selected: the hint below is no line of the list.
        let selected = at == cursor.start;
        match row {
            Row::Ready(line) => put(buf, area, y, line),
            Row::Device(n, above) => {
                put(buf, area, y, &of_device(scene, *n, above, selected, width));
            }
        }
        if selected {
            paint(buf, area, y, SELECTED);
        }
    }
    if list.places.is_empty() {
        let text = "   nothing went wrong among the devices shown; Esc goes back";
        put(buf, area, 1, &Line::from(span(text, Tone::Plain.style())));
    }
}

fn title(scene: &Scene<'_>, list: &List, width: usize) -> Line<'static> {
    let mut title = vec![span("What went wrong", Tone::Plain.bold())];
    title.extend(filter_and_marks(scene.ui));
    let devices = list.reasons.iter().map(|reason| reason.devices.len()).sum();
    let devices = counted(devices, "device", "devices");
    let reasons = counted(list.reasons.len(), "reason", "reasons");
    let end = format!("{devices}, {reasons}");
    rule(title, vec![span(end, Tone::Dull.style())], width)
}

/// The reason, and what to do: in one line, or in full where its devices are listed.
fn of_reason(
    scene: &Scene<'_>,
    reason: &Reason,
    selected: bool,
    width: usize,
) -> Vec<Line<'static>> {
    let unfolded = scene.ui.is_unfolded(reason.key);
    let fold = if unfolded { "▼" } else { "▷" };
    // What ended well and is doubted is not green.
    let mark = if reason.key.is_contradiction() {
        Mark::CONTRADICTED
    } else {
        Mark::of_outcome(reason.key.kind)
    };
    let spans = vec![
        pointer(selected),
        span(fold, Tone::Dull.style()),
        span(
            format!("{:>4} × ", reason.devices.len()),
            Tone::Plain.bold(),
        ),
        span(mark.glyph, mark.tone.style()),
        span(
            format!(" {}: ", what_happened(reason.key)),
            mark.tone.style(),
        ),
        span(reason.words.clone(), Tone::Plain.style()),
    ];
    let mut lines = vec![Line::from(fit(spans, width.saturating_sub(1)))];
    if let Some(hint) = &reason.hint {
        let room = width.saturating_sub(13);
        // In full where somebody looks at it, else in one line.
        let hint = if unfolded || selected {
            hint.clone()
        } else {
            cut(hint, room)
        };
        let hint = with_mark("→", &hint, room, Tone::Dull.style()).into_iter();
        lines.extend(hint.map(|mut line| {
            line.spans.insert(0, Span::raw("       "));
            line
        }));
    }
    lines
}

/// A device, with its own reason where that says more than the one above it: an address, or a time.
fn of_device(
    scene: &Scene<'_>,
    n: usize,
    above: &str,
    selected: bool,
    width: usize,
) -> Line<'static> {
    let Some(device) = scene.fleet.devices().get(n) else {
        return Line::default();
    };
    let marked = scene.ui.marks.contains(&n);
    let reason = device.outcome().map(Outcome::reason);
    let reason = reason.filter(|reason| reason != above).unwrap_or_default();
    let spans = vec![
        pointer(selected),
        span("         ", Tone::Plain.style()),
        span(if marked { MARKED } else { " " }, Tone::Live.bold()),
        span(device.id.as_str().to_owned(), Tone::Plain.style()),
        span(format!("  {reason}"), Tone::Dull.style()),
    ];
    Line::from(fit(spans, width.saturating_sub(1)))
}
