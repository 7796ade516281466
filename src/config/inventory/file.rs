//! The inventory file as typed: every key optional, every value checked by itself.
//! Must not: fill in defaults, compare values with each other, or look at other files (that is
//! `resolve`).

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::address::{self, UrlPath};
use super::device::{DevicePart, read_device};
use super::keys::{BROKER, DEFAULTS, DEVICE, FLEET, IMAGES, ROOT, as_table, home_of, path, table};
use super::policy::{self, PolicyPart, RolloutPart};
use super::shared_secret::SharedSecrets;
use crate::config::toml::reader::{Given, Reader, Section, Spot, mismatch, number, text};
use crate::config::toml::value::{self, Checked, Complaint};
use crate::model::{Fwk, HostPort, Scheme, SecretSource};

/// How many devices may be worked on at once.
pub(in crate::config) const CONCURRENCY: RangeInclusive<i64> = 1..=1024;

/// The whole file.
#[derive(Debug, Default)]
pub(in crate::config) struct File {
    pub(in crate::config) firmware: Given<PathBuf>,
    pub(in crate::config) app: Given<PathBuf>,
    pub(in crate::config) concurrency: Given<i64>,
    pub(in crate::config) signers: Given<Vec<Fwk>>,
    pub(in crate::config) allow: Given<Vec<[u8; 32]>>,
    pub(in crate::config) broker_url: Given<(Scheme, HostPort, String)>,
    pub(in crate::config) broker_ca: Given<PathBuf>,
    pub(in crate::config) rollout: RolloutPart,
    pub(in crate::config) policy: PolicyPart,
    /// The names of `[secrets]` that nobody uses.
    pub(in crate::config) unused_secrets: Vec<String>,
    /// The variables that secrets come from, whoever uses them.
    pub(in crate::config) secret_variables: BTreeSet<String>,
    pub(in crate::config) defaults: DevicePart,
    pub(in crate::config) devices: Vec<DevicePart>,
}

/// Reads the whole document.
pub(in crate::config) fn read(reader: &mut Reader, root: &DeTable<'_>) -> File {
    let mut file = File::default();
    let root = Section::open(reader, root, Spot::default(), ROOT, |key| match key {
        "devices" => Some("each device is a table of its own: [[device]]".to_owned()),
        _ => home_of(key),
    });
    if let Some(s) = table(reader, &root, "fleet", FLEET) {
        file.firmware = path(reader, &s, "firmware");
        file.app = path(reader, &s, "app");
        file.concurrency = s.take(reader, "concurrency", |v| {
            value::number_within(number(v)?, &CONCURRENCY)
        });
    }
    if let Some(s) = table(reader, &root, "images", IMAGES) {
        file.signers = list(reader, &s, "signers", value::signer);
        file.allow = list(reader, &s, "allow", value::file_hash);
    }
    if let Some(s) = table(reader, &root, "broker", BROKER) {
        file.broker_url = s.take(reader, "url", |v| broker_url(text(v)?));
        file.broker_ca = path(reader, &s, "ca");
    }
    file.rollout = policy::read_rollout(reader, &root);
    file.policy = policy::read(reader, &root);
    let mut shared = SharedSecrets::read(reader, &root);
    if let Some((v, spot)) = root.get("defaults")
        && let Some(t) = as_table(reader, v.get_ref(), &spot)
    {
        file.defaults = read_device(reader, t, spot, DEFAULTS, &mut shared);
    }
    file.devices = read_devices(reader, &root, &mut shared);
    file.unused_secrets = shared.unused();
    let parts = file.devices.iter().chain([&file.defaults]);
    let own = parts.filter_map(|part| part.auth.value()?.method.source());
    let variables = own
        .chain(shared.sources())
        .filter_map(|source| match source {
            SecretSource::Env(name) => Some(name.clone()),
            SecretSource::File(_) | SecretSource::Command(_) | SecretSource::Prompt(_) => None,
        });
    file.secret_variables = variables.collect();
    file
}

/// A list of texts, each judged by itself and complained of where it stands. An empty one is a slip: it
/// would trust nothing at all.
fn list<T>(
    reader: &mut Reader,
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&str) -> Checked<T>,
) -> Given<Vec<T>> {
    let Some((value, spot)) = section.get(key) else {
        return Given::Absent;
    };
    let DeValue::Array(items) = value.get_ref() else {
        let complaint = mismatch("a list of strings", value.get_ref());
        reader.complain(&spot, complaint.hint("write it in brackets: [\"…\"]"));
        return Given::Bad;
    };
    if items.is_empty() {
        let complaint = Complaint::new("an empty list, which trusts nothing");
        reader.complain(&spot, complaint.hint("remove the key to trust everything"));
        return Given::Bad;
    }
    let mut all = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match text(item.get_ref()).and_then(&read) {
            Ok(one) => all.push(one),
            Err(complaint) => reader.complain(&spot.item(n, item.span()), complaint),
        }
    }
    if all.len() < items.len() {
        return Given::Bad;
    }
    Given::Good(all, spot)
}

fn broker_url(text: &str) -> Checked<(Scheme, HostPort, String)> {
    let (scheme, at, url) = address::http_url(text, UrlPath::Kept)?;
    if scheme == Scheme::Http && !address::is_loopback(&at.host) {
        return Err(Complaint::new("a broker without https")
            .hint("write https://; its certificate is always verified, and plain http is for a relay on this very machine (127.0.0.1)"));
    }
    Ok((scheme, at, url))
}

fn read_devices(
    reader: &mut Reader,
    root: &Section<'_>,
    shared: &mut SharedSecrets,
) -> Vec<DevicePart> {
    let Some((value, spot)) = root.get("device") else {
        return Vec::new();
    };
    match value.get_ref() {
        DeValue::Array(items) => items
            .iter()
            .enumerate()
            .filter_map(|(i, item)| {
                let spot = spot.item(i, item.span());
                let table = item.get_ref().as_table();
                if table.is_none() {
                    let complaint = mismatch("a table", item.get_ref());
                    reader.complain(
                        &spot,
                        complaint.hint("each device is a table of its own: [[device]]"),
                    );
                }
                Some(read_device(reader, table?, spot, DEVICE, shared))
            })
            .collect(),
        DeValue::Table(table) => {
            let complaint = Complaint::new("one table where a list of devices is wanted");
            reader.complain(
                &spot,
                complaint.hint("write [[device]] with double brackets"),
            );
            vec![read_device(reader, table, spot, DEVICE, shared)]
        }
        other => {
            let complaint = mismatch("a list of devices", other);
            reader.complain(
                &spot,
                complaint.hint("each device is a table of its own: [[device]]"),
            );
            Vec::new()
        }
    }
}
