//! What became of a device. One place for words, hints and codes; what the plan says of it is in `verdict`.
//! Must not: decide it (that is `engine`).

use std::fmt;

use crate::model::{Failure, Stage, Touched};

/// Why a device is left alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Skip {
    /// A rack appliance has no upgrade endpoints (section 1).
    Epa,
    /// Nor does it list its logs.
    EpaLog,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Epa => "EPA: no upgrade over this API",
            Self::EpaLog => "EPA: no log over this API",
        })
    }
}

/// Why a change is not proven.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Unproven {
    /// It rebooted and reports neither the old nor the image's `fws`.
    OtherSignature {
        /// The short `fws` it reports now.
        now: String,
    },
    /// It rebooted and its `fws` changed, but the image's footer was not recognised.
    NoExpectedSignature,
    /// It reports no readable `fws`.
    NoSignature,
    /// It reports the image's `fws`, but no reboot was observed.
    RebootNotSeen,
    /// The management app's `uis` is what it was before: the same app, or none was installed (section 8).
    AppUnchanged,
    /// Its `uis` changed, but not to the hash of the manifest that was sent.
    AppChanged {
        /// The `uis` it reports now, escaped.
        now: String,
    },
    /// Its `uis` is the signer's key, and was before: that stays the same over releases.
    AppUntold,
    /// No `uis` can be read to compare.
    NoAppHash,
}

impl fmt::Display for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherSignature { now } => {
                write!(
                    f,
                    "rebooted, changed, but not to this image: its signature is {now}…"
                )
            }
            Self::NoExpectedSignature => {
                f.write_str("rebooted, but the image has no known signature to compare with")
            }
            Self::NoSignature => f.write_str("rebooted, but reports no readable signature"),
            Self::RebootNotSeen => {
                f.write_str("reports this image's signature, but no reboot was observed")
            }
            Self::AppUnchanged => f.write_str(
                "the management app's hash is what it was: the same app, or none was installed",
            ),
            Self::AppChanged { now } => write!(
                f,
                "the management app changed, but its uis is not the hash of this one's manifest: {now}"
            ),
            Self::AppUntold => f.write_str(
                "the device's uis is the signer's key, before and after: which app it serves cannot be told from it",
            ),
            Self::NoAppHash => {
                f.write_str("the device reports no management app's hash to compare")
            }
        }
    }
}

/// Why it is not known what an install did.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Doubt {
    /// The answer was lost, and the device answered all the time without a reboot.
    AnswerLost,
    /// The install was answered with a status that no device gives, and the device answered all the time
    /// without a reboot.
    OddAnswer {
        /// The HTTP status.
        status: u16,
    },
    /// The management app's install was sent, and the device's `uis` is what it was.
    AppUnseen,
    /// The install was accepted, and the device answered all the time without a reboot.
    NoReboot,
    /// It answers again, but not so that it could be looked at: the certificate is not trusted, the
    /// answer not readable.
    Unseen {
        /// What the last look met.
        last: String,
    },
    /// Until the limit it could not be looked at from here: this machine, the jump host or the proxy was at
    /// fault, so that nothing is known of the device.
    NotLookedAt {
        /// What the last look met.
        last: String,
    },
    /// Another device answers there than the one that the install was sent to.
    OtherDevice {
        /// What is different.
        what: String,
    },
    /// hemfleet was stopped while the device was being watched.
    StoppedWatching,
    /// A bug in hemfleet: the device's task died while it was being watched.
    Panicked(String),
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AnswerLost => f.write_str("install sent, its answer was lost, no reboot seen"),
            Self::OddAnswer { status } => write!(
                f,
                "install sent, answered {status} as no device does (a proxy or tunnel?), no reboot seen"
            ),
            Self::AppUnseen => f.write_str(
                "the management app's install was sent, and the device's uis is what it was",
            ),
            Self::NoReboot => f.write_str("install accepted, but no reboot seen"),
            Self::Unseen { last } => {
                write!(
                    f,
                    "install sent, answers again, but cannot be looked at: {last}"
                )
            }
            Self::NotLookedAt { last } => {
                write!(
                    f,
                    "install sent, and the device could not be looked at from here: {last}"
                )
            }
            Self::OtherDevice { what } => {
                write!(
                    f,
                    "install sent, and another device answers there now: {what}"
                )
            }
            Self::StoppedWatching => {
                f.write_str("install sent, stopped before its outcome was seen")
            }
            Self::Panicked(what) => {
                write!(f, "install sent, then hemfleet itself failed: {what}")
            }
        }
    }
}

/// What became of a device. Nothing is [`Outcome::Upgraded`] without evidence.
#[derive(Clone, PartialEq, Eq, Debug)]
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
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord)]
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
            Self::RolledBack => {
                "rebooted and runs what it ran before: its bootloader refused the image".to_owned()
            }
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
            Self::Unproven(
                Unproven::AppUnchanged
                | Unproven::AppChanged { .. }
                | Unproven::AppUntold
                | Unproven::NoAppHash,
            ) => "Open the app on the device, or compare its uis with another device's.",
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
                Doubt::AnswerLost | Doubt::OddAnswer { .. } | Doubt::AppUnseen | Doubt::NoReboot,
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
            Self::Unproven(
                Unproven::AppUnchanged
                | Unproven::AppChanged { .. }
                | Unproven::AppUntold
                | Unproven::NoAppHash,
            )
            | Self::Unknown(Doubt::AppUnseen) => Some(Stage::VerifyUi),
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
            Self::Unproven(Unproven::OtherSignature { .. }) => "other_signature",
            Self::Unproven(Unproven::NoExpectedSignature) => "no_expected_signature",
            Self::Unproven(Unproven::NoSignature) => "no_signature",
            Self::Unproven(Unproven::RebootNotSeen) => "reboot_not_seen",
            Self::Unproven(Unproven::AppUnchanged) => "app_unchanged",
            Self::Unproven(Unproven::AppChanged { .. }) => "app_changed",
            Self::Unproven(Unproven::AppUntold) => "app_untold",
            Self::Unproven(Unproven::NoAppHash) => "no_app_hash",
            Self::Unknown(Doubt::AnswerLost | Doubt::AppUnseen) => "answer_lost",
            Self::Unknown(Doubt::OddAnswer { .. }) => "odd_answer",
            Self::Unknown(Doubt::NoReboot) => "no_reboot",
            Self::Unknown(Doubt::Unseen { .. }) => "unseen",
            Self::Unknown(Doubt::NotLookedAt { .. }) => "not_looked_at",
            Self::Unknown(Doubt::OtherDevice { .. }) => "other_device",
            Self::Unknown(Doubt::StoppedWatching) => "stopped_watching",
            Self::Unknown(Doubt::Panicked(_)) => "panicked",
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
