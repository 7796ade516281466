//! The inventory's keys: the tables that have them, and what each value may be. Also how a table or a path is read. What
//! the values mean is in the files beside this one; `config::schema` tells the same to editors.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use crate::config::toml::key::{Key, Kind, Value, names};
use crate::config::toml::reader::{Field, KeySpan, Reader, Section, mismatch, text};
use crate::config::toml::single_values;
use crate::model::{AuditMode, KdfChoice, Notify, OnExpired, OnHangUp};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// How many devices may be worked on at once.
pub(in crate::config) const CONCURRENCY: RangeInclusive<i64> = 1..=1024;

/// The whole file.
pub(in crate::config) const ROOT: &[Key] = &[
    Key::new("fleet", Value::Table(FLEET)),
    Key::new("images", Value::Table(IMAGES)),
    Key::new("rollout", Value::Table(ROLLOUT)),
    Key::new("run", Value::Table(RUN)),
    Key::new("broker", Value::Table(BROKER)),
    Key::new("timeouts", Value::Table(TIMEOUTS)),
    Key::new("pace", Value::Table(PACE)),
    Key::new("retry", Value::Table(RETRY)),
    Key::new("tls", Value::Table(TLS)),
    Key::new("audit", Value::Table(AUDIT)),
    Key::new("approval", Value::Table(APPROVAL)),
    Key::new("screen", Value::Table(SCREEN)),
    Key::new("secrets", Value::Named(SOURCES)),
    Key::new("defaults", Value::Table(DEFAULTS)),
    Key::new("device", Value::Tables(DEVICE)),
];
pub(super) const FLEET: &[Key] = &[
    Key::text("firmware"),
    Key::text("app"),
    Key::new("concurrency", Value::Number(CONCURRENCY)),
];
pub(super) const IMAGES: &[Key] = &[Key::new("signers", TEXTS), Key::new("allow", TEXTS)];
/// An empty list would trust nothing at all.
const TEXTS: Value = Value::Texts {
    may_be_empty: false,
};
pub(super) const BROKER: &[Key] = &[Key::text("url"), Key::text("ca")];
pub(super) const ROLLOUT: &[Key] = &[Key::new("max_failures", Value::NumberOrText)];
pub(super) const RUN: &[Key] = &[Key::new(
    "on_hangup",
    Value::Choice(|| OnHangUp::ALL.map(OnHangUp::as_str).to_vec()),
)];
pub(super) const TIMEOUTS: &[Key] = &[
    Key::duration("connect", 10, 10 * MINUTE),
    Key::duration("request", 10, HOUR),
    Key::duration("upload", 100, 24 * HOUR),
    Key::duration("upload_stall", 10, HOUR),
    Key::duration("check", 10, 24 * HOUR),
    Key::duration("reboot", 10, 24 * HOUR),
];
pub(super) const PACE: &[Key] = &[
    Key::duration("gap", 1, MINUTE),
    Key::duration("check_poll", 1, 10 * MINUTE),
    Key::duration("reboot_poll", 1, 10 * MINUTE),
    Key::duration("reboot_settle", 1, 10 * MINUTE),
];
pub(super) const RETRY: &[Key] = &[
    Key::number("attempts", 1..=10),
    Key::duration("backoff", 1, 10 * MINUTE),
];
pub(super) const TLS: &[Key] = &[Key::new(
    "on_expired",
    Value::Choice(|| OnExpired::ALL.map(OnExpired::as_str).to_vec()),
)];
pub(super) const AUDIT: &[Key] = &[
    Key::new(
        "mode",
        Value::Choice(|| AuditMode::ALL.map(AuditMode::as_str).to_vec()),
    ),
    // Devices keep some 300.
    Key::number("files", 1..=100),
];
pub(super) const APPROVAL: &[Key] = &[
    Key::number("at_once", 1..=100),
    Key::duration("wait", 10, HOUR),
    Key::duration("poll", 1, MINUTE),
];
pub(super) const SCREEN: &[Key] = &[
    Key::new(
        "notify",
        Value::Choice(|| Notify::ALL.map(Notify::as_str).to_vec()),
    ),
    Key::new("mouse", Value::Flag),
];

/// What a device may say.
pub(super) const DEVICE: &[Key] = &[
    Key::text("name"),
    Key::text("url"),
    Key::text("connect"),
    Key::text("http_connect"),
    Key::text("proxy"),
    Key::text("ssh"),
    Key::text("group"),
    Key::new("tags", Value::Texts { may_be_empty: true }),
    Key::new("tls", Value::OneOf(TRUST)),
    Key::new(
        "auth",
        Value::ByKind {
            keys: AUTH,
            kinds: KINDS,
            word: "prompt",
        },
    ),
    Key::new("allow_plain_login", Value::Flag),
];
/// The same for all: everything but the name.
pub(super) const DEFAULTS: &[Key] = DEVICE.split_at(1).1;

/// The `tls` of a device: what makes its certificate trusted.
pub(super) const TRUST: &[Key] = &[
    Key::text("ca"),
    Key::text("pin"),
    Key::new("insecure", Value::True),
    Key::new("system", Value::True),
];

/// The `auth` of a device.
pub(super) const AUTH: &[Key] = &[
    Key::new(
        "kind",
        Value::Choice(|| KINDS.iter().map(|(kind, _)| *kind).collect()),
    ),
    Key::new("secret", Value::OneOf(SECRET)),
    Key::new("kdf", Value::Choice(|| KDFS.map(|(kdf, _)| kdf).to_vec())),
    Key::new("legacy", Value::FlagOr("auto")),
];

/// The kinds of login, each with the keys that it has beside `kind`.
pub(super) const KINDS: &[Kind] = &[
    ("passphrase", &["secret", "kdf"]),
    ("master_words", &["secret", "legacy"]),
    ("mobile", &[]),
    ("token", &["secret"]),
    ("prompt", &[]),
    ("none", &[]),
];

/// How a passphrase becomes the key.
pub(super) const KDFS: [(&str, KdfChoice); 3] = [
    ("auto", KdfChoice::Auto),
    ("pbkdf2", KdfChoice::Pbkdf2),
    ("argon2", KdfChoice::Argon2),
];

/// The `secret` of an `auth`: where it comes from, or the name of one that is shared.
pub(super) const SECRET: &[Key] = &[
    Key::text("env"),
    Key::text("file"),
    Key::new("command", TEXTS),
    Key::text("prompt"),
    Key::text("name"),
];
/// The same without the name.
pub(super) const SOURCES: &[Key] = SECRET.split_at(4).0;

/// Which tables know which keys, for "belongs in".
const HOMES: [(&str, &[Key]); 13] = [
    ("[fleet]", FLEET),
    ("[images]", IMAGES),
    ("[rollout]", ROLLOUT),
    ("[run]", RUN),
    ("[timeouts]", TIMEOUTS),
    ("[pace]", PACE),
    ("[retry]", RETRY),
    ("[tls]", TLS),
    ("[audit]", AUDIT),
    ("[approval]", APPROVAL),
    ("[screen]", SCREEN),
    ("[broker]", BROKER),
    ("[[device]]", DEVICE),
];

/// Which table a key belongs in that stands elsewhere.
pub(super) fn home_of(key: &str) -> Option<String> {
    HOMES
        .iter()
        .find(|(_, keys)| names(keys).any(|name| name == key))
        .map(|(home, _)| format!("`{key}` belongs in {home}"))
}

pub(super) fn as_table<'d>(
    reader: &mut Reader,
    value: &'d DeValue<'d>,
    spot: &KeySpan,
) -> Option<&'d DeTable<'d>> {
    let table = value.as_table();
    if table.is_none() {
        let hint = format!("write it as a table: [{}]", spot.key);
        reader.report(spot, mismatch("a table", value).hint(hint));
    }
    table
}

/// The table `key` of the file, its unknown keys reported.
pub(super) fn table<'d>(
    reader: &mut Reader,
    root: &Section<'d>,
    key: &'static str,
    known: &'static [Key],
) -> Option<Section<'d>> {
    let (value, spot) = root.get(key)?;
    let table = as_table(reader, value.get_ref(), &spot)?;
    Some(Section::open(reader, table, spot, known, |k| {
        match (key, k) {
            // [tls] is what is done about certificates; what makes one trusted differs by device.
            ("tls", "ca" | "pin" | "insecure" | "system") => Some(format!(
                "`{k}` belongs in tls = {{ … }} of a device or of [defaults]"
            )),
            _ => home_of(k),
        }
    }))
}

/// A path, seen from the folder of the inventory.
pub(super) fn path(reader: &mut Reader, section: &Section<'_>, key: &str) -> Field<PathBuf> {
    section
        .take(reader, key, |v| single_values::plain_text(text(v)?, "path"))
        .map(|p| reader.path(&p))
}
