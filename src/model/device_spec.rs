//! How a device is reached and trusted, as plain values (inventory table `[[device]]`).
//! Must not: resolve names, read files or hold secrets, but for [`Credential`].

use std::fmt;

use super::{DeviceId, Secret, SecretSource};

/// `http` or `https`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scheme {
    /// Unencrypted: a last resort (section 2), shown as such.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// 80 or 443.
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

/// A host name or address and a port. IPv6 addresses stand without brackets.
#[derive(Clone, PartialEq, Eq, Debug, Hash)]
pub struct HostPort {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Where the device is: `url` names it, `connect` says where to go instead (curl `--connect-to`).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// `http` or `https`.
    pub scheme: Scheme,
    /// Host and port of `url`: TLS server name and `Host` header.
    pub authority: HostPort,
    /// Where to connect, if not there.
    pub connect: Option<HostPort>,
}

impl Endpoint {
    /// Where the connection goes: `connect`, else the URL's own host.
    pub fn target(&self) -> &HostPort {
        self.connect.as_ref().unwrap_or(&self.authority)
    }

    /// The `Host` header: the URL's host, with the port where it is not the scheme's own.
    pub fn host_header(&self) -> String {
        if self.authority.port == self.scheme.default_port() {
            let s = self.authority.to_string();
            s.rsplit_once(':').map_or(s.clone(), |(h, _)| h.to_owned())
        } else {
            self.authority.to_string()
        }
    }
}

/// A proxy on the way to a device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proxy {
    /// How it is spoken to.
    pub kind: ProxyKind,
    /// Where it listens.
    pub at: HostPort,
}

/// The kinds of proxies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProxyKind {
    /// `socks5h://`: SOCKS5, the proxy resolves names. (`socks5://` is treated the same: names of
    /// devices mean something only behind the proxy.)
    Socks5,
    /// `http://`: an HTTP proxy with `CONNECT`.
    Http,
}

/// The SHA-256 of a certificate's public key (SPKI), written `sha256//BASE64` as curl does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SpkiPin(pub [u8; 32]);

/// What makes a device's certificate trusted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TlsTrust {
    /// The system's own roots.
    System,
    /// Only the certificates of this PEM text (`ca = "file"`, read when the inventory is loaded).
    Ca(std::sync::Arc<str>),
    /// Only this public key; names and dates do not matter then.
    Pin(SpkiPin),
    /// Anything. Shown loudly wherever the device is shown.
    Insecure,
}

impl TlsTrust {
    /// One word for screen and JSON: `system`, `ca`, `pinned` or `insecure`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Ca(_) => "ca",
            Self::Pin(_) => "pinned",
            Self::Insecure => "insecure",
        }
    }
}

/// How to log in, with where the secret comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthMethod {
    /// No login: fresh devices.
    None,
    /// A bearer token obtained elsewhere.
    Token(SecretSource),
    /// A passphrase, derived with PBKDF2 (section 6).
    Passphrase(SecretSource),
}

impl AuthMethod {
    /// Where the secret comes from, if there is one.
    pub fn source(&self) -> Option<&SecretSource> {
        match self {
            Self::None => None,
            Self::Token(s) | Self::Passphrase(s) => Some(s),
        }
    }

    /// What kind of credential this is, without the secret.
    pub fn credentials(&self) -> Credentials {
        match self {
            Self::None => Credentials::None,
            Self::Token(_) => Credentials::Token,
            Self::Passphrase(_) => Credentials::Login,
        }
    }
}

/// How to log in, with the secret itself.
#[derive(Clone, Debug)]
pub enum Credential {
    /// No login.
    None,
    /// A bearer token.
    Token(Secret),
    /// A passphrase.
    Passphrase(Secret),
}

/// What there is to enter a device with, without the secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Credentials {
    /// Nothing.
    None,
    /// A token obtained elsewhere: no login, so the clock does not matter.
    Token,
    /// A secret to log in with.
    Login,
}

/// One device of the inventory, validated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceSpec {
    /// Its unique name.
    pub id: DeviceId,
    /// Where it is.
    pub endpoint: Endpoint,
    /// A proxy on the way.
    pub proxy: Option<Proxy>,
    /// A word to group by.
    pub group: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// What makes its certificate trusted.
    pub tls: TlsTrust,
    /// How to log in.
    pub auth: AuthMethod,
}

impl DeviceSpec {
    /// How much the link to this device is worth, in one word: `http`, `system`, `ca`, `pinned`
    /// or `insecure`.
    pub fn link(&self) -> &'static str {
        match self.endpoint.scheme {
            Scheme::Http => "http",
            Scheme::Https => self.tls.as_str(),
        }
    }
}
