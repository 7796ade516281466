//! The plan: what will be done to each device and why, shown before anything is changed. `ui::device_actions`
//! starts the run once the number of devices is typed.

use std::fmt::Write as _;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use unicode_width::UnicodeWidthStr;

use crate::engine::{DevicePhase, DeviceState, Fleet, Mode, Phase, Seen};
use crate::model::{Verdict, counted};

use super::columns::Columns;
use super::device_message::doing;
use super::table::{link, pad, pointer, rows, title};
use super::text_layout::{cut, rule, span, warning_first, with_mark, wrap};
use super::{Scene, put, selected_name};
use crate::tui::theme::{Mark, Tone};
use crate::tui::ui::plan_counts;

fn cells_line(cells: Vec<(Vec<Span<'static>>, usize)>, lead: Vec<Span<'static>>) -> Line<'static> {
    let mut spans = lead;
    for (cell, width) in cells {
        if width > 0 {
            spans.extend(pad(cell, width));
            spans.push(Span::raw(" "));
        }
    }
    Line::from(spans)
}

/// Draws the table of verdicts.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    put(buf, area, 0, &title(scene, width));
    let inventory = &scene.ui.inventory;
    let columns = Columns::of_plan(scene.fleet, inventory, width).with_names(inventory, width);
    let head = |text: &'static str| vec![span(text, Tone::Dull.style())];
    let heads = vec![
        (head("NAME"), columns.name),
        (head("GROUP"), columns.group),
        (head("FIRMWARE"), columns.firmware),
        (head("VERDICT"), columns.state),
        (
            head(if columns.link > 1 { "LINK" } else { "" }),
            columns.link,
        ),
        (head("WHY"), columns.reason),
    ];
    put(buf, area, 1, &cells_line(heads, vec![Span::raw("   ")]));
    rows(scene, area, buf, |n, selected| {
        row_line(scene, n, &columns, selected)
    });
}

fn row_line(scene: &Scene<'_>, n: usize, columns: &Columns, selected: bool) -> Line<'static> {
    let row = &scene.fleet.devices()[n];
    let (mark, why) = verdict(row);
    let style = mark.tone.style();
    let text = if mark.tone == Tone::Dull {
        Tone::Dull
    } else {
        Tone::Plain
    };
    let (weak, weak_tone) = link(row, columns.link);
    let cell = |what: String, style| vec![span(what, style)];
    let cells = vec![
        (
            cell(scene.ui.inventory.names.shown(n).to_owned(), text.style()),
            columns.name,
        ),
        (
            cell(row.group.clone().unwrap_or_default(), Tone::Dull.style()),
            columns.group,
        ),
        (cell(firmware(scene, row), text.style()), columns.firmware),
        (cell(mark.word.to_owned(), style), columns.state),
        (cell(weak.to_owned(), weak_tone.bold()), columns.link),
        (
            cell(warning_first(&why, columns.reason), text.style()),
            columns.reason,
        ),
    ];
    cells_line(
        cells,
        vec![pointer(selected), span(format!("{} ", mark.glyph), style)],
    )
}

/// The verdict and the reason, or what goes on where there is none yet.
fn verdict(row: &DeviceState) -> (Mark, String) {
    match (&row.state, &row.verdict) {
        (DevicePhase::Planned, _) if row.is_left_out() => {
            let why = "left out by hand; Space takes it in";
            (Mark::LEFT_OUT, why.to_owned())
        }
        (DevicePhase::Planned, Some(verdict)) => {
            let mut mark = Mark::of_verdict(verdict.kind());
            if verdict.failure().is_some() {
                mark.tone = Tone::Bad;
            }
            (mark, verdict.reason())
        }
        (DevicePhase::Done(outcome), _) => (Mark::of_outcome(outcome.kind()), outcome.reason()),
        (DevicePhase::Running(active), _) => {
            let mut why = doing(active.stage).to_owned();
            if let Some(pause) = &active.pause {
                why = format!(
                    "try {} of {} follows · {}",
                    pause.next_try, pause.of, pause.after
                );
            }
            (Mark::LOOKING, why)
        }
        (DevicePhase::Starting, _) => (Mark::LOOKING, String::new()),
        _ => (Mark::WAITING, String::new()),
    }
}

/// `1.2.2 → 1.2.3` for what will be upgraded, else what runs.
fn firmware(scene: &Scene<'_>, row: &DeviceState) -> String {
    let from = row.from_label().unwrap_or_else(|| "?".to_owned());
    let firmware = scene.fleet.payload().firmware.is_some();
    let moves = !row.is_left_out()
        && matches!(
            row.verdict,
            Some(Verdict::Upgrade { .. } | Verdict::Downgrade { .. })
        );
    if firmware && moves {
        return format!("{from} → {}", scene.fleet.payload().version_label());
    }
    from
}

/// The pane below: the selected device's reason in full, and what to do about it.
pub(super) fn draw_why(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let Some(row) = scene.ui.selected(scene.fleet) else {
        return;
    };
    let (mark, why) = verdict(row);
    let title = vec![
        span(selected_name(scene, width), Tone::Plain.bold()),
        span(
            format!(" · {} {}", mark.glyph, mark.word),
            mark.tone.style(),
        ),
    ];
    let (link, tone) = if row.link.is_weak() {
        (format!("! link: {}", row.link.as_str()), Tone::Warn)
    } else {
        (format!("link: {}", row.link.as_str()), Tone::Dull)
    };
    put(
        buf,
        area,
        0,
        &rule(title, vec![span(link, tone.style())], width),
    );
    let mut lines = Vec::new();
    let room = width.saturating_sub(5);
    if let Some(seen) = &row.seen {
        let text = format!("  {}", cut(&said(seen), room));
        lines.push(Line::from(span(text, Tone::Dull.style())));
    }
    for line in wrap(&why, room) {
        lines.push(Line::from(span(format!("  {line}"), mark.tone.style())));
    }
    if let DevicePhase::Planned = &row.state
        && let Some(failure) = row.verdict.as_ref().and_then(Verdict::failure)
    {
        lines.extend(with_mark("→", &failure.hint(), room, Tone::Plain.style()));
    }
    for (n, line) in (1..area.height).zip(lines) {
        put(buf, area, n, &line);
    }
}

/// What a device said of itself.
fn said(seen: &Seen) -> String {
    let Seen { version, status } = seen;
    let clock = match (status.initialised, status.clock) {
        (false, _) => "fresh",
        (true, Some(_)) => "clock set",
        (true, None) => "clock not set",
    };
    let mut line = format!("{} · {} · {clock}", version.hwv, status.fls_state);
    if let Some(fws) = version.fws {
        let _ = write!(line, " · runs {}…", fws.short());
    }
    if let Some(fwk) = version.fwk {
        let _ = write!(line, " signed by {}…", fwk.short());
    }
    line
}

/// The counts, what cannot be undone, and the input.
pub(super) fn draw_prompt(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let fleet = scene.fleet;
    let wanted = fleet.to_confirm();
    let line = |text: &str, tone: Tone| Line::from(span(cut(text, width), tone.bold()));
    let above = area.height.saturating_sub(2);
    for (n, text) in (0..).zip(counts(fleet, width, usize::from(above))) {
        put(buf, area, n, &line(&text, Tone::Plain));
    }
    put(buf, area, above, &line(&warning(fleet, wanted), Tone::Warn));
    let (tone, text) = match (fleet.phase(), fleet.mode(), wanted) {
        _ if fleet.stop().is_some() => (Tone::Warn, " Stopping.".to_owned()),
        (Phase::Idle | Phase::Planning, ..) => {
            let all = fleet.devices().len();
            let busy = fleet.devices().iter().filter(|r| r.is_busy()).count();
            let text = format!(
                " Looking at devices, nothing is changed: {} of {all}",
                all - busy
            );
            (Tone::Live, text)
        }
        _ if scene.ui.read_only.is_some() => {
            let text = " It waits for its confirmation, which is not given here.";
            (Tone::Plain, text.to_owned())
        }
        (_, Mode::Confirm, 0) if fleet.to_watch() > 0 => {
            let n = fleet.to_watch();
            let them = counted(n, "device", "devices");
            let text = format!(" Enter watches {them} to the end, r looks again, Esc leaves.");
            (Tone::Live, text)
        }
        (_, Mode::Confirm, 0) => (
            Tone::Warn,
            " Nothing is to be upgraded. Enter leaves, r looks again.".to_owned(),
        ),
        (_, Mode::Confirm, n) => {
            let typed = &scene.ui.typed;
            (
                Tone::Plain,
                format!(" Type {n} to start, Esc to leave: {typed}_"),
            )
        }
        _ => (
            Tone::Plain,
            " This is the plan: nothing was changed. q leaves.".to_owned(),
        ),
    };
    put(buf, area, above + 1, &line(&text, tone));
}

/// What the plan comes to, in so many lines; and what being watched means, where there is room to say it. A count stays in
/// one line if that is possible.
fn counts(fleet: &Fleet, width: usize, lines: usize) -> Vec<String> {
    let width = width.saturating_sub(1);
    let counts = plan_counts::parts(fleet);
    let mut told = Vec::new();
    if fleet.to_watch() > 0 {
        let means = "Nothing is sent to a device while it is watched.".to_owned();
        let with_means = [counts.as_slice(), std::slice::from_ref(&means)].concat();
        told.push([filled(&counts, width), wrap(&means, width)].concat());
        told.push(filled(&with_means, width));
        told.push(wrap(&with_means.join(" "), width));
    }
    told.push(filled(&counts, width));
    let by_words = wrap(&counts.join(" "), width);
    // Where it does not fit at all, the end of the last line shows that there is more.
    let (whole, rest) = by_words.split_at(lines.saturating_sub(1).min(by_words.len()));
    let rest = rest.join(" ");
    told.push(whole.iter().cloned().chain([rest]).collect());
    let fits = told.iter().position(|told| told.len() <= lines);
    let told = fits.map_or_else(Vec::new, |n| told.swap_remove(n));
    told.iter().map(|line| format!(" {line}")).collect()
}

/// `parts` in lines, each as full as may be.
fn filled(parts: &[String], width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in parts {
        match lines.last_mut() {
            Some(line) if line.width() + 1 + part.width() <= width => {
                line.push(' ');
                line.push_str(part);
            }
            _ => lines.push(part.clone()),
        }
    }
    lines.iter().flat_map(|line| wrap(line, width)).collect()
}

/// What must have been read before anything starts.
fn warning(fleet: &Fleet, wanted: usize) -> String {
    let mut line = String::new();
    if wanted > 0 && fleet.payload().firmware.is_some() {
        line.push_str(" A firmware upgrade cannot be undone.");
    }
    let weak = fleet.devices().iter().filter(|r| r.link.is_weak()).count();
    if weak > 0 {
        let _ = write!(line, " ! {}", counted(weak, "weak link", "weak links"));
    }
    line
}
