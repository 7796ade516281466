//! The fields of a line about a device. `json` writes the line.

use jiff::Timestamp;
use serde::Serialize;

use super::ms;
use crate::engine::{DeviceFact, DeviceState, Fleet, Progress};
use crate::model::{
    AuditReport, Derivation, DeviceId, FailureKind, LogEnd, LogId, LogRead, Outcome, Stage, Verdict,
};

/// Everything that an event of a device may carry, in the order in which it is written.
#[derive(Serialize, Default)]
pub(super) struct DeviceLine<'a> {
    device: &'a str,
    attempt: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    stage: Option<&'static str>,
    #[serde(rename = "try", skip_serializing_if = "Option::is_none")]
    try_no: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tries: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ok: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    polls: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    normal_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    doing: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    derivation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    logins_left: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    counter: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entries: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kept: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    wait_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    touched: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    from_fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    to_fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    group: Option<&'a str>,
}

impl<'a> DeviceLine<'a> {
    pub(super) fn new(device: &'a DeviceId, attempt: u32) -> Self {
        Self {
            device: device.as_str(),
            attempt,
            ..Self::default()
        }
    }

    /// Takes over what `fact` says and returns the event's name; absent where the fact has no event of its own.
    pub(super) fn fill(
        &mut self,
        fleet: &'a Fleet,
        device: &DeviceId,
        at: Timestamp,
        fact: &'a DeviceFact,
    ) -> Option<&'static str> {
        let state = fleet.device(device);
        Some(match fact {
            DeviceFact::StageStarted { stage, try_no } => {
                self.stage = Some(stage.as_str());
                self.try_no = Some(*try_no);
                "stage_started"
            }
            DeviceFact::StageProgress { stage, progress } => {
                self.stage = Some(stage.as_str());
                self.progress(progress);
                "stage_progress"
            }
            DeviceFact::StageFinished {
                stage,
                try_no,
                took,
                status,
                note,
                failure,
            } => {
                self.try_no = Some(*try_no);
                self.ok = Some(failure.is_none());
                self.took_ms = Some(ms(*took));
                self.note = (!note.is_empty()).then_some(note);
                self.stage = Some(stage.as_str());
                if let Some(failure) = failure {
                    self.failure(*stage, failure);
                    self.hint = Some(failure.hint(*stage));
                }
                self.status = status.or(self.status);
                "stage_finished"
            }
            DeviceFact::RetryScheduled {
                stage,
                next_try,
                of,
                wait,
                after,
            } => {
                self.failure(*stage, after);
                self.try_no = Some(*next_try);
                self.tries = Some(*of);
                self.wait_ms = Some(ms(*wait));
                "retry_scheduled"
            }
            DeviceFact::Planned { verdict, .. } => {
                self.known(state);
                self.verdict(fleet, verdict);
                "device_planned"
            }
            DeviceFact::Finished { outcome } => {
                self.known(state);
                self.outcome(outcome);
                self.took_ms = state.and_then(|state| state.elapsed(at)).map(ms);
                let after = state.and_then(|state| state.after.as_ref());
                self.to = after.map(crate::model::DeviceVersion::label);
                self.to_fws = after
                    .and_then(|version| version.fws)
                    .map(|fws| fws.to_string());
                "device_finished"
            }
            DeviceFact::SecretWanted => "secret_wanted",
            DeviceFact::ApprovalRequested { scope, until, note } => {
                self.scope = Some(scope.as_str());
                self.until = Some(format!("{until:.3}"));
                self.note = Some(note);
                "approval_requested"
            }
            DeviceFact::LoggedIn { scope, derivation } => {
                self.scope = Some(scope.as_str());
                self.derivation = derivation.map(Derivation::as_str);
                "device_logged_in"
            }
            DeviceFact::LogRead { read } => {
                self.log(read);
                self.link = state.map(|state| state.link.as_str());
                "log_read"
            }
            DeviceFact::Audited { report, .. } => {
                self.audit(report);
                "device_audited"
            }
            DeviceFact::LoginRefused { left } => {
                self.logins_left = Some(*left);
                "login_refused"
            }
            // Said by the stages around them.
            DeviceFact::PermitAsked
            | DeviceFact::InstallAnnounced { .. }
            | DeviceFact::InstallBegun { .. }
            | DeviceFact::Returned { .. } => return None,
        })
    }

    /// What is known of the device whatever happened.
    fn known(&mut self, state: Option<&'a DeviceState>) {
        let Some(state) = state else { return };
        self.link = Some(state.link.as_str());
        self.group = state.group.as_deref();
        self.from = state.from_label();
        self.from_fws = state
            .seen
            .as_ref()
            .and_then(|seen| seen.version.fws)
            .map(|fws| fws.to_string());
    }

    fn progress(&mut self, progress: &'a Progress) {
        match progress {
            Progress::Bytes { sent, total } => {
                self.bytes = Some(*sent);
                self.total = Some(*total);
            }
            Progress::Polls { polls, status } => {
                self.polls = Some(*polls);
                self.status = Some(*status);
            }
            Progress::Queued => self.doing = Some("waits for its turn to ask a phone"),
            Progress::Step { what } => self.doing = Some(what),
            Progress::Silent { last, normal } => {
                self.seen = Some(last);
                self.normal_ms = Some(ms(*normal));
            }
        }
    }

    fn log(&mut self, read: &'a LogRead) {
        self.file = Some(read.id.as_str());
        self.ok = Some(read.log.as_ref().is_ok_and(|log| log.verifies()));
        match &read.log {
            Ok(log) => {
                self.entries = Some(log.count);
                self.reason = (!log.verifies()).then(|| log.end.to_string());
                self.code = match log.end {
                    LogEnd::Whole => None,
                    LogEnd::CutShort { .. } => Some("cut_short"),
                    LogEnd::Failed { fault, .. } => Some(fault.as_str()),
                };
            }
            Err(why) => {
                self.reason = Some(why.to_string());
                self.code = Some(why.as_str());
            }
        }
        self.kept = read.kept.as_ref().map(Result::is_ok);
        if let Some(Err(why)) = &read.kept {
            self.reason.get_or_insert_with(|| why.clone());
        }
    }

    fn audit(&mut self, report: &'a AuditReport) {
        self.verdict = Some(report.verdict.as_str());
        self.link = Some(report.link.as_str());
        self.file = report.file.as_ref().map(LogId::as_str);
        self.counter = report.verdict.counter();
        self.line = report.verdict.line();
        self.reason = Some(report.verdict.to_string());
        self.code = Some(report.verdict.code());
    }

    fn failure(&mut self, stage: Stage, kind: &FailureKind) {
        self.stage = Some(stage.as_str());
        self.reason = Some(kind.to_string());
        self.code = Some(kind.code());
        self.status = kind.status();
    }

    fn verdict(&mut self, fleet: &Fleet, verdict: &Verdict) {
        self.verdict = Some(verdict.kind().as_str());
        let reason = verdict.reason();
        self.reason = (!reason.is_empty()).then_some(reason);
        if let Some(failure) = verdict.failure() {
            self.failure(failure.stage, &failure.kind);
            self.hint = Some(failure.hint());
        }
        match verdict {
            Verdict::Upgrade { .. } | Verdict::Downgrade { .. } => {
                self.to = Some(fleet.payload().version_label());
                self.to_fws = fleet.payload().expected_fws().map(|fws| fws.to_string());
            }
            Verdict::Cannot(_) | Verdict::Watch { .. } => {}
            Verdict::Current | Verdict::Skip(_) => {
                self.code = verdict.outcome().map(|outcome| outcome.code());
            }
        }
    }

    fn outcome(&mut self, outcome: &Outcome) {
        self.outcome = Some(outcome.kind().as_str());
        self.reason = Some(outcome.reason());
        self.code = Some(outcome.code());
        self.hint = outcome.hint();
        self.stage = outcome.stage().map(Stage::as_str);
        self.status = outcome.status();
        self.touched = Some(outcome.touched().as_str());
    }
}
