//! Addresses of devices, proxies, jump hosts and brokers, and pins of keys: text → checked value. Nothing is looked up,
//! and an error never repeats a text that may hold a password.

use std::net::{Ipv4Addr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::diagnostic::quoted;
use crate::config::toml::single_values::{ValueError, ValueResult, is_unprintable};
use crate::model::{HostPort, Proxy, ProxyKind, Scheme, SpkiPin, SshJump, printable};

/// What the parts of a URL may be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum UrlPath {
    /// Scheme, host and port only.
    Refused,
    /// A path is kept: the base URL of a relay.
    Kept,
}

/// An `http` or `https` URL without credentials, query and fragment.
pub(super) fn http_url(text: &str, path: UrlPath) -> ValueResult<(Scheme, HostPort, String)> {
    let example = "write it as \"https://my.ence.do\"";
    if text.is_empty() {
        return Err(ValueError::new("empty URL").hint(example));
    }
    if is_unprintable(text) || text.contains(char::is_whitespace) || text.contains('\\') {
        return Err(
            ValueError::new("blanks, backslashes or control characters in a URL").hint(example),
        );
    }
    if text.contains('@') {
        return Err(ValueError::new("a user name or password in a URL").hint(
            "remove everything up to the `@`; how to log in is said by `auth`, with the secret in { env = … } or { file = … }",
        ));
    }
    no_query(text, "a URL")?;
    let Some((_, rest)) = text.split_once("://") else {
        let error = ValueError::new("a URL without a scheme");
        return Err(error.hint(format!("write it as \"https://{}\"", printable(text, 80))));
    };
    // The URL standard quietly repairs `https:///host`; here it is a mistake to be shown.
    if rest.is_empty() || rest.starts_with(['/', ':']) {
        return Err(ValueError::new("a URL without a host").hint(example));
    }
    let url = url::Url::parse(text)
        .map_err(|e| ValueError::new(format!("not a URL: {e}")).hint(example))?;
    let scheme = match url.scheme() {
        "https" => Scheme::Https,
        "http" => Scheme::Http,
        other => {
            return Err(ValueError::new(format!(
                "{} is no scheme for a device or a relay",
                quoted(other)
            ))
            .hint("write https:// (or http:// as a last resort)"));
        }
    };
    let host = match url.host() {
        Some(url::Host::Domain(d)) => d.to_owned(),
        Some(url::Host::Ipv4(a)) => canonical_v4(a, rest)?,
        Some(url::Host::Ipv6(a)) => a.to_string(),
        None => return Err(ValueError::new("a URL without a host").hint(example)),
    };
    let port = url.port_or_known_default().unwrap_or(scheme.default_port());
    if port == 0 {
        return Err(ValueError::new("port 0 in a URL").hint("ports are 1 to 65535"));
    }
    if path == UrlPath::Refused && url.path() != "/" {
        return Err(ValueError::new("a device's URL with a path")
            .hint("end it after host and port; the paths of the device are known"));
    }
    let text = url.as_str().trim_end_matches('/').to_owned();
    Ok((scheme, HostPort { host, port }, text))
}

/// Refuses a query or a fragment before anything of the text is repeated: it may hold a secret.
fn no_query(text: &str, what: &str) -> ValueResult<()> {
    if text.contains(['?', '#']) {
        return Err(
            ValueError::new(format!("{what} with a query or a fragment"))
                .hint("end it before the `?` or `#`"),
        );
    }
    Ok(())
}

/// Refuses the short and hexadecimal spellings that URLs allow (`https://1` is `0.0.0.1`).
fn canonical_v4(address: Ipv4Addr, rest: &str) -> ValueResult<String> {
    let canonical = address.to_string();
    let written = rest.split(['/', ':']).next().unwrap_or_default();
    if written == canonical {
        Ok(canonical)
    } else {
        Err(ValueError::new(format!(
            "{} would be read as the address {canonical}",
            quoted(written)
        ))
        .hint(format!("write {canonical} if you mean it")))
    }
}

/// `host:port` or `[address]:port`.
pub(super) fn host_port(text: &str, default_port: u16) -> ValueResult<HostPort> {
    if text.contains('@') {
        return Err(
            ValueError::new("a user name or password before a host").hint(format!(
                "write host and port only, as in \"127.0.0.1:{default_port}\""
            )),
        );
    }
    no_query(text, "host and port")?;
    if text.contains("://") {
        return Err(
            ValueError::new("a URL where host and port are wanted").hint(format!(
                "write it without scheme, as in \"127.0.0.1:{default_port}\""
            )),
        );
    }
    if text.parse::<Ipv6Addr>().is_ok() {
        return Err(ValueError::new("an IPv6 address without brackets and port")
            .hint(format!("write \"[{text}]:{default_port}\"")));
    }
    let shape = |m: &str| {
        ValueError::new(m).hint(format!(
            "write host and port, as in \"127.0.0.1:{default_port}\" or \"[::1]:{default_port}\""
        ))
    };
    let Some((host, port)) = text.rsplit_once(':').filter(|(_, p)| !p.contains(']')) else {
        return Err(if text.is_empty() {
            shape("empty text where host and port are wanted")
        } else {
            shape("a host without a port")
        });
    };
    let port = match port.parse::<u16>() {
        Ok(p) if p > 0 && port.bytes().all(|b| b.is_ascii_digit()) => p,
        _ => {
            return Err(ValueError::new(format!("{} is no port", quoted(port)))
                .hint("ports are 1 to 65535"));
        }
    };
    if let Some(inner) = host.strip_prefix('[') {
        return match inner
            .strip_suffix(']')
            .and_then(|a| a.parse::<Ipv6Addr>().ok())
        {
            Some(address) => Ok(HostPort {
                host: address.to_string(),
                port,
            }),
            None => Err(shape("brackets around something that is no IPv6 address")),
        };
    }
    if host.is_empty() {
        return Err(shape("a port without a host"));
    }
    match url::Host::parse(host) {
        Ok(url::Host::Domain(d))
            if !is_unprintable(host) && !host.contains(char::is_whitespace) =>
        {
            Ok(HostPort { host: d, port })
        }
        Ok(url::Host::Ipv4(a)) => Ok(HostPort {
            host: canonical_v4(a, host)?,
            port,
        }),
        _ => Err(shape(&format!(
            "{} is no host name or address",
            quoted(host)
        ))),
    }
}

/// `socks5h://`, `socks5://` or `http://` with host and port; `direct` says that there is none.
pub(in crate::config) fn proxy(text: &str) -> ValueResult<Option<Proxy>> {
    let example = "write it as \"socks5h://jump-7:1080\" or \"http://jump-7:3128\"";
    if text == "direct" {
        return Ok(None);
    }
    if text.contains('@') {
        return Err(ValueError::new("a user name or password in a proxy's URL").hint(
            "proxies that want a login are not supported: remove everything up to the `@`, or let ssh or a local proxy log in",
        ));
    }
    no_query(text, "a proxy")?;
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(ValueError::new("a proxy without a scheme").hint(example));
    };
    let (kind, port) = match scheme.to_ascii_lowercase().as_str() {
        "socks5h" | "socks5" => (ProxyKind::Socks5, 1080),
        "http" => (ProxyKind::Http, 3128),
        other => {
            return Err(
                ValueError::new(format!("{} is no kind of proxy", quoted(other)))
                    .hint("socks5h://, socks5:// and http:// are known"),
            );
        }
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains('/') {
        return Err(ValueError::new("a proxy with a path").hint(example));
    }
    let at = host_port(rest, port)
        .map_err(|c| ValueError::new(format!("in a proxy's URL: {}", c.message)).hint(example))?;
    Ok(Some(Proxy { kind, at }))
}

/// What `ssh` takes as its destination; `direct` says that there is none.
pub(in crate::config) fn ssh(text: &str) -> ValueResult<Option<SshJump>> {
    const HINT: &str =
        "write it as for ssh itself: \"host7\", \"admin@host7\" or \"ssh://admin@host7:2222\"";
    if text == "direct" {
        return Ok(None);
    }
    if ssh_user(text).is_some_and(|user| user.contains(':')) {
        return Err(ValueError::new("a password before a jump host")
            .hint("ssh takes none: it asks for it, or has a key in its agent"));
    }
    SshJump::parse(text)
        .map(Some)
        .map_err(|e| ValueError::new(format!("not a destination of ssh: {e}")).hint(HINT))
}

/// What stands before the `@` of a destination of ssh.
pub(super) fn ssh_user(text: &str) -> Option<&str> {
    let place = text.strip_prefix("ssh://").unwrap_or(text);
    place.rsplit_once('@').map(|(user, _)| user)
}

/// `sha256//BASE64`, as curl writes it.
pub(in crate::config) fn pin(text: &str) -> ValueResult<SpkiPin> {
    const HINT: &str = "the SHA-256 of the certificate's public key: sha256// and 44 characters of base64, as curl's --pinnedpubkey takes it";
    let Some(base64) = text.strip_prefix("sha256//") else {
        return Err(ValueError::new("a pin that does not begin with sha256//").hint(HINT));
    };
    let bytes = STANDARD
        .decode(base64)
        .map_err(|_| ValueError::new("a pin that is not base64").hint(HINT))?;
    let long = bytes.len();
    bytes
        .try_into()
        .map(SpkiPin)
        .map_err(|_| ValueError::new(format!("a pin of {long} bytes; a SHA-256 has 32")).hint(HINT))
}

/// Whether a host is this very machine, where plain HTTP reaches nobody else.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.parse::<Ipv4Addr>().is_ok_and(|a| a.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|a| a.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hp(host: &str, port: u16) -> HostPort {
        HostPort {
            host: host.to_owned(),
            port,
        }
    }

    #[test]
    fn a_query_is_refused_before_anything_is_repeated() {
        let said = |c: ValueError| format!("{} {}", c.message, c.hint.unwrap_or_default());
        for text in [
            "https://h/?hunter2",
            "https://h/#hunter2",
            "https://1?hunter2",
            "h?hunter2",
            "hunter2?x://h",
            "https://?hunter2",
        ] {
            let url = said(http_url(text, UrlPath::Kept).unwrap_err());
            let at = said(host_port(text, 443).unwrap_err());
            let proxy = said(proxy(text).unwrap_err());
            for said in [url, at, proxy] {
                assert!(said.contains("a query or a fragment"), "{text}: {said}");
                assert!(!said.contains("hunter2"), "{text}: {said}");
            }
        }
    }

    #[test]
    fn urls_of_devices() {
        for (text, scheme, at) in [
            ("https://my.ence.do", Scheme::Https, hp("my.ence.do", 443)),
            ("http://MY.ence.do/", Scheme::Http, hp("my.ence.do", 80)),
            ("https://[::1]:8443", Scheme::Https, hp("::1", 8443)),
            ("https://127.0.0.1:1", Scheme::Https, hp("127.0.0.1", 1)),
        ] {
            let (s, h, _) = http_url(text, UrlPath::Refused).unwrap();
            assert_eq!((s, h), (scheme, at), "{text}");
        }
        for (text, message) in [
            ("", "empty URL"),
            ("my.ence.do", "a URL without a scheme"),
            (
                "ftp://my.ence.do",
                "`ftp` is no scheme for a device or a relay",
            ),
            ("https://", "a URL without a host"),
            ("https:///my.ence.do", "a URL without a host"),
            ("https://:443", "a URL without a host"),
            (
                "https://a b",
                "blanks, backslashes or control characters in a URL",
            ),
            (
                "https://a\u{7}b",
                "blanks, backslashes or control characters in a URL",
            ),
            ("https://u:p@my.ence.do", "a user name or password in a URL"),
            ("https://my.ence.do/api", "a device's URL with a path"),
            ("https://my.ence.do?x", "a URL with a query or a fragment"),
            ("https://my.ence.do#x", "a URL with a query or a fragment"),
            ("https://my.ence.do:0", "port 0 in a URL"),
            ("https://my.ence.do:70000", "not a URL: invalid port number"),
            ("https://1", "`1` would be read as the address 0.0.0.1"),
            (
                "https://0x7f.1",
                "`0x7f.1` would be read as the address 127.0.0.1",
            ),
        ] {
            assert_eq!(
                http_url(text, UrlPath::Refused).unwrap_err().message,
                message,
                "{text}"
            );
        }
        let (_, _, base) = http_url("https://relay.example/hem/", UrlPath::Kept).unwrap();
        assert_eq!(base, "https://relay.example/hem");
    }

    #[test]
    fn hosts_and_ports() {
        assert_eq!(host_port("127.0.0.1:8443", 443), Ok(hp("127.0.0.1", 8443)));
        assert_eq!(host_port("[::1]:443", 443), Ok(hp("::1", 443)));
        assert_eq!(host_port("Jump_7:22", 443), Ok(hp("jump_7", 22)));
        for text in [
            "",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+1",
            ":443",
            "[::1]",
            "[x]:443",
            "::1",
            "https://h:1",
            "u@h:1",
            "a b:1",
            "1:80",
            "a/b:1",
            "[::1]:x",
            "a\u{1b}:1",
        ] {
            assert!(host_port(text, 443).is_err(), "{text}");
        }
    }

    #[test]
    fn proxies() {
        assert_eq!(
            proxy("socks5h://jump-7:1080").unwrap().unwrap(),
            Proxy {
                kind: ProxyKind::Socks5,
                at: hp("jump-7", 1080)
            }
        );
        assert_eq!(
            proxy("http://[::1]:3128/").unwrap().unwrap().kind,
            ProxyKind::Http
        );
        assert_eq!(proxy("direct"), Ok(None));
        for text in [
            "",
            "jump:1",
            "https://jump:1",
            "socks5h://jump",
            "http://u:p@h:1",
            "http://h:1/x",
        ] {
            let error = proxy(text).unwrap_err();
            assert!(error.hint.is_some(), "{text}");
            assert!(!error.message.contains("u:p"), "{text}");
        }
    }

    #[test]
    fn jump_hosts() {
        assert_eq!(ssh("direct"), Ok(None));
        let jump = ssh("ssh://admin@host7:2222").unwrap().unwrap();
        assert_eq!(jump.as_str(), "ssh://admin@host7:2222");
        for text in [
            "",
            "-oProxyCommand=x",
            "a b",
            "admin@",
            "admin:hunter2@host7",
        ] {
            let error = ssh(text).unwrap_err();
            assert!(error.hint.is_some(), "{text}");
            assert!(!error.message.contains("hunter2"), "{text}");
        }
    }

    #[test]
    fn pins() {
        let valid = format!("sha256//{}", STANDARD.encode([7; 32]));
        assert_eq!(pin(&valid), Ok(SpkiPin([7; 32])));
        for text in ["", "sha1//x", "sha256//", "sha256//???", "sha256//AAAA"] {
            assert!(pin(text).is_err(), "{text}");
        }
    }
}
