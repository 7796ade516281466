//! One line of text for each event that matters, shared by plain output, the log pane and the log file.
//!
//! Must not: use colours or assume a width; `report` and `tui` add them.

use std::fmt::{self, Write as _};

use crate::model::{
    AuditObstacle, AuditVerdict, Contradiction, DeviceId, VerdictKind, counted, human_bytes,
    human_duration,
};

use super::event::{DeviceFact, Fact, Progress, RunHalt};
use super::fleet::reducer::Fleet;

/// Names of devices in one line.
const NAMED: usize = 12;

impl Fact {
    /// What happened, in one line without time; absent where it is not worth a line.
    pub fn headline(&self) -> Option<String> {
        match self {
            Self::RunStarted {
                run,
                payload,
                devices,
            } => {
                let devices = counted(*devices, "device", "devices");
                let mut line = format!("run {run}: {devices}");
                if let Some(image) = &payload.firmware {
                    let version = image.version_label();
                    let (size, sha) = (human_bytes(image.file_bytes), image.sha256_hex());
                    let _ = write!(line, ", image {version} ({size}, sha256 {}…)", &sha[..8]);
                }
                if let Some(app) = &payload.app {
                    let (size, sha) = (human_bytes(app.file_bytes), app.sha256_hex());
                    let _ = write!(line, ", management app ({size}, sha256 {}…)", &sha[..8]);
                }
                if payload.firmware.is_none() && payload.app.is_none() {
                    line.push_str(", audit logs only");
                }
                Some(line)
            }
            Self::RunHalted(halt) => Some(halt.to_string()),
            Self::RunResumed { harm, max_failures } => Some(format!(
                "run goes on: max_failures = {max_failures}, {harm} counted so far"
            )),
            Self::RunReopened(reopened) => Some(format!("run goes on, by {}", reopened.by)),
            Self::RunFinished { interrupted } => Some(if *interrupted {
                "run stopped".to_owned()
            } else {
                "run finished".to_owned()
            }),
            Self::Device {
                device,
                attempt,
                fact,
            } => {
                let what = fact.headline()?;
                Some(if *attempt > 1 {
                    format!("{device} (attempt {attempt}): {what}")
                } else {
                    format!("{device}: {what}")
                })
            }
        }
    }
}

impl fmt::Display for RunHalt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { harm, allowed, .. } = self;
        let ids: Vec<&str> = self.devices.iter().map(DeviceId::as_str).collect();
        let names = match ids.len() {
            0..=NAMED => ids.join(", "),
            n => format!("{} and {} more", ids[..NAMED].join(", "), n - NAMED),
        };
        write!(
            f,
            "RUN HALTED: installs left {} worse or in doubt: that counts {harm}, and the budget is {allowed} \
             (max_failures = {}): {names}; nothing new starts, no further install is sent",
            counted(ids.len(), "device", "devices"),
            self.max_failures,
        )
    }
}

impl DeviceFact {
    fn headline(&self) -> Option<String> {
        match self {
            Self::StageStarted { stage, try_no: 1 } => Some(format!("{stage}…")),
            Self::StageStarted { stage, try_no } => Some(format!("{stage}… try {try_no}")),
            Self::StageProgress { stage, progress } => Some(format!("{stage}: {progress}")),
            Self::StageFinished {
                stage,
                took,
                note,
                failure,
                ..
            } => {
                let took = human_duration(*took);
                Some(match failure {
                    Some(failure) => format!("{stage} failed after {took}: {failure}"),
                    None if note.is_empty() => format!("{stage} done in {took}"),
                    None => format!("{stage} done in {took}: {note}"),
                })
            }
            Self::RetryScheduled {
                stage,
                next_try,
                of,
                wait,
                ..
            } => Some(format!(
                "{stage}: try {next_try} of {of} in {}",
                human_duration(*wait)
            )),
            Self::Planned { verdict, .. } => {
                let why = verdict.reason();
                Some(match verdict.kind() {
                    kind if why.is_empty() => format!("plan: {kind}"),
                    VerdictKind::Cannot => format!("plan: cannot be upgraded: {why}"),
                    kind if verdict.failure().is_some() => format!("plan: {kind}, refused: {why}"),
                    kind => format!("plan: {kind}: {why}"),
                })
            }
            Self::SecretWanted => Some("waits for its secret to be typed".to_owned()),
            Self::ApprovalRequested { scope, note, .. } => Some(format!(
                "waits for an approval of {scope} on the phone, where it says: {note}"
            )),
            Self::LogRead { read } => Some(match &read.log {
                Ok(log) => format!(
                    "log {}: {}, {}",
                    read.id,
                    counted(log.count, "entry", "entries"),
                    log.end
                ),
                // No fault: one file per boot, and this is the running one (section 9).
                Err(AuditObstacle::Busy) => {
                    format!("log {}: in use by the running session, not read", read.id)
                }
                Err(why) => format!("log {}: not read: {why}", read.id),
            }),
            Self::Audited { report, .. } => Some(report.to_string()),
            // Said by the stages around them.
            Self::InstallBegun { .. }
            | Self::Returned { .. }
            | Self::LoggedIn { .. }
            | Self::LoginRefused { .. }
            | Self::PermitAsked
            | Self::InstallAnnounced { .. } => None,
            Self::Finished { outcome } => {
                let mut line = outcome.kind().words().to_uppercase();
                if let Some(stage) = outcome.stage() {
                    line.push_str(" at ");
                    line.push_str(stage.as_str());
                }
                line.push_str(": ");
                line.push_str(&outcome.reason());
                if let Some(hint) = outcome.hint() {
                    line.push_str("; hint: ");
                    line.push_str(&hint);
                }
                Some(line)
            }
        }
    }
}

/// What a plan comes to, such as `8 will be upgraded`, `1 current`: a part for each kind of verdict that
/// occurs, and always one that says how many are upgraded. `cannot` is the word for devices that cannot be upgraded.
pub fn plan_counts(fleet: &Fleet, cannot: &str) -> Vec<String> {
    let refused = fleet.refused_downgrades();
    let downgrades = fleet.planned(VerdictKind::Downgrade) - refused;
    let upgrades = fleet.planned(VerdictKind::Upgrade);
    let first = fleet.to_watch_first();
    let only = fleet.to_watch() - first;
    let they_need = if first == 1 { "it needs" } else { "they need" };
    let left_out = fleet.left_out();
    let others = [
        (
            first,
            format!("{first} will be watched first, then upgraded if {they_need} it"),
        ),
        (only, format!("{only} will only be watched")),
        (left_out, format!("{left_out} left out")),
        (downgrades, format!("{downgrades} will be downgraded")),
        (
            refused,
            counted(refused, "downgrade refused", "downgrades refused"),
        ),
    ];
    let kinds = [
        (VerdictKind::Current, "current"),
        (VerdictKind::Skip, "skipped"),
        (VerdictKind::Cannot, cannot),
    ]
    .map(|(kind, words)| (fleet.planned(kind), words))
    .map(|(n, words)| (n, format!("{n} {words}")));
    let finished = fleet.finished_before();
    let before = (finished, format!("{finished} finished before"));
    let others = others.into_iter().chain(kinds).chain([before]);
    // Nobody is told that none is upgraded where some may be after all.
    let lead = (upgrades > 0 || first == 0).then(|| format!("{upgrades} will be upgraded"));
    let others = others.filter(|(n, _)| *n > 0).map(|(_, text)| text);
    lead.into_iter().chain(others).collect()
}

/// What the operator does next about a log that does not confirm an upgrade, where there is something to
/// do. No text claims more for the log than section 9 allows.
pub fn audit_hint(verdict: &AuditVerdict) -> Option<&'static str> {
    match verdict {
        AuditVerdict::Confirmed { .. } | AuditVerdict::Refused { .. } => None,
        AuditVerdict::Contradicted {
            why: Contradiction::Logged(_),
            ..
        } => Some(
            "Keep the file (hemfleet audit --save), compare it with what the device reports, and find out which \
             of the two is right before you rely on the device.",
        ),
        AuditVerdict::Contradicted { .. } => Some(
            "Keep the file (hemfleet audit --save) and find out what changed it: the device, the way to it, or a \
             fault of its storage.",
        ),
        AuditVerdict::Missing { .. } => {
            Some("Look for the upgrade in its other files: hemfleet audit --all-files.")
        }
        AuditVerdict::Unavailable(why) => match why {
            AuditObstacle::NoBroker | AuditObstacle::ClockNotSet => {
                Some("Check the device in, then read its log with hemfleet audit.")
            }
            AuditObstacle::NoLogin | AuditObstacle::LoginRefused | AuditObstacle::NoPermission => {
                Some("Read it with hemfleet audit and a secret that may read the log.")
            }
            AuditObstacle::Busy
            | AuditObstacle::NoApproval { .. }
            | AuditObstacle::Stopped
            | AuditObstacle::Link { .. }
            | AuditObstacle::Unreadable { .. } => Some("Read it later with hemfleet audit."),
            AuditObstacle::KeyNotProven
            | AuditObstacle::OtherDevice { .. }
            | AuditObstacle::TooLarge { .. } => Some(
                "Something may stand between you and the device: find out before you rely on it.",
            ),
            AuditObstacle::Ambiguous => Some(
                "Compare its files with what others did to the device then: hemfleet audit --save.",
            ),
            AuditObstacle::BackendAction { .. } => {
                Some("Ask who runs the backend before you touch the device again.")
            }
            AuditObstacle::Epa
            | AuditObstacle::NoLog
            | AuditObstacle::Gone
            | AuditObstacle::NoFile
            | AuditObstacle::CutShort { .. } => None,
        },
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes { sent, total } => {
                write!(f, "{} of {}", human_bytes(*sent), human_bytes(*total))
            }
            Self::Polls { polls, status } => write!(f, "{status} · poll {polls}"),
            Self::Queued => f.write_str("waits for its turn to ask a phone"),
            Self::Step { what } => f.write_str(what),
            Self::Silent { last, normal } => {
                write!(f, "{last}, normal for {}", human_duration(*normal))
            }
        }
    }
}
