//! The state of the screen: what is selected, marked, filtered and open. Keys and events change it, and what is to be
//! done outside leaves as [`Effect`]s. `keymap` says what a key means, `view` draws this state, and the files in
//! `ui` hold its parts: the selection, the panes, the other pictures of the fleet, actions on devices, and the boxes.

mod device_actions;
pub(super) mod failures;
mod filter_input;
pub(super) mod fleet_map;
mod halt_box;
mod marked_devices;
mod mouse;
mod panes;
pub(super) mod plan_counts;
pub(super) mod read_only;
pub(super) mod retry_box;
mod secret_box;
mod selection;
mod stale_questions;

use std::collections::BTreeSet;

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind};
use ratatui::layout::Size;

use crate::engine::{DeviceFact, DeviceState, Event, Fact, Fleet, Intent, Mode, Phase};
use crate::model::{DeviceId, OutcomeKind};

pub(super) use self::device_actions::can_cancel;
use self::failures::Failures;
use self::filter_input::FilterInput;
use self::halt_box::Budget;
use self::read_only::{PaceKey, ReadOnly};
use self::retry_box::RetryBox;
use self::secret_box::Secrets;
use super::device_order::Sort;
use super::inventory::Inventory;
use super::keymap::{Action, Focus};
use super::layout::{Areas, LayoutRequest, PaneChoice, Zoom};
use super::recent_log::RecentLog;
use super::theme::Tone;

/// What a key asks for outside the screen.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Effect {
    /// Tell the fleet.
    Intend(Intent),
    /// Leave the dashboard.
    Leave,
    /// Copy to the clipboard.
    Copy(String),
    /// Change the pace of a replay.
    Pace(PaceKey),
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
    /// Cancel these, which are marked?
    CancelMarked(Vec<DeviceId>),
    /// Cancel all devices?
    CancelAll,
    /// This device waits for its secret; what is typed is in `secrets`.
    Secret(DeviceId),
    /// This device can no longer be cancelled.
    PastInstall(DeviceId),
}

/// How the fleet is shown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Board {
    Table,
    /// What went wrong, by reason.
    Failures,
    /// A cell for each device.
    Map,
}

/// The state of the screen.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else, and all go together"
)]
pub(super) struct Ui {
    pub(super) size: Size,
    pub(super) board: Board,
    pub(super) sort: Sort,
    /// Whether the order is turned round.
    pub(super) reverse: bool,
    pub(super) filter: FilterInput,
    /// The marked devices, as indexes into the fleet's devices. A filter hides marks and does not take them away.
    pub(super) marks: BTreeSet<usize>,
    pub(super) failures: Failures,
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
    /// Whether another process has gone on with the run.
    pub(super) reopened: bool,
    /// What names the run's journal: see [`super::Options::journal`].
    pub(super) journal: Option<&'static str>,
    /// Present where the run is only looked at.
    pub(super) read_only: Option<ReadOnly>,
    /// The selected device, as an index into the fleet's devices; kept when the order changes.
    selected: usize,
    order_is_stale: bool,
    /// Whether the plan was shown the last time that the fleet was looked at.
    was_plan: bool,
}

impl Ui {
    pub(super) fn new(size: Size) -> Self {
        Self {
            size,
            board: Board::Table,
            sort: Sort::default(),
            reverse: false,
            filter: FilterInput::default(),
            marks: BTreeSet::new(),
            failures: Failures::default(),
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
            reopened: false,
            journal: Some(""),
            read_only: None,
            selected: 0,
            order_is_stale: true,
            was_plan: false,
        }
    }

    /// Takes in an event, after the fleet has.
    pub(super) fn event(&mut self, event: &Event) {
        self.log.take(event);
        self.reopened |= matches!(event.fact, Fact::RunReopened(_));
        let Fact::Device { device, fact, .. } = &event.fact else {
            return;
        };
        if matches!(fact, DeviceFact::SecretWanted) {
            self.secrets.wanted(device);
        }
        if matches!(fact, DeviceFact::StageProgress { .. }) {
            return;
        }
        self.order_is_stale |= self.follows_events();
    }

    /// Updates everything that depends on the fleet and the size; called before each frame and key.
    pub(super) fn settle(&mut self, fleet: &Fleet) {
        self.settle_selection(fleet);
        if on_plan(fleet) {
            self.zoom = None;
            self.board = Board::Table;
        }
        self.settle_failures(fleet);
        self.settle_questions(fleet);
        self.settle_budget(fleet);
        self.settle_secrets(fleet);
    }

    /// Where the parts of the screen are.
    pub(super) fn areas(&self, fleet: &Fleet) -> Areas {
        let table = self.board == Board::Table;
        Areas::of(&LayoutRequest {
            size: self.size,
            plan: on_plan(fleet).then(|| plan_counts::lines(fleet, self.size.width)),
            banner: self.process_is_gone()
                || fleet.stop().is_some()
                || (!on_plan(fleet) && (fleet.is_over() || fleet.is_halted())),
            people: !on_plan(fleet) && fleet.devices().iter().any(waits_for_person),
            // Only the table shares the screen with panes.
            detail: if table { self.detail } else { PaneChoice::Off },
            log: if table {
                self.log_pane
            } else {
                PaneChoice::Off
            },
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
            None if self.filter.editing => Focus::Filter,
            None => self.page(fleet),
        }
    }

    /// Where the keyboard goes when no box is open and no filter is typed.
    pub(super) fn page(&self, fleet: &Fleet) -> Focus {
        match self.board {
            _ if on_plan(fleet) => Focus::Plan,
            _ if self.zoom.is_some() => Focus::Reading,
            Board::Table => Focus::Devices,
            Board::Failures => Focus::Failures,
            Board::Map => Focus::Map,
        }
    }

    /// Takes in a key.
    pub(super) fn key(&mut self, event: &KeyEvent, fleet: &Fleet) -> Vec<Effect> {
        if event.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let asked = self.popup.is_some();
        self.settle(fleet);
        let focus = self.focus(fleet);
        let action = self.meaning(focus, event);
        if asked && self.popup.is_none() && action != Some(Action::Interrupt) {
            // The key was meant for a box that is gone.
            return Vec::new();
        }
        self.notice = None;
        let effects = match (action, event.code) {
            (Some(action), _) => self.action(action, focus, fleet),
            (None, KeyCode::Char(c)) if focus == Focus::Plan && c.is_ascii_digit() => {
                if self.refuses(Action::Start, focus) {
                    return Vec::new();
                }
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
        // What is asked for here is carried out later, and need not be an event.
        self.order_is_stale |= !effects.is_empty() && self.follows_events();
        effects
    }

    fn digit(&mut self, c: char, fleet: &Fleet) {
        let wanted = fleet.to_confirm();
        if fleet.phase() == Phase::Planned && wanted > 0 && self.typed.len() < 9 {
            self.typed.push(c);
        }
    }

    fn action(&mut self, action: Action, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        if self.refuses(action, focus) {
            return Vec::new();
        }
        if let Some(effects) = Self::pace(action) {
            return effects;
        }
        match action {
            Action::Up
            | Action::Down
            | Action::Left
            | Action::Right
            | Action::PageUp
            | Action::PageDown
            | Action::Top
            | Action::Bottom => self.scroll_or_select(action, focus, fleet),
            Action::NextLook => self.look(true, fleet),
            Action::LastLook => self.look(false, fleet),
            Action::Mark => return self.mark(focus, fleet),
            Action::MarkAll => return self.mark_all(focus, fleet),
            Action::Sort => self.sort_by_next(fleet),
            Action::Reverse => self.turn_round(),
            Action::Filter => self.open_filter(),
            Action::Keep => self.keep_filter(),
            Action::Failures => self.toggle_board(Board::Failures, fleet),
            Action::Map => self.toggle_board(Board::Map, fleet),
            Action::Open => self.open(focus, fleet),
            Action::Audit => self.toggle_audit(fleet),
            Action::Detail => self.toggle_pane(Zoom::Detail, fleet),
            Action::Log => self.toggle_pane(Zoom::Log, fleet),
            Action::Back => self.back(focus, fleet),
            Action::Help => {
                self.popup = Some(Popup::Help);
                self.scroll = 0;
            }
            Action::No => self.popup = None,
            _ => return self.act(action, focus, fleet),
        }
        Vec::new()
    }

    /// The actions on devices and on the run.
    fn act(&mut self, action: Action, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        match action {
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
            Action::Retry => return self.retry(focus, fleet),
            Action::RetryFailed => return self.retry_failed(focus, fleet),
            Action::Cancel => self.ask_cancel(focus, fleet),
            Action::CancelAll => self.ask_cancel_all(fleet),
            Action::Copy => return self.copy(focus, fleet),
            Action::Quit => return self.quit(focus, fleet),
            Action::Interrupt if self.read_only.is_some() => return vec![Effect::Leave],
            Action::Interrupt => {
                self.popup = None;
                return vec![Effect::Intend(Intent::Interrupt)];
            }
            Action::Yes => return self.yes(fleet),
            _ => {}
        }
        Vec::new()
    }

    fn quit(&mut self, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        let over = fleet.is_over() && fleet.stop().is_none();
        if focus == Focus::Plan || over || self.read_only.is_some() {
            return vec![Effect::Leave];
        }
        self.popup = Some(Popup::Quit);
        Vec::new()
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
