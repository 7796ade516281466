//! What went wrong, by reason: devices that ended alike stand together, whatever their addresses are. The dashboard
//! shows these groups, and `report` makes its own of what it tells of a run; what a retry does to a device is in `tui::ui::retry_box`.

use crate::model::{AuditReport, OutcomeKind, Stage, Verdict, shared_words};

use super::device_state::{DevicePhase, DeviceState};
use crate::engine::event_line::audit_hint;

/// What devices of a group have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReasonKey {
    /// How they ended.
    pub kind: OutcomeKind,
    /// Where, if that says something.
    pub stage: Option<Stage>,
    /// The stable word of the reason.
    pub code: &'static str,
    /// The HTTP status behind it, where there is one.
    pub status: Option<u16>,
}

impl ReasonKey {
    /// Whether the device ended well, and its log says otherwise.
    pub fn is_contradiction(&self) -> bool {
        self.code == CONTRADICTED
    }
}

/// Devices that ended alike.
#[derive(Debug)]
pub struct FailureReason<'f> {
    /// What they have in common.
    pub key: ReasonKey,
    /// Why, in words that hold for all of them.
    pub reason: String,
    /// What the operator does next, in the words for the first of them.
    pub hint: Option<String>,
    /// The devices, in the order in which they were given; never empty.
    pub devices: Vec<&'f DeviceState>,
}

/// What is said of one device.
struct Said {
    key: ReasonKey,
    reason: String,
    hint: Option<String>,
}

/// The code of devices that ended well, and whose log says otherwise.
const CONTRADICTED: &str = "log_contradicts";

/// Groups those of `devices` that ended, or that the plan cannot upgrade, by reason; the largest group first.
pub fn failures_by_reason<'f>(
    devices: impl IntoIterator<Item = &'f DeviceState>,
) -> Vec<FailureReason<'f>> {
    let mut groups: Vec<(FailureReason<'f>, Vec<String>)> = Vec::new();
    for device in devices {
        let Some(said) = said(device) else { continue };
        let known = groups.iter_mut().find(|(group, _)| group.key == said.key);
        if let Some((group, reasons)) = known {
            reasons.push(said.reason);
            group.devices.push(device);
            continue;
        }
        let group = FailureReason {
            key: said.key,
            reason: String::new(),
            hint: said.hint,
            devices: vec![device],
        };
        groups.push((group, vec![said.reason]));
    }
    groups.sort_by_key(|(group, _)| std::cmp::Reverse(group.devices.len()));
    let with_words = groups.into_iter().map(|(mut group, reasons)| {
        // Addresses, days and counts differ from device to device.
        let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
        group.reason = shared_words(&reasons);
        group
    });
    with_words.collect()
}

fn said(device: &DeviceState) -> Option<Said> {
    match &device.state {
        DevicePhase::Done(outcome) => {
            let contradiction = device.audit.as_ref().filter(|_| device.is_contradicted());
            if let Some(report) = contradiction {
                return Some(said_by_log(outcome.kind(), report));
            }
            Some(Said {
                key: ReasonKey {
                    kind: outcome.kind(),
                    stage: outcome.stage(),
                    code: outcome.code(),
                    status: outcome.status(),
                },
                reason: outcome.reason(),
                hint: outcome.hint(),
            })
        }
        DevicePhase::Planned => {
            let failure = device.verdict.as_ref().and_then(Verdict::failure)?;
            Some(Said {
                key: ReasonKey {
                    kind: OutcomeKind::Failed,
                    stage: Some(failure.stage),
                    code: failure.kind.code(),
                    status: failure.kind.status(),
                },
                reason: failure.kind.to_string(),
                hint: Some(failure.hint()),
            })
        }
        _ => None,
    }
}

fn said_by_log(kind: OutcomeKind, report: &AuditReport) -> Said {
    Said {
        key: ReasonKey {
            kind,
            stage: Some(Stage::Audit),
            code: CONTRADICTED,
            status: None,
        },
        reason: format!("the log contradicts: {}", report.verdict),
        hint: audit_hint(&report.verdict).map(str::to_owned),
    }
}

impl DeviceState {
    /// Whether a person should look at it: it did not end well, its log contradicts a good end, the plan cannot upgrade
    /// it, or it waits for somebody.
    pub fn needs_a_look(&self) -> bool {
        match &self.state {
            DevicePhase::Done(outcome) => {
                let well = matches!(
                    outcome.kind(),
                    OutcomeKind::Upgraded
                        | OutcomeKind::Current
                        | OutcomeKind::Skipped
                        | OutcomeKind::Audited
                );
                !well || self.log_contradicts()
            }
            DevicePhase::Planned => self.verdict.as_ref().and_then(Verdict::failure).is_some(),
            DevicePhase::Running(active) => active.person.is_some(),
            DevicePhase::Waiting | DevicePhase::Starting => false,
        }
    }

    /// Whether it ended without a failure, and its log contradicts that.
    pub fn is_contradicted(&self) -> bool {
        self.log_contradicts() && self.outcome_kind().is_some_and(|kind| !kind.is_failure())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixtures::{TestRun, firmware, seed};
    use crate::engine::{Mode, Person};
    use crate::model::{
        AuditResult, AuditVerdict, Contradiction, FailureKind, LinkFault, LinkTrust, Outcome, Skip,
        Touched,
    };

    fn refused(port: u16) -> FailureKind {
        FailureKind::Link(LinkFault::Refused {
            target: format!("127.0.0.1:{port}"),
        })
    }

    fn run(mode: Mode, devices: usize) -> TestRun {
        let seeds = (0..devices).map(|n| seed(n, LinkTrust::Ca)).collect();
        let mut run = TestRun::new(mode, seeds, firmware(1024));
        run.begin();
        run
    }

    #[test]
    fn devices_that_failed_alike_stand_together_whatever_their_addresses() {
        let mut run = run(Mode::Go, 8);
        run.finish(0, Outcome::RolledBack);
        run.fail(1, Stage::Probe, refused(8441), Touched::Nothing);
        run.fail(2, Stage::Login, refused(8442), Touched::Nothing);
        run.fail(3, Stage::Probe, refused(8443), Touched::Nothing);
        let status = |status| FailureKind::Status { status };
        run.fail(4, Stage::Probe, status(503), Touched::Nothing);
        run.fail(5, Stage::Probe, status(500), Touched::Nothing);
        run.finish(6, Outcome::Upgraded);
        let devices = run.fleet.devices().iter();
        let groups = failures_by_reason(devices.filter(|device| device.needs_a_look()));
        let short: Vec<_> = groups
            .iter()
            .map(|g| (g.devices.len(), g.key.stage, g.reason.as_str()))
            .collect();
        let refused = "connection refused by";
        assert_eq!(short[0], (2, Some(Stage::Probe), "connection refused by …"));
        assert_eq!(short.len(), 5);
        let login = short.iter().find(|g| g.1 == Some(Stage::Login)).unwrap();
        assert_eq!(login.2, format!("{refused} 127.0.0.1:8442"));
        assert!(groups[0].hint.is_some());
        let ids: Vec<_> = groups[0].devices.iter().map(|d| d.id.as_str()).collect();
        assert_eq!(ids.len(), 2);
        assert_eq!(groups[0].key.code, "connection_refused");
    }

    #[test]
    fn a_good_end_that_the_log_contradicts_is_a_reason_of_its_own() {
        let mut run = run(Mode::Go, 2);
        let verdict = AuditVerdict::Contradicted {
            line: 7,
            counter: None,
            why: Contradiction::Logged(AuditResult::Error),
        };
        run.start(0, Stage::Audit, 1);
        run.audit(
            0,
            crate::engine::fixtures::audit_report(verdict, LinkTrust::Ca, None),
        );
        run.finish(0, Outcome::Upgraded);
        let device = &run.fleet.devices()[0];
        assert!(device.needs_a_look() && device.is_contradicted());
        let groups = failures_by_reason([device]);
        assert_eq!(groups[0].key.code, CONTRADICTED);
        assert_eq!(groups[0].key.kind, OutcomeKind::Upgraded);
    }

    #[test]
    fn what_ended_well_or_goes_on_by_itself_needs_no_look() {
        let mut run = run(Mode::Go, 7);
        run.finish(0, Outcome::Upgraded);
        run.finish(1, Outcome::Current);
        run.finish(2, Outcome::Skipped(Skip::LeftOut));
        run.start(3, Stage::Upload, 1);
        run.finish(4, Outcome::Cancelled(Touched::Nothing));
        run.start(5, Stage::Login, 1);
        run.tell(5, crate::engine::DeviceFact::SecretWanted);
        let wants: Vec<bool> = run
            .fleet
            .devices()
            .iter()
            .map(DeviceState::needs_a_look)
            .collect();
        assert_eq!(wants, [false, false, false, false, true, true, false]);
        let person = run.fleet.devices()[5].active().unwrap().person.clone();
        assert_eq!(person, Some(Person::Secret));
        assert!(failures_by_reason([&run.fleet.devices()[3]]).is_empty());
    }
}
