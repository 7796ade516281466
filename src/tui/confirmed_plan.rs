//! What a person confirmed: these devices, and what the plan said of each. Between the confirmation and the start a
//! device can be left out, taken in or looked at again; then another plan is shown, even if its number is the same.

use crate::engine::{DeviceState, Fleet, Phase};
use crate::model::{DeviceId, Verdict};

/// The installs of a plan.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct ConfirmedPlan(Vec<(DeviceId, Option<Verdict>)>);

impl ConfirmedPlan {
    /// The plan as it is shown.
    pub(super) fn of(fleet: &Fleet) -> Self {
        let devices = fleet.devices().iter();
        let installs = devices.filter(|device| DeviceState::is_to_confirm(device));
        Self(
            installs
                .map(|device| (device.id.clone(), device.verdict.clone()))
                .collect(),
        )
    }

    /// Whether this is the plan that the fleet still shows.
    pub(super) fn is_still_shown(&self, fleet: &Fleet) -> bool {
        fleet.phase() == Phase::Planned && *self == Self::of(fleet)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::fixtures::plan;

    #[test]
    fn another_device_in_the_place_of_one_is_another_plan() {
        let mut screen = plan();
        screen.select("vault-01");
        screen.press(" ");
        let confirmed = ConfirmedPlan::of(&screen.run.fleet);
        let number = screen.run.fleet.to_confirm();
        assert!(confirmed.is_still_shown(&screen.run.fleet));
        screen.select("vault-01");
        screen.press(" ");
        assert!(!confirmed.is_still_shown(&screen.run.fleet));
        screen.select("vault-05");
        screen.press(" ");
        assert_eq!(screen.run.fleet.to_confirm(), number);
        assert!(!confirmed.is_still_shown(&screen.run.fleet));
        screen.press("/vault-05<Enter>*<Esc>/vault-01<Enter>*");
        assert!(confirmed.is_still_shown(&screen.run.fleet));
    }

    #[test]
    fn while_a_device_is_looked_at_again_the_plan_is_not_the_one_that_was_confirmed() {
        let mut screen = plan();
        let confirmed = ConfirmedPlan::of(&screen.run.fleet);
        screen.select("vault-01");
        screen.press("r");
        assert!(!confirmed.is_still_shown(&screen.run.fleet));
    }
}
