//! The devices that wait for a task, and which of them starts next.

use super::device_state::{DevicePhase, DeviceState};
use super::reducer::{Fleet, Mode, Phase};
use crate::engine::reducer_messages::Command;

impl Fleet {
    /// Puts a device in the queue. One that is only watched, or whose log alone is open, comes before all that
    /// are still to be installed: whoever asked for it wants to know where it stands.
    pub(super) fn enqueue(&mut self, n: usize) {
        let ticket = (n, self.devices[n].attempt);
        if self.devices[n].has_open_end() {
            self.open_ends.push_back(ticket);
        } else {
            self.queue.push_back(ticket);
        }
        self.change(n, |device| {
            device.state = DevicePhase::Waiting;
            device.queued = true;
        });
    }

    /// The next device in the queue; once the run is halted none that an install would be sent to. A look for the plan
    /// sends none.
    fn next_in_line(&mut self) -> Option<usize> {
        loop {
            let (n, attempt) = match self.open_ends.pop_front() {
                Some(ticket) => ticket,
                None if self.halted && self.phase() == Phase::Upgrading => return None,
                None => self.queue.pop_front()?,
            };
            // A cancelled device has left the queue, and may stand in it again.
            let device = &self.devices[n];
            if device.queued && device.attempt == attempt {
                return Some(n);
            }
        }
    }

    /// Starts what waits, up to the limit.
    pub(in crate::engine) fn fill(&mut self, commands: &mut Vec<Command>) {
        if self.stop().is_some() {
            return;
        }
        while self.counters.counts.running < self.concurrency()
            && let Some(n) = self.next_in_line()
        {
            self.change(n, |device| {
                device.state = DevicePhase::Starting;
                device.queued = false;
            });
            let state = &self.devices[n];
            let device = state.id.clone();
            let attempt = state.attempt;
            commands.push(match (self.phase(), self.mode()) {
                (Phase::Planning, _) => Command::Plan {
                    device,
                    attempt,
                    resume: state.resume(),
                    takes_other: state.takes_other,
                    refused: state.refused_before(),
                },
                (_, Mode::Audit { all }) => Command::Audit {
                    device,
                    attempt,
                    all,
                },
                _ => Command::Start {
                    device,
                    attempt,
                    resume: state.resume(),
                    planned: state.planned_device(),
                    takes_other: state.takes_other,
                    refused: state.refused_before(),
                },
            });
        }
    }
}

impl DeviceState {
    /// Whether an earlier attempt left something open, which is all that a further one may do.
    pub(super) fn has_open_end(&self) -> bool {
        self.pending.is_some() || self.reread.is_some()
    }

    /// Whether an install is still to be sent to it: it is in line or under way for one, and not stopped.
    pub(super) fn is_to_install(&self) -> bool {
        let comes = self.queued || self.has_task();
        comes && !self.cancelling && !self.has_open_end() && !self.is_past_install()
    }

    /// A further attempt begins.
    pub(super) fn try_again(&mut self) {
        self.attempt += 1;
        self.cancelling = false;
        self.started = None;
        self.ended = None;
        // Where only the log is open, what the device runs is proven, and stays so.
        if self.reread.is_none() {
            self.after = None;
        }
        self.audit = None;
        self.judged = None;
        self.wants_permit = false;
        self.permit = false;
    }
}
