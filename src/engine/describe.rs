//! One line of text for each event that matters: plain output, the log pane and the log file share it.
//! Must not: know where the line is shown; no colour, no width.

use std::fmt::Write as _;

use crate::model::{VerdictKind, human_bytes, human_duration};

use super::event::{DeviceFact, Fact, Progress};

impl Fact {
    /// What happened, in one line without time; absent where it is not worth a line.
    pub fn headline(&self) -> Option<String> {
        match self {
            Self::RunStarted {
                run,
                payload,
                devices,
            } => {
                let s = if *devices == 1 { "" } else { "s" };
                let mut line = format!("run {run}: {devices} device{s}");
                if let Some(image) = &payload.firmware {
                    let version = image.version_label();
                    let (size, sha) = (human_bytes(image.file_bytes), image.sha256_hex());
                    let _ = write!(line, ", image {version} ({size}, sha256 {}…)", &sha[..8]);
                }
                if let Some(app) = &payload.app {
                    let (size, sha) = (human_bytes(app.file_bytes), app.sha256_hex());
                    let _ = write!(line, ", management app ({size}, sha256 {}…)", &sha[..8]);
                }
                Some(line)
            }
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
                    kind => format!("plan: {kind}: {why}"),
                })
            }
            Self::SecretWanted => Some("waits for its secret to be typed".to_owned()),
            Self::ApprovalRequested { scope, note, .. } => Some(format!(
                "waits for an approval of {scope} on the phone, where it says: {note}"
            )),
            Self::LogRead { read } => Some(match &read.log {
                Ok(log) if log.verifies() => {
                    format!("log {}: {} entries, verifies", read.id, log.entries.len())
                }
                Ok(log) => format!("log {}: {}", read.id, log.end),
                Err(why) => format!("log {}: not read: {why}", read.id),
            }),
            Self::Audited { report } => Some(report.to_string()),
            // Said by the stages around them.
            Self::InstallBegun { .. } | Self::Returned { .. } | Self::LoggedIn { .. } => None,
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
