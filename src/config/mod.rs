//! Inventory and settings: TOML, environment and command line → one validated [`Settings`].
//!
//! This room owns the names of the file's keys, their bounds, every message about a bad file, and how secrets are
//! read. It is given the process's environment, so that tests do not depend on it.
//!
//! A file goes through `toml::parser` (text → document), `inventory::file` (document → values as typed) and `resolve`
//! (values → [`Settings`]). Each adds what is wrong to one list of [`Diagnostics`], and none stops early.

mod ca_file;
mod diagnostic;
mod duplicates;
mod environment;
mod inventory;
mod resolve;
mod schema;
pub mod secrets;
mod selection;
mod toml;
mod warnings;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use diagnostic::{Diagnostic, Diagnostics, Fault, Place};
pub use environment::{Env, process_env};
pub use schema::schema;
pub use toml::source::Location;

use crate::model::{
    DeviceId, DeviceSpec, ImageTrust, OnHangUp, Policy, Reach, Rollout, ScreenSettings,
};

/// The documented inventory: every key with its default.
pub const EXAMPLE: &str = include_str!("../../config.example.toml");

/// Devices worked on at once, where nothing else is said.
pub const DEFAULT_CONCURRENCY: usize = 8;

/// The check-in relay, where nothing else is said (protocol page, section 12).
pub const DEFAULT_BROKER: &str = "https://api.encedo.com";

/// How long runs are kept, where nothing else is said: two years, as `2y` is read.
pub const DEFAULT_KEEP: Duration = Duration::from_secs(2 * 31_557_600);

/// Everything that a run needs to know, validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The firmware image, if any is named.
    pub firmware: Option<PathBuf>,
    /// The management app's image, if any is named.
    pub app: Option<PathBuf>,
    /// Devices worked on at once, 1 to 1024.
    pub concurrency: usize,
    /// Whose images are rolled out, and which.
    pub images: ImageTrust,
    /// The check-in relay.
    pub broker: BrokerSettings,
    /// When a rollout is halted.
    pub rollout: Rollout,
    /// What becomes of a run whose terminal is gone; `--detach` wins.
    pub on_hang_up: OnHangUp,
    /// How the dashboard uses the terminal.
    pub screen: ScreenSettings,
    /// Where runs are recorded, and for how long.
    pub journal: JournalSettings,
    /// Time limits, pace, retries, `--force`.
    pub policy: Policy,
    /// The variables of the environment that hold secrets, of all devices: no program that is started
    /// has to know them.
    pub secret_variables: Vec<String>,
    /// The selected devices, in the order of the file. Names and targets are unique.
    pub devices: Vec<DeviceSpec>,
}

/// Where the check-in relay is, and what makes its certificate trusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerSettings {
    /// Base URL without a slash at its end; `https`, or `http` on this very machine.
    pub url: String,
    /// PEM text of the only certificates trusted for it; absent for the system's own.
    pub ca_pem: Option<Arc<str>>,
}

/// Where runs are recorded, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalSettings {
    /// The file; absent for the one in the user's state folder.
    pub path: Option<PathBuf>,
    /// How long runs are kept that came to their end.
    pub keep: Duration,
}

impl Default for JournalSettings {
    fn default() -> Self {
        Self {
            path: None,
            keep: DEFAULT_KEEP,
        }
    }
}

/// What the command line says; it wins over the file.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flag of the command line is a bool"
)]
pub struct Overrides {
    /// `--firmware`, as seen from the working folder.
    pub firmware: Option<PathBuf>,
    /// `--app`, as seen from the working folder.
    pub app: Option<PathBuf>,
    /// `--concurrency`.
    pub concurrency: Option<usize>,
    /// `--force`.
    pub force: bool,
    /// `--require-same-key`.
    pub same_key: bool,
    /// `--allow-downgrade`.
    pub allow_downgrade: bool,
    /// Send an image again to devices whose bootloader refused it in an earlier run.
    pub resend_refused: bool,
    /// Upgrade devices that have replaced others which are in doubt.
    pub take_replaced: bool,
    /// `--only`: names, groups and tags, or patterns of them. Empty selects every device.
    pub only: Vec<String>,
    /// The devices of a run that is gone on with: only these are selected, by their name or by the way to them, whatever
    /// the inventory says now.
    pub known: Option<Vec<(DeviceId, Reach)>>,
}

/// What came of loading an inventory.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// There if and only if nothing is wrong.
    pub settings: Option<Settings>,
    /// Everything that is wrong with file, environment and command line.
    pub faults: Diagnostics,
    /// The image that a run would take, also where something else is wrong.
    pub firmware: Option<PathBuf>,
    /// Where that image is named.
    pub firmware_at: Place,
    /// The management app that a run would take.
    pub app: Option<PathBuf>,
    /// Where that is named.
    pub app_at: Place,
    /// Whose images are trusted, also where something else is wrong.
    pub images: ImageTrust,
    /// The journal, also where something else is wrong; absent where the file does not tell it.
    pub journal: Option<JournalSettings>,
    /// The names of `[secrets]` that no device uses: no fault, but worth a word.
    pub unused_secrets: Vec<String>,
}

impl Loaded {
    /// A fault of the firmware image itself, at the place that names it.
    pub fn image_fault(&self, message: impl AsRef<str>) -> Diagnostic {
        fault_at(&self.firmware_at, "fleet.firmware", message.as_ref())
    }

    /// A fault of the management app's image itself, at the place that names it.
    pub fn app_fault(&self, message: impl AsRef<str>) -> Diagnostic {
        fault_at(&self.app_at, "fleet.app", message.as_ref())
    }
}

fn fault_at(place: &Place, key: &str, message: &str) -> Diagnostic {
    let fault = Diagnostic::new(message).place(place.clone());
    match place {
        Place::At(_) => fault.key(key),
        _ => fault,
    }
}

/// Reads and checks an inventory. Relative paths in it start from its own folder. Nothing is asked
/// of a device, and no secret is read.
pub fn load(path: &Path, overrides: &Overrides, env: &Env<'_>) -> Loaded {
    match toml::parser::read_file(path) {
        Ok(text) => load_text(path, &text, overrides, env),
        Err(faults) => Loaded {
            settings: None,
            faults,
            firmware: overrides.firmware.clone(),
            firmware_at: named("--firmware", overrides.firmware.as_deref(), None),
            app: overrides.app.clone(),
            app_at: named("--app", overrides.app.as_deref(), None),
            images: ImageTrust::default(),
            journal: None,
            unused_secrets: Vec::new(),
        },
    }
}

/// [`load`] with the text at hand; `path` says what to call it and where relative paths start from.
pub fn load_text(path: &Path, text: &str, overrides: &Overrides, env: &Env<'_>) -> Loaded {
    let (mut document, errors) = toml::parser::parse(text);
    let secrets = inventory::redact::secrets_in(text, &document, !errors.is_empty());
    let source = toml::source::Source::new(path, text, secrets);
    let mut reader = toml::reader::Reader::new(source, path.parent().unwrap_or(Path::new("")));
    let readable;
    if !errors.is_empty() {
        readable = toml::parser::recover(&mut reader, text, errors);
        document = toml::parser::parse(&readable).0;
    }
    let typed = inventory::file::read(&mut reader, &document);
    let settings = resolve::resolve(&mut reader, &typed, overrides, env, path);
    if let Some(n) = overrides.concurrency {
        let n = i64::try_from(n).unwrap_or(i64::MAX);
        if let Err(error) = toml::single_values::number_within(n, &inventory::keys::CONCURRENCY) {
            let fault =
                Diagnostic::new(error.message).place(Place::Argument("--concurrency".to_owned()));
            reader.push(fault.hint(error.hint.unwrap_or_default()));
        }
    }
    let in_file =
        |given: &toml::reader::Field<PathBuf>| given.valid().map(|(_, s)| reader.location(s));
    let (firmware_at, app_at) = (in_file(&typed.firmware), in_file(&typed.app));
    let faults = reader.into_diagnostics();
    Loaded {
        firmware: settings.firmware.clone(),
        firmware_at: named("--firmware", overrides.firmware.as_deref(), firmware_at),
        app: settings.app.clone(),
        app_at: named("--app", overrides.app.as_deref(), app_at),
        images: settings.images.clone(),
        journal: typed.journal.sound(),
        unused_secrets: typed.unused_secrets,
        settings: faults.is_empty().then_some(settings),
        faults,
    }
}

/// Where an image is named: on the command line, which wins, or in the file.
fn named(option: &str, given: Option<&Path>, in_file: Option<Location>) -> Place {
    match (given, in_file) {
        (Some(path), _) => Place::Argument(format!("{option} {}", diagnostic::shown_path(path))),
        (None, Some(at)) => Place::At(at),
        (None, None) => Place::Nowhere,
    }
}
