//! Runs and audit logs for the tests of this room. The run itself is built with `engine::fixtures`.

use std::io;
use std::time::Duration;

use super::Reporter;
use crate::engine::fixtures::{DeviceName as _, TestRun, app, audit_report, firmware, seed};
use crate::engine::{DeviceFact, DeviceSeed, Mode, Progress};
use crate::model::{
    AppVersion, AuditEntry, AuditExtra, AuditLog, AuditObstacle, AuditReport, AuditResult,
    AuditTime, AuditType, AuditVerdict, Contradiction, DeviceId, Failure, FailureKind, LinkFault,
    LinkTrust, LogEnd, LogFault, Outcome, PayloadFacts, Scope, Stage, Touched,
};

const PROBED: &str = "nGINE FW v1.2.2 · PPA rev 2.2 · healthy";

/// A run over `devices` devices, `vault-01` and so on, over TLS.
pub(super) fn run(mode: Mode, devices: usize) -> TestRun {
    run_with_links(mode, &vec![LinkTrust::Ca; devices])
}

/// A run over a device for each link, the first two of them in a group.
pub(super) fn run_with_links(mode: Mode, links: &[LinkTrust]) -> TestRun {
    run_of(mode, links, firmware(3_000_000))
}

/// The same, with another payload.
pub(super) fn run_of(mode: Mode, links: &[LinkTrust], payload: PayloadFacts) -> TestRun {
    let seeds = links.iter().enumerate().map(|(n, &link)| DeviceSeed {
        group: (n < 2).then(|| "warsaw".to_owned()),
        ..seed(n, link)
    });
    TestRun::new(mode, seeds.collect(), payload)
}

/// Tells a reporter of the whole run.
pub(super) fn report(run: &TestRun, reporter: &mut impl Reporter) -> io::Result<()> {
    run.replay(|fleet, event| reporter.event(fleet, event))
}

pub(super) fn ask_phone(run: &mut TestRun, n: usize, scope: Scope) {
    run.ask_phone(n, scope, 300, "hemfleet 7f3a0001: nGINE FW v1.2.3");
}

/// A device from its first stage to the proof.
pub(super) fn upgrade(run: &mut TestRun, n: usize) {
    upgrade_to_log(run, n);
    run.finish(n, Outcome::Upgraded);
}

/// The same without its log and its end.
pub(super) fn upgrade_to_log(run: &mut TestRun, n: usize) {
    run.stage(n, Stage::Probe, 200, 200, PROBED);
    run.planned_upgrade(n, &[]);
    run.stage(n, Stage::Login, 600, 200, "system:upgrade, valid 60 min");
    run.start(n, Stage::Upload, 1);
    for sent in [100_000, 800_000, 900_000, 1_700_000, 3_000_000] {
        run.pass(780);
        let total = 3_000_000;
        run.progress(n, Stage::Upload, Progress::Bytes { sent, total });
    }
    run.stage_done(n, Stage::Upload, 3900, 200, "2.9 MB");
    run.start(n, Stage::Check, 1);
    for polls in 1..10 {
        run.pass(4000);
        run.progress(n, Stage::Check, Progress::Polls { polls, status: 202 });
    }
    run.stage_done(n, Stage::Check, 36_000, 200, "10 polls");
    run.start(n, Stage::Install, 1);
    run.install_begun(n);
    run.pass(300);
    run.stage_done(n, Stage::Install, 300, 200, "accepted");
    run.start(n, Stage::Reboot, 1);
    run.pass(24_000);
    let silent = Progress::Silent {
        last: "connection refused".to_owned(),
        normal: Duration::from_secs(60),
    };
    run.progress(n, Stage::Reboot, silent);
    run.pass(8000);
    run.stage_done(n, Stage::Reboot, 32_000, 200, "back after 32 s");
    run.stage(n, Stage::Verify, 200, 200, "");
    run.returned(n);
}

/// A device whose image is refused, after an upload that needed a second try.
pub(super) fn refuse(run: &mut TestRun, n: usize) {
    run.stage(n, Stage::Probe, 200, 200, PROBED);
    run.planned_upgrade(n, &[]);
    run.start(n, Stage::Upload, 1);
    run.pass(400);
    let reset = FailureKind::Link(LinkFault::Reset);
    run.stage_failed(n, Stage::Upload, 400, reset.clone());
    run.tell(
        n,
        DeviceFact::RetryScheduled {
            stage: Stage::Upload,
            next_try: 2,
            of: 3,
            wait: Duration::from_millis(1500),
            after: reset,
        },
    );
    run.pass(1500);
    run.start(n, Stage::Upload, 2);
    run.pass(3900);
    run.stage_done(n, Stage::Upload, 3900, 200, "2.9 MB");
    run.start(n, Stage::Check, 1);
    run.pass(8000);
    run.stage_failed(n, Stage::Check, 8000, refused_image().kind);
    run.finish(n, Outcome::Failed(refused_image()));
}

pub(super) fn id(n: usize) -> DeviceId {
    n.id()
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

/// The stages of the management app, each with its note.
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
    app(1_200_000, Some(AppVersion([0xce; 32])))
}

pub(super) fn both() -> PayloadFacts {
    PayloadFacts {
        app: app_only().app,
        ..firmware(3_000_000)
    }
}

pub(super) fn confirmed() -> AuditReport {
    let verdict = AuditVerdict::Confirmed {
        line: 4,
        counter: 2,
        cut_line: None,
    };
    audit_report(verdict, LinkTrust::Ca, Some(log()))
}

pub(super) fn contradicted() -> AuditReport {
    let verdict = AuditVerdict::Contradicted {
        line: 4,
        counter: Some(2),
        why: Contradiction::Logged(AuditResult::Error),
    };
    audit_report(verdict, LinkTrust::Ca, Some(log()))
}

pub(super) fn unverified() -> AuditReport {
    let verdict = AuditVerdict::Contradicted {
        line: 5,
        counter: None,
        why: Contradiction::NotVerified(LogFault::BadMac),
    };
    audit_report(verdict, LinkTrust::Ca, Some(spoiled_log()))
}

pub(super) fn missing() -> AuditReport {
    let verdict = AuditVerdict::Missing {
        token_line: Some(3),
        other_line: None,
    };
    audit_report(verdict, LinkTrust::Ca, Some(log()))
}

pub(super) fn unavailable(why: AuditObstacle) -> AuditReport {
    audit_report(AuditVerdict::Unavailable(why), LinkTrust::Ca, None)
}

/// A key line, a token and an upgrade.
pub(super) fn log() -> AuditLog {
    let entry = |line: usize, kind, extra| AuditEntry {
        line,
        counter: line as u64 - 2,
        time: AuditTime::Unix(1_795_435_200 + line as u64),
        kind,
        result: AuditResult::Ok,
        subject: "U".to_owned(),
        extra,
    };
    AuditLog {
        firmware: Some("Encedo nGINE FW v1.2.2".to_owned()),
        count: 3,
        before: 0,
        entries: vec![
            entry(2, AuditType::KEY, AuditExtra::None),
            entry(
                3,
                AuditType::TOKEN,
                AuditExtra::Text("system:upgrade".to_owned()),
            ),
            entry(4, AuditType::UPGRADE, AuditExtra::None),
        ],
        end: LogEnd::Whole,
        others: 0,
        other_lines: Vec::new(),
    }
}

pub(super) fn spoiled_log() -> AuditLog {
    AuditLog {
        end: LogEnd::Failed {
            line: 5,
            counter: None,
            fault: LogFault::BadMac,
        },
        ..log()
    }
}

pub(super) fn cut_log() -> AuditLog {
    AuditLog {
        end: LogEnd::CutShort { line: 9 },
        others: 2,
        other_lines: vec![5, 6],
        ..log()
    }
}
