//! A run that another process goes on with: what its death, or its stop, left of each device, and which devices are taken
//! up again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::model::{DeviceId, Doubt, Failure, FailureKind, Outcome, Skip, Touched};

use super::device_state::{DevicePhase, DeviceState};
use super::reducer::{Fleet, Mode, Phase};
use crate::engine::event::{EarlierInstall, Reopened};
use crate::engine::reducer_messages::TaskEnd;

/// When another process went on with a run, and whose it was.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GoneOn {
    /// When.
    pub at: Timestamp,
    /// By whom, as the journal has it: the text of a stranger where the journal is one's.
    pub by: String,
    /// Whether the process before it had died, and not ended the run.
    pub died: bool,
}

impl Fleet {
    /// Begins with every device that has not begun, and takes up again those that an earlier process left unfinished.
    pub(super) fn begin(&mut self) {
        for n in 0..self.devices.len() {
            let device = &self.devices[n];
            if device.attempt == 0 && !device.gone {
                self.change(n, |device| device.attempt = 1);
                self.enqueue(n);
            } else if device.is_unfinished() && !device.gone && !self.is_left_out_for_good(device) {
                self.change(n, DeviceState::try_again);
                self.enqueue(n);
            }
        }
    }

    /// Nobody is shown a plan in which it could be taken in again.
    fn is_left_out_for_good(&self, device: &DeviceState) -> bool {
        device.left_out && self.mode == Mode::Go
    }

    /// Another process goes on with the run, from where [`Fleet::bury`] leaves it.
    pub(super) fn reopen(&mut self, at: Timestamp, reopened: &Reopened) {
        self.bury();
        self.gone_on.push(GoneOn {
            at,
            by: reopened.by.clone(),
            died: self.ended.is_none(),
        });
        self.phase = Phase::Idle;
        self.stop = None;
        self.interrupted = false;
        self.ended = None;
        self.mode = reopened.mode;
        self.concurrency = reopened.concurrency.max(1);
        if let Some((max_failures, halted)) = self.before_offer.take() {
            (self.max_failures, self.halted) = (max_failures, halted);
        }
        if let Some(max_failures) = reopened.max_failures {
            self.before_offer = Some((self.max_failures, self.halted));
            self.max_failures = max_failures;
            self.halted = false;
        }
        for n in 0..self.devices.len() {
            // What was asked for was asked of another process.
            self.change(n, |device| {
                device.wants_refused = false;
                device.takes_other = false;
            });
        }
        if reopened.mode == Mode::Go {
            // Nobody is shown a plan in which they could be taken in again.
            for n in 0..self.devices.len() {
                self.change(n, DeviceState::stay_out);
            }
        }
        for (device, earlier) in &reopened.earlier {
            if let Some(&n) = self.index.get(device) {
                self.change(n, |device| device.left_in_doubt(earlier));
            }
        }
        for (device, refused) in &reopened.refused {
            if let Some(&n) = self.index.get(device) {
                self.change(n, |device| device.was_refused(refused));
            }
        }
        for device in &reopened.gone {
            if let Some(&n) = self.index.get(device) {
                self.change(n, DeviceState::leave_alone);
            }
        }
    }

    /// The process that ran it is gone, and no task works on any device: those that had one, or waited for one, end as
    /// their last events tell. For a journal of a run that died; while a run lives this would be a lie.
    pub fn bury(&mut self) {
        self.queue.clear();
        self.open_ends.clear();
        self.clock.stop();
        for n in 0..self.devices.len() {
            self.change(n, DeviceState::bury);
        }
    }

    /// When other processes went on with the run; the first one first.
    pub fn gone_on(&self) -> &[GoneOn] {
        &self.gone_on
    }

    /// The devices that have refused logins in this run, and how many.
    pub fn refused_logins(&self) -> BTreeMap<DeviceId, u32> {
        let devices = self.devices().iter();
        devices
            .map(|device| (device.id.clone(), device.logins_refused()))
            .filter(|&(_, times)| times > 0)
            .collect()
    }

    /// How many devices were not brought to an end, or are in doubt.
    pub fn unfinished(&self) -> usize {
        let unfinished = self.devices.iter().filter(|d| !d.gone && d.is_unfinished());
        unfinished.count()
    }
}

impl DeviceState {
    /// Whether there is something left to do on it for whoever goes on with the run: it was stopped, or is in doubt.
    pub fn is_unfinished(&self) -> bool {
        match &self.state {
            DevicePhase::Done(Outcome::Cancelled(_) | Outcome::Halted(_)) => true,
            DevicePhase::Done(outcome) => {
                let is_asked_of = || !matches!(outcome, Outcome::Skipped(_)) && !self.is_replaced();
                self.pending.is_some() || (self.earlier.is_some() && is_asked_of())
            }
            _ => true,
        }
    }

    fn bury(&mut self) {
        // The announcement is on disk before the request leaves; what came after it may have been lost.
        let announced = self.announced.take();
        self.pending = self.pending.take().or(announced);
        let in_line = std::mem::take(&mut self.queued);
        let outcome = match &self.state {
            DevicePhase::Done(_) => return,
            DevicePhase::Waiting if self.attempt == 0 => return,
            // Whatever was judged: what the device runs is asked again, and its log is read.
            _ if self.pending.is_some() => Outcome::Unknown(Doubt::StoppedWatching),
            // Its end was ordered, and is not told yet.
            DevicePhase::Waiting if !in_line => {
                let ended = self.planned_end();
                ended.unwrap_or_else(|| self.lost_outcome(&TaskEnd::Aborted))
            }
            _ => self.lost_outcome(&TaskEnd::Aborted),
        };
        self.judged = None;
        (self.wants_permit, self.permit) = (false, false);
        self.state = DevicePhase::Done(outcome);
    }

    /// A person left it out of a plan that was not carried out: nothing is sent to it by a run that shows no plan.
    fn stay_out(&mut self) {
        if self.left_out && self.pending.is_none() && self.is_unfinished() {
            self.state = DevicePhase::Done(Outcome::Skipped(Skip::LeftOut));
        }
    }

    /// Another run may have sent an install to it meanwhile.
    fn left_in_doubt(&mut self, earlier: &EarlierInstall) {
        // The end of this run's own install is the end of those before it, too.
        if self.pending.is_none() {
            self.earlier = Some(earlier.clone());
            self.saw_earlier_end = None;
        }
    }

    /// The inventory no longer has it.
    fn leave_alone(&mut self) {
        self.gone = true;
        if !matches!(self.state, DevicePhase::Done(_)) {
            self.state = DevicePhase::Done(Outcome::Cancelled(Touched::Nothing));
        }
    }

    /// A person has asked for it to be tried again, also if that sends an image that it refused before; and, `by_name`, also
    /// if another device answers than the one that is in doubt.
    pub(super) fn asked_for_again(&mut self, by_name: bool) {
        self.wants_refused |= self.has_refused_image();
        self.takes_other = by_name && self.is_replaced();
    }

    /// Whether its last attempt ended since another device answered than the one that is in doubt.
    fn is_replaced(&self) -> bool {
        let failed = |failure: &Failure| matches!(failure.kind, FailureKind::OtherDevice { .. });
        let failed = matches!(self.outcome(), Some(Outcome::Failed(failure)) if failed(failure));
        self.earlier.is_some() && failed
    }
}
