//! The last words on a run that was stopped before its end: how to go on with it. They come after the summary, on standard
//! error and in the log: after a hang-up one of the two is all that is left.

use super::stderr_and_log::say;
use crate::cli::journal_file;
use crate::engine::Fleet;
use crate::model::counted;

/// Says how to go on with a run that left devices unfinished; `kept` where it is in a journal, `logged` where the log is a
/// file of its own.
pub(in crate::cli) fn how_to_go_on(fleet: &Fleet, kept: bool, logged: bool) {
    if let Some(text) = words(fleet, kept) {
        say(&format!("{text}\n"));
        if logged {
            tracing::warn!("{text}");
        }
    }
}

fn words(fleet: &Fleet, kept: bool) -> Option<String> {
    if !fleet.has_begun() || fleet.stop().is_none() || fleet.unfinished() == 0 {
        return None;
    }
    let run = fleet.run();
    let left = counted(fleet.unfinished(), "device is", "devices are");
    Some(if kept {
        let journal = journal_file::option();
        // A spent budget stays spent.
        let budget = if fleet.is_halted() {
            " --max-failures N"
        } else {
            ""
        };
        format!(
            "run {run} was stopped, {left} not finished: hemfleet resume {run}{journal}{budget} goes on"
        )
    } else {
        format!(
            "run {run} was stopped, {left} not finished, and there is no journal of it: hemfleet run begins anew"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixtures::{TestRun, firmware, numbered};
    use crate::engine::{Intent, Mode};
    use crate::model::{Outcome, Stage, Touched};

    fn run(mode: Mode) -> TestRun {
        let mut run = TestRun::new(mode, numbered(2), firmware(9));
        run.begin();
        run
    }

    #[test]
    fn a_run_that_was_stopped_says_how_to_go_on() {
        let mut run = run(Mode::Go);
        run.start(0, Stage::Probe, 1);
        run.finish(0, Outcome::Upgraded);
        run.start(1, Stage::Upload, 1);
        assert_eq!(words(&run.fleet, true), None, "it goes on by itself");
        run.intend(Intent::Drain);
        run.finish(1, Outcome::Cancelled(Touched::ImageSent));
        let said = words(&run.fleet, true).unwrap();
        let id = run.fleet.run();
        let wanted = format!("1 device is not finished: hemfleet resume {id} goes on");
        assert!(said.ends_with(&wanted), "{said}");
        assert!(
            words(&run.fleet, false)
                .unwrap()
                .contains("there is no journal")
        );
    }

    #[test]
    fn a_plan_that_was_left_and_a_run_that_came_to_its_end_say_nothing() {
        let mut left = run(Mode::Confirm);
        left.start(0, Stage::Probe, 1);
        left.intend(Intent::Drain);
        assert_eq!(words(&left.fleet, true), None);
        let mut over = run(Mode::Go);
        for device in 0..2 {
            over.start(device, Stage::Probe, 1);
            over.finish(device, Outcome::Current);
        }
        over.intend(Intent::Interrupt);
        assert_eq!(words(&over.fleet, true), None);
    }
}
