//! The inventory that `hemfleet config init` is about to write, and whether it would do.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::cli::load;
use crate::config::{self, Fault, Overrides};

/// What has been answered so far.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    path: PathBuf,
    pub(super) firmware: Option<PathBuf>,
    pub(super) route: Route,
    pub(super) url: String,
    /// The kind of login.
    pub(super) kind: String,
    /// Whether that kind has a secret of its own.
    pub(super) has_secret: bool,
    /// The variable that the secret is in; absent where it is typed.
    pub(super) variable: Option<String>,
    pub(super) devices: Vec<DraftDevice>,
}

/// How all devices are reached.
#[derive(Clone, Debug)]
pub(super) enum Route {
    Direct,
    /// Through this proxy.
    Proxy(String),
    /// Each through the host that it is plugged into.
    Ssh,
}

/// One device.
#[derive(Clone, Debug)]
pub(super) struct DraftDevice {
    name: String,
    /// Its host for ssh, or where it is reached.
    pub(super) address: String,
}

impl Draft {
    /// Nothing is answered yet.
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            firmware: None,
            route: Route::Direct,
            url: "https://my.ence.do".to_owned(),
            kind: "none".to_owned(),
            has_secret: false,
            variable: None,
            devices: Vec::new(),
        }
    }

    /// The path of a file as it is typed here, for an inventory that may lie elsewhere.
    pub(super) fn seen_from_inventory(&self, typed: &str) -> PathBuf {
        let typed = Path::new(typed);
        if load::folder_of(&self.path) == Path::new(".") {
            return typed.to_owned();
        }
        std::path::absolute(typed).unwrap_or_else(|_| typed.to_owned())
    }

    /// Adds a device, at a place of its own until its address is known: one of those that nobody has.
    pub(super) fn add(&mut self, name: &str) {
        let n = self.devices.len();
        self.devices.push(DraftDevice {
            name: name.to_owned(),
            address: match self.route {
                Route::Ssh => format!("device-{n}.invalid"),
                Route::Direct | Route::Proxy(_) => format!("device-{n}.invalid:443"),
            },
        });
    }

    /// The first thing that `hemfleet config check` would say of it, with what to do about it.
    pub(super) fn fault(&self) -> Option<String> {
        let mut draft = self.clone();
        if draft.devices.is_empty() {
            draft.add("vault-01");
        }
        // The variable may be set later.
        let env = |_: &str| Some(OsString::from("set"));
        let loaded = config::load_text(&self.path, &draft.text(), &Overrides::default(), &env);
        let fault = loaded.faults.in_order().next().cloned().or_else(|| {
            let is_named = loaded.firmware.is_some();
            let fault = is_named.then(|| load::image(&loaded, false))?.err()?;
            Some(*fault)
        })?;
        let Fault { message, hint, .. } = Fault::from(&fault);
        Some(match hint {
            Some(hint) => format!("{message}; {hint}"),
            None => message.to_owned(),
        })
    }

    /// The file.
    pub(super) fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        let firmware = self.firmware.as_ref().map(|path| path.to_string_lossy());
        let _ = match firmware {
            Some(path) => writeln!(text, "firmware = {}", quoted(&path)),
            None => writeln!(text, "#firmware = \"firmware.bin\""),
        };
        text.push_str(COMMON);
        let _ = writeln!(text, "url = {}", quoted(&self.url));
        if let Route::Proxy(proxy) = &self.route {
            text.push_str("# Where the way to them leads through.\n");
            let _ = writeln!(text, "proxy = {}", quoted(proxy));
        }
        text.push_str("# How to log in. A secret never stands in this file.\n");
        let _ = writeln!(text, "auth = {}", self.auth());
        for device in &self.devices {
            let _ = write!(text, "\n[[device]]\nname = {}\n", quoted(&device.name));
            let key = match self.route {
                Route::Ssh => "ssh",
                _ => "connect",
            };
            if !device.address.is_empty() {
                let _ = writeln!(text, "{key} = {}", quoted(&device.address));
            }
        }
        text
    }

    fn auth(&self) -> String {
        let kind = quoted(&self.kind);
        match &self.variable {
            _ if !self.has_secret => format!("{{ kind = {kind} }}"),
            Some(variable) => {
                format!(
                    "{{ kind = {kind}, secret = {{ env = {} }} }}",
                    quoted(variable)
                )
            }
            None => format!("{{ kind = {kind}, secret = {{ prompt = \"all devices\" }} }}"),
        }
    }
}

const HEAD: &str = "\
# An inventory for hemfleet, written by hemfleet config init.
#
#     hemfleet config check      all faults of this file at once; nothing is sent
#     hemfleet plan              asks every device, changes nothing
#     hemfleet config example    every key there is, with its default

[fleet]
# The signed image, .bin or .hex. --firmware on the command line wins.
";

const COMMON: &str = "\
# How many devices are worked on at once.
#concurrency = 8

# What all devices have in common. What a device says itself wins.
[defaults]
# The name in their certificates. A device's own connect says where it is reached instead.
";

/// As TOML has it.
fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
