//! The header: what is rolled out, the counts, and how far the fleet is; and the whole screen in one line where there
//! is no room for more. The lines below the header are in `banner`.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::{Audits, Fleet};
use crate::model::{ImageFacts, OutcomeKind, PayloadFacts, counted, human_bytes};

use super::progress_bar::{bar, percent};
use super::text_layout::{clock, cut, ends, span};
use super::{Scene, put};
use crate::tui::theme::{Mark, Tone};
use crate::tui::ui::waits_for_person;

/// The two lines of the dashboard.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let fleet = scene.fleet;
    let width = usize::from(area.width);
    let wide = width >= 100;
    let mut left = title();
    left.extend(payload(fleet.payload(), wide));
    let run = fleet.run().as_str();
    left.push(span(format!("  run {run}"), Tone::Dull.style()));
    left.extend(audits(&fleet.audits(), width));
    let mut right = Vec::new();
    if let Some(elapsed) = fleet.elapsed(scene.now) {
        right.push(span(clock(elapsed), Tone::Plain.bold()));
    }
    if let Some(left) = time_left(scene) {
        right.push(span(format!("  {left} "), Tone::Plain.style()));
    } else {
        right.push(Span::raw(" "));
    }
    put(buf, area, 0, &ends(left, right, width));
    put(buf, area, 1, &counts(fleet, width));
}

/// The name of the program, at the left of every header.
fn title() -> Vec<Span<'static>> {
    vec![span(" hemfleet  ", Tone::Plain.bold())]
}

fn image(image: &ImageFacts, wide: bool) -> Vec<Span<'static>> {
    let version = image.version_label();
    let Some(footer) = &image.footer else {
        let sha = &image.sha256_hex()[..8];
        return vec![span(
            format!("image sha256 {sha}… without a known signature"),
            Tone::Warn.style(),
        )];
    };
    if !wide {
        return vec![span(format!("v{}", cut(&version, 20)), Tone::Plain.style())];
    }
    vec![
        span(cut(&footer.name, 40), Tone::Plain.style()),
        span(format!("  {}…", footer.fws.short()), Tone::Dull.style()),
    ]
}

/// What is rolled out: the firmware, the management app, or both.
fn payload(payload: &PayloadFacts, wide: bool) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    if let Some(facts) = &payload.firmware {
        spans.extend(image(facts, wide));
    }
    if let Some(app) = &payload.app {
        let and = if spans.is_empty() { "" } else { " + " };
        let name = if wide { "management app " } else { "app " };
        let sha = &app.sha256_hex()[..8];
        spans.push(span(format!("{and}{name}{sha}…"), Tone::Plain.style()));
    }
    if spans.is_empty() {
        spans.push(span("audit logs", Tone::Plain.style()));
    }
    spans
}

/// What the audit logs say so far; nothing where none has been read.
fn audits(audits: &Audits, width: usize) -> Vec<Span<'static>> {
    let mut spans = Vec::new();
    // What must be seen comes first: the line is cut at its end where it is too long.
    for (mark, n) in [
        (Mark::CONTRADICTED, audits.contradicted),
        (Mark::CONFIRMED, audits.confirmed),
        (Mark::ACCEPTED, audits.accepted),
        (Mark::REFUSED, audits.refused),
        (Mark::MISSING, audits.missing),
        (Mark::UNAVAILABLE, audits.unavailable),
    ] {
        if n == 0 {
            continue;
        }
        if spans.is_empty() {
            spans.push(span("  audit", Tone::Dull.style()));
        }
        // The one that must be seen is said in words where that is possible at all.
        let loud = mark == Mark::CONTRADICTED;
        let words = width >= if loud { 72 } else { 160 };
        let word = if words { mark.word } else { "" };
        let text = format!("  {} {n} {word}", mark.glyph);
        let style = if loud {
            mark.tone.bold()
        } else {
            mark.tone.style()
        };
        spans.push(span(text.trim_end().to_owned(), style));
    }
    spans
}

fn time_left(scene: &Scene<'_>) -> Option<String> {
    let fleet = scene.fleet;
    if fleet.stop().is_some() || fleet.is_over() {
        return None;
    }
    let forecast = fleet.eta(scene.now)?;
    let (least, most) = (forecast.least.as_secs(), forecast.most.as_secs());
    if most < 60 {
        return Some("left under 1 min".to_owned());
    }
    let (least, most) = (least / 60, most.div_ceil(60));
    Some(if least == 0 {
        format!("left under {most} min")
    } else if least == most {
        format!("left {most} min")
    } else {
        format!("left {least}–{most} min")
    })
}

/// Counts and progress. The counts that every run has keep their place, and the others appear as they occur. Where
/// they do not fit beside the bar, the words are left out first, and then the zeros.
fn counts(fleet: &Fleet, width: usize) -> Line<'static> {
    let mut shown = marks(fleet);
    let weak = fleet
        .devices()
        .iter()
        .filter(|device| device.link.is_weak())
        .count();
    let digits = fleet.devices().len().to_string().len();
    let full = spell(&shown, weak, Some(digits), true);
    let short = spell(&shown, weak, Some(digits), false);
    let room = width.saturating_sub(PROGRESS_MIN);
    let columns = |spans: &[Span<'static>]| spans.iter().map(Span::width).sum::<usize>();
    let left = if columns(&full) <= room {
        full
    } else if columns(&short) <= room {
        short
    } else {
        shown.retain(|(_, n)| *n > 0);
        spell(&shown, weak, None, false)
    };
    let bar = width.saturating_sub(columns(&left) + 8).min(24);
    ends(left, progress(fleet, bar), width)
}

/// The least that the fleet's bar and its per cent take.
const PROGRESS_MIN: usize = 16;

fn marks(fleet: &Fleet) -> Vec<(Mark, usize)> {
    let counts = fleet.counts();
    let of = |kind| (Mark::of_outcome(kind), counts.of(kind));
    let mut shown = vec![
        of(OutcomeKind::Upgraded),
        (Mark::RUNNING, counts.running),
        (Mark::WAITING, counts.waiting + counts.planned),
        of(OutcomeKind::Failed),
    ];
    shown.extend(
        OutcomeKind::ALL
            .iter()
            .filter(|k| !matches!(k, OutcomeKind::Upgraded | OutcomeKind::Failed))
            .map(|&k| of(k))
            .filter(|(_, n)| *n > 0),
    );
    shown
}

/// With `digits`, numbers are that wide, so that nothing jumps while they grow.
fn spell(
    shown: &[(Mark, usize)],
    weak: usize,
    digits: Option<usize>,
    words: bool,
) -> Vec<Span<'static>> {
    let gap = if digits.is_some() { "  " } else { " " };
    let digits = digits.unwrap_or(1);
    let mut spans = vec![Span::raw(" ")];
    for &(mark, n) in shown {
        let tone = if n == 0 { Tone::Dull } else { mark.tone };
        let mut text = format!("{} {n:>digits$}", mark.glyph);
        if words {
            text.push(' ');
            text.push_str(mark.word);
        }
        text.push_str(gap);
        spans.push(span(text, tone.style()));
    }
    if weak > 0 {
        // Never the sign alone: in ASCII it means lost.
        let text = if words {
            format!("! {}", counted(weak, "weak link", "weak links"))
        } else {
            format!("{}{weak} weak", if gap.len() == 1 { " " } else { "" })
        };
        spans.push(span(text, Tone::Warn.bold()));
    }
    spans
}

fn progress(fleet: &Fleet, columns: usize) -> Vec<Span<'static>> {
    let share = fleet.fraction();
    let tone = if fleet.is_over() {
        Tone::Plain
    } else {
        Tone::Live
    };
    let mut spans = Vec::new();
    if columns >= 6 {
        spans.push(span(bar(share, columns), tone.style()));
    }
    spans.push(span(
        format!(" {:>3} % ", percent(share)),
        Tone::Plain.bold(),
    ));
    spans
}

/// The plan's one line.
pub(super) fn draw_plan(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let mut left = title();
    left.push(span("plan   ", Tone::Live.bold()));
    let PayloadFacts { app, firmware } = scene.fleet.payload();
    if let Some(facts) = firmware {
        planned_image(&mut left, facts, width, app.is_some());
    }
    if let Some(app) = app {
        let (size, sha) = (human_bytes(app.file_bytes), app.sha256_hex());
        let text = match (firmware, width) {
            (Some(_), ..120) => format!(" + app {size}"),
            (Some(_), _) => format!(" + app {size} sha256 {}…", &sha[..8]),
            (None, _) => format!("management app {size} · sha256 {}…", &sha[..8]),
        };
        left.push(span(text, Tone::Plain.style()));
    }
    let right = vec![span(
        format!("run {} ", scene.fleet.run()),
        Tone::Dull.style(),
    )];
    put(buf, area, 0, &ends(left, right, width));
}

/// The image of a plan, with what is known of its signature.
fn planned_image(left: &mut Vec<Span<'static>>, facts: &ImageFacts, width: usize, with_app: bool) {
    let size = human_bytes(facts.file_bytes);
    match &facts.footer {
        Some(footer) if width >= 100 => {
            left.push(span(
                format!("image {} · {size}", cut(&footer.name, 40)),
                Tone::Plain.style(),
            ));
            left.push(span(
                format!(
                    " · signed {}… · mode {} · ",
                    footer.fwk.short(),
                    footer.mode
                ),
                Tone::Plain.style(),
            ));
            left.push(span("verifies", Tone::Good.style()));
        }
        Some(_) => {
            let version = cut(&facts.version_label(), 20);
            let text = match (with_app, width) {
                (true, ..72) => format!("v{version} "),
                (true, _) => format!("image v{version} · signature "),
                (false, _) => format!("image v{version} · {size} · signature "),
            };
            left.push(span(text, Tone::Plain.style()));
            left.push(span("verifies", Tone::Good.style()));
        }
        None => {
            left.push(span(format!("image {size} · "), Tone::Plain.style()));
            left.push(span(
                "no known signature: nothing can be proven",
                Tone::Warn.style(),
            ));
        }
    }
}

/// The whole screen in one line, for terminals with room for no more.
pub(super) fn draw_tiny(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let line = summary(scene);
    put(buf, area, 0, &cut(&line, usize::from(area.width)).into());
}

fn summary(scene: &Scene<'_>) -> String {
    let fleet = scene.fleet;
    let counts = fleet.counts();
    let all = fleet.devices().len();
    if crate::tui::ui::on_plan(fleet) {
        let wanted = fleet.to_confirm();
        return format!("plan: {wanted}/{all} to upgrade, needs 40x10");
    }
    let mut line = format!("{}/{all} upgraded", counts.of(OutcomeKind::Upgraded));
    for kind in [
        OutcomeKind::Failed,
        OutcomeKind::RolledBack,
        OutcomeKind::Lost,
        OutcomeKind::Unknown,
        OutcomeKind::Unproven,
    ] {
        let n = counts.of(kind);
        if n > 0 {
            let _ = write!(line, ", {n} {kind}");
        }
    }
    let doubted = fleet.audits().contradicted;
    if doubted > 0 {
        let _ = write!(line, ", {doubted} contradicted");
    }
    let people = fleet
        .devices()
        .iter()
        .filter(|device| waits_for_person(device));
    match people.count() {
        0 => {}
        n => {
            let _ = write!(line, ", {n} waiting for you");
        }
    }
    if let Some(elapsed) = fleet.elapsed(scene.now) {
        line.push_str(", ");
        line.push_str(&clock(elapsed));
    }
    if fleet.stop().is_some() {
        line.insert_str(0, "STOPPING ");
    } else if fleet.waits_for_budget() {
        line.insert_str(0, "HALTED ");
    } else if fleet.is_over() {
        line.push_str(", over");
    }
    line
}
