//! How far the link to a device can be trusted, and with it everything that the device says (protocol page,
//! section 9). How the link is set up and checked is in `device::http`.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How the device at the other end of a link is known.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkTrust {
    /// TLS with the device's pinned key.
    Pinned,
    /// TLS with a certificate that the system trusts.
    System,
    /// TLS with a certificate of the fleet's own CA file.
    Ca,
    /// TLS with no check of the certificate.
    Insecure,
    /// No TLS.
    Http,
}

impl LinkTrust {
    /// The spelling of JSON and of tables.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::System => "system",
            Self::Ca => "ca",
            Self::Insecure => "insecure",
            Self::Http => "http",
        }
    }

    /// Whether it proves nothing about who answers.
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Insecure | Self::Http)
    }

    /// What a log file is worth that was read over this link and verifies.
    pub(in crate::model) fn words(self) -> &'static str {
        match self {
            Self::Pinned => "verified over a pinned link",
            Self::System => "verified over a system-trusted link",
            Self::Ca => "verified over a link trusted by your CA",
            Self::Insecure => "read over an unverified link",
            Self::Http => "read over an unencrypted link",
        }
    }
}

impl fmt::Display for LinkTrust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.words())
    }
}
