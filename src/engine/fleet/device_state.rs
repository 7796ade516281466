//! What is known of one device in this run, and what follows from it. How events change it is in `device_events`;
//! what is done with the device is decided in `reducer`.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{
    AuditReport, AuditVerdict, Credentials, Derivation, DeviceId, DeviceMark, DeviceSpec,
    DeviceVersion, Failure, FailureKind, LinkTrust, Outcome, OutcomeKind, Scope, Stage, Touched,
    Verdict,
};

use super::upload_rate::UploadRate;
use crate::engine::event::{
    EarlierInstall, EarlierRefusal, PendingInstall, Progress, Resume, Seen,
};
use crate::hem::limits::MAX_LOGIN_REFUSALS;

/// Everything that is known of one device.
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
    /// An install of an earlier run whose end is not known; until this run knows it.
    pub earlier: Option<EarlierInstall>,
    /// When this run saw what had become of such an install, where it did.
    pub saw_earlier_end: Option<Timestamp>,
    /// Images that its bootloader refused in earlier runs, as far as this run was told or has seen.
    pub refusals: Vec<EarlierRefusal>,
    /// Whether a person has asked for an image to be sent that it refused before.
    pub(super) wants_refused: bool,
    /// Whether a person has said that another device may answer than the one that an earlier run was at work on.
    pub(super) takes_other: bool,
    /// Whether the inventory no longer has it, in a run that was gone on with.
    pub gone: bool,
    /// The current attempt; 0 before the first.
    pub attempt: u32,
    /// The phase it is in.
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
    /// Whether it is ready for its install, and has not got the permit to send it.
    pub wants_permit: bool,
    /// Whether it has got the permit, and has not sent its install.
    pub(in crate::engine) permit: bool,
    /// The harm that installs of this run did to it, as far as is known: what a further attempt does not undo
    /// or explain stays.
    pub harm: usize,
    /// After how many more refused logins none is tried any more in this run; absent where none was refused.
    pub logins_left: Option<u32>,
    /// What the last look led to.
    pub verdict: Option<Verdict>,
    /// Whether a person took it out of the plan: then no install is sent to it, whatever the verdict.
    pub left_out: bool,
    /// Present while an install is announced and the device is looked at for the last time before it.
    pub(super) announced: Option<PendingInstall>,
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
#[derive(Clone, Debug, Serialize, Deserialize)]
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
    /// An install of an earlier run whose end is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<EarlierInstall>,
    /// Present where its bootloader refused this very image in an earlier run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<EarlierRefusal>,
}

impl From<&DeviceSpec> for DeviceSeed {
    fn from(spec: &DeviceSpec) -> Self {
        Self {
            id: spec.id.clone(),
            group: spec.group.clone(),
            tags: spec.tags.clone(),
            link: spec.link(),
            credentials: spec.auth.credentials(),
            earlier: None,
            refused: None,
        }
    }
}

/// The phase a device is in.
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
    /// How fast it uploads.
    pub rate: UploadRate,
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
    /// The attempt.
    pub attempt: u32,
    /// The stage.
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
            earlier: seed.earlier,
            saw_earlier_end: None,
            refusals: seed.refused.into_iter().collect(),
            wants_refused: false,
            takes_other: false,
            gone: false,
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
            left_out: false,
            announced: None,
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
        let earlier = || self.earlier.clone().map(|e| Resume::Earlier(Box::new(e)));
        pending.or_else(|| self.reread.clone()).or_else(earlier)
    }

    /// What does not change of the device that the running attempt was planned for.
    pub(super) fn planned_device(&self) -> Option<DeviceMark> {
        let looked = |step: &Step| {
            let is_plan = (step.attempt, step.stage) == (self.attempt, Stage::Probe);
            is_plan && step.failure.is_none()
        };
        let seen = self
            .seen
            .as_ref()
            .filter(|_| self.timeline.iter().any(looked));
        seen.map(|seen| seen.version.mark())
    }

    /// How many logins it has refused in this run.
    pub(super) fn logins_refused(&self) -> u32 {
        let left = self.logins_left.unwrap_or(MAX_LOGIN_REFUSALS);
        MAX_LOGIN_REFUSALS.saturating_sub(left)
    }

    /// The images that are not to be sent to it unasked.
    pub(super) fn refused_before(&self) -> Vec<EarlierRefusal> {
        if self.wants_refused {
            return Vec::new();
        }
        self.refusals.clone()
    }

    /// Takes in that its bootloader refused an image.
    pub(super) fn was_refused(&mut self, refused: &EarlierRefusal) {
        let is_same = |known: &&mut EarlierRefusal| {
            (&known.run, &known.image) == (&refused.run, &refused.image)
        };
        match self.refusals.iter_mut().find(is_same) {
            Some(known) if known.at >= refused.at => return,
            Some(known) => known.clone_from(refused),
            None => self.refusals.push(refused.clone()),
        }
        // Whoever asked for it before did not know of this.
        self.wants_refused = false;
    }

    /// Whether its last attempt ended since its bootloader refused the image, be it in an earlier run.
    pub fn has_refused_image(&self) -> bool {
        match self.outcome() {
            Some(Outcome::RolledBack) => true,
            Some(Outcome::Failed(failure)) => {
                matches!(failure.kind, FailureKind::RefusedBefore { .. })
            }
            _ => false,
        }
    }

    /// Whether it is not known what an install did to it, of this run or of an earlier one.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.pending.is_some() || self.earlier.is_some()
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

    /// The install that may have been sent to it and whose end is not known, an announced one included: where its task
    /// died, nobody knows whether the request had left.
    pub fn open_install(&self) -> Option<&PendingInstall> {
        self.pending.as_ref().or(self.announced.as_ref())
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

    /// Whether a person may retry it.
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
}
