//! Fleets with audit logs, with people that are waited for, and with the management app.
//! Must not: build what a run could not lead to.

use std::sync::Arc;
use std::time::Duration;

use crate::engine::{DeviceFact, Mode, Progress};
use crate::model::{
    AppFacts, AuditEntry, AuditExtra, AuditLink, AuditLog, AuditObstacle, AuditReport, AuditResult,
    AuditTime, AuditType, AuditVerdict, Contradiction, LogEnd, LogFault, LogId, Outcome,
    OutcomeKind, PayloadFacts, Scope, Skip, Stage, Verdict,
};

use super::{MB, Rig, image, seeds};

pub(in crate::tui) fn app_only() -> PayloadFacts {
    PayloadFacts {
        app: Some(AppFacts {
            file_bytes: 6 * MB,
            sha256: [0xcd; 32],
            trailer: None,
            version: None,
        }),
        firmware: None,
    }
}

pub(in crate::tui) fn both() -> PayloadFacts {
    PayloadFacts {
        firmware: Some(image()),
        ..app_only()
    }
}

/// A log of `entries` entries behind its key line: a token, the upgrade at the end, others between.
fn log_of(entries: usize, result: AuditResult, end: LogEnd) -> AuditLog {
    let entry = |n: usize| {
        let (kind, extra) = match n {
            0 => (AuditType::KEY, AuditExtra::None),
            1 => (AuditType(0x1), AuditExtra::Bytes(4)),
            2 => (AuditType::CLOCK_SET, AuditExtra::Clock(1_795_435_200)),
            3 => (
                AuditType::TOKEN,
                AuditExtra::Text("system:upgrade".to_owned()),
            ),
            n if n + 1 == entries => (AuditType::UPGRADE, AuditExtra::None),
            _ => (
                AuditType(0x19),
                AuditExtra::Undecoded("*not base64*".to_owned()),
            ),
        };
        let last = n + 1 == entries;
        AuditEntry {
            line: n + 2,
            counter: n as u64 + 9,
            time: if n < 3 {
                AuditTime::SinceBoot(8 + n as u64)
            } else {
                AuditTime::Unix(1_795_435_200 + n as u64)
            },
            kind,
            result: if last { result } else { AuditResult::Ok },
            subject: match n {
                0 => "",
                3 => "U",
                _ => "3f9a2c71d0",
            }
            .to_owned(),
            extra,
        }
    };
    AuditLog {
        firmware: Some("Encedo nGINE FW v1.2.2".to_owned()),
        count: entries,
        before: 0,
        entries: (0..entries).map(entry).collect(),
        end,
        others: 0,
        other_lines: Vec::new(),
    }
}

/// What is said of a device whose file holds `log`.
fn audit(verdict: AuditVerdict, link: AuditLink, log: Option<AuditLog>) -> DeviceFact {
    DeviceFact::Audited {
        report: Box::new(AuditReport {
            verdict,
            judged: OutcomeKind::Upgraded,
            link,
            file: log.as_ref().and_then(|_| LogId::new("62310ba5")),
            log: log.map(Arc::new),
        }),
    }
}

impl Rig {
    /// The log of a device contradicts its upgrade.
    pub(in crate::tui) fn contradict(&mut self, name: &str) {
        let verdict = AuditVerdict::Contradicted {
            line: 8,
            counter: Some(15),
            why: Contradiction::Logged(AuditResult::Error),
        };
        let log = log_of(7, AuditResult::Error, LogEnd::Whole);
        self.tell(name, audit(verdict, AuditLink::Ca, Some(log)));
    }
}

/// A contradicted upgrade in the middle of a long log, of which a window is kept: the entries `from..=to` of 60.
pub(in crate::tui) fn windowed(from: usize, to: usize) -> Rig {
    let mut log = log_of(60, AuditResult::Error, LogEnd::Whole);
    log.entries[to - 2].kind = AuditType::UPGRADE;
    log.entries[to - 2].result = AuditResult::Error;
    let verdict = AuditVerdict::Contradicted {
        line: to,
        counter: Some(to as u64 + 7),
        why: Contradiction::Logged(AuditResult::Error),
    };
    log.entries = log.entries[from..=to].to_vec();
    log.before = from;
    let mut rig = Rig::new(Mode::Go, seeds());
    rig.begin("vault-02", Stage::Audit);
    rig.tell("vault-02", audit(verdict, AuditLink::Ca, Some(log)));
    rig.finish("vault-02", Outcome::Upgraded);
    rig
}

/// A run that is over and went well, whose logs say everything that they can.
pub(in crate::tui) fn audited() -> Rig {
    let mut rig = Rig::new(Mode::Go, seeds());
    let ok = || Some(log_of(7, AuditResult::Ok, LogEnd::Whole));
    let confirmed = || AuditVerdict::Confirmed {
        line: 8,
        counter: 15,
        cut_line: None,
    };
    let said = [
        ("vault-01", audit(confirmed(), AuditLink::Ca, ok())),
        (
            "vault-02",
            audit(
                AuditVerdict::Contradicted {
                    line: 61,
                    counter: Some(68),
                    why: Contradiction::Logged(AuditResult::Error),
                },
                AuditLink::Ca,
                Some(log_of(60, AuditResult::Error, LogEnd::Whole)),
            ),
        ),
        ("vault-03", audit(confirmed(), AuditLink::Insecure, ok())),
        (
            "vault-04",
            audit(
                AuditVerdict::Contradicted {
                    line: 9,
                    counter: None,
                    why: Contradiction::NotVerified(LogFault::BadMac),
                },
                AuditLink::Ca,
                Some(log_of(
                    7,
                    AuditResult::Ok,
                    LogEnd::Failed {
                        line: 9,
                        counter: None,
                        fault: LogFault::BadMac,
                    },
                )),
            ),
        ),
        (
            "vault-05",
            audit(
                AuditVerdict::Missing {
                    token_line: Some(5),
                    other_line: None,
                },
                AuditLink::Ca,
                Some(log_of(4, AuditResult::Ok, LogEnd::Whole)),
            ),
        ),
        (
            "vault-06",
            audit(
                AuditVerdict::Unavailable(AuditObstacle::NoBroker),
                AuditLink::Ca,
                None,
            ),
        ),
        (
            "vault-08",
            audit(
                AuditVerdict::Unavailable(AuditObstacle::CutShort { line: 6 }),
                AuditLink::Ca,
                Some(log_of(4, AuditResult::Ok, LogEnd::CutShort { line: 6 })),
            ),
        ),
    ];
    for (name, said) in said {
        rig.up_to(name, Stage::Verify);
        rig.returned(name, "1.2.3", 0xf5);
        rig.end(name, Stage::Verify, 0, "signature matches");
        rig.begin(name, Stage::Audit);
        rig.tell(name, said);
        rig.finish(name, Outcome::Upgraded);
    }
    rig.finish("rack-c1", Outcome::Skipped(Skip::Epa));
    for name in ["vault-07", "vault-09", "vault-10", "vault-11"] {
        rig.end(name, Stage::Probe, 0, "");
        rig.planned(name, Verdict::Current);
        rig.finish(name, Outcome::Current);
    }
    rig
}

/// A run in which devices wait for their secrets, for phones, and for their turn to ask one.
pub(in crate::tui) fn people() -> Rig {
    let mut rig = Rig::new(Mode::Go, seeds());
    for name in ["vault-01", "rack-c1", "vault-02", "vault-03", "vault-04"] {
        rig.end(name, Stage::Probe, 0, "");
        rig.begin(name, Stage::Login);
    }
    rig.tell("vault-03", DeviceFact::SecretWanted);
    rig.tell("vault-01", DeviceFact::SecretWanted);
    for (name, seconds) in [("vault-02", 252), ("vault-04", 41)] {
        rig.tell(
            name,
            DeviceFact::ApprovalRequested {
                scope: if name == "vault-02" {
                    Scope::Upgrade
                } else {
                    Scope::Log
                },
                until: rig.now + Duration::from_secs(seconds),
                note: "hemfleet 7f3a0001: Encedo nGINE FW v1.2.3 (3.0 MB, sha256 abababab…)"
                    .to_owned(),
            },
        );
    }
    for name in ["vault-05", "vault-06"] {
        rig.end(name, Stage::Probe, 0, "");
        rig.begin(name, Stage::Login);
        rig.progress(name, Stage::Login, Progress::Queued);
    }
    rig
}

/// A run of app and firmware in which every stage of the app occurs, and the audit.
pub(in crate::tui) fn staged() -> Rig {
    let mut rig = Rig::of(Mode::Go, seeds(), both());
    let stages = [
        (Stage::UploadUi, ""),
        (Stage::CheckUi, "valid after 9 polls"),
        (Stage::InstallUi, "accepted"),
        (Stage::VerifyUi, "uis changed"),
    ];
    for (n, name) in ["vault-01", "vault-02", "vault-03", "vault-04"]
        .into_iter()
        .enumerate()
    {
        rig.up_to(name, Stage::Upload);
        for (stage, note) in &stages[..n] {
            rig.end(name, *stage, 3, note);
        }
        rig.begin(name, stages[n].0);
    }
    let total = 6 * MB;
    let sent = total / 3;
    rig.wait(2);
    rig.progress("vault-01", Stage::UploadUi, Progress::Bytes { sent, total });
    let polls = Progress::Polls {
        polls: 3,
        status: 202,
    };
    rig.progress("vault-02", Stage::CheckUi, polls);
    rig.up_to("vault-05", Stage::Verify);
    rig.begin("vault-05", Stage::Audit);
    let what = "reading 62310ba5".to_owned();
    rig.progress("vault-05", Stage::Audit, Progress::Step { what });
    rig
}
