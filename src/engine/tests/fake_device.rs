//! A device in memory, on paused time, for the engine's own tests. Its answers to requests are in `port`, what installs do
//! to it in `installs`, its log in `fake_audit_log`.
//!
//! Must not: be more polite than a real one.

mod installs;
mod port;

use std::collections::VecDeque;

use bytes::Bytes;
use proptest::prelude::*;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::device::{
    Approval, ApprovalAnswer, ApprovalReply, CheckAnswer, Device, Image, InstallAnswer, LogFile,
    LogPage, LoginError, ProvenKey, RawLog, Session, UploadProgress, Validated,
};

use crate::hem::audit::{LogKey, Search};

use crate::model::{
    AppVersion, AuditResult, AuditType, CheckinReport, Component, Credentials, Derivation,
    DeviceId, DeviceStatus, DeviceVersion, FailureKind, FirmwareImage, FlsState, Fwk, Fws,
    ImageFacts, ImageFooter, ImageFormat, LinkFault, LinkTrust, LogId, Payload, Policy, RunId,
    Scope, Secret, SigningMode, TlsFault, Touched,
};

pub(in crate::engine) use self::installs::{Install, any_install};
use super::fake_audit_log::FakeAuditLog;
use crate::engine::procedure::attempt::{Attempt, EventSender};
use crate::engine::procedure::install_permit::InstallPermit;
use crate::engine::reducer_messages::Message;

pub(super) const OLD: Fws = Fws([1; 64]);

pub(super) const NEW: Fws = Fws([2; 64]);

pub(super) const OTHER: Fws = Fws([3; 64]);

pub(in crate::engine) fn image() -> FirmwareImage {
    let bytes = Bytes::from_static(&[7; 1000]);
    FirmwareImage {
        facts: ImageFacts {
            file_bytes: 1000,
            image_bytes: 1000,
            sha256: [0; 32],
            format: ImageFormat::Binary,
            footer: Some(ImageFooter {
                name: "Encedo nGINE FW v1.2.3".to_owned(),
                mode: SigningMode::Plain,
                signed_at: None,
                fwk: Fwk([9; 32]),
                fws: NEW,
            }),
        },
        bytes,
    }
}

/// The version of the management app that is rolled out.
pub(super) const NEW_APP: AppVersion = AppVersion([6; 32]);

pub(in crate::engine) fn reset() -> FailureKind {
    FailureKind::Link(LinkFault::Reset)
}

/// An attempt by itself, without a pool.
pub(in crate::engine) fn attempt(
    fake: &Fake,
    payload: Payload,
    inbox: mpsc::Sender<Message>,
) -> Attempt<Fake> {
    Attempt {
        device: Arc::new(fake.clone()),
        payload: Arc::new(payload),
        policy: Arc::new(Policy::default()),
        events: EventSender {
            inbox,
            device: DeviceId::new("vault-01"),
            attempt: 1,
        },
        cancel: CancellationToken::new(),
        permit: InstallPermit::default(),
        touched: Touched::Nothing,
        before_install: Touched::Nothing,
        repeated: false,
        clocks_apart: false,
        run: RunId::from_random([0; 4]),
        answers: mpsc::channel(1).1,
        recorded: mpsc::channel(1).1,
        turns: Arc::new(Semaphore::new(1)),
        history: Arc::default(),
        keeper: None,
        holder: None,
        refused: Vec::new(),
        takes_other: false,
        told_look: false,
        rebooted_since: None,
    }
}

/// The device's insides; tests reach in.
#[expect(clippy::struct_excessive_bools, reason = "a device has many switches")]
pub(in crate::engine) struct World {
    pub(in crate::engine) hwv: &'static str,
    pub(in crate::engine) sd_cid: Option<String>,
    /// The login for the log meets another device.
    pub(super) other_eid: bool,
    pub(in crate::engine) version: &'static str,
    pub(in crate::engine) fws: Option<Fws>,
    pub(in crate::engine) fwk: Fwk,
    pub(in crate::engine) uis: Option<String>,
    /// Hashes of the management app that will be served: from when.
    pub(super) uis_to_come: VecDeque<(Instant, String)>,
    pub(in crate::engine) booted: Instant,
    pub(super) clock_set: bool,
    pub(super) clock_offset: i64,
    pub(in crate::engine) trusted_time: bool,
    pub(in crate::engine) initialised: bool,
    pub(in crate::engine) fls_state: u32,
    pub(in crate::engine) fw_upgrade: bool,
    pub(in crate::engine) credentials: Credentials,
    /// Whether a token may travel.
    pub(in crate::engine) may_carry_token: bool,
    /// The certificate has expired.
    pub(in crate::engine) expired: bool,
    /// A check-in over HTTP brings a new one.
    pub(super) renews: bool,
    /// The secret that is right, where one is to be typed, and the one that was.
    pub(in crate::engine) secret: Option<&'static [u8]>,
    pub(in crate::engine) typed: Option<Secret>,
    pub(in crate::engine) install: Install,
    /// The same for the management app.
    pub(in crate::engine) install_app: Install,
    /// Periods in which nothing answers.
    pub(in crate::engine) away: Vec<(Instant, Instant)>,
    /// What a request meets while it is away, where that is not a refused connection.
    pub(super) away_by: Option<LinkFault>,
    /// From when its key is another one.
    pub(super) other_key: Option<Instant>,
    /// Boots that lie ahead: when, into what.
    pub(super) boots: VecDeque<(Instant, Fws)>,
    /// Answers to come before the good ones.
    pub(super) probes: VecDeque<FailureKind>,
    pub(super) checkins: VecDeque<Result<CheckinReport, FailureKind>>,
    pub(super) logins: VecDeque<LoginError>,
    pub(super) requests: VecDeque<LoginError>,
    /// The same from the first reboot on.
    pub(super) requests_after_boot: VecDeque<LoginError>,
    pub(super) withdrawals: VecDeque<FailureKind>,
    pub(super) phone: VecDeque<Result<Phone, FailureKind>>,
    pub(super) redeems: VecDeque<LoginError>,
    pub(in crate::engine) notes: Vec<String>,
    /// Requests that are out, and the most there were, over all devices that share this.
    pub(in crate::engine) out: Arc<Mutex<(i32, i32)>>,
    pub(in crate::engine) log: FakeAuditLog,
    pub(super) uploads: VecDeque<(u64, FailureKind)>,
    pub(super) checks: VecDeque<Result<u16, FailureKind>>,
    pub(super) upload_takes: Duration,
    /// How long a question takes to be answered, or to fail.
    pub(super) request_takes: Duration,
    /// From the install's coming to its answer, or until that is given up; it happens at once all the same.
    pub(super) answer_takes: Duration,
    pub(super) panic_at: Option<&'static str>,
    /// Everything asked, in order.
    pub(in crate::engine) asked: Vec<&'static str>,
    /// When each of that was asked.
    pub(super) asked_at: Vec<Instant>,
    /// Seconds of the device's clock in a real one.
    pub(in crate::engine) rate: f64,
    /// Whether requests under way when it goes away get no answer. Otherwise what has begun ends well.
    pub(super) deaf_while_away: bool,
    /// The next request of this name takes so much longer.
    pub(super) slow_once: Option<(&'static str, Duration)>,
    /// Boots that begin when something is asked for the so-manieth time: what, and into what.
    pub(super) boots_at: VecDeque<(&'static str, usize, Fws)>,
    /// Successful checks minus installs: must never go below zero.
    pub(in crate::engine) validated: i32,
    /// The same for the management app.
    pub(super) validated_apps: i32,
}

/// What the owner's phone does.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(in crate::engine) enum Phone {
    Silent,
    Approves,
    Denies,
    Expires,
}

#[derive(Clone)]
pub(in crate::engine) struct Fake(pub(in crate::engine) Arc<Mutex<World>>);

impl Fake {
    pub(in crate::engine) fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            hwv: "PPA rev 2.2",
            sd_cid: Some("0353445".to_owned()),
            other_eid: false,
            version: "1.2.2",
            fws: Some(OLD),
            fwk: Fwk([9; 32]),
            uis: Some("b2xk".to_owned()),
            uis_to_come: VecDeque::new(),
            booted: Instant::now()
                .checked_sub(Duration::from_secs(5000))
                .unwrap_or_else(Instant::now),
            clock_set: true,
            clock_offset: 0,
            trusted_time: true,
            initialised: true,
            fls_state: 0,
            fw_upgrade: false,
            credentials: Credentials::Login,
            may_carry_token: true,
            expired: false,
            renews: true,
            secret: None,
            typed: None,
            install: Install::Runs(NEW),
            install_app: Install::Runs(NEW),
            away: Vec::new(),
            away_by: None,
            other_key: None,
            boots: VecDeque::new(),
            probes: VecDeque::new(),
            checkins: VecDeque::new(),
            logins: VecDeque::new(),
            requests: VecDeque::new(),
            requests_after_boot: VecDeque::new(),
            withdrawals: VecDeque::new(),
            phone: VecDeque::new(),
            redeems: VecDeque::new(),
            notes: Vec::new(),
            out: Arc::default(),
            log: FakeAuditLog::new(),
            uploads: VecDeque::new(),
            checks: VecDeque::from([Ok(201), Ok(202)]),
            upload_takes: Duration::from_secs(4),
            request_takes: Duration::from_millis(100),
            answer_takes: Duration::from_millis(800),
            panic_at: None,
            asked: Vec::new(),
            asked_at: Vec::new(),
            rate: 1.0,
            deaf_while_away: true,
            slow_once: None,
            boots_at: VecDeque::new(),
            validated: 0,
            validated_apps: 0,
        })))
    }

    /// The insides; a planted panic must not hide them from the test.
    pub(in crate::engine) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(in crate::engine) fn with(self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world());
        self
    }

    pub(in crate::engine) fn count(&self, what: &str) -> usize {
        let world = self.world();
        world.asked.iter().filter(|a| **a == what).count()
    }

    /// A request of this name is made, and takes its time: what the device says is as of the end of it.
    async fn ask(&self, what: &'static str) -> Result<(), FailureKind> {
        let takes = {
            let mut world = self.world();
            world.asked.push(what);
            world.asked_at.push(Instant::now());
            world.boots_by(what);
            assert!(world.panic_at != Some(what), "planted panic");
            match world.slow_once.take_if(|(slow, _)| *slow == what) {
                Some((_, longer)) => world.request_takes + longer,
                None => world.request_takes,
            }
        };
        tokio::time::sleep(takes).await;
        self.live_on(what)
    }

    /// What has come about by now; whether the device answers a request of this name.
    fn live_on(&self, what: &str) -> Result<(), FailureKind> {
        let mut world = self.world();
        let now = Instant::now();
        while let Some((at, fws)) = world.boots.front().copied()
            && at <= now
        {
            world.boots.pop_front();
            world.fw_upgrade = world.fws != Some(fws);
            world.fws = Some(fws);
            world.booted = at;
            world.clock_set = false;
            world.log.boot();
        }
        while let Some((at, _)) = world.uis_to_come.front()
            && *at <= now
        {
            world.uis = world.uis_to_come.pop_front().map(|(_, uis)| uis);
        }
        if world
            .away
            .iter()
            .any(|(from, to)| (*from..*to).contains(&now))
        {
            let refused = || LinkFault::Refused {
                target: "fake".to_owned(),
            };
            return Err(world.away_by.clone().unwrap_or_else(refused).into());
        }
        if world.expired && what != "checkin in clear" {
            return Err(FailureKind::Link(LinkFault::Tls(TlsFault::Expired {
                days: 3,
                not_after: "2026-01-01T00:00:00Z".to_owned(),
            })));
        }
        if world.other_key.is_some_and(|since| since <= now) {
            return Err(FailureKind::Link(LinkFault::Tls(TlsFault::PinMismatch {
                got: "abc".to_owned(),
            })));
        }
        Ok(())
    }
}

impl World {
    /// A token, and the entry of the log that tells of it.
    fn token(
        &mut self,
        scope: Scope,
        kind: AuditType,
        lifetime: Duration,
        derivation: Option<Derivation>,
    ) -> Session {
        let now = self.log.now();
        self.log.write(kind, AuditResult::Ok, scope.as_str());
        Session {
            token: Some(Secret::new(scope.as_str().as_bytes().to_vec())),
            expires: Some(Instant::now() + lifetime),
            issued: Some(now - 2..=now + 2),
            derivation,
        }
    }

    /// Somebody else's install, or a power-cycle: it answers no more, and is back in 20 s.
    fn boots_by(&mut self, what: &str) {
        let times = self.asked.iter().filter(|a| **a == what).count();
        if let Some((at, nth, fws)) = self.boots_at.front().copied()
            && (at, nth) == (what, times)
        {
            self.boots_at.pop_front();
            let mut gone = Instant::now();
            let up = gone + Duration::from_secs(20);
            if !self.deaf_while_away {
                gone += self.request_takes * 2;
            }
            self.away.push((gone, up));
            self.boots.push_back((up, fws));
        }
    }

    fn goes_out(&self, more: i32) {
        let mut out = self.out.lock().unwrap();
        out.0 += more;
        out.1 = out.1.max(out.0);
    }
}
