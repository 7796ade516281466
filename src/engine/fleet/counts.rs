//! How many devices stand where.
//!
//! [`FleetCounts`] is kept up to date with each change of a device, so that a message costs the same in a fleet of any
//! size. It counts only what [`DeviceState`] shows by itself. What the numbers say of the run is in `run_progress`.

use crate::model::{AuditWord, OutcomeKind, VerdictKind};

use super::device_state::{DevicePhase, DeviceState};

/// How many devices stand where.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Counts {
    /// Their turn has not come.
    pub waiting: usize,
    /// Looked at, waiting for the confirmation.
    pub planned: usize,
    /// A task works on them.
    pub running: usize,
    done: [usize; OutcomeKind::ALL.len()],
}

impl Counts {
    /// How many ended like this.
    pub fn of(&self, kind: OutcomeKind) -> usize {
        self.done[kind as usize]
    }

    /// How many ended, in whatever way.
    pub fn done(&self) -> usize {
        self.done.iter().sum()
    }
}

/// How many devices' audit logs say what of their last attempt (section 9).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Audits {
    /// The upgrade's entry says OK.
    pub confirmed: usize,
    /// The same, of devices that were not seen to run what was installed.
    pub accepted: usize,
    /// The device refused, and its entry says so.
    pub refused: usize,
    /// The entry says otherwise, or the file does not verify.
    pub contradicted: usize,
    /// There is no such entry.
    pub missing: usize,
    /// The log could not be judged.
    pub unavailable: usize,
}

impl Audits {
    /// All of them.
    pub fn total(&self) -> usize {
        self.confirmed
            + self.accepted
            + self.refused
            + self.contradicted
            + self.missing
            + self.unavailable
    }
}

/// All counts of a fleet.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(in crate::engine) struct FleetCounts {
    pub(in crate::engine) counts: Counts,
    pub(in crate::engine) audits: Audits,
    /// Of those that are planned, by [`VerdictKind`].
    pub(super) verdicts: [usize; 6],
    /// Of those that are planned: an install is sent to them once the plan is confirmed.
    pub(super) to_confirm: usize,
    /// Of those that are planned: the same, had a person not left them out.
    pub(super) left_out: usize,
    /// Of those that are planned: the image is older than what they run.
    pub(super) refused_downgrades: usize,
    pub(super) retryable: usize,
    /// Those that wait for their secret.
    pub(super) secrets: usize,
    /// Those that are to be upgraded, as far as is known: a share is taken of these.
    pub(in crate::engine) wanted: usize,
    /// The harm that installs did ([`DeviceState::harm`]).
    pub(in crate::engine) harm: usize,
    /// Those that an install is still to be sent to.
    pub(super) to_install: usize,
}

impl FleetCounts {
    /// The counts of these devices.
    pub(in crate::engine) fn of<'r>(devices: impl IntoIterator<Item = &'r DeviceState>) -> Self {
        let mut all = Self::default();
        for device in devices {
            all.add(device);
        }
        all
    }

    /// Counts a device in.
    pub(super) fn add(&mut self, device: &DeviceState) {
        self.count(device, |count, n| *count += n);
    }

    /// Counts a device out again, as it was counted in.
    pub(super) fn remove(&mut self, device: &DeviceState) {
        self.count(device, |count, n| *count -= n);
    }

    /// Devices that something is still to happen to by itself.
    pub(in crate::engine) fn busy(&self) -> usize {
        self.counts.waiting + self.counts.running
    }

    fn count(&mut self, device: &DeviceState, by: fn(&mut usize, usize)) {
        let counts = &mut self.counts;
        let state = match &device.state {
            DevicePhase::Waiting => &mut counts.waiting,
            DevicePhase::Planned => &mut counts.planned,
            DevicePhase::Starting | DevicePhase::Running(_) => &mut counts.running,
            DevicePhase::Done(outcome) => &mut counts.done[outcome.kind() as usize],
        };
        by(state, 1);
        if let (DevicePhase::Planned, Some(verdict)) = (&device.state, &device.verdict) {
            let kind = &mut self.verdicts[verdict.kind() as usize];
            by(kind, usize::from(!device.is_left_out()));
            by(&mut self.to_confirm, usize::from(device.is_to_confirm()));
            by(&mut self.left_out, usize::from(device.is_left_out()));
            let older = verdict.kind() == VerdictKind::Downgrade && verdict.failure().is_some();
            by(&mut self.refused_downgrades, usize::from(older));
        }
        if let Some(report) = &device.audit {
            let audits = &mut self.audits;
            let said = match report.word() {
                AuditWord::Confirmed => &mut audits.confirmed,
                AuditWord::Accepted => &mut audits.accepted,
                AuditWord::Refused => &mut audits.refused,
                AuditWord::Contradicted => &mut audits.contradicted,
                AuditWord::Missing => &mut audits.missing,
                AuditWord::Unavailable => &mut audits.unavailable,
            };
            by(said, 1);
        }
        by(&mut self.retryable, usize::from(device.is_retryable()));
        by(&mut self.secrets, usize::from(device.wants_secret()));
        by(&mut self.wanted, usize::from(is_wanted(device)));
        by(&mut self.harm, device.harm);
        by(&mut self.to_install, usize::from(device.is_to_install()));
    }
}

/// Whether a device is to be upgraded by this run, as far as is known.
fn is_wanted(device: &DeviceState) -> bool {
    match &device.verdict {
        Some(_) => device.planned_end().is_none(),
        None => device.outcome().is_none(),
    }
}
