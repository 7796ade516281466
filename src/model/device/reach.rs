//! Where a device is reached, in one spelling. It tells one device from another for the inventory's check and for the
//! locks of runs.
//!
//! Names are not resolved: two names of one host count as two hosts, also behind the user's own ssh settings.

use std::fmt::{self, Write as _};
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::model::{DeviceSpec, HostPort, Scheme, SshJump};

/// The one spelling of the way to a device: host and port, and the proxy or jump host that is on the way.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(String);

impl Reach {
    /// The way to `spec`.
    pub fn of(spec: &DeviceSpec) -> Self {
        let at = spec.target();
        let host = host(&at.host);
        let port = port(spec, &at, &host);
        let mut way = HostPort { host, port }.to_string();
        if let Some(proxy) = &spec.proxy {
            // One port speaks to one proxy, whichever of its languages is used.
            let at = HostPort {
                host: self::host(&proxy.at.host),
                port: proxy.at.port,
            };
            let _ = write!(way, " by proxy {at}");
        }
        if let Some(jump) = &spec.ssh {
            let _ = write!(way, " by ssh {}", jump_host(jump));
        }
        Self(way)
    }

    /// The spelling.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A device listens on 80 and 443 alike (section 2), so that the two are one. They may be two where
/// `connect` names ports of this very machine: those are forwarded to anywhere.
fn port(spec: &DeviceSpec, at: &HostPort, host: &str) -> u16 {
    let own = spec.endpoint.connect.is_none();
    let plain = spec.endpoint.scheme == Scheme::Http && host != LOOPBACK;
    match at.port {
        80 if own || plain => 443,
        port => port,
    }
}

/// What all names and addresses of this machine are called.
const LOOPBACK: &str = "127.0.0.1";

/// One spelling of a host: lower case, no dots at the end, addresses in their short form.
fn host(text: &str) -> String {
    let name = text.trim_end_matches('.').to_lowercase();
    match name.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        // An unspecified address connects to this machine too.
        Ok(ip) if ip.is_unspecified() => LOOPBACK.to_owned(),
        Ok(IpAddr::V6(ip)) if ip.is_loopback() => LOOPBACK.to_owned(),
        Ok(ip) => ip.to_string(),
        // Names below `localhost` are this machine by RFC 6761; nobody has to be asked for that.
        Err(_) if name == "localhost" || name.ends_with(".localhost") => LOOPBACK.to_owned(),
        Err(_) => name,
    }
}

/// The machine that ssh goes to, whoever logs in there.
fn jump_host(jump: &SshJump) -> String {
    let text = jump.as_str();
    let (place, is_url) = match text.strip_prefix("ssh://") {
        Some(place) => (place, true),
        None => (text, false),
    };
    let at = place.rsplit_once('@').map_or(place, |(_, host)| host);
    let at = at.trim_end_matches('/');
    let bare = |host: &str| {
        let inner = host.strip_prefix('[').and_then(|h| h.strip_suffix(']'));
        self::host(inner.unwrap_or(host))
    };
    // Only a URL has a port; elsewhere a colon is part of an IPv6 address.
    match at.rsplit_once(':').filter(|_| is_url) {
        Some((host, "22")) => bare(host),
        Some((host, port)) if !port.contains(']') => format!("{}:{port}", bare(host)),
        _ => bare(at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Proxy, ProxyKind};

    fn at(text: &str) -> HostPort {
        let (host, port) = text.rsplit_once(' ').unwrap();
        HostPort {
            host: host.to_owned(),
            port: port.parse().unwrap(),
        }
    }

    fn spec(scheme: Scheme, url: &str, connect: Option<&str>) -> DeviceSpec {
        let url = at(url);
        let mut spec = DeviceSpec::plain("a", &url.host, url.port);
        (spec.endpoint.scheme, spec.endpoint.connect) = (scheme, connect.map(at));
        spec
    }

    fn direct(url: &str) -> String {
        Reach::of(&spec(Scheme::Https, url, None)).to_string()
    }

    fn jumped(jump: &str) -> String {
        let mut spec = spec(Scheme::Https, "my.ence.do 443", None);
        spec.ssh = Some(SshJump::parse(jump).unwrap());
        Reach::of(&spec).to_string()
    }

    fn proxied(kind: ProxyKind, proxy: &str) -> String {
        let mut spec = spec(Scheme::Https, "my.ence.do 443", None);
        spec.proxy = Some(Proxy {
            kind,
            at: at(proxy),
        });
        Reach::of(&spec).to_string()
    }

    #[test]
    fn one_place_has_one_spelling() {
        for here in [
            "127.0.0.1 8443",
            "localhost 8443",
            "LocalHost. 8443",
            "a.localhost 8443",
            "::1 8443",
            "0:0:0:0:0:0:0:1 8443",
            "::ffff:127.0.0.1 8443",
            "0.0.0.0 8443",
        ] {
            assert_eq!(direct(here), "127.0.0.1:8443", "{here}");
        }
        assert_eq!(direct("Vault.Example.. 443"), "vault.example:443");
        assert_eq!(direct("FE80:0::A 443"), "[fe80::a]:443");
        assert_eq!(direct("127.0.0.2 443"), "127.0.0.2:443");
        assert_eq!(direct("localhost.example 443"), "localhost.example:443");
    }

    #[test]
    fn both_ports_of_a_device_are_one_unless_they_are_forwarded_here() {
        let http = |url, connect| Reach::of(&spec(Scheme::Http, url, connect)).to_string();
        assert_eq!(http("h 80", None), "h:443");
        assert_eq!(http("my.ence.do 80", Some("h 80")), "h:443");
        assert_eq!(http("my.ence.do 80", Some("localhost 80")), "127.0.0.1:80");
        assert_eq!(http("h 8080", None), "h:8080");
        let https = spec(Scheme::Https, "my.ence.do 443", Some("h 80"));
        assert_eq!(Reach::of(&https).as_str(), "h:80");
    }

    #[test]
    fn a_jump_host_is_the_machine_and_not_who_logs_in_there() {
        for same in ["host7", "root@HOST7", "ssh://a@b@host7.:22/", "ssh://host7"] {
            assert_eq!(jumped(same), "192.168.7.1:443 by ssh host7", "{same}");
        }
        assert!(jumped("ssh://host7:2222").ends_with("by ssh host7:2222"));
        for here in ["localhost", "ssh://[::1]:22", "x@127.0.0.1", "[::1]"] {
            assert!(jumped(here).ends_with("by ssh 127.0.0.1"), "{here}");
        }
        assert!(jumped("ssh://[fe80::1]:23").ends_with("by ssh fe80::1:23"));
    }

    #[test]
    fn a_proxy_is_part_of_the_way_in_whatever_language() {
        let one = proxied(ProxyKind::Socks5, "Jump. 1080");
        assert_eq!(one, "my.ence.do:443 by proxy jump:1080");
        assert_eq!(one, proxied(ProxyKind::Http, "jump 1080"));
        assert_ne!(one, proxied(ProxyKind::Http, "jump 3128"));
        assert_ne!(one, direct("my.ence.do 443"));
    }
}
