//! `hemfleet plan`, `run` and `config check`: inventory and image → devices → session.
//! Must not: show anything of a run (that is `show`).

use std::io::{self, IsTerminal as _, Write as _};

use crate::engine::Mode;
use crate::model::{Credential, OnExpired};
use crate::report::{Exit, JsonLines, Reporter, plan_table};

use super::fetch;
use crate::cli::args::{Cli, Plan, PlanOutput, Run};
use crate::cli::device_locks::DeviceLocks;
use crate::cli::open_session::{nothing_sent, open_session, take_locks};
use crate::cli::output::session::{self, Show};
use crate::cli::output::stdout_writer::{self, Page};
use crate::cli::output::{headless, logging};
use crate::cli::process::{limits, signals};
use crate::cli::{CliError, load, runtime, wiring};

/// `hemfleet plan`.
pub(in crate::cli) fn plan(cli: &Cli, args: &Plan) -> Result<Exit, CliError> {
    logging::start(cli, Show::Plain)?;
    if args.target.wants_latest() {
        return Err(CliError::PlanOfLatest);
    }
    let (mut settings, payload) = load::run(&args.target)?;
    // It changes nothing, and a check-in sets a clock; before a run is confirmed the inventory may want one.
    settings.policy.on_expired = OnExpired::Fail;
    limits::ensure_files(settings.concurrency, settings.devices.len())?;
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
pub(in crate::cli) fn run(cli: &Cli, args: &Run) -> Result<Exit, CliError> {
    let how = Show::choose(&args.view)?;
    let asks = !args.yes && !matches!(how, Show::Tui { .. });
    if asks && (how == Show::Json || !io::stdin().is_terminal()) {
        return Err(CliError::NoTerminalToConfirm);
    }
    let (mut settings, mut payload) = load::run(&args.target)?;
    if let Some(max_failures) = args.max_failures {
        settings.rollout.max_failures = max_failures;
    }
    let log = logging::start(cli, how)?;
    let mut mode = if args.yes { Mode::Go } else { Mode::Confirm };
    let run = wiring::run_id()?;
    // Each lock is an open file.
    limits::ensure_files_and_locks(settings.concurrency, settings.devices.len())?;
    // Held until the runtime is gone, and every task with it.
    let claim = DeviceLocks::new(&run, &settings.devices).map_err(nothing_sent)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let mut not_asked = Vec::new();
        // Nobody confirms: the claim comes before the first request, and before anybody is asked for a secret.
        if args.yes && !take_locks(&claim, &mut interrupts).await? {
            return Ok(Exit::Interrupted);
        }
        if args.target.wants_latest() {
            let dir = load::folder_of(&args.target.select.config);
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
        let opened = open_session(run, &settings, payload, mode, None, &mut interrupts).await?;
        let Some(session) = opened else {
            return Ok(Exit::Interrupted);
        };
        let mut session = session.leaving_out(&not_asked);
        let told = session::show(&mut session, how, &claim, &mut interrupts).await?;
        if let Some(refused) = claim.refused() {
            let sent = "no device was changed, they were only looked at";
            return Err(CliError::Locks { refused, sent });
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
