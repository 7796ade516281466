//! A run that is only looked at: its clock, and the keys for the pace of a replay.

use jiff::Timestamp;

use crate::engine::{DeviceState, Fact, FleetRun, Phase};

use super::Dashboard;
use crate::tui::theme::Tone;
use crate::tui::ui::read_only::{Pace, PaceKey, ReadOnly};
use crate::tui::view::time_of_day;

/// How the screen says that the run is only looked at; `over` where no event can come any more.
pub(super) fn sign(session: &FleetRun, over: bool) -> Option<ReadOnly> {
    let Some(replay) = session.replay() else {
        let attached = ReadOnly::Attached { gone: over };
        return session.is_read_only().then_some(attached);
    };
    Some(ReadOnly::Replay(if replay.is_over() {
        Pace::Over {
            goes_on: replay.goes_on(),
        }
    } else if replay.is_paused() {
        Pace::Paused
    } else {
        Pace::At {
            speed: replay.speed(),
            cut_to: replay.cut_to(),
        }
    }))
}

impl Dashboard<'_> {
    /// The time that the screen shows.
    pub(super) fn now(&self) -> Timestamp {
        let replay = self.session.replay();
        replay.map_or_else(Timestamp::now, crate::engine::Replay::now)
    }

    /// Whether something on the screen changes by itself.
    pub(super) fn has_clocks(&self) -> bool {
        if let Some(replay) = self.session.replay() {
            return !replay.is_paused() && !replay.is_over();
        }
        let fleet = self.session.fleet();
        let runs = fleet.phase() != Phase::Planned;
        runs && fleet.devices().iter().any(DeviceState::has_task)
    }

    pub(super) fn pace(&mut self, key: PaceKey) {
        let Some(replay) = self.session.replay_mut() else {
            return;
        };
        match key {
            PaceKey::Pause if replay.is_over() => {
                replay.pause(false);
                self.begin_again();
            }
            PaceKey::Pause => {
                let paused = replay.is_paused();
                replay.pause(!paused);
            }
            PaceKey::Step => self.step(false),
            PaceKey::StepOver => self.step(true),
            PaceKey::Faster => replay.set_speed(replay.speed().faster()),
            PaceKey::Slower => replay.set_speed(replay.speed().slower()),
            PaceKey::Again => self.begin_again(),
        }
    }

    fn begin_again(&mut self) {
        self.session.begin_again();
        self.ui.begin_again(self.session.fleet());
        self.over = false;
    }

    /// Shows the next event, and says what it is.
    fn step(&mut self, over_progress: bool) {
        if let Some(replay) = self.session.replay_mut() {
            replay.pause(true);
        }
        while let Some(event) = self.session.step() {
            self.event(&event);
            if over_progress && is_progress(&event.fact) {
                continue;
            }
            if let Some(line) = event.fact.headline() {
                let at = time_of_day(event.at, &self.options.zone);
                self.ui.notice = Some((Tone::Plain, format!("{at}  {line}")));
            }
            return;
        }
    }
}

fn is_progress(fact: &Fact) -> bool {
    use crate::engine::DeviceFact::StageProgress;
    matches!(
        fact,
        Fact::Device {
            fact: StageProgress { .. },
            ..
        }
    )
}
