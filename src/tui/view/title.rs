//! The begin of each header: the name of the program and, where they are so, that a run is only looked at, and that no
//! journal is kept of it.

use ratatui::text::Span;

use super::Scene;
use super::text_layout::{span, time_of_day};
use crate::tui::theme::Tone;
use crate::tui::ui::read_only::{Pace, ReadOnly};

/// The name of the program, at the left of every header; that the run is only looked at, and that no journal is kept.
pub(super) fn title(scene: &Scene<'_>) -> Vec<Span<'static>> {
    let mut spans = vec![span(" hemfleet  ", Tone::Plain.bold())];
    if let Some(read_only) = scene.ui.read_only {
        let sign = read_only_sign(scene, read_only);
        spans.push(span(format!("{sign}  "), Tone::Warn.bold()));
    }
    if scene.ui.journal.is_none() {
        spans.push(span("NO JOURNAL  ", Tone::Warn.bold()));
    }
    spans
}

/// `replay 10× · 12:03:41`, with the time to which a wait is cut short.
fn read_only_sign(scene: &Scene<'_>, read_only: ReadOnly) -> String {
    let pace = match read_only {
        ReadOnly::Attached { .. } => return "attached, read-only".to_owned(),
        ReadOnly::Replay(pace) => pace,
    };
    let now = time_of_day(scene.now, scene.zone);
    match pace {
        Pace::Paused => format!("replay paused · {now}"),
        Pace::Over { .. } => format!("replay over · {now}"),
        Pace::At { speed, cut_to } => {
            let to = cut_to.map(|at| format!(" → {}", time_of_day(at, scene.zone)));
            format!("replay {speed}× · {now}{}", to.unwrap_or_default())
        }
    }
}

/// The same where there is one line for everything; nothing for a run of this process that is kept in a journal.
pub(super) fn tiny_title(scene: &Scene<'_>) -> Option<Span<'static>> {
    if scene.ui.journal.is_none() {
        return Some(span("NO JOURNAL ", Tone::Warn.bold()));
    }
    let word = match scene.ui.read_only? {
        ReadOnly::Attached { .. } => "attached ",
        ReadOnly::Replay(_) => "replay ",
    };
    Some(span(word, Tone::Warn.bold()))
}
