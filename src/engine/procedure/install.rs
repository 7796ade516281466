//! The one install of an image: the permit, the last look, the request and its answer (protocol page, section 7). What
//! follows is in `reboot` for a firmware and in `app_install` for the app.
//!
//! Must not: install without a fresh [`Validated`], or on a device that is no longer as it was probed.

use tokio::time::Instant;

use crate::device::{Device, InstallAnswer, Session, Validated};
use crate::model::{Component, FailureKind, Fws, Outcome, Stage, Touched, Verdict};

use super::attempt::{Attempt, AttemptEnd, Running};
use super::login::Access;
use super::reboot::{Answered, NORMAL_SILENCE};
use super::until_install::Look;
use crate::engine::event::{DeviceFact, PendingInstall, Progress, Seen};

/// Events that are sent between the last look and the request: the stage begins, the install is sent.
const RESERVED: usize = 2;

/// An install that was sent.
pub(super) struct Sent {
    pub(in crate::engine) pending: PendingInstall,
    pub(in crate::engine) answer: InstallAnswer,
    pub(in crate::engine) running: Running,
}

/// What an attempt finds changed on a device that it has begun with.
enum Change {
    /// Another device is in its place, which ends the attempt whatever that one runs: how it differs.
    Replaced(String),
    /// It runs the image by now, so that it is done.
    Done(Box<Seen>),
    /// It has rebooted, or changed otherwise: the login and what was staged are lost, and it is looked at anew.
    Other(&'static str),
}

/// The stage in which an install is sent.
fn install_stage(component: Component) -> Stage {
    match component {
        Component::Firmware => Stage::Install,
        Component::Ui => Stage::InstallUi,
    }
}

impl<D: Device> Attempt<D> {
    /// Sends the one install of this firmware and follows it to its end.
    pub(in crate::engine) async fn install(
        &mut self,
        validated: Validated,
        access: &mut Access,
        seen: &Seen,
    ) -> Result<Outcome, AttemptEnd> {
        let sent = self.look_and_send(validated, access, seen).await?;
        let answered = self.answered(sent.running, sent.answer).await?;
        let deadline = sent.pending.since + self.policy.timeouts.reboot;
        let poll = self.policy.pace.reboot_poll;
        let outcome = self.follow(&sent.pending, deadline, Some(answered), poll);
        Ok(outcome.await)
    }

    /// Looks at the device for the last time and sends the install: once, and only here. `seen` is what the
    /// attempt began with. Whatever is slow (a login, a permit that a person gives) comes before; from the look to
    /// the request nothing is waited for, so that nobody else's install falls in between.
    pub(super) async fn look_and_send(
        &mut self,
        validated: Validated,
        access: &mut Access,
        seen: &Seen,
    ) -> Result<Sent, AttemptEnd> {
        let component = validated.component();
        // Waiting for a slow subscriber comes before the look, not after it.
        let events = self.events.clone();
        let mut tries = 0;
        let mut session = self.permit_and_announce(access, component, seen).await?;
        let (mut reserved, now) = loop {
            if !self.has_permit() {
                session = self.permit_and_announce(access, component, seen).await?;
            }
            let reserved = self.unless_cancelled(events.reserve(RESERVED)).await?;
            let kind = match self.unless_cancelled(self.look()).await? {
                Ok(look) => {
                    if let Some(change) = self.change(component, &look, seen) {
                        // What is said of it needs room, too, and there may be no more.
                        drop(reserved);
                        return Err(self.tell_change(change).await);
                    }
                    let faults = look.seen.status.fls_state;
                    if faults.is_healthy() || self.policy.force {
                        if self.has_permit() {
                            break (reserved, look.seen);
                        }
                        // The run was halted during this very look.
                        continue;
                    }
                    FailureKind::FaultLatched(faults)
                }
                Err(kind) => kind,
            };
            drop(reserved);
            tries += 1;
            if tries >= self.policy.retry.attempts || matches!(kind, FailureKind::FaultLatched(_)) {
                let running = self.begin(Stage::Probe, tries).await;
                return Err(self.fail(running, kind).await.into());
            }
            self.pause(self.policy.retry.backoff).await?;
        };
        // What it serves and since when it is up must be as young as can be: after a slow upload to a device
        // that had just booted, the probe's uptime would be too small to tell a reboot by.
        let pending = PendingInstall {
            component,
            since: Instant::now(),
            uptime_before: now.status.uptime,
            fw_upgrade_before: now.status.fw_upgrade,
            fws_before: now.version.fws,
            fws_expected: self.expected_by(component),
            eid: self.device.upgraded_eid(),
            device: now.version.mark(),
            uis_before: now.version.uis,
            mark: self.history().mark(),
        };
        let stage = install_stage(component);
        let try_no = 1;
        reserved.send(DeviceFact::StageStarted { stage, try_no });
        let running = Running::begun(stage, try_no);
        reserved.send(DeviceFact::InstallBegun {
            pending: Box::new(pending.clone()),
        });
        // From here to the answer nothing cancels.
        self.before_install = self.touched;
        self.touched = Touched::InstallSent;
        let answer = self.device.install(validated, &session).await;
        Ok(Sent {
            pending,
            answer,
            running,
        })
    }

    /// Asks for the permit, and then writes down that an install is about to be sent: should hemfleet or this machine die
    /// from here on, the next run knows of it. Waits until that is on disk; the last look comes after it.
    async fn permit_and_announce(
        &mut self,
        access: &mut Access,
        component: Component,
        seen: &Seen,
    ) -> Result<Session, Outcome> {
        self.permit(access).await?;
        let pending = Box::new(self.announced(component, seen));
        let announced = DeviceFact::InstallAnnounced { pending };
        self.unless_cancelled(self.events.send(announced)).await?;
        let cancel = self.cancel.clone();
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(self.stopped()),
            answer = self.recorded.recv() => answer,
        };
        let Err(what) = answer.unwrap_or_else(|| Err("the run is over".to_owned())) else {
            // The disk may have taken longer than the token lives.
            return self.session(access, self.policy.timeouts.request).await;
        };
        let running = self.begin(install_stage(component), 1).await;
        let kind = FailureKind::InstallNotRecorded { what };
        Err(self.fail(running, kind).await)
    }

    /// What is known of a device whose last look is still to come. That finds it as it was, or no install is sent: so its
    /// uptime has gone on since the look before, if perhaps slowly.
    fn announced(&self, component: Component, seen: &Seen) -> PendingInstall {
        let now = Instant::now();
        let uptime = self.history().uptime_at_least(now);
        PendingInstall {
            component,
            since: now,
            uptime_before: uptime.unwrap_or(seen.status.uptime),
            fw_upgrade_before: seen.status.fw_upgrade,
            fws_before: seen.version.fws,
            fws_expected: self.expected_by(component),
            eid: self.device.upgraded_eid(),
            device: seen.version.mark(),
            uis_before: seen.version.uis.clone(),
            mark: self.history().mark(),
        }
    }

    /// The firmware that runs once an install of this succeeds, where that is known.
    fn expected_by(&self, component: Component) -> Option<Fws> {
        let fws = self.expected_fws();
        fws.filter(|_| component == Component::Firmware)
    }

    /// Asks for the permit to install, and waits for it: while a run is halted, until a person decides. What was known of
    /// the device is old by then, so the last look comes after the permit. The login comes before it, unless the wait
    /// outlives the token.
    pub(in crate::engine) async fn permit(
        &mut self,
        access: &mut Access,
    ) -> Result<Session, Outcome> {
        let need = self.policy.timeouts.request;
        self.session(access, need).await?;
        self.permit.take_back();
        self.unless_cancelled(self.events.send(DeviceFact::PermitAsked))
            .await?;
        self.unless_cancelled(self.permit.given()).await?;
        self.session(access, need).await
    }

    /// Whether the permit still stands. A run may be halted while a device is looked at for the last time.
    pub(super) fn has_permit(&self) -> bool {
        self.permit.is_given()
    }

    /// What has changed since the attempt found the device, if anything.
    fn change(&self, component: Component, look: &Look, before: &Seen) -> Option<Change> {
        let now = &look.seen;
        if let Some(what) = before.version.mark().differs(&now.version) {
            return Some(Change::Replaced(what));
        }
        if component == Component::Firmware && self.is_image(now.version.fws) {
            return Some(Change::Done(Box::new(now.clone())));
        }
        // The app of a device changes by this run, too, before its firmware does.
        let app = component == Component::Ui && now.version.uis != before.version.uis;
        if now.version.fws != before.version.fws {
            Some(Change::Other("it runs another firmware than it did"))
        } else if look.rebooted {
            Some(Change::Other("it has rebooted"))
        } else if app {
            let what = "it serves another management app than it did";
            Some(Change::Other(what))
        } else {
            None
        }
    }

    /// What follows from a change.
    async fn tell_change(&mut self, change: Change) -> AttemptEnd {
        match change {
            Change::Replaced(what) => self.replaced(what).await.into(),
            Change::Done(now) => self.already_there(*now).await.into(),
            Change::Other(what) => AttemptEnd::StartOver(what.to_owned()),
        }
    }

    /// Another device answers in its place: nobody has agreed to anything about that one.
    pub(super) async fn replaced(&mut self, what: String) -> Outcome {
        let running = self.begin(Stage::Probe, 1).await;
        let what = format!("another device answers there now: {what}");
        self.fail(running, FailureKind::ChangedMeanwhile { what })
            .await
    }

    /// Somebody else has installed the image meanwhile.
    async fn already_there(&mut self, now: Seen) -> Outcome {
        let running = self.begin(Stage::Probe, 1).await;
        if let Some(kind) = self.fault(&now) {
            return self.fail(running, kind).await;
        }
        let note = format!("{} · runs this very image by now", now.version.fwv);
        self.end(running, Some(200), note).await;
        let planned = self.planned(now, Verdict::Current);
        self.events.send(planned).await;
        self.nothing_left().await
    }

    /// How an attempt ends that finds the image running. Its app may have come before that.
    pub(super) async fn nothing_left(&mut self) -> Outcome {
        if self.touched == Touched::InstallSent {
            return self.app_unconfirmed().await;
        }
        Outcome::Current
    }

    /// A login or a check that had to be repeated may have been so over a reboot, and a failure may come
    /// from one: one look tells. A device that does not answer tells nothing.
    pub(super) async fn look_for_change(
        &mut self,
        component: Component,
        seen: &Seen,
    ) -> Result<(), AttemptEnd> {
        match self.unless_cancelled(self.look()).await? {
            Ok(look) => match self.change(component, &look, seen) {
                Some(change) => Err(self.tell_change(change).await),
                None => Ok(()),
            },
            Err(_) => Ok(()),
        }
    }

    /// What a step that failed means, should the device have rebooted under it: its token died and what was
    /// staged is gone, which is no refusal.
    pub(super) async fn or_changed(
        &mut self,
        component: Component,
        seen: &Seen,
        failed: Outcome,
    ) -> AttemptEnd {
        let may_be = matches!(
            &failed,
            Outcome::Failed(failure) if matches!(
                failure.kind,
                FailureKind::Link(_)
                    | FailureKind::Status { .. }
                    | FailureKind::WrongSecret
                    | FailureKind::ClockUnset
            )
        );
        if may_be && let Err(halt) = self.look_for_change(component, seen).await {
            return halt;
        }
        if let Outcome::Failed(failure) = &failed
            && let FailureKind::Status { status: 409 } = failure.kind
            && let Err(halt) = self.wait_for_others(component, seen).await
        {
            return halt;
        }
        failed.into()
    }

    /// A healthy device that says 409 to an image may be installing one for somebody else: it answers as before
    /// for a few seconds, and then goes. What comes of that is waited for as long as a reboot usually takes.
    async fn wait_for_others(
        &mut self,
        component: Component,
        seen: &Seen,
    ) -> Result<(), AttemptEnd> {
        let running = self.begin(Stage::Probe, 1).await;
        let what = "409: somebody else's install may be under way; waiting for it".to_owned();
        let progress = Progress::Step { what };
        self.events.send_progress(running.stage, progress);
        let deadline = Instant::now() + NORMAL_SILENCE.min(self.policy.timeouts.reboot);
        let changed = loop {
            if let Err(stopped) = self.pause(self.policy.pace.reboot_poll).await {
                break Err(stopped.into());
            }
            let changed = self.look_for_change(component, seen).await;
            if changed.is_err() || Instant::now() >= deadline {
                break changed;
            }
        };
        let kind = match &changed {
            // By a person, or since the run was halted.
            Err(AttemptEnd::Final(Outcome::Cancelled(_) | Outcome::Halted(_))) => {
                FailureKind::Stopped
            }
            _ => FailureKind::Status { status: 409 },
        };
        self.end_failed(running, kind).await;
        changed
    }

    /// What the answer means: accepted, or not clear; anything else ends the attempt.
    pub(in crate::engine) async fn answered(
        &mut self,
        running: Running,
        answer: InstallAnswer,
    ) -> Result<Answered, Outcome> {
        let watching = "watching, never asking again";
        let kind = match answer {
            InstallAnswer::Accepted => {
                self.end(running, Some(200), "accepted".to_owned()).await;
                return Ok(Answered::Accepted);
            }
            InstallAnswer::Unclear { why } => {
                let note = format!("no clear answer ({why}): {watching}");
                self.end(running, None, note).await;
                return Ok(Answered::Lost);
            }
            InstallAnswer::Odd { status } => {
                let note = format!("{status} is no answer of a device to an install: {watching}");
                self.end(running, Some(status), note).await;
                return Ok(Answered::Odd(status));
            }
            InstallAnswer::Refused { status } => {
                if matches!(status, 406 | 409) {
                    self.history().wrote_install();
                }
                FailureKind::InstallRefused { status }
            }
            InstallAnswer::NotSent(link) => FailureKind::InstallNotSent(link),
        };
        self.touched = self.before_install;
        Err(self.fail(running, kind).await)
    }
}
