//! `hemfleet plan`, `run` and `config check`: inventory and image → devices → session.
//! Must not: show anything of a run (that is `show`).

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::config::secrets::{SecretStore, TerminalPrompter};
use crate::config::{self, Fault, Loaded, Overrides, Settings};
use crate::engine::Mode;
use crate::model::{Credential, FirmwareImage};
use crate::report::{Exit, JsonLines, plan_table};

use super::args::{Cli, Plan, PlanOutput, Run, Target};
use super::show::{self, Show};
use super::{Refusal, assemble, headless, inspect, logging, runtime, signals};

/// `hemfleet plan`.
pub(super) fn plan(cli: &Cli, args: &Plan) -> Result<Exit, Refusal> {
    logging::to_stderr(cli.verbose);
    let (settings, image) = load(&args.target)?;
    // A look needs no secret, so none is read.
    let devices = assemble::devices(&settings, |_| Credential::None)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut session = assemble::session(&settings, image, devices, Mode::Plan)?;
        let mut interrupts = signals::interrupts()?;
        match args.output {
            PlanOutput::Json => {
                let mut json = JsonLines::new(io::stdout());
                headless::run(&mut session, &mut json, &mut interrupts).await?;
            }
            PlanOutput::Plain => {
                headless::run(&mut session, &mut headless::Silent, &mut interrupts).await?;
                plan_table(session.fleet(), &mut io::stdout().lock(), show::color())?;
            }
        }
        Ok(Exit::of(session.fleet()))
    });
    runtime.shutdown_background();
    exit
}

/// `hemfleet run`.
pub(super) fn run(cli: &Cli, args: &Run) -> Result<Exit, Refusal> {
    let how = Show::choose(&args.view).map_err(Refusal::new)?;
    let asks = !args.yes && !matches!(how, Show::Tui { .. });
    if asks && (how == Show::Json || !io::stdin().is_terminal()) {
        return Err(Refusal::new("there is no terminal to confirm the plan in")
            .hint("look at it with hemfleet plan, then say --yes"));
    }
    let (settings, image) = load(&args.target)?;
    let log = logging::start(cli, how)?;
    let secrets = SecretStore::resolve(
        &settings.devices,
        &mut TerminalPrompter,
        &config::process_env,
    )?;
    let devices = assemble::devices(&settings, |spec| secrets.credential(spec))?;
    let mode = if args.yes { Mode::Go } else { Mode::Confirm };
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut session = assemble::session(&settings, image, devices, mode)?;
        let mut interrupts = signals::interrupts()?;
        show::show(&mut session, how, &mut interrupts).await?;
        let exit = Exit::of(session.fleet());
        show::summary(session.fleet(), how, Some(exit), log.as_deref());
        Ok(exit)
    });
    runtime.shutdown_background();
    exit
}

/// `hemfleet config check`.
pub(super) fn check(path: &Path) -> Result<ExitCode, Refusal> {
    let mut loaded = config::load(path, &Overrides::default(), &config::process_env);
    if let Some(firmware) = &loaded.firmware
        && let Err(message) = inspect::load(firmware)
    {
        let fault = loaded.image_fault(message);
        loaded.faults.push(fault);
    }
    let settings = settings_of(loaded)?;
    let insecure = settings
        .devices
        .iter()
        .filter(|d| matches!(d.link(), "insecure" | "http"))
        .count();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: {} devices, nothing wrong",
        path.display(),
        settings.devices.len()
    )?;
    if insecure > 0 {
        writeln!(
            out,
            "WARNING: {insecure} of them over links that prove nothing (insecure or http)"
        )?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Inventory and image; everything that is wrong with either, at once.
pub(super) fn load(target: &Target) -> Result<(Settings, FirmwareImage), Refusal> {
    let overrides = Overrides {
        firmware: target.firmware.clone(),
        concurrency: target.concurrency,
        force: target.force,
        only: target.only.clone(),
    };
    let mut loaded = config::load(&target.config, &overrides, &config::process_env);
    let image = match &loaded.firmware {
        Some(path) => inspect::load(path).map_err(|message| loaded.image_fault(message)),
        None => Err(Fault::new("no firmware image is named")
            .hint("say --firmware FILE, or firmware = \"FILE\" under [fleet]")),
    };
    let image = image.map_err(|fault| loaded.faults.push(fault)).ok();
    let settings = settings_of(loaded)?;
    image
        .map(|image| (settings, image))
        .ok_or_else(|| Refusal::new("no image"))
}

fn settings_of(loaded: Loaded) -> Result<Settings, Refusal> {
    match loaded.settings {
        Some(settings) if loaded.faults.is_empty() => Ok(settings),
        _ => Err(loaded.faults.into()),
    }
}
