//! A run that is only looked at: a replay, or one of another process. Every key that looks works, one that would steer
//! the run says why it does not, and a replay has keys for its pace.

use jiff::Timestamp;
use ratatui::crossterm::event::KeyEvent;

use crate::engine::{Fleet, Speed};

use super::{Effect, Focus, Ui};
use crate::tui::keymap::{self, Action, Binding};
use crate::tui::recent_log::RecentLog;

/// Why a run is only looked at.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::tui) enum ReadOnly {
    /// It is one of the past.
    Replay(Pace),
    /// It is another process's.
    Attached {
        /// Whether that process is gone.
        gone: bool,
    },
}

/// How a replay goes on.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::tui) enum Pace {
    /// It goes on.
    At {
        /// How many times as fast as it was.
        speed: Speed,
        /// Where the wait for the next event is cut short: its time.
        cut_to: Option<Timestamp>,
    },
    /// It stands still.
    Paused,
    /// All of it has been shown.
    Over {
        /// Whether another process is at work on the run, so that there may be more by now.
        goes_on: bool,
    },
}

/// A key for the pace of a replay.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) enum PaceKey {
    /// Stand still, or go on; once it is over, begin again.
    Pause,
    /// The next event.
    Step,
    /// The next event that is more than progress.
    StepOver,
    Faster,
    Slower,
    Again,
}

impl ReadOnly {
    /// Where its own keys are: they come before those of a page.
    pub(in crate::tui) fn focus(self) -> Focus {
        match self {
            Self::Replay(_) => Focus::Replay,
            Self::Attached { .. } => Focus::Attached,
        }
    }

    fn refusal(self) -> &'static str {
        match self {
            Self::Replay(_) => "read-only: this is a replay",
            Self::Attached { gone: false } => "read-only: another process runs it",
            Self::Attached { gone: true } => "read-only: its process is gone",
        }
    }
}

impl Ui {
    /// What a key does while the focus is here.
    pub(super) fn meaning(&self, focus: Focus, event: &KeyEvent) -> Option<Action> {
        let own = self.own_focus(focus);
        let own = own.and_then(|own| keymap::action(own, event));
        own.or_else(|| keymap::action(focus, event))
    }

    /// The keys that mean something here, in the order of footer and help.
    pub(in crate::tui) fn bindings(&self, focus: Focus) -> impl Iterator<Item = &'static Binding> {
        let own = self.own_focus(focus);
        let is_own = move |b: &Binding| own.is_some() && own == Some(b.focus);
        let hidden = move |b: &&Binding| {
            own.is_some_and(|own| b.action.steers(focus) || keymap::of(own).any(|o| o.shares(b)))
        };
        let of_page = keymap::of(focus).filter(move |b| !hidden(b));
        keymap::BINDINGS
            .iter()
            .filter(move |b| is_own(b))
            .chain(of_page)
    }

    /// The keys of a run that is only looked at, where they go together with those of `focus`.
    fn own_focus(&self, focus: Focus) -> Option<Focus> {
        let pages = [
            Focus::Plan,
            Focus::Devices,
            Focus::Failures,
            Focus::Map,
            Focus::Reading,
        ];
        let own = self.read_only.map(ReadOnly::focus);
        own.filter(|_| pages.contains(&focus))
    }

    /// Whether `action` is none for somebody who only looks; says why.
    pub(super) fn refuses(&mut self, action: Action, focus: Focus) -> bool {
        let Some(read_only) = self.read_only.filter(|_| action.steers(focus)) else {
            return false;
        };
        self.warn(read_only.refusal());
        true
    }

    /// The key that changes the pace of a replay.
    pub(super) fn pace(action: Action) -> Option<Vec<Effect>> {
        let key = match action {
            Action::Pause => PaceKey::Pause,
            Action::Step => PaceKey::Step,
            Action::StepOver => PaceKey::StepOver,
            Action::Faster => PaceKey::Faster,
            Action::Slower => PaceKey::Slower,
            Action::Again => PaceKey::Again,
            _ => return None,
        };
        Some(vec![Effect::Pace(key)])
    }

    /// Whether the process is gone whose run this is, or was at this point of it.
    pub(in crate::tui) fn process_is_gone(&self) -> bool {
        matches!(
            self.read_only,
            Some(ReadOnly::Attached { gone: true } | ReadOnly::Replay(Pace::Over { .. }))
        )
    }

    /// Whether all of a replay has been shown: it can only begin again.
    pub(in crate::tui) fn is_replay_over(&self) -> bool {
        matches!(self.read_only, Some(ReadOnly::Replay(Pace::Over { .. })))
    }

    /// Whether the process is gone, and has left the run before its end.
    pub(in crate::tui) fn is_left_unfinished(&self, fleet: &Fleet) -> bool {
        let may_go_on = self.read_only == Some(ReadOnly::Replay(Pace::Over { goes_on: true }));
        let before_its_end = fleet.ended().is_none() || fleet.stop().is_some();
        self.process_is_gone() && before_its_end && !may_go_on
    }

    /// How the run is only looked at, if it is. What the last key led to is no news any more once the process is gone.
    pub(in crate::tui) fn only_looks(&mut self, read_only: Option<ReadOnly>) {
        let gone = Some(ReadOnly::Attached { gone: true });
        if read_only == gone && self.read_only != gone {
            self.notice = None;
        }
        self.read_only = read_only;
    }

    /// The run begins again: what was seen of it is forgotten, and what was chosen stays.
    pub(in crate::tui) fn begin_again(&mut self, fleet: &Fleet) {
        self.log = RecentLog::default();
        self.was_plan = false;
        self.reopened = false;
        self.order_is_stale = true;
        self.settle(fleet);
    }
}
