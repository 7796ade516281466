//! `hemfleet plan`, `run` and `config check`: inventory and image → devices → session.
//! Must not: show anything of a run (that is `show`).

use std::io::{self, IsTerminal as _, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use crate::config::{self, Diagnostic, Loaded, Overrides, Settings};
use tokio::sync::mpsc;

use crate::engine::{FleetRun, LogKeeper, Mode};
use crate::model::{
    AppImage, Component, Credential, Credentials, DeviceSpec, FirmwareImage, OnExpired, Payload,
    RunId,
};
use crate::report::{Exit, JsonLines, Reporter, plan_table};

use super::fetch;
use super::inspect;
use crate::cli::args::{Cli, Plan, PlanOutput, Run, Selection, Target};
use crate::cli::device_locks::DeviceLocks;
use crate::cli::output::headless_prompt::HeadlessPrompt;
use crate::cli::output::session::{self, Show};
use crate::cli::output::stdout_writer::{self, Page};
use crate::cli::output::{headless, logging};
use crate::cli::process::{descriptors, signals};
use crate::cli::{Refusal, runtime, secret_prompt, wiring};

/// `hemfleet plan`.
pub(in crate::cli) fn plan(cli: &Cli, args: &Plan) -> Result<Exit, Refusal> {
    logging::start(cli, Show::Plain)?;
    if args.target.wants_latest() {
        return Err(Refusal::new(
            "plan changes nothing, and asking for the latest firmware sets clocks",
        )
        .hint("hemfleet fetch first, then plan with the file that it wrote"));
    }
    let (mut settings, payload) = load(&args.target)?;
    // It changes nothing, and a check-in sets a clock; before a run is confirmed the inventory may want one.
    settings.policy.on_expired = OnExpired::Fail;
    descriptors::ensure(settings.concurrency, settings.devices.len())?;
    // A look needs no secret, so none is read.
    let devices = wiring::devices(&settings, |_| Credential::None)?;
    let mut session = wiring::session(&settings, payload, devices, Mode::Plan)?;
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
        let told = headless::run(&mut session, reporter, page, None, &mut interrupts).await;
        if told && args.output == PlanOutput::Plain {
            let mut text = Vec::new();
            plan_table(session.fleet(), &mut text, session::color())?;
            stdout_writer::print(text, session.fleet().stop().is_some(), &mut interrupts).await;
        }
        Ok(Exit::of(session.fleet()))
    });
    runtime.shutdown_background();
    exit
}

/// `hemfleet run`.
pub(in crate::cli) fn run(cli: &Cli, args: &Run) -> Result<Exit, Refusal> {
    let how = Show::choose(&args.view).map_err(Refusal::new)?;
    let asks = !args.yes && !matches!(how, Show::Tui { .. });
    if asks && (how == Show::Json || !io::stdin().is_terminal()) {
        return Err(Refusal::new("there is no terminal to confirm the plan in")
            .hint("look at it with hemfleet plan, then say --yes"));
    }
    let (mut settings, mut payload) = load(&args.target)?;
    if let Some(max_failures) = args.max_failures {
        settings.rollout.max_failures = max_failures;
    }
    let log = logging::start(cli, how)?;
    let mut mode = if args.yes { Mode::Go } else { Mode::Confirm };
    let run = wiring::run_id()?;
    // Each lock is an open file.
    descriptors::ensure_with_locks(settings.concurrency, settings.devices.len())?;
    // Held until the runtime is gone, and every task with it.
    let claim = DeviceLocks::new(&run, &settings.devices)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let mut not_asked = Vec::new();
        // Nobody confirms: the claim comes before the first request, and before anybody is asked for a secret.
        if args.yes && !claim_at_once(&claim, &mut interrupts).await? {
            return Ok(Exit::Interrupted);
        }
        if args.target.wants_latest() {
            let dir = fetch::beside(&args.target.select.config);
            let Some(latest) = fetch::latest(&settings, &dir, &mut interrupts).await? else {
                return Ok(Exit::Interrupted);
            };
            not_asked = latest.not_asked;
            let (image, offered) = latest.offer.unzip();
            let offered = offered.unwrap_or_default();
            settings.devices.retain(|spec| offered.contains(&spec.id));
            payload.firmware = image.map(|image| *image);
            if payload.firmware.is_none() {
                if how != Show::Json {
                    return Ok(Exit::of_asking(&not_asked));
                }
                // A run of nobody, so that scripts read its beginning and its end all the same.
                mode = Mode::Go;
            }
        }
        let opened = open(run, &settings, payload, mode, None, &mut interrupts).await?;
        let Some(session) = opened else {
            return Ok(Exit::Interrupted);
        };
        let mut session = session.leaving_out(&not_asked);
        let told = session::show(&mut session, how, &claim, &mut interrupts).await?;
        if let Some(refused) = claim.refused() {
            return Err(refused.refusal("no device was changed, they were only looked at"));
        }
        let exit = Exit::of(session.fleet());
        let fleet = session.fleet();
        session::summary(
            fleet,
            how,
            Some(exit),
            log.as_deref(),
            told,
            &mut interrupts,
        )
        .await;
        Ok(exit)
    });
    runtime.shutdown_background();
    drop(claim);
    exit
}

/// Claims the devices before anything else is done; false where an interrupt came first.
pub(super) async fn claim_at_once(
    claim: &Arc<DeviceLocks>,
    interrupts: &mut mpsc::Receiver<()>,
) -> Result<bool, Refusal> {
    tokio::select! {
        taken = claim.take() => match taken {
            Ok(()) => Ok(true),
            Err(refused) => Err(refused.refusal("nothing was sent to any device")),
        },
        Some(()) = interrupts.recv() => Ok(false),
    }
}

/// Reads the secrets and makes the session that may use them, unless an interrupt comes first; nothing
/// is sent yet.
pub(in crate::cli) async fn open(
    run: RunId,
    settings: &Settings,
    payload: Payload,
    mode: Mode,
    keeper: Option<Arc<dyn LogKeeper>>,
    interrupts: &mut mpsc::Receiver<()>,
) -> Result<Option<FleetRun>, Refusal> {
    descriptors::ensure(settings.concurrency, settings.devices.len())?;
    let prompted = |spec: &&DeviceSpec| spec.auth.credentials() == Credentials::Prompt;
    if let Some(spec) = settings.devices.iter().find(prompted)
        && !HeadlessPrompt::is_manned()
    {
        return Err(Refusal::new(format!(
            "{}: its secret is to be typed, and there is no terminal to type it in",
            spec.id
        ))
        .hint("give it a secret from a file, a command or the environment"));
    }
    let Some(secrets) = secret_prompt::secrets(settings, interrupts).await? else {
        return Ok(None);
    };
    let devices = wiring::devices(settings, |spec| secrets.credential(spec))?;
    let session = wiring::session_of(run, settings, payload, devices, mode, keeper);
    Ok(Some(session))
}

/// `hemfleet config check`.
pub(in crate::cli) fn check(path: &Path) -> Result<ExitCode, Refusal> {
    let mut loaded = config::load(path, &Overrides::default(), &config::process_env);
    if loaded.firmware.is_some()
        && let Err(fault) = image(&loaded, false)
    {
        loaded.faults.push(*fault);
    }
    if loaded.app.is_some()
        && let Err(fault) = app(&loaded, false)
    {
        loaded.faults.push(*fault);
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

/// Inventory and what is rolled out; everything that is wrong with either, at once.
pub(in crate::cli) fn load(target: &Target) -> Result<(Settings, Payload), Refusal> {
    let overrides = overrides(target);
    let mut loaded = config::load(&target.select.config, &overrides, &config::process_env);
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

fn image(loaded: &Loaded, forced: bool) -> Result<FirmwareImage, Box<Diagnostic>> {
    let path = loaded.firmware.as_ref().ok_or_else(|| {
        let fault = Diagnostic::new("no firmware image is named");
        fault.hint("say --firmware FILE, or firmware = \"FILE\" under [fleet]")
    })?;
    inspect::load(path, forced, &loaded.images)
        .map_err(|unfit| Box::new(unfit.on(loaded.image_fault(&unfit.message))))
}

fn app(loaded: &Loaded, forced: bool) -> Result<AppImage, Box<Diagnostic>> {
    let path = loaded.app.as_ref().ok_or_else(|| {
        let fault = Diagnostic::new("no management app is named");
        fault.hint("say --app FILE, or app = \"FILE\" under [fleet]")
    })?;
    inspect::load_app(path, forced, &loaded.images)
        .map_err(|unfit| Box::new(unfit.on(loaded.app_fault(&unfit.message))))
}

/// The inventory alone, for what needs no image.
pub(in crate::cli) fn settings(select: &Selection) -> Result<Settings, Refusal> {
    settings_of(config::load(
        &select.config,
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

fn settings_of(loaded: Loaded) -> Result<Settings, Refusal> {
    match loaded.settings {
        Some(settings) if loaded.faults.is_empty() => Ok(settings),
        _ => Err(loaded.faults.into()),
    }
}
