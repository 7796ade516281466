//! The widest column of the table: what a device is doing, or how it ended. The other columns are in `table`.

use std::time::Duration;

use jiff::Timestamp;
use ratatui::text::Span;
use unicode_width::UnicodeWidthStr;

use crate::engine::{Active, DevicePhase, DeviceState, Pause, Person, Progress, Step};
use crate::model::{Outcome, Scope, Stage, human_duration};

use super::Scene;
use super::progress_bar::bar;
use super::text_layout::{between, clock, fit, span, time_of_day, warning_first};
use crate::tui::theme::{Mark, Tone};

/// Columns of a bar, where there is room.
const BAR: usize = 17;
/// A bar of less says nothing.
const SHORTEST_BAR: usize = 6;

/// The message for `device`, at most `width` columns.
pub(super) fn message(scene: &Scene<'_>, device: &DeviceState, width: usize) -> Vec<Span<'static>> {
    let text = match &device.state {
        DevicePhase::Waiting if device.attempt > 1 => "will be tried again".to_owned(),
        DevicePhase::Waiting | DevicePhase::Planned => String::new(),
        DevicePhase::Starting => "asking the device".to_owned(),
        DevicePhase::Running(active) => {
            return fit(active_message(scene, device, active, width), width);
        }
        DevicePhase::Done(outcome) => return fit(vec![done(device, outcome)], width),
    };
    fit(vec![span(text, Tone::Dull.style())], width)
}

/// How the device ended. A log that contradicts comes before the reason of a good end.
fn done(device: &DeviceState, outcome: &Outcome) -> Span<'static> {
    match &device.audit {
        Some(report) if device.is_contradicted() => span(
            format!("LOG CONTRADICTS: {}", report.verdict),
            Tone::Warn.bold(),
        ),
        _ => span(
            outcome.reason(),
            Mark::of_outcome(outcome.kind()).tone.style(),
        ),
    }
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
        (Stage::Check | Stage::CheckUi, progress) => {
            check(scene, device, active, progress.as_ref(), room)
        }
        // Another run's install: this one has none to count from.
        (Stage::Reboot, Some(Progress::Step { what })) => plain(warning_first(what, room)),
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

/// The check: how long it takes beside what others took, in this run or in earlier ones, and what it may take, since the device says no more than that
/// it goes on.
fn check(
    scene: &Scene<'_>,
    device: &DeviceState,
    active: &Active,
    progress: Option<&Progress>,
    width: usize,
) -> Vec<Span<'static>> {
    let gone = between(active.since, scene.now);
    let limit = format!(", limit {}", clock(scene.fleet.check_limit()));
    let polls = match progress {
        Some(Progress::Polls { polls, status }) => format!("{status} · poll {polls}"),
        _ => doing(active.stage).to_owned(),
    };
    let took = scene.fleet.took(active.stage);
    let earlier = || {
        let usual = scene.fleet.usual(device, active.stage)?;
        Some(("usually", usual.p50, usual.p95))
    };
    let others = took.map(|(least, most)| ("others took", least, most));
    let Some((who, least, most)) = others.or_else(earlier) else {
        let words = format!("{polls} · {}", clock(gone));
        let fits = words.width() + limit.width() <= width;
        return plain(if fits { words + &limit } else { words });
    };
    let mut words = format!("{}, {who} {}", clock(gone), spread(least, most));
    if width >= BAR + 2 + words.width() + limit.width() {
        words.push_str(&limit);
    }
    let room = width.saturating_sub(words.width() + 2);
    let bar_width = room.min(BAR);
    // In the seconds that are shown: nobody understands a warning between two equal numbers.
    let (of_bar, of_words) = if gone.as_secs() > most.as_secs() {
        (Tone::Warn, Tone::Warn)
    } else {
        (Tone::Live, Tone::Plain)
    };
    let mut spans = Vec::new();
    if bar_width >= SHORTEST_BAR {
        let share = gone.as_secs_f64() / most.as_secs_f64().max(1.0);
        // It is not over before the device says so.
        let share = bar(share.min(0.99), bar_width);
        spans.push(span(format!("{share}  "), of_bar.style()));
    }
    spans.push(span(words, of_words.style()));
    if room >= BAR + polls.width() + 3 {
        spans.push(span(format!(" · {polls}"), Tone::Dull.style()));
    }
    spans
}

/// `20–45 s`, or as clocks where it is minutes.
fn spread(least: Duration, most: Duration) -> String {
    let (from, to) = (least.as_secs().max(1), most.as_secs().max(1));
    match (from == to, to < 120) {
        (true, true) => format!("{to} s"),
        (false, true) => format!("{from}–{to} s"),
        (true, false) => clock(most),
        (false, false) => format!("{}–{}", clock(least), clock(most)),
    }
}

/// A silent device: the message says until when that is normal.
fn reboot(
    scene: &Scene<'_>,
    device: &DeviceState,
    active: &Active,
    progress: Option<&Progress>,
) -> Vec<Span<'static>> {
    let install = installed(device);
    let began = install.map_or(active.since, |step| step.at);
    let silence = match progress {
        Some(Progress::Silent { last, normal }) => {
            Some((last, scene.fleet.normal_silence(device, *normal)))
        }
        _ => None,
    };
    if install.is_some_and(|step| step.attempt < device.attempt) {
        // How long this attempt has watched it stands in the row, and another time beside it would only confuse.
        let at = time_of_day(began, scene.zone);
        let last = silence.map_or_else(String::new, |(last, _)| format!(" · {last}"));
        return plain(format!("watched again, installed at {at}{last}"));
    }
    let elapsed = clock(between(began, scene.now));
    let Some((last, normal)) = silence else {
        return plain(format!("{} · {elapsed}", doing(Stage::Reboot)));
    };
    let until = began.checked_add(normal).unwrap_or(began);
    if scene.now > until {
        let text = format!(
            "silent {elapsed}, longer than the usual {} · {last}",
            human_duration(normal)
        );
        return vec![span(text, Tone::Warn.style())];
    }
    let until = time_of_day(until, scene.zone);
    plain(format!("silent {elapsed}, normal until {until} · {last}"))
}

/// The last install that was sent.
fn installed(device: &DeviceState) -> Option<&Step> {
    let mut steps = device.timeline.iter().rev();
    steps.find(|step| step.stage == Stage::Install)
}
