//! The text of the box of retrying many. `ui::retry_box` chooses the devices and takes the keys.

use crate::engine::{DeviceState, Fleet};
use crate::model::OutcomeKind;

use super::Scene;
use super::named_devices::{hidden_marks, some_names};
use super::text_layout::{BoxText, cut, left};
use crate::tui::theme::Tone;
use crate::tui::ui::failures::what_happened;
use crate::tui::ui::retry_box::{Group, RetryBox, RetryKind, Scope};

/// From this width on, the reason and what a retry does stand in one line.
const ONE_LINE: usize = 60;

/// The question, in at most `room` lines. The reasons get only the room that the rest leaves.
pub(super) fn question(text: &mut BoxText, asked: &RetryBox, scene: &Scene<'_>, room: usize) {
    let fleet = scene.fleet;
    let groups = asked.groups(fleet);
    text.say(&summary(asked, &groups), Tone::Warn);
    if asked.scope == Scope::Marked {
        hidden_marks(text, scene);
    }
    let mut tail = BoxText::new(text.width);
    choices(&mut tail, asked, fleet);
    logins(&mut tail, asked, fleet);
    if fleet.is_halted() {
        let what = "The run is halted: installs wait until a new budget is given.";
        tail.say(what, Tone::Warn);
    }
    let keys = [("y", "retry them"), ("n", "leave them as they are")];
    let roomy = text.lines.len() + tail.lines.len() + groups.len() + keys.len() < room;
    if roomy {
        tail.keys(&keys);
    } else {
        tail.line("y retry them   n leave them", Tone::Plain);
    }
    let lines = room.saturating_sub(text.lines.len() + tail.lines.len());
    reasons(text, &groups, lines);
    text.lines.append(&mut tail.lines);
}

/// `Retry 7 of the devices shown? 3 watch only, 4 upload and install again.`
fn summary(asked: &RetryBox, groups: &[Group<'_>]) -> String {
    let number = |retry: Option<RetryKind>| -> usize {
        let alike = groups
            .iter()
            .filter(|group| retry.is_none_or(|retry| group.retry == retry));
        alike.map(|group| group.of.devices.len()).sum()
    };
    let parts: Vec<String> = RetryKind::ALL
        .into_iter()
        .map(|retry| (number(Some(retry)), retry.words()))
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| format!("{n} {words}"))
        .collect();
    let of = match asked.scope {
        Scope::Shown => "of the devices shown".to_owned(),
        Scope::Marked => format!("of {} marked", asked.meant),
        Scope::Reason => format!("of {} with this reason", asked.meant),
    };
    match number(None) {
        0 => format!("Retry none {of}?"),
        n => format!("Retry {n} {of}? {}.", parts.join(", ")),
    }
}

fn reasons(text: &mut BoxText, groups: &[Group<'_>], lines: usize) {
    let each = if text.width < ONE_LINE { 2 } else { 1 };
    let fits = lines / each;
    let shown = if groups.len() <= fits {
        groups.len()
    } else {
        lines.saturating_sub(1) / each
    };
    // Names take what room is left, so that it is seen whom this is about.
    let left_over = lines.saturating_sub(shown * each) / shown.max(1);
    let names_lines = if shown == groups.len() {
        left_over.min(3)
    } else {
        0
    };
    for group in &groups[..shown] {
        let what = format!(
            "{:>5} {}: {}",
            group.of.devices.len(),
            what_happened(group.of.key),
            group.of.reason
        );
        let retry = group.retry.words();
        if each == 1 {
            let room = text.width.saturating_sub(retry.len() + 2);
            text.line(&format!("{}  {retry}", left(&what, room)), Tone::Plain);
        } else {
            text.line(&what, Tone::Plain);
            text.line(&format!("      → {retry}"), Tone::Plain);
        }
        for names in some_names(&group.of.devices, text.width.saturating_sub(6), names_lines) {
            text.line(&format!("      {names}"), Tone::Dull);
        }
    }
    if shown < groups.len() && lines > 0 {
        let more: usize = groups[shown..].iter().map(|g| g.of.devices.len()).sum();
        text.line(&format!("{more:>5} for other reasons"), Tone::Dull);
    }
}

fn choices(text: &mut BoxText, asked: &RetryBox, fleet: &Fleet) {
    for (key, kind, is_in) in [
        ("b", OutcomeKind::RolledBack, asked.rolled_back),
        ("c", OutcomeKind::Cancelled, asked.cancelled),
    ] {
        let n = asked.count_of(fleet, kind);
        if n == 0 {
            continue;
        }
        let (what, tone) = if is_in {
            ("included", Tone::Plain)
        } else {
            ("left out", Tone::Warn)
        };
        text.line(&format!("{key}     {n} {kind}: {what}"), tone);
    }
}

fn logins(text: &mut BoxText, asked: &RetryBox, fleet: &Fleet) {
    let locked_out = asked.locked_out(fleet);
    if !locked_out.is_empty() {
        let names = names(&locked_out, |device| device.id.to_string());
        let what = format!("Left out, no login tries left in this run: {names}");
        text.line(&cut(&what, text.width), Tone::Warn);
    }
    let mut spent = asked.chosen(fleet);
    spent.retain(|device| device.logins_left.is_some());
    if !spent.is_empty() {
        let names = names(&spent, |device| {
            format!("{} ({} left)", device.id, device.logins_left.unwrap_or(0))
        });
        text.line(&format!("Login tries nearly spent: {names}"), Tone::Warn);
    }
}

fn names(devices: &[&DeviceState], name: impl Fn(&DeviceState) -> String) -> String {
    let names: Vec<String> = devices.iter().map(|device| name(device)).collect();
    names.join(", ")
}
