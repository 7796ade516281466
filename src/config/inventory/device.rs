//! One `[[device]]`, or `[defaults]`, as typed. `config::resolve` combines the two.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::address::{self, UrlPath};
use super::auth::{AuthPart, read_auth};
use super::keys::{TRUST, home_of, path};
use super::secret_sources::SharedSecrets;
use crate::config::toml::key::{Key, names};
use crate::config::toml::reader::{Field, KeySpan, Reader, Section, flag, mismatch, text};
use crate::config::toml::single_values::{self, ValueError};
use crate::model::{HostPort, Proxy, Scheme, SpkiPin, SshJump};

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
    pub(in crate::config) spot: KeySpan,
    pub(in crate::config) name: Field<String>,
    pub(in crate::config) url: Field<(Scheme, HostPort)>,
    pub(in crate::config) connect: Field<HostPort>,
    pub(in crate::config) http_connect: Field<HostPort>,
    pub(in crate::config) proxy: Field<Option<Proxy>>,
    pub(in crate::config) ssh: Field<Option<SshJump>>,
    pub(in crate::config) group: Field<String>,
    pub(in crate::config) tags: Field<Vec<String>>,
    pub(in crate::config) tls: Field<TlsPart>,
    pub(in crate::config) auth: Field<AuthPart>,
    pub(in crate::config) allow_plain_login: Field<bool>,
}

/// Reads one of them; `known` is [`DEVICE`](super::keys::DEVICE) or [`DEFAULTS`](super::keys::DEFAULTS).
pub(super) fn read_device(
    reader: &mut Reader,
    table: &DeTable<'_>,
    mut spot: KeySpan,
    known: &'static [Key],
    shared: &mut SharedSecrets,
) -> DevicePart {
    let has_name = names(known).any(|key| key == "name");
    // The name comes first, so that every other fault of the device can say it.
    if has_name {
        spot.device = table
            .iter()
            .find(|(k, _)| k.get_ref().as_ref() == "name")
            .and_then(|(_, v)| v.get_ref().as_str())
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
    }
    let s = Section::open(reader, table, spot.clone(), known, elsewhere);
    let word = |v| single_values::word(text(v)?);
    DevicePart {
        name: if has_name {
            s.take(reader, "name", word)
        } else {
            Field::Absent
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

fn read_tags(reader: &mut Reader, device: &Section<'_>) -> Field<Vec<String>> {
    let Some((value, spot)) = device.get("tags") else {
        return Field::Absent;
    };
    let Some(items) = value.get_ref().as_array() else {
        reader.report(
            &spot,
            mismatch("a list of words", value.get_ref()).hint("write tags = [\"usb\", \"lab\"]"),
        );
        return Field::Invalid;
    };
    let mut tags = Vec::new();
    let mut bad = false;
    for (i, item) in items.iter().enumerate() {
        match text(item.get_ref()).and_then(single_values::word) {
            Ok(tag) => tags.push(tag),
            Err(error) => {
                bad = true;
                reader.report(&spot.item(i, item.span()), error);
            }
        }
    }
    if bad {
        Field::Invalid
    } else {
        Field::Valid(tags, spot)
    }
}

fn read_tls(reader: &mut Reader, device: &Section<'_>) -> Field<TlsPart> {
    const HINT: &str = "write one of tls = { ca = \"site-ca.pem\" }, { pin = \"sha256//…\" }, { system = true } or { insecure = true }";
    let Some((value, spot)) = device.get("tls") else {
        return Field::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        reader.report(&spot, mismatch("a table", value.get_ref()).hint(HINT));
        return Field::Invalid;
    };
    let s = Section::open(reader, table, spot.clone(), TRUST, home_of);
    let only_true = |v: &DeValue<'_>| {
        if flag(v)? {
            Ok(())
        } else {
            Err(ValueError::new("`false` says nothing here")
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
        (Some(Field::Valid(way, _)), None) => Field::Valid(way, spot),
        (Some(_), Some(_)) => {
            let error = ValueError::new("more than one way to trust a certificate");
            reader.report(
                &spot,
                error.hint("keep one of ca, pin, system and insecure"),
            );
            Field::Invalid
        }
        (Some(_), None) => Field::Invalid,
        (None, _) => {
            if table.is_empty() {
                reader.missing(&spot, ValueError::new("an empty table").hint(HINT));
            }
            Field::Invalid
        }
    }
}
