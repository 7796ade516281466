//! A device in memory, on paused time, for the engine's own tests.
//! Must not: be more polite than a real one.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::device::{
    Approval, ApprovalAnswer, ApprovalReply, CheckAnswer, Device, Image, InstallAnswer, LogFile,
    LogKey, LogPage, LoginError, ProvenKey, Session, UploadProgress, Validated,
};
use crate::model::{
    AuditLink, CheckinReport, Component, Credentials, DeviceStatus, DeviceVersion, FailureKind,
    FirmwareImage, FlsState, Fwk, Fws, ImageFacts, ImageFooter, ImageFormat, LinkFault, LogId,
    Scope, Secret, SigningMode, TlsFault,
};

pub(super) const OLD: Fws = Fws([1; 64]);
pub(super) const NEW: Fws = Fws([2; 64]);
pub(super) const OTHER: Fws = Fws([3; 64]);

pub(super) fn image() -> FirmwareImage {
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

pub(super) fn reset() -> FailureKind {
    FailureKind::Link(LinkFault::Reset)
}

/// What an install does to the device.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Install {
    /// Answered, then rebooted into this firmware, away for a while.
    Runs(Fws),
    /// Not answered, but it happens.
    LostButRuns(Fws),
    /// Not answered, and it does not happen.
    LostAndIdle,
    /// Answered with 200, but nothing happens.
    AcceptedAndIdle,
    /// Refused.
    Refused(u16),
    /// The connection cannot be opened.
    NotSent,
    /// Never comes back.
    Dies,
    /// Comes back with this firmware and with a key that is not the pinned one.
    OtherKey(Fws),
    /// Back after 20 s with this firmware, gone again for 20 s, then up with that one.
    Flaps(Fws, Fws),
}

/// The device's insides; tests reach in.
#[expect(clippy::struct_excessive_bools, reason = "a device has many switches")]
pub(super) struct World {
    pub(super) hwv: &'static str,
    pub(super) fws: Option<Fws>,
    pub(super) uis: String,
    pub(super) booted: Instant,
    pub(super) clock_set: bool,
    pub(super) clock_offset: i64,
    pub(super) trusted_time: bool,
    pub(super) initialised: bool,
    pub(super) fls_state: u32,
    pub(super) fw_upgrade: bool,
    pub(super) credentials: Credentials,
    pub(super) install: Install,
    /// Periods in which nothing answers.
    pub(super) away: Vec<(Instant, Instant)>,
    /// From when its key is another one.
    pub(super) other_key: Option<Instant>,
    /// Boots that lie ahead: when, into what.
    pub(super) boots: VecDeque<(Instant, Fws)>,
    /// Answers to come before the good ones.
    pub(super) probes: VecDeque<FailureKind>,
    pub(super) checkins: VecDeque<Result<CheckinReport, FailureKind>>,
    pub(super) logins: VecDeque<LoginError>,
    pub(super) uploads: VecDeque<(u64, FailureKind)>,
    pub(super) checks: VecDeque<Result<u16, FailureKind>>,
    pub(super) upload_takes: Duration,
    /// Until the install is answered, or its answer is given up; it happens at once all the same.
    pub(super) answer_takes: Duration,
    pub(super) panic_at: Option<&'static str>,
    /// Everything asked, in order.
    pub(super) asked: Vec<&'static str>,
    /// Successful checks minus installs: must never go below zero.
    pub(super) validated: i32,
}

#[derive(Clone)]
pub(super) struct Fake(pub(super) Arc<Mutex<World>>);

impl Fake {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(World {
            hwv: "PPA rev 2.2",
            fws: Some(OLD),
            uis: "b2xk".to_owned(),
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
            install: Install::Runs(NEW),
            away: Vec::new(),
            other_key: None,
            boots: VecDeque::new(),
            probes: VecDeque::new(),
            checkins: VecDeque::new(),
            logins: VecDeque::new(),
            uploads: VecDeque::new(),
            checks: VecDeque::from([Ok(201), Ok(202)]),
            upload_takes: Duration::from_secs(4),
            answer_takes: Duration::ZERO,
            panic_at: None,
            asked: Vec::new(),
            validated: 0,
        })))
    }

    /// The insides; a planted panic must not hide them from the test.
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with(self, change: impl FnOnce(&mut World)) -> Self {
        change(&mut self.world());
        self
    }

    pub(super) fn count(&self, what: &str) -> usize {
        let world = self.world();
        world.asked.iter().filter(|a| **a == what).count()
    }

    fn ask(&self, what: &'static str) -> Result<(), FailureKind> {
        let mut world = self.world();
        world.asked.push(what);
        assert!(world.panic_at != Some(what), "planted panic");
        let now = Instant::now();
        while let Some((at, fws)) = world.boots.front().copied()
            && at <= now
        {
            world.boots.pop_front();
            world.fw_upgrade = world.fws != Some(fws);
            world.fws = Some(fws);
            world.booted = at;
            world.clock_set = false;
        }
        if world
            .away
            .iter()
            .any(|(from, to)| (*from..*to).contains(&now))
        {
            return Err(FailureKind::Link(LinkFault::Refused {
                target: "fake".to_owned(),
            }));
        }
        if world.other_key.is_some_and(|since| since <= now) {
            return Err(FailureKind::Link(LinkFault::Tls(TlsFault::PinMismatch {
                got: "abc".to_owned(),
            })));
        }
        Ok(())
    }
}

impl Device for Fake {
    async fn version(&self) -> Result<DeviceVersion, FailureKind> {
        self.ask("version")?;
        let mut world = self.world();
        if let Some(kind) = world.probes.pop_front() {
            return Err(kind);
        }
        Ok(DeviceVersion {
            hwv: world.hwv.to_owned(),
            fwv: "Encedo nGINE FW v1.2.2".to_owned(),
            fwk: Some(Fwk([9; 32])),
            fws: world.fws,
            uis: Some(world.uis.clone()),
        })
    }

    async fn status(&self) -> Result<DeviceStatus, FailureKind> {
        self.ask("status")?;
        let world = self.world();
        Ok(DeviceStatus {
            uptime: Duration::from_secs(world.booted.elapsed().as_secs()),
            clock: world
                .clock_set
                .then(|| jiff::Timestamp::now().as_second() + world.clock_offset),
            initialised: world.initialised,
            fls_state: FlsState(world.fls_state),
            trusted_time: world.trusted_time,
            fw_upgrade: world.fw_upgrade,
        })
    }

    async fn checkin(&self) -> Result<CheckinReport, FailureKind> {
        self.ask("checkin")?;
        let mut world = self.world();
        let report = world
            .checkins
            .pop_front()
            .unwrap_or_else(|| Ok(CheckinReport::default()))?;
        world.clock_set = true;
        world.clock_offset = 0;
        Ok(report)
    }

    fn credentials(&self) -> Credentials {
        self.world().credentials
    }

    fn link(&self) -> AuditLink {
        AuditLink::Pinned
    }

    fn may_carry_token(&self) -> bool {
        true
    }

    async fn checkin_in_clear(&self) -> Result<CheckinReport, FailureKind> {
        self.checkin().await
    }

    async fn login(&self, _scope: Scope, lifetime: Duration) -> Result<Session, LoginError> {
        self.ask("login").map_err(LoginError::Failed)?;
        let mut world = self.world();
        if let Some(error) = world.logins.pop_front() {
            return Err(error);
        }
        if !world.clock_set && world.trusted_time && world.credentials == Credentials::Login {
            return Err(LoginError::ClockUnset);
        }
        Ok(Session {
            token: None,
            expires: Some(Instant::now() + lifetime),
            ..Session::anonymous()
        })
    }

    fn give_secret(&self, _secret: Secret) {}

    async fn request_approval(&self, scope: Scope, _note: &str) -> Result<Approval, LoginError> {
        self.ask("request").map_err(LoginError::Failed)?;
        Ok(Approval {
            event: "1".to_owned(),
            scope,
            since: None,
        })
    }

    async fn poll_approval(&self, _approval: &Approval) -> Result<ApprovalAnswer, FailureKind> {
        self.ask("poll")?;
        Ok(ApprovalAnswer::Pending)
    }

    async fn redeem_approval(
        &self,
        _approval: &Approval,
        _reply: ApprovalReply,
    ) -> Result<Session, LoginError> {
        self.ask("redeem").map_err(LoginError::Failed)?;
        Ok(Session::anonymous())
    }

    async fn withdraw_approval(&self, _approval: &Approval) -> Result<(), FailureKind> {
        self.ask("withdraw")
    }

    async fn upload(
        &self,
        _session: &Session,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> Result<(), FailureKind> {
        self.ask("upload")?;
        let (fault, takes) = {
            let mut world = self.world();
            (world.uploads.pop_front(), world.upload_takes)
        };
        if let Some((sent, kind)) = fault {
            if sent > 0 {
                progress.sent(sent);
            }
            return Err(kind);
        }
        progress.sent(10);
        tokio::time::sleep(takes).await;
        progress.sent(image.bytes().len() as u64);
        Ok(())
    }

    async fn check(
        &self,
        component: Component,
        _session: &Session,
        _limit: Duration,
    ) -> Result<CheckAnswer, FailureKind> {
        self.ask("check")?;
        let mut world = self.world();
        match world.checks.pop_front() {
            Some(Ok(201)) => Ok(CheckAnswer::Started),
            Some(Ok(202)) => Ok(CheckAnswer::Running),
            Some(Ok(status)) => Err(FailureKind::Status { status }),
            Some(Err(kind)) => Err(kind),
            None => {
                world.validated += 1;
                Ok(CheckAnswer::Valid(Validated::by_device(component)))
            }
        }
    }

    async fn install(&self, _validated: Validated, _session: &Session) -> InstallAnswer {
        if self.ask("install").is_err() {
            return InstallAnswer::NotSent(LinkFault::Reset);
        }
        let (answer, takes) = self.installed();
        tokio::time::sleep(takes).await;
        answer
    }

    async fn log_key(&self, _session: &Session) -> Result<ProvenKey, FailureKind> {
        self.ask("log key")?;
        Err(FailureKind::Status { status: 403 })
    }

    async fn log_page(&self, _session: &Session, _offset: usize) -> Result<LogPage, FailureKind> {
        self.ask("log page")?;
        Err(FailureKind::Status { status: 404 })
    }

    async fn log_file(
        &self,
        _session: &Session,
        _id: &LogId,
        _key: &LogKey,
    ) -> Result<LogFile, FailureKind> {
        self.ask("log file")?;
        Err(FailureKind::Status { status: 406 })
    }
}

impl Fake {
    /// What the install does, how it is answered, and when.
    fn installed(&self) -> (InstallAnswer, Duration) {
        let mut world = self.world();
        world.validated -= 1;
        assert!(world.validated >= 0, "an install without a validated image");
        let lost = InstallAnswer::Unclear {
            why: "connection reset".to_owned(),
        };
        let now = Instant::now();
        let (gone, up) = (now + Duration::from_secs(2), now + Duration::from_secs(25));
        match world.install {
            Install::Runs(fws) | Install::LostButRuns(fws) => {
                world.away.push((gone, up));
                world.boots.push_back((up, fws));
            }
            Install::OtherKey(fws) => {
                world.away.push((gone, up));
                world.boots.push_back((up, fws));
                world.other_key = Some(up);
            }
            Install::Dies => world.away.push((gone, now + Duration::from_secs(1 << 30))),
            Install::Flaps(first, then) => {
                let again = up + Duration::from_secs(2);
                let back = again + Duration::from_secs(20);
                world.away.extend([(gone, up), (again, back)]);
                world.boots.extend([(up, first), (back, then)]);
            }
            _ => {}
        }
        let answer = match world.install {
            Install::LostButRuns(_) | Install::LostAndIdle => lost,
            Install::Refused(status) => InstallAnswer::Refused { status },
            Install::NotSent => InstallAnswer::NotSent(LinkFault::Reset),
            _ => InstallAnswer::Accepted,
        };
        (answer, world.answer_takes)
    }
}
