//! A run made of messages, for the tests of this room. Must not: be compiled into the program.

mod logs;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Reporter;
use crate::engine::{
    DeviceFact, DeviceSeed, Event, Fact, Fleet, Intent, Message, Mode, PendingInstall, Progress,
    Seen,
};
use crate::model::{
    AppFacts, AppVersion, AuditLog, AuditObstacle, AuditReport, Component, Credentials, DeviceId,
    DeviceStatus, DeviceVersion, Failure, FailureKind, FlsState, Fwk, Fws, ImageFacts, ImageFooter,
    ImageFormat, LinkFault, LinkTrust, LogId, LogRead, Outcome, PayloadFacts, RunId, Scope,
    SigningMode, Stage, Touched, Verdict,
};

pub(super) use logs::{
    confirmed, contradicted, cut_log, log, missing, spoiled_log, unavailable, unverified,
};

const OLD: Fws = Fws([1; 64]);
const NEW: Fws = Fws([2; 64]);

/// A fleet that is told what happens; the clock is moved by hand.
pub(super) struct Rehearsal {
    pub(super) fleet: Fleet,
    pub(super) now: Timestamp,
    seeds: Vec<DeviceSeed>,
    told: Vec<Message>,
}

impl Rehearsal {
    /// `devices` devices `vault-01`… over TLS.
    pub(super) fn new(mode: Mode, devices: usize) -> Self {
        let links = vec![LinkTrust::Ca; devices];
        Self::with_links(mode, &links)
    }

    /// A device for each link, in groups of two.
    pub(super) fn with_links(mode: Mode, links: &[LinkTrust]) -> Self {
        Self::of(mode, links, payload())
    }

    /// Devices that could not be asked what is offered to them.
    pub(super) fn leave_out(&mut self, not_asked: &[DeviceId]) {
        self.fleet = fleet(self.fleet.mode(), &self.seeds, self.fleet.payload().clone())
            .leaving_out(not_asked);
    }

    /// The same, with another payload.
    pub(super) fn of(mode: Mode, links: &[LinkTrust], payload: PayloadFacts) -> Self {
        let seeds: Vec<DeviceSeed> = links
            .iter()
            .enumerate()
            .map(|(n, &link)| DeviceSeed {
                credentials: Credentials::Login,
                id: id(n),
                group: (n < 2).then(|| "warsaw".to_owned()),
                tags: Vec::new(),
                link,
            })
            .collect();
        Self {
            fleet: fleet(mode, &seeds, payload),
            now: "2026-11-23T12:00:00Z".parse().unwrap(),
            seeds,
            told: Vec::new(),
        }
    }

    /// Moves the clock.
    pub(super) fn pass(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
    }

    pub(super) fn intend(&mut self, intent: Intent) {
        self.send(Message::Intent(intent));
    }

    fn send(&mut self, message: Message) {
        self.fleet.update(&message);
        self.told.push(message);
    }

    /// The first event and the wish to begin.
    pub(super) fn begin(&mut self) {
        let fact = Fact::RunStarted {
            run: self.fleet.run().clone(),
            payload: Box::new(self.fleet.payload().clone()),
            devices: self.fleet.devices().len(),
        };
        self.tell(fact);
        self.intend(Intent::Begin);
    }

    /// The last event.
    pub(super) fn end(&mut self) {
        let interrupted = self.fleet.stop().is_some();
        self.tell(Fact::RunFinished { interrupted });
    }

    pub(super) fn tell(&mut self, fact: Fact) {
        self.send(Message::Event(Event { at: self.now, fact }));
    }

    pub(super) fn device(&mut self, n: usize, fact: DeviceFact) {
        let attempt = self.fleet.devices()[n].attempt;
        self.tell(Fact::Device {
            device: id(n),
            attempt,
            fact,
        });
    }

    pub(super) fn start(&mut self, n: usize, stage: Stage, try_no: u32) {
        self.device(n, DeviceFact::StageStarted { stage, try_no });
    }

    pub(super) fn progress(&mut self, n: usize, stage: Stage, progress: Progress) {
        self.device(n, DeviceFact::StageProgress { stage, progress });
    }

    /// A stage that takes `ms` and ends well.
    pub(super) fn stage(&mut self, n: usize, stage: Stage, ms: u64, status: u16, note: &str) {
        self.start(n, stage, 1);
        self.pass(ms);
        self.stage_done(n, stage, ms, status, note);
    }

    pub(super) fn stage_done(&mut self, n: usize, stage: Stage, ms: u64, status: u16, note: &str) {
        self.device(
            n,
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

    pub(super) fn stage_failed(&mut self, n: usize, stage: Stage, ms: u64, failure: FailureKind) {
        self.device(
            n,
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

    pub(super) fn plan(&mut self, n: usize, verdict: Verdict) {
        let seen = match &verdict {
            Verdict::Cannot(_) => None,
            Verdict::Current => Some(NEW),
            _ => Some(OLD),
        };
        let seen = seen.map(|fws| {
            Box::new(Seen {
                version: version(fws),
                status: DeviceStatus {
                    uptime: Duration::from_secs(86_400),
                    clock: Some(1_795_435_200),
                    initialised: true,
                    fls_state: FlsState(0),
                    trusted_time: true,
                    fw_upgrade: false,
                },
            })
        });
        self.device(n, DeviceFact::Planned { seen, verdict });
    }

    pub(super) fn plan_upgrade(&mut self, n: usize, notes: &[&str]) {
        let notes = notes.iter().map(|&note| note.to_owned()).collect();
        self.plan(n, Verdict::Upgrade { notes });
    }

    pub(super) fn install_begun(&mut self, n: usize) {
        let pending = PendingInstall {
            component: Component::Firmware,
            uis_before: None,
            device: crate::model::DeviceMark::default(),
            mark: None,
            since: tokio::time::Instant::now(),
            uptime_before: Duration::from_secs(86_400),
            fw_upgrade_before: false,
            fws_before: Some(OLD),
        };
        self.device(
            n,
            DeviceFact::InstallBegun {
                pending: Box::new(pending),
            },
        );
    }

    pub(super) fn returned(&mut self, n: usize) {
        self.device(
            n,
            DeviceFact::Returned {
                component: Component::Firmware,
                outcome: None,
                version: Box::new(version(NEW)),
            },
        );
    }

    pub(super) fn finish(&mut self, n: usize, outcome: Outcome) {
        self.device(n, DeviceFact::Finished { outcome });
    }

    pub(super) fn ask_phone(&mut self, n: usize, scope: Scope) {
        let until = self.now + Duration::from_mins(5);
        let note = "hemfleet 7f3a0001: nGINE FW v1.2.3".to_owned();
        self.device(n, DeviceFact::ApprovalRequested { scope, until, note });
    }

    pub(super) fn audit(&mut self, n: usize, report: AuditReport) {
        let report = Box::new(report);
        self.device(n, DeviceFact::Audited { report });
    }

    pub(super) fn log_read(&mut self, n: usize, id: &str, log: Result<AuditLog, AuditObstacle>) {
        let read = Box::new(LogRead {
            id: LogId::new(id).unwrap(),
            log: log.map(Arc::new),
            kept: None,
        });
        self.device(n, DeviceFact::LogRead { read });
    }

    /// A device from its first stage to the proof.
    pub(super) fn upgrade(&mut self, n: usize) {
        self.upgrade_to_log(n);
        self.finish(n, Outcome::Upgraded);
    }

    /// The same, but for its log and its end.
    pub(super) fn upgrade_to_log(&mut self, n: usize) {
        self.stage(
            n,
            Stage::Probe,
            200,
            200,
            "nGINE FW v1.2.2 · PPA rev 2.2 · healthy",
        );
        self.plan_upgrade(n, &[]);
        self.stage(n, Stage::Login, 600, 200, "system:upgrade, valid 60 min");
        self.start(n, Stage::Upload, 1);
        for sent in [100_000, 800_000, 900_000, 1_700_000, 3_000_000] {
            self.pass(780);
            let total = 3_000_000;
            self.progress(n, Stage::Upload, Progress::Bytes { sent, total });
        }
        self.stage_done(n, Stage::Upload, 3900, 200, "2.9 MB");
        self.start(n, Stage::Check, 1);
        for polls in 1..10 {
            self.pass(4000);
            self.progress(n, Stage::Check, Progress::Polls { polls, status: 202 });
        }
        self.stage_done(n, Stage::Check, 36_000, 200, "10 polls");
        self.start(n, Stage::Install, 1);
        self.install_begun(n);
        self.pass(300);
        self.stage_done(n, Stage::Install, 300, 200, "accepted");
        self.start(n, Stage::Reboot, 1);
        self.pass(24_000);
        let silent = Progress::Silent {
            last: "connection refused".to_owned(),
            normal: Duration::from_mins(1),
        };
        self.progress(n, Stage::Reboot, silent);
        self.pass(8000);
        self.stage_done(n, Stage::Reboot, 32_000, 200, "back after 32 s");
        self.stage(n, Stage::Verify, 200, 200, "");
        self.returned(n);
    }

    /// A device whose image is refused, after an upload that needed a second try.
    pub(super) fn refuse(&mut self, n: usize) {
        self.stage(
            n,
            Stage::Probe,
            200,
            200,
            "nGINE FW v1.2.2 · PPA rev 2.2 · healthy",
        );
        self.plan_upgrade(n, &[]);
        self.start(n, Stage::Upload, 1);
        self.pass(400);
        let reset = FailureKind::Link(LinkFault::Reset);
        self.stage_failed(n, Stage::Upload, 400, reset.clone());
        self.device(
            n,
            DeviceFact::RetryScheduled {
                stage: Stage::Upload,
                next_try: 2,
                of: 3,
                wait: Duration::from_millis(1500),
                after: reset,
            },
        );
        self.pass(1500);
        self.start(n, Stage::Upload, 2);
        self.pass(3900);
        self.stage_done(n, Stage::Upload, 3900, 200, "2.9 MB");
        self.start(n, Stage::Check, 1);
        self.pass(8000);
        self.stage_failed(n, Stage::Check, 8000, refused_image().kind);
        self.finish(n, Outcome::Failed(refused_image()));
    }

    /// The whole run once more, with a reporter beside it as in a session.
    pub(super) fn report(&self, reporter: &mut impl Reporter) -> io::Result<()> {
        let mut fleet = fleet(self.fleet.mode(), &self.seeds, self.fleet.payload().clone())
            .leaving_out(self.fleet.not_asked());
        for message in &self.told {
            fleet.update(message);
            if let Message::Event(event) = message {
                reporter.event(&fleet, event)?;
            }
        }
        Ok(())
    }
}

fn fleet(mode: Mode, seeds: &[DeviceSeed], payload: PayloadFacts) -> Fleet {
    let run = RunId::from_random([0x7f, 0x3a, 0, 1]);
    Fleet::new(run, payload, mode, 8, seeds.to_vec())
}

pub(super) fn id(n: usize) -> DeviceId {
    DeviceId::new(&format!("vault-{:02}", n + 1))
}

pub(super) fn refused_image() -> Failure {
    Failure {
        stage: Stage::Check,
        kind: FailureKind::ImageRefused { status: 406 },
        touched: Touched::ImageStaged,
    }
}

pub(super) fn unplugged() -> FailureKind {
    FailureKind::Link(LinkFault::Refused {
        target: "127.0.0.1:8443".to_owned(),
    })
}

/// The stages of the management app, with what is said of each.
pub(super) const APP: [(Stage, &str); 4] = [
    (Stage::UploadUi, "1.1 MB"),
    (Stage::CheckUi, "9 polls"),
    (Stage::InstallUi, "accepted"),
    (Stage::VerifyUi, "hash changed"),
];

pub(super) fn no_payload() -> PayloadFacts {
    PayloadFacts::default()
}

pub(super) fn app_only() -> PayloadFacts {
    PayloadFacts {
        app: Some(AppFacts {
            file_bytes: 1_200_000,
            sha256: [0xcd; 32],
            trailer: None,
            version: Some(AppVersion([0xce; 32])),
        }),
        firmware: None,
    }
}

pub(super) fn both() -> PayloadFacts {
    PayloadFacts {
        firmware: Some(image()),
        ..app_only()
    }
}

fn payload() -> PayloadFacts {
    PayloadFacts {
        app: None,
        firmware: Some(image()),
    }
}

fn image() -> ImageFacts {
    ImageFacts {
        file_bytes: 3_000_000,
        image_bytes: 3_000_000,
        sha256: [0xab; 32],
        format: ImageFormat::Binary,
        footer: Some(ImageFooter {
            name: "Encedo nGINE FW v1.2.3".to_owned(),
            mode: SigningMode::Plain,
            signed_at: None,
            fwk: Fwk([3; 32]),
            fws: NEW,
        }),
    }
}

fn version(fws: Fws) -> DeviceVersion {
    DeviceVersion {
        uis: None,
        sd_cid: None,
        hwv: "PPA rev 2.2".to_owned(),
        fwv: if fws == NEW {
            "Encedo nGINE FW v1.2.3".to_owned()
        } else {
            "Encedo nGINE FW v1.2.2".to_owned()
        },
        fwk: Some(Fwk([3; 32])),
        fws: Some(fws),
    }
}
