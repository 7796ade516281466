//! The header: what is rolled out, the counts, and how far the fleet is; and the whole screen in one line where there
//! is no room for more. The lines below the header are in `banner`, and the plan's header is in `plan_header`.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::engine::{Audits, Fleet};
use crate::model::{ImageFacts, OutcomeKind, PayloadFacts, counted};

use super::device_message::rate;
use super::progress_bar::{bar, percent};
use super::text_layout::{clock, cut, ends, span};
use super::title::{tiny_title, title};
use super::{Scene, put};
use crate::tui::keymap::Focus;
use crate::tui::theme::{Mark, Tone};
use crate::tui::ui::waits_for_person;

/// The two lines of the dashboard.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let fleet = scene.fleet;
    let width = usize::from(area.width);
    let (counts, progress_shown) = counts(scene, width);
    let mut right = Vec::new();
    if let Some(elapsed) = fleet.elapsed(scene.now) {
        right.push(span(clock(elapsed), Tone::Plain.bold()));
    }
    // On a narrow screen the image and the run matter more than how fast it goes.
    let uploads = uploads(scene).filter(|_| width >= ROOMY);
    for news in [time_left(scene, width), uploads].into_iter().flatten() {
        right.push(span(format!("  {news}"), Tone::Plain.style()));
    }
    if !progress_shown {
        let share = format!("  {} %", percent(share(scene)));
        right.push(span(share, Tone::Plain.bold()));
    }
    right.push(Span::raw(" "));
    let left = run(scene, width.saturating_sub(columns(&right) + 1));
    put(buf, area, 0, &ends(left, right, width));
    put(buf, area, 1, &counts);
}

/// What is rolled out, by which run, and what the logs say of it. Where that is too long, the image is said in
/// short, and then the run's name is left out: what the logs say is news.
fn run(scene: &Scene<'_>, room: usize) -> Vec<Span<'static>> {
    let fleet = scene.fleet;
    let run = || span(format!("  run {}", fleet.run()), Tone::Dull.style());
    let of = |wide, named: bool| {
        let mut spans = title(scene);
        spans.extend(payload(fleet.payload(), wide));
        spans.extend(named.then(run));
        spans.extend(audits(&fleet.audits()));
        spans
    };
    let all = [(true, true), (false, true), (false, false)].map(|(wide, named)| of(wide, named));
    let fits = all.iter().position(|spans| columns(spans) <= room);
    let [.., last] = &all;
    fits.map_or(last, |n| &all[n]).clone()
}

fn columns(spans: &[Span<'static>]) -> usize {
    spans.iter().map(Span::width).sum()
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
fn audits(audits: &Audits) -> Vec<Span<'static>> {
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
        let lead = if spans.is_empty() { "  logs: " } else { ", " };
        spans.push(span(lead, Tone::Dull.style()));
        let loud = mark == Mark::CONTRADICTED;
        let (sign, style) = if loud {
            (format!("{} ", mark.glyph), mark.tone.bold())
        } else {
            (String::new(), mark.tone.style())
        };
        spans.push(span(format!("{sign}{n} {}", mark.word), style));
    }
    spans
}

/// How long the rest takes; nothing while that depends on a person.
fn time_left(scene: &Scene<'_>, width: usize) -> Option<String> {
    let fleet = scene.fleet;
    if fleet.stop().is_some() || fleet.is_halted() {
        return None;
    }
    let forecast = fleet.eta(scene.now)?;
    let (least, most) = (forecast.least.as_secs(), forecast.most.as_secs());
    if most < 60 {
        return Some("under 1 min left".to_owned());
    }
    let (least, most) = (least / 60, most.div_ceil(60));
    let about = if width < WIDE { "" } else { "about " };
    Some(if least == 0 {
        format!("under {most} min left")
    } else if least == most {
        format!("about {most} min left")
    } else {
        format!("{about}{least}–{most} min left")
    })
}

/// How fast all uploads go together; nothing while none does.
fn uploads(scene: &Scene<'_>) -> Option<String> {
    let rate_now = scene.fleet.upload_rate(scene.now)?;
    (rate_now >= SLOWEST).then(|| rate(rate_now))
}

/// From this many columns on, there is room to say that a range is one.
const WIDE: usize = 100;
/// From this many columns on, the first line has room for how fast the uploads go.
const ROOMY: usize = 72;
/// Bytes a second that round to one `KB/s`.
const SLOWEST: f64 = 512.0;

/// Counts and progress, and whether the per cent are among it. Each count has its word: what gives way to them is the
/// bar, then the counts that are zero, then the space between them and the per cent, then the signs of what is of least
/// interest, and only then its words.
fn counts(scene: &Scene<'_>, width: usize) -> (Line<'static>, bool) {
    let fleet = scene.fleet;
    let weak = scene.ui.inventory.weak;
    let all = marks(fleet);
    let digits = fleet.devices().len().to_string().len();
    let met: Vec<(Mark, usize)> = all.iter().copied().filter(|(_, n)| *n > 0).collect();
    let roomy = [
        spell(&all, weak, digits, "  ", Shortened::default()),
        spell(&met, weak, 1, "  ", Shortened::default()),
    ];
    for spans in roomy {
        let room = width.saturating_sub(columns(&spans));
        if room >= PER_CENT {
            return (ends(spans, progress(scene, room - PER_CENT), width), true);
        }
    }
    let signless = (0..=met.len()).map(|signless| Shortened {
        signless,
        speechless: 0,
    });
    let speechless = (1..=met.len()).map(|speechless| Shortened {
        signless: 0,
        speechless,
    });
    let mut tight = signless
        .chain(speechless)
        .map(|less| spell(&met, weak, 1, " ", less));
    let fitting = tight.find(|spans| columns(spans) <= width);
    let shortest = Shortened {
        signless: 0,
        speechless: met.len(),
    };
    let spans = fitting.unwrap_or_else(|| spell(&met, weak, 1, " ", shortest));
    (ends(spans, Vec::new(), width), false)
}

/// How many of the last counts have no sign, or no word.
#[derive(Clone, Copy, Default)]
struct Shortened {
    signless: usize,
    speechless: usize,
}

/// What the per cent take, with a column before them.
const PER_CENT: usize = 8;
/// The most that the fleet's bar takes, and the least that it is worth showing in.
const BAR: (usize, usize) = (24, 6);

/// The counts in the order in which they are of interest: of those at the end the words are left out first.
fn marks(fleet: &Fleet) -> Vec<(Mark, usize)> {
    let counts = fleet.counts();
    let of = |kind| (Mark::of_outcome(kind), counts.of(kind));
    let mut shown = vec![
        of(OutcomeKind::Upgraded),
        (Mark::RUNNING, counts.running),
        (Mark::WAITING, counts.waiting + counts.planned),
        of(OutcomeKind::Failed),
    ];
    let others = [
        OutcomeKind::RolledBack,
        OutcomeKind::Lost,
        OutcomeKind::Unknown,
        OutcomeKind::Unproven,
        OutcomeKind::Audited,
        OutcomeKind::Cancelled,
        OutcomeKind::Current,
        OutcomeKind::Skipped,
    ];
    shown.extend(others.map(of).into_iter().filter(|(_, n)| *n > 0));
    shown
}

/// Counts with signs and words, but for the last so many. Numbers are `digits` wide, so that nothing jumps while they grow.
fn spell(
    shown: &[(Mark, usize)],
    weak: usize,
    digits: usize,
    gap: &str,
    less: Shortened,
) -> Vec<Span<'static>> {
    let mut spans = vec![Span::raw(" ")];
    for (place, &(mark, n)) in shown.iter().enumerate() {
        let tone = if n == 0 { Tone::Dull } else { mark.tone };
        let mut text = if place + less.signless < shown.len() {
            format!("{} {n:>digits$}", mark.glyph)
        } else {
            n.to_string()
        };
        if place + less.speechless < shown.len() {
            text.push(' ');
            text.push_str(mark.word);
        }
        text.push_str(gap);
        spans.push(span(text, tone.style()));
    }
    if weak > 0 {
        // Never the sign alone: in ASCII it means lost.
        let text = if less.speechless == 0 {
            format!("! {}", counted(weak, "weak link", "weak links"))
        } else {
            format!(" {weak} weak")
        };
        spans.push(span(text, Tone::Warn.bold()));
    }
    spans
}

/// How far the fleet is. What a process left that is gone is not done, although nothing works on it any more.
#[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
fn share(scene: &Scene<'_>) -> f64 {
    let fleet = scene.fleet;
    if !scene.ui.is_left_unfinished(fleet) {
        return fleet.fraction();
    }
    let all = fleet.devices().len();
    all.saturating_sub(fleet.unfinished()) as f64 / all.max(1) as f64
}

fn progress(scene: &Scene<'_>, room: usize) -> Vec<Span<'static>> {
    let share = share(scene);
    let tone = if scene.fleet.is_over() {
        Tone::Plain
    } else {
        Tone::Live
    };
    let mut spans = Vec::new();
    if room >= BAR.1 {
        spans.push(span(bar(share, room.min(BAR.0)), tone.style()));
    }
    spans.push(span(
        format!(" {:>3} % ", percent(share)),
        Tone::Plain.bold(),
    ));
    spans
}

/// The whole screen in one line, for terminals with room for no more: what there is to know, and what to press.
pub(super) fn draw_tiny(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let keys = tiny_keys(scene);
    let mut left = Vec::new();
    left.extend(tiny_title(scene));
    left.push(span(summary(scene), Tone::Plain.style()));
    let right = vec![span(keys, Tone::Plain.bold())];
    put(buf, area, 0, &ends(left, right, width));
}

/// A box has no room here, and keys answer it all the same.
fn tiny_keys(scene: &Scene<'_>) -> &'static str {
    match scene.ui.focus(scene.fleet) {
        Focus::Question => "y yes, n no",
        Focus::Notice | Focus::Help | Focus::Secret | Focus::RetryBox | Focus::Budget => "Esc back",
        _ => "q quit",
    }
}

fn summary(scene: &Scene<'_>) -> String {
    let fleet = scene.fleet;
    let counts = fleet.counts();
    let all = fleet.devices().len();
    if crate::tui::ui::on_plan(fleet) {
        let (wanted, first) = (fleet.to_confirm(), fleet.to_watch_first());
        let watches = match first {
            0 => String::new(),
            n => format!("watches {n}, "),
        };
        let upgrades = wanted - first;
        return format!("plan: {watches}upgrades {upgrades}/{all}, needs 40x10");
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
