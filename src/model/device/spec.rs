//! How a device is reached and trusted, as plain values (inventory table `[[device]]`). The only secret here is in
//! [`Credential`].

use serde::{Deserialize, Serialize};
use std::fmt;

use crate::model::{DeviceId, LinkTrust, Secret, SecretSource, SshJump};

/// Where a PPA is for the machine that it is plugged into (section 1).
const PPA_ADDRESS: &str = "192.168.7.1";

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
    /// Where the device's plain HTTP is reached, for a check-in when its certificate has expired; where
    /// it is not said, port 80 of [`Endpoint::target`], but only if that stands at port 443.
    pub http_connect: Option<HostPort>,
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

/// How to log in, with where the secret comes from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum AuthMethod {
    /// No login: fresh devices.
    None,
    /// A bearer token obtained elsewhere.
    Token(SecretSource),
    /// A passphrase (section 6).
    Passphrase(SecretSource, KdfChoice),
    /// A passphrase that is typed when the device is reached: `auth = "prompt"`.
    Prompt,
    /// 24 BIP-39 words (section 6).
    MasterWords(SecretSource, WordsChoice),
    /// Approval on the owner's phone (section 10).
    Mobile,
}

/// How a passphrase becomes the key (section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum KdfChoice {
    /// PBKDF2; where the device does not accept that, once Argon2d.
    #[default]
    Auto,
    /// SDKs and Manager 2.
    Pbkdf2,
    /// Manager 1.
    Argon2,
}

/// How the master words become the key (section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum WordsChoice {
    /// As Manager 2 does; where the device does not accept that, once as Manager 1.
    #[default]
    Auto,
    /// Manager 2.
    Current,
    /// Manager 1: `legacy = true`.
    Legacy,
}

/// How the key that a device accepted was derived (section 6). No secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Derivation {
    /// A passphrase by PBKDF2.
    Pbkdf2,
    /// A passphrase by Argon2d.
    Argon2d,
    /// Master words as Manager 2 does.
    MasterWords,
    /// Master words as Manager 1 did.
    MasterWordsLegacy,
}

impl Derivation {
    /// The spelling on screen and in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pbkdf2 => "pbkdf2",
            Self::Argon2d => "argon2d",
            Self::MasterWords => "master_words",
            Self::MasterWordsLegacy => "master_words_legacy",
        }
    }
}

impl fmt::Display for Derivation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a token is good for (section 6); each has one.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// `system:upgrade`: a whole upgrade.
    Upgrade,
    /// `logger:get`: reading the audit log.
    Log,
}

impl Scope {
    /// As it stands in a token.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upgrade => "system:upgrade",
            Self::Log => "logger:get",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl AuthMethod {
    /// Where the secret comes from, if there is one.
    pub fn source(&self) -> Option<&SecretSource> {
        match self {
            Self::None | Self::Prompt | Self::Mobile => None,
            Self::Token(s) | Self::Passphrase(s, _) | Self::MasterWords(s, _) => Some(s),
        }
    }

    /// What kind of credential this is, without the secret.
    pub fn credentials(&self) -> Credentials {
        match self {
            Self::None => Credentials::None,
            Self::Token(_) => Credentials::Token,
            Self::Passphrase(..) | Self::MasterWords(..) => Credentials::Login,
            Self::Prompt => Credentials::Prompt,
            Self::Mobile => Credentials::Mobile,
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
    Passphrase(Secret, KdfChoice),
    /// A passphrase that is given when the device is reached.
    Prompt,
    /// 24 BIP-39 words, their checksum proven.
    MasterWords(Secret, WordsChoice),
    /// The owner's phone.
    Mobile,
}

/// What there is to enter a device with, without the secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credentials {
    /// Nothing.
    None,
    /// A token obtained elsewhere: no login, so the clock does not matter.
    Token,
    /// A secret to log in with.
    Login,
    /// A secret to log in with, to be asked for when the device is reached.
    Prompt,
    /// The owner's phone, which is asked for each scope (section 10).
    Mobile,
}

impl Credentials {
    /// Whether entering the device means a login, which needs its clock (section 5).
    pub fn needs_clock(self) -> bool {
        matches!(self, Self::Login | Self::Prompt | Self::Mobile)
    }
}

/// One device of the inventory, validated.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DeviceSpec {
    /// Its unique name.
    pub id: DeviceId,
    /// Where it is.
    pub endpoint: Endpoint,
    /// A proxy on the way; never together with `ssh`.
    pub proxy: Option<Proxy>,
    /// A jump host on the way.
    pub ssh: Option<SshJump>,
    /// A word to group by.
    pub group: Option<String>,
    /// Words to filter by.
    pub tags: Vec<String>,
    /// What makes its certificate trusted.
    pub tls: TlsTrust,
    /// How to log in.
    pub auth: AuthMethod,
    /// Whether a token may travel over `http://`, in clear.
    pub allow_plain_login: bool,
}

impl DeviceSpec {
    /// Where the connection goes: `connect`, else the URL's own host. Behind a jump host it is the
    /// address that every PPA gives itself (section 1), since the URL's name means nothing there.
    pub fn target(&self) -> HostPort {
        match (&self.ssh, &self.endpoint.connect) {
            (Some(_), None) => HostPort {
                host: PPA_ADDRESS.to_owned(),
                port: self.endpoint.authority.port,
            },
            _ => self.endpoint.target().clone(),
        }
    }

    /// How far the link to this device can be trusted.
    pub fn link(&self) -> LinkTrust {
        match (self.endpoint.scheme, &self.tls) {
            (Scheme::Http, _) => LinkTrust::Http,
            (Scheme::Https, TlsTrust::System) => LinkTrust::System,
            (Scheme::Https, TlsTrust::Ca(_)) => LinkTrust::Ca,
            (Scheme::Https, TlsTrust::Pin(_)) => LinkTrust::Pinned,
            (Scheme::Https, TlsTrust::Insecure) => LinkTrust::Insecure,
        }
    }
}

/// What tests of all rooms start from.
#[cfg(test)]
impl DeviceSpec {
    /// A device without a login, a proxy or a pin, at `url_host` and `port` over HTTPS.
    pub(crate) fn plain(name: &str, url_host: &str, port: u16) -> Self {
        Self {
            id: DeviceId::new(name),
            endpoint: Endpoint {
                scheme: Scheme::Https,
                authority: HostPort {
                    host: url_host.to_owned(),
                    port,
                },
                connect: None,
                http_connect: None,
            },
            proxy: None,
            ssh: None,
            group: None,
            tags: Vec::new(),
            tls: TlsTrust::System,
            auth: AuthMethod::None,
            allow_plain_login: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_jump_host_the_device_is_where_every_ppa_is() {
        let mut spec = DeviceSpec::plain("a", "my.ence.do", 80);
        assert_eq!(spec.target().to_string(), "my.ence.do:80");
        spec.ssh = Some(SshJump::parse("host7").unwrap());
        assert_eq!(spec.target().to_string(), "192.168.7.1:80");
        spec.endpoint.connect = Some(HostPort {
            host: "10.1.1.1".into(),
            port: 8443,
        });
        assert_eq!(spec.target().to_string(), "10.1.1.1:8443");
    }
}
