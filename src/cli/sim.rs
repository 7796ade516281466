//! `hemfleet sim`: serves simulated devices until stopped. Must not: upgrade anything.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::sim::{Lab, Scenario, SimFleet, SimOptions};

use super::args::{Cli, Sim};
use super::show::Show;
use super::{Refusal, demo, logging, runtime, signals};

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(super) fn sim(cli: &Cli, args: &Sim) -> Result<ExitCode, Refusal> {
    logging::start(cli, Show::Plain)?;
    let scenario = match &args.scenario {
        Some(path) => demo::read_scenario(path)?,
        None => Scenario::plain(usize::from(args.devices)),
    };
    let options = SimOptions {
        listen: args.listen,
        first_port: args.port,
        ..SimOptions::default()
    };
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let sims = SimFleet::start(&scenario, &options).await?;
        let lab = sims.write_lab(&args.dir)?;
        let mut out = io::stdout().lock();
        writeln!(
            out,
            "{} simulated devices: {}",
            sims.devices().len(),
            scenario.about
        )?;
        for device in sims.devices() {
            writeln!(out, "  {:<16} {}", device.name(), device.addr())?;
        }
        writeln!(out, "broker at {}", sims.broker_url())?;
        accepted(&mut out, &lab, sims.devices().len())?;
        writeln!(
            out,
            "try: hemfleet run -c {}\nCtrl-C stops them.",
            lab.inventory.display()
        )?;
        out.flush()?;
        drop(out);
        interrupts.recv().await;
        sims.shutdown().await;
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_background();
    done
}

/// Every credential that simulated devices accept. They are public: each simulator has the same, but for tokens,
/// which are worth nothing elsewhere.
fn accepted(out: &mut impl io::Write, lab: &Lab, devices: usize) -> io::Result<()> {
    for credential in &lab.accepted {
        let by = if credential.devices.len() == devices {
            "all".to_owned()
        } else {
            credential.devices.join(", ")
        };
        let at = lab.inventory.with_file_name(&credential.file);
        writeln!(
            out,
            "accepted by {by}: {} in {}",
            credential.kind,
            at.display()
        )?;
        writeln!(out, "  {}", credential.value)?;
    }
    Ok(())
}
