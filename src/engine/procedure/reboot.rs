//! What became of a firmware's install: reboot → verify (protocol page, section 7). It only looks at the device; the
//! install itself is in `install`.

use std::time::Duration;

use tokio::time::Instant;

use crate::device::Device;
use crate::hem::limits::{FAST_CLOCK, SLOW_CLOCK, UPTIME_ROUNDING};
use crate::model::{
    DeviceStatus, DeviceVersion, Doubt, Failure, FailureKind, Fws, LinkFault, Outcome, Stage,
    TlsFault, Touched, Unproven, human_duration,
};

use super::attempt::{Attempt, Running};
use super::until_install::Look;
use crate::engine::event::{DeviceFact, PendingInstall, Progress};

/// For how long after an install silence is normal: devices are gone for some 15 to 60 s.
pub(super) const NORMAL_SILENCE: Duration = Duration::from_secs(60);

impl PendingInstall {
    /// Whether `status`, asked for at `asked`, tells of a reboot since the install.
    pub(super) fn shows_reboot(&self, status: &DeviceStatus, asked: Instant) -> bool {
        let since = asked.saturating_duration_since(self.since);
        (status.fw_upgrade && !self.fw_upgrade_before)
            || (status.uptime.div_f64(FAST_CLOCK) < since && status.uptime < self.uptime_before)
    }

    /// The same long after the install, when `limit` has passed: the uptime may have outgrown the one before it, but not
    /// what that would be by now. The page is silent on so late a look; it decides nothing that the device's signature does
    /// not show.
    pub(super) fn shows_past_reboot(
        &self,
        status: &DeviceStatus,
        asked: Instant,
        limit: Duration,
    ) -> bool {
        let since = asked.saturating_duration_since(self.since);
        let unbroken = self.uptime_before + since.mul_f64(SLOW_CLOCK);
        let booted_since = status.uptime.div_f64(FAST_CLOCK) < since;
        let outgrown = since > limit && status.uptime + UPTIME_ROUNDING < unbroken;
        self.shows_reboot(status, asked) || (booted_since && outgrown)
    }
}

/// How an install was answered, where that did not end the attempt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Answered {
    /// 200.
    Accepted,
    /// Not at all.
    Lost,
    /// With a status that is neither: of a proxy or tunnel, perhaps.
    Odd(u16),
}

/// How often a device is looked at after this machine stood still, before it is called lost: the network may
/// need a while longer to come back than the process.
const LOOKS_AFTER_GAP: u32 = 3;

/// By how much a wait or a look may be late without this machine having stood still: suspended, or stopped.
const LATE: Duration = Duration::from_secs(10);

/// What the last look at a rebooting device found.
pub(super) enum RebootLook {
    /// It answers, without a sign of a reboot.
    Same,
    /// It does not answer, or not properly.
    Gone(FailureKind),
}

impl<D: Device> Attempt<D> {
    /// A further attempt on a device whose install may have been sent: looks, watches, and never
    /// installs.
    pub(super) async fn look_again(&mut self, pending: &PendingInstall) -> Outcome {
        self.touched = Touched::InstallSent;
        // The process that logged in may be another one than this.
        if let Some(eid) = &pending.eid {
            self.device.expect_eid(eid);
        }
        let running = self.begin(Stage::Probe, 1).await;
        let asked = Instant::now();
        match self.look().await {
            Ok(Look { seen, .. }) => {
                let limit = self.policy.timeouts.reboot;
                let rebooted = pending.shows_past_reboot(&seen.status, asked, limit);
                let note = format!(
                    "{} · {}",
                    seen.version.fwv,
                    if rebooted {
                        "has rebooted"
                    } else {
                        "no reboot seen yet"
                    }
                );
                self.end(running, Some(200), note).await;
                if let Some(outcome) = self.end_if_replaced(pending, &seen.version).await {
                    return outcome;
                }
                if !rebooted && self.is_image(seen.version.fws) {
                    let judged = Outcome::Current;
                    let stopped = self.if_stopped(&judged).unwrap_or_else(|| judged.clone());
                    self.returned(pending, seen.version, Some(stopped)).await;
                    return self.confirm(pending.mark.as_ref(), judged).await;
                }
                if rebooted && !pending.shows_reboot(&seen.status, asked) {
                    let deadline = Instant::now() + limit;
                    return self.verify(pending, deadline, &seen.status).await;
                }
            }
            Err(kind) => self.end_failed(running, kind).await,
        }
        let deadline = Instant::now() + self.policy.timeouts.reboot;
        self.follow(pending, deadline, None, Duration::ZERO).await
    }

    /// Watches the device go and come back, then reads what it runs. `answered` tells how the install was
    /// answered, where that is known.
    pub(super) async fn follow(
        &mut self,
        pending: &PendingInstall,
        deadline: Instant,
        answered: Option<Answered>,
        first_wait: Duration,
    ) -> Outcome {
        let running = self.begin(Stage::Reboot, 1).await;
        match self.reboot(pending, deadline, first_wait).await {
            Ok(status) => {
                let note = format!("back, up for {}", human_duration(status.uptime));
                self.end(running, Some(200), note).await;
                self.verify(pending, deadline, &status).await
            }
            Err(RebootLook::Gone(last)) => {
                let outcome = outcome_of_last_look(&last);
                let kind = if outcome == Outcome::Lost {
                    FailureKind::NotBack {
                        after: pending.since.elapsed(),
                        last: last.to_string(),
                    }
                } else {
                    last
                };
                self.end_failed(running, kind).await;
                outcome
            }
            Err(RebootLook::Same) => self.no_reboot(running, pending, answered).await,
        }
    }

    /// The limit passed and the device answers as if nothing had happened.
    async fn no_reboot(
        &mut self,
        running: Running,
        pending: &PendingInstall,
        answered: Option<Answered>,
    ) -> Outcome {
        let after = pending.since.elapsed();
        self.end_failed(running, FailureKind::NoReboot { after })
            .await;
        if let Ok(version) = self.device.version().await {
            if let Some(outcome) = self.end_if_replaced(pending, &version).await {
                return outcome;
            }
            let fws = version.fws;
            let seen = self
                .is_image(fws)
                .then_some(Outcome::Unproven(Unproven::RebootNotSeen));
            self.returned(pending, version, seen.clone()).await;
            if let Some(outcome) = seen {
                return outcome;
            }
        }
        Outcome::Unknown(match answered {
            Some(Answered::Lost) => Doubt::AnswerLost,
            Some(Answered::Odd(status)) => Doubt::OddAnswer { status },
            Some(Answered::Accepted) => Doubt::NoReboot,
            None => Doubt::NoTrace,
        })
    }

    /// Looks until the device has rebooted and stayed up for a while; its status then.
    pub(super) async fn reboot(
        &mut self,
        pending: &PendingInstall,
        deadline: Instant,
        first_wait: Duration,
    ) -> Result<DeviceStatus, RebootLook> {
        let mut wait = first_wait;
        // The wait for the install's answer may have used up all the time, and this machine stood still in it.
        let mut owed = if Instant::now() >= deadline {
            LOOKS_AFTER_GAP
        } else {
            0
        };
        loop {
            let begun = Instant::now();
            let left = deadline.saturating_duration_since(begun);
            let pause = if owed > 0 { wait } else { wait.min(left) };
            tokio::time::sleep(pause).await;
            if begun.elapsed() > pause + LATE {
                owed = LOOKS_AFTER_GAP;
            }
            wait = self.policy.pace.reboot_poll;
            let looked = Instant::now();
            let met = match self.look_for_reboot(pending).await {
                Ok(first) => {
                    self.saw("back, must stay up");
                    tokio::time::sleep(self.policy.pace.reboot_settle).await;
                    // A device may come up and vanish again; then the watch goes on.
                    match self.look_for_reboot(pending).await {
                        Ok(second) if second.uptime >= first.uptime => return Ok(second),
                        Ok(_) => RebootLook::Gone(FailureKind::RebootedAgain),
                        Err(met) => met,
                    }
                }
                Err(met) => met,
            };
            match &met {
                RebootLook::Same => self.saw("still answers as before"),
                RebootLook::Gone(kind) => self.saw(&kind.to_string()),
            }
            owed = owed.saturating_sub(1);
            // A look has its time limits, of which a connection and an answer take one each.
            if looked.elapsed() > self.policy.timeouts.request * 2 + LATE {
                owed = LOOKS_AFTER_GAP;
            }
            // Only after a look, and after a gap after several.
            if owed == 0 && Instant::now() >= deadline {
                return Err(met);
            }
        }
    }

    /// How the attempt ends if another device answers in this one's place.
    pub(super) async fn end_if_replaced(
        &self,
        pending: &PendingInstall,
        now: &DeviceVersion,
    ) -> Option<Outcome> {
        let doubt = Doubt::OtherDevice {
            what: pending.device.differs(now)?,
        };
        let running = self.begin(Stage::Verify, 1).await;
        self.end_failed(running, FailureKind::InDoubt(doubt.clone()))
            .await;
        Some(Outcome::Unknown(doubt))
    }

    async fn returned(
        &self,
        pending: &PendingInstall,
        version: DeviceVersion,
        outcome: Option<Outcome>,
    ) {
        self.events
            .send(DeviceFact::Returned {
                component: pending.component,
                version: Box::new(version),
                outcome,
            })
            .await;
    }

    fn saw(&self, last: &str) {
        self.events.send_progress(
            Stage::Reboot,
            Progress::Silent {
                last: last.to_owned(),
                normal: NORMAL_SILENCE,
            },
        );
    }

    /// One look: the status of a device that has rebooted, else what was met instead. It has the time
    /// limits of any request, and is not cut short by the end of the watch: a look without its time
    /// would call a slow device lost.
    async fn look_for_reboot(&self, pending: &PendingInstall) -> Result<DeviceStatus, RebootLook> {
        let asked = Instant::now();
        match self.device.status().await {
            Ok(status) if pending.shows_reboot(&status, asked) => Ok(status),
            Ok(_) => Err(RebootLook::Same),
            Err(kind) => Err(RebootLook::Gone(kind)),
        }
    }

    /// Reads what the device runs after an observed reboot, and judges it.
    async fn verify(
        &mut self,
        pending: &PendingInstall,
        deadline: Instant,
        status: &DeviceStatus,
    ) -> Outcome {
        let running = self.begin(Stage::Verify, 1).await;
        let patience = deadline.max(Instant::now() + self.policy.timeouts.request);
        let version = loop {
            match self.device.version().await {
                Ok(version) => break version,
                Err(kind) if Instant::now() >= patience => {
                    let outcome = match outcome_of_last_look(&kind) {
                        Outcome::Unknown(Doubt::Unseen { .. }) => {
                            Outcome::Unproven(Unproven::NoSignature)
                        }
                        other => other,
                    };
                    self.end_failed(running, kind).await;
                    return outcome;
                }
                Err(_) => tokio::time::sleep(self.policy.pace.reboot_poll).await,
            }
        };
        if let Some(what) = pending.device.differs(&version) {
            let doubt = Doubt::OtherDevice { what };
            self.end_failed(running, FailureKind::InDoubt(doubt.clone()))
                .await;
            return Outcome::Unknown(doubt);
        }
        let judged = self.proven(pending, status, version.fws);
        let faults = status.fls_state;
        let note = format!("{} · signature matches", version.fwv);
        let kind = match &judged {
            Outcome::RolledBack => Some(FailureKind::RolledBack),
            Outcome::Unproven(why) => Some(FailureKind::Unproven(why.clone())),
            Outcome::Upgraded if faults.is_healthy() || self.policy.force => None,
            // Proven, but nobody should find a broken device among the green ones.
            Outcome::Upgraded => Some(FailureKind::FaultAfterwards(faults)),
            // Nothing else is judged here; if it ever is, it is not green.
            _ => Some(FailureKind::InDoubt(Doubt::NoReboot)),
        };
        let outcome = match &kind {
            Some(kind @ FailureKind::FaultAfterwards(_)) => Outcome::Failed(Failure {
                stage: Stage::Verify,
                kind: kind.clone(),
                touched: self.touched,
            }),
            _ => judged,
        };
        let stopped = self.if_stopped(&outcome);
        self.returned(pending, version, stopped).await;
        match kind {
            None => self.end(running, Some(200), note).await,
            Some(kind) => self.end_failed(running, kind).await,
        }
        self.confirm(pending.mark.as_ref(), outcome).await
    }

    /// What a device that has rebooted, says `status` and runs `now` proves.
    fn proven(&self, pending: &PendingInstall, status: &DeviceStatus, now: Option<Fws>) -> Outcome {
        let Some(now) = now else {
            return Outcome::Unproven(Unproven::NoSignature);
        };
        if self.is_image(Some(now)) {
            return Outcome::Upgraded;
        }
        // Without a known footer the image may be the very one that ran before; the device says after an
        // upgrade that there was one, and after a rollback it does not.
        let expected = self.expected_fws();
        let upgraded = status.fw_upgrade && !pending.fw_upgrade_before;
        if pending.fws_before == Some(now) && (expected.is_some() || !upgraded) {
            Outcome::RolledBack
        } else if expected.is_none() {
            Outcome::Unproven(Unproven::NoExpectedSignature)
        } else {
            Outcome::Unproven(Unproven::OtherSignature { now: now.short() })
        }
    }

    pub(super) fn expected_fws(&self) -> Option<Fws> {
        self.firmware().and_then(|image| image.facts.expected_fws())
    }

    /// Whether `fws` is the image's own.
    pub(super) fn is_image(&self, fws: Option<Fws>) -> bool {
        fws.is_some() && fws == self.expected_fws()
    }
}

/// What becomes of a device whose last look, when the limit passed, met this. Only its own silence makes it
/// lost: nobody is to be sent to power-cycle a device whose new certificate is not the pinned one, whose jump
/// host is down, or which this machine could not ask.
pub(super) fn outcome_of_last_look(met: &FailureKind) -> Outcome {
    let last = met.to_string();
    match met {
        FailureKind::Link(link) if link.spares_device() => {
            Outcome::Unknown(Doubt::NotLookedAt { last })
        }
        FailureKind::Link(LinkFault::Tls(TlsFault::Other { .. } | TlsFault::NotTls)) => {
            Outcome::Lost
        }
        FailureKind::Link(LinkFault::Tls(_)) => Outcome::Unknown(Doubt::Unseen { last }),
        FailureKind::Link(_) => Outcome::Lost,
        _ => Outcome::Unknown(Doubt::Unseen { last }),
    }
}

#[cfg(test)]
mod tests;
