//! Whether a run over simulated devices ended as its scenario expects: compares what hemfleet reports of each device
//! with what the device recorded. For the demo and the tests.

use crate::engine::{DeviceState, Fleet};
use crate::model::{Outcome, OutcomeKind, Stage};
use crate::sim::{AuditWord, Expect, Recording, Scenario, SimFleet};

/// Everything that is not as the scenario expects, a line each.
pub fn mismatches(fleet: &Fleet, scenario: &Scenario, sims: &SimFleet) -> Vec<String> {
    let mut all = Vec::new();
    for ((state, script), device) in fleet
        .devices()
        .iter()
        .zip(&scenario.devices)
        .zip(sims.devices())
    {
        let mut found = Compare {
            device: state.id.as_str(),
            all: &mut all,
        };
        let expect = &script.expect;
        if state.attempt > 1 {
            // A person has had a hand in it: only the end is expected.
            let wanted = expect.after_retry.or(expect.outcome);
            found.compare("outcome", wanted, state.outcome_kind());
        } else {
            outcome(&mut found, state, expect);
            counted(&mut found, expect, &device.recording());
            found.compare("firmware in the end", expect.runs, Some(device.runs()));
            found.compare("app in the end", expect.runs_ui, Some(device.runs_ui()));
        }
    }
    all
}

struct Compare<'a> {
    device: &'a str,
    all: &'a mut Vec<String>,
}

impl Compare<'_> {
    fn compare<T: PartialEq + std::fmt::Debug>(
        &mut self,
        what: &str,
        wanted: Option<T>,
        got: Option<T>,
    ) {
        if let Some(wanted) = wanted
            && got.as_ref() != Some(&wanted)
        {
            let got = got.map_or("none".to_owned(), |g| format!("{g:?}"));
            self.all.push(format!(
                "not as expected: {}: {what} was to be {wanted:?}, and is {got}",
                self.device
            ));
        }
    }
}

fn outcome(found: &mut Compare<'_>, state: &DeviceState, expect: &Expect) {
    let outcome = state.outcome();
    found.compare::<OutcomeKind>("outcome", expect.outcome, state.outcome_kind());
    found.compare::<Stage>("stage", expect.stage, outcome.and_then(Outcome::stage));
    found.compare("status", expect.status, outcome.and_then(Outcome::status));
    let verdict = state.audit.as_ref().map(|report| report.verdict.as_str());
    found.compare("audit", expect.audit.map(AuditWord::as_str), verdict);
    found.compare("code", expect.code.as_deref(), outcome.map(Outcome::code));
}

fn counted(found: &mut Compare<'_>, expect: &Expect, journal: &Recording) {
    let number = |n: usize| u32::try_from(n).ok();
    found.compare("uploads", expect.uploads, Some(journal.uploads));
    found.compare("checks", expect.checks, number(journal.checks()));
    found.compare("installs", expect.installs, number(journal.installs()));
    found.compare("logins", expect.logins, Some(journal.logins));
    let bytes = journal.image_bytes().iter().sum();
    found.compare("image bytes", expect.image_bytes, Some(bytes));
    found.compare("app uploads", expect.ui_uploads, Some(journal.ui_uploads));
    let app_installs = number(journal.ui_installs());
    found.compare("app installs", expect.ui_installs, app_installs);
    let phone = &journal.phone;
    found.compare("approvals", expect.approvals, Some(phone.approved));
    found.compare("withdrawn", expect.withdrawn, Some(phone.withdrawn));
}
