//! The management app: its install, and whether the device serves it now (protocol page, section 8). The app comes
//! without a reboot. Only a `uis` that is the hash of the app's manifest proves that the device serves it.
//!
//! Must not: install an app whose install is pending, or go on to the firmware of a device that it cannot explain.

use tokio::time::Instant;

use crate::device::{Device, Image, Validated};
use crate::model::{
    AppFacts, Component, DeviceVersion, Doubt, FailureKind, Outcome, Stage, Touched, Unproven,
    printable,
};

use super::attempt::{Attempt, AttemptEnd};
use super::login::Access;
use super::reboot::{Answered, outcome_of_last_look};
use crate::engine::event::{DeviceFact, PendingInstall, Seen};

/// The longest `uis` that is shown, in characters; base64 of 32 bytes has 44.
const LONGEST_UIS: usize = 64;

/// What the looks after an install found.
enum AppLook {
    /// It serves this app, by the hash of its manifest.
    Served,
    /// It serves another app than before, and not this one by its hash: it reports this.
    Changed(String),
    /// Its `uis` is what it was.
    Same,
    /// The same, and it is the signer's key: that says nothing of the app.
    Signer,
    /// It does not say what it serves.
    NoHash,
    /// Another device answers.
    Other(String),
    /// It does not answer, or not properly.
    Gone(FailureKind),
}

impl<D: Device> Attempt<D> {
    /// Sends, checks and installs the app. Returns whether nothing is left to do on this device.
    pub(super) async fn roll_app(
        &mut self,
        access: &mut Access,
        image: Image<'_>,
        seen: &Seen,
    ) -> Result<bool, AttemptEnd> {
        let validated = self.stage(access, image, seen).await?;
        self.install_app(access, validated, seen).await
    }

    async fn install_app(
        &mut self,
        access: &mut Access,
        validated: Validated,
        seen: &Seen,
    ) -> Result<bool, AttemptEnd> {
        let sent = self.look_and_send(validated, access, seen).await?;
        let answered = self.answered(sent.running, sent.answer).await?;
        Ok(self.verify_app(&sent.pending, Some(answered)).await?)
    }

    /// A further attempt on a device whose app's install is open: looks, and never installs that again.
    /// Only where it is proven the firmware follows, as in a first attempt.
    pub(super) async fn check_app_again(
        &mut self,
        pending: &PendingInstall,
    ) -> Result<Outcome, Outcome> {
        self.touched = Touched::InstallSent;
        if self.verify_app(pending, None).await? {
            return Ok(self.app_unconfirmed().await);
        }
        self.upgrade_from_start(Some(pending.device.clone())).await
    }

    /// Looks until the device serves another app, within the time of a request. `answered` tells how
    /// the install was answered, where that is known.
    async fn verify_app(
        &mut self,
        pending: &PendingInstall,
        answered: Option<Answered>,
    ) -> Result<bool, Outcome> {
        let running = self.begin(Stage::VerifyUi, 1).await;
        let deadline = Instant::now() + self.policy.timeouts.request;
        let (met, version) = loop {
            let (met, version) = self.look_at_app(pending).await;
            // Only after a look: the wait for the install's answer may have used up all the time.
            if matches!(met, AppLook::Served | AppLook::Changed(_)) || Instant::now() >= deadline {
                break (met, version);
            }
            tokio::time::sleep(self.policy.pace.reboot_poll).await;
        };
        let last =
            self.firmware().is_none() || version.as_ref().is_some_and(|v| self.is_image(v.fws));
        let (outcome, kind) = match met {
            AppLook::Served => {
                {
                    let mut history = self.history();
                    history.app_done = true;
                    history.wrote_install();
                }
                let judged = last.then(|| {
                    self.if_stopped(&Outcome::AppInstalled)
                        .unwrap_or(Outcome::AppInstalled)
                });
                self.app_returned(version, judged).await;
                let note = "its uis is the hash of this app's manifest".to_owned();
                self.end(running, Some(200), note).await;
                return Ok(last);
            }
            AppLook::Changed(now) => unproven(Unproven::AppChanged { now }),
            AppLook::Same | AppLook::Signer | AppLook::NoHash
                if answered != Some(Answered::Accepted) =>
            {
                in_doubt(Doubt::AppUnseen)
            }
            AppLook::Same => unproven(Unproven::AppUnchanged),
            AppLook::Signer => unproven(Unproven::AppUntold),
            AppLook::NoHash => unproven(Unproven::NoAppHash),
            AppLook::Other(what) => in_doubt(Doubt::OtherDevice { what }),
            AppLook::Gone(kind) => (outcome_of_last_look(&kind), kind),
        };
        // What is in doubt is counted by the look that finds it, once.
        if matches!(outcome, Outcome::Unproven(_)) {
            self.history().wrote_install();
        }
        self.app_returned(version, Some(outcome.clone())).await;
        self.end_failed(running, kind).await;
        Err(outcome)
    }

    async fn look_at_app(&self, pending: &PendingInstall) -> (AppLook, Option<DeviceVersion>) {
        let version = match self.device.version().await {
            Ok(version) => version,
            Err(kind) => return (AppLook::Gone(kind), None),
        };
        if let Some(what) = pending.device.differs(&version) {
            return (AppLook::Other(what), None);
        }
        let facts = self.payload.app.as_ref().map(|app| &app.facts);
        let is = |known: fn(&AppFacts, Option<&str>) -> bool| {
            facts.is_some_and(|facts| known(facts, version.uis.as_deref()))
        };
        let met = match (&pending.uis_before, &version.uis) {
            _ if is(AppFacts::is_served_as) => AppLook::Served,
            (Some(before), Some(now)) if before != now => {
                AppLook::Changed(printable(now, LONGEST_UIS))
            }
            (Some(_), Some(_)) if is(AppFacts::is_signer) => AppLook::Signer,
            (Some(_), Some(_)) => AppLook::Same,
            // A field may be left out once (section 13): what was not there cannot have changed.
            _ => AppLook::NoHash,
        };
        (met, Some(version))
    }

    async fn app_returned(&self, version: Option<DeviceVersion>, outcome: Option<Outcome>) {
        if let Some(version) = version {
            self.events
                .send(DeviceFact::Returned {
                    component: Component::Ui,
                    version: Box::new(version),
                    outcome,
                })
                .await;
        }
    }
}

fn unproven(why: Unproven) -> (Outcome, FailureKind) {
    (Outcome::Unproven(why.clone()), FailureKind::Unproven(why))
}

fn in_doubt(doubt: Doubt) -> (Outcome, FailureKind) {
    (Outcome::Unknown(doubt.clone()), FailureKind::InDoubt(doubt))
}
