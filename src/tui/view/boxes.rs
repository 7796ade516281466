//! The boxes over the screen: the help and the questions. `ui` takes the answers.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear, Widget};

use crate::engine::{DeviceState, Fleet};
use crate::model::{DeviceId, OutcomeKind, Stage, VerdictKind};

use super::Scene;
use super::halt_box;
use super::in_flight;
use super::named_devices::{hidden_marks, some_names};
use super::retry_box;
use super::secret_box;
use super::text_layout::{BoxText, fit, left, span};
use crate::tui::filter::fields;
use crate::tui::keymap::{Action, Focus};
use crate::tui::theme::{Mark, Tone};
use crate::tui::ui::{Popup, Ui, can_cancel};

/// Draws the box, in the middle of `area`.
pub(super) fn draw(scene: &Scene<'_>, popup: &Popup, area: Rect, buf: &mut Buffer) {
    let width = area.width.min(74);
    let inner = usize::from(width.saturating_sub(4));
    let room = usize::from(area.height.saturating_sub(2));
    let (title, lines) = match popup {
        Popup::Help => (" Help ", help(scene.ui, scene.fleet, inner)),
        Popup::Secret(_) => (" A secret is wanted ", question(scene, popup, inner, room)),
        Popup::Budget => (" The run is halted ", question(scene, popup, inner, room)),
        _ => (" hemfleet asks ", question(scene, popup, inner, room)),
    };
    let wanted = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let height = wanted.min(area.height);
    let frame = Rect {
        x: area.x + (area.width - width) / 2,
        y: area.y + (area.height - height) / 2,
        width,
        height,
    };
    Clear.render(frame, buf);
    let block = Block::bordered()
        .border_type(BorderType::Plain)
        .border_style(Tone::Live.style())
        .title(span(title, Tone::Live.bold()));
    block.render(frame, buf);
    let room = usize::from(height.saturating_sub(2));
    let scroll = match popup {
        Popup::Help => scene.ui.scroll.min(lines.len().saturating_sub(room)),
        _ => 0,
    };
    for (n, line) in (1..).zip(lines.iter().skip(scroll).take(room)) {
        buf.set_line(frame.x + 2, frame.y + n, line, width.saturating_sub(4));
    }
}

/// How many lines of the help do not fit; for scrolling.
pub(super) fn help_overflow(ui: &Ui, fleet: &Fleet, area: Rect) -> usize {
    let inner = usize::from(area.width.min(74).saturating_sub(4));
    help(ui, fleet, inner)
        .len()
        .saturating_sub(usize::from(area.height.saturating_sub(2)))
}

fn help(ui: &Ui, fleet: &Fleet, width: usize) -> Vec<Line<'static>> {
    let focus = ui.page(fleet);
    let mut lines: Vec<Line<'static>> = ui
        .bindings(focus)
        .filter(|b| !b.help.is_empty())
        .filter(|b| b.action != Action::Budget || ui.possible(b.action, focus, fleet))
        .map(|b| {
            Line::from(fit(
                vec![
                    span(left(b.shown, 11), Tone::Plain.bold()),
                    span(b.help, Tone::Plain.style()),
                ],
                width,
            ))
        })
        .collect();
    lines.push(Line::from(vec![
        span(left("field:", 11), Tone::Plain.bold()),
        span(fields(), Tone::Plain.style()),
    ]));
    let mut marks = if focus == Focus::Plan {
        on_plan(fleet)
    } else {
        in_run()
    };
    marks.push(Mark {
        glyph: "!",
        word: "a weak link: http or insecure",
        tone: Tone::Warn,
    });
    let mut line: Vec<Span<'static>> = Vec::new();
    for mark in marks {
        let mark = span(format!("{} {}  ", mark.glyph, mark.word), mark.tone.style());
        let used: usize = line.iter().map(Span::width).sum();
        if used + mark.width() > width + 2 {
            lines.push(Line::from(std::mem::take(&mut line)));
        }
        line.push(mark);
    }
    lines.push(Line::from(line));
    lines
}

/// The signs of a run.
fn in_run() -> Vec<Mark> {
    let mut marks = vec![Mark::RUNNING, Mark::WAITING];
    marks.extend(OutcomeKind::ALL.map(Mark::of_outcome));
    marks.push(lead("log:"));
    marks.extend(Mark::AUDITS);
    marks
}

/// The signs of the plan, and of what was finished before it.
fn on_plan(fleet: &Fleet) -> Vec<Mark> {
    let mut marks: Vec<Mark> = VerdictKind::ALL.map(Mark::of_verdict).into();
    marks.extend([Mark::LEFT_OUT, Mark::LOOKING, Mark::WAITING]);
    if fleet.finished_before() > 0 {
        marks.push(lead("finished before:"));
        let there = |kind: &OutcomeKind| fleet.counts().of(*kind) > 0;
        let ended = OutcomeKind::ALL.into_iter().filter(there);
        marks.extend(ended.map(Mark::of_outcome));
    }
    marks
}

/// What the signs after it are about.
fn lead(text: &'static str) -> Mark {
    Mark {
        glyph: text,
        word: "",
        tone: Tone::Plain,
    }
}

fn question(scene: &Scene<'_>, popup: &Popup, width: usize, room: usize) -> Vec<Line<'static>> {
    let fleet = scene.fleet;
    let mut text = BoxText::new(width);
    match popup {
        Popup::Help => {}
        Popup::RetryBox(asked) => retry_box::question(&mut text, asked, scene, room),
        Popup::Budget => halt_box::question(&mut text, fleet, &scene.ui.budget.typed, room),
        Popup::LeavePlan => {
            text.say(
                "Leave? Nothing has been changed on any device.",
                Tone::Plain,
            );
            text.keys(&[("y", "leave"), ("n", "stay")]);
        }
        Popup::Cancel(id) => {
            text.say(&format!("Cancel {id}?"), Tone::Warn);
            text.say(&cancel_means(fleet.device(id)), Tone::Plain);
            text.keys(&[("y", "cancel it"), ("n", "go on")]);
        }
        Popup::CancelMarked(ids) => cancel_marked(&mut text, ids, scene),
        Popup::CancelAll => {
            text.say(
                "Cancel all devices that are not installing yet?",
                Tone::Warn,
            );
            text.say(
                "They keep the firmware that they run. Devices past the install are watched to their end.",
                Tone::Plain,
            );
            text.keys(&[("y", "cancel them"), ("n", "go on")]);
        }
        Popup::PastInstall(id) => {
            text.say(&format!("{id} can no longer be stopped."), Tone::Warn);
            text.say(
                "Its install was sent: the device reboots by itself, and hemfleet watches until it is back. \
                 Do not unplug it.",
                Tone::Plain,
            );
            text.keys(&[("Esc", "back")]);
        }
        Popup::Secret(id) => secret_box::say(&mut text, scene, id),
        Popup::Quit => quit(&mut text, scene),
    }
    text.lines
}

/// Says how many of the marked devices are stopped, which, and what becomes of the others.
fn cancel_marked(text: &mut BoxText, ids: &[DeviceId], scene: &Scene<'_>) {
    let all: Vec<&DeviceState> = ids.iter().filter_map(|id| scene.fleet.device(id)).collect();
    let (open, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|device| can_cancel(device));
    let (past, rest): (Vec<&DeviceState>, Vec<&DeviceState>) = others
        .into_iter()
        .partition(|device| device.has_task() && device.is_past_install());
    let named = |text: &mut BoxText, devices: &[&DeviceState], tone| {
        for names in some_names(devices, text.width.saturating_sub(2), 4) {
            text.line(&format!("  {names}"), tone);
        }
    };
    let question = format!("Cancel {} of {} marked?", open.len(), ids.len());
    text.say(&question, Tone::Warn);
    named(text, &open, Tone::Plain);
    hidden_marks(text, scene);
    text.say(
        "They are stopped before their install and keep the firmware that they run.",
        Tone::Plain,
    );
    if !past.is_empty() {
        let what = format!("{} past the install: watched to the end.", past.len());
        text.say(&what, Tone::Warn);
        named(text, &past, Tone::Warn);
    }
    if !rest.is_empty() {
        let what = format!("{} not under way: nothing happens there.", rest.len());
        text.say(&what, Tone::Plain);
    }
    text.keys(&[("y", "cancel them"), ("n", "go on")]);
}

fn cancel_means(device: Option<&DeviceState>) -> String {
    match device {
        Some(device) if device.has_task() => {
            "It is stopped before its install and keeps the firmware that it runs.".to_owned()
        }
        Some(device) if device.pending.is_some() => {
            "Its turn has not come. What became of its earlier install stays unknown.".to_owned()
        }
        _ => "Its turn has not come: nothing will be sent to it.".to_owned(),
    }
}

/// Lists the devices in flight, and says what each way out means for them.
fn quit(text: &mut BoxText, scene: &Scene<'_>) {
    let fleet = scene.fleet;
    let counts = fleet.counts();
    let flying: Vec<&DeviceState> = in_flight(fleet).collect();
    if fleet.stop().is_some() {
        text.say(
            "Stopping already: hemfleet leaves by itself when these are safe.",
            Tone::Warn,
        );
    } else if flying.is_empty() && counts.waiting == 0 {
        text.say("Nothing runs any more.", Tone::Plain);
        text.keys(&[("y", "leave"), ("n", "stay")]);
        return;
    } else {
        let waiting = match counts.waiting {
            0 => String::new(),
            n => format!(", {n} still waiting"),
        };
        text.say(
            &format!("Quit? {} in flight{waiting}:", flying.len()),
            Tone::Warn,
        );
    }
    for device in flying.iter().take(6) {
        let stage = device.active().map_or(Stage::Probe, |a| a.stage);
        let (what, tone) = if device.is_past_install() {
            ("past the install: watched to its end", Tone::Warn)
        } else {
            ("stopped before its install", Tone::Plain)
        };
        // As it stands in its row, so that no two look alike.
        let names = &scene.ui.inventory.names;
        let name = fleet.index_of(&device.id).map_or("", |n| names.shown(n));
        let name = left(name, names.width());
        let line = format!("  {name} {} {what}", left(stage.as_str(), 10));
        text.line(&line, tone);
    }
    if flying.len() > 6 {
        text.line(&format!("  … and {} more", flying.len() - 6), Tone::Plain);
    }
    if fleet.stop().is_some() {
        text.say(
            "Ctrl-C stops at once; devices past the install are then in doubt.",
            Tone::Plain,
        );
        text.keys(&[("Esc", "back")]);
        return;
    }
    text.keys(&[
        ("y", "bring these to a safe point, then leave"),
        ("n", "stay"),
    ]);
}
