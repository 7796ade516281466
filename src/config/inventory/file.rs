//! The inventory file as a whole: `[fleet]`, `[images]`, `[broker]`, and the other tables through the files beside
//! this one.

use std::collections::BTreeSet;
use std::path::PathBuf;

use toml::de::{DeTable, DeValue};

use super::address::{self, UrlPath};
use super::device::{DevicePart, read_device};
use super::keys::{BROKER, DEFAULTS, DEVICE, FLEET, IMAGES, ROOT, as_table, home_of, path, table};
use super::policy_tables::{self, PolicyPart, RolloutPart, RunPart, ScreenPart};
use super::secret_sources::SharedSecrets;
use crate::config::toml::reader::{Field, KeySpan, Reader, Section, mismatch, text};
use crate::config::toml::single_values::{self, ValueError, ValueResult};
use crate::model::{Fwk, HostPort, Scheme, SecretSource};

/// The whole file.
#[derive(Debug, Default)]
pub(in crate::config) struct File {
    pub(in crate::config) firmware: Field<PathBuf>,
    pub(in crate::config) app: Field<PathBuf>,
    pub(in crate::config) concurrency: Field<i64>,
    pub(in crate::config) signers: Field<Vec<Fwk>>,
    pub(in crate::config) allow: Field<Vec<[u8; 32]>>,
    pub(in crate::config) broker_url: Field<(Scheme, HostPort, String)>,
    pub(in crate::config) broker_ca: Field<PathBuf>,
    pub(in crate::config) rollout: RolloutPart,
    pub(in crate::config) run: RunPart,
    pub(in crate::config) screen: ScreenPart,
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
    let root = Section::open(reader, root, KeySpan::default(), ROOT, |key| match key {
        "devices" => Some("each device is a table of its own: [[device]]".to_owned()),
        _ => home_of(key),
    });
    if let Some(s) = table(reader, &root, "fleet", FLEET) {
        file.firmware = path(reader, &s, "firmware");
        file.app = path(reader, &s, "app");
        file.concurrency = s.number(reader, "concurrency");
    }
    if let Some(s) = table(reader, &root, "images", IMAGES) {
        file.signers = list(reader, &s, "signers", single_values::signer);
        file.allow = list(reader, &s, "allow", single_values::file_hash);
    }
    if let Some(s) = table(reader, &root, "broker", BROKER) {
        file.broker_url = s.take(reader, "url", |v| broker_url(text(v)?));
        file.broker_ca = path(reader, &s, "ca");
    }
    file.rollout = policy_tables::read_rollout(reader, &root);
    file.run = policy_tables::read_run(reader, &root);
    file.screen = policy_tables::read_screen(reader, &root);
    file.policy = policy_tables::read(reader, &root);
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

/// A list of texts, each judged by itself and reported where it stands. An empty one is a slip: it
/// would trust nothing at all.
fn list<T>(
    reader: &mut Reader,
    section: &Section<'_>,
    key: &str,
    read: impl Fn(&str) -> ValueResult<T>,
) -> Field<Vec<T>> {
    let Some((value, spot)) = section.get(key) else {
        return Field::Absent;
    };
    let DeValue::Array(items) = value.get_ref() else {
        let error = mismatch("a list of strings", value.get_ref());
        reader.report(&spot, error.hint("write it in brackets: [\"…\"]"));
        return Field::Invalid;
    };
    if items.is_empty() {
        let error = ValueError::new("an empty list, which trusts nothing");
        reader.report(&spot, error.hint("remove the key to trust everything"));
        return Field::Invalid;
    }
    let mut all = Vec::new();
    for (n, item) in items.iter().enumerate() {
        match text(item.get_ref()).and_then(&read) {
            Ok(one) => all.push(one),
            Err(error) => reader.report(&spot.item(n, item.span()), error),
        }
    }
    if all.len() < items.len() {
        return Field::Invalid;
    }
    Field::Valid(all, spot)
}

fn broker_url(text: &str) -> ValueResult<(Scheme, HostPort, String)> {
    let (scheme, at, url) = address::http_url(text, UrlPath::Kept)?;
    if scheme == Scheme::Http && !address::is_loopback(&at.host) {
        return Err(ValueError::new("a broker without https")
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
                    let error = mismatch("a table", item.get_ref());
                    reader.report(
                        &spot,
                        error.hint("each device is a table of its own: [[device]]"),
                    );
                }
                Some(read_device(reader, table?, spot, DEVICE, shared))
            })
            .collect(),
        DeValue::Table(table) => {
            let error = ValueError::new("one table where a list of devices is wanted");
            reader.report(&spot, error.hint("write [[device]] with double brackets"));
            vec![read_device(reader, table, spot, DEVICE, shared)]
        }
        other => {
            let error = mismatch("a list of devices", other);
            reader.report(
                &spot,
                error.hint("each device is a table of its own: [[device]]"),
            );
            Vec::new()
        }
    }
}
