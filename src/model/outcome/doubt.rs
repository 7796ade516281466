//! Why it is not proven, or not known at all, what an install did to a device. What becomes of the device is in
//! `device_outcome`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Why a change is not proven.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

impl Unproven {
    /// Whether the management app is what is not proven.
    pub fn is_about_app(&self) -> bool {
        match self {
            Self::AppUnchanged | Self::AppChanged { .. } | Self::AppUntold | Self::NoAppHash => {
                true
            }
            Self::OtherSignature { .. }
            | Self::NoExpectedSignature
            | Self::NoSignature
            | Self::RebootNotSeen => false,
        }
    }

    /// A stable word for scripts (JSON `code`).
    pub fn code(&self) -> &'static str {
        match self {
            Self::OtherSignature { .. } => "other_signature",
            Self::NoExpectedSignature => "no_expected_signature",
            Self::NoSignature => "no_signature",
            Self::RebootNotSeen => "reboot_not_seen",
            Self::AppUnchanged => "app_unchanged",
            Self::AppChanged { .. } => "app_changed",
            Self::AppUntold => "app_untold",
            Self::NoAppHash => "no_app_hash",
        }
    }
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Whether the install left, or how it was answered, is not known here: another process was to send it, or an earlier
    /// attempt. The device answers without a sign of a reboot.
    NoTrace,
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

impl Doubt {
    /// A stable word for scripts (JSON `code`).
    pub fn code(&self) -> &'static str {
        match self {
            Self::AnswerLost | Self::AppUnseen => "answer_lost",
            Self::OddAnswer { .. } => "odd_answer",
            Self::NoReboot | Self::NoTrace => "no_reboot",
            Self::Unseen { .. } => "unseen",
            Self::NotLookedAt { .. } => "not_looked_at",
            Self::OtherDevice { .. } => "other_device",
            Self::StoppedWatching => "stopped_watching",
            Self::Panicked(_) => "panicked",
        }
    }
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
            Self::NoTrace => f.write_str("an install may have been sent; no reboot seen"),
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
