//! How events change what is known of a device.

use jiff::Timestamp;

use crate::engine::event::{DeviceFact, EarlierRefusal, Progress, Resume, Seen};
use crate::model::{Component, Failure, FailureKind, Outcome, OutcomeKind, Stage, Verdict};

use super::device_state::{Active, DevicePhase, DeviceState, Pause, Person, Step};
use super::upload_rate::UploadRate;

/// The harm that an install did to a device that ended like this. `None` where the outcome says nothing of it: an
/// attempt that failed or stopped before its install leaves a device as an earlier attempt left it.
pub(super) fn harm_of(outcome: &Outcome) -> Option<usize> {
    match outcome {
        Outcome::RolledBack => Some(1),
        Outcome::Failed(f) if matches!(f.kind, FailureKind::FaultAfterwards(_)) => Some(1),
        // Somebody has to go there, or at least to look: that is worse than an image that was refused.
        Outcome::Lost | Outcome::Unknown(_) => Some(2),
        Outcome::Failed(f) if f.is_about_log() => Some(0),
        _ => match outcome.kind() {
            OutcomeKind::Upgraded | OutcomeKind::Current => Some(0),
            _ => None,
        },
    }
}

impl DeviceState {
    /// Its secret was typed.
    pub(in crate::engine) fn answered(&mut self) {
        self.waits_for(None);
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
            DeviceFact::StageStarted { stage, try_no } => self.stage_started(at, *stage, *try_no),
            DeviceFact::StageProgress { stage, progress } => {
                if let DevicePhase::Running(active) = &mut self.state
                    && active.stage == *stage
                {
                    if let Progress::Bytes { sent, .. } = progress {
                        active.rate.take(at, *sent);
                    }
                    active.progress = Some(progress.clone());
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
            DeviceFact::Planned {
                seen,
                verdict,
                refused,
            } => {
                self.planned(at, seen.as_deref(), verdict, refused.as_deref());
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
            DeviceFact::PermitAsked => {
                self.announced = None;
                (self.wants_permit, self.permit) = (true, false);
            }
            DeviceFact::InstallAnnounced { pending } => {
                self.announced = Some((**pending).clone());
            }
            DeviceFact::Audited { report, .. } => self.audit = Some(report.clone()),
            DeviceFact::InstallBegun { pending } => {
                self.announced = None;
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

    fn planned(
        &mut self,
        at: Timestamp,
        seen: Option<&Seen>,
        verdict: &Verdict,
        refused: Option<&EarlierRefusal>,
    ) {
        // A later look that got no answer does not make what is known unknown.
        if let Some(seen) = seen {
            // What it said before its install stays what it ran before.
            if self.pending.is_none() || self.seen.is_none() {
                self.seen = Some(Box::new(seen.clone()));
            }
            let failed = verdict.failure().map(|failure| &failure.kind);
            let is_it = !matches!(failed, Some(FailureKind::OtherDevice { .. }));
            if is_it && !matches!(verdict, Verdict::Watch { .. }) {
                // It has answered, and what an earlier run did to it is known.
                let seen_now = self.earlier.take().map(|_| at);
                self.saw_earlier_end = seen_now.or(self.saw_earlier_end);
            }
        }
        if let Some(refused) = refused {
            self.was_refused(refused);
        }
        self.verdict = Some(verdict.clone());
    }

    fn stage_started(&mut self, at: Timestamp, stage: Stage, try_no: u32) {
        self.started.get_or_insert(at);
        // Whatever else is done, the install was not sent.
        if !matches!(stage, Stage::Install | Stage::InstallUi) {
            self.announced = None;
        }
        if stage == Stage::Audit && self.judged.is_none() {
            self.judged = self.refused();
        }
        self.state = DevicePhase::Running(Active {
            stage,
            since: at,
            try_no,
            progress: None,
            rate: UploadRate::new(at),
            pause: None,
            person: None,
        });
    }

    fn ends(&mut self, at: Timestamp, outcome: &Outcome) {
        self.judged = None;
        self.announced = None;
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
        // What is left out is left as it is.
        if !outcome.leaves_doubt() && !matches!(outcome, Outcome::Skipped(_)) {
            self.pending = None;
        }
        // As long as an earlier run's install is watched, this run has sent none. Former versions, which do not name its
        // image, counted it.
        if self
            .earlier
            .as_ref()
            .is_none_or(|earlier| earlier.image.is_none())
        {
            self.harm = harm_of(outcome).unwrap_or(self.harm);
        }
        (self.wants_permit, self.permit) = (false, false);
        self.state = DevicePhase::Done(outcome.clone());
        self.ended = Some(at);
    }
}
