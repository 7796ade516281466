//! The inventory file as typed: every key optional, every value checked by itself.
//! Must not: fill in defaults, compare values with each other, or look at other files (that is
//! `resolve`).

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::address::{self, UrlPath};
use super::auth::{AuthPart, read_auth};
use super::value::{self, Checked, Complaint};
use super::walk::{Given, Section, Spot, Walk, duration, flag, mismatch, number, text};
use crate::model::{HostPort, Pace, Policy, Proxy, Retry, Scheme, SpkiPin, Timeouts};

const ROOT: &[&str] = &[
    "fleet", "broker", "timeouts", "pace", "retry", "defaults", "device",
];
const FLEET: &[&str] = &["firmware", "concurrency"];
const BROKER: &[&str] = &["url", "ca"];
const TIMEOUTS: &[&str] = &[
    "connect",
    "request",
    "upload",
    "upload_stall",
    "check",
    "reboot",
];
const PACE: &[&str] = &["gap", "check_poll", "reboot_poll", "reboot_settle"];
const RETRY: &[&str] = &["attempts", "backoff"];
const DEFAULTS: &[&str] = &["url", "connect", "proxy", "group", "tags", "tls", "auth"];
const DEVICE: &[&str] = &[
    "name", "url", "connect", "proxy", "group", "tags", "tls", "auth",
];
const TLS: &[&str] = &["ca", "pin", "insecure", "system"];

/// Which tables know which keys, for "belongs in".
const HOMES: [(&str, &[&str]); 6] = [
    ("[fleet]", FLEET),
    ("[timeouts]", TIMEOUTS),
    ("[pace]", PACE),
    ("[retry]", RETRY),
    ("[broker]", BROKER),
    ("[[device]]", DEVICE),
];

/// How many devices may be worked on at once.
pub(super) const CONCURRENCY: RangeInclusive<i64> = 1..=1024;
const ATTEMPTS: RangeInclusive<i64> = 1..=10;

const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// The whole file.
#[derive(Debug, Default)]
pub(super) struct File {
    pub(super) firmware: Given<PathBuf>,
    pub(super) concurrency: Given<i64>,
    pub(super) broker_url: Given<(Scheme, HostPort, String)>,
    pub(super) broker_ca: Given<PathBuf>,
    pub(super) policy: PolicyPart,
    pub(super) defaults: DevicePart,
    pub(super) devices: Vec<DevicePart>,
}

/// `[timeouts]`, `[pace]` and `[retry]`.
#[derive(Debug, Default)]
pub(super) struct PolicyPart {
    pub(super) connect: Given<Duration>,
    pub(super) request: Given<Duration>,
    pub(super) upload: Given<Duration>,
    pub(super) upload_stall: Given<Duration>,
    pub(super) check: Given<Duration>,
    pub(super) reboot: Given<Duration>,
    pub(super) gap: Given<Duration>,
    pub(super) check_poll: Given<Duration>,
    pub(super) reboot_poll: Given<Duration>,
    pub(super) reboot_settle: Given<Duration>,
    pub(super) attempts: Given<i64>,
    pub(super) backoff: Given<Duration>,
}

impl PolicyPart {
    /// The values given, and the defaults for the others.
    pub(super) fn fill(&self, force: bool) -> Policy {
        let d = Policy::default();
        let or = |given: &Given<Duration>, default| given.value().copied().unwrap_or(default);
        let timeouts = Timeouts {
            connect: or(&self.connect, d.timeouts.connect),
            request: or(&self.request, d.timeouts.request),
            upload: or(&self.upload, d.timeouts.upload),
            upload_stall: or(&self.upload_stall, d.timeouts.upload_stall),
            check: or(&self.check, d.timeouts.check),
            reboot: or(&self.reboot, d.timeouts.reboot),
        };
        // A limit that was made short on purpose shortens the pauses within it that nobody spoke of.
        let share = |given, default: Duration, whole: Duration| or(given, default.min(whole / 10));
        Policy {
            pace: Pace {
                gap: or(&self.gap, d.pace.gap),
                check_poll: share(&self.check_poll, d.pace.check_poll, timeouts.check),
                reboot_poll: share(&self.reboot_poll, d.pace.reboot_poll, timeouts.reboot),
                reboot_settle: share(&self.reboot_settle, d.pace.reboot_settle, timeouts.reboot),
            },
            timeouts,
            retry: Retry {
                attempts: self
                    .attempts
                    .value()
                    .and_then(|n| u32::try_from(*n).ok())
                    .unwrap_or(d.retry.attempts),
                backoff: or(&self.backoff, d.retry.backoff),
            },
            force,
            ..d
        }
    }
}

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
    pub(super) proxy: Given<Option<Proxy>>,
    pub(super) group: Given<String>,
    pub(super) tags: Given<Vec<String>>,
    pub(super) tls: Given<TlsPart>,
    pub(super) auth: Given<AuthPart>,
}

/// Reads the whole document.
pub(super) fn read(walk: &mut Walk, root: &DeTable<'_>) -> File {
    let mut file = File::default();
    let root = Section::open(walk, root, Spot::default(), ROOT, |key| match key {
        "devices" => Some("each device is a table of its own: [[device]]".to_owned()),
        _ => home_of(key),
    });
    if let Some(s) = table(walk, &root, "fleet", FLEET) {
        file.firmware = path(walk, &s, "firmware");
        file.concurrency = s.take(walk, "concurrency", |v| {
            value::number_within(number(v)?, &CONCURRENCY)
        });
    }
    if let Some(s) = table(walk, &root, "broker", BROKER) {
        file.broker_url = s.take(walk, "url", |v| broker_url(text(v)?));
        file.broker_ca = path(walk, &s, "ca");
    }
    file.policy = read_policy(walk, &root);
    if let Some((v, spot)) = root.get("defaults")
        && let Some(t) = as_table(walk, v.get_ref(), &spot)
    {
        file.defaults = read_device(walk, t, spot, DEFAULTS);
    }
    file.devices = read_devices(walk, &root);
    file
}

fn home_of(key: &str) -> Option<String> {
    HOMES
        .iter()
        .find(|(_, keys)| keys.contains(&key))
        .map(|(home, _)| format!("`{key}` belongs in {home}"))
}

fn as_table<'d>(walk: &mut Walk, value: &'d DeValue<'d>, spot: &Spot) -> Option<&'d DeTable<'d>> {
    let table = value.as_table();
    if table.is_none() {
        let hint = format!("write it as a table: [{}]", spot.key);
        walk.complain(spot, mismatch("a table", value).hint(hint));
    }
    table
}

fn table<'d>(
    walk: &mut Walk,
    root: &Section<'d>,
    key: &'static str,
    known: &[&str],
) -> Option<Section<'d>> {
    let (value, spot) = root.get(key)?;
    let table = as_table(walk, value.get_ref(), &spot)?;
    Some(Section::open(walk, table, spot, known, home_of))
}

/// A path, seen from the folder of the inventory.
pub(super) fn path(walk: &mut Walk, section: &Section<'_>, key: &str) -> Given<PathBuf> {
    section
        .take(walk, key, |v| value::plain_text(text(v)?, "path"))
        .map(|p| walk.path(&p))
}

fn broker_url(text: &str) -> Checked<(Scheme, HostPort, String)> {
    let (scheme, at, url) = address::http_url(text, UrlPath::Kept)?;
    if scheme == Scheme::Http && !address::is_loopback(&at.host) {
        return Err(Complaint::new("a broker without https")
            .hint("write https://; its certificate is always verified, and plain http is for a relay on this very machine (127.0.0.1)"));
    }
    Ok((scheme, at, url))
}

fn read_policy(walk: &mut Walk, root: &Section<'_>) -> PolicyPart {
    let mut p = PolicyPart::default();
    if let Some(s) = table(walk, root, "timeouts", TIMEOUTS) {
        let mut take = |key, allowed| s.take(walk, key, |v| duration(v, &allowed));
        p.connect = take("connect", ms(10)..=ms(10 * MINUTE));
        p.request = take("request", ms(10)..=ms(HOUR));
        p.upload = take("upload", ms(100)..=ms(24 * HOUR));
        p.upload_stall = take("upload_stall", ms(10)..=ms(HOUR));
        p.check = take("check", ms(10)..=ms(24 * HOUR));
        p.reboot = take("reboot", ms(10)..=ms(24 * HOUR));
    }
    if let Some(s) = table(walk, root, "pace", PACE) {
        let mut take = |key, allowed| s.take(walk, key, |v| duration(v, &allowed));
        p.gap = take("gap", ms(1)..=ms(MINUTE));
        p.check_poll = take("check_poll", ms(1)..=ms(10 * MINUTE));
        p.reboot_poll = take("reboot_poll", ms(1)..=ms(10 * MINUTE));
        p.reboot_settle = take("reboot_settle", ms(1)..=ms(10 * MINUTE));
    }
    if let Some(s) = table(walk, root, "retry", RETRY) {
        p.attempts = s.take(walk, "attempts", |v| {
            value::number_within(number(v)?, &ATTEMPTS)
        });
        p.backoff = s.take(walk, "backoff", |v| duration(v, &(ms(1)..=ms(10 * MINUTE))));
    }
    p
}

fn read_devices(walk: &mut Walk, root: &Section<'_>) -> Vec<DevicePart> {
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
                    walk.complain(
                        &spot,
                        complaint.hint("each device is a table of its own: [[device]]"),
                    );
                }
                Some(read_device(walk, table?, spot, DEVICE))
            })
            .collect(),
        DeValue::Table(table) => {
            let complaint = Complaint::new("one table where a list of devices is wanted");
            walk.complain(
                &spot,
                complaint.hint("write [[device]] with double brackets"),
            );
            vec![read_device(walk, table, spot, DEVICE)]
        }
        other => {
            let complaint = mismatch("a list of devices", other);
            walk.complain(
                &spot,
                complaint.hint("each device is a table of its own: [[device]]"),
            );
            Vec::new()
        }
    }
}

fn read_device(walk: &mut Walk, table: &DeTable<'_>, mut spot: Spot, known: &[&str]) -> DevicePart {
    // The name comes first, so that every other fault of the device can say it.
    if known.contains(&"name") {
        spot.device = table
            .iter()
            .find(|(k, _)| k.get_ref().as_ref() == "name")
            .and_then(|(_, v)| v.get_ref().as_str())
            .filter(|name| !name.is_empty())
            .map(str::to_owned);
    }
    let s = Section::open(walk, table, spot.clone(), known, |key| {
        match key {
        "name" => Some("each device has a name of its own, in its [[device]]".to_owned()),
        "secret" | "password" | "passphrase" | "token" => Some(
            "how to log in is said by auth = { kind = \"passphrase\", secret = { env = \"HEM_PASSPHRASE\" } }".to_owned(),
        ),
        "ca" | "pin" | "insecure" => Some(format!("`{key}` belongs in tls = {{ … }}")),
        _ => home_of(key),
    }
    });
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
        proxy: s.take(walk, "proxy", |v| address::proxy(text(v)?)),
        group: s.take(walk, "group", word),
        tags: read_tags(walk, &s),
        tls: read_tls(walk, &s),
        auth: read_auth(walk, &s),
        spot,
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
    let s = Section::open(walk, table, spot.clone(), TLS, |_| None);
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
