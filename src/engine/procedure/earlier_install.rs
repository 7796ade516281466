//! A device that may still be under the install of another attempt: what the plan says of it, and how an upgrade waits for
//! the install of an earlier run to come to its end. The watch itself is in `reboot`.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use crate::device::Device;
use crate::model::{
    Component, Doubt, FailureKind, Outcome, Stage, Touched, Verdict, human_duration,
};

use super::attempt::Attempt;
use super::reboot::{NORMAL_SILENCE, RebootLook, outcome_of_last_look};
use crate::engine::event::{
    EarlierInstall, EarlierRefusal, PendingInstall, Progress, Resume, Seen,
};

impl<D: Device> Attempt<D> {
    /// Why the plan only watches a device that said this, or that could not be asked for this reason; absent where nothing
    /// is open any more.
    pub(super) fn open_end(
        &mut self,
        resume: &Resume,
        looked: Result<&Seen, &FailureKind>,
    ) -> Option<Verdict> {
        let now = match (resume, looked) {
            (_, Err(kind)) => kind.to_string(),
            (Resume::Earlier(earlier), Ok(seen)) if is_other(earlier, seen).is_some() => {
                let what = is_other(earlier, seen).filter(|_| !self.may_be_other())?;
                return Some(FailureKind::OtherDevice { what }.into());
            }
            (Resume::Earlier(earlier), Ok(seen)) if !self.is_open(earlier, seen) => return None,
            (Resume::Earlier(earlier), Ok(seen)) => self.describe_now(&earlier.pending, seen),
            (Resume::Install(pending), Ok(seen)) => self.describe_now(pending, seen),
            (Resume::Log { .. }, Ok(seen)) => seen.version.fwv.clone(),
        };
        let first = match resume {
            Resume::Install(pending) => describe_ago(pending),
            Resume::Earlier(earlier) => describe_sent(earlier),
            Resume::Log { .. } => "only its log is still to be read".to_owned(),
        };
        let notes = vec![first, now];
        let goes_on = match resume {
            Resume::Earlier(_) => true,
            // After the app comes the firmware.
            Resume::Install(pending) => {
                pending.component == Component::Ui && self.payload.firmware.is_some()
            }
            Resume::Log { .. } => false,
        };
        Some(Verdict::Watch { notes, goes_on })
    }

    /// Waits until it is known what the install of an earlier run did to the device: it has rebooted, or it answers as before
    /// although its time is over. How the attempt ends where it is not to be known.
    pub(super) async fn watch_earlier(&mut self, earlier: &EarlierInstall) -> Result<(), Outcome> {
        let stopped = Outcome::Unknown(Doubt::StoppedWatching);
        let look = self.unless_cancelled(self.look()).await;
        if let Ok(look) = look.map_err(|_| stopped.clone())? {
            if let Some(what) = is_other(earlier, &look.seen) {
                if self.may_be_other() {
                    return Ok(());
                }
                let running = self.begin(Stage::Probe, 1).await;
                let kind = FailureKind::OtherDevice { what };
                let planned = self.planned(look.seen, kind.clone().into());
                self.events.send(planned).await;
                return Err(self.fail(running, kind).await);
            }
            if !self.is_open(earlier, &look.seen) {
                return Ok(());
            }
        }
        let pending = &earlier.pending;
        let running = self.begin(Stage::Reboot, 1).await;
        let what = describe_sent(earlier);
        self.events
            .send_progress(Stage::Reboot, Progress::Step { what });
        let limit = self.policy.timeouts.reboot;
        // Also long after it the device may be rebooting, for whatever reason.
        let soon = Instant::now() + NORMAL_SILENCE.min(limit);
        let deadline = (pending.since + limit).max(soon);
        let cancel = self.cancel.clone();
        let watch = self.reboot(pending, deadline, Duration::ZERO);
        let met = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            met = watch => Some(met),
        };
        match met {
            None => {
                self.end_failed(running, FailureKind::Stopped).await;
                Err(stopped)
            }
            Some(Ok(status)) => {
                self.rebooted_since = Some(earlier.clone());
                let note = format!("back, up for {}", human_duration(status.uptime));
                self.end(running, Some(200), note).await;
                Ok(())
            }
            Some(Err(RebootLook::Same)) => {
                let note = "answers as before: that install left no trace".to_owned();
                self.end(running, Some(200), note).await;
                Ok(())
            }
            Some(Err(RebootLook::Gone(last))) => {
                self.touched = Touched::InstallSent;
                let outcome = outcome_of_last_look(&last);
                let kind = match outcome {
                    Outcome::Lost => FailureKind::NotBack {
                        after: pending.since.elapsed(),
                        last: last.to_string(),
                    },
                    _ => last,
                };
                self.end_failed(running, kind).await;
                Err(outcome)
            }
        }
    }

    /// Whether a person has said that another device may answer: the one that was in doubt is gone.
    pub(super) fn may_be_other(&self) -> bool {
        self.takes_other || self.policy.take_replaced
    }

    /// How an attempt ends that has waited for the install of an earlier run: as long as it has told no look after that,
    /// nobody knows what the device runs.
    pub(super) fn unless_unseen(
        &self,
        ended: Result<Outcome, Outcome>,
    ) -> Result<Outcome, Outcome> {
        match ended {
            Err(Outcome::Cancelled(_) | Outcome::Halted(_)) if !self.told_look => {
                Err(Outcome::Unknown(Doubt::StoppedWatching))
            }
            Err(Outcome::Failed(failure)) if !self.told_look && is_without_look(&failure.kind) => {
                Err(outcome_of_last_look(&failure.kind))
            }
            other => other,
        }
    }

    /// Whether that install may still be under way. Not if the device has rebooted, or if the time is over.
    fn is_open(&mut self, earlier: &EarlierInstall, seen: &Seen) -> bool {
        let pending = &earlier.pending;
        if self.rebooted(pending, seen) {
            self.rebooted_since = Some(earlier.clone());
            return false;
        }
        pending.since.elapsed() <= self.policy.timeouts.reboot
    }

    /// That the bootloader refused what an earlier run had sent, of whichever image: the device has rebooted since, and
    /// runs what it ran before.
    pub(super) fn refusal_seen(&self, seen: &Seen) -> Option<EarlierRefusal> {
        let earlier = self.rebooted_since.as_ref()?;
        let before = earlier.pending.fws_before?;
        let is_refused = Some(before) == seen.version.fws;
        let is_ours = || {
            earlier
                .pending
                .fws_expected
                .is_some_and(|f| self.is_image(Some(f)))
        };
        let ours = || is_ours().then(|| self.image_sha256()).flatten();
        // Without the image's name it would stand for any image.
        let image = earlier.image.clone().or_else(ours)?;
        let is_it = is_other(earlier, seen).is_none();
        (is_it && is_refused).then(|| EarlierRefusal {
            run: earlier.run.clone(),
            at: Timestamp::now(),
            image: Some(image),
            device: Some(earlier.pending.device.clone()),
        })
    }

    /// That the bootloader refused this very image in an earlier run, and nobody has asked for it to be sent again.
    pub(super) fn refused_before(&self, seen: &Seen) -> Option<FailureKind> {
        let image = self.image_sha256();
        let known = self.refusal_seen(seen).into_iter();
        let refused = known
            .chain(self.refused.iter().cloned())
            .filter(|refused| refused.image.is_none() || refused.image == image)
            .find(|refused| {
                let mark = refused.device.as_ref();
                mark.and_then(|mark| mark.differs(&seen.version)).is_none()
            })?;
        (!self.policy.resend_refused).then(|| FailureKind::RefusedBefore {
            run: refused.run.to_string(),
            on: refused.at.strftime("%F").to_string(),
        })
    }

    fn image_sha256(&self) -> Option<String> {
        Some(self.firmware()?.facts.sha256_hex())
    }

    fn rebooted(&self, pending: &PendingInstall, seen: &Seen) -> bool {
        let limit = self.policy.timeouts.reboot;
        pending.shows_past_reboot(&seen.status, Instant::now(), limit)
    }

    fn describe_now(&self, pending: &PendingInstall, seen: &Seen) -> String {
        if let Some(what) = pending.device.differs(&seen.version) {
            return format!("another device answers there now: {what}");
        }
        let fwv = &seen.version.fwv;
        if self.rebooted(pending, seen) {
            format!("has rebooted, runs {fwv}")
        } else {
            format!("answers as before, runs {fwv}")
        }
    }
}

/// In what the device that said this differs from the one that was sent the install, if it does.
fn is_other(earlier: &EarlierInstall, seen: &Seen) -> Option<String> {
    earlier.pending.device.differs(&seen.version)
}

/// Whether a probe that failed like this has not seen the device: anything but that it is another one by now.
fn is_without_look(kind: &FailureKind) -> bool {
    !matches!(kind, FailureKind::ChangedMeanwhile { .. })
}

fn describe_ago(pending: &PendingInstall) -> String {
    let ago = human_duration(pending.since.elapsed());
    format!("install sent {ago} ago: do not unplug")
}

/// Such as `install sent 12 s ago by run 5e1f0c2a: do not unplug`.
fn describe_sent(earlier: &EarlierInstall) -> String {
    let ago = human_duration(earlier.pending.since.elapsed());
    format!(
        "install sent {ago} ago by run {}: do not unplug",
        earlier.run
    )
}
