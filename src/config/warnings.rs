//! Warnings about an inventory that has no faults.

use super::diagnostic::quoted;
use super::{Loaded, Settings};
use crate::model::{AuthMethod, DeviceSpec, LinkTrust};

/// Names that a warning lists before it counts the rest.
const NAMES: usize = 8;

impl Loaded {
    /// One line for each kind: links that prove little, logins that will be refused, secrets that no device uses.
    pub fn warnings(&self) -> Vec<String> {
        let mut all: Vec<String> = self.settings.iter().flat_map(of_devices).collect();
        if !self.unused_secrets.is_empty() {
            let names = list(self.unused_secrets.iter().map(String::as_str));
            all.push(format!("no device uses these of [secrets]: {names}"));
        }
        all
    }
}

fn of_devices(settings: &Settings) -> Vec<String> {
    let on = |link| move |d: &&DeviceSpec| d.link() == link;
    let logs_in = |d: &&DeviceSpec| d.auth != AuthMethod::None;
    let warning = |what: &str, which: &dyn Fn(&&DeviceSpec) -> bool| {
        let found: Vec<&str> = settings
            .devices
            .iter()
            .filter(which)
            .map(|d| d.id.as_str())
            .collect();
        (!found.is_empty()).then(|| format!("{what}: {}", list(found)))
    };
    let warnings = [
        warning(
            "reached with any certificate at all (tls = { insecure = true })",
            &on(LinkTrust::Insecure),
        ),
        warning("reached unencrypted (http://)", &on(LinkTrust::Http)),
        warning(
            "will be refused, for they log in over http:// without allow_plain_login = true",
            &|d| on(LinkTrust::Http)(d) && logs_in(d) && !d.allow_plain_login,
        ),
        warning(
            "log in over http://, where the token travels in clear",
            &|d| on(LinkTrust::Http)(d) && logs_in(d) && d.allow_plain_login,
        ),
    ];
    warnings.into_iter().flatten().collect()
}

fn list<'n>(names: impl IntoIterator<Item = &'n str>) -> String {
    let names: Vec<String> = names.into_iter().map(quoted).collect();
    let (shown, rest) = names.split_at(names.len().min(NAMES));
    let shown = shown.join(", ");
    match rest.len() {
        0 => shown,
        n => format!("{shown} and {n} more"),
    }
}
