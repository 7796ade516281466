//! The management app as a value: its file, its trailer and its version (protocol page, section 8). Files are parsed in
//! `hem::management_app`.

use serde::{Deserialize, Serialize};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::model::{Fwk, hex};

/// The largest management app that is sent, in bytes: the server's limit for raw uploads (section 2).
pub const MAX_APP_BYTES: usize = 16 * 1024 * 1024;

/// The file name that the device expects of a management app (section 8).
pub const APP_UPLOAD_NAME: &str = "webroot.tar";

/// The version of a release: the SHA-256 of its `manifest`, in base64 as `newuis` and, by the documentation,
/// `uis` have it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AppVersion(#[serde(with = "crate::model::hex_text")] pub [u8; 32]);

impl AppVersion {
    /// Whether a `uis` or `newuis` names this version. Its padding may be missing.
    pub fn is(&self, uis: &str) -> bool {
        uis.trim_end_matches('=') == self.to_string().trim_end_matches('=')
    }

    /// The first eight characters, enough to tell two apart on a screen.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for AppVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for AppVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppVersion({}…)", self.short())
    }
}

/// The 96 bytes behind the tar.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppTrailer {
    /// The signer's public key.
    pub key: Fwk,
    /// Whether the signature is one over the SHA-256 of the tar, as releases are framed since September
    /// 2026. Older ones do not verify here, and the device decides.
    pub verifies: bool,
}

impl AppTrailer {
    /// Whether a `uis` is this trailer's key, as the vendor's packaging notes have it.
    pub fn is_key(&self, uis: &str) -> bool {
        uis.trim_end_matches('=') == self.key.to_string().trim_end_matches('=')
    }
}

/// What is known of a management app before any device is touched.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct AppFacts {
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// SHA-256 of the file.
    #[serde(with = "crate::model::hex_text")]
    pub sha256: [u8; 32],
    /// Signer and signature, where the file has them.
    pub trailer: Option<AppTrailer>,
    /// The version, where the file has a manifest.
    pub version: Option<AppVersion>,
}

impl AppFacts {
    /// The SHA-256 in hex.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }

    /// Whether a device that reports this `uis` serves this app: that proves it.
    pub fn is_served_as(&self, uis: Option<&str>) -> bool {
        matches!((self.version, uis), (Some(version), Some(uis)) if version.is(uis))
    }

    /// The key that verifiably signed it. What a trailer merely claims, anybody can write into it.
    pub fn verified_signer(&self) -> Option<Fwk> {
        self.trailer.filter(|t| t.verifies).map(|t| t.key)
    }

    /// Whether this `uis` is the signer's key, which tells nothing of the release.
    pub fn is_signer(&self, uis: Option<&str>) -> bool {
        matches!((self.trailer, uis), (Some(trailer), Some(uis)) if trailer.is_key(uis))
    }
}

/// A management app ready for upload.
#[derive(Clone, Debug)]
pub struct AppImage {
    /// The bytes of the file, sent as they are.
    pub bytes: Bytes,
    /// What is known of them.
    pub facts: AppFacts,
}
