//! A run for tests: a fleet that is brought to a state by the messages of a run and by nothing else, so
//! that no test starts from a state that a run cannot reach. The tests of `engine::fleet`, `report` and
//! `tui` share it. The device that whole procedures are tested with is `engine::tests::fake_device`.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Command, DeviceFact, DeviceSeed, Event, Fact, Fleet, Intent, Message, Mode, PendingInstall,
    Progress, Seen, UsualTimes,
};
use crate::model::{
    AppFacts, AppVersion, AuditLog, AuditObstacle, AuditReport, AuditVerdict, Component,
    Credentials, DeviceId, DeviceMark, DeviceStatus, DeviceVersion, Failure, FailureKind, FlsState,
    Fwk, Fws, ImageFacts, ImageFooter, ImageFormat, LinkTrust, LogId, LogRead, Outcome,
    OutcomeKind, PayloadFacts, RunId, Scope, SigningMode, Skip, Stage, Timeouts, Touched, Verdict,
};

/// The firmware that devices run before.
pub(crate) const OLD: Fws = Fws([1; 64]);
/// The firmware that is rolled out.
pub(crate) const NEW: Fws = Fws([2; 64]);

const FWK: Fwk = Fwk([3; 32]);

/// How a test names a device: by its name, or by its number, where 0 is `vault-01`.
pub(crate) trait DeviceName: Copy {
    fn id(self) -> DeviceId;
}

impl DeviceName for &str {
    fn id(self) -> DeviceId {
        DeviceId::new(self)
    }
}

impl DeviceName for usize {
    fn id(self) -> DeviceId {
        DeviceId::new(&format!("vault-{:02}", self + 1))
    }
}

/// A fleet, the messages that brought it where it is, and a clock that only the test moves.
pub(crate) struct TestRun {
    pub(crate) fleet: Fleet,
    pub(crate) now: Timestamp,
    /// All messages so far.
    pub(crate) messages: Vec<Message>,
    seeds: Vec<DeviceSeed>,
}

impl TestRun {
    pub(crate) fn new(mode: Mode, seeds: Vec<DeviceSeed>, payload: PayloadFacts) -> Self {
        Self {
            fleet: fleet(mode, &seeds, payload),
            now: "2026-11-23T12:00:00Z".parse().unwrap(),
            messages: Vec::new(),
            seeds,
        }
    }

    /// The same run, of which these devices were left out because the vendor's server could not be asked for them.
    pub(crate) fn leave_out(&mut self, not_asked: &[DeviceId]) {
        let (mode, payload) = (self.fleet.mode(), self.fleet.payload().clone());
        self.fleet = fleet(mode, &self.seeds, payload).leaving_out(not_asked);
    }

    /// From now on devices may take these times.
    pub(crate) fn limit(&mut self, timeouts: &Timeouts) {
        let none = fleet(self.fleet.mode(), &[], PayloadFacts::default());
        let fleet = std::mem::replace(&mut self.fleet, none);
        self.fleet = fleet.with_timeouts(timeouts);
    }

    /// Earlier runs took these times.
    pub(crate) fn remember(&mut self, usual: UsualTimes) {
        let none = fleet(self.fleet.mode(), &[], PayloadFacts::default());
        let fleet = std::mem::replace(&mut self.fleet, none);
        self.fleet = fleet.with_usual_times(usual);
    }

    /// The whole run again from its start: `each` sees every event once the fleet has taken it in, as in a session.
    pub(crate) fn replay<E>(
        &self,
        mut each: impl FnMut(&Fleet, &Event) -> Result<(), E>,
    ) -> Result<(), E> {
        let (mode, payload) = (self.fleet.mode(), self.fleet.payload().clone());
        let mut fleet = fleet(mode, &self.seeds, payload).leaving_out(self.fleet.not_asked());
        for message in &self.messages {
            fleet.update(message);
            if let Message::Event(event) = message {
                each(&fleet, event)?;
            }
        }
        Ok(())
    }

    pub(crate) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    pub(crate) fn wait(&mut self, seconds: u64) {
        self.pass(seconds * 1000);
    }

    pub(crate) fn intend(&mut self, intent: Intent) {
        self.send(Message::Intent(intent));
    }

    pub(crate) fn event(&mut self, fact: Fact) {
        self.send(Message::Event(Event { at: self.now, fact }));
    }

    /// Settles what the fleet orders to be settled, as a session does; tasks are the test's.
    fn send(&mut self, message: Message) {
        let commands = self.fleet.update(&message);
        self.messages.push(message);
        for command in commands {
            if let Command::Finish {
                device,
                attempt,
                outcome,
            } = command
            {
                let fact = finished(outcome);
                self.event(Fact::Device {
                    device,
                    attempt,
                    fact,
                });
            }
        }
    }

    /// The first event, and the intent that starts the run.
    pub(crate) fn begin(&mut self) {
        self.event(Fact::RunStarted {
            run: self.fleet.run().clone(),
            payload: Box::new(self.fleet.payload().clone()),
            devices: self.fleet.devices().len(),
        });
        self.intend(Intent::Begin);
    }

    /// The last event.
    pub(crate) fn end(&mut self) {
        let interrupted = self.fleet.stop().is_some();
        self.event(Fact::RunFinished { interrupted });
    }

    /// Something happened to a device in its current attempt.
    pub(crate) fn tell(&mut self, device: impl DeviceName, fact: DeviceFact) {
        let device = device.id();
        let attempt = self.fleet.device(&device).unwrap().attempt;
        self.event(Fact::Device {
            device,
            attempt,
            fact,
        });
    }

    pub(crate) fn start(&mut self, device: impl DeviceName, stage: Stage, try_no: u32) {
        self.tell(device, DeviceFact::StageStarted { stage, try_no });
    }

    pub(crate) fn progress(&mut self, device: impl DeviceName, stage: Stage, progress: Progress) {
        self.tell(device, DeviceFact::StageProgress { stage, progress });
    }

    /// A stage that takes `ms` and succeeds.
    pub(crate) fn stage(
        &mut self,
        device: impl DeviceName,
        stage: Stage,
        ms: u64,
        status: u16,
        note: &str,
    ) {
        self.start(device, stage, 1);
        self.pass(ms);
        self.stage_done(device, stage, ms, status, note);
    }

    pub(crate) fn stage_done(
        &mut self,
        device: impl DeviceName,
        stage: Stage,
        ms: u64,
        status: u16,
        note: &str,
    ) {
        self.tell(
            device,
            DeviceFact::StageFinished {
                stage,
                try_no: 1,
                took: Duration::from_millis(ms),
                status: Some(status),
                note: note.to_owned(),
                failure: None,
            },
        );
    }

    pub(crate) fn stage_failed(
        &mut self,
        device: impl DeviceName,
        stage: Stage,
        ms: u64,
        failure: FailureKind,
    ) {
        self.tell(
            device,
            DeviceFact::StageFinished {
                stage,
                try_no: 1,
                took: Duration::from_millis(ms),
                status: failure.status(),
                note: String::new(),
                failure: Some(failure),
            },
        );
    }

    /// A stage that starts and fails, and the device with it.
    pub(crate) fn fail(
        &mut self,
        device: impl DeviceName,
        stage: Stage,
        kind: FailureKind,
        touched: Touched,
    ) {
        self.start(device, stage, 1);
        self.stage_failed(device, stage, 600, kind.clone());
        let failure = Failure {
            stage,
            kind,
            touched,
        };
        self.finish(device, Outcome::Failed(failure));
    }

    pub(crate) fn finish(&mut self, device: impl DeviceName, outcome: Outcome) {
        self.tell(device, finished(outcome));
    }

    pub(crate) fn planned(&mut self, device: impl DeviceName, verdict: Verdict) {
        let fws = match verdict {
            Verdict::Current => NEW,
            _ => OLD,
        };
        let mut version = version(fws);
        if verdict == Verdict::Skip(Skip::Epa) {
            version.hwv = "EPA rev 1.0 @x".to_owned();
        }
        let status = status();
        let seen = match verdict {
            Verdict::Cannot(_) => None,
            _ => Some(Box::new(Seen { version, status })),
        };
        let refused = None;
        self.tell(
            device,
            DeviceFact::Planned {
                seen,
                verdict,
                refused,
            },
        );
    }

    pub(crate) fn planned_upgrade(&mut self, device: impl DeviceName, notes: &[&str]) {
        let notes = notes.iter().map(|&note| note.to_owned()).collect();
        self.planned(device, Verdict::Upgrade { notes });
    }

    pub(crate) fn install_begun(&mut self, device: impl DeviceName) {
        self.tell(device, install_begun());
    }

    /// The device was seen to run the new firmware.
    pub(crate) fn returned(&mut self, device: impl DeviceName) {
        self.tell(
            device,
            DeviceFact::Returned {
                component: Component::Firmware,
                outcome: None,
                version: Box::new(version(NEW)),
            },
        );
    }

    pub(crate) fn ask_phone(
        &mut self,
        device: impl DeviceName,
        scope: Scope,
        seconds: u64,
        note: &str,
    ) {
        let until = self.now + Duration::from_secs(seconds);
        let note = note.to_owned();
        self.tell(device, DeviceFact::ApprovalRequested { scope, until, note });
    }

    pub(crate) fn audit(&mut self, device: impl DeviceName, report: AuditReport) {
        let report = Box::new(report);
        self.tell(
            device,
            DeviceFact::Audited {
                report,
                source: None,
            },
        );
    }

    pub(crate) fn log_read(
        &mut self,
        device: impl DeviceName,
        id: &str,
        log: Result<AuditLog, AuditObstacle>,
    ) {
        let read = Box::new(LogRead {
            id: LogId::new(id).unwrap(),
            log: log.map(Arc::new),
            kept: None,
        });
        self.tell(device, DeviceFact::LogRead { read });
    }
}

fn fleet(mode: Mode, seeds: &[DeviceSeed], payload: PayloadFacts) -> Fleet {
    let run = RunId::from_random([0x7f, 0x3a, 0, 1]);
    Fleet::new(run, payload, mode, 8, seeds.to_vec())
}

/// A device without group and tags.
pub(crate) fn seed(device: impl DeviceName, link: LinkTrust) -> DeviceSeed {
    DeviceSeed {
        credentials: Credentials::Login,
        id: device.id(),
        group: None,
        tags: Vec::new(),
        link,
        earlier: None,
        refused: None,
    }
}

/// `vault-01`, `vault-02` and so on.
pub(crate) fn numbered(devices: usize) -> Vec<DeviceSeed> {
    (0..devices).map(|n| seed(n, LinkTrust::Ca)).collect()
}

pub(crate) fn started(stage: Stage) -> DeviceFact {
    DeviceFact::StageStarted { stage, try_no: 1 }
}

pub(crate) fn finished(outcome: Outcome) -> DeviceFact {
    DeviceFact::Finished { outcome }
}

pub(crate) fn install_begun() -> DeviceFact {
    DeviceFact::InstallBegun {
        pending: Box::new(pending()),
    }
}

/// What is remembered of a device with the old firmware while its install is watched.
pub(crate) fn pending() -> PendingInstall {
    PendingInstall {
        component: Component::Firmware,
        uis_before: None,
        device: DeviceMark::default(),
        mark: None,
        since: Instant::now(),
        uptime_before: Duration::from_secs(86_400),
        fw_upgrade_before: false,
        fws_before: Some(OLD),
        fws_expected: None,
        eid: None,
    }
}

/// What a healthy device says that has been up for a day.
pub(crate) fn status() -> DeviceStatus {
    DeviceStatus {
        uptime: Duration::from_secs(86_400),
        clock: Some(1_795_435_200),
        initialised: true,
        fls_state: FlsState(0),
        trusted_time: true,
        fw_upgrade: false,
    }
}

pub(crate) fn version(fws: Fws) -> DeviceVersion {
    let label = if fws == NEW { "1.2.3" } else { "1.2.2" };
    DeviceVersion {
        uis: None,
        sd_cid: None,
        hwv: "PPA rev 2.2".to_owned(),
        fwv: format!("Encedo nGINE FW v{label}"),
        fwk: Some(FWK),
        fws: Some(fws),
    }
}

/// The new firmware, in a file of this size.
pub(crate) fn firmware(bytes: u64) -> PayloadFacts {
    PayloadFacts {
        app: None,
        firmware: Some(ImageFacts {
            file_bytes: bytes,
            image_bytes: bytes,
            sha256: [0xab; 32],
            format: ImageFormat::Binary,
            footer: Some(ImageFooter {
                name: "Encedo nGINE FW v1.2.3".to_owned(),
                mode: SigningMode::Plain,
                signed_at: None,
                fwk: FWK,
                fws: NEW,
            }),
        }),
    }
}

/// A management app, in a file of this size.
pub(crate) fn app(bytes: u64, version: Option<AppVersion>) -> PayloadFacts {
    PayloadFacts {
        app: Some(AppFacts {
            file_bytes: bytes,
            sha256: [0xcd; 32],
            trailer: None,
            version,
        }),
        firmware: None,
    }
}

/// What a log says of an upgrade; the log is missing where it could not be read.
pub(crate) fn audit_report(
    verdict: AuditVerdict,
    link: LinkTrust,
    log: Option<AuditLog>,
) -> AuditReport {
    AuditReport {
        verdict,
        judged: OutcomeKind::Upgraded,
        link,
        file: log.as_ref().and_then(|_| LogId::new("62310ba5")),
        log: log.map(Arc::new),
    }
}
