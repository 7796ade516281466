//! A run in which everything is said that names somebody, for the tests of what is exported.

use std::time::Duration;

use super::{DeviceContext, JournalledRun, RunContext, RunRecord};
use crate::engine::fixtures::{TestRun, audit_report, firmware, pending, seed};
use crate::engine::{
    DeviceFact, DeviceSeed, Intent, Message, Mode, PendingInstall, Progress, TaskEnd,
};
use crate::model::{
    AuditEntry, AuditExtra, AuditLog, AuditObstacle, AuditResult, AuditTime, AuditType,
    AuditVerdict, DeviceMark, DeviceSpec, DeviceStatus, DeviceVersion, Doubt, Failure, FailureKind,
    FlsState, Fwk, Fws, LinkFault, LinkTrust, LogEnd, MaxFailures, Outcome, Policy, Reach, Scope,
    Secret, Skip, Stage, TlsFault, Touched, Unproven, Verdict,
};

/// The names of [`rich`], which are all that an anonymised export may not hold.
pub(super) const DEVICES: [&str; 6] = [
    "vault-1",
    "vault-10",
    "Kraków rack A",
    "hsm.bank.example",
    "upgraded",
    "7",
];
pub(super) const HOSTS: [&str; 7] = [
    "vault-1.bank.example",
    "vault-10.bank.example",
    "10.20.30.40",
    "fd00:20::7",
    "bastion",
    "proxy.bank.example",
    "squid.unknown.example",
];
pub(super) const SERIAL: &str = "035344534c333247808e6a2b4d01497f";
pub(super) const OTHER_SERIAL: &str = "CARD-77";
pub(super) const USER: &str = "anna";
pub(super) const MACHINE: &str = "ops-laptop";
pub(super) const INVENTORY: &str = "/home/anna/My Fleets/warsaw.toml";
pub(super) const IMAGE: &str = "/srv/images/fw-1.2.3.bin";

/// Signatures and keys that devices of [`rich`] report.
pub(super) const FWS_BEFORE: Fws = Fws([0x11; 64]);
pub(super) const FWS_OTHER: Fws = Fws([0x77; 64]);
pub(super) const FWK: Fwk = Fwk([0x22; 32]);
pub(super) const UIS: &str = "3q2+7wABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhs=";

/// What a journal has of `run`.
pub(super) fn journalled(run: &TestRun) -> JournalledRun {
    let facts = run.fleet.facts().clone();
    let devices = facts.devices.iter().enumerate().map(|(n, seed)| {
        let name = seed.id.as_str();
        let host = HOSTS.get(n).copied().unwrap_or("h.example");
        DeviceContext {
            id: seed.id.clone(),
            reach: Reach::of(&DeviceSpec::plain(name, host, 443)),
            url: format!(
                "https://{}",
                if host.contains(':') {
                    format!("[{host}]:8443")
                } else {
                    host.to_owned()
                }
            ),
            trust: "pinned sha256//IiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiIiI=".to_owned(),
            auth: "passphrase".to_owned(),
        }
    });
    let context = RunContext {
        user: USER.to_owned(),
        host: MACHINE.to_owned(),
        pid: 4711,
        version: "0.1.0".to_owned(),
        inventory: INVENTORY.to_owned(),
        firmware: Some(IMAGE.to_owned()),
        app: None,
        devices: devices.collect(),
        policy: Policy::default(),
    };
    JournalledRun {
        record: RunRecord { facts, context },
        messages: run.messages.clone(),
    }
}

/// A run in which everything is said that names somebody or something, in fields and in free text.
pub(super) fn rich() -> JournalledRun {
    let seeds = DEVICES.iter().enumerate().map(|(n, name)| DeviceSeed {
        group: (n < 2).then(|| "warsaw".to_owned()),
        tags: vec!["rack-7".to_owned(), "Ünit".to_owned()],
        ..seed(*name, LinkTrust::Pinned)
    });
    let mut run = TestRun::new(Mode::Confirm, seeds.collect(), firmware(3_000_000));
    run.begin();
    for name in DEVICES {
        probe(&mut run, name);
    }
    run.intend(Intent::LeaveOut(vec![crate::model::DeviceId::new("7")]));
    run.intend(Intent::Confirm);
    upgrade(&mut run, DEVICES[0]);
    failures(&mut run);
    run.intend(Intent::RetryAll(vec![run.fleet.devices()[1].id.clone()]));
    run.intend(Intent::Answer(
        run.fleet.devices()[0].id.clone(),
        Secret::new(b"hunter2".to_vec()),
    ));
    run.intend(Intent::GoOn(MaxFailures::Share(50)));
    run.messages.push(Message::TaskLost {
        device: run.fleet.devices()[1].id.clone(),
        attempt: 9,
        how: TaskEnd::Panicked("at /home/anna/src/x.rs: vault-10 is upgraded".to_owned()),
    });
    run.end();
    journalled(&run)
}

fn probe(run: &mut TestRun, name: &str) {
    run.start(name, Stage::Probe, 1);
    run.pass(200);
    run.stage_done(
        name,
        Stage::Probe,
        200,
        200,
        &format!("{name}: nGINE FW v1.2.2 · PPA rev 2.2 · healthy"),
    );
    let version = DeviceVersion {
        hwv: "EPA rev 1.0 @zakopane".to_owned(),
        fwv: "Encedo nGINE FW v1.2.2".to_owned(),
        fwk: Some(FWK),
        fws: Some(FWS_BEFORE),
        uis: Some(UIS.to_owned()),
        sd_cid: Some(SERIAL.to_owned()),
    };
    let status = DeviceStatus {
        uptime: Duration::from_secs(86_400),
        clock: Some(1_795_435_200),
        initialised: true,
        fls_state: FlsState(0),
        trusted_time: true,
        fw_upgrade: false,
    };
    let verdict = match name {
        "7" => Verdict::Skip(Skip::Epa),
        _ => Verdict::Upgrade {
            notes: vec![format!(
                "{name} in Ünit rack-7 (warsaw), asked by anna from ops-laptop"
            )],
        },
    };
    let seen = Some(Box::new(crate::engine::Seen { version, status }));
    let refused = None;
    run.tell(
        name,
        DeviceFact::Planned {
            seen,
            verdict,
            refused,
        },
    );
}

fn upgrade(run: &mut TestRun, name: &str) {
    run.ask_phone(
        name,
        Scope::Upgrade,
        300,
        "hemfleet: vault-1 and vault-10 of anna@ops-laptop",
    );
    run.start(name, Stage::Upload, 1);
    run.progress(
        name,
        Stage::Upload,
        Progress::Bytes {
            sent: 1,
            total: 3_000_000,
        },
    );
    run.stage_done(
        name,
        Stage::Upload,
        3900,
        200,
        "2.9 MB by proxy.bank.example:3128",
    );
    let install = PendingInstall {
        fws_before: Some(FWS_BEFORE),
        uis_before: Some("no base64".to_owned()),
        device: DeviceMark {
            hwv: "EPA rev 1.0 @zakopane".to_owned(),
            sd_cid: Some(OTHER_SERIAL.to_owned()),
        },
        ..pending()
    };
    run.start(name, Stage::Install, 1);
    let pending = Box::new(install);
    run.tell(
        name,
        DeviceFact::InstallAnnounced {
            pending: pending.clone(),
        },
    );
    run.tell(name, DeviceFact::InstallBegun { pending });
    run.start(name, Stage::Reboot, 1);
    let last = "connection refused by [fd00:20::7]:8443 through squid.unknown.example".to_owned();
    let normal = Duration::from_secs(60);
    run.progress(name, Stage::Reboot, Progress::Silent { last, normal });
    run.returned(name);
    let entry = |line: usize, kind, subject: &str, extra: &str| AuditEntry {
        line,
        counter: line as u64,
        time: AuditTime::Unix(1_795_435_200),
        kind,
        result: AuditResult::Ok,
        subject: subject.to_owned(),
        extra: AuditExtra::Text(extra.to_owned()),
    };
    let log = AuditLog {
        firmware: Some("Encedo nGINE FW v1.2.2".to_owned()),
        count: 2,
        before: 0,
        entries: vec![
            entry(2, AuditType::TOKEN, "U", "system:upgrade"),
            entry(
                3,
                AuditType(0x14),
                "c0ffee00c0ffee00c0ffee00c0ffee00",
                "payroll signing",
            ),
        ],
        end: LogEnd::Whole,
        others: 0,
        other_lines: Vec::new(),
    };
    let confirmed = AuditVerdict::Confirmed {
        line: 3,
        counter: 1,
        cut_line: None,
    };
    run.audit(name, audit_report(confirmed, LinkTrust::Pinned, Some(log)));
    run.finish(name, Outcome::Upgraded);
}

fn failures(run: &mut TestRun) {
    let pin = FailureKind::Link(LinkFault::Tls(TlsFault::PinMismatch {
        got: "d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3c=".to_owned(),
    }));
    run.fail(DEVICES[1], Stage::Upload, pin, Touched::ImageSent);
    let ssh = FailureKind::Link(LinkFault::Ssh {
        jump: "anna@bastion".to_owned(),
        reason: "bastion said: no route to 10.20.30.40; see ~/.ssh/config, https://wiki.bank.example/hsm?x=1".to_owned(),
    });
    run.fail(DEVICES[2], Stage::Upload, ssh, Touched::Nothing);
    run.start(DEVICES[3], Stage::Verify, 1);
    run.tell(
        DEVICES[3],
        DeviceFact::Returned {
            component: crate::model::Component::Firmware,
            version: Box::new(DeviceVersion {
                hwv: "PPA rev 2.2".to_owned(),
                fwv: "Encedo nGINE FW v9.9.9".to_owned(),
                fwk: None,
                fws: Some(FWS_OTHER),
                uis: None,
                sd_cid: Some(OTHER_SERIAL.to_owned()),
            }),
            outcome: None,
        },
    );
    run.finish(
        DEVICES[3],
        Outcome::Unproven(Unproven::OtherSignature {
            now: FWS_OTHER.short(),
        }),
    );
    let seen = Doubt::OtherDevice {
        what: format!(
            "its sd_cid is {OTHER_SERIAL}, and was {SERIAL}; its fws is {}…",
            FWS_OTHER.short()
        ),
    };
    run.start(DEVICES[4], Stage::Reboot, 1);
    run.audit(
        DEVICES[4],
        audit_report(
            AuditVerdict::Unavailable(AuditObstacle::Link {
                what: "no address for hsm.bank.example".to_owned(),
            }),
            LinkTrust::Pinned,
            None,
        ),
    );
    run.finish(DEVICES[4], Outcome::Unknown(seen));
    let failure = Failure {
        stage: Stage::Login,
        kind: FailureKind::KeyNotProven {
            what: format!("key {FWK} of {USER}"),
        },
        touched: Touched::Nothing,
    };
    run.finish(DEVICES[1], Outcome::Failed(failure));
}
