//! What the dashboard tells the terminal beside its screen: the window's title, and a call for a person when the run
//! ends or waits for somebody. How it calls is `[screen] notify` in the inventory.
//!
//! Everything said here is made of our own words and of numbers: nothing that a device said gets into a control sequence.

use jiff::Timestamp;

use crate::engine::{Fleet, Mode, Phase};
use crate::model::{Notify, OutcomeKind, counted, human_duration};

use super::ui::{on_plan, waits_for_person};

/// A plan that took longer to make is announced: nobody watches that long.
const LONG_PLAN: std::time::Duration = std::time::Duration::from_secs(10);

/// What the terminal takes beside the screen.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Announcements {
    /// How a person is called.
    pub notify: Notify,
    /// Whether it understands titles and notifications; the Linux console would print them.
    pub osc: bool,
}

impl Announcements {
    /// What `notify` comes to in this terminal (`TERM`).
    pub fn from_env(notify: Notify, var: impl Fn(&str) -> Option<String>) -> Self {
        let term = var("TERM").unwrap_or_default();
        let osc = !matches!(term.as_str(), "" | "dumb" | "linux");
        Self { notify, osc }
    }
}

/// Remembers what was said, so that each thing is said once.
pub(super) struct Announcer {
    how: Announcements,
    title: String,
    calls: Calls,
}

/// What a person is called for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Calls {
    over: bool,
    halted: bool,
    people: usize,
    planned: bool,
}

impl Announcer {
    pub(super) fn new(how: Announcements) -> Self {
        Self {
            how,
            title: String::new(),
            calls: Calls::default(),
        }
    }

    /// The title is said again: another program had the terminal.
    pub(super) fn forget(&mut self) {
        self.title.clear();
    }

    /// The bytes that bring the terminal up to date; none where nothing has changed.
    pub(super) fn update(&mut self, fleet: &Fleet, now: Timestamp) -> Vec<u8> {
        let mut bytes = Vec::new();
        let title = title(fleet);
        if self.how.osc && title != self.title {
            bytes.extend_from_slice(format!("\x1b]2;{title}\x07").as_bytes());
            self.title = title;
        }
        let calls = Calls::of(fleet, now, self.calls);
        let reason = calls.new_since(self.calls, fleet, now);
        self.calls = calls;
        if let Some(reason) = reason {
            if self.how.notify == Notify::Desktop && self.how.osc {
                bytes.extend_from_slice(format!("\x1b]9;{reason}\x07").as_bytes());
            }
            if self.how.notify != Notify::Off {
                bytes.push(b'\x07');
            }
        }
        bytes
    }
}

impl Calls {
    fn of(fleet: &Fleet, now: Timestamp, before: Self) -> Self {
        let took = fleet
            .started()
            .and_then(|at| std::time::Duration::try_from(now.duration_since(at)).ok());
        let asks = fleet.mode() == Mode::Confirm && fleet.phase() == Phase::Planned;
        Self {
            // Who stopped the run is there.
            over: !on_plan(fleet) && fleet.is_over() && fleet.stop().is_none(),
            halted: fleet.waits_for_budget(),
            people: fleet
                .devices()
                .iter()
                .filter(|d| waits_for_person(d))
                .count(),
            // A look at a single device again is short, however long ago the run began.
            planned: asks && (before.planned || took.is_some_and(|took| took >= LONG_PLAN)),
        }
    }

    /// Why a person is called now and was not before.
    fn new_since(self, before: Self, fleet: &Fleet, now: Timestamp) -> Option<String> {
        if self.halted && !before.halted {
            Some("hemfleet: run halted, stop it or go on?".to_owned())
        } else if self.over && !before.over {
            let took = fleet.elapsed(now).map(human_duration).unwrap_or_default();
            Some(format!("{}, finished in {took}", title(fleet)))
        } else if self.people > 0 && before.people == 0 {
            let devices = counted(self.people, "device waits", "devices wait");
            Some(format!("hemfleet: {devices} for you"))
        } else if self.planned && !before.planned {
            Some(format!("{}: confirm it", title(fleet)))
        } else {
            None
        }
    }
}

/// `hemfleet 41/60, 1 failed`: how many devices ended, and what went wrong.
fn title(fleet: &Fleet) -> String {
    let all = fleet.devices().len();
    if on_plan(fleet) {
        return match fleet.phase() {
            Phase::Planned => format!("hemfleet plan, {} of {all} to upgrade", fleet.to_confirm()),
            _ => format!("hemfleet plan {}/{all}", fleet.counts().planned),
        };
    }
    let counts = fleet.counts();
    let contradicted = fleet.audits().contradicted;
    let failures = OutcomeKind::ALL
        .into_iter()
        .filter(|kind| kind.is_failure());
    failures
        .map(|kind| (counts.of(kind), kind.to_string()))
        .chain([(contradicted, "contradicted by the log".to_owned())])
        .filter(|(n, _)| *n > 0)
        .fold(
            format!("hemfleet {}/{all}", counts.done()),
            |text, (n, what)| format!("{text}, {n} {what}"),
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Intent;
    use crate::engine::fixtures::{TestRun, firmware, numbered};
    use crate::model::{Failure, FailureKind, Outcome, Stage, Touched};
    use crate::tui::fixtures::waiting_for_people;
    use crate::tui::tests::halt_box::bad_image;

    const DESKTOP: Announcements = Announcements {
        notify: Notify::Desktop,
        osc: true,
    };

    fn run(mode: Mode, devices: usize) -> TestRun {
        let mut run = TestRun::new(mode, numbered(devices), firmware(1));
        run.begin();
        run
    }

    fn said(announcer: &mut Announcer, run: &TestRun) -> String {
        String::from_utf8(announcer.update(&run.fleet, run.now)).unwrap()
    }

    fn failed() -> Outcome {
        Outcome::Failed(Failure {
            stage: Stage::Check,
            kind: FailureKind::ImageRefused { status: 406 },
            touched: Touched::ImageStaged,
        })
    }

    #[test]
    fn the_title_counts_and_the_end_rings_once() {
        let mut run = run(Mode::Go, 2);
        let mut announcer = Announcer::new(DESKTOP);
        assert_eq!(said(&mut announcer, &run), "\x1b]2;hemfleet 0/2\x07");
        assert_eq!(said(&mut announcer, &run), "");
        run.start(0, Stage::Probe, 1);
        run.finish(0, failed());
        assert_eq!(
            said(&mut announcer, &run),
            "\x1b]2;hemfleet 1/2, 1 failed\x07"
        );
        run.finish(1, Outcome::Current);
        let end = said(&mut announcer, &run);
        assert!(
            end.starts_with(
                "\x1b]2;hemfleet 2/2, 1 failed\x07\x1b]9;hemfleet 2/2, 1 failed, finished in "
            ),
            "{end:?}"
        );
        assert!(end.ends_with("\x07\x07"), "{end:?}");
        assert_eq!(said(&mut announcer, &run), "");
        // A retry that ends rings again.
        run.intend(Intent::Retry(run.fleet.devices()[0].id.clone()));
        said(&mut announcer, &run);
        run.start(0, Stage::Probe, 1);
        run.finish(0, Outcome::Upgraded);
        assert!(said(&mut announcer, &run).ends_with("\x07\x07"));
        // Another program had the terminal, and perhaps the title.
        announcer.forget();
        assert_eq!(said(&mut announcer, &run), "\x1b]2;hemfleet 2/2\x07");
    }

    #[test]
    fn who_waits_for_a_person_rings_once_until_nobody_waits() {
        let mut screen = waiting_for_people();
        screen.catch_up();
        let mut announcer = Announcer::new(DESKTOP);
        let first = said(&mut announcer, &screen.run);
        assert!(first.contains(" for you\x07\x07"), "{first:?}");
        assert_eq!(said(&mut announcer, &screen.run), "");
    }

    #[test]
    fn a_halted_run_rings() {
        let screen = bad_image();
        let text = said(&mut Announcer::new(DESKTOP), &screen.run);
        assert!(text.contains("run halted"), "{text:?}");
    }

    #[test]
    fn a_plan_rings_only_after_a_long_look() {
        for (seconds, rings) in [(3, false), (30, true)] {
            let mut run = run(Mode::Confirm, 1);
            let mut announcer = Announcer::new(DESKTOP);
            assert_eq!(said(&mut announcer, &run), "\x1b]2;hemfleet plan 0/1\x07");
            run.start(0, Stage::Probe, 1);
            run.wait(seconds);
            run.planned_upgrade(0, &[]);
            let text = said(&mut announcer, &run);
            assert!(text.contains("plan, 1 of 1 to upgrade"), "{text:?}");
            assert_eq!(text.contains("\x1b]9;"), rings, "{text:?}");
        }
    }

    #[test]
    fn who_stopped_the_run_is_there() {
        let mut run = run(Mode::Go, 1);
        let mut announcer = Announcer::new(DESKTOP);
        said(&mut announcer, &run);
        run.intend(Intent::Interrupt);
        run.finish(0, Outcome::Cancelled(Touched::Nothing));
        assert!(!said(&mut announcer, &run).contains("\x07\x07"));
    }

    #[test]
    fn terminals_get_no_more_than_they_understand_and_people_no_more_than_they_want() {
        let of = |notify, term: &str| {
            Announcements::from_env(notify, |name| (name == "TERM").then(|| term.to_owned()))
        };
        for (how, wanted) in [
            (of(Notify::Desktop, "linux"), "\x07"),
            (of(Notify::Off, "dumb"), ""),
            (of(Notify::Bell, "linux"), "\x07"),
            (of(Notify::Bell, "xterm"), "\x1b]2;hemfleet 1/1\x07\x07"),
            (of(Notify::Off, "xterm"), "\x1b]2;hemfleet 1/1\x07"),
        ] {
            let mut run = run(Mode::Go, 1);
            let mut announcer = Announcer::new(how);
            said(&mut announcer, &run);
            run.finish(0, Outcome::Current);
            assert_eq!(said(&mut announcer, &run), wanted, "{how:?}");
        }
    }
}
