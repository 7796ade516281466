//! The file as typed → plain settings: fills in defaults, compares values with each other, and checks the files that
//! the inventory names. Of a secret it checks only that it is there; `secrets::secret_store` reads it.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::ca_file;
use super::diagnostic::{Diagnostic, Place};
use super::duplicates;
use super::environment::{Env, unset};
use super::inventory::auth::AuthPart;
use super::inventory::device::{DevicePart, TlsPart};
use super::inventory::file::File;
use super::secrets::secret_reader;
use super::selection::Selection;
use super::toml::reader::{Field, KeySpan, Reader};
use super::toml::single_values::{self, ValueError};
use super::{BrokerSettings, DEFAULT_BROKER, DEFAULT_CONCURRENCY, Overrides, Settings};
use crate::model::{
    AuthMethod, DeviceId, DeviceSpec, Endpoint, ImageTrust, Reach, Scheme, SecretSource, TlsTrust,
};

/// Everything the file and the command line say, as plain values; complains of the rest.
pub(super) fn resolve(
    reader: &mut Reader,
    file: &File,
    overrides: &Overrides,
    env: &Env<'_>,
    path: &Path,
) -> Settings {
    let mut certificates = Certificates::default();
    file.policy.fits(reader);
    let broker = resolve_broker(reader, file, &mut certificates);
    if file.devices.is_empty() && reader.read_all() {
        reader.push(
            Diagnostic::new("the fleet is empty")
                .place(Place::File(path.to_path_buf()))
                .hint("add a [[device]] with name and url; `hemfleet config example` prints a documented one"),
        );
    }
    duplicates::names(reader, file);
    one_route(reader, &file.defaults, &file.defaults);
    let mut devices: Vec<(DeviceSpec, &DevicePart)> = Vec::new();
    for part in &file.devices {
        if let Some(spec) = resolve_device(reader, part, &file.defaults, &mut certificates) {
            devices.push((spec, part));
        }
    }
    // A bad `tls` of [defaults] is one fault, also where no device is left to use it.
    trust(reader, &file.defaults.tls, &mut certificates);
    duplicates::targets(reader, &devices, &file.defaults);
    let (selection, slips) = Selection::new(&overrides.only, &file.devices, &file.defaults);
    if reader.read_all() {
        for slip in slips {
            reader.push(slip);
        }
    }
    let unknown = unknown(overrides, &devices);
    // Also of a device that has other faults: all are to be seen at once.
    let selected = |part: &&DevicePart| {
        let name = part.name.value().map(String::as_str);
        selection.has(part, &file.defaults) && !name.is_some_and(|name| unknown.contains(name))
    };
    secrets_are_there(
        reader,
        &file.defaults,
        file.devices.iter().filter(selected),
        env,
    );
    devices.retain(|(_, part)| selected(part));
    let concurrency = overrides.concurrency.map_or_else(
        || {
            file.concurrency
                .value()
                .and_then(|n| usize::try_from(*n).ok())
        },
        Some,
    );
    Settings {
        firmware: overrides
            .firmware
            .clone()
            .or_else(|| file.firmware.value().cloned()),
        app: overrides.app.clone().or_else(|| file.app.value().cloned()),
        concurrency: concurrency.unwrap_or(DEFAULT_CONCURRENCY),
        images: ImageTrust {
            signers: file.signers.value().cloned(),
            allow: file.allow.value().cloned(),
        },
        broker,
        rollout: file.rollout.fill(),
        on_hang_up: file.run.fill(),
        screen: file.screen.fill(),
        policy: file.policy.fill(overrides),
        secret_variables: file.secret_variables.iter().cloned().collect(),
        devices: devices.into_iter().map(|(spec, _)| spec).collect(),
    }
}

/// The names of devices that are no part of the run that is gone on with.
fn unknown<'f>(
    overrides: &Overrides,
    devices: &[(DeviceSpec, &'f DevicePart)],
) -> HashSet<&'f str> {
    let Some(known) = &overrides.known else {
        return HashSet::new();
    };
    let names: HashSet<&DeviceId> = known.iter().map(|(id, _)| id).collect();
    let reaches: HashSet<&Reach> = known.iter().map(|(_, reach)| reach).collect();
    let is_unknown =
        |spec: &DeviceSpec| !names.contains(&spec.id) && !reaches.contains(&Reach::of(spec));
    let unknown = devices.iter().filter(|(spec, _)| is_unknown(spec));
    unknown
        .filter_map(|(_, part)| part.name.value().map(String::as_str))
        .collect()
}

fn resolve_broker(
    reader: &mut Reader,
    file: &File,
    certificates: &mut Certificates,
) -> BrokerSettings {
    let ca_pem = file
        .broker_ca
        .valid()
        .and_then(|(path, spot)| certificates.read(reader, path, spot));
    let given = file.broker_url.value();
    if let (Some((Scheme::Http, _, _)), Some((_, spot))) = (given, file.broker_ca.valid()) {
        let error = ValueError::new("a CA for a broker without https");
        reader.report(
            spot,
            error.hint("remove it, or write https:// in broker.url"),
        );
    }
    BrokerSettings {
        url: given.map_or_else(|| DEFAULT_BROKER.to_owned(), |(_, _, url)| url.clone()),
        ca_pem,
    }
}

fn resolve_device(
    reader: &mut Reader,
    part: &DevicePart,
    defaults: &DevicePart,
    certificates: &mut Certificates,
) -> Option<DeviceSpec> {
    if part.name.is_absent() {
        let error = ValueError::new("a device without a name");
        reader.missing(&part.spot, error.hint("add name = \"vault-01\""));
    }
    let url = part.url.or(&defaults.url);
    if url.is_absent() {
        let error = ValueError::new("a device without a url");
        reader.missing(
            &part.spot,
            error.hint("add url = \"https://my.ence.do\", here or once for all in [defaults]"),
        );
    }
    if !(part.ssh.is_absent() && part.proxy.is_absent()) {
        one_route(reader, part, defaults);
    }
    // The device's own way to trust it makes sense over TLS only; one from [defaults] is for the others.
    if let (Some(((Scheme::Http, _), _)), Some((_, spot))) = (url.valid(), part.tls.valid()) {
        let error = ValueError::new("tls for a device without https");
        reader.report(spot, error.hint("remove it, or write https:// in url"));
    }
    let tls = trust(reader, part.tls.or(&defaults.tls), certificates);
    let (scheme, authority) = url.value()?.clone();
    Some(DeviceSpec {
        id: DeviceId::new(part.name.value()?),
        endpoint: Endpoint {
            scheme,
            authority,
            connect: part.connect.or(&defaults.connect).value().cloned(),
            http_connect: part
                .http_connect
                .or(&defaults.http_connect)
                .value()
                .cloned(),
        },
        proxy: part.proxy.or(&defaults.proxy).value().cloned().flatten(),
        ssh: part.ssh.or(&defaults.ssh).value().cloned().flatten(),
        group: part.group.or(&defaults.group).value().cloned(),
        tags: part
            .tags
            .or(&defaults.tags)
            .value()
            .cloned()
            .unwrap_or_default(),
        tls,
        auth: auth_of(part, defaults).map_or(AuthMethod::None, |a| a.method.clone()),
        allow_plain_login: *part
            .allow_plain_login
            .or(&defaults.allow_plain_login)
            .value()
            .unwrap_or(&false),
    })
}

/// A proxy and a jump host do not go together; which of them would come first is not said anywhere.
fn one_route(reader: &mut Reader, part: &DevicePart, defaults: &DevicePart) {
    let proxy = part.proxy.or(&defaults.proxy);
    let ssh = part.ssh.or(&defaults.ssh);
    if let (Some((Some(_), proxy)), Some((Some(_), jump))) = (proxy.valid(), ssh.valid()) {
        // What the device says itself is where the slip is.
        let at = if part.ssh.is_absent() { proxy } else { jump };
        let error = ValueError::new("a device behind a proxy and behind ssh at once").hint(
            "keep one of them; proxy = \"direct\" or ssh = \"direct\" sets aside what [defaults] says",
        );
        reader.report(at, error);
    }
}

fn auth_of<'p>(part: &'p DevicePart, defaults: &'p DevicePart) -> Option<&'p AuthPart> {
    part.auth.or(&defaults.auth).value()
}

/// What makes a certificate trusted, with its CA file read.
fn trust(reader: &mut Reader, tls: &Field<TlsPart>, certificates: &mut Certificates) -> TlsTrust {
    match tls.valid() {
        None | Some((TlsPart::System, _)) => TlsTrust::System,
        Some((TlsPart::Pin(pin), _)) => TlsTrust::Pin(*pin),
        Some((TlsPart::Insecure, _)) => TlsTrust::Insecure,
        Some((TlsPart::Ca(path), spot)) => certificates
            .read(reader, path, spot)
            .map_or(TlsTrust::System, TlsTrust::Ca),
    }
}

/// The CA files of the inventory, each read (and reported) once.
#[derive(Default)]
struct Certificates(HashMap<PathBuf, Option<Arc<str>>>);

impl Certificates {
    fn read(&mut self, reader: &mut Reader, path: &Path, spot: &KeySpan) -> Option<Arc<str>> {
        self.0
            .entry(path.to_path_buf())
            .or_insert_with(|| {
                ca_file::certificates(path)
                    .map_err(|error| reader.report(spot, error))
                    .ok()
            })
            .clone()
    }
}

/// Variables and files that secrets come from, looked at once each, and only where a selected device
/// needs them.
fn secrets_are_there<'f>(
    reader: &mut Reader,
    defaults: &'f DevicePart,
    devices: impl Iterator<Item = &'f DevicePart>,
    env: &Env<'_>,
) {
    let mut seen: HashSet<&SecretSource> = HashSet::new();
    for part in devices {
        let Some(auth) = auth_of(part, defaults) else {
            continue;
        };
        let Some(source) = auth.method.source().filter(|s| seen.insert(s)) else {
            continue;
        };
        if let Err(error) = is_there(source, env) {
            reader.report(&auth.secret, error);
        }
    }
}

fn is_there(source: &SecretSource, env: &Env<'_>) -> single_values::ValueResult<()> {
    match source {
        SecretSource::Env(name) => {
            // The value is dropped again, and wiped: only its absence matters here.
            let given = env(name).map(|v| zeroize::Zeroizing::new(v.into_encoded_bytes()));
            match given {
                Some(v) if !v.is_empty() => Ok(()),
                found => Err(unset(name, found.is_some())),
            }
        }
        SecretSource::File(path) => secret_reader::open(path).map(drop),
        SecretSource::Command(_) | SecretSource::Prompt(_) => Ok(()),
    }
}
