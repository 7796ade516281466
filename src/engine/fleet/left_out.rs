//! Devices that a person leaves out of the plan before it is confirmed: no install is sent to them, and they end as
//! skipped.

use crate::model::{DeviceId, Outcome, Skip, Verdict};

use super::device_state::{DevicePhase, DeviceState};
use super::reducer::{Fleet, Mode, Phase};

impl Fleet {
    /// Takes devices out of the plan, or back in: those that wait for it to be confirmed.
    pub(super) fn leave_out(&mut self, devices: &[DeviceId], left_out: bool) {
        if self.phase() == Phase::Upgrading || self.mode() != Mode::Confirm || self.stop().is_some()
        {
            return;
        }
        for device in devices {
            if let Some(&n) = self.index.get(device)
                && (self.devices[n].is_to_confirm() || self.devices[n].is_left_out())
            {
                self.change(n, |device| device.left_out = left_out);
            }
        }
    }
}

impl DeviceState {
    /// How it ends because of the plan, without an install; absent while the plan installs on it or knows nothing of it.
    pub fn planned_end(&self) -> Option<Outcome> {
        let verdict = self.verdict.as_ref()?;
        let left_out = self.left_out.then_some(Outcome::Skipped(Skip::LeftOut));
        verdict.outcome().or(left_out)
    }

    /// Whether the plan that is shown sends an install to it.
    pub fn is_to_confirm(&self) -> bool {
        let planned = matches!(self.state, DevicePhase::Planned);
        let installs = self.verdict.as_ref().is_some_and(Verdict::installs);
        planned && installs && self.planned_end().is_none()
    }

    /// Whether the plan that is shown would send an install to it, had a person not left it out.
    pub fn is_left_out(&self) -> bool {
        let planned = matches!(self.state, DevicePhase::Planned);
        planned && self.planned_end() == Some(Outcome::Skipped(Skip::LeftOut))
    }
}
