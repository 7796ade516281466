//! The fleet map: the sign of each device's state in its colour, a line or more for each group, and the device under the
//! cursor spelled out below. `ui::fleet_map` has the cells and the keys.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Modifier;
use ratatui::text::{Line, Span};

use crate::engine::DeviceState;

use super::device_message::message;
use super::table::{pointer, title};
use super::text_layout::{left, span};
use super::{Scene, put};
use crate::tui::theme::{MARKED, Mark, POINTER, SELECTED, Tone};
use crate::tui::ui::fleet_map::{Map, MapLine};

/// Draws title, cells and the device under the cursor.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    put(buf, area, 0, &title(scene, width));
    let room = usize::from(area.height).saturating_sub(2);
    let map = Map::of(scene.ui, scene.fleet);
    let top = map.top(scene.ui.cursor, room);
    for (n, line) in (1..).zip(map.lines.iter().skip(top).take(room)) {
        put(buf, area, n, &cells(scene, &map, line));
    }
    let last = area.height.saturating_sub(1);
    put(buf, area, last, &spelled_out(scene, width));
}

fn cells(scene: &Scene<'_>, map: &Map<'_>, line: &MapLine<'_>) -> Line<'static> {
    let group = left(line.group.unwrap_or_default(), map.label);
    let mut spans = vec![span(format!(" {group}  "), Tone::Dull.style())];
    for &at in &line.cells {
        let Some(&n) = scene.ui.order.get(at) else {
            continue;
        };
        let Some(device) = scene.fleet.devices().get(n) else {
            continue;
        };
        let (selected, marked) = (at == scene.ui.cursor, scene.ui.marks.contains(&n));
        let mark = sign(device);
        let mut style = mark.tone.style();
        if selected {
            style = style.patch(SELECTED).add_modifier(Modifier::BOLD);
        }
        if marked {
            style = style.add_modifier(Modifier::UNDERLINED);
        }
        if map.cell > 1 {
            // Pointer and mark stand before the sign, so that neither is told by its style alone.
            let before = match (selected, marked) {
                (true, _) => POINTER,
                (_, true) => MARKED,
                _ => " ",
            };
            spans.push(span(before, Tone::Live.bold()));
        }
        spans.push(span(mark.glyph, style));
    }
    Line::from(spans)
}

/// How a device ended, or that its log says otherwise: there is room for one of the two, and green would hide it.
fn sign(device: &DeviceState) -> Mark {
    if device.is_contradicted() {
        Mark::CONTRADICTED
    } else {
        Mark::of_device(device)
    }
}

/// The device under the cursor: name, state and what it is doing or why it ended.
fn spelled_out(scene: &Scene<'_>, width: usize) -> Line<'static> {
    let Some(device) = scene.ui.selected(scene.fleet) else {
        let text = "   no device matches the filter";
        return Line::from(span(text, Tone::Warn.style()));
    };
    let mark = sign(device);
    let stage = device.outcome().and_then(crate::model::Outcome::stage);
    let at = stage.map_or_else(String::new, |stage| format!(" at {stage}"));
    let at_cursor = scene.ui.order.get(scene.ui.cursor);
    let marked = at_cursor.is_some_and(|n| scene.ui.marks.contains(n));
    let mut spans = vec![
        pointer(true),
        span(mark.glyph, mark.tone.style()),
        span(if marked { MARKED } else { " " }, Tone::Live.bold()),
        span(device.id.as_str().to_owned(), Tone::Plain.bold()),
        span(
            format!("  {}{at}  ", Mark::of_device(device).word),
            mark.tone.style(),
        ),
    ];
    let used: usize = spans.iter().map(Span::width).sum();
    spans.extend(message(scene, device, width.saturating_sub(used + 1)));
    Line::from(spans)
}
