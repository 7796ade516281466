//! The names of the inventory's keys, the tables that have them, and how a table or a path is read. What the values
//! mean is in the files beside this one.

use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use crate::config::toml::reader::{Field, KeySpan, Reader, Section, mismatch, text};
use crate::config::toml::single_values;

pub(super) const ROOT: &[&str] = &[
    "fleet", "images", "rollout", "broker", "timeouts", "pace", "retry", "tls", "audit",
    "approval", "secrets", "defaults", "device",
];
pub(super) const FLEET: &[&str] = &["firmware", "app", "concurrency"];
pub(super) const IMAGES: &[&str] = &["signers", "allow"];
pub(super) const BROKER: &[&str] = &["url", "ca"];
pub(super) const ROLLOUT: &[&str] = &["max_failures"];
pub(super) const TIMEOUTS: &[&str] = &[
    "connect",
    "request",
    "upload",
    "upload_stall",
    "check",
    "reboot",
];
pub(super) const PACE: &[&str] = &["gap", "check_poll", "reboot_poll", "reboot_settle"];
pub(super) const RETRY: &[&str] = &["attempts", "backoff"];
pub(super) const TLS: &[&str] = &["on_expired"];
pub(super) const AUDIT: &[&str] = &["mode", "files"];
pub(super) const APPROVAL: &[&str] = &["at_once", "wait", "poll"];

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

/// Which tables know which keys, for "belongs in".
const HOMES: [(&str, &[&str]); 11] = [
    ("[fleet]", FLEET),
    ("[images]", IMAGES),
    ("[rollout]", ROLLOUT),
    ("[timeouts]", TIMEOUTS),
    ("[pace]", PACE),
    ("[retry]", RETRY),
    ("[tls]", TLS),
    ("[audit]", AUDIT),
    ("[approval]", APPROVAL),
    ("[broker]", BROKER),
    ("[[device]]", DEVICE),
];

/// Which table a key belongs in that stands elsewhere.
pub(super) fn home_of(key: &str) -> Option<String> {
    HOMES
        .iter()
        .find(|(_, keys)| keys.contains(&key))
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
    known: &[&str],
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
