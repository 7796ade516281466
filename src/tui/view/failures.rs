//! What went wrong, by reason: how many devices, where, why, and what to do; unfolded, the devices as well.
//! `ui::failures` has the cursor and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::FailureReason;
use crate::model::{Outcome, counted};

use super::table::{filter_and_marks, pointer};
use super::text_layout::{cut, fit, rule, span, with_mark};
use super::{Scene, paint, put};
use crate::tui::theme::{MARKED, Mark, SELECTED, Tone};
use crate::tui::ui::failures::{List, Place, what_happened};

/// Draws title and list, scrolled so that the cursor is on the screen.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let list = scene.ui.failure_list(scene.fleet);
    put(buf, area, 0, &title(scene, &list, width));
    let room = usize::from(area.height).saturating_sub(1);
    let mut lines: Vec<(bool, Line<'static>)> = Vec::new();
    let mut cursor = 0..0;
    let mut above = "";
    for (n, place) in list.places.iter().enumerate() {
        let selected = n == list.cursor;
        let drawn = match place {
            Place::Reason(key) => {
                let reason = list.reasons.iter().find(|reason| reason.key == *key);
                above = reason.map_or("", |reason| &reason.reason);
                reason.map_or_else(Vec::new, |reason| of_reason(scene, reason, selected, width))
            }
            Place::Device(n) => vec![of_device(scene, *n, above, selected, width)],
        };
        // Only the first line of a reason is painted as selected: the hint below is no line of the list.
        let drawn = drawn.into_iter().enumerate();
        let from = lines.len();
        lines.extend(drawn.map(|(n, line)| (selected && n == 0, line)));
        if selected {
            cursor = from..lines.len();
        }
    }
    let skip = cursor.end.saturating_sub(room).min(cursor.start);
    for (n, (selected, line)) in (1..area.height).zip(lines.iter().skip(skip)) {
        put(buf, area, n, line);
        if *selected {
            paint(buf, area, n, SELECTED);
        }
    }
    if list.places.is_empty() {
        let text = "   nothing went wrong among the devices shown; Esc goes back";
        put(buf, area, 1, &Line::from(span(text, Tone::Plain.style())));
    }
}

fn title(scene: &Scene<'_>, list: &List<'_>, width: usize) -> Line<'static> {
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
    reason: &FailureReason<'_>,
    selected: bool,
    width: usize,
) -> Vec<Line<'static>> {
    let unfolded = scene.ui.is_unfolded(reason.key);
    let fold = if unfolded { "▼" } else { "▷" };
    let mark = Mark::of_outcome(reason.key.kind);
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
        span(reason.reason.clone(), Tone::Plain.style()),
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
