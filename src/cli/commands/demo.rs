//! `hemfleet demo`: a real run over simulated devices on real sockets, compared with what its scenario expects.
//! Inventory, secrets and TLS go the same way as in `hemfleet run`.

mod folder;

use std::process::ExitCode;

use crate::engine::{Fleet, Mode};
use crate::journal::Journal;
use crate::report::Exit;
use crate::sim::{self, Scenario, SimFleet, SimOptions};

use self::folder::DemoFolder;
use crate::cli::args::{Cli, Components, Demo, Inventory, Selection, Target};
use crate::cli::device_locks::DeviceLocks;
use crate::cli::journal_file::RunJournal;
use crate::cli::locks_and_secrets::{devices_with_secrets, take_locks};
use crate::cli::output::report_files::ReportFiles;
use crate::cli::output::show_session::{self, Ending, OutputMode, Presentation};
use crate::cli::output::{logging, stderr_and_log, stdout_writer};
use crate::cli::process::{limits, signals};
use crate::cli::run_context::run_context;
use crate::cli::start_gate::StartGate;
use crate::cli::{CliError, load, runtime, scenario_verdict, wiring};

/// The demo's scenario: one of those that the tests run.
const SCENARIO: &str = include_str!("../../../tests/scenarios/demo.toml");

/// Runs the demo. Exit code 0 where every device ended as the scenario expects.
pub(in crate::cli) fn demo(cli: &Cli, args: &Demo) -> Result<ExitCode, CliError> {
    let how = OutputMode::choose(&args.view)?;
    let scenario = match &args.scenario {
        Some(path) => load::scenario(path)?,
        None => Scenario::parse(SCENARIO)?,
    };
    let mut reports = ReportFiles::open(&args.reports.files)?;
    let look = show_session::look(args.view.ascii);
    let log = logging::start(cli, how)?;
    let lab = DemoFolder::make()?;
    limits::make_room_for_simulated(scenario.devices.len() * 2);
    let runtime = runtime()?;
    let code = runtime.block_on(async {
        let sims = SimFleet::start(&scenario, &SimOptions::default()).await?;
        let inventory = sims.write_lab(lab.path())?.inventory;
        let target = Target {
            select: Selection {
                inventory: Inventory { config: inventory },
                only: Vec::new(),
                concurrency: None,
            },
            component: match scenario.client.component {
                None | Some(sim::Component::Firmware) => Components::Firmware,
                Some(sim::Component::Ui) => Components::Ui,
                Some(sim::Component::Both) => Components::Both,
            },
            firmware: None,
            app: None,
            force: scenario.client.force,
            require_same_key: false,
            // Whatever the scenario makes of its image is what it wants to show.
            force_image: true,
            allow_downgrade: false,
            resend_refused: false,
            take_replaced: false,
        };
        let (settings, payload) = load::run(&target)?;
        let mut interrupts = signals::interrupts()?;
        let run = wiring::run_id()?;
        // Locks of its own: its devices are nobody else's, whatever runs beside it.
        let locks = DeviceLocks::within(lab.path().join("locks"), &run, &settings.devices);
        if !take_locks(&locks, &mut interrupts).await? {
            return Ok(Exit::Interrupted.into());
        }
        let Some(devices) = devices_with_secrets(&settings, &mut interrupts).await? else {
            return Ok(Exit::Interrupted.into());
        };
        let facts = wiring::facts(run, &settings, payload.facts(), Mode::Go);
        let context = run_context(&settings, &payload, &target.select.inventory.config);
        let journal = Journal::open(&lab.path().join("journal.db"))?;
        let journalled = RunJournal::begin(Some(&journal), facts, context)?;
        let mut session = wiring::session_over(
            journalled.fleet(),
            &settings.policy,
            payload,
            devices,
            journalled.kept(),
        );
        let told = show_session::show(
            &mut session,
            Presentation {
                how,
                look,
                screen: settings.screen,
                on_hang_up: settings.on_hang_up,
                journal: Some(""),
            },
            &StartGate::new(&locks, None),
            &mut reports,
            &mut interrupts,
        )
        .await?;
        let fleet = session.fleet();
        reports
            .finish(fleet, Exit::of(fleet), &mut interrupts)
            .await;
        journalled.finish(fleet);
        let ending = Ending {
            exit: None,
            log: log.as_deref(),
            reports: reports.written(),
            told,
        };
        show_session::summary(fleet, how, look, ending, &mut interrupts).await;
        let (code, text) = verdict(fleet, &scenario, &sims);
        // Standard output is for JSON alone. The exit code says it too, so a lost line is no harm.
        if how == OutputMode::Json || !told {
            stderr_and_log::say(&text);
        } else {
            stdout_writer::print(text.into_bytes(), fleet.stop().is_some(), &mut interrupts).await;
        }
        sims.shutdown().await;
        if code == ExitCode::SUCCESS && reports.is_missing() {
            return Ok(Exit::NoReport.into());
        }
        Ok(code)
    });
    runtime.shutdown_background();
    code
}

/// The exit code, and what there is to say of it.
fn verdict(fleet: &Fleet, scenario: &Scenario, sims: &SimFleet) -> (ExitCode, String) {
    if fleet.stop().is_some() {
        return (Exit::Interrupted.into(), String::new());
    }
    let mismatches = scenario_verdict::mismatches(fleet, scenario, sims);
    if mismatches.is_empty() {
        let text = "Every device ended as the scenario expects.\n".to_owned();
        return (ExitCode::SUCCESS, text);
    }
    (Exit::Failed.into(), mismatches.join("\n") + "\n")
}
