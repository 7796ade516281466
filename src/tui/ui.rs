//! What the screen remembers: selection, panes, filter, question. Keys and events change it.
//! Must not: draw, do IO, or look at a clock; wishes leave as [`Action`]s.

use std::time::Duration;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use tui_input::{Input, InputRequest};

use crate::engine::{DeviceFact, Event, Fact, Fleet, Intent, Mode, Phase, Row, RowState};
use crate::model::{DeviceId, Stage, Verdict, VerdictKind};

use super::keymap::{self, Act, Place};
use super::layout::{Areas, Request, Wish, Zoom};
use super::log::Log;
use super::look::Tone;
use super::order::{Sort, order};

/// What is to be done outside of the screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Action {
    /// A wish for the fleet.
    Intend(Intent),
    /// Leave the dashboard.
    Leave,
    /// Copy to the clipboard.
    Copy(String),
}

/// A box over the screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Popup {
    Help,
    /// Leave the plan without changing anything?
    LeavePlan,
    /// Stop and leave, while devices are in flight?
    Quit,
    /// Cancel this device?
    Cancel(DeviceId),
    /// Cancel all devices?
    CancelAll,
    /// This device can no longer be cancelled.
    PastInstall(DeviceId),
}

/// See the module's head.
pub(super) struct Ui {
    pub(super) size: Size,
    pub(super) sort: Sort,
    pub(super) filter: Input,
    /// Whether the filter is being typed.
    pub(super) editing: bool,
    /// The devices shown, as an index into the fleet's rows.
    pub(super) order: Vec<usize>,
    /// The selected device, as a position in `order`.
    pub(super) cursor: usize,
    /// The first device on the screen, as a position in `order`.
    pub(super) top: usize,
    pub(super) detail: Wish,
    pub(super) log_pane: Wish,
    pub(super) zoom: Option<Zoom>,
    /// Lines that a pane over the whole screen, or the help, is scrolled by: from the first line, but in
    /// the log from the last.
    pub(super) scroll: usize,
    pub(super) popup: Option<Popup>,
    /// The plan's input.
    pub(super) typed: String,
    /// What the last key led to, until the next.
    pub(super) notice: Option<(Tone, String)>,
    pub(super) log: Log,
    /// The quickest and the slowest validation so far, for comparison.
    pub(super) checks: Option<(Duration, Duration)>,
    /// The selected device, as an index into the fleet's rows: it stays when the order changes.
    selected: usize,
    order_is_stale: bool,
}

impl Ui {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            sort: Sort::default(),
            filter: Input::default(),
            editing: false,
            order: Vec::new(),
            cursor: 0,
            top: 0,
            detail: Wish::Auto,
            log_pane: Wish::Auto,
            zoom: None,
            scroll: 0,
            popup: None,
            typed: String::new(),
            notice: None,
            log: Log::default(),
            checks: None,
            selected: 0,
            order_is_stale: true,
        }
    }

    /// Takes in an event that the fleet has taken in already.
    pub(super) fn event(&mut self, event: &Event) {
        self.log.take(event);
        let Fact::Device { fact, .. } = &event.fact else {
            return;
        };
        if matches!(fact, DeviceFact::StageProgress { .. }) {
            return;
        }
        if let DeviceFact::StageFinished {
            stage: Stage::Check,
            took,
            failure: None,
            ..
        } = fact
        {
            let (least, most) = self.checks.unwrap_or((*took, *took));
            self.checks = Some((least.min(*took), most.max(*took)));
        }
        let moves = matches!(self.sort, Sort::State | Sort::Stage);
        self.order_is_stale |= moves || !self.filter.value().is_empty();
    }

    /// Brings everything that depends on the fleet and the size up to date; before each frame and key.
    pub(super) fn settle(&mut self, fleet: &Fleet) {
        if self.order_is_stale {
            self.order_is_stale = false;
            self.order = order(fleet, self.sort, self.filter.value());
            if let Some(at) = self.order.iter().position(|&n| n == self.selected) {
                self.cursor = at;
            }
        }
        self.cursor = self.cursor.min(self.order.len().saturating_sub(1));
        let rows = self.areas(fleet).rows().max(1);
        let last_top = self.order.len().saturating_sub(rows);
        self.top = self.top.min(self.cursor).min(last_top);
        self.top = self.top.max((self.cursor + 1).saturating_sub(rows));
        if self.popup == Some(Popup::LeavePlan) && !on_plan(fleet) {
            self.popup = None;
        }
        if on_plan(fleet) {
            self.zoom = None;
        }
    }

    /// Where the parts of the screen are.
    pub(super) fn areas(&self, fleet: &Fleet) -> Areas {
        Areas::of(&Request {
            size: self.size,
            plan: on_plan(fleet),
            banner: fleet.stop().is_some() || (!on_plan(fleet) && fleet.is_over()),
            detail: self.detail,
            log: self.log_pane,
            zoom: self.zoom,
            devices: fleet.rows().len(),
        })
    }

    /// The selected device, where one is shown.
    pub(super) fn selected<'a>(&self, fleet: &'a Fleet) -> Option<&'a Row> {
        fleet.rows().get(*self.order.get(self.cursor)?)
    }

    /// Where the keyboard goes.
    pub(super) fn place(&self, fleet: &Fleet) -> Place {
        match &self.popup {
            Some(Popup::Help) => Place::Help,
            Some(Popup::PastInstall(_)) => Place::Notice,
            // While devices are brought to a safe point there is nothing to say yes to.
            Some(Popup::Quit) if fleet.stop().is_some() => Place::Notice,
            Some(_) => Place::Question,
            None if on_plan(fleet) => Place::Plan,
            None if self.editing => Place::Filter,
            None if self.zoom.is_some() => Place::Reading,
            None => Place::Devices,
        }
    }

    /// Takes in a key.
    pub(super) fn key(&mut self, event: &KeyEvent, fleet: &Fleet) -> Vec<Action> {
        if event.kind == KeyEventKind::Release {
            return Vec::new();
        }
        self.settle(fleet);
        self.notice = None;
        let place = self.place(fleet);
        let actions = match (keymap::act(place, event), event.code) {
            (Some(act), _) => self.act(act, place, fleet),
            (None, KeyCode::Char(c)) if place == Place::Plan && c.is_ascii_digit() => {
                self.digit(c, fleet);
                Vec::new()
            }
            (None, _) if place == Place::Filter => {
                self.edit(event);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.settle(fleet);
        actions
    }

    fn digit(&mut self, c: char, fleet: &Fleet) {
        let wanted = fleet.planned(VerdictKind::Upgrade);
        if fleet.phase() == Phase::Planned && wanted > 0 && self.typed.len() < 9 {
            self.typed.push(c);
        }
    }

    fn edit(&mut self, event: &KeyEvent) {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let request = match event.code {
            KeyCode::Char('w') if control => InputRequest::DeletePrevWord,
            KeyCode::Char('u') if control => InputRequest::DeleteLine,
            KeyCode::Char(_) if control => return,
            KeyCode::Char(c) => InputRequest::InsertChar(c),
            KeyCode::Backspace => InputRequest::DeletePrevChar,
            KeyCode::Delete => InputRequest::DeleteNextChar,
            KeyCode::Left => InputRequest::GoToPrevChar,
            KeyCode::Right => InputRequest::GoToNextChar,
            KeyCode::Home => InputRequest::GoToStart,
            KeyCode::End => InputRequest::GoToEnd,
            _ => return,
        };
        self.filter.handle(request);
        self.order_is_stale = true;
    }

    fn act(&mut self, act: Act, place: Place, fleet: &Fleet) -> Vec<Action> {
        match act {
            Act::Up | Act::Down | Act::PageUp | Act::PageDown | Act::Top | Act::Bottom => {
                self.travel(act, place, fleet);
            }
            Act::Start => return self.start(fleet),
            Act::Erase => {
                self.typed.pop();
            }
            Act::Detail => self.turn(Zoom::Detail, fleet),
            Act::Log => self.turn(Zoom::Log, fleet),
            Act::Back => self.back(place, fleet),
            Act::Filter => {
                self.editing = true;
                self.zoom = None;
            }
            Act::Keep => self.editing = false,
            Act::Sort => {
                self.sort = self.sort.next();
                self.order_is_stale = true;
            }
            Act::Help => {
                self.popup = Some(Popup::Help);
                self.scroll = 0;
            }
            Act::Retry => return self.retry(place, fleet),
            Act::RetryFailed => return self.retry_failed(place, fleet),
            Act::Cancel => self.ask_cancel(fleet),
            Act::CancelAll => {
                if can_cancel_any(fleet) {
                    self.popup = Some(Popup::CancelAll);
                } else {
                    self.warn("nothing that could still be cancelled");
                }
            }
            Act::Copy => return self.copy(fleet),
            Act::Quit => {
                if place == Place::Plan || (fleet.is_over() && fleet.stop().is_none()) {
                    return vec![Action::Leave];
                }
                self.popup = Some(Popup::Quit);
            }
            Act::Interrupt => {
                self.popup = None;
                return vec![Action::Intend(Intent::Interrupt)];
            }
            Act::Yes => return self.yes(fleet),
            Act::No => self.popup = None,
        }
        Vec::new()
    }

    fn travel(&mut self, act: Act, place: Place, fleet: &Fleet) {
        let page = self.areas(fleet).rows().max(2) - 1;
        if matches!(place, Place::Reading | Place::Help) {
            let page = usize::from(self.size.height.max(8) - 6);
            // The log is scrolled from its end.
            let towards_start = matches!(act, Act::Up | Act::PageUp | Act::Top);
            let grows = towards_start == (self.zoom == Some(Zoom::Log) && place == Place::Reading);
            let by = match act {
                Act::Up | Act::Down => 1,
                Act::PageUp | Act::PageDown => page,
                _ => usize::MAX,
            };
            self.scroll = if grows {
                self.scroll.saturating_add(by)
            } else {
                self.scroll.saturating_sub(by)
            };
            return;
        }
        let last = self.order.len().saturating_sub(1);
        self.cursor = match act {
            Act::Up => self.cursor.saturating_sub(1),
            Act::Down => self.cursor + 1,
            Act::PageUp => self.cursor.saturating_sub(page),
            Act::PageDown => self.cursor + page,
            Act::Top => 0,
            _ => last,
        }
        .min(last);
        if let Some(&n) = self.order.get(self.cursor) {
            self.selected = n;
        }
    }

    /// Takes a pane from off to on to the whole screen to off.
    fn turn(&mut self, zoom: Zoom, fleet: &Fleet) {
        self.scroll = 0;
        let areas = self.areas(fleet);
        let (wish, shown) = match zoom {
            Zoom::Detail => (&mut self.detail, areas.detail.is_some()),
            Zoom::Log => (&mut self.log_pane, areas.log.is_some()),
        };
        if self.zoom == Some(zoom) {
            self.zoom = None;
            *wish = Wish::Off;
        } else if shown || self.zoom.is_some() {
            self.zoom = Some(zoom);
        } else {
            *wish = Wish::On;
            // Where there is no room for both, the one asked for last is shown.
            if zoom == Zoom::Detail && self.areas(fleet).detail.is_none() {
                self.log_pane = Wish::Off;
            }
            let areas = self.areas(fleet);
            if areas.detail.is_none() && areas.log.is_none() {
                self.zoom = Some(zoom);
            }
        }
    }

    fn back(&mut self, place: Place, fleet: &Fleet) {
        match place {
            Place::Help => self.popup = None,
            Place::Plan if !self.typed.is_empty() => self.typed.clear(),
            Place::Plan => self.popup = Some(Popup::LeavePlan),
            Place::Reading => self.zoom = None,
            Place::Devices if self.filter.value().is_empty() => {
                let areas = self.areas(fleet);
                if self.log_pane == Wish::On && areas.log.is_some() {
                    self.log_pane = Wish::Off;
                } else if areas.detail.is_some() {
                    self.detail = Wish::Off;
                }
            }
            _ => {
                self.editing = false;
                self.filter.reset();
                self.order_is_stale = true;
            }
        }
    }

    fn start(&mut self, fleet: &Fleet) -> Vec<Action> {
        if fleet.phase() != Phase::Planned {
            self.warn("still looking at devices");
            return Vec::new();
        }
        let wanted = fleet.planned(VerdictKind::Upgrade);
        if fleet.mode() != Mode::Confirm {
            return vec![Action::Leave];
        }
        if wanted == 0 {
            // Confirmed, so that every device ends as the plan says, and the exit code with them.
            return vec![Action::Intend(Intent::Confirm), Action::Leave];
        }
        let typed = std::mem::take(&mut self.typed);
        if typed == wanted.to_string() {
            return vec![Action::Intend(Intent::Confirm)];
        }
        let text = if typed.is_empty() {
            format!("type {wanted}, the number of devices to be upgraded, then Enter")
        } else {
            format!("{typed} is not the number of devices to be upgraded, which is {wanted}")
        };
        self.notice = Some((Tone::Bad, text));
        Vec::new()
    }

    fn retry(&mut self, place: Place, fleet: &Fleet) -> Vec<Action> {
        let Some(row) = self.selected(fleet) else {
            return Vec::new();
        };
        if self.possible(Act::Retry, place, fleet) {
            self.typed.clear();
            return vec![Action::Intend(Intent::Retry(row.id.clone()))];
        }
        let text = match row.outcome_kind() {
            _ if fleet.stop().is_some() => "stopping: nothing new starts".to_owned(),
            Some(kind) => format!("{} is {kind}: nothing to retry", row.id),
            None => format!("{} has not ended yet", row.id),
        };
        self.warn(&text);
        Vec::new()
    }

    fn retry_failed(&mut self, place: Place, fleet: &Fleet) -> Vec<Action> {
        if self.possible(Act::RetryFailed, place, fleet) {
            self.typed.clear();
            return vec![Action::Intend(Intent::RetryFailed)];
        }
        self.warn(if fleet.stop().is_some() {
            "stopping: nothing new starts"
        } else {
            "nothing to retry"
        });
        Vec::new()
    }

    fn ask_cancel(&mut self, fleet: &Fleet) {
        let Some(row) = self.selected(fleet) else {
            return;
        };
        if !row.is_busy() {
            let text = format!("{} is not under way: nothing to cancel", row.id);
            self.warn(&text);
        } else if row.has_task() && row.is_past_install() {
            self.popup = Some(Popup::PastInstall(row.id.clone()));
        } else if fleet.stop().is_some() || !can_cancel(row) {
            let text = format!("{} is being stopped already", row.id);
            self.warn(&text);
        } else {
            self.popup = Some(Popup::Cancel(row.id.clone()));
        }
    }

    fn yes(&mut self, fleet: &Fleet) -> Vec<Action> {
        match self.popup.take() {
            Some(Popup::LeavePlan) => vec![Action::Leave],
            Some(Popup::Quit) if fleet.is_over() => vec![Action::Leave],
            Some(Popup::Quit) => vec![Action::Intend(Intent::Interrupt)],
            Some(Popup::CancelAll) => vec![Action::Intend(Intent::CancelAll)],
            Some(Popup::Cancel(id)) => {
                // It may have gone on while the question stood.
                let row = fleet.row(&id);
                if row.is_some_and(|r| r.has_task() && r.is_past_install()) {
                    self.popup = Some(Popup::PastInstall(id));
                    return Vec::new();
                }
                vec![Action::Intend(Intent::Cancel(id))]
            }
            Some(Popup::Help | Popup::PastInstall(_)) | None => Vec::new(),
        }
    }

    fn copy(&mut self, fleet: &Fleet) -> Vec<Action> {
        let Some(text) = self.selected(fleet).and_then(last_error) else {
            self.warn("no error to copy");
            return Vec::new();
        };
        self.notice = Some((
            Tone::Plain,
            "sent to the clipboard (OSC 52), if this terminal takes it".to_owned(),
        ));
        vec![Action::Copy(text)]
    }

    /// Whether a key would do something now; the footer shows only those.
    pub(super) fn possible(&self, act: Act, place: Place, fleet: &Fleet) -> bool {
        let row = self.selected(fleet);
        let free = fleet.stop().is_none();
        match act {
            Act::Retry if place == Place::Plan => {
                free && row.is_some_and(|r| matches!(r.state, RowState::Planned))
            }
            Act::RetryFailed if place == Place::Plan => {
                let again = |r: &Row| {
                    let cannot = matches!(r.verdict, Some(Verdict::Cannot(_)));
                    matches!(r.state, RowState::Planned) && cannot
                };
                free && fleet.rows().iter().any(again)
            }
            Act::Retry => free && row.is_some_and(Row::is_retryable),
            Act::RetryFailed => free && fleet.rows().iter().any(Row::is_retryable),
            Act::Cancel => free && row.is_some_and(can_cancel),
            Act::CancelAll => can_cancel_any(fleet),
            Act::Copy => row.and_then(last_error).is_some(),
            Act::Start => fleet.phase() == Phase::Planned,
            Act::Interrupt if place == Place::Devices => !fleet.is_over(),
            Act::Yes => place == Place::Question,
            _ => true,
        }
    }

    fn warn(&mut self, text: &str) {
        self.notice = Some((Tone::Warn, text.to_owned()));
    }
}

/// Whether the plan is shown, and not the dashboard.
pub(super) fn on_plan(fleet: &Fleet) -> bool {
    fleet.mode() != Mode::Go && fleet.phase() != Phase::Upgrading
}

fn can_cancel_any(fleet: &Fleet) -> bool {
    fleet.stop().is_none() && fleet.rows().iter().any(can_cancel)
}

/// Whether a device can still be stopped before its install, and is not being stopped already.
fn can_cancel(row: &Row) -> bool {
    let stopping = row.active().is_some_and(|a| a.cancelling);
    row.is_busy() && !stopping && !(row.has_task() && row.is_past_install())
}

/// What went wrong last with a device, to be pasted into a message.
fn last_error(row: &Row) -> Option<String> {
    if let Some(outcome) = row.outcome()
        && let Some(hint) = outcome.hint()
    {
        let at = outcome
            .stage()
            .map(|s| format!(" at {s}"))
            .unwrap_or_default();
        let (kind, reason) = (outcome.kind(), outcome.reason());
        return Some(format!("{}: {kind}{at}: {reason}\n{hint}", row.id));
    }
    if let Some(Verdict::Cannot(failure)) = &row.verdict
        && matches!(row.state, RowState::Planned)
    {
        return Some(format!("{}: {failure}\n{}", row.id, failure.hint()));
    }
    let step = row.timeline.iter().rev().find(|s| s.failure.is_some())?;
    let failure = step.failure.as_ref()?;
    Some(format!("{}: {}: {failure}", row.id, step.stage))
}
