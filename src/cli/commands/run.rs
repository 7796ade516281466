//! `hemfleet plan` and `hemfleet run`. How a run is shown is in `cli::output`.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::config::Settings;
use crate::engine::{Fleet, FleetRun, Intent, Mode, RunFacts, StopSignal};
use crate::journal::Journal;
use crate::model::{Credential, DeviceId, OnExpired, OnHangUp, Payload, RunId};
use crate::report::{Exit, JsonLines, Reporter, plan_table};

use super::fetch;
use crate::cli::args::{Cli, Plan, Run};
use crate::cli::device_locks::DeviceLocks;
use crate::cli::earlier_runs::EarlierRuns;
use crate::cli::journal_file::{self, RunJournal};
use crate::cli::locks_and_secrets::{devices_with_secrets, nothing_sent, take_locks};
use crate::cli::output::headless_loop::{self, LookOnly};
use crate::cli::output::last_words;
use crate::cli::output::logging;
use crate::cli::output::report_files::ReportFiles;
use crate::cli::output::show_session::{self, Ending, OutputMode, Presentation};
use crate::cli::output::stdout_writer::{self, OutputBuffer};
use crate::cli::process::{limits, signals};
use crate::cli::run_context::run_context;
use crate::cli::start_gate::{StartGate, Told};
use crate::cli::wiring::Kept;
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
    let mut reports = ReportFiles::open(&args.reports.files)?;
    let look = show_session::look(args.ascii);
    // A plan needs no secret, so none is read.
    let devices = wiring::devices(&settings, |_| Credential::None)?;
    let facts = payload.facts();
    let mut facts = wiring::facts(wiring::run_id()?, &settings, facts, Mode::Plan);
    let journal = journal_file::existing_of(&args.journal, &settings.journal);
    let firmware = payload.facts().firmware;
    let devices_of = &settings.devices;
    let earlier = EarlierRuns::as_far_as_known(journal, devices_of, firmware.as_ref(), &facts.run);
    earlier.tell(&mut facts.devices, &settings.devices);
    earlier.say(&settings.devices);
    let kept = Kept::nowhere();
    let mut session =
        wiring::session_over(Fleet::of(facts), &settings.policy, payload, devices, kept);
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        let written = OutputBuffer::default();
        let mut json = JsonLines::new(written.clone());
        let is_json = args.format.is_json();
        let reporter: &mut dyn Reporter = if is_json {
            &mut json
        } else {
            &mut headless_loop::Silent
        };
        let look_only = LookOnly {
            reporter,
            written,
            verb: "looked at",
            look,
        };
        let (told, exit) = look_only
            .run(&mut session, &mut reports, &mut interrupts)
            .await;
        let fleet = session.fleet();
        if told && !is_json {
            let mut text = Vec::new();
            plan_table(fleet, &mut text, look)?;
            stdout_writer::print(text, fleet.stop().is_some(), &mut interrupts).await;
        }
        Ok(exit)
    });
    runtime.shutdown_background();
    exit
}

/// `hemfleet run`.
pub(in crate::cli) fn run(cli: &Cli, args: &Run) -> Result<Exit, CliError> {
    let how = OutputMode::choose(&args.view)?;
    let asks = !args.yes && how != OutputMode::Tui;
    if asks && (how == OutputMode::Json || !io::stdin().is_terminal()) {
        return Err(CliError::NoTerminalToConfirm);
    }
    let (mut settings, payload) = load::run(&args.target)?;
    if let Some(max_failures) = args.max_failures {
        settings.rollout.max_failures = max_failures;
    }
    if args.detach {
        settings.on_hang_up = OnHangUp::Finish;
    }
    if args.keep.no_journal && settings.on_hang_up == OnHangUp::Finish {
        return Err(CliError::UnseenWithoutJournal);
    }
    let journal = journal_file::for_run(&args.keep, &settings.journal)?;
    let reports = ReportFiles::open(&args.reports.files)?;
    let log = logging::start(cli, how)?;
    let run = wiring::run_id()?;
    // Each lock is an open file.
    limits::ensure_files_and_locks(settings.concurrency, settings.devices.len())?;
    // Held until the runtime is gone, and every task with it.
    let locks = DeviceLocks::new(&run, &settings.devices).map_err(nothing_sent)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let rollout = Rollout {
            args,
            how,
            run,
            settings,
            payload,
            log,
            reports,
            interrupts: signals::interrupts()?,
            journal,
        };
        rollout.go(&locks).await
    });
    runtime.shutdown_background();
    drop(locks);
    exit
}

/// A run on its way.
struct Rollout<'a> {
    args: &'a Run,
    how: OutputMode,
    run: RunId,
    settings: Settings,
    payload: Payload,
    log: Option<PathBuf>,
    reports: ReportFiles,
    interrupts: mpsc::Receiver<StopSignal>,
    journal: Option<Journal>,
}

impl Rollout<'_> {
    async fn go(mut self, locks: &Arc<DeviceLocks>) -> Result<Exit, CliError> {
        let mode = if self.args.yes {
            Mode::Go
        } else {
            Mode::Confirm
        };
        // Nobody confirms: the locks come first, before the first request, and before anybody is asked for a secret.
        if self.args.yes && !take_locks(locks, &mut self.interrupts).await? {
            return Ok(self.stopped(mode, &[]).await);
        }
        if !self.args.target.wants_latest() {
            return self.upgrade(locks, mode, &[]).await;
        }
        let dir = load::folder_of(&self.args.target.select.inventory.config);
        let latest = fetch::latest(&self.settings, &dir, &mut self.interrupts).await?;
        let Some(latest) = latest else {
            return Ok(self.stopped(mode, &[]).await);
        };
        let not_asked = latest.not_asked;
        self.say_left_out(&not_asked)?;
        if let Some(offer) = latest.offer {
            let devices = &mut self.settings.devices;
            devices.retain(|spec| offer.devices.contains(&spec.id));
            self.payload.firmware = Some(offer.image);
            // Whoever goes on with the run finds it there.
            self.settings.firmware = Some(offer.path);
            return self.upgrade(locks, mode, &not_asked).await;
        }
        self.settings.devices.clear();
        if self.how == OutputMode::Json {
            // A run without devices, so that scripts still read its first and last event.
            return self.upgrade(locks, Mode::Go, &not_asked).await;
        }
        let session = self.idle(Mode::Go, &not_asked);
        let reports = &mut self.reports;
        Ok(reports.finish_unbegun(session, &mut self.interrupts).await)
    }

    /// Opens the session, shows it to its end, and says how it ended.
    async fn upgrade(
        mut self,
        locks: &Arc<DeviceLocks>,
        mode: Mode,
        not_asked: &[DeviceId],
    ) -> Result<Exit, CliError> {
        let opened = devices_with_secrets(&self.settings, &mut self.interrupts).await?;
        let Some(devices) = opened else {
            return Ok(self.stopped(mode, not_asked).await);
        };
        let inventory = &self.args.target.select.inventory.config;
        let context = run_context(&self.settings, &self.payload, inventory);
        let mut facts = self.facts(mode, not_asked);
        let gate = StartGate::new(locks, self.told(mode, &mut facts)?);
        let journalled = RunJournal::begin(self.journal.as_ref(), facts, context)?;
        let (fleet, policy) = (journalled.fleet(), &self.settings.policy);
        let (payload, kept) = (self.payload.clone(), journalled.kept());
        let mut session = wiring::session_over(fleet, policy, payload, devices, kept);
        let interrupts = &mut self.interrupts;
        let look = show_session::look(self.args.view.ascii);
        let (how, reports) = (self.how, &mut self.reports);
        let presentation = Presentation {
            how,
            look,
            screen: self.settings.screen,
            on_hang_up: self.settings.on_hang_up,
            journal: self.journal.is_some().then(journal_file::option),
        };
        let told =
            show_session::show(&mut session, presentation, &gate, reports, interrupts).await?;
        let fleet = session.fleet();
        // Before anything that somebody may be waited for.
        if journalled.finish(fleet)
            && let Some(journal) = &self.journal
        {
            journal_file::prune(journal, self.settings.journal.keep);
        }
        if let Some(refused) = gate.refused() {
            reports.finish(fleet, Exit::Usage, interrupts).await;
            return Err(refused);
        }
        let exit = reports.finish(fleet, Exit::of(fleet), interrupts).await;
        let ending = Ending {
            exit: Some(exit),
            log: self.log.as_deref(),
            reports: reports.written(),
            told,
        };
        show_session::summary(fleet, how, look, ending, interrupts).await;
        last_words::how_to_go_on(fleet, !self.args.keep.no_journal, self.log.is_some());
        Ok(exit)
    }

    /// Devices that are in doubt may be rebooting, and answer nobody.
    fn say_left_out(&self, not_asked: &[DeviceId]) -> Result<(), CliError> {
        if let Some(journal) = &self.journal {
            let mut devices = self.settings.devices.clone();
            devices.retain(|spec| not_asked.contains(&spec.id));
            EarlierRuns::of(journal, &devices, None, &self.run)?.say_left_out(&devices);
        }
        Ok(())
    }

    /// Tells the devices what other runs left behind. Where a person confirms the plan, other runs may leave more until then:
    /// what was told is compared before the start.
    fn told(&self, mode: Mode, facts: &mut RunFacts) -> Result<Option<Told>, CliError> {
        let firmware = facts.payload.firmware.clone();
        let (run, devices) = (&self.run, &self.settings.devices);
        let (path, earlier) = if let Some(journal) = &self.journal {
            let earlier = EarlierRuns::of(journal, devices, firmware.as_ref(), run)?;
            (Some(journal.path().to_path_buf()), earlier)
        } else {
            let there = journal_file::existing_of(&self.args.keep.journal, &self.settings.journal);
            let path = there.as_ref().ok().and_then(Option::as_ref);
            let path = path.map(|journal| journal.path().to_path_buf());
            let earlier = EarlierRuns::as_far_as_known(there, devices, firmware.as_ref(), run);
            (path, earlier)
        };
        earlier.tell(&mut facts.devices, devices);
        earlier.say(devices);
        let path = path.filter(|_| mode == Mode::Confirm);
        Ok(path.map(|journal| Told {
            journal,
            is_kept: self.journal.is_some(),
            run: run.clone(),
            firmware,
            devices: devices.clone(),
            earlier,
        }))
    }

    /// An interrupt came before the first request of the run itself.
    async fn stopped(mut self, mode: Mode, not_asked: &[DeviceId]) -> Exit {
        let mut session = self.idle(mode, not_asked);
        session.intend(Intent::Interrupt);
        let reports = &mut self.reports;
        reports.finish_unbegun(session, &mut self.interrupts).await
    }

    fn idle(&self, mode: Mode, not_asked: &[DeviceId]) -> FleetRun {
        wiring::idle_session(self.facts(mode, not_asked))
    }

    fn facts(&self, mode: Mode, not_asked: &[DeviceId]) -> RunFacts {
        let payload = self.payload.facts();
        RunFacts {
            not_asked: not_asked.to_vec(),
            ..wiring::facts(self.run.clone(), &self.settings, payload, mode)
        }
    }
}
