//! The lines below the header: what a stop or a halt waits for, that the run is over, and who waits for a
//! person. The words for a halted run are in `halt_box`.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use unicode_width::UnicodeWidthStr;

use crate::engine::{DeviceState, Fleet, Mode, Person, Progress, Stop};
use crate::model::{OutcomeKind, counted};

use super::device_message::countdown;
use super::halt_box;
use super::text_layout::{cut, list};
use super::{Scene, in_flight, put};
use crate::tui::theme::Tone;
use crate::tui::ui::read_only::{Pace, ReadOnly};
use crate::tui::ui::waits_for_person;

/// The line below the header: what a stop waits for, or that the run is over.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width).saturating_sub(2);
    let looks = scene.ui.read_only.is_some();
    let (tone, text) = match scene.fleet.stop() {
        _ if scene.ui.process_is_gone() => gone(scene, width),
        Some(stop) => stopping(scene.fleet, stop, looks, width),
        None if scene.fleet.is_halted() && !scene.fleet.is_over() => {
            (Tone::Bad, halt_box::banner(scene.fleet, looks))
        }
        None => over(scene.fleet, looks),
    };
    let text = cut(&text, width);
    put(buf, area, 0, &format!(" {text}").into());
    buf.set_style(area, tone.bold());
}

/// The process is gone that ran it: whether the run came to its end, and how to go on where it did not. Where not all of it
/// fits, the command is what remains.
fn gone(scene: &Scene<'_>, width: usize) -> (Tone, String) {
    let fleet = scene.fleet;
    let (run, journal) = (fleet.run(), scene.ui.journal.unwrap_or_default());
    if scene.ui.read_only == Some(ReadOnly::Replay(Pace::Over { goes_on: true })) {
        let command = format!("hemfleet attach {run}{journal}");
        let texts = [
            format!("THIS FAR IT HAS COME: {command} shows it go on. q leaves."),
            format!("THIS FAR IT HAS COME: {command}"),
            command,
        ];
        return (Tone::Plain, first_that_fits(texts, width));
    }
    let (tone, what) = match (fleet.ended(), fleet.stop()) {
        (None, _) => (Tone::Bad, "ITS PROCESS DIED"),
        (Some(_), Some(_)) => (Tone::Warn, "STOPPED"),
        (Some(_), None) => return over(fleet, true),
    };
    // A run of the past may have been gone on with since.
    let text = match (scene.ui.read_only, fleet.unfinished()) {
        (Some(ReadOnly::Replay(_)), _) => format!("{what} here. Space begins again, q leaves."),
        (_, 0) => format!("{what}, and nothing is left to do. q leaves."),
        (_, n) => {
            let command = format!("hemfleet resume {run}{journal}");
            let texts = [
                format!("{what}: {command} ({n} unfinished). q leaves."),
                format!("{what}: {command} ({n} unfinished)"),
                format!("{what}: {command}"),
                format!("{}: {command}", what.trim_start_matches("ITS PROCESS ")),
                command,
            ];
            first_that_fits(texts, width)
        }
    };
    (tone, text)
}

/// The first of `texts` that `width` columns have room for, or the last.
fn first_that_fits<const N: usize>(texts: [String; N], width: usize) -> String {
    let shortest = texts.last().cloned().unwrap_or_default();
    let fits = texts.into_iter().find(|text| text.width() <= width);
    fits.unwrap_or(shortest)
}

/// `looks`: whoever sees it has no keys for the run.
fn stopping(fleet: &Fleet, stop: Stop, looks: bool, width: usize) -> (Tone, String) {
    // Devices past their install take longest, and end in doubt if the run stops at once.
    let (past, before): (Vec<&DeviceState>, Vec<&DeviceState>) =
        in_flight(fleet).partition(|device| device.is_past_install());
    let all = past.iter().chain(&before).copied();
    let named = |text: &str, devices: Vec<&DeviceState>| {
        let names: Vec<&str> = devices.iter().map(|device| device.id.as_str()).collect();
        format!("{text}{}", list(&names, width.saturating_sub(text.width())))
    };
    match stop {
        Stop::Draining if past.is_empty() && before.is_empty() => {
            (Tone::Warn, "STOPPING: nothing is in flight".to_owned())
        }
        Stop::Draining => {
            let text = if looks {
                "STOPPING safely. Waiting for "
            } else {
                "STOPPING safely, Ctrl-C again stops at once. Waiting for "
            };
            (Tone::Warn, named(text, all.collect()))
        }
        Stop::Aborting if past.is_empty() => (Tone::Bad, "STOPPING NOW".to_owned()),
        Stop::Aborting => (Tone::Bad, named("STOPPING NOW. In doubt: ", past)),
    }
}

/// Who waits for a person, and until when.
pub(super) fn draw_people(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let (mut secrets, mut phones) = (0, Vec::new());
    for (n, device) in scene.fleet.devices().iter().enumerate() {
        match device.active().and_then(|active| active.person.as_ref()) {
            Some(Person::Secret) => secrets += 1,
            Some(Person::Phone { until, .. }) => {
                phones.push((*until, scene.ui.inventory.names.shown(n)));
            }
            None => {}
        }
    }
    let queued = scene
        .fleet
        .devices()
        .iter()
        .filter(|device| is_queued(device))
        .count();
    let mut parts = Vec::new();
    if secrets > 0 {
        let secrets = counted(secrets, "secret", "secrets");
        let types = scene.fleet.stop().is_none() && scene.ui.read_only.is_none();
        let key = if types { " (p types)" } else { "" };
        parts.push(format!("{secrets}{key}"));
    }
    if let Some((until, id)) = phones.iter().min() {
        let left = countdown(scene.now, *until);
        let phones = counted(phones.len(), "phone", "phones");
        parts.push(format!("{phones} ({id} {left})"));
    }
    if queued > 0 {
        parts.push(format!("{queued} queued"));
    }
    let text = format!("WAITING: {}", parts.join(" · "));
    let text = cut(&text, usize::from(area.width).saturating_sub(2));
    put(buf, area, 0, &format!(" {text}").into());
    buf.set_style(area, Tone::Warn.bold());
}

/// Whether a device still waits for its turn to ask a phone.
fn is_queued(device: &DeviceState) -> bool {
    let progress = device.active().and_then(|active| active.progress.as_ref());
    matches!(progress, Some(Progress::Queued)) && !waits_for_person(device)
}

fn over(fleet: &Fleet, looks: bool) -> (Tone, String) {
    let counts = fleet.counts();
    let good = counts.of(OutcomeKind::Upgraded)
        + counts.of(OutcomeKind::Current)
        + counts.of(OutcomeKind::Skipped)
        + counts.of(OutcomeKind::Audited);
    let rest = counts.done() - good;
    // Devices whose log contradicts need a look, as do those that did not end well. Some are both, and count once.
    let doubted = fleet
        .devices()
        .iter()
        .filter(|device| device.is_contradicted())
        .count();
    let rest = rest
        + fleet
            .devices()
            .iter()
            .filter(|device| only_log(device))
            .count();
    if rest == 0 && matches!(fleet.mode(), Mode::Audit { .. }) {
        return (
            Tone::Plain,
            "OVER: every log was read. q leaves.".to_owned(),
        );
    }
    if rest == 0 {
        return (
            Tone::Good,
            "OVER: every device is upgraded, current or skipped. q leaves.".to_owned(),
        );
    }
    let need = counted(rest, "device needs", "devices need");
    let tone = if counts.of(OutcomeKind::Failed)
        + counts.of(OutcomeKind::RolledBack)
        + counts.of(OutcomeKind::Lost)
        + doubted
        > 0
    {
        Tone::Bad
    } else {
        Tone::Warn
    };
    // R leaves unproven devices alone.
    let all = match rest - counts.of(OutcomeKind::Unproven) {
        0 => "",
        _ => ", R all",
    };
    let how = if fleet.is_halted() { "HALTED" } else { "OVER" };
    let logs = match (doubted, rest) {
        (0, _) => String::new(),
        (1, 1) => ": its log contradicts (a)".to_owned(),
        (n, rest) if n == rest => ": their logs contradict (a)".to_owned(),
        (1, _) => ", 1 by its log (a)".to_owned(),
        (n, _) => format!(", {n} by their logs (a)"),
    };
    let keys = if looks || doubted == rest {
        String::new()
    } else {
        format!(" r retries the selected{all},")
    };
    (tone, format!("{how}: {need} a look{logs}.{keys} q leaves."))
}

/// Whether a device ended well, and its log alone says otherwise.
fn only_log(device: &DeviceState) -> bool {
    let well = matches!(
        device.outcome_kind(),
        Some(OutcomeKind::Upgraded | OutcomeKind::Current | OutcomeKind::Skipped)
    );
    well && device.is_contradicted()
}
