//! What is wrong with the settings of a device or the broker, found before anything is sent.
//!
//! Faults of a connection are [`LinkFault`](crate::model::LinkFault)s.

use crate::hem::kdf::MasterWordsError;

/// Why a device or the broker cannot be tried at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SetupError {
    /// The URL's host cannot be a name in a certificate or a `Host` header.
    #[error("{host:?} is no host name")]
    BadHost {
        /// The host.
        host: String,
    },
    /// A token that no HTTP header can carry.
    #[error("the token is empty or holds characters that no HTTP header may hold")]
    BadToken,
    /// Invalid master words (section 6).
    #[error(transparent)]
    BadWords(#[from] MasterWordsError),
    /// A CA file without a usable certificate.
    #[error("no usable certificate authority: {what}")]
    BadCa {
        /// What is wrong with it.
        what: String,
    },
    /// This machine has no root certificates.
    #[error("the system's root certificates cannot be used: {what}")]
    NoRoots {
        /// Why not.
        what: String,
    },
    /// The TLS library refused its settings.
    #[error("TLS cannot be set up: {what}")]
    Tls {
        /// Why not.
        what: String,
    },
    /// The broker's URL.
    #[error("broker url: {what}")]
    BadBrokerUrl {
        /// What is wrong with it.
        what: String,
    },
}
