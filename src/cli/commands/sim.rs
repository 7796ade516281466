//! `hemfleet sim`: serves simulated devices until it is stopped.

use std::io::{self, Write as _};
use std::process::ExitCode;

use crate::model::counted;
use crate::sim::{LabDir, PhoneAnswer, Scenario, SimDevice, SimFleet, SimOptions};

use crate::cli::args::{Cli, Sim};
use crate::cli::output::logging;
use crate::cli::output::plain_stdout::plain_stdout;
use crate::cli::output::show_session::OutputMode;
use crate::cli::process::{limits, signals};
use crate::cli::{CliError, load, runtime};

/// Serves until SIGINT, SIGTERM or SIGHUP.
pub(in crate::cli) fn sim(cli: &Cli, args: &Sim) -> Result<ExitCode, CliError> {
    logging::start(cli, OutputMode::Plain)?;
    let scenario = match &args.scenario {
        Some(path) => load::scenario(path)?,
        None => Scenario::plain(usize::from(args.devices)),
    };
    let options = SimOptions {
        listen: args.listen,
        port: args.port,
        http_port: args.http_port,
        broker: args.broker_listen,
        host: args.host.clone(),
        ..SimOptions::default()
    };
    limits::make_room_for_simulated(scenario.devices.len());
    let runtime = runtime()?;
    let done = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let sims = SimFleet::start(&scenario, &options).await?;
        let lab = sims.write_lab(&args.dir)?;
        let mut out = plain_stdout();
        print_lab(&mut out, &sims, &lab)?;
        out.flush()?;
        drop(out);
        interrupts.recv().await;
        sims.shutdown().await;
        Ok(ExitCode::SUCCESS)
    });
    runtime.shutdown_background();
    done
}

/// Everything that somebody needs who wants to talk to the devices.
fn print_lab(out: &mut impl io::Write, sims: &SimFleet, lab: &LabDir) -> io::Result<()> {
    let devices = sims.devices();
    writeln!(
        out,
        "{}: {}",
        counted(devices.len(), "simulated device", "simulated devices"),
        sims.scenario().about
    )?;
    for device in devices {
        let script = device.script();
        let scheme = script.scheme.as_str();
        write!(
            out,
            "  {:<16} {scheme}://{} at {}",
            device.name(),
            script.host(),
            device.addr()
        )?;
        match device.http_addr() {
            Some(http) if http == device.addr() => writeln!(out, ", and plain HTTP as well")?,
            Some(http) => writeln!(out, ", plain HTTP at {http}")?,
            None => writeln!(out)?,
        }
    }
    writeln!(out, "broker at {}", sims.broker_url())?;
    writeln!(out, "CA of both in {}", lab.ca.display())?;
    accepted(out, lab, devices.len())?;
    phones(out, devices)?;
    writeln!(
        out,
        "try: hemfleet run -c {}\nCtrl-C stops them.",
        lab.inventory.display()
    )
}

/// Every credential that simulated devices accept. They are public: each simulator has the same, but for tokens,
/// which are worth nothing elsewhere.
fn accepted(out: &mut impl io::Write, lab: &LabDir, devices: usize) -> io::Result<()> {
    for credential in &lab.accepted {
        let by = everybody(&credential.devices, devices);
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

/// What comes of requests to the phones.
fn phones(out: &mut impl io::Write, devices: &[SimDevice]) -> io::Result<()> {
    let mut told: Vec<(String, Vec<String>)> = Vec::new();
    for device in devices.iter().filter(|d| !d.script().fresh) {
        let answers: Vec<_> = device
            .script()
            .phone
            .answer
            .iter()
            .copied()
            .map(word)
            .collect();
        let (words, name) = (answers.join(", then "), device.name().to_owned());
        match told.iter_mut().find(|(known, _)| *known == words) {
            Some((_, names)) => names.push(name),
            None => told.push((words, vec![name])),
        }
    }
    for (words, names) in told {
        writeln!(
            out,
            "the phone of {} {words}",
            everybody(&names, devices.len())
        )?;
    }
    Ok(())
}

/// What a phone's owner does with a request.
fn word(answer: PhoneAnswer) -> &'static str {
    match answer {
        PhoneAnswer::Approve => "approves",
        PhoneAnswer::Deny => "refuses",
        PhoneAnswer::Expire => "lets requests expire",
        PhoneAnswer::Never => "does not answer",
    }
}

fn everybody(names: &[String], devices: usize) -> String {
    if names.len() == devices {
        "all".to_owned()
    } else {
        names.join(", ")
    }
}
