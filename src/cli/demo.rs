//! `hemfleet demo`: simulated devices on real sockets, the real run, and whether it ended as foretold.
//! Must not: be more lenient than `hemfleet run`: inventory, secrets and TLS go the same way.

use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::config;
use crate::config::secrets::{SecretStore, TerminalPrompter};
use crate::engine::{Fleet, Mode};
use crate::report::Exit;
use crate::sim::{Scenario, SimFleet, SimOptions};

use super::args::{Cli, Demo, Target};
use super::show::{self, Show};
use super::{Refusal, assemble, foretold, logging, run, runtime, signals};

/// The demo's scenario: one of those that the tests run.
const SCENARIO: &str = include_str!("../../tests/scenarios/demo.toml");

/// Runs the demo. Exit code 0 where every device ended as the scenario foretells.
pub(super) fn demo(cli: &Cli, args: &Demo) -> Result<ExitCode, Refusal> {
    let how = Show::choose(&args.view).map_err(Refusal::new)?;
    let scenario = match &args.scenario {
        Some(path) => read_scenario(path)?,
        None => Scenario::parse(SCENARIO).map_err(|e| Refusal::new(e.to_string()))?,
    };
    let log = logging::start(cli, how)?;
    let lab = tempfile::Builder::new()
        .prefix("hemfleet-demo-")
        .tempdir()?;
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let sims = SimFleet::start(&scenario, &SimOptions::default()).await?;
        let inventory = sims.write_lab(lab.path())?.inventory;
        let target = Target {
            config: inventory,
            firmware: None,
            only: Vec::new(),
            concurrency: None,
            force: scenario.client.force,
        };
        let (settings, image) = run::load(&target)?;
        let secrets = SecretStore::resolve(
            &settings.devices,
            &mut TerminalPrompter,
            &config::process_env,
        )?;
        let devices = assemble::devices(&settings, |spec| secrets.credential(spec))?;
        let mut session = assemble::session(&settings, image, devices, Mode::Go)?;
        let mut interrupts = signals::interrupts()?;
        show::show(&mut session, how, &mut interrupts).await?;
        let fleet = session.fleet();
        show::summary(fleet, how, None, log.as_deref());
        let code = verdict(fleet, &scenario, &sims, how)?;
        sims.shutdown().await;
        Ok(code)
    });
    runtime.shutdown_background();
    code
}

/// Reads a scenario file.
pub(super) fn read_scenario(path: &Path) -> Result<Scenario, Refusal> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|e| Refusal::new(format!("scenario {shown} is not readable: {e}")))?;
    Scenario::parse(&text).map_err(|e| Refusal::new(format!("scenario {shown}: {e}")))
}

fn verdict(fleet: &Fleet, scenario: &Scenario, sims: &SimFleet, how: Show) -> io::Result<ExitCode> {
    if fleet.stop().is_some() {
        return Ok(Exit::Interrupted.into());
    }
    let surprises = foretold::surprises(fleet, scenario, sims);
    // Standard output is for JSON alone.
    let mut out: Box<dyn io::Write> = match how {
        Show::Json => Box::new(io::stderr()),
        _ => Box::new(io::stdout()),
    };
    if surprises.is_empty() {
        writeln!(out, "Every device ended as the scenario foretells.")?;
        return Ok(ExitCode::SUCCESS);
    }
    for surprise in surprises {
        writeln!(out, "not as foretold: {surprise}")?;
    }
    Ok(Exit::Failed.into())
}
