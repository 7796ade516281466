//! What is worth a word about an inventory in which nothing is wrong.
//! Must not: refuse anything (that is `resolve`, and later the plan).

use super::diagnostic::quoted;
use super::{Loaded, Settings};
use crate::model::{AuthMethod, DeviceSpec, LinkTrust};

/// Names that a remark says before it counts the rest.
const NAMES: usize = 8;

impl Loaded {
    /// Links that prove little, logins that will be refused, secrets that nobody uses: one line each.
    pub fn remarks(&self) -> Vec<String> {
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
    let remark = |what: &str, which: &dyn Fn(&&DeviceSpec) -> bool| {
        let found: Vec<&str> = settings
            .devices
            .iter()
            .filter(which)
            .map(|d| d.id.as_str())
            .collect();
        (!found.is_empty()).then(|| format!("{what}: {}", list(found)))
    };
    let remarks = [
        remark(
            "reached with any certificate at all (tls = { insecure = true })",
            &on(LinkTrust::Insecure),
        ),
        remark("reached unencrypted (http://)", &on(LinkTrust::Http)),
        remark(
            "will be refused, for they log in over http:// without allow_plain_login = true",
            &|d| on(LinkTrust::Http)(d) && logs_in(d) && !d.allow_plain_login,
        ),
        remark(
            "log in over http://, where the token travels in clear",
            &|d| on(LinkTrust::Http)(d) && logs_in(d) && d.allow_plain_login,
        ),
    ];
    remarks.into_iter().flatten().collect()
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
