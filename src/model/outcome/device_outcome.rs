//! What became of a device, with its words, hints and codes. Why an install is not proven is in `doubt`, why a stage
//! failed in `failure`, and what the plan says beforehand in `plan_verdict`.

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::model::{Doubt, Failure, FailureKind, Stage, Touched, Unproven};

/// Why a device is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Skip {
    /// A rack appliance has no upgrade endpoints (section 1).
    Epa,
    /// Nor does it list its logs.
    EpaLog,
    /// A person took it out of the plan.
    LeftOut,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Epa => "EPA: no upgrade over this API",
            Self::EpaLog => "EPA: no log over this API",
            Self::LeftOut => "left out of the plan by hand",
        })
    }
}

/// What became of a device. Nothing is [`Outcome::Upgraded`] without evidence.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A reboot was observed and the device reports the very `fws` of the image.
    Upgraded,
    /// Only the management app was to be installed, and the device's `uis` is the hash of its manifest
    /// (section 8).
    AppInstalled,
    /// Changed or maybe changed, without that proof.
    Unproven(Unproven),
    /// It runs the image already.
    Current,
    /// Left alone.
    Skipped(Skip),
    /// Not upgraded.
    Failed(Failure),
    /// It rebooted and runs what it ran before: its bootloader refused the image.
    RolledBack,
    /// Not back within the limit.
    Lost,
    /// The install was sent, its outcome was not seen.
    Unknown(Doubt),
    /// Stopped before the install.
    Cancelled(Touched),
    /// Stopped before the install, since other devices' installs went wrong: `[rollout] max_failures`.
    Halted(Touched),
    /// `hemfleet audit`: its log was read, and verifies.
    Audited {
        /// Number of files that were read.
        files: usize,
    },
}

/// [`Outcome`] without its reasons: for counts, filters, glyphs and exit codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeKind {
    /// See [`Outcome::Upgraded`] and [`Outcome::AppInstalled`].
    Upgraded,
    /// See [`Outcome::Unproven`].
    Unproven,
    /// See [`Outcome::Current`].
    Current,
    /// See [`Outcome::Skipped`].
    Skipped,
    /// See [`Outcome::Failed`].
    Failed,
    /// See [`Outcome::RolledBack`].
    RolledBack,
    /// See [`Outcome::Lost`].
    Lost,
    /// See [`Outcome::Unknown`].
    Unknown,
    /// See [`Outcome::Cancelled`] and [`Outcome::Halted`].
    Cancelled,
    /// See [`Outcome::Audited`].
    Audited,
}

impl OutcomeKind {
    /// All kinds, in the order in which counts are shown.
    pub const ALL: [Self; 10] = [
        Self::Upgraded,
        Self::Unproven,
        Self::Current,
        Self::Skipped,
        Self::Failed,
        Self::RolledBack,
        Self::Lost,
        Self::Unknown,
        Self::Cancelled,
        Self::Audited,
    ];

    /// The spelling of JSON and of scenario files: `rolled_back`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::Unproven => "unproven",
            Self::Current => "current",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::Lost => "lost",
            Self::Unknown => "unknown",
            Self::Cancelled => "cancelled",
            Self::Audited => "audited",
        }
    }

    /// The words for people: `rolled back`.
    pub fn words(self) -> &'static str {
        match self {
            Self::RolledBack => "rolled back",
            other => other.as_str(),
        }
    }

    /// The sign that stands before the words where eyes run down a column.
    pub fn sign(self) -> &'static str {
        match self {
            Self::Upgraded => "✔",
            Self::Audited => "≡",
            Self::Unproven => "≈",
            Self::Current => "=",
            Self::Skipped => "–",
            Self::Failed => "✖",
            Self::RolledBack => "↺",
            Self::Lost => "☠",
            Self::Unknown => "?",
            Self::Cancelled => "∅",
        }
    }

    /// Whether the device is known to be as it should.
    pub fn is_good(self) -> bool {
        matches!(self, Self::Upgraded | Self::Current)
    }

    /// Whether "retry all failed" means it: not what a person stopped, nor what changed unproven.
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Self::Failed | Self::RolledBack | Self::Lost | Self::Unknown
        )
    }

    /// Whether a person may ask for another attempt in this run.
    pub fn is_retryable(self) -> bool {
        !matches!(
            self,
            Self::Upgraded | Self::Current | Self::Skipped | Self::Audited
        )
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}

impl Outcome {
    /// The kind without the reasons.
    pub fn kind(&self) -> OutcomeKind {
        match self {
            Self::Upgraded | Self::AppInstalled => OutcomeKind::Upgraded,
            Self::Unproven(_) => OutcomeKind::Unproven,
            Self::Current => OutcomeKind::Current,
            Self::Skipped(_) => OutcomeKind::Skipped,
            Self::Failed(_) => OutcomeKind::Failed,
            Self::RolledBack => OutcomeKind::RolledBack,
            Self::Lost => OutcomeKind::Lost,
            Self::Unknown(_) => OutcomeKind::Unknown,
            Self::Cancelled(_) | Self::Halted(_) => OutcomeKind::Cancelled,
            Self::Audited { .. } => OutcomeKind::Audited,
        }
    }

    /// One line saying why or on what evidence.
    pub fn reason(&self) -> String {
        match self {
            Self::Upgraded => "proven: rebooted, signature matches".to_owned(),
            Self::AppInstalled => "proven: its uis is the hash of this app's manifest".to_owned(),
            Self::Unproven(u) => u.to_string(),
            Self::Current => "runs this very image".to_owned(),
            Self::Skipped(s) => s.to_string(),
            Self::Failed(f) => f.kind.to_string(),
            Self::RolledBack => FailureKind::RolledBack.to_string(),
            Self::Lost => "not back within the limit after the install".to_owned(),
            Self::Unknown(d) => d.to_string(),
            Self::Cancelled(Touched::Nothing) => "stopped before anything was changed".to_owned(),
            Self::Cancelled(t) => format!("stopped: {t}"),
            Self::Halted(Touched::Nothing) => {
                "run halted (max_failures) before anything was changed here".to_owned()
            }
            Self::Halted(t) => format!("run halted (max_failures): {t}"),
            Self::Audited { files: 1 } => "1 log file read, and it verifies".to_owned(),
            Self::Audited { files } => format!("{files} log files read, and all verify"),
        }
    }

    /// What the operator does next, where there is something to do.
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::Upgraded
            | Self::AppInstalled
            | Self::Current
            | Self::Skipped(_)
            | Self::Audited { .. } => {
                return None;
            }
            Self::Failed(f) => return Some(f.hint()),
            Self::Unproven(Unproven::RebootNotSeen) => {
                "Look at it again with hemfleet plan: if it says current and the device is healthy, all is well."
            }
            Self::Unproven(why) if why.is_about_app() => {
                "Open the app on the device, or compare its uis with another device's."
            }
            Self::Unproven(_) => {
                "Compare its fws and fwv with what you meant to install (hemfleet inspect), or ask the vendor."
            }
            Self::RolledBack => {
                "The device is healthy and still runs the old firmware. Compare the image's signing key with the device's fwk."
            }
            Self::Lost => {
                "Devices have no watchdog: power-cycle it, wait a minute, then retry. The retry watches; it never installs twice."
            }
            Self::Unknown(
                Doubt::AnswerLost
                | Doubt::OddAnswer { .. }
                | Doubt::AppUnseen
                | Doubt::NoReboot
                | Doubt::NoTrace,
            ) => {
                "Nothing is sent twice: retry looks again. If it stays, power-cycle the device and start a new run."
            }
            Self::Unknown(Doubt::Unseen { .. }) => {
                "It is back: no power-cycle helps. Put right what the last look met, then retry or start a new run; the \
                 retry only watches."
            }
            Self::Unknown(Doubt::NotLookedAt { .. }) => {
                "Nothing says that the device is gone: no power-cycle yet. Put right what stood in the way here, then retry; \
                 the retry only watches."
            }
            Self::Unknown(Doubt::OtherDevice { .. }) => {
                "Find out where url, connect, proxy or ssh of this device lead now, and put that right; then retry, which only \
                 watches. Is the other device in the inventory, too?"
            }
            Self::Unknown(_) => {
                "It may be rebooting: do not unplug it. Look at it with hemfleet plan in a few minutes."
            }
            Self::Cancelled(Touched::InstallSent) => {
                "Its management app was installed, its firmware is as before: retry goes on from there."
            }
            Self::Halted(Touched::InstallSent) => {
                "Too many other devices went wrong. Its management app was installed, its firmware is as before: find \
                 out what is wrong with the image, then run again."
            }
            Self::Cancelled(_) => {
                "It still runs what it ran before: retry or run again when you are ready."
            }
            Self::Halted(_) => {
                "Too many other devices went wrong. This one still runs what it ran before: find out what is wrong with \
                 the image, then run again."
            }
        };
        Some(text.to_owned())
    }

    /// Whether an install may have been sent whose end is still open: a further attempt then only
    /// watches and never installs (section 7).
    pub fn leaves_doubt(&self) -> bool {
        matches!(
            self,
            Self::Lost | Self::Unknown(_) | Self::Unproven(Unproven::RebootNotSeen)
        )
    }

    /// What the device has been touched with.
    pub fn touched(&self) -> Touched {
        match self {
            Self::Current | Self::Skipped(_) | Self::Audited { .. } => Touched::Nothing,
            Self::Failed(f) => f.touched,
            Self::Cancelled(t) | Self::Halted(t) => *t,
            Self::Upgraded
            | Self::AppInstalled
            | Self::Unproven(_)
            | Self::RolledBack
            | Self::Lost
            | Self::Unknown(_) => Touched::InstallSent,
        }
    }

    /// The stage that it ended in, where that says something.
    pub fn stage(&self) -> Option<Stage> {
        match self {
            Self::Failed(f) => Some(f.stage),
            // The management app's install is followed by no reboot.
            Self::Unproven(why) if why.is_about_app() => Some(Stage::VerifyUi),
            Self::Unknown(Doubt::AppUnseen) => Some(Stage::VerifyUi),
            Self::RolledBack | Self::Unproven(_) => Some(Stage::Verify),
            Self::Lost | Self::Unknown(_) => Some(Stage::Reboot),
            _ => None,
        }
    }

    /// The HTTP status behind it, where there is one.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Failed(f) => f.kind.status(),
            _ => None,
        }
    }

    /// A stable word for scripts (JSON `code`).
    pub fn code(&self) -> &'static str {
        match self {
            Self::Failed(f) => f.kind.code(),
            Self::Skipped(Skip::Epa | Skip::EpaLog) => "epa",
            Self::Skipped(Skip::LeftOut) => "left_out",
            Self::Unproven(why) => why.code(),
            Self::Unknown(doubt) => doubt.code(),
            Self::Halted(_) => "max_failures",
            other => other.kind().as_str(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_in_doubt_ends_where_it_is_verified() {
        for outcome in [
            Outcome::Unknown(Doubt::AppUnseen),
            Outcome::Unproven(Unproven::AppUnchanged),
            Outcome::Unproven(Unproven::AppChanged { now: "x".into() }),
            Outcome::Unproven(Unproven::AppUntold),
            Outcome::Unproven(Unproven::NoAppHash),
        ] {
            assert_eq!(outcome.stage(), Some(Stage::VerifyUi), "{outcome:?}");
        }
        let lost = Outcome::Unknown(Doubt::AnswerLost);
        assert_eq!(lost.stage(), Some(Stage::Reboot));
    }
}
