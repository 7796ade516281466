//! One simulated device: who it is, what it is in, and the world around it.
//!
//! Must not: know sockets (that is `life`) or endpoints (that is `api`).

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::OnceCell;
use tokio_rustls::TlsAcceptor;

use super::checkin::Identity;
use super::credential::Credential;
use super::device_script::{DeviceScript, Model, Runs};
use super::fault::{Act, Fault, Point};
use super::fault_book::FaultBook;
use super::firmware::Firmware;
use super::journal::Recorder;
use super::machine::{Bearer, Machine};

/// What all devices of a fleet share.
pub(super) struct World {
    /// The file that is rolled out.
    pub(super) image: Bytes,
    /// What a device is that runs it; nothing for an image that no device accepts.
    pub(super) firmware: Option<Firmware>,
    /// Its version, for layouts that only devices know.
    pub(super) version: String,
    /// Scales the delays that the page gives.
    pub(super) tempo: f64,
    /// Check-ins offer the image.
    pub(super) offer: bool,
}

impl World {
    /// A delay of the page, scaled.
    pub(super) fn delay(&self, true_to_the_page: Duration) -> Duration {
        true_to_the_page.mul_f64(self.tempo)
    }
}

/// One simulated device.
pub(super) struct Unit {
    pub(super) script: DeviceScript,
    pub(super) identity: Identity,
    pub(super) world: Arc<World>,
    pub(super) recorder: Recorder,
    pub(super) tls: Option<TlsAcceptor>,
    machine: Mutex<Machine>,
    user: OnceCell<String>,
}

impl Unit {
    pub(super) fn new(
        script: DeviceScript,
        world: Arc<World>,
        tls: Option<TlsAcceptor>,
        gap: Duration,
    ) -> Self {
        let old = || Firmware::earlier(&script.version);
        let running = match script.runs {
            Runs::Image => world.firmware.clone().unwrap_or_else(old),
            Runs::Old | Runs::Other => old(),
        };
        let mut faults = script.faults.clone();
        faults.retain(|f| !matches!(f.act, Act::Refuse { .. }));
        let machine = Machine::new(&script, running, FaultBook::new(faults));
        // The same name is the same device, also in the next run.
        let identity = Identity::new(Sha256::digest(&script.name).into());
        Self {
            script,
            identity,
            world,
            recorder: Recorder::new(gap),
            tls,
            machine: Mutex::new(machine),
            user: OnceCell::new(),
        }
    }

    pub(super) fn machine(&self) -> MutexGuard<'_, Machine> {
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn strike(&self, at: Point) -> Option<Act> {
        self.machine().faults.strike(at)
    }

    /// Whether it is absent at first.
    pub(super) fn absence(&self) -> Option<Act> {
        let refuse = |f: &&Fault| matches!(f.act, Act::Refuse { .. });
        self.script
            .faults
            .iter()
            .find(refuse)
            .map(|f| f.act.clone())
    }

    pub(super) fn is_epa(&self) -> bool {
        self.script.model == Model::Epa
    }

    /// The device's clock for logins; `None` where the page wants 403.
    ///
    /// Without the trusted-time option logins work although no clock was set (section 5). The page does
    /// not say by which time then; here the clock counts from 1970.
    pub(super) fn now(&self) -> Option<i64> {
        let machine = self.machine();
        match machine.boot.clock {
            Some(clock) => Some(clock.now()),
            None if self.script.trusted_time => None,
            None => i64::try_from(machine.boot.uptime.seconds()).ok(),
        }
    }

    /// A check-in sets the clock right.
    pub(super) fn set_clock(&self, unix: i64) {
        self.machine().set_clock(unix, self.script.clock_rate);
    }

    /// What its owner logs in with.
    pub(super) fn credential(&self) -> Credential {
        Credential::of(self.script.auth)
    }

    /// The public key of its owner, derived when it is first needed: off the async threads, for it
    /// costs as much as the client's own derivation.
    pub(super) async fn user(&self) -> String {
        let (eid, credential) = (self.identity.eid(), self.credential());
        self.user
            .get_or_init(|| async {
                let derived = tokio::task::spawn_blocking(move || credential.public_key(&eid));
                // It fails only where the runtime ends, and the device with it.
                derived.await.ok().flatten().unwrap_or_default()
            })
            .await
            .clone()
    }

    /// A bearer token as somebody obtained it elsewhere, valid until the next reboot.
    pub(super) fn token(&self, scope: &str, exp: i64) -> String {
        self.machine().issue(&Bearer {
            sub: self.credential().role(),
            scope: scope.to_owned(),
            exp,
        })
    }
}
