//! One `[[device]]`, or `[defaults]`, as typed: every key optional, every value checked by itself.
//! Must not: fill in defaults, or compare values with each other (that is `resolve`).

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::address::{self, UrlPath};
use super::auth::{AuthPart, read_auth};
use super::keys::{home_of, path};
use super::shared_secret::SharedSecrets;
use crate::config::toml::reader::{Given, Reader, Section, Spot, flag, mismatch, text};
use crate::config::toml::value::{self, Complaint};
use crate::model::{HostPort, Proxy, Scheme, SpkiPin, SshJump};

const TLS: &[&str] = &["ca", "pin", "insecure", "system"];

/// What makes a certificate trusted, before any file is read.
#[derive(Clone, Debug)]
pub(in crate::config) enum TlsPart {
    System,
    Ca(PathBuf),
    Pin(SpkiPin),
    Insecure,
}

/// One `[[device]]`, or `[defaults]`.
#[derive(Debug, Default)]
pub(in crate::config) struct DevicePart {
    /// Where the table begins.
    pub(in crate::config) spot: Spot,
    pub(in crate::config) name: Given<String>,
    pub(in crate::config) url: Given<(Scheme, HostPort)>,
    pub(in crate::config) connect: Given<HostPort>,
    pub(in crate::config) http_connect: Given<HostPort>,
    pub(in crate::config) proxy: Given<Option<Proxy>>,
    pub(in crate::config) ssh: Given<Option<SshJump>>,
    pub(in crate::config) group: Given<String>,
    pub(in crate::config) tags: Given<Vec<String>>,
    pub(in crate::config) tls: Given<TlsPart>,
    pub(in crate::config) auth: Given<AuthPart>,
    pub(in crate::config) allow_plain_login: Given<bool>,
}

/// Reads one of them; `known` is [`DEVICE`](super::keys::DEVICE) or [`DEFAULTS`](super::keys::DEFAULTS).
pub(super) fn read_device(
    reader: &mut Reader,
    table: &DeTable<'_>,
    mut spot: Spot,
    known: &[&str],
    shared: &mut SharedSecrets,
) -> DevicePart {
    // The name comes first, so that every other fault of the device can say it.
    if known.contains(&"name") {
        spot.device = table
            .iter()
            .find(|(k, _)| k.get_ref().as_ref() == "name")
            .and_then(|(_, v)| v.get_ref().as_str())
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
    }
    let s = Section::open(reader, table, spot.clone(), known, elsewhere);
    let word = |v| value::word(text(v)?);
    DevicePart {
        name: if known.contains(&"name") {
            s.take(reader, "name", word)
        } else {
            Given::Absent
        },
        url: s.take(reader, "url", |v| {
            address::http_url(text(v)?, UrlPath::Refused).map(|(scheme, at, _)| (scheme, at))
        }),
        connect: s.take(reader, "connect", |v| address::host_port(text(v)?, 443)),
        http_connect: s.take(reader, "http_connect", |v| address::host_port(text(v)?, 80)),
        proxy: s.take(reader, "proxy", |v| address::proxy(text(v)?)),
        ssh: s.take(reader, "ssh", |v| address::ssh(text(v)?)),
        group: s.take(reader, "group", word),
        tags: read_tags(reader, &s),
        tls: read_tls(reader, &s),
        auth: read_auth(reader, &s, shared),
        allow_plain_login: s.take(reader, "allow_plain_login", flag),
        spot,
    }
}

/// What to say of a key that no device has.
fn elsewhere(key: &str) -> Option<String> {
    match key {
        "name" => Some("each device has a name of its own, in its [[device]]".to_owned()),
        "secret" | "password" | "passphrase" | "token" => Some(
            "how to log in is said by auth = { kind = \"passphrase\", secret = { env = \"HEM_PASSPHRASE\" } }".to_owned(),
        ),
        "kind" | "kdf" | "legacy" => Some(format!("`{key}` belongs in auth = {{ … }}")),
        "ca" | "pin" | "insecure" => Some(format!("`{key}` belongs in tls = {{ … }}")),
        _ => home_of(key),
    }
}

fn read_tags(reader: &mut Reader, device: &Section<'_>) -> Given<Vec<String>> {
    let Some((value, spot)) = device.get("tags") else {
        return Given::Absent;
    };
    let Some(items) = value.get_ref().as_array() else {
        reader.complain(
            &spot,
            mismatch("a list of words", value.get_ref()).hint("write tags = [\"usb\", \"lab\"]"),
        );
        return Given::Bad;
    };
    let mut tags = Vec::new();
    let mut bad = false;
    for (i, item) in items.iter().enumerate() {
        match text(item.get_ref()).and_then(value::word) {
            Ok(tag) => tags.push(tag),
            Err(complaint) => {
                bad = true;
                reader.complain(&spot.item(i, item.span()), complaint);
            }
        }
    }
    if bad {
        Given::Bad
    } else {
        Given::Good(tags, spot)
    }
}

fn read_tls(reader: &mut Reader, device: &Section<'_>) -> Given<TlsPart> {
    const HINT: &str = "write one of tls = { ca = \"site-ca.pem\" }, { pin = \"sha256//…\" }, { system = true } or { insecure = true }";
    let Some((value, spot)) = device.get("tls") else {
        return Given::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        reader.complain(&spot, mismatch("a table", value.get_ref()).hint(HINT));
        return Given::Bad;
    };
    let s = Section::open(reader, table, spot.clone(), TLS, home_of);
    let only_true = |v: &DeValue<'_>| {
        if flag(v)? {
            Ok(())
        } else {
            Err(Complaint::new("`false` says nothing here")
                .hint("remove it, or say how the certificate is trusted instead"))
        }
    };
    let ways = [
        path(reader, &s, "ca").map(TlsPart::Ca),
        s.take(reader, "pin", |v| address::pin(text(v)?).map(TlsPart::Pin)),
        s.take(reader, "system", only_true)
            .map(|()| TlsPart::System),
        s.take(reader, "insecure", only_true)
            .map(|()| TlsPart::Insecure),
    ];
    let mut given = ways.into_iter().filter(|w| !w.is_absent());
    match (given.next(), given.next()) {
        (Some(Given::Good(way, _)), None) => Given::Good(way, spot),
        (Some(_), Some(_)) => {
            let complaint = Complaint::new("more than one way to trust a certificate");
            reader.complain(
                &spot,
                complaint.hint("keep one of ca, pin, system and insecure"),
            );
            Given::Bad
        }
        (Some(_), None) => Given::Bad,
        (None, _) => {
            if table.is_empty() {
                reader.missing(&spot, Complaint::new("an empty table").hint(HINT));
            }
            Given::Bad
        }
    }
}
