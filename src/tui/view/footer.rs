//! The last line of the screen: the keys that do something now, or the notice that the last key led to.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text_layout::{cut, span};
use super::{Scene, put};
use crate::tui::keymap::{Action, Binding};
use crate::tui::theme::Tone;

/// Draws one line.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    // What is wrong with a filter stays there until it is put right.
    let fault = scene.ui.filter.fault.as_ref();
    let fault = fault.map(|fault| (Tone::Warn, fault.clone()));
    if let Some((tone, text)) = scene.ui.notice.as_ref().or(fault.as_ref()) {
        let text = cut(text, width.saturating_sub(2));
        put(
            buf,
            area,
            0,
            &Line::from(span(format!(" {text}"), tone.bold())),
        );
        return;
    }
    put(buf, area, 0, &Line::from(keys(scene, width)));
}

fn keys(scene: &Scene<'_>, width: usize) -> Vec<Span<'static>> {
    let focus = scene.ui.focus(scene.fleet);
    let mut shown: Vec<&Binding> = scene
        .ui
        .bindings(focus)
        .filter(|b| b.rank > 0 && scene.ui.possible(b.action, focus, scene.fleet))
        .collect();
    // A second interrupt does more than the first, so it is never left out.
    let again = |b: &Binding| b.action == Action::Interrupt && scene.fleet.stop().is_some();
    let label = |b: &Binding| match b.action {
        Action::Interrupt if again(b) => "stop at once",
        Action::Pause if scene.ui.is_replay_over() => "begin again",
        _ => b.label,
    };
    let rank = |b: &Binding| if again(b) { 0 } else { b.rank };
    let size = |b: &Binding| b.shown.chars().count() + 1 + label(b).chars().count() + 2;
    while 1 + shown.iter().map(|b| size(b)).sum::<usize>() > width {
        let Some(last) = (0..shown.len()).max_by_key(|&n| rank(shown[n])) else {
            break;
        };
        shown.remove(last);
    }
    let mut spans = vec![Span::raw(" ")];
    for binding in shown {
        spans.push(span(binding.shown, Tone::Plain.bold()));
        spans.push(span(format!(" {}  ", label(binding)), Tone::Dull.style()));
    }
    spans
}
