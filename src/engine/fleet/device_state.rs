//! What is known of one device in this run.
//! Must not: decide what is done with it (that is `fleet`).

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    AuditReport, AuditVerdict, Component, Credentials, Derivation, DeviceId, DeviceSpec,
    DeviceVersion, Failure, FailureKind, LinkTrust, Outcome, OutcomeKind, Scope, Stage, Touched,
    Verdict,
};

use super::failure_budget::harm_of;
use crate::engine::event::{DeviceFact, PendingInstall, Progress, Resume, Seen};

/// What is known of one device.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else, and most go together"
)]
#[derive(Clone, Debug)]
pub struct DeviceState {
    /// Its name.
    pub id: DeviceId,
    /// Its group.
    pub group: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How far the link to it can be trusted.
    pub link: LinkTrust,
    /// What there is to enter it with.
    pub credentials: Credentials,
    /// The current attempt; 0 before the first.
    pub attempt: u32,
    /// Where it stands.
    pub state: DevicePhase,
    /// What it said of itself at the last look before anything was changed.
    pub seen: Option<Box<Seen>>,
    /// What it said after the last install.
    pub after: Option<DeviceVersion>,
    /// How the key was derived that it accepted, where one was.
    pub derivation: Option<Derivation>,
    /// What its audit log says of the last attempt.
    pub audit: Option<Box<AuditReport>>,
    /// How the attempt ends if its task goes away now: judged, only the log remained to be read.
    pub(in crate::engine) judged: Option<Outcome>,
    /// Present while an upgrade is proven and its log has not confirmed it, though it should.
    pub(super) reread: Option<Resume>,
    /// Whether the task that works on it has been asked to stop.
    pub cancelling: bool,
    /// Whether it stands in line for a task.
    pub(in crate::engine) queued: bool,
    /// Whether it is ready for its install, and has not got permit to send it.
    pub wants_permit: bool,
    /// Whether it has got permit, and has not sent it.
    pub(in crate::engine) permit: bool,
    /// The harm that installs of this run did to it, as far as is known: what a further attempt does not undo
    /// or explain stays.
    pub harm: usize,
    /// After how many more refused logins none is tried any more in this run; absent where none was refused.
    pub logins_left: Option<u32>,
    /// What the last look led to.
    pub verdict: Option<Verdict>,
    /// Present while an install may have been sent whose outcome is not known.
    pub pending: Option<PendingInstall>,
    /// Every try of every stage that ended, in order, all attempts.
    pub timeline: Vec<Step>,
    /// When the current attempt began.
    pub started: Option<Timestamp>,
    /// When it ended.
    pub ended: Option<Timestamp>,
}

/// What the fleet needs to know of a device beforehand.
#[derive(Clone, Debug)]
pub struct DeviceSeed {
    /// Its name.
    pub id: DeviceId,
    /// Its group.
    pub group: Option<String>,
    /// Its tags.
    pub tags: Vec<String>,
    /// How far the link to it can be trusted.
    pub link: LinkTrust,
    /// What there is to enter it with.
    pub credentials: Credentials,
}

impl From<&DeviceSpec> for DeviceSeed {
    fn from(spec: &DeviceSpec) -> Self {
        Self {
            id: spec.id.clone(),
            group: spec.group.clone(),
            tags: spec.tags.clone(),
            link: spec.link(),
            credentials: spec.auth.credentials(),
        }
    }
}

/// Where a device stands.
#[derive(Clone, Debug)]
pub enum DevicePhase {
    /// Its turn has not come.
    Waiting,
    /// Looked at, and waiting for the plan to be confirmed; the verdict is in [`DeviceState::verdict`].
    Planned,
    /// A task was ordered and has not said anything yet.
    Starting,
    /// A task works on it.
    Running(Active),
    /// The attempt is over.
    Done(Outcome),
}

/// What a device's task is doing.
#[derive(Clone, Debug)]
pub struct Active {
    /// The stage.
    pub stage: Stage,
    /// When this try of the stage began.
    pub since: Timestamp,
    /// Which try of the stage.
    pub try_no: u32,
    /// The latest news from inside it.
    pub progress: Option<Progress>,
    /// When the progress last changed, for a rate: with bytes sent since `since`.
    pub progress_at: Timestamp,
    /// Present while it waits for the next try of the stage.
    pub pause: Option<Pause>,
    /// Present while it waits for a person.
    pub person: Option<Person>,
}

/// What a device waits for a person to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Person {
    /// To type its secret here.
    Secret,
    /// To approve on the phone.
    Phone {
        /// What for.
        scope: Scope,
        /// When the request will be withdrawn.
        until: Timestamp,
        /// What the phone shows beside it.
        note: String,
    },
}

/// A wait between two tries of a stage.
#[derive(Clone, Debug)]
pub struct Pause {
    /// When the next try is due.
    pub until: Timestamp,
    /// The next try's number.
    pub next_try: u32,
    /// Tries allowed.
    pub of: u32,
    /// Why the last one failed.
    pub after: FailureKind,
}

/// A try of a stage that ended.
#[derive(Clone, Debug)]
pub struct Step {
    /// In which attempt.
    pub attempt: u32,
    /// Which stage.
    pub stage: Stage,
    /// Which try of it.
    pub try_no: u32,
    /// When it began.
    pub at: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// The last HTTP status, where one came.
    pub status: Option<u16>,
    /// What there is to say of it.
    pub note: String,
    /// Why it failed, if it did.
    pub failure: Option<FailureKind>,
}

impl DeviceState {
    /// A device of which nothing is known yet.
    pub(in crate::engine) fn new(seed: DeviceSeed) -> Self {
        Self {
            id: seed.id,
            group: seed.group,
            tags: seed.tags,
            link: seed.link,
            credentials: seed.credentials,
            attempt: 0,
            state: DevicePhase::Waiting,
            seen: None,
            after: None,
            derivation: None,
            audit: None,
            judged: None,
            reread: None,
            cancelling: false,
            queued: false,
            wants_permit: false,
            permit: false,
            harm: 0,
            logins_left: None,
            verdict: None,
            pending: None,
            timeline: Vec::new(),
            started: None,
            ended: None,
        }
    }

    /// What the running attempt has changed on the device, as far as its events told.
    pub(in crate::engine) fn touched(&self) -> Touched {
        if self.pending.is_some() {
            return Touched::InstallSent;
        }
        let tries = self.timeline.iter().rev();
        let sent = tries
            .take_while(|step| step.attempt == self.attempt)
            .filter_map(|step| match (step.stage, &step.failure) {
                (Stage::Upload | Stage::UploadUi, None) => Some(Touched::ImageStaged),
                (Stage::Upload | Stage::UploadUi, Some(_)) => Some(Touched::ImageSent),
                // Installed, and the firmware was still to come.
                (Stage::VerifyUi, None) => Some(Touched::InstallSent),
                _ => None,
            });
        let now = match self.active().map(|a| a.stage) {
            Some(Stage::Upload | Stage::UploadUi) => Touched::ImageSent,
            _ => Touched::Nothing,
        };
        sent.fold(now, Touched::max)
    }

    /// What an earlier attempt left open.
    pub(in crate::engine) fn resume(&self) -> Option<Resume> {
        let pending = self.pending.clone().map(|w| Resume::Install(Box::new(w)));
        pending.or_else(|| self.reread.clone())
    }

    /// How it ends when it goes away without a word while only its log is to be read once more: as before.
    pub(in crate::engine) fn unread(&self, what: &str) -> Option<Outcome> {
        self.reread.as_ref().map(|_| {
            Outcome::Failed(Failure {
                stage: Stage::Audit,
                kind: FailureKind::NotConfirmed {
                    what: what.to_owned(),
                },
                touched: Touched::InstallSent,
            })
        })
    }

    /// Its secret was typed.
    pub(in crate::engine) fn answered(&mut self) {
        self.waits_for(None);
    }

    /// Whether it waits for its secret to be typed.
    pub fn wants_secret(&self) -> bool {
        self.active()
            .is_some_and(|a| a.person == Some(Person::Secret))
    }

    /// Whether this attempt's secret was refused already, so that another one is wanted.
    pub fn secret_refused(&self) -> bool {
        let refused = Some(&FailureKind::WrongSecret);
        self.timeline
            .iter()
            .any(|step| step.attempt == self.attempt && step.failure.as_ref() == refused)
    }

    /// The version before: `1.2.2`, where it is known.
    pub fn from_label(&self) -> Option<String> {
        self.seen.as_ref().map(|s| s.version.label())
    }

    /// The version after the install, as the device reported it.
    pub fn to_label(&self) -> Option<String> {
        self.after.as_ref().map(DeviceVersion::label)
    }

    /// How the last attempt ended, where it has.
    pub fn outcome(&self) -> Option<&Outcome> {
        match &self.state {
            DevicePhase::Done(outcome) => Some(outcome),
            _ => None,
        }
    }

    /// The kind of [`Self::outcome`].
    pub fn outcome_kind(&self) -> Option<OutcomeKind> {
        self.outcome().map(Outcome::kind)
    }

    /// Whether its audit log contradicts the last attempt (section 9): an alarm, whatever it ended as.
    pub fn log_contradicts(&self) -> bool {
        let verdict = self.audit.as_ref().map(|report| &report.verdict);
        matches!(verdict, Some(AuditVerdict::Contradicted { .. }))
    }

    /// What its task is doing, where it has one.
    pub fn active(&self) -> Option<&Active> {
        match &self.state {
            DevicePhase::Running(active) => Some(active),
            _ => None,
        }
    }

    /// Whether a task works on it.
    pub fn has_task(&self) -> bool {
        matches!(self.state, DevicePhase::Starting | DevicePhase::Running(_))
    }

    /// Whether something is still to happen to it by itself.
    pub fn is_busy(&self) -> bool {
        self.has_task() || matches!(self.state, DevicePhase::Waiting)
    }

    /// Whether a person may ask for another attempt.
    pub fn is_retryable(&self) -> bool {
        self.outcome_kind().is_some_and(OutcomeKind::is_retryable)
    }

    /// Whether its install may have been sent in the running attempt: it can no longer be cancelled.
    pub fn is_past_install(&self) -> bool {
        self.pending.is_some() || self.active().is_some_and(|a| a.stage.is_past_install())
    }

    /// Whether the management app is part of what its attempt does, as far as its events told.
    fn has_app(&self) -> bool {
        let mut tries = self.timeline.iter().rev();
        tries.any(|s| s.attempt == self.attempt && s.stage == Stage::UploadUi)
    }

    /// Time spent on the current attempt so far.
    pub fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        let started = self.started?;
        let end = self.ended.unwrap_or(now);
        Some(Duration::try_from(end.duration_since(started)).unwrap_or_default())
    }

    /// How far the current attempt is, 0 to 1: each stage has its usual share of the time.
    #[expect(clippy::cast_precision_loss, reason = "a share for a progress bar")]
    pub fn fraction(&self) -> f64 {
        let active = match &self.state {
            DevicePhase::Waiting | DevicePhase::Planned | DevicePhase::Starting => return 0.0,
            DevicePhase::Done(_) => return 1.0,
            DevicePhase::Running(active) => active,
        };
        let (from, to) = match active.stage {
            Stage::Probe => (0.0, 0.02),
            Stage::Checkin => (0.02, 0.04),
            Stage::Login => (0.04, 0.06),
            Stage::UploadUi => (0.06, 0.12),
            Stage::CheckUi => (0.12, 0.18),
            Stage::InstallUi => (0.18, 0.19),
            Stage::VerifyUi => (0.19, 0.2),
            Stage::Upload if self.has_app() => (0.2, 0.35),
            Stage::Upload => (0.06, 0.35),
            Stage::Check => (0.35, 0.65),
            Stage::Install => (0.65, 0.67),
            Stage::Reboot => (0.67, 0.95),
            Stage::Verify => (0.95, 0.97),
            Stage::Audit => (0.97, 1.0),
        };
        let inside = match &active.progress {
            Some(Progress::Bytes { sent, total }) if *total > 0 => *sent as f64 / *total as f64,
            _ => 0.0,
        };
        from + (to - from) * inside
    }

    /// What this attempt saw of an install before its log was read. Only the firmware's own stage ends well
    /// after a reboot that was seen.
    fn seen_of(&self, component: Component) -> Outcome {
        let mut tries = self.timeline.iter().rev();
        match component {
            Component::Ui => Outcome::AppInstalled,
            Component::Firmware
                if tries.any(|s| {
                    s.attempt == self.attempt && s.stage == Stage::Verify && s.failure.is_none()
                }) =>
            {
                Outcome::Upgraded
            }
            Component::Firmware => Outcome::Current,
        }
    }

    /// The refusal that the last try of this attempt ended with: what is looked up of it changes nothing.
    fn refused(&self) -> Option<Outcome> {
        let last = self.timeline.last().filter(|s| s.attempt == self.attempt)?;
        Some(Outcome::Failed(Failure {
            stage: last.stage,
            kind: last.failure.clone()?,
            touched: self.touched(),
        }))
    }

    fn waits_for(&mut self, person: Option<Person>) {
        if let DevicePhase::Running(active) = &mut self.state {
            active.person = person;
        }
    }

    /// Takes in what happened at `at` in the current attempt.
    pub(super) fn apply(&mut self, at: Timestamp, fact: &DeviceFact) {
        match fact {
            DeviceFact::StageStarted { stage, try_no } => {
                self.started.get_or_insert(at);
                if *stage == Stage::Audit && self.judged.is_none() {
                    self.judged = self.refused();
                }
                self.state = DevicePhase::Running(Active {
                    stage: *stage,
                    since: at,
                    try_no: *try_no,
                    progress: None,
                    progress_at: at,
                    pause: None,
                    person: None,
                });
            }
            DeviceFact::StageProgress { stage, progress } => {
                if let DevicePhase::Running(active) = &mut self.state
                    && active.stage == *stage
                {
                    active.progress = Some(progress.clone());
                    active.progress_at = at;
                }
            }
            DeviceFact::StageFinished {
                stage,
                try_no,
                took,
                status,
                note,
                failure,
            } => {
                self.waits_for(None);
                let began = at.checked_sub(*took).unwrap_or(at);
                self.timeline.push(Step {
                    attempt: self.attempt,
                    stage: *stage,
                    try_no: *try_no,
                    at: began,
                    took: *took,
                    status: *status,
                    note: note.clone(),
                    failure: failure.clone(),
                });
            }
            DeviceFact::RetryScheduled {
                next_try,
                of,
                wait,
                after,
                ..
            } => {
                if let DevicePhase::Running(active) = &mut self.state {
                    active.pause = Some(Pause {
                        until: at.checked_add(*wait).unwrap_or(at),
                        next_try: *next_try,
                        of: *of,
                        after: after.clone(),
                    });
                }
            }
            DeviceFact::Planned { seen, verdict } => {
                // A later look that got no answer does not make what is known unknown.
                if seen.is_some() {
                    self.seen.clone_from(seen);
                }
                self.verdict = Some(verdict.clone());
            }
            DeviceFact::SecretWanted => self.waits_for(Some(Person::Secret)),
            DeviceFact::ApprovalRequested { scope, until, note } => {
                let (scope, until, note) = (*scope, *until, note.clone());
                self.waits_for(Some(Person::Phone { scope, until, note }));
            }
            DeviceFact::LoggedIn { derivation, .. } => {
                self.waits_for(None);
                self.derivation = derivation.or(self.derivation);
            }
            DeviceFact::LogRead { .. } => {}
            DeviceFact::LoginRefused { left } => self.logins_left = Some(*left),
            DeviceFact::PermitAsked => (self.wants_permit, self.permit) = (true, false),
            DeviceFact::Audited { report } => self.audit = Some(report.clone()),
            DeviceFact::InstallBegun { pending } => {
                self.pending = Some((**pending).clone());
                (self.wants_permit, self.permit) = (false, false);
            }
            DeviceFact::Returned {
                component,
                version,
                outcome,
            } => {
                self.after = Some((**version).clone());
                self.judged.clone_from(outcome);
                // Counted at once: its log may take a while.
                self.harm = outcome.as_ref().and_then(harm_of).unwrap_or(self.harm);
                if *component == Component::Ui && outcome.is_none() {
                    // Seen and done: what comes is the firmware, or the end.
                    self.pending = None;
                }
            }
            DeviceFact::Finished { outcome } => self.ends(at, outcome),
        }
    }

    fn ends(&mut self, at: Timestamp, outcome: &Outcome) {
        self.judged = None;
        self.reread = match outcome {
            Outcome::Failed(failure) if failure.is_about_log() => {
                let watched = self.pending.take().map(|pending| Resume::Log {
                    judged: self.seen_of(pending.component),
                    mark: pending.mark,
                });
                watched.or(self.reread.take())
            }
            _ => None,
        };
        if !outcome.leaves_doubt() {
            self.pending = None;
        }
        self.harm = harm_of(outcome).unwrap_or(self.harm);
        (self.wants_permit, self.permit) = (false, false);
        self.state = DevicePhase::Done(outcome.clone());
        self.ended = Some(at);
    }
}
