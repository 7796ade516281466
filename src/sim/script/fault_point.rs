//! Where scripted faults strike: the endpoints of device and broker, and what happens behind them. The words for
//! `at = "…"` are explained in [`super::scenario`].

use serde::Deserialize;

/// Where a fault strikes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Deserialize, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum FaultPoint {
    /// A TCP connection, before TLS and before any request.
    Connect,
    /// Any request to the device.
    Any,
    /// `GET /api/system/version`.
    Version,
    /// `GET /api/system/status`.
    Status,
    /// `GET /api/system/checkin`.
    Checkin,
    /// The broker's `POST /checkin` for this device.
    Relay,
    /// `POST /api/system/checkin`.
    CheckinReply,
    /// `GET /api/auth/token`.
    Challenge,
    /// `POST /api/auth/token`.
    Login,
    /// `POST /api/auth/ext/request`.
    ExtRequest,
    /// `POST /api/auth/ext/token`.
    ExtToken,
    /// The broker's `GET /notify/session`, whichever device it is for.
    NotifySession,
    /// The broker's `/notify/event/…` for this device.
    Notify,
    /// `POST /api/system/upgrade/upload_fw`.
    Upload,
    /// `GET /api/system/upgrade/check_fw`.
    Check,
    /// The verification that `check_fw` starts.
    Verification,
    /// `GET /api/system/upgrade/install_fw`.
    Install,
    /// `POST /api/system/upgrade/upload_ui`.
    UploadUi,
    /// `GET /api/system/upgrade/check_ui`.
    CheckUi,
    /// The verification that `check_ui` starts.
    UiVerification,
    /// `GET /api/system/upgrade/install_ui`.
    InstallUi,
    /// `GET /api/system/reboot`.
    Reboot,
    /// The reboot that follows an install.
    Boot,
    /// `GET /api/logger/key`.
    LogKey,
    /// `GET /api/logger/list/…`.
    LogList,
    /// `GET /api/logger/…`, one file.
    LogFile,
    /// The audit entry that an install leaves behind, whatever comes of it.
    UpgradeEntry,
}

impl FaultPoint {
    /// Whether requests come by there, to the device or to the broker.
    pub(super) fn is_request(self) -> bool {
        !matches!(
            self,
            Self::Connect
                | Self::Verification
                | Self::UiVerification
                | Self::Boot
                | Self::UpgradeEntry
        )
    }

    /// Whether it is the device's own endpoint, and so one of `any`.
    pub(in crate::sim) fn is_endpoint(self) -> bool {
        self.is_request() && !self.is_broker()
    }

    /// Whether it is the broker's.
    fn is_broker(self) -> bool {
        matches!(self, Self::Relay | Self::NotifySession | Self::Notify)
    }

    /// Whether a fault may wait there for so many bytes.
    pub(super) fn takes_a_file(self) -> bool {
        matches!(self, Self::Upload | Self::UploadUi)
    }
}
