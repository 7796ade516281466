//! The text of the box of a halted run, and of its banner. `ui::halt_box` takes the keys.

use ratatui::text::Line;

use crate::engine::{DeviceState, Fleet, RunHalt};
use crate::model::{DeviceId, OutcomeKind, counted};

use super::in_flight;
use super::text_layout::{BoxText, span};
use crate::tui::theme::Tone;

/// The question, in at most `room` lines.
pub(super) fn question(text: &mut BoxText, fleet: &Fleet, typed: &str, room: usize) {
    let Some(halt) = fleet.run_halt() else {
        return;
    };
    text.say(&what_happened(&halt, fleet), Tone::Bad);
    let mut tail = BoxText::new(text.width);
    tail.say(&what_waits(fleet), Tone::Plain);
    tail.lines.push(Line::from(vec![
        span(
            format!("New budget, more than {}: ", halt.harm),
            Tone::Plain.style(),
        ),
        span(typed.to_owned(), Tone::Plain.bold()),
        span("▏", Tone::Live.style()),
    ]));
    let keys = [
        ("Enter", "go on with it"),
        ("x", "stop: those that wait keep what they run"),
        ("Esc", "later: look at the devices first, all wait"),
    ];
    if text.lines.len() + tail.lines.len() + keys.len() < room {
        tail.keys(&keys);
    } else {
        tail.line("Enter go on  x stop  Esc later", Tone::Plain);
    }
    let lines = room.saturating_sub(text.lines.len() + tail.lines.len());
    let ids: Vec<&str> = halt.devices.iter().map(DeviceId::as_str).collect();
    let mut names = BoxText::new(text.width);
    names.say(&ids.join(", "), Tone::Plain);
    if names.lines.len() > lines {
        names.lines.truncate(lines.saturating_sub(1));
        if lines > 0 {
            names.line("…", Tone::Plain);
        }
    }
    text.lines.append(&mut names.lines);
    text.lines.append(&mut tail.lines);
}

/// `2 rolled back, 1 lost: that counts 4, and max_failures = 3.`
fn what_happened(halt: &RunHalt, fleet: &Fleet) -> String {
    let harmed: Vec<&DeviceState> = fleet
        .devices()
        .iter()
        .filter(|device| device.harm > 0)
        .collect();
    let mut parts: Vec<String> = Vec::new();
    for kind in OutcomeKind::ALL {
        let n = harmed
            .iter()
            .filter(|device| device.outcome_kind() == Some(kind))
            .count();
        if n > 0 {
            parts.push(format!("{n} {kind}"));
        }
    }
    let again = harmed
        .iter()
        .filter(|device| device.outcome().is_none())
        .count();
    if again > 0 {
        parts.push(format!("{again} not over yet"));
    }
    let budget = match halt.max_failures.to_string() {
        text if text == halt.allowed.to_string() => text,
        text => format!("{text}, here {}", halt.allowed),
    };
    format!(
        "RUN HALTED. Installs went wrong: {}. That counts {} (lost and unknown double), and max_failures is {budget}.",
        parts.join(", "),
        halt.harm
    )
}

/// How many devices wait for their install, and how many have had it sent already.
fn what_waits(fleet: &Fleet) -> String {
    let past = fleet.devices().iter().filter(|device| device.has_task());
    let past = past.filter(|device| device.is_past_install()).count();
    let wait = counted(
        fleet.to_install(),
        "device waits for its install",
        "devices wait for their install",
    );
    match past {
        0 => format!("{wait}."),
        n => {
            let sent = counted(
                n,
                "had it sent and is watched",
                "had it sent and are watched",
            );
            format!("{wait}; {sent}.")
        }
    }
}

/// What the banner says until the run goes on, or is over; without a key for somebody who only looks.
pub(super) fn banner(fleet: &Fleet, looks: bool) -> String {
    let (harm, allowed) = (fleet.harm(), fleet.allowed_harm());
    if fleet.waits_for_budget() {
        let wait = what_waits(fleet);
        let key = if looks { "" } else { " b: stop or go on." };
        return format!("HALTED, {harm} of {allowed} failures.{key} {wait}");
    }
    let names: Vec<&str> = in_flight(fleet).map(|device| device.id.as_str()).collect();
    let names = names.join(", ");
    format!("HALTED, no further install is sent. Waiting for {names}")
}
