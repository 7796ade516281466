//! The detail of the selected device: every try of every stage, what was touched, and the last error in full with what
//! to do about it.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::{DevicePhase, DeviceState, Mode, Person, Step};
use crate::model::{LinkTrust, Outcome, Touched, human_duration};

use super::audit_log;
use super::device_message::message;
use super::text_layout::{fit, left, right, rule, span, time_of_day, with_mark, wrap};
use super::{Scene, put, selected_name, stage_strip};
use crate::tui::layout::Zoom;
use crate::tui::theme::{Mark, Tone};

/// Draws the pane: first the device's facts, then the end of its timeline, then the error and its hint.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let Some(device) = scene.ui.selected(scene.fleet) else {
        put(
            buf,
            area,
            0,
            &rule(vec![Span::raw("Detail")], Vec::new(), width),
        );
        return;
    };
    put(buf, area, 0, &title_line(scene, device, width));
    let room = usize::from(area.height.saturating_sub(1));
    let facts = facts(device, width);
    let tail = tail(device, width);
    let zoomed = scene.ui.zoom == Some(Zoom::Detail);
    let timeline = timeline(scene, device, width, zoomed);
    let lines: Vec<Line<'static>> = if zoomed {
        let log = log(device, width, usize::MAX);
        let all = facts.into_iter().chain(timeline).chain(tail).chain(log);
        let all: Vec<_> = all.collect();
        let scroll = scene.ui.scroll.min(all.len().saturating_sub(room));
        all.into_iter().skip(scroll).collect()
    } else {
        let mut lines = squeeze(facts, timeline, tail, room);
        lines.extend(log(device, width, room.saturating_sub(lines.len())));
        lines
    };
    for (n, line) in (1..).zip(lines.into_iter().take(room)) {
        put(buf, area, n, &line);
    }
}

/// How many lines the detail has when it fills the screen; for scrolling.
pub(super) fn height(device: &DeviceState, width: usize) -> usize {
    let mut headings = 0;
    if device.attempt > 1 {
        let mut attempts: Vec<u32> = device.timeline.iter().map(|s| s.attempt).collect();
        attempts.extend(device.active().map(|_| device.attempt));
        attempts.dedup();
        headings = attempts.len();
    }
    let running = usize::from(device.active().is_some());
    let steps: usize = device
        .timeline
        .iter()
        .map(|s| said(s, width, true).len())
        .sum();
    facts(device, width).len()
        + steps
        + running
        + headings
        + tail(device, width).len()
        + log(device, width, usize::MAX).len()
}

/// The audit log's entry in question.
fn log(device: &DeviceState, width: usize, room: usize) -> Vec<Line<'static>> {
    let report = device.audit.as_deref();
    report.map_or_else(Vec::new, |report| audit_log::excerpt(report, width, room))
}

/// Shortens what does not fit: the error and the hint stay whole, the timeline keeps its end.
fn squeeze(
    facts: Vec<Line<'static>>,
    timeline: Vec<Line<'static>>,
    tail: Vec<Line<'static>>,
    room: usize,
) -> Vec<Line<'static>> {
    let mut room = room.saturating_sub(tail.len());
    let facts: Vec<_> = facts.into_iter().take(room).collect();
    room -= facts.len();
    let hidden = timeline.len().saturating_sub(room);
    let mut steps: Vec<_> = timeline.into_iter().skip(hidden).collect();
    if hidden > 0 && !steps.is_empty() {
        let text = format!("  … {} earlier, Enter shows all", hidden + 1);
        steps[0] = Line::from(span(text, Tone::Dull.style()));
    }
    facts.into_iter().chain(steps).chain(tail).collect()
}

/// The title, with the way through the stages at its end: spelled out where there is room.
fn title_line(scene: &Scene<'_>, device: &DeviceState, width: usize) -> Line<'static> {
    let title = title(selected_name(scene, width), device);
    if matches!(scene.fleet.mode(), Mode::Audit { .. }) {
        return rule(title, Vec::new(), width);
    }
    let spelled = stage_strip::spelled(scene.fleet, device);
    let columns = |spans: &[Span<'static>]| spans.iter().map(Span::width).sum::<usize>();
    let end = if columns(&title) + columns(&spelled) + 8 <= width {
        spelled
    } else {
        stage_strip::strip(scene.fleet, device)
    };
    rule(title, end, width)
}

fn title(name: String, device: &DeviceState) -> Vec<Span<'static>> {
    let mark = Mark::of_device(device);
    let mut title = vec![
        span(name, Tone::Plain.bold()),
        span(
            format!(" · {} {}", mark.glyph, mark.word),
            mark.tone.style(),
        ),
    ];
    if let Some(outcome) = device.outcome()
        && let Some(stage) = outcome.stage()
    {
        title.push(span(format!(" at {stage}"), mark.tone.style()));
    }
    if device.attempt > 1 {
        title.push(span(
            format!(" · attempt {}", device.attempt),
            Tone::Plain.style(),
        ));
    }
    title
}

/// What the last attempt left on the device, and what that means; nothing where there is nothing to fear.
fn touched(device: &DeviceState) -> Option<String> {
    let outcome = device.outcome()?;
    if matches!(
        outcome,
        Outcome::Upgraded
            | Outcome::AppInstalled
            | Outcome::Current
            | Outcome::Skipped(_)
            | Outcome::Audited { .. }
    ) {
        return None;
    }
    let touched = outcome.touched();
    let mut text = format!("touched: {touched}");
    // After an install only the device can say what it runs.
    if touched < Touched::InstallSent
        && let Some(from) = device.from_label()
    {
        match outcome {
            Outcome::Failed(f) if f.is_out_of_reach() => {
                let _ = write!(text, "; ran {from} when it was last seen");
            }
            _ => {
                let _ = write!(text, "; still runs {from}");
            }
        }
    }
    Some(text)
}

/// Link, group, tags and what the device said of itself.
fn facts(device: &DeviceState, width: usize) -> Vec<Line<'static>> {
    let mut spans = vec![Span::raw("  ")];
    if device.link.is_weak() {
        let what = match device.link {
            LinkTrust::Http => {
                "HTTP: NOTHING IS ENCRYPTED, ANYBODY ON THE WAY CAN READ AND CHANGE IT"
            }
            _ => "INSECURE: THE CERTIFICATE IS NOT VERIFIED, THIS MAY BE ANOTHER DEVICE",
        };
        let line = fit(vec![span(format!("  ! {what}"), Tone::Warn.bold())], width);
        let mut lines = vec![Line::from(line)];
        lines.extend(more_facts(device, Vec::new(), width));
        return lines;
    }
    spans.push(span(
        format!("link {}", device.link.as_str()),
        Tone::Dull.style(),
    ));
    more_facts(device, spans, width)
}

fn more_facts(
    device: &DeviceState,
    mut spans: Vec<Span<'static>>,
    width: usize,
) -> Vec<Line<'static>> {
    let mut add = |text: String| {
        let lead = if spans.is_empty() { "  " } else { " · " };
        spans.push(span(format!("{lead}{text}"), Tone::Dull.style()));
    };
    if let Some(group) = &device.group {
        add(format!("group {group}"));
    }
    if !device.tags.is_empty() {
        add(format!("tags {}", device.tags.join(" ")));
    }
    if let Some(seen) = &device.seen {
        add(seen.version.hwv.clone());
        if let Some(fws) = seen.version.fws {
            add(format!("fws {}…", fws.short()));
        }
    }
    if let Some(derivation) = device.derivation {
        add(format!("key by {derivation}"));
    }
    if let Some(after) = &device.after {
        let fws = after
            .fws
            .map_or("none".to_owned(), |f| format!("{}…", f.short()));
        add(format!("now {} fws {fws}", after.label()));
    }
    if spans.is_empty() {
        return Vec::new();
    }
    vec![Line::from(fit(spans, width))]
}

fn timeline(
    scene: &Scene<'_>,
    device: &DeviceState,
    width: usize,
    whole: bool,
) -> Vec<Line<'static>> {
    let mut lines = Vec::new();
    let several = device.attempt > 1;
    let mut attempt = 0;
    for step in &device.timeline {
        if several && step.attempt != attempt {
            attempt = step.attempt;
            lines.push(heading(attempt));
        }
        lines.extend(step_lines(scene, step, width, whole));
    }
    if let DevicePhase::Running(active) = &device.state {
        if several && device.attempt != attempt {
            lines.push(heading(device.attempt));
        }
        let at = time_of_day(active.since, scene.zone);
        let mut spans = vec![
            span(format!("  {at}  "), Tone::Dull.style()),
            span(left(active.stage.as_str(), STAGE), Tone::Live.style()),
            Span::raw(" ".repeat(STEP - 12 - STAGE)),
        ];
        spans.extend(message(scene, device, width.saturating_sub(STEP)));
        lines.push(Line::from(fit(spans, width)));
    }
    lines
}

fn heading(attempt: u32) -> Line<'static> {
    Line::from(span(format!("  attempt {attempt}"), Tone::Plain.bold()))
}

/// Columns before what is said of a step: time, stage, status, duration.
const STEP: usize = 27 + STAGE;
/// The longest stage: `install_ui`.
const STAGE: usize = 10;

fn step_lines(scene: &Scene<'_>, step: &Step, width: usize, whole: bool) -> Vec<Line<'static>> {
    let at = time_of_day(step.at, scene.zone);
    let tone = if step.failure.is_some() {
        Tone::Bad
    } else {
        Tone::Plain
    };
    let status = step.status.map(|s| s.to_string()).unwrap_or_default();
    let took = human_duration(step.took);
    let mut lines = Vec::new();
    for (n, what) in said(step, width, whole).into_iter().enumerate() {
        let mut spans = if n == 0 {
            vec![
                span(format!("  {at}  "), Tone::Dull.style()),
                span(left(step.stage.as_str(), STAGE), tone.style()),
                span(format!("{}  ", right(&status, 4)), tone.style()),
                span(format!("{}  ", right(&took, 7)), Tone::Dull.style()),
            ]
        } else {
            vec![Span::raw(" ".repeat(STEP))]
        };
        spans.push(span(what, tone.style()));
        lines.push(Line::from(fit(spans, width)));
    }
    lines
}

/// What is said of a step: in one line, or `whole` in as many as it takes.
fn said(step: &Step, width: usize, whole: bool) -> Vec<String> {
    let mut what = match &step.failure {
        Some(failure) => failure.to_string(),
        None => step.note.clone(),
    };
    if step.try_no > 1 {
        let try_no = format!("try {}", step.try_no);
        what = if what.is_empty() {
            try_no
        } else {
            format!("{try_no} · {what}")
        };
    }
    let room = width.saturating_sub(STEP);
    if whole && room >= 10 && !what.is_empty() {
        wrap(&what, room)
    } else {
        vec![what]
    }
}

/// The last error in full, and what to do about it.
fn tail(device: &DeviceState, width: usize) -> Vec<Line<'static>> {
    let room = width.saturating_sub(5);
    let mut lines = outcome(device, room);
    let person = device.active().and_then(|active| active.person.as_ref());
    if let Some(Person::Phone { note, .. }) = person {
        let text = format!("the phone shows: {note}");
        lines.extend(with_mark(" ", &text, room, Tone::Plain.style()));
    }
    if let Some(report) = &device.audit {
        lines.extend(audit_log::verdict(report, width));
    }
    lines
}

/// How the device ended and why, and what to do next.
fn outcome(device: &DeviceState, room: usize) -> Vec<Line<'static>> {
    let Some(outcome) = device.outcome() else {
        return Vec::new();
    };
    let mark = Mark::of_device(device);
    let mut lines = with_mark(mark.glyph, &outcome.reason(), room, mark.tone.bold());
    if let Some(touched) = touched(device) {
        lines.extend(with_mark(" ", &touched, room, Tone::Plain.style()));
    }
    let key = device.is_retryable().then_some("r retries it.");
    let next: Vec<String> = outcome
        .hint()
        .into_iter()
        .chain(key.map(str::to_owned))
        .collect();
    if !next.is_empty() {
        lines.extend(with_mark("→", &next.join(" "), room, Tone::Plain.style()));
    }
    lines
}
