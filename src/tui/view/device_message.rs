//! The widest column of the table: what a device is doing, or how it ended. The other columns are in `table`.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::Span;

use crate::engine::{Active, DevicePhase, DeviceState, Pause, Person, Progress};
use crate::model::{Outcome, Scope, Stage, human_duration};

use super::Scene;
use super::progress_bar::bar;
use super::text_layout::{between, clock, fit, span, time_of_day};
use crate::tui::device_order::contradicted;
use crate::tui::theme::{Mark, Tone};

/// Columns of an upload's bar, where there is room.
const BAR: usize = 17;

/// The message for `device`, at most `width` columns.
pub(super) fn message(scene: &Scene<'_>, device: &DeviceState, width: usize) -> Vec<Span<'static>> {
    let text = match &device.state {
        DevicePhase::Waiting if device.attempt > 1 => "will be tried again".to_owned(),
        DevicePhase::Waiting | DevicePhase::Planned => String::new(),
        DevicePhase::Starting => "asking the device".to_owned(),
        DevicePhase::Running(active) => {
            return fit(active_message(scene, device, active, width), width);
        }
        DevicePhase::Done(outcome) => return done(scene, device, outcome, width),
    };
    fit(vec![span(text, Tone::Dull.style())], width)
}

/// How the device ended, and what to press. A log that contradicts comes before the reason of a good end.
fn done(
    scene: &Scene<'_>,
    device: &DeviceState,
    outcome: &Outcome,
    width: usize,
) -> Vec<Span<'static>> {
    let (reason, key) = match &device.audit {
        Some(report) if contradicted(device) => (
            span(
                format!("LOG CONTRADICTS: {}", report.verdict),
                Tone::Warn.bold(),
            ),
            Some(("a", " log")),
        ),
        _ => {
            let retry = device.is_retryable() && scene.fleet.stop().is_none();
            let tone = Mark::of_outcome(outcome.kind()).tone;
            (
                span(outcome.reason(), tone.style()),
                retry.then_some(("r", " retry")),
            )
        }
    };
    // What to press must be seen, however long the reason is.
    let taken = key.map_or(0, |(key, label)| 3 + key.len() + label.len());
    let mut spans = fit(vec![reason], width.saturating_sub(taken));
    if let Some((key, label)) = key {
        spans.push(span(" · ", Tone::Dull.style()));
        spans.push(span(key, Tone::Plain.bold()));
        spans.push(span(label, Tone::Plain.style()));
    }
    fit(spans, width)
}

fn active_message(
    scene: &Scene<'_>,
    device: &DeviceState,
    active: &Active,
    width: usize,
) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if device.cancelling {
        let text = if device.is_past_install() {
            "past the install, watched to its end · "
        } else {
            "stopping · "
        };
        spans.push(span(text, Tone::Warn.style()));
    }
    if device.wants_permit && scene.fleet.is_halted() {
        let text = "held: run halted".to_owned();
        spans.push(span(text, Tone::Warn.style()));
        return spans;
    }
    if let Some(pause) = &active.pause {
        spans.push(span(paused(scene, pause, width), Tone::Warn.style()));
        return spans;
    }
    if let Some(person) = &active.person {
        let text = waits_for(scene, person);
        spans.push(span(text, Tone::Warn.style()));
        return spans;
    }
    let again = match active.try_no {
        1 => String::new(),
        n => format!(" · try {n}"),
    };
    let used: usize = spans.iter().map(Span::width).sum();
    let room = width.saturating_sub(used + again.chars().count());
    spans.extend(match (active.stage, &active.progress) {
        (Stage::Upload | Stage::UploadUi, Some(Progress::Bytes { sent, total })) => {
            upload(active, scene.now, (*sent, *total), room)
        }
        (Stage::Check | Stage::CheckUi, progress) => plain(check(scene, active, progress.as_ref())),
        (Stage::Reboot, progress) => return reboot(scene, device, active, progress.as_ref()),
        (_, Some(progress @ (Progress::Queued | Progress::Step { .. }))) => {
            plain(progress.to_string())
        }
        (stage, _) => plain(doing(stage).to_owned()),
    });
    if !again.is_empty() {
        spans.push(span(again, Tone::Warn.style()));
    }
    spans
}

fn plain(text: String) -> Vec<Span<'static>> {
    vec![span(text, Tone::Plain.style())]
}

/// Who must do what, and how long there is for it.
fn waits_for(scene: &Scene<'_>, person: &Person) -> String {
    match person {
        Person::Secret => "waits for its secret · p types it".to_owned(),
        Person::Phone { until, .. } if scene.now >= *until => {
            "phone: nobody answered in time".to_owned()
        }
        Person::Phone { scope, until, .. } => {
            let left = countdown(scene.now, *until);
            let what = match scope {
                Scope::Upgrade => "the upgrade",
                Scope::Log => "reading the log",
            };
            format!("{left} phone: approve {what}")
        }
    }
}

/// The time left, as a clock.
pub(super) fn countdown(now: Timestamp, until: Timestamp) -> String {
    clock(Duration::from_secs(seconds_left(now, until)))
}

/// The seconds left, rounded up: a countdown ends with 1, not with a long 0.
fn seconds_left(now: Timestamp, until: Timestamp) -> u64 {
    let left = between(now, until).as_millis().div_ceil(1000);
    u64::try_from(left).unwrap_or(u64::MAX)
}

/// What a stage does, for one that has no news.
pub(super) fn doing(stage: Stage) -> &'static str {
    match stage {
        Stage::Probe => "reading version and status",
        Stage::Checkin => "setting its clock through the broker",
        Stage::Login => "logging in",
        Stage::UploadUi | Stage::Upload => "waiting for the device's go-ahead",
        Stage::CheckUi => "the device verifies the management app",
        Stage::VerifyUi => "reading the management app's hash",
        Stage::Audit => "reading its audit log",
        Stage::Check => "the device verifies the image",
        Stage::InstallUi | Stage::Install => "install sent once, waiting for the answer",
        Stage::Reboot => "waiting for the reboot",
        Stage::Verify => "reading what it runs now",
    }
}

fn paused(scene: &Scene<'_>, pause: &Pause, width: usize) -> String {
    let wait = seconds_left(scene.now, pause.until);
    let next = format!("try {} of {} in {wait} s", pause.next_try, pause.of);
    // The countdown is what must be seen; the reason stands in the detail in full.
    let why = pause.after.to_string();
    let room = width.saturating_sub(next.chars().count() + 3);
    if room < 8 {
        return next;
    }
    format!("{next} · {}", super::text_layout::cut(&why, room))
}

fn upload(
    active: &Active,
    now: Timestamp,
    (sent, total): (u64, u64),
    width: usize,
) -> Vec<Span<'static>> {
    if sent >= total {
        return plain("handed over, waiting for the device's answer".to_owned());
    }
    let sizes = sizes(sent, total);
    let room = width.saturating_sub(sizes.len() + 2);
    let bar_width = room.min(BAR);
    let mut spans = vec![
        span(bar(share(sent, total), bar_width), Tone::Live.style()),
        span(format!("  {sizes}"), Tone::Plain.style()),
    ];
    if let Some(rate) = active.rate.per_second(now).map(rate)
        && width >= bar_width + sizes.len() + 2 + 12
    {
        spans.push(span(format!("  {rate:>10}"), Tone::Dull.style()));
    }
    spans
}

#[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
fn share(sent: u64, total: u64) -> f64 {
    sent as f64 / total as f64
}

/// `1.4 / 3.0 MB`: both in the same unit, so that nothing jumps while it grows.
#[expect(clippy::cast_precision_loss, reason = "sizes shown with one decimal")]
fn sizes(sent: u64, total: u64) -> String {
    let (unit, name) = if total < 1024 * 1024 {
        (1024.0, "KB")
    } else {
        (1024.0 * 1024.0, "MB")
    };
    let total = format!("{:.1}", total as f64 / unit);
    let sent = format!("{:.1}", sent as f64 / unit);
    format!("{sent:>width$} / {total} {name}", width = total.len())
}

/// Bytes a second, as people read them.
pub(super) fn rate(per_second: f64) -> String {
    if per_second < 1024.0 * 1024.0 {
        format!("{:.0} KB/s", per_second / 1024.0)
    } else {
        format!("{:.1} MB/s", per_second / 1024.0 / 1024.0)
    }
}

fn check(scene: &Scene<'_>, active: &Active, progress: Option<&Progress>) -> String {
    let elapsed = clock(between(active.since, scene.now));
    let mut text = match progress {
        Some(Progress::Polls { polls, status }) => {
            format!("{status} · poll {polls} · {elapsed}")
        }
        _ => format!("{} · {elapsed}", doing(active.stage)),
    };
    if active.stage == Stage::Check
        && let Some((least, most)) = scene.ui.checks
    {
        let (least, most) = (least.as_secs().max(1), most.as_secs().max(1));
        let took = if least == most {
            format!(" · others took {least} s")
        } else {
            format!(" · others took {least}–{most} s")
        };
        text.push_str(&took);
    }
    text
}

/// A silent device: the message says until when that is normal.
fn reboot(
    scene: &Scene<'_>,
    device: &DeviceState,
    active: &Active,
    progress: Option<&Progress>,
) -> Vec<Span<'static>> {
    let began = installed_at(device).unwrap_or(active.since);
    let elapsed = clock(between(began, scene.now));
    let Some(Progress::Silent { last, normal }) = progress else {
        return plain(format!("{} · {elapsed}", doing(Stage::Reboot)));
    };
    let until = began.checked_add(*normal).unwrap_or(began);
    if scene.now > until {
        let text = format!(
            "{elapsed}, longer than the usual {} · {last}",
            human_duration(*normal)
        );
        return vec![span(text, Tone::Warn.style())];
    }
    let until = time_of_day(until, scene.zone);
    plain(format!("{elapsed}, normal until {until} · {last}"))
}

/// When the last install was sent, by the wall clock.
fn installed_at(device: &DeviceState) -> Option<Timestamp> {
    device
        .timeline
        .iter()
        .rev()
        .find(|s| s.stage == Stage::Install)
        .map(|s| s.at)
}
