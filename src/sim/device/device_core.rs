//! One simulated device: its script, identity and certificates, its state, and what it shares with the fleet.
//!
//! What it is in at the moment is in `state`, its sockets are in `lifecycle`, its endpoints in `api`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;

use super::certificates::DeviceCertificates;
use super::clock::unix_now;
use super::credential::{Account, Credential};
use super::pending_faults::PendingFaults;
use super::recorder::Recorder;
use super::state::{Bearer, BootPlan, DeviceState};
use crate::model::AuditType;
use crate::sim::firmware_images::Firmware;
use crate::sim::management_app_file;
use crate::sim::script::device::{DeviceScript, Model, Renewal};
use crate::sim::script::fault::{Act, ScriptedFault};
use crate::sim::script::fault_point::FaultPoint;
use crate::sim::script::values::Runs;
use crate::sim::script::world::Download;
use crate::sim::tokens::checkin::Identity;

/// What all devices of a fleet share.
pub(in crate::sim) struct World {
    /// The file that is rolled out.
    pub(in crate::sim) image: Bytes,
    /// The firmware in it; `None` for an image that no device accepts.
    pub(in crate::sim) firmware: Option<Firmware>,
    /// Its version, for layouts that only devices know.
    pub(in crate::sim) version: String,
    /// Scales the delays that the page gives.
    pub(in crate::sim) tempo: f64,
    /// Check-ins offer the image, and the app.
    pub(in crate::sim) offer: bool,
    /// The management app that is rolled out, if there is one.
    pub(in crate::sim) app: Option<Bytes>,
    /// What downloads bring.
    pub(in crate::sim) download: Download,
    /// The simulator's CA as base64 DER: devices show it where they are asked for an attestation.
    pub(in crate::sim) attestation: String,
}

impl World {
    /// A delay of the page, scaled.
    pub(in crate::sim) fn delay(&self, true_to_the_page: Duration) -> Duration {
        true_to_the_page.mul_f64(self.tempo)
    }
}

/// One simulated device.
pub(in crate::sim) struct DeviceCore {
    pub(in crate::sim) script: DeviceScript,
    pub(in crate::sim) identity: Identity,
    pub(in crate::sim) world: Arc<World>,
    pub(in crate::sim) recorder: Recorder,
    pub(in crate::sim) tls: Option<DeviceCertificates>,
    /// Whether TLS and plain HTTP share a port; the first byte tells them apart.
    pub(in crate::sim) one_port: bool,
    state: Mutex<DeviceState>,
    accounts: [OnceCell<Option<Account>>; 3],
}

impl DeviceCore {
    pub(in crate::sim) fn new(
        script: DeviceScript,
        world: Arc<World>,
        tls: Option<DeviceCertificates>,
        gap: Duration,
        one_port: bool,
    ) -> Self {
        let old = || Firmware::earlier(&script.version);
        let running = match script.runs {
            Runs::Image => world.firmware.clone().unwrap_or_else(old),
            Runs::Old | Runs::Other => old(),
        };
        let mut faults = script.faults.clone();
        faults.retain(|f| !matches!(f.act, Act::Refuse { .. }));
        let uis = match (script.runs_ui, &world.app) {
            (Runs::Image, Some(app)) => management_app_file::uis(app),
            _ => management_app_file::earlier_uis(),
        };
        let state = DeviceState::new(&script, running, uis, PendingFaults::new(faults));
        // The same name is the same device, also in the next run.
        let identity = Identity::new(Sha256::digest(&script.name).into());
        Self {
            script,
            identity,
            world,
            recorder: Recorder::new(gap),
            tls,
            one_port,
            state: Mutex::new(state),
            accounts: Default::default(),
        }
    }

    pub(in crate::sim) fn state(&self) -> MutexGuard<'_, DeviceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::sim) fn strike(&self, at: FaultPoint) -> Option<Act> {
        self.state().faults.strike(at)
    }

    /// The fault by which it is absent at first, if there is one.
    pub(super) fn absence(&self) -> Option<Act> {
        let refuse = |f: &&ScriptedFault| matches!(f.act, Act::Refuse { .. });
        self.script
            .faults
            .iter()
            .find(refuse)
            .map(|f| f.act.clone())
    }

    pub(in crate::sim) fn is_epa(&self) -> bool {
        self.script.model == Model::Epa
    }

    /// The device's clock for logins; `None` where the page wants 403.
    ///
    /// Without the trusted-time option logins work although no clock was set (section 5). The page does
    /// not say by which time then; here the clock counts from 1970.
    pub(in crate::sim) fn now(&self) -> Option<i64> {
        let state = self.state();
        match state.boot.clock {
            Some(clock) => Some(clock.now()),
            None if state.settings.trusted_ts => None,
            None => i64::try_from(state.boot.uptime.seconds()).ok(),
        }
    }

    /// A check-in sets the clock right.
    pub(in crate::sim) fn set_clock(&self, unix: i64) {
        self.state().set_clock(unix, self.script.clock_rate);
    }

    /// What its memory card is called, base64.
    pub(in crate::sim) fn card(&self) -> String {
        let id = Sha256::new_with_prefix("card of ").chain_update(&self.script.name);
        STANDARD.encode(&id.finalize()[..16])
    }

    /// The serial number of the certificate that it serves, base64. A device that speaks only plain HTTP has a
    /// certificate as well.
    pub(in crate::sim) fn serial(&self) -> String {
        match &self.tls {
            Some(certificates) => certificates.leaf().serial(),
            None => STANDARD.encode(&Sha256::digest(&self.script.name)[..16]),
        }
    }

    /// The new certificate (base64 of DER) that the backend has for a device whose certificate, of this serial
    /// number, has expired.
    pub(in crate::sim) fn newcrt(&self, csn: &str) -> Option<String> {
        let renewed = self.tls.as_ref()?.renewed.as_ref()?;
        (renewed.serial() != csn).then(|| renewed.der())
    }

    /// Takes the new certificate of a check-in. Whether it is ever served is up to the script: real devices drop it
    /// (section 5).
    pub(in crate::sim) fn renew(&self) {
        let Some(certificates) = &self.tls else {
            return;
        };
        match self.script.renews.unwrap_or(Renewal::Never) {
            Renewal::Never => {}
            Renewal::AtReboot => certificates.next().clone_from(&certificates.renewed),
            Renewal::AtOnce => {
                certificates.next().clone_from(&certificates.renewed);
                certificates.boot();
            }
        }
    }

    /// Takes a certificate (base64 of DER) for its key, to be served from the next boot on. Returns whether it is
    /// valid.
    pub(in crate::sim) fn take_certificate(&self, der: &str) -> bool {
        let Some(certificates) = &self.tls else {
            return false;
        };
        let Some(renewed) = certificates.leaf().renewed(der) else {
            return false;
        };
        *certificates.next() = Some(renewed);
        true
    }

    /// Comes up again.
    pub(in crate::sim) fn reboot(&self, plan: &BootPlan) {
        self.state().reboot(plan);
        if let Some(certificates) = &self.tls {
            certificates.boot();
        }
    }

    /// What is logged in with: the user's credential, then the master's two.
    pub(in crate::sim) fn credentials(&self) -> [Credential; 3] {
        Credential::of(self.script.auth)
    }

    /// The account of this public key, if the device has one. Keys are derived when they are first needed, off the
    /// async threads: each takes as long as the client's own derivation.
    pub(in crate::sim) async fn account(&self, key: &str) -> Option<Account> {
        for (cell, credential) in self.accounts.iter().zip(self.credentials()) {
            let eid = self.identity.eid();
            let derive = async {
                let derived = tokio::task::spawn_blocking(move || Account::of(credential, &eid));
                // It fails only where the runtime ends, and the device with it.
                derived.await.ok().flatten()
            };
            match cell.get_or_init(|| derive).await {
                Some(account) if account.key == key => return Some(account.clone()),
                _ => {}
            }
        }
        None
    }

    /// A bearer token as somebody obtained it elsewhere, valid until the next reboot.
    pub(in crate::sim) fn token(&self, scope: &str, exp: i64) -> String {
        let [user, ..] = self.credentials();
        let now = self.now().unwrap_or_else(unix_now);
        let bearer = Bearer::new(user.role().to_string(), scope.to_owned(), now, exp);
        let extra = scope.as_bytes();
        self.state().issue(&bearer, AuditType::TOKEN, extra)
    }
}
