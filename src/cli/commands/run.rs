//! `hemfleet plan` and `hemfleet run`. How a run is shown is in `cli::output`.

use std::io::{self, IsTerminal as _, Write as _};

use crate::engine::Mode;
use crate::model::{Credential, OnExpired};
use crate::report::{Exit, JsonLines, Reporter, plan_table};

use super::fetch;
use crate::cli::args::{Cli, Plan, PlanOutput, Run};
use crate::cli::device_locks::DeviceLocks;
use crate::cli::locks_and_secrets::{nothing_sent, open_session, take_locks};
use crate::cli::output::show_session::{self, OutputMode};
use crate::cli::output::stdout_writer::{self, OutputBuffer};
use crate::cli::output::{headless_loop, logging};
use crate::cli::process::{limits, signals};
use crate::cli::{CliError, load, runtime, wiring};

/// `hemfleet plan`.
pub(in crate::cli) fn plan(cli: &Cli, args: &Plan) -> Result<Exit, CliError> {
    logging::start(cli, OutputMode::Plain)?;
    if args.target.wants_latest() {
        return Err(CliError::PlanOfLatest);
    }
    let (mut settings, payload) = load::run(&args.target)?;
    // A plan changes nothing, and a check-in sets a clock.
    settings.policy.on_expired = OnExpired::Fail;
    limits::ensure_files(settings.concurrency, settings.devices.len())?;
    // A plan needs no secret, so none is read.
    let devices = wiring::devices(&settings, |_| Credential::None)?;
    let mut session = wiring::session(&settings, payload, devices, Mode::Plan)?;
    if io::stderr().is_terminal() {
        // Absent devices take long to time out, and a silent tool looks dead.
        let _ = writeln!(io::stderr(), "asking {} devices…", settings.devices.len());
    }
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let page = OutputBuffer::default();
        let mut json = JsonLines::new(page.clone());
        let reporter: &mut dyn Reporter = match args.output {
            PlanOutput::Json => &mut json,
            PlanOutput::Plain => &mut headless_loop::Silent,
        };
        let told = headless_loop::run(&mut session, reporter, page, None, &mut interrupts).await;
        if told && args.output == PlanOutput::Plain {
            let mut text = Vec::new();
            plan_table(session.fleet(), &mut text, show_session::color())?;
            stdout_writer::print(text, session.fleet().stop().is_some(), &mut interrupts).await;
        }
        Ok(Exit::of(session.fleet()))
    });
    runtime.shutdown_background();
    exit
}

/// `hemfleet run`.
pub(in crate::cli) fn run(cli: &Cli, args: &Run) -> Result<Exit, CliError> {
    let how = OutputMode::choose(&args.view)?;
    let asks = !args.yes && !matches!(how, OutputMode::Tui { .. });
    if asks && (how == OutputMode::Json || !io::stdin().is_terminal()) {
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
    let locks = DeviceLocks::new(&run, &settings.devices).map_err(nothing_sent)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let mut not_asked = Vec::new();
        // Nobody confirms: the locks come first, before the first request, and before anybody is asked for a secret.
        if args.yes && !take_locks(&locks, &mut interrupts).await? {
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
                if how != OutputMode::Json {
                    return Ok(Exit::of_asking(&not_asked));
                }
                // A run without devices, so that scripts still read its first and last event.
                mode = Mode::Go;
            }
        }
        let opened = open_session(run, &settings, payload, mode, None, &mut interrupts).await?;
        let Some(session) = opened else {
            return Ok(Exit::Interrupted);
        };
        let mut session = session.leaving_out(&not_asked);
        let told = show_session::show(&mut session, how, &locks, &mut interrupts).await?;
        if let Some(refused) = locks.refused() {
            let sent = "no device was changed, they were only looked at";
            return Err(CliError::Locks { refused, sent });
        }
        let exit = Exit::of(session.fleet());
        let fleet = session.fleet();
        show_session::summary(
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
    drop(locks);
    exit
}
