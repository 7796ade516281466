//! The endpoints that a device has, and what each requires of a request. `admission` holds requests to it.
//!
//! Beside the endpoints of the protocol page there are some that other software of the vendor's API asks for, from the
//! vendor's published description of firmware 1.2.2; they are marked.

use crate::hem::limits::{MAX_JSON_BODY, MAX_UPLOAD_BYTES};
use crate::hem::path;
use crate::sim::script::fault_point::FaultPoint;

/// An endpoint of a device.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Endpoint {
    Version,
    Status,
    Checkin,
    CheckinReply,
    Challenge,
    Login,
    ExtRequest,
    ExtToken,
    Upload,
    Check,
    Install,
    UploadUi,
    CheckUi,
    InstallUi,
    Usbmode,
    Reboot,
    LogKey,
    LogList,
    LogFile,
    /// Not the page's: the challenge with which personalisation begins.
    Init,
    /// Not the page's: personalisation itself.
    InitReply,
    /// Not the page's.
    Config,
    /// The page's for `tls.crt` alone (section 5).
    ConfigUpdate,
    /// Not the page's.
    Attestation,
    /// Not the page's.
    Selftest,
    /// Not the page's.
    Shutdown,
    /// Not the page's: lists of keys, which are empty.
    KeyList,
    /// Not the page's: a search for keys, in vain.
    KeySearch,
    /// Everything else about keys: only its refusal over HTTP is simulated (section 3).
    Keys,
    /// Crypto operations: each fails for want of a key.
    Crypto,
}

impl Endpoint {
    pub(in crate::sim) fn of(method: &str, asked: &str) -> Option<Self> {
        Some(match (method, asked) {
            ("GET", path::VERSION) => Self::Version,
            ("GET", path::STATUS) => Self::Status,
            ("GET", path::CHECKIN) => Self::Checkin,
            ("POST", path::CHECKIN) => Self::CheckinReply,
            ("GET", path::TOKEN) => Self::Challenge,
            ("POST", path::TOKEN) => Self::Login,
            ("POST", path::EXT_REQUEST) => Self::ExtRequest,
            ("POST", path::EXT_TOKEN) => Self::ExtToken,
            ("POST", path::UPLOAD_FW) => Self::Upload,
            ("GET", path::CHECK_FW) => Self::Check,
            ("GET", path::INSTALL_FW) => Self::Install,
            ("POST", path::UPLOAD_UI) => Self::UploadUi,
            ("GET", path::CHECK_UI) => Self::CheckUi,
            ("GET", path::INSTALL_UI) => Self::InstallUi,
            ("GET", "/api/system/upgrade/usbmode") => Self::Usbmode,
            ("GET", "/api/system/reboot") => Self::Reboot,
            ("GET", path::LOG_KEY) => Self::LogKey,
            ("GET", asked) if is_log_list(asked) => Self::LogList,
            ("GET", asked) if asked.starts_with(path::LOG_FILE) => Self::LogFile,
            ("GET", "/api/auth/init") => Self::Init,
            ("POST", "/api/auth/init") => Self::InitReply,
            ("GET", "/api/system/config") => Self::Config,
            ("POST", "/api/system/config") => Self::ConfigUpdate,
            ("GET", "/api/system/config/attestation") => Self::Attestation,
            ("GET", "/api/system/selftest") => Self::Selftest,
            ("GET", "/api/system/shutdown") => Self::Shutdown,
            ("GET", "/api/keymgmt/list") => Self::KeyList,
            ("GET", asked) if asked.starts_with("/api/keymgmt/list/") => Self::KeyList,
            ("POST", "/api/keymgmt/search") => Self::KeySearch,
            (_, asked) if asked.starts_with("/api/keymgmt/") => Self::Keys,
            (_, asked) if asked.starts_with("/api/crypto/") => Self::Crypto,
            _ => return None,
        })
    }

    pub(super) fn point(self) -> FaultPoint {
        match self {
            Self::Version => FaultPoint::Version,
            Self::Status => FaultPoint::Status,
            Self::Checkin => FaultPoint::Checkin,
            Self::CheckinReply => FaultPoint::CheckinReply,
            Self::Challenge => FaultPoint::Challenge,
            Self::Login => FaultPoint::Login,
            Self::ExtRequest => FaultPoint::ExtRequest,
            Self::ExtToken => FaultPoint::ExtToken,
            Self::Upload => FaultPoint::Upload,
            Self::Check => FaultPoint::Check,
            Self::Install => FaultPoint::Install,
            Self::UploadUi => FaultPoint::UploadUi,
            Self::CheckUi => FaultPoint::CheckUi,
            Self::InstallUi => FaultPoint::InstallUi,
            Self::Reboot => FaultPoint::Reboot,
            Self::LogKey => FaultPoint::LogKey,
            Self::LogList => FaultPoint::LogList,
            Self::LogFile => FaultPoint::LogFile,
            Self::Usbmode
            | Self::Init
            | Self::InitReply
            | Self::Config
            | Self::ConfigUpdate
            | Self::Attestation
            | Self::Selftest
            | Self::Shutdown
            | Self::KeyList
            | Self::KeySearch
            | Self::Keys
            | Self::Crypto => FaultPoint::Any,
        }
    }

    /// Whether appliances lack it (section 1).
    pub(super) fn is_ppa_only(self) -> bool {
        self.is_upgrade()
            || matches!(
                self,
                Self::LogList | Self::LogFile | Self::Attestation | Self::Shutdown
            )
    }

    /// Below `/api/system/upgrade`.
    fn is_upgrade(self) -> bool {
        matches!(
            self,
            Self::Upload
                | Self::Check
                | Self::Install
                | Self::UploadUi
                | Self::CheckUi
                | Self::InstallUi
                | Self::Usbmode
        )
    }

    /// Whether a fresh device wants no token for it (section 1).
    pub(super) fn is_open_when_fresh(self) -> bool {
        self.is_upgrade() || matches!(self, Self::Reboot | Self::Selftest | Self::Attestation)
    }

    /// Refused over plain HTTP (section 3: 418).
    pub(super) fn wants_tls(self) -> bool {
        matches!(
            self,
            Self::KeyList | Self::KeySearch | Self::Keys | Self::Crypto
        )
    }

    /// Whether the master may not use it: all of the key repository, by the vendor's description.
    pub(super) fn denies_master(self) -> bool {
        self.wants_tls()
    }

    /// The prefixes of which the token's scope must have one (section 6); empty where no token is needed. An empty
    /// prefix accepts any token.
    pub(super) fn scopes(self) -> &'static [&'static str] {
        match self {
            Self::Upload | Self::UploadUi => &["system:upgrade"],
            Self::Check | Self::Install | Self::CheckUi | Self::InstallUi | Self::Usbmode => {
                &["system:upgrade", "system:config"]
            }
            Self::Reboot => &["system:config", "system:upgrade", "system:shutdown"],
            Self::Shutdown => &["system:config", "system:shutdown"],
            Self::LogKey | Self::LogList | Self::LogFile => &["logger:get"],
            Self::ConfigUpdate => &["system:config"],
            Self::Config => &["system:config", "logger:get", "auth:ext:pair"],
            Self::Attestation | Self::Selftest => &[""],
            Self::KeyList => &["keymgmt:list"],
            Self::KeySearch => &["keymgmt:search", "keymgmt:list", "auth:ext:pair"],
            Self::Keys => &["keymgmt:"],
            Self::Crypto => &["keymgmt:use:"],
            Self::Version
            | Self::Status
            | Self::Checkin
            | Self::CheckinReply
            | Self::Challenge
            | Self::Login
            | Self::ExtRequest
            | Self::ExtToken
            | Self::Init
            | Self::InitReply => &[],
        }
    }

    /// The largest body, where the endpoint takes one.
    pub(super) fn longest(self) -> Option<usize> {
        match self {
            Self::Upload | Self::UploadUi => Some(MAX_UPLOAD_BYTES),
            Self::CheckinReply
            | Self::Login
            | Self::ExtRequest
            | Self::ExtToken
            | Self::InitReply
            | Self::ConfigUpdate
            | Self::KeySearch => Some(MAX_JSON_BODY),
            _ => None,
        }
    }
}

/// Whether this is a page of the list; without an offset it is the first (the vendor's description).
fn is_log_list(asked: &str) -> bool {
    asked.starts_with(path::LOG_LIST) || asked == path::LOG_LIST.trim_end_matches('/')
}
