//! `hemfleet plan`, `run` and `config check`: inventory and image → devices → session.
//! Must not: show anything of a run (that is `show`).

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::config::{self, Fault, Loaded, Overrides, Settings};
use tokio::sync::mpsc;

use crate::engine::{Mode, Session};
use crate::model::{Credential, FirmwareImage, Payload};
use crate::report::{Exit, JsonLines, Reporter, plan_table};

use super::args::{Cli, Plan, PlanOutput, Run, Target};
use super::outlet::Page;
use super::show::{self, Show};
use super::{Refusal, ask, assemble, headless, inspect, logging, runtime, signals};

/// `hemfleet plan`.
pub(super) fn plan(cli: &Cli, args: &Plan) -> Result<Exit, Refusal> {
    logging::start(cli, Show::Plain)?;
    let (settings, image) = load(&args.target)?;
    // A look needs no secret, so none is read.
    let devices = assemble::devices(&settings, |_| Credential::None)?;
    let mut session = assemble::session(&settings, image.into(), devices, Mode::Plan)?;
    if io::stderr().is_terminal() {
        // Absent devices take their time; a silent tool looks dead.
        let _ = writeln!(io::stderr(), "asking {} devices…", settings.devices.len());
    }
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let page = Page::default();
        let mut json = JsonLines::new(page.clone());
        let reporter: &mut dyn Reporter = match args.output {
            PlanOutput::Json => &mut json,
            PlanOutput::Plain => &mut headless::Silent,
        };
        let told = headless::run(&mut session, reporter, page, &mut interrupts).await;
        if told && args.output == PlanOutput::Plain {
            plan_table(session.fleet(), &mut io::stdout().lock(), show::color())?;
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
    let mode = if args.yes { Mode::Go } else { Mode::Confirm };
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let Some(mut session) = open(&settings, image.into(), mode, &mut interrupts).await? else {
            return Ok(Exit::Interrupted);
        };
        let told = show::show(&mut session, how, &mut interrupts).await?;
        let exit = Exit::of(session.fleet());
        show::summary(session.fleet(), how, Some(exit), log.as_deref(), told);
        Ok(exit)
    });
    runtime.shutdown_background();
    exit
}

/// Reads the secrets and makes the session that may use them, unless an interrupt comes first; nothing
/// is sent yet.
pub(super) async fn open(
    settings: &Settings,
    payload: Payload,
    mode: Mode,
    interrupts: &mut mpsc::Receiver<()>,
) -> Result<Option<Session>, Refusal> {
    let Some(secrets) = ask::secrets(&settings.devices, interrupts).await? else {
        return Ok(None);
    };
    let devices = assemble::devices(settings, |spec| secrets.credential(spec))?;
    assemble::session(settings, payload, devices, mode).map(Some)
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
    let remarks = loaded.remarks();
    let settings = settings_of(loaded)?;
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: {} devices, nothing wrong",
        path.display(),
        settings.devices.len()
    )?;
    for remark in remarks {
        writeln!(out, "WARNING: {remark}")?;
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
        ..Overrides::default()
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
