//! Faults of the links to devices and to the broker: no usable answer came.

use serde::{Deserialize, Serialize};
use std::time::Duration;

use crate::model::{human_bytes, human_duration};

/// A fault of the way to a device or to the broker: no usable HTTP answer came.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkFault {
    /// The host name is not known.
    #[error("no address for {host}")]
    NoAddress {
        /// The name that was looked up.
        host: String,
    },
    /// TCP connection refused.
    #[error("connection refused by {target}")]
    Refused {
        /// Host and port.
        target: String,
    },
    /// No connection within the `connect` limit.
    #[error("no connection to {target} within {}", human_duration(*.after))]
    ConnectTimeout {
        /// Host and port.
        target: String,
        /// The limit.
        after: Duration,
    },
    /// This machine itself could not try.
    #[error(transparent)]
    Local(#[from] LocalFault),
    /// The proxy was not reached.
    #[error("proxy {proxy}: {reason}")]
    NoProxy {
        /// Host and port of the proxy.
        proxy: String,
        /// Why not.
        reason: String,
    },
    /// The proxy refused or failed.
    #[error("proxy {proxy}: {reason}")]
    Proxy {
        /// Host and port of the proxy.
        proxy: String,
        /// What it said.
        reason: String,
    },
    /// The way through a jump host failed.
    #[error("ssh {jump}: {reason}")]
    Ssh {
        /// The jump host, as the inventory names it.
        jump: String,
        /// What ssh said, in one line.
        reason: String,
    },
    /// TLS could not be agreed on or the certificate is not trusted.
    #[error(transparent)]
    Tls(#[from] TlsFault),
    /// The connection was reset or broke.
    #[error("connection reset")]
    Reset,
    /// The connection was closed in order, but without an answer.
    #[error("closed without an answer")]
    ClosedWithoutAnswer,
    /// Connected, but no answer within the limit.
    #[error("no answer within {}", human_duration(*.after))]
    NoAnswer {
        /// The limit.
        after: Duration,
    },
    /// An upload stood still.
    #[error("upload stood still for {} at {} of {}", human_duration(*.after), human_bytes(*.sent), human_bytes(*.total))]
    Stalled {
        /// Bytes handed to the socket.
        sent: u64,
        /// Bytes of the image.
        total: u64,
        /// How long nothing moved.
        after: Duration,
    },
    /// A whole upload took longer than its limit.
    #[error("upload not done within {}: {} of {}", human_duration(*.after), human_bytes(*.sent), human_bytes(*.total))]
    UploadTimeout {
        /// Bytes handed to the socket.
        sent: u64,
        /// Bytes of the image.
        total: u64,
        /// The limit.
        after: Duration,
    },
    /// Something answered that is not HTTP, or an answer that cannot be read.
    #[error("unreadable answer: {what}")]
    Garbled {
        /// What was wrong with it, escaped.
        what: String,
    },
    /// Any other error of the operating system, as it words it.
    #[error("{what}")]
    Io {
        /// The operating system's words.
        what: String,
    },
}

/// What this machine lacked to open or keep a connection: it says nothing about the other side.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LocalFault {
    /// The limit of file descriptors of the process, or of the machine, is reached.
    #[error("this machine: no file descriptor is left ({what})")]
    NoDescriptor {
        /// The operating system's words.
        what: String,
    },
    /// No memory or buffer for a socket.
    #[error("this machine: no memory is left for a connection ({what})")]
    NoMemory {
        /// The operating system's words.
        what: String,
    },
    /// No local address or port to connect from.
    #[error("this machine: no address or port is left to connect from ({what})")]
    NoPort {
        /// The operating system's words.
        what: String,
    },
    /// No route leads there, or the network is down.
    #[error("this machine: no network leads there ({what})")]
    NoNetwork {
        /// The operating system's words.
        what: String,
    },
    /// A firewall or a policy of this machine forbids the connection.
    #[error("this machine forbids the connection ({what})")]
    Forbidden {
        /// The operating system's words.
        what: String,
    },
}

/// Why a TLS connection was not trusted or not agreed on.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TlsFault {
    /// The certificate has expired.
    #[error("certificate expired {days} days ago ({not_after})")]
    Expired {
        /// Whole days since.
        days: i64,
        /// The last valid moment, RFC 3339.
        not_after: String,
    },
    /// The certificate is not valid yet.
    #[error("certificate not valid before {not_before}")]
    NotYetValid {
        /// The first valid moment, RFC 3339.
        not_before: String,
    },
    /// No trusted authority signed the certificate.
    #[error("certificate signed by an unknown authority")]
    UnknownIssuer,
    /// The certificate names another host.
    #[error("certificate is not for {wanted} but for {names}")]
    WrongName {
        /// The name in the inventory's `url`.
        wanted: String,
        /// The names in the certificate.
        names: String,
    },
    /// The public key is not the pinned one.
    #[error("public key is not the pinned one but sha256//{got}")]
    PinMismatch {
        /// The base64 SHA-256 of the key that was presented.
        got: String,
    },
    /// The handshake is signed by another key than the certificate's.
    #[error("the server shows a certificate without holding its key")]
    WithoutKey,
    /// The port does not speak TLS.
    #[error("no TLS on this port")]
    NotTls,
    /// Anything else, in the TLS library's words.
    #[error("TLS: {what}")]
    Other {
        /// The TLS library's words.
        what: String,
    },
}

/// A fault of the broker, which relays check-ins and asks phones.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BrokerFault {
    /// It could not be reached.
    #[error("broker not reached: {what}")]
    Unreachable {
        /// Why, with the whole chain of causes.
        what: String,
    },
    /// It answered with another status than 200.
    #[error("broker answered {status}")]
    Status {
        /// The HTTP status.
        status: u16,
    },
    /// 401 for a phone's event, after a check-in as before one: the broker tolerates no clock ahead of
    /// its own (section 10, step 3).
    #[error("broker answered 401: the device's clock is ahead of the broker's")]
    ClockAhead,
    /// Its answer could not be read.
    #[error("broker's answer is unreadable: {what}")]
    Garbled {
        /// What was wrong with it.
        what: String,
    },
}

impl LinkFault {
    /// Whether it tells of this machine, or of what stands between, and nothing of the device: nobody is to
    /// be sent to power-cycle that for it.
    pub fn spares_device(&self) -> bool {
        matches!(
            self,
            Self::Local(_) | Self::NoAddress { .. } | Self::NoProxy { .. } | Self::Ssh { .. }
        )
    }

    /// A stable word for scripts (JSON `code`).
    pub(in crate::model) fn code(&self) -> &'static str {
        match self {
            Self::NoAddress { .. } => "no_address",
            Self::Refused { .. } => "connection_refused",
            Self::ConnectTimeout { .. } => "connect_timeout",
            Self::Local(local) => match local {
                LocalFault::NoDescriptor { .. } => "local_descriptors",
                LocalFault::NoMemory { .. } => "local_memory",
                LocalFault::NoPort { .. } => "local_ports",
                LocalFault::NoNetwork { .. } => "local_network",
                LocalFault::Forbidden { .. } => "local_forbidden",
            },
            Self::Proxy { .. } | Self::NoProxy { .. } => "proxy",
            Self::Ssh { .. } => "ssh",
            Self::Tls(tls) => match tls {
                TlsFault::Expired { .. } => "tls_expired",
                TlsFault::NotYetValid { .. } => "tls_not_yet_valid",
                TlsFault::UnknownIssuer => "tls_unknown_issuer",
                TlsFault::WrongName { .. } => "tls_wrong_name",
                TlsFault::PinMismatch { .. } => "tls_pin_mismatch",
                TlsFault::WithoutKey => "tls_without_key",
                TlsFault::NotTls => "tls_not_spoken",
                TlsFault::Other { .. } => "tls",
            },
            Self::Reset => "connection_reset",
            Self::ClosedWithoutAnswer => "closed_without_answer",
            Self::NoAnswer { .. } => "no_answer",
            Self::Stalled { .. } => "upload_stalled",
            Self::UploadTimeout { .. } => "upload_timeout",
            Self::Garbled { .. } => "garbled_answer",
            Self::Io { .. } => "io",
        }
    }
}
