//! The state of the screen: selection, panes, filter, open box. Keys and events change it, and what is to be
//! done outside leaves as [`Effect`]s. `keymap` says what a key means, `view` draws this state, and the files in
//! `ui` hold the parts for actions on devices and for the boxes with a state of their own.

mod device_actions;
mod halt_box;
pub(super) mod retry_box;
mod secret_box;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use ratatui::layout::Size;
use tui_input::{Input, InputRequest};

use crate::engine::{DeviceFact, DeviceState, Event, Fact, Fleet, Intent, Mode, Phase};
use crate::model::{DeviceId, OutcomeKind};

use self::device_actions::can_cancel_any;
use self::halt_box::Budget;
use self::retry_box::RetryBox;
use self::secret_box::Secrets;
use super::device_order::{Sort, order};
use super::inventory::Inventory;
use super::keymap::{self, Action, Focus};
use super::layout::{Areas, LayoutRequest, PaneChoice, Zoom};
use super::recent_log::RecentLog;
use super::theme::Tone;

/// The most bytes that a filter takes: each key costs more the longer it is, and names are shorter.
const LONGEST_FILTER: usize = 256;

/// The notice when a filter takes no more.
const FILTER_IS_FULL: &str = "the filter is full: the rest is left out";

/// What a key asks for outside the screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Tell the fleet.
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
    /// Retry these devices?
    RetryBox(RetryBox),
    /// The run is halted: stop it, or go on with another budget? The digits typed are in `budget`.
    Budget,
    /// Cancel this device?
    Cancel(DeviceId),
    /// Cancel all devices?
    CancelAll,
    /// This device waits for its secret; what is typed is in `secrets`.
    Secret(DeviceId),
    /// This device can no longer be cancelled.
    PastInstall(DeviceId),
}

/// The state of the screen.
pub(super) struct Ui {
    pub(super) size: Size,
    pub(super) sort: Sort,
    pub(super) filter: Input,
    /// Whether the filter is being typed.
    pub(super) editing: bool,
    /// The devices shown, as indexes into the fleet's devices.
    pub(super) order: Vec<usize>,
    /// The selected device, as a position in `order`.
    pub(super) cursor: usize,
    /// The first device on the screen, as a position in `order`.
    pub(super) top: usize,
    pub(super) detail: PaneChoice,
    pub(super) log_pane: PaneChoice,
    pub(super) zoom: Option<Zoom>,
    /// By how many lines the help, or a pane over the whole screen, is scrolled: from the first line, in the log
    /// from the last.
    pub(super) scroll: usize,
    pub(super) popup: Option<Popup>,
    /// The plan's input.
    pub(super) typed: String,
    /// What the last key led to, shown until the next key.
    pub(super) notice: Option<(Tone, String)>,
    pub(super) log: RecentLog,
    pub(super) secrets: Secrets,
    pub(super) budget: Budget,
    /// Whether the audit log is to be scrolled to the entry in question, before the next frame.
    pub(super) reveal: bool,
    /// What is shown of the inventory.
    pub(super) inventory: Inventory,
    /// The selected device, as an index into the fleet's devices; kept when the order changes.
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
            detail: PaneChoice::Auto,
            log_pane: PaneChoice::Auto,
            zoom: None,
            scroll: 0,
            popup: None,
            typed: String::new(),
            notice: None,
            log: RecentLog::default(),
            secrets: Secrets::default(),
            budget: Budget::default(),
            reveal: false,
            inventory: Inventory::default(),
            selected: 0,
            order_is_stale: true,
        }
    }

    /// Takes in an event, after the fleet has.
    pub(super) fn event(&mut self, event: &Event) {
        self.log.take(event);
        let Fact::Device { device, fact, .. } = &event.fact else {
            return;
        };
        if matches!(fact, DeviceFact::SecretWanted) {
            self.secrets.wanted(device);
        }
        if matches!(fact, DeviceFact::StageProgress { .. }) {
            return;
        }
        let moves = matches!(self.sort, Sort::State | Sort::Stage);
        self.order_is_stale |= moves || !self.filter.value().is_empty();
    }

    /// Updates everything that depends on the fleet and the size; called before each frame and key.
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
        self.settle_budget(fleet);
        self.settle_secrets(fleet);
    }

    /// Where the parts of the screen are.
    pub(super) fn areas(&self, fleet: &Fleet) -> Areas {
        Areas::of(&LayoutRequest {
            size: self.size,
            plan: on_plan(fleet),
            banner: fleet.stop().is_some()
                || (!on_plan(fleet) && (fleet.is_over() || fleet.is_halted())),
            people: !on_plan(fleet) && fleet.devices().iter().any(waits_for_person),
            detail: self.detail,
            log: self.log_pane,
            zoom: self.zoom,
            devices: fleet.devices().len(),
        })
    }

    /// The selected device, where one is shown.
    pub(super) fn selected<'a>(&self, fleet: &'a Fleet) -> Option<&'a DeviceState> {
        fleet.devices().get(*self.order.get(self.cursor)?)
    }

    /// Where the keyboard goes.
    pub(super) fn focus(&self, fleet: &Fleet) -> Focus {
        match &self.popup {
            Some(Popup::Help) => Focus::Help,
            Some(Popup::Secret(_)) => Focus::Secret,
            Some(Popup::RetryBox(_)) => Focus::RetryBox,
            Some(Popup::Budget) => Focus::Budget,
            Some(Popup::PastInstall(_)) => Focus::Notice,
            // While devices are brought to a safe point the box only informs.
            Some(Popup::Quit) if fleet.stop().is_some() => Focus::Notice,
            Some(_) => Focus::Question,
            None if on_plan(fleet) => Focus::Plan,
            None if self.editing => Focus::Filter,
            None if self.zoom.is_some() => Focus::Reading,
            None => Focus::Devices,
        }
    }

    /// Takes in a key.
    pub(super) fn key(&mut self, event: &KeyEvent, fleet: &Fleet) -> Vec<Effect> {
        if event.kind == KeyEventKind::Release {
            return Vec::new();
        }
        self.settle(fleet);
        self.notice = None;
        let focus = self.focus(fleet);
        let effects = match (keymap::action(focus, event), event.code) {
            (Some(action), _) => self.action(action, focus, fleet),
            (None, KeyCode::Char(c)) if focus == Focus::Plan && c.is_ascii_digit() => {
                self.digit(c, fleet);
                Vec::new()
            }
            (None, KeyCode::Char(c)) if focus == Focus::Budget && c.is_ascii_digit() => {
                self.type_budget(c);
                Vec::new()
            }
            (None, _) if focus == Focus::Filter => {
                self.edit(event);
                Vec::new()
            }
            (None, _) if focus == Focus::Secret => {
                self.type_secret(event);
                Vec::new()
            }
            _ => Vec::new(),
        };
        self.settle(fleet);
        effects
    }

    fn digit(&mut self, c: char, fleet: &Fleet) {
        let wanted = fleet.to_confirm();
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
            KeyCode::Char(_) if self.filter.value().len() >= LONGEST_FILTER => {
                return self.warn(FILTER_IS_FULL);
            }
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

    fn action(&mut self, action: Action, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        match action {
            Action::Up
            | Action::Down
            | Action::PageUp
            | Action::PageDown
            | Action::Top
            | Action::Bottom => {
                self.scroll_or_select(action, focus, fleet);
            }
            Action::Start => return self.start(fleet),
            Action::Erase if focus == Focus::Secret => self.erase_secret(),
            Action::Erase if focus == Focus::Budget => {
                self.budget.typed.pop();
            }
            Action::Erase => {
                self.typed.pop();
            }
            Action::Secret => self.open_secret(fleet),
            Action::Send => return self.send_secret(),
            Action::Later if focus == Focus::Budget => self.put_off_budget(),
            Action::Later => self.put_off_secret(),
            Action::Budget => self.open_budget(fleet),
            Action::GoOn => return self.go_on(fleet),
            Action::StopRollout => return self.stop_rollout(),
            Action::RolledBack => self.choose(OutcomeKind::RolledBack),
            Action::Cancelled => self.choose(OutcomeKind::Cancelled),
            Action::Audit => {
                self.scroll = 0;
                self.reveal = self.zoom != Some(Zoom::Audit);
                self.zoom = self.reveal.then_some(Zoom::Audit);
            }
            Action::Detail => self.toggle_pane(Zoom::Detail, fleet),
            Action::Log => self.toggle_pane(Zoom::Log, fleet),
            Action::Back => self.back(focus, fleet),
            Action::Filter => {
                self.editing = true;
                self.zoom = None;
            }
            Action::Keep => self.editing = false,
            Action::Sort => {
                self.sort = self.sort.next();
                self.order_is_stale = true;
            }
            Action::Help => {
                self.popup = Some(Popup::Help);
                self.scroll = 0;
            }
            Action::Retry => return self.retry(focus, fleet),
            Action::RetryFailed => return self.retry_failed(focus, fleet),
            Action::Cancel => self.ask_cancel(fleet),
            Action::CancelAll => {
                if can_cancel_any(fleet) {
                    self.popup = Some(Popup::CancelAll);
                } else {
                    self.warn("nothing can be cancelled any more");
                }
            }
            Action::Copy => return self.copy(fleet),
            Action::Quit => {
                if focus == Focus::Plan || (fleet.is_over() && fleet.stop().is_none()) {
                    return vec![Effect::Leave];
                }
                self.popup = Some(Popup::Quit);
            }
            Action::Interrupt => {
                self.popup = None;
                return vec![Effect::Intend(Intent::Interrupt)];
            }
            Action::Yes => return self.yes(fleet),
            Action::No => self.popup = None,
        }
        Vec::new()
    }

    fn scroll_or_select(&mut self, action: Action, focus: Focus, fleet: &Fleet) {
        let page = self.areas(fleet).rows().max(2) - 1;
        if matches!(focus, Focus::Reading | Focus::Help) {
            let page = usize::from(self.size.height.max(8) - 6);
            // The log is scrolled from its end.
            let towards_start = matches!(action, Action::Up | Action::PageUp | Action::Top);
            let grows = towards_start == (self.zoom == Some(Zoom::Log) && focus == Focus::Reading);
            let by = match action {
                Action::Up | Action::Down => 1,
                Action::PageUp | Action::PageDown => page,
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
        self.cursor = match action {
            Action::Up => self.cursor.saturating_sub(1),
            Action::Down => self.cursor + 1,
            Action::PageUp => self.cursor.saturating_sub(page),
            Action::PageDown => self.cursor + page,
            Action::Top => 0,
            _ => last,
        }
        .min(last);
        if let Some(&n) = self.order.get(self.cursor) {
            self.selected = n;
        }
    }

    /// Switches a pane from off to on, to the whole screen, and to off again.
    fn toggle_pane(&mut self, zoom: Zoom, fleet: &Fleet) {
        self.scroll = 0;
        let areas = self.areas(fleet);
        let (choice, shown) = match zoom {
            Zoom::Detail | Zoom::Audit => (&mut self.detail, areas.detail.is_some()),
            Zoom::Log => (&mut self.log_pane, areas.log.is_some()),
        };
        if self.zoom == Some(zoom) {
            self.zoom = None;
            *choice = PaneChoice::Off;
        } else if shown || self.zoom.is_some() {
            self.zoom = Some(zoom);
        } else {
            *choice = PaneChoice::On;
            // If there is no room for both, the one asked for last is shown.
            if zoom == Zoom::Detail && self.areas(fleet).detail.is_none() {
                self.log_pane = PaneChoice::Off;
            }
            let areas = self.areas(fleet);
            if areas.detail.is_none() && areas.log.is_none() {
                self.zoom = Some(zoom);
            }
        }
    }

    fn back(&mut self, focus: Focus, fleet: &Fleet) {
        match focus {
            Focus::Help => self.popup = None,
            Focus::Plan if !self.typed.is_empty() => self.typed.clear(),
            Focus::Plan => self.popup = Some(Popup::LeavePlan),
            Focus::Reading => self.zoom = None,
            Focus::Devices if self.filter.value().is_empty() => {
                let areas = self.areas(fleet);
                if self.log_pane == PaneChoice::On && areas.log.is_some() {
                    self.log_pane = PaneChoice::Off;
                } else if areas.detail.is_some() {
                    self.detail = PaneChoice::Off;
                }
            }
            _ => {
                self.editing = false;
                self.filter.reset();
                self.order_is_stale = true;
            }
        }
    }
}

/// Whether a device waits for somebody to do something.
pub(super) fn waits_for_person(device: &DeviceState) -> bool {
    device
        .active()
        .is_some_and(|active| active.person.is_some())
}

/// Whether the plan is shown, and not the dashboard.
pub(super) fn on_plan(fleet: &Fleet) -> bool {
    fleet.mode() != Mode::Go && fleet.phase() != Phase::Upgrading
}
