//! A run without a person: signals that say that nobody is at the screen any more, and what becomes of all that waits for
//! somebody then.

use super::fleet::device_state::DeviceState;
use super::fleet::reducer::{Fleet, Mode, Phase};
use super::reducer_messages::Intent;

/// A signal that asks for an end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StopSignal {
    /// Ctrl-C, or a signal that means the same: each one is an [`Intent::Interrupt`].
    Interrupt,
    /// The terminal is gone. It may be said more than once, by the kernel and by a shell.
    HangUp,
}

/// What becomes of that which waits for a person, where nobody is there: a plan is not confirmed, a halted run stays
/// halted, and a device that wants its secret is stopped. What it was, in words, is for the log. Nothing where nothing
/// waits; to be asked again once the intent was taken in.
pub fn unattended(fleet: &Fleet) -> Option<(Intent, String)> {
    if fleet.stop().is_some() {
        return None;
    }
    if fleet.mode() == Mode::Confirm && fleet.phase() != Phase::Upgrading {
        let what = "nobody is there to confirm the plan: no device is changed";
        return Some((Intent::Drain, what.to_owned()));
    }
    if fleet.waits_for_budget() {
        let what = "nobody is there to give another budget: the halted run is stopped";
        return Some((Intent::Halt, what.to_owned()));
    }
    let mut devices = fleet.devices().iter();
    let waits = |device: &&DeviceState| device.wants_secret() && !device.cancelling;
    devices.find(waits).map(|device| {
        let what = format!("{}: nobody is there to type its secret", device.id);
        (Intent::Cancel(device.id.clone()), what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::DeviceFact;
    use crate::engine::fixtures::{TestRun, firmware, numbered};
    use crate::model::{Outcome, Stage, Touched};

    /// What follows until nothing waits any more.
    fn settle(run: &mut TestRun) -> Vec<Intent> {
        let mut all = Vec::new();
        while let Some((intent, _)) = unattended(&run.fleet) {
            assert!(all.len() < 10, "it never ends: {all:?}");
            run.intend(intent.clone());
            all.push(intent);
        }
        all
    }

    #[test]
    fn a_plan_that_nobody_confirms_ends_without_an_install() {
        let mut run = TestRun::new(Mode::Confirm, numbered(2), firmware(9));
        run.begin();
        run.start(0, Stage::Probe, 1);
        assert_eq!(settle(&mut run), [Intent::Drain]);
        for device in 0..2 {
            run.finish(device, Outcome::Cancelled(Touched::Nothing));
        }
        assert!(run.fleet.is_over());
    }

    #[test]
    fn devices_that_want_a_secret_are_stopped_and_the_others_go_on() {
        let mut run = TestRun::new(Mode::Go, numbered(3), firmware(9));
        run.begin();
        for device in [0, 2] {
            run.start(device, Stage::Login, 1);
            run.tell(device, DeviceFact::SecretWanted);
        }
        run.start(1, Stage::Upload, 1);
        let ids: Vec<_> = run.fleet.devices().iter().map(|d| d.id.clone()).collect();
        let wanted = [ids[0].clone(), ids[2].clone()].map(Intent::Cancel);
        assert_eq!(settle(&mut run), wanted);
        assert!(!run.fleet.devices()[1].cancelling);
        assert!(run.fleet.stop().is_none());
    }

    #[test]
    fn a_halted_run_is_not_given_another_budget() {
        let mut run = TestRun::new(Mode::Go, numbered(9), firmware(9));
        run.begin();
        for device in 0..3 {
            run.start(device, Stage::Install, 1);
            run.install_begun(device);
            run.finish(device, Outcome::RolledBack);
        }
        // One that waits for its permit keeps the run from being over.
        run.start(3, Stage::Check, 1);
        run.tell(3, DeviceFact::PermitAsked);
        for device in 4..8 {
            run.start(device, Stage::Check, 1);
            run.tell(device, DeviceFact::PermitAsked);
        }
        if run.fleet.waits_for_budget() {
            assert_eq!(settle(&mut run), [Intent::Halt]);
        } else {
            panic!("the run is not halted: {:?}", run.fleet.run_halt());
        }
    }
}
