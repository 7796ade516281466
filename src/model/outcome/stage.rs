//! The stages of one device's upgrade.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A stage of one device's upgrade, in the order in which they run.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Reading version and status; no token needed (protocol page, section 4).
    Probe,
    /// Setting the clock through the broker (section 5); runs only when a login needs it.
    Checkin,
    /// Authentication for `system:upgrade` (section 6).
    Login,
    /// Sending the management app (section 8).
    UploadUi,
    /// The device's own verification of the staged app (section 8).
    CheckUi,
    /// The one install request of the app (section 8).
    InstallUi,
    /// Reading the app's hash that is served now (section 8).
    VerifyUi,
    /// Sending the image (section 7).
    Upload,
    /// The device's own verification of the staged image (section 7).
    Check,
    /// The one request that must never be repeated (section 7).
    Install,
    /// Watching the device go and come back (section 7).
    Reboot,
    /// Reading the version that runs now (section 7).
    Verify,
    /// Reading what the device's audit log says of it (section 9).
    Audit,
}

impl Stage {
    /// All stages in order.
    pub const ALL: [Self; 13] = [
        Self::Probe,
        Self::Checkin,
        Self::Login,
        Self::UploadUi,
        Self::CheckUi,
        Self::InstallUi,
        Self::VerifyUi,
        Self::Upload,
        Self::Check,
        Self::Install,
        Self::Reboot,
        Self::Verify,
        Self::Audit,
    ];

    /// The one spelling used on screen, in logs and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Checkin => "checkin",
            Self::Login => "login",
            Self::UploadUi => "upload_ui",
            Self::CheckUi => "check_ui",
            Self::InstallUi => "install_ui",
            Self::VerifyUi => "verify_ui",
            Self::Upload => "upload",
            Self::Check => "check",
            Self::Install => "install",
            Self::Reboot => "reboot",
            Self::Verify => "verify",
            Self::Audit => "audit",
        }
    }

    /// Whether an install request may have been sent in this stage or right before it: a device is
    /// watched to its end then, and an attempt is not cancelled.
    pub fn is_past_install(self) -> bool {
        matches!(self, Self::InstallUi | Self::VerifyUi) || self >= Self::Install
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
