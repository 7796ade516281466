//! The failure budget: the harm that installs did is weighed against `[rollout] max_failures`, and each install asks
//! here for its permit. How a device's task waits for the permit is in `procedure::install`.
//!
//! Nobody is asked from here. Whoever shows the run asks a person, and answers with
//! [`Intent::Halt`](crate::engine::Intent::Halt) or [`Intent::GoOn`](crate::engine::Intent::GoOn).

use crate::model::{MaxFailures, Outcome, Rollout, Touched};

use super::device_state::DevicePhase;
use super::reducer::{Fleet, Phase};
use crate::engine::event::RunHalt;
use crate::engine::reducer_messages::Command;

impl Fleet {
    /// The same fleet, held back like this.
    #[must_use]
    pub fn with_rollout(mut self, rollout: Rollout) -> Self {
        self.max_failures = rollout.max_failures;
        self.facts_mut().max_failures = rollout.max_failures;
        self
    }

    /// The budget as it was given last.
    pub fn max_failures(&self) -> MaxFailures {
        self.max_failures
    }

    /// At how much harm the run is halted.
    pub fn allowed_harm(&self) -> usize {
        self.max_failures.allowed(self.counters().wanted)
    }

    /// The harm that installs of this run did, as things stand: 1 for each device that rolled back or reports
    /// a fault since, 2 for each that is lost or unknown.
    pub fn harm(&self) -> usize {
        self.counters().harm
    }

    /// Whether the budget was spent: nothing new starts, and no install gets a permit, until somebody gives
    /// another one.
    pub fn is_halted(&self) -> bool {
        self.halted
    }

    /// Why the run is halted, if it is, as things stand.
    pub fn run_halt(&self) -> Option<RunHalt> {
        let harmed = self.devices.iter().filter(|device| device.harm > 0);
        self.halted.then(|| RunHalt {
            harm: self.harm(),
            allowed: self.allowed_harm(),
            max_failures: self.max_failures,
            devices: harmed.map(|device| device.id.clone()).collect(),
        })
    }

    /// How many devices an install is still to be sent to, in line or under way.
    pub fn to_install(&self) -> usize {
        self.counters().to_install
    }

    /// Whether the run is halted, and devices wait for somebody to say whether it goes on.
    pub fn waits_for_budget(&self) -> bool {
        let going = self.phase() == Phase::Upgrading && self.stop().is_none();
        self.halted && going && self.to_install() > 0
    }

    /// Halts the run if the budget is spent; called after every message. Permits are taken back then, so that a device in
    /// its last look no longer sends its install.
    pub(super) fn check_budget(&mut self, commands: &mut Vec<Command>) {
        let going = self.phase() == Phase::Upgrading && self.stop().is_none();
        if self.halted || !going || self.harm() == 0 || self.harm() < self.allowed_harm() {
            return;
        }
        self.halted = true;
        for device in &mut self.devices {
            if device.permit && !device.is_past_install() {
                device.permit = false;
                device.wants_permit = true;
                commands.push(Command::RevokePermit {
                    device: device.id.clone(),
                });
            }
        }
        commands.extend(self.run_halt().map(Command::AnnounceHalted));
    }

    /// A device is ready for its install: it may send it, unless the run is halted or it is being stopped.
    pub(super) fn give_permit(&mut self, n: usize, commands: &mut Vec<Command>) {
        // This message may have spent the budget.
        self.check_budget(commands);
        let device = &mut self.devices[n];
        if self.halted || device.cancelling || !device.wants_permit {
            return;
        }
        device.wants_permit = false;
        device.permit = true;
        commands.push(Command::GivePermit {
            device: device.id.clone(),
        });
    }

    /// The run is not to go on: all devices that wait for their install are stopped before it.
    pub(in crate::engine) fn halt(&mut self, commands: &mut Vec<Command>) {
        if !self.halted {
            return;
        }
        for n in 0..self.devices.len() {
            if !self.devices[n].is_to_install() {
                continue;
            }
            commands.push(self.change(n, |device| {
                if matches!(device.state, DevicePhase::Waiting) {
                    if device.is_in_doubt() {
                        return device.finish_cancelled();
                    }
                    return device.finish_as(Outcome::Halted(Touched::Nothing));
                }
                device.cancelling = true;
                Command::Halt {
                    device: device.id.clone(),
                }
            }));
        }
    }

    /// A person gave another budget. One that is spent already changes nothing.
    pub(super) fn go_on(&mut self, max_failures: MaxFailures, commands: &mut Vec<Command>) {
        let enough = max_failures.allowed(self.counters().wanted) > self.harm();
        if !self.halted || !enough || self.stop().is_some() {
            return;
        }
        self.max_failures = max_failures;
        self.halted = false;
        commands.push(Command::AnnounceResumed {
            harm: self.harm(),
            max_failures,
        });
        for n in 0..self.devices.len() {
            if self.devices[n].wants_permit {
                self.give_permit(n, commands);
            }
        }
    }
}
