//! One `[[device]]`, or `[defaults]`, as typed: every key optional, every value checked by itself.
//! Must not: fill in defaults, or compare values with each other (that is `resolve`).

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::address::{self, UrlPath};
use super::auth::{AuthPart, read_auth};
use super::file::{home_of, path};
use super::shared::SharedSecrets;
use super::value::{self, Complaint};
use super::walk::{Given, Section, Spot, Walk, flag, mismatch, text};
use crate::model::{HostPort, Proxy, Scheme, SpkiPin, SshJump};

/// What a device may say.
pub(super) const DEVICE: &[&str] = &[
    "name",
    "url",
    "connect",
    "http_connect",
    "proxy",
    "ssh",
    "group",
    "tags",
    "tls",
    "auth",
    "allow_plain_login",
];
/// The same for all: everything but the name.
pub(super) const DEFAULTS: &[&str] = DEVICE.split_at(1).1;
const TLS: &[&str] = &["ca", "pin", "insecure", "system"];

/// What makes a certificate trusted, before any file is read.
#[derive(Clone, Debug)]
pub(super) enum TlsPart {
    System,
    Ca(PathBuf),
    Pin(SpkiPin),
    Insecure,
}

/// One `[[device]]`, or `[defaults]`.
#[derive(Debug, Default)]
pub(super) struct DevicePart {
    /// Where the table begins.
    pub(super) spot: Spot,
    pub(super) name: Given<String>,
    pub(super) url: Given<(Scheme, HostPort)>,
    pub(super) connect: Given<HostPort>,
    pub(super) http_connect: Given<HostPort>,
    pub(super) proxy: Given<Option<Proxy>>,
    pub(super) ssh: Given<Option<SshJump>>,
    pub(super) group: Given<String>,
    pub(super) tags: Given<Vec<String>>,
    pub(super) tls: Given<TlsPart>,
    pub(super) auth: Given<AuthPart>,
    pub(super) allow_plain_login: Given<bool>,
}

/// Reads one of them; `known` is [`DEVICE`] or [`DEFAULTS`].
pub(super) fn read_device(
    walk: &mut Walk,
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
    let s = Section::open(walk, table, spot.clone(), known, elsewhere);
    let word = |v| value::word(text(v)?);
    DevicePart {
        name: if known.contains(&"name") {
            s.take(walk, "name", word)
        } else {
            Given::Absent
        },
        url: s.take(walk, "url", |v| {
            address::http_url(text(v)?, UrlPath::Refused).map(|(scheme, at, _)| (scheme, at))
        }),
        connect: s.take(walk, "connect", |v| address::host_port(text(v)?, 443)),
        http_connect: s.take(walk, "http_connect", |v| address::host_port(text(v)?, 80)),
        proxy: s.take(walk, "proxy", |v| address::proxy(text(v)?)),
        ssh: s.take(walk, "ssh", |v| address::ssh(text(v)?)),
        group: s.take(walk, "group", word),
        tags: read_tags(walk, &s),
        tls: read_tls(walk, &s),
        auth: read_auth(walk, &s, shared),
        allow_plain_login: s.take(walk, "allow_plain_login", flag),
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

fn read_tags(walk: &mut Walk, device: &Section<'_>) -> Given<Vec<String>> {
    let Some((value, spot)) = device.get("tags") else {
        return Given::Absent;
    };
    let Some(items) = value.get_ref().as_array() else {
        walk.complain(
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
                walk.complain(&spot.item(i, item.span()), complaint);
            }
        }
    }
    if bad {
        Given::Bad
    } else {
        Given::Good(tags, spot)
    }
}

fn read_tls(walk: &mut Walk, device: &Section<'_>) -> Given<TlsPart> {
    const HINT: &str = "write one of tls = { ca = \"site-ca.pem\" }, { pin = \"sha256//…\" }, { system = true } or { insecure = true }";
    let Some((value, spot)) = device.get("tls") else {
        return Given::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        walk.complain(&spot, mismatch("a table", value.get_ref()).hint(HINT));
        return Given::Bad;
    };
    let s = Section::open(walk, table, spot.clone(), TLS, home_of);
    let only_true = |v: &DeValue<'_>| {
        if flag(v)? {
            Ok(())
        } else {
            Err(Complaint::new("`false` says nothing here")
                .hint("remove it, or say how the certificate is trusted instead"))
        }
    };
    let ways = [
        path(walk, &s, "ca").map(TlsPart::Ca),
        s.take(walk, "pin", |v| address::pin(text(v)?).map(TlsPart::Pin)),
        s.take(walk, "system", only_true).map(|()| TlsPart::System),
        s.take(walk, "insecure", only_true)
            .map(|()| TlsPart::Insecure),
    ];
    let mut given = ways.into_iter().filter(|w| !w.is_absent());
    match (given.next(), given.next()) {
        (Some(Given::Good(way, _)), None) => Given::Good(way, spot),
        (Some(_), Some(_)) => {
            let complaint = Complaint::new("more than one way to trust a certificate");
            walk.complain(
                &spot,
                complaint.hint("keep one of ca, pin, system and insecure"),
            );
            Given::Bad
        }
        (Some(_), None) => Given::Bad,
        (None, _) => {
            if table.is_empty() {
                walk.missing(&spot, Complaint::new("an empty table").hint(HINT));
            }
            Given::Bad
        }
    }
}
