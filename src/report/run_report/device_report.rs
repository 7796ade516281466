//! One device of a [`RunReport`](super::RunReport).

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::device_audit::DeviceAudit;
use super::device_end::{DeviceEnd, outcome_word};
use super::milliseconds;
use super::timeline::StepReport;
use crate::engine::{DevicePhase, DeviceState, Fleet};
use crate::model::{Failure, Outcome, OutcomeKind, Skip, Touched, Verdict, VerdictKind};
use crate::report::json::ms;
use crate::report::{Exit, phrases};

/// Where a device stood when the report was made.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Its turn had not come.
    Waiting,
    /// It was looked at, and nothing else was done.
    Planned,
    /// It was worked on.
    Running,
    /// Its last attempt has ended.
    Ended,
}

/// What became of one device.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceReport {
    /// Its name.
    pub device: String,
    /// Its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Its tags.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// How the link to it is known.
    pub link: String,
    /// Where it stood.
    pub state: Standing,
    /// What the plan says of it, as long as nothing else has happened to it.
    #[serde(
        serialize_with = "verdict_word",
        skip_serializing_if = "Option::is_none"
    )]
    pub verdict: Option<VerdictKind>,
    /// What the last look led to, also where more has happened since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<DevicePlan>,
    /// How its last attempt ended.
    #[serde(
        serialize_with = "outcome_word",
        skip_serializing_if = "Option::is_none"
    )]
    pub outcome: Option<OutcomeKind>,
    /// Whether its install was, or may have been, sent, and nobody knows how that ended.
    pub in_doubt: bool,
    /// The stage that it ended in, or was worked on in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// A stable word for scripts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The HTTP status behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Why, or on what evidence, in one line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What to do next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What was done to it, as JSON spells it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub touched: Option<String>,
    /// The same in words, and what that leaves it with where this is certain.
    #[serde(skip)]
    pub left_with: Option<String>,
    /// The version before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The version after, or the one that it would get.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// The signature of the firmware before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from_fws: Option<String>,
    /// The signature of the firmware after.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_fws: Option<String>,
    /// What its audit log says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub audit: Option<DeviceAudit>,
    /// How often it was tried; each retry by a person is one more.
    pub attempts: u32,
    /// When the last attempt began.
    #[serde(
        serialize_with = "milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(
        serialize_with = "milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub ended: Option<Timestamp>,
    /// How long it took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Every try of every stage, of all attempts.
    pub timeline: Vec<StepReport>,
    /// The exit code of a run with this device alone.
    #[serde(skip)]
    pub exit: Exit,
}

/// What the last look at a device led to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DevicePlan {
    /// `upgrade`, `downgrade`, `watch`, `current`, `skip` or `cannot`.
    pub verdict: String,
    /// Why, or what the operator was told first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl DeviceReport {
    pub(super) fn of(fleet: &Fleet, device: &DeviceState, now: Timestamp) -> Self {
        let mut report = Self::known(fleet, device, now);
        match &device.state {
            DevicePhase::Done(outcome) => report.ended_as(device, outcome),
            // A person has taken it out of the plan, whatever the verdict.
            DevicePhase::Planned if device.is_left_out() => {
                report.planned(fleet, &Verdict::Skip(Skip::LeftOut));
            }
            DevicePhase::Planned => {
                if let Some(verdict) = &device.verdict {
                    report.planned(fleet, verdict);
                }
            }
            DevicePhase::Running(active) => report.stage = Some(active.stage.to_string()),
            DevicePhase::Waiting | DevicePhase::Starting => {}
        }
        if report.outcome.is_none() && report.in_doubt {
            let left = "left while the install or the reboot was watched";
            report.reason = Some(left.to_owned());
        }
        report
    }

    /// What there is to say of it in whatever state.
    fn known(fleet: &Fleet, device: &DeviceState, now: Timestamp) -> Self {
        let before = device.seen.as_ref().map(|seen| &seen.version);
        let audit = device.audit.as_deref();
        let end = DeviceEnd::of(device.outcome(), before, device.after.as_ref(), audit);
        Self {
            device: device.id.to_string(),
            group: device.group.clone(),
            tags: device.tags.clone(),
            link: device.link.as_str().to_owned(),
            state: match device.state {
                DevicePhase::Waiting => Standing::Waiting,
                DevicePhase::Planned => Standing::Planned,
                DevicePhase::Starting | DevicePhase::Running(_) => Standing::Running,
                DevicePhase::Done(_) => Standing::Ended,
            },
            verdict: None,
            plan: device.verdict.as_ref().map(DevicePlan::from),
            outcome: end.outcome,
            in_doubt: phrases::is_in_doubt(device),
            stage: None,
            code: end.code,
            status: None,
            reason: end.reason,
            hint: end.hint,
            touched: None,
            left_with: None,
            from: end.from,
            to: end.to,
            from_fws: end.from_fws,
            to_fws: end.to_fws,
            audit: end.audit,
            attempts: device.attempt,
            started: device.started,
            ended: device.ended,
            took_ms: device.elapsed(fleet.ended().unwrap_or(now)).map(ms),
            timeline: device.timeline.iter().map(StepReport::from).collect(),
            exit: Exit::of_one(device, fleet.mode()),
        }
    }

    /// Where it ended, and what that leaves it with.
    fn ended_as(&mut self, device: &DeviceState, outcome: &Outcome) {
        self.stage = outcome.stage().map(|stage| stage.to_string());
        self.status = outcome.status();
        self.touched = Some(outcome.touched().as_str().to_owned());
        self.left_with = Some(left_with(device, outcome));
    }

    fn planned(&mut self, fleet: &Fleet, verdict: &Verdict) {
        self.verdict = Some(verdict.kind());
        let reason = verdict.reason();
        self.reason = (!reason.is_empty()).then_some(reason);
        let failure = verdict.failure();
        self.stage = failure.map(|failure| failure.stage.to_string());
        self.status = failure.and_then(|failure| failure.kind.status());
        self.hint = failure.map(Failure::hint);
        self.code = verdict.outcome().map(|outcome| outcome.code().to_owned());
        if verdict.installs() {
            let payload = fleet.payload();
            self.to = Some(payload.version_label());
            self.to_fws = payload.expected_fws().map(|fws| fws.to_string());
        }
    }

    /// Where it stands, in words.
    pub fn words(&self) -> &'static str {
        match (self.outcome, self.verdict, self.state) {
            (Some(outcome), ..) => outcome.words(),
            (None, Some(VerdictKind::Upgrade), _) => "to be upgraded",
            (None, Some(VerdictKind::Downgrade), _) if self.hint.is_none() => "to be downgraded",
            (None, Some(VerdictKind::Downgrade), _) => "downgrade refused",
            (None, Some(VerdictKind::Watch), _) => "to be watched",
            (None, Some(VerdictKind::Current), _) => "current",
            (None, Some(VerdictKind::Skip), _) => "skipped",
            (None, Some(VerdictKind::Cannot), _) => "cannot be upgraded",
            (None, None, Standing::Running) => "left running",
            (None, None, _) => "not started",
        }
    }

    /// The sign before the words.
    pub fn sign(&self) -> &'static str {
        match (self.outcome, self.verdict) {
            (Some(outcome), _) => outcome.sign(),
            (None, Some(VerdictKind::Current)) => OutcomeKind::Current.sign(),
            (None, Some(VerdictKind::Skip)) => OutcomeKind::Skipped.sign(),
            (None, Some(_)) if self.hint.is_some() => OutcomeKind::Failed.sign(),
            (None, Some(_)) => "●",
            (None, None) => "…",
        }
    }

    /// How it ended and where, and why, in one line.
    pub(in crate::report) fn said(&self) -> String {
        let mut text = self.words().to_owned();
        if let Some(stage) = &self.stage {
            text.push_str(" at ");
            text.push_str(stage);
        }
        if let Some(reason) = &self.reason {
            text.push_str(": ");
            text.push_str(reason);
        }
        text
    }

    /// Whether it was stopped before anything was done to it: its end says it all.
    pub(in crate::report) fn is_as_it_was(&self) -> bool {
        self.outcome == Some(OutcomeKind::Cancelled)
            && self.touched.as_deref() == Some(Touched::Nothing.as_str())
    }

    /// Whether it was left alone for a reason that has nothing to do with it, and nothing was changed.
    pub(super) fn is_left_alone(&self) -> bool {
        match self.outcome {
            Some(OutcomeKind::Skipped) => true,
            _ => self.is_as_it_was(),
        }
    }

    /// Whether it is not as it should be, and that is known.
    pub(super) fn is_unwell(&self) -> bool {
        let good = [
            OutcomeKind::Upgraded,
            OutcomeKind::Current,
            OutcomeKind::Audited,
        ];
        let is_bad = match self.outcome {
            Some(outcome) => !good.contains(&outcome),
            // The plan says so already.
            None => self.exit == Exit::Failed,
        };
        !self.in_doubt && !self.is_left_alone() && is_bad
    }
}

impl From<&Verdict> for DevicePlan {
    fn from(verdict: &Verdict) -> Self {
        let reason = verdict.reason();
        Self {
            verdict: verdict.kind().as_str().to_owned(),
            reason: (!reason.is_empty()).then_some(reason),
        }
    }
}

/// What was done to the device, and what that leaves it with where this is certain.
fn left_with(device: &DeviceState, outcome: &Outcome) -> String {
    let touched = outcome.touched();
    let before = device.from_label();
    let runs = match (outcome, touched, before) {
        (Outcome::Unproven(_), _, _) => device.to_label().map(|to| format!("; reports {to}")),
        (Outcome::RolledBack, _, Some(from)) => Some(format!("; runs {from} as before")),
        (_, Touched::InstallSent, Some(from)) => Some(format!("; ran {from} before")),
        // Out of reach, it may run something else by now: another hemfleet's install may have taken it away.
        (Outcome::Failed(f), _, Some(from)) if f.is_out_of_reach() => {
            Some(format!("; ran {from} when it was last seen"))
        }
        (_, _, Some(from)) => Some(format!("; still runs {from}")),
        (_, _, None) => None,
    };
    format!("{touched}{}", runs.unwrap_or_default())
}

fn verdict_word<T, S>(verdict: &T, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Copy + Into<Option<VerdictKind>>,
    S: Serializer,
{
    let verdict: Option<VerdictKind> = (*verdict).into();
    verdict.map(VerdictKind::as_str).serialize(serializer)
}
