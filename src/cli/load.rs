//! Loads what a command starts from: the inventory with the command line's options, the images it names, or a scenario.
//! How an image is checked is in `image_file`.

use std::path::{Path, PathBuf};

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::CliError;
use super::args::{self, Selection, Target};
use super::image_file::{self, ImageFileError};
use super::output::{logging, stderr_and_log};
use crate::config::{self, Diagnostic, Loaded, Overrides, Settings};
use crate::journal::RunRecord;
use crate::model::{AppImage, Component, FirmwareImage, Payload, chain, printable};
use crate::sim::Scenario;

/// Reads the inventory and what is rolled out; everything that is wrong with either, at once.
pub(super) fn run(target: &Target) -> Result<(Settings, Payload), CliError> {
    let overrides = overrides(target);
    let mut loaded = config::load(
        &target.select.inventory.config,
        &overrides,
        &config::process_env,
    );
    let mut payload = Payload::default();
    for fault in idle(target) {
        loaded.faults.push(fault);
    }
    if target.component.has(Component::Firmware) && !target.wants_latest() {
        match image(&loaded, target.force_image) {
            Ok(image) => payload.firmware = Some(image),
            Err(fault) => loaded.faults.push(*fault),
        }
    }
    if target.component.has(Component::Ui) {
        match app(&loaded, target.force_image) {
            Ok(app) => payload.app = Some(app),
            Err(fault) => loaded.faults.push(*fault),
        }
    }
    Ok((settings_of(loaded)?, payload))
}

/// The inventory and the images again with which a run was begun, for whoever goes on with it: its devices, whatever they
/// are called now, and the rules that its command line gave.
pub(super) fn again(
    inventory: &Path,
    (firmware, app_file): (Option<PathBuf>, Option<PathBuf>),
    was: &RunRecord,
) -> Result<(Settings, Payload), CliError> {
    let policy = &was.context.policy;
    let devices = was.context.devices.iter();
    let overrides = Overrides {
        firmware,
        app: app_file,
        concurrency: Some(was.facts.concurrency),
        force: policy.force,
        same_key: policy.same_key,
        allow_downgrade: policy.allow_downgrade,
        resend_refused: policy.resend_refused,
        take_replaced: policy.take_replaced,
        only: Vec::new(),
        known: Some(devices.map(|d| (d.id.clone(), d.reach.clone())).collect()),
    };
    let mut loaded = config::load(inventory, &overrides, &config::process_env);
    let mut payload = Payload::default();
    // Whatever a person wanted to be sent then is sent now, if it is the very same file.
    let forced = true;
    if was.facts.payload.firmware.is_some() {
        match image(&loaded, forced) {
            Ok(image) => payload.firmware = Some(image),
            Err(fault) => loaded.faults.push(*fault),
        }
    }
    if was.facts.payload.app.is_some() {
        match app(&loaded, forced) {
            Ok(app) => payload.app = Some(app),
            Err(fault) => loaded.faults.push(*fault),
        }
    }
    Ok((settings_of(loaded)?, payload))
}

/// Files that are named for nothing: whoever names one on the command line expects it to be sent.
fn idle(target: &Target) -> impl Iterator<Item = Diagnostic> {
    let named = [
        ("--firmware", target.firmware.is_some(), Component::Firmware),
        ("--app", target.app.is_some(), Component::Ui),
    ];
    named
        .into_iter()
        .filter(|&(_, is_named, component)| is_named && !target.component.has(component))
        .map(|(option, _, component)| {
            let what = component.words();
            let alone = component.as_str();
            Diagnostic::new(format!("{option} is given, but no {what} would be sent")).hint(format!(
                "say --component {alone} to upgrade the {what} alone, or --component both; or leave {option} out"
            ))
        })
}

pub(super) fn image(loaded: &Loaded, forced: bool) -> Result<FirmwareImage, Box<Diagnostic>> {
    let path = loaded.firmware.as_ref().ok_or_else(|| {
        let fault = Diagnostic::new("no firmware image is named");
        fault.hint("say --firmware FILE, or firmware = \"FILE\" under [fleet]")
    })?;
    image_file::load(path, forced, &loaded.images)
        .map_err(|error| with_hint(loaded.image_fault(chain(&error)), &error))
}

pub(super) fn app(loaded: &Loaded, forced: bool) -> Result<AppImage, Box<Diagnostic>> {
    let path = loaded.app.as_ref().ok_or_else(|| {
        let fault = Diagnostic::new("no management app is named");
        fault.hint("say --app FILE, or app = \"FILE\" under [fleet]")
    })?;
    image_file::load_app(path, forced, &loaded.images)
        .map_err(|error| with_hint(loaded.app_fault(chain(&error)), &error))
}

fn with_hint(fault: Diagnostic, error: &ImageFileError) -> Box<Diagnostic> {
    Box::new(match error.hint() {
        Some(hint) => fault.hint(hint),
        None => fault,
    })
}

/// The inventory alone, for what needs no image.
pub(super) fn settings(select: &Selection) -> Result<Settings, CliError> {
    settings_of(config::load(
        &select.inventory.config,
        &selected(select),
        &config::process_env,
    ))
}

fn overrides(target: &Target) -> Overrides {
    Overrides {
        firmware: target.firmware.clone().filter(|_| !target.wants_latest()),
        app: target.app.clone(),
        force: target.force,
        same_key: target.require_same_key,
        allow_downgrade: target.allow_downgrade,
        resend_refused: target.resend_refused,
        take_replaced: target.take_replaced,
        ..selected(&target.select)
    }
}

fn selected(select: &Selection) -> Overrides {
    Overrides {
        concurrency: select.concurrency,
        only: select.only.clone(),
        ..Overrides::default()
    }
}

pub(super) fn settings_of(loaded: Loaded) -> Result<Settings, CliError> {
    match loaded.settings {
        Some(settings) if loaded.faults.is_empty() => Ok(settings),
        _ => Err(loaded.faults.into()),
    }
}

/// Says which inventory is taken where `-c` names none, in one line.
///
/// # Errors
///
/// There is none to be taken.
pub(super) fn say_inventory(matches: &ArgMatches) -> Result<(), CliError> {
    let mut matches = matches;
    while let Some((_, of_command)) = matches.subcommand() {
        matches = of_command;
    }
    let is_default = matches.ids().any(|id| id == args::INVENTORY)
        && matches.value_source(args::INVENTORY) == Some(ValueSource::DefaultValue);
    if !is_default {
        return Ok(());
    }
    let line = match args::inventory_of_environment() {
        Some(path) => {
            let path = printable(&path.to_string_lossy(), usize::MAX);
            format!("inventory: {path} ({})\n", args::INVENTORY_VARIABLE)
        }
        None if Path::new(args::INVENTORY_HERE).exists() => {
            format!("inventory: {}\n", args::INVENTORY_HERE)
        }
        None => return Err(CliError::NoInventory),
    };
    stderr_and_log::say(&line);
    // Before anything goes to standard output, which may be the same terminal.
    logging::finish();
    Ok(())
}

/// The folder of the inventory: what relative paths in it start from.
pub(super) fn folder_of(config: &Path) -> PathBuf {
    let dir = config.parent().filter(|dir| !dir.as_os_str().is_empty());
    dir.unwrap_or(Path::new(".")).to_owned()
}

/// Reads a scenario file.
pub(super) fn scenario(path: &Path) -> Result<Scenario, CliError> {
    let text = std::fs::read_to_string(path).map_err(|source| CliError::ScenarioUnreadable {
        path: path.to_owned(),
        source,
    })?;
    Scenario::parse(&text).map_err(|source| CliError::BadScenario {
        path: path.to_owned(),
        source,
    })
}
