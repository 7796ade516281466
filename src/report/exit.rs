//! The exit codes, in one place. `main` ends the process with them.

use crate::engine::{DevicePhase, DeviceState, Fleet, Mode};
use crate::model::{DeviceId, FailureKind, Outcome, OutcomeKind};

/// The exit code of a run.
///
/// | code | variant | meaning |
/// | --- | --- | --- |
/// | 0 | [`Exit::Good`] | every device `upgraded`, `current` or `skipped` |
/// | 1 | [`Exit::Failed`] | some device `failed`, `rolled_back` or `lost`, or its own audit log contradicts its upgrade |
/// | 2 | [`Exit::Usage`] | usage, configuration, image or a journal that cannot be used: nothing was sent to any device; or another run is in the way (it holds a device, or has left something on one while the plan was read), and at most the plan's looks were sent |
/// | 3 | [`Exit::Doubt`] | some device `unknown` or `unproven`, none as under 1 |
/// | 4 | [`Exit::Halted`] | the run was halted: `[rollout] max_failures` was reached |
/// | 5 | [`Exit::NoReport`] | as 0, but a `--report` file could not be written |
/// | 130 | [`Exit::Interrupted`] | a person or a signal stopped the run or cancelled a device |
///
/// An interrupted run is 130 however its devices ended, because some were not tried. A halted run is 4 unless every
/// device is well, even if no device was left to be held back. A report that could not be written hides none of
/// these. A device that was cancelled by key, in a run that
/// went on, counts only if no other device is worse. `hemfleet plan` changes nothing: it is 0, or 1 if a device
/// cannot be upgraded as things are. With `--firmware latest`, a device that could not be asked what is offered to
/// it is left out of the run, and counts as failed.
///
/// `hemfleet resume` ends as its run does, whose devices all count, and `hemfleet attach` as the run that it watched: with 3
/// where the process of that died, and with 0 where it was left before.
///
/// `hemfleet audit` ([`Mode::Audit`]) judges logs: 0 if every log was read and verifies (a rack appliance has no
/// log that can be read, and is skipped), 1 if some log does not verify or some device cannot show that the log
/// key is its own, and 3 if some log could not be read but none is under 1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Exit {
    /// Every device ended well.
    Good = 0,
    /// Some device failed.
    Failed = 1,
    /// The run did not begin.
    Usage = 2,
    /// Nobody knows how some device ended.
    Doubt = 3,
    /// Installs did too much harm, and nobody let the run go on.
    Halted = 4,
    /// Every device ended well, and a report could not be written.
    NoReport = 5,
    /// The run was stopped, or a device cancelled.
    Interrupted = 130,
}

impl Exit {
    /// The code of a run that ends in this state.
    pub fn of(fleet: &Fleet) -> Self {
        if fleet.stop().is_some() {
            return Self::Interrupted;
        }
        let worst = Self::of_devices(fleet);
        if fleet.is_halted() && worst != Self::Good {
            return Self::Halted;
        }
        let asked = Self::of_asking(fleet.not_asked());
        std::cmp::max_by_key(worst, asked, |exit| exit.weight())
    }

    /// The code that follows from devices that could not be asked what the backend offers them.
    pub fn of_asking(not_asked: &[DeviceId]) -> Self {
        if not_asked.is_empty() {
            Self::Good
        } else {
            Self::Failed
        }
    }

    fn of_devices(fleet: &Fleet) -> Self {
        fleet
            .devices()
            .iter()
            .map(|device| Self::of_one(device, fleet.mode()))
            .max_by_key(|exit| exit.weight())
            .unwrap_or(Self::Good)
    }

    /// The code of a run with this device alone.
    pub(super) fn of_one(device: &DeviceState, mode: Mode) -> Self {
        let (ended, log) = (Self::of_device(device, mode), Self::of_log(device));
        std::cmp::max_by_key(ended, log, |exit| exit.weight())
    }

    /// The same where a report could not be written: a good end is none then, and a bad one stays as it is.
    #[must_use]
    pub fn without_report(self) -> Self {
        match self {
            Self::Good => Self::NoReport,
            other => other,
        }
    }

    /// The code as a number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What the code means for this run, in words.
    pub fn meaning(self, fleet: &Fleet) -> &'static str {
        if self == Self::Failed && Self::of_devices(fleet) == Self::Good {
            return "some device could not be asked what is offered to it, and was left out";
        }
        match (self, fleet.mode()) {
            (Self::Good, Mode::Audit { .. }) => return "every log was read and verifies",
            (Self::Failed, Mode::Audit { .. }) => return "some log does not verify",
            (Self::Doubt, Mode::Audit { .. }) => return "some log could not be read",
            _ => {}
        }
        match self {
            Self::Good => "every device is upgraded, current or skipped",
            Self::Failed => "some device failed, rolled back, is lost, or its own log contradicts",
            // There is a fleet, so it came as far as the plan.
            Self::Usage => "another run is in the way: no device was changed",
            Self::Doubt => "what some device runs is unknown or unproven",
            Self::Halted => "halted: installs went wrong on too many devices (max_failures)",
            Self::NoReport => "every device is well, but a report could not be written",
            Self::Interrupted => "interrupted or cancelled",
        }
    }

    fn of_device(device: &DeviceState, mode: Mode) -> Self {
        match &device.state {
            DevicePhase::Done(Outcome::Failed(failure)) if matches!(mode, Mode::Audit { .. }) => {
                match failure.kind {
                    FailureKind::LogNotVerified { .. } | FailureKind::KeyNotProven { .. } => {
                        Self::Failed
                    }
                    _ => Self::Doubt,
                }
            }
            DevicePhase::Done(outcome) => Self::of_kind(outcome.kind()),
            DevicePhase::Planned => match device.planned_end() {
                Some(outcome) => Self::of_kind(outcome.kind()),
                None if mode == Mode::Plan => Self::Good,
                None => Self::Interrupted,
            },
            // The run was left before this device ended.
            DevicePhase::Waiting | DevicePhase::Starting | DevicePhase::Running(_) => {
                Self::Interrupted
            }
        }
    }

    /// A log that contradicts is an alarm, whatever the device ended as.
    fn of_log(device: &DeviceState) -> Self {
        if device.log_contradicts() {
            Self::Failed
        } else {
            Self::Good
        }
    }

    fn of_kind(kind: OutcomeKind) -> Self {
        match kind {
            OutcomeKind::Upgraded
            | OutcomeKind::Current
            | OutcomeKind::Skipped
            | OutcomeKind::Audited => Self::Good,
            OutcomeKind::Failed | OutcomeKind::RolledBack | OutcomeKind::Lost => Self::Failed,
            OutcomeKind::Unknown | OutcomeKind::Unproven => Self::Doubt,
            OutcomeKind::Cancelled => Self::Interrupted,
        }
    }

    /// How a code ranks when devices have different ones: the highest is the run's.
    fn weight(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::NoReport => 1,
            Self::Interrupted => 2,
            Self::Doubt => 3,
            Self::Failed => 4,
            Self::Halted => 5,
            Self::Usage => 6,
        }
    }
}

impl From<Exit> for std::process::ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Intent;
    use crate::model::{Doubt, Failure, MaxFailures, Skip, Stage, Touched, Unproven, Verdict};
    use crate::report::fixtures::{self, id, refused_image, unplugged};

    fn after(outcomes: &[Outcome]) -> Exit {
        let mut run = fixtures::run(Mode::Go, outcomes.len());
        run.begin();
        for (n, outcome) in outcomes.iter().enumerate() {
            run.finish(n, outcome.clone());
        }
        Exit::of(&run.fleet)
    }

    #[test]
    fn the_worst_device_decides() {
        let good = [
            Outcome::Upgraded,
            Outcome::Current,
            Outcome::Skipped(Skip::Epa),
            Outcome::Skipped(Skip::LeftOut),
        ];
        let table = [
            (Outcome::Upgraded, 0),
            (Outcome::Failed(refused_image()), 1),
            (Outcome::RolledBack, 1),
            (Outcome::Lost, 1),
            (Outcome::Unknown(Doubt::AnswerLost), 3),
            (Outcome::Unproven(Unproven::NoSignature), 3),
            (Outcome::Cancelled(Touched::Nothing), 130),
        ];
        for (last, code) in table {
            let all: Vec<Outcome> = good.iter().cloned().chain([last.clone()]).collect();
            assert_eq!(after(&all).code(), code, "{last:?}");
        }
        assert_eq!(
            after(&[Outcome::Unproven(Unproven::NoSignature), Outcome::Lost]),
            Exit::Failed
        );
        assert_eq!(
            after(&[
                Outcome::Cancelled(Touched::Nothing),
                Outcome::Unknown(Doubt::NoReboot)
            ]),
            Exit::Doubt
        );
        assert_eq!(
            after(&[Outcome::Cancelled(Touched::Nothing), Outcome::Lost]),
            Exit::Failed
        );
    }

    #[test]
    fn a_log_that_contradicts_is_an_alarm_whatever_the_device_ended_as() {
        for outcome in [
            Outcome::Upgraded,
            Outcome::Current,
            Outcome::Unproven(Unproven::NoSignature),
            Outcome::Cancelled(Touched::ImageStaged),
        ] {
            let mut run = fixtures::run(Mode::Go, 2);
            run.begin();
            run.audit(0, fixtures::contradicted());
            run.finish(0, outcome.clone());
            run.audit(1, fixtures::missing());
            run.finish(1, Outcome::Upgraded);
            assert_eq!(Exit::of(&run.fleet), Exit::Failed, "{outcome:?}");
        }
        // Any other word of a log that need not confirm changes nothing.
        for report in [fixtures::missing(), fixtures::confirmed()] {
            let mut run = fixtures::run(Mode::Go, 1);
            run.begin();
            run.audit(0, report);
            run.finish(0, Outcome::Upgraded);
            assert_eq!(Exit::of(&run.fleet), Exit::Good);
        }
    }

    #[test]
    fn a_device_that_could_not_be_asked_counts_like_one_that_failed() {
        let of = |outcome: Outcome| {
            let mut run = fixtures::run(Mode::Go, 1);
            run.leave_out(&[id(7)]);
            run.begin();
            run.finish(0, outcome);
            Exit::of(&run.fleet)
        };
        assert_eq!(of(Outcome::Upgraded), Exit::Failed);
        assert_eq!(of(Outcome::Unknown(Doubt::AnswerLost)), Exit::Failed);
        assert_eq!(of(Outcome::Cancelled(Touched::Nothing)), Exit::Failed);
        let mut run = fixtures::run(Mode::Go, 1);
        run.leave_out(&[id(7)]);
        run.begin();
        run.intend(Intent::Interrupt);
        assert_eq!(Exit::of(&run.fleet), Exit::Interrupted);
    }

    #[test]
    fn who_could_not_be_asked_keeps_no_run_halted_whose_devices_are_well() {
        let mut run = fixtures::run(Mode::Go, 2);
        run.leave_out(&[id(7)]);
        halted_and_well_again(&mut run);
        assert_eq!(Exit::of(&run.fleet), Exit::Failed);
    }

    /// Two lost devices halt the run, and are retried and upgraded.
    fn halted_and_well_again(run: &mut crate::engine::fixtures::TestRun) {
        run.begin();
        for n in 0..2 {
            run.install_begun(n);
            run.finish(n, Outcome::Lost);
        }
        assert_eq!(Exit::of(&run.fleet), Exit::Halted);
        for n in 0..2 {
            run.intend(Intent::Retry(id(n)));
            run.start(n, Stage::Probe, 1);
            run.finish(n, Outcome::Upgraded);
        }
    }

    #[test]
    fn an_interrupt_outweighs_every_outcome() {
        let mut run = fixtures::run(Mode::Go, 1);
        run.begin();
        run.intend(Intent::Interrupt);
        run.finish(0, Outcome::Lost);
        assert_eq!(Exit::of(&run.fleet), Exit::Interrupted);
    }

    #[test]
    fn a_halted_run_has_a_code_of_its_own_until_it_goes_on_or_every_device_is_well() {
        let mut run = fixtures::run(Mode::Go, 4);
        run.begin();
        run.finish(0, Outcome::Failed(refused_image()));
        run.finish(1, Outcome::RolledBack);
        assert_eq!(Exit::of(&run.fleet), Exit::Failed);
        run.install_begun(2);
        run.finish(2, Outcome::Lost);
        assert_eq!(Exit::of(&run.fleet).code(), 4);
        run.intend(Intent::Halt);
        run.finish(3, Outcome::Halted(Touched::ImageStaged));
        assert_eq!(Exit::of(&run.fleet), Exit::Halted);
        run.intend(Intent::GoOn(MaxFailures::Number(4)));
        assert_eq!(Exit::of(&run.fleet), Exit::Failed);
        run.intend(Intent::Interrupt);
        assert_eq!(Exit::of(&run.fleet), Exit::Interrupted);

        let mut run = fixtures::run(Mode::Go, 2);
        halted_and_well_again(&mut run);
        assert_eq!(Exit::of(&run.fleet), Exit::Good);
    }

    #[test]
    fn a_device_without_an_end_is_never_good() {
        let mut run = fixtures::run(Mode::Go, 2);
        run.begin();
        run.finish(0, Outcome::Upgraded);
        assert_eq!(Exit::of(&run.fleet), Exit::Interrupted);
    }

    #[test]
    fn a_plan_is_good_unless_a_device_cannot_be_upgraded() {
        let mut run = fixtures::run(Mode::Plan, 2);
        run.begin();
        run.planned_upgrade(0, &[]);
        run.planned(1, Verdict::Skip(Skip::Epa));
        assert_eq!(Exit::of(&run.fleet), Exit::Good);
        let mut run = fixtures::run(Mode::Plan, 2);
        run.begin();
        run.planned_upgrade(0, &[]);
        run.planned(1, Verdict::from(unplugged()));
        assert_eq!(Exit::of(&run.fleet), Exit::Failed);
    }

    #[test]
    fn a_plan_that_nobody_confirmed_is_not_good() {
        let mut run = fixtures::run(Mode::Confirm, 1);
        run.begin();
        run.planned_upgrade(0, &[]);
        assert_eq!(Exit::of(&run.fleet), Exit::Interrupted);
    }

    #[test]
    fn an_audit_tells_logs_that_do_not_verify_from_logs_that_were_not_read() {
        let what = || "line 7".to_owned();
        let bad = [
            FailureKind::LogNotVerified { what: what() },
            FailureKind::KeyNotProven { what: what() },
        ];
        let unread = [FailureKind::LogUnread { what: what() }, unplugged()];
        let after = |kinds: &[&FailureKind]| {
            let mut run = fixtures::run(Mode::Audit { all: false }, kinds.len() + 2);
            run.begin();
            for (n, kind) in kinds.iter().enumerate() {
                run.finish(
                    n,
                    Outcome::Failed(Failure {
                        stage: Stage::Audit,
                        kind: (*kind).clone(),
                        touched: Touched::Nothing,
                    }),
                );
            }
            run.finish(kinds.len(), Outcome::Audited { files: 3 });
            run.finish(kinds.len() + 1, Outcome::Skipped(Skip::Epa));
            Exit::of(&run.fleet)
        };
        assert_eq!(after(&[]), Exit::Good);
        for bad in &bad {
            assert_eq!(after(&[bad]), Exit::Failed, "{bad}");
            assert_eq!(after(&[&unread[0], bad]), Exit::Failed, "{bad}");
        }
        for unread in &unread {
            assert_eq!(after(&[unread]), Exit::Doubt, "{unread}");
        }
    }
}
