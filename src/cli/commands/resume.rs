//! `hemfleet resume`: goes on with a run whose process died, or was stopped, as one run with its former history.

use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::cli::args::Cli;
use crate::cli::args::journal::Resume;
use crate::cli::device_locks::DeviceLocks;
use crate::cli::drift::Drift;
use crate::cli::earlier_runs::EarlierRuns;
use crate::cli::journal_file::{self, RunJournal};
use crate::cli::locks_and_secrets::{devices_with_secrets, nothing_sent, take_locks};
use crate::cli::output::last_words;
use crate::cli::output::report_files::ReportFiles;
use crate::cli::output::show_session::{self, Ending, OutputMode, Presentation};
use crate::cli::output::{logging, stderr_and_log};
use crate::cli::process::{limits, signals};
use crate::cli::run_context::Who;
use crate::cli::start_gate::StartGate;
use crate::cli::{CliError, load, runtime, wiring};
use crate::config::Settings;
use crate::engine::{Fleet, FleetRun, Mode, Reopened, StopSignal};
use crate::journal::{Journal, JournalError, RunEntry, RunRecord};
use crate::model::{DeviceId, OnHangUp, Payload, RunId};
use crate::report::Exit;

/// Why a run cannot be gone on with. Nothing was sent to any device.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    /// There is no unfinished run.
    #[error("no run is unfinished")]
    NothingLeft,
    /// The run has come to its end.
    #[error("run {0} is finished: nothing is left to do")]
    Finished(RunId),
    /// The images or the devices are not those of the run.
    #[error("run {run} cannot go on as it was:{changes}")]
    Changed {
        /// The run.
        run: RunId,
        /// What has changed.
        changes: String,
    },
    /// Another run has sent an install to one of its devices later.
    #[error("{device} is in doubt since run {later}, which was at work on it after run {run}")]
    Later {
        /// The run.
        run: RunId,
        /// The other one.
        later: RunId,
        /// The device.
        device: DeviceId,
    },
    /// The inventory has changed where it does no harm, and nobody has accepted that.
    #[error("the inventory has changed since run {run}:{changes}")]
    Drift {
        /// The run.
        run: RunId,
        /// What has changed.
        changes: String,
    },
}

impl ResumeError {
    /// What to do about it.
    pub fn hint(&self) -> String {
        let journal = journal_file::option();
        match self {
            Self::NothingLeft => format!("hemfleet history{journal} lists the runs"),
            Self::Finished(run) => format!("hemfleet report {run}{journal} tells how it ended"),
            Self::Later { run, later, .. } => {
                format!("hemfleet resume {later}{journal} first, then hemfleet resume {run}{journal}; or begin a new run, which watches all of them")
            }
            Self::Changed { .. } => "name the very image with --firmware or --app, put the inventory right, or begin a new \
                 run: it asks each device what it is, and watches those in doubt that are reached as before"
                .to_owned(),
            Self::Drift { .. } => "look at these changes, then say --accept-drift: devices that are gone are left alone, the \
                 rest applies from now on"
                .to_owned(),
        }
    }
}

/// `hemfleet resume`.
pub(in crate::cli) fn resume(cli: &Cli, args: &Resume) -> Result<Exit, CliError> {
    let how = OutputMode::choose(&args.view)?;
    let asks = !args.yes && how != OutputMode::Tui;
    if asks && (how == OutputMode::Json || !io::stdin().is_terminal()) {
        return Err(CliError::NoTerminalToConfirm);
    }
    let reports = ReportFiles::open(&args.reports.files)?;
    let log = logging::start(cli, how)?;
    let Some(journal) = journal_file::existing_by(&args.journal, args.config.as_deref())? else {
        return Err(ResumeError::NothingLeft.into());
    };
    let entry = chosen(&journal, args.run.as_deref())?;
    let id = entry.run;
    stderr_and_log::of_run(&id);
    // From here on no other process writes it.
    let writer = journal.go_on(&id)?;
    let run = journal.load(&id)?;
    let left = Left::of(&run.record, run.fold(), args)?;
    limits::ensure_files_and_locks(left.settings.concurrency, left.settings.devices.len())?;
    let locks = DeviceLocks::new(&id, &left.settings.devices).map_err(nothing_sent)?;
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let interrupts = signals::interrupts()?;
        let resumption = Resumption {
            args,
            how,
            log,
            reports,
            interrupts,
            journalled: RunJournal::of(run.record.facts, writer),
            journal,
        };
        resumption.go(left, &locks).await
    });
    runtime.shutdown_background();
    drop(locks);
    exit
}

/// The run that is meant: by its name, or the newest that is unfinished.
fn chosen(journal: &Journal, named: Option<&str>) -> Result<RunEntry, CliError> {
    let entry = if let Some(prefix) = named {
        journal.find(prefix)?
    } else {
        let mut runs = journal.runs()?.into_iter();
        let mut alive = None;
        let newest = runs.find(|entry| {
            if entry.is_alive {
                alive.get_or_insert_with(|| entry.clone());
            }
            entry.unfinished && !entry.is_alive
        });
        newest.or(alive).ok_or(ResumeError::NothingLeft)?
    };
    if entry.is_alive {
        let (run, pid) = (entry.run, entry.holder);
        return Err(JournalError::Alive { run, pid }.into());
    }
    if !entry.unfinished {
        return Err(ResumeError::Finished(entry.run).into());
    }
    Ok(entry)
}

/// What is left of a run, and what it is gone on with.
struct Left {
    fleet: Fleet,
    settings: Settings,
    payload: Payload,
    gone: Vec<DeviceId>,
}

impl Left {
    /// Loads what the run was started with, and compares it with what is there now.
    fn of(record: &RunRecord, fleet: Fleet, args: &Resume) -> Result<Self, CliError> {
        let inventory = args
            .config
            .clone()
            .unwrap_or_else(|| PathBuf::from(&record.context.inventory));
        let file = |given: &Option<PathBuf>, was: &Option<String>| {
            given.clone().or_else(|| was.as_ref().map(PathBuf::from))
        };
        let firmware = file(&args.firmware, &record.context.firmware);
        let app = file(&args.app, &record.context.app);
        let (mut settings, payload) = load::again(&inventory, (firmware, app), record)?;
        let unfinished = unfinished(&fleet);
        let drift = Drift::of(record, &unfinished, &settings, &payload.facts());
        let run = record.facts.run.clone();
        if !drift.fatal.is_empty() {
            let changes = Drift::lines(&drift.fatal);
            return Err(ResumeError::Changed { run, changes }.into());
        }
        if !drift.harmless.is_empty() {
            let changes = Drift::lines(&drift.harmless);
            if !args.accept_drift {
                return Err(ResumeError::Drift { run, changes }.into());
            }
            stderr_and_log::say(&format!("accepted:{changes}\n"));
        }
        settings.devices = drift.devices;
        Ok(Self {
            fleet,
            settings,
            payload,
            gone: drift.gone,
        })
    }
}

/// The devices that something is left to do on.
fn unfinished(fleet: &Fleet) -> Vec<DeviceId> {
    let left = fleet.devices().iter().filter(|d| d.is_unfinished());
    left.map(|device| device.id.clone()).collect()
}

/// A run on its way again.
struct Resumption<'a> {
    args: &'a Resume,
    how: OutputMode,
    log: Option<PathBuf>,
    reports: ReportFiles,
    interrupts: mpsc::Receiver<StopSignal>,
    journalled: RunJournal,
    journal: Journal,
}

impl Resumption<'_> {
    async fn go(mut self, left: Left, locks: &Arc<DeviceLocks>) -> Result<Exit, CliError> {
        // Nobody else is to work on a device from the first question on.
        if !take_locks(locks, &mut self.interrupts).await? {
            return Ok(Exit::Interrupted);
        }
        let look = show_session::look(self.args.view.ascii);
        let mut presentation = Presentation {
            how: self.how,
            look,
            screen: left.settings.screen,
            on_hang_up: left.settings.on_hang_up,
            journal: Some(journal_file::option()),
        };
        if self.args.detach {
            presentation.on_hang_up = OnHangUp::Finish;
        }
        let keep = left.settings.journal.keep;
        let Some(mut session) = self.session(left).await? else {
            return Ok(Exit::Interrupted);
        };
        let (journal, run) = (
            self.journal.path().to_path_buf(),
            session.fleet().run().clone(),
        );
        let gate = StartGate::begins_again(locks, journal, run);
        if self.args.yes {
            // Nobody confirms.
            self.journal.at_work_again(session.fleet().run())?;
        }
        let (how, reports, interrupts) = (self.how, &mut self.reports, &mut self.interrupts);
        let told =
            show_session::show(&mut session, presentation, &gate, reports, interrupts).await?;
        let fleet = session.fleet();
        if self.journalled.finish(fleet) {
            journal_file::prune(&self.journal, keep);
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
        last_words::how_to_go_on(fleet, true, self.log.is_some());
        Ok(exit)
    }

    /// The session over what is left, once its secrets are read.
    async fn session(&mut self, left: Left) -> Result<Option<FleetRun>, CliError> {
        let settings = &left.settings;
        let earlier = self.others(&left)?;
        let Some(devices) = devices_with_secrets(settings, &mut self.interrupts).await? else {
            return Ok(None);
        };
        let refused = left.fleet.refused_logins();
        let devices = devices.into_iter().map(|(id, device)| {
            let times = refused.get(&id).copied().unwrap_or_default();
            (id, device.after_refused_logins(times))
        });
        let devices = devices.collect();
        let reopened = Reopened {
            by: Who::this_process().to_string(),
            mode: if self.args.yes {
                Mode::Go
            } else {
                Mode::Confirm
            },
            concurrency: left.settings.concurrency,
            max_failures: self.args.max_failures,
            gone: left.gone,
            earlier: earlier.installs(&settings.devices),
            refused: earlier.refusals(&settings.devices),
        };
        let kept = self.journalled.kept();
        let policy = &left.settings.policy;
        let session = wiring::session_over(left.fleet, policy, left.payload, devices, kept);
        Ok(Some(session.reopened(reopened)))
    }

    /// What other runs left on the devices by now.
    fn others(&self, left: &Left) -> Result<EarlierRuns, CliError> {
        let (fleet, devices) = (&left.fleet, &left.settings.devices);
        let payload = left.payload.facts();
        let earlier = EarlierRuns::of(
            &self.journal,
            devices,
            payload.firmware.as_ref(),
            fleet.run(),
        )?;
        let in_doubt = earlier.installs(devices);
        let mut pending = fleet
            .devices()
            .iter()
            .filter(|d| d.open_install().is_some());
        // It is under the newer install: that one's run watches it.
        if let Some(device) = pending.find(|device| in_doubt.contains_key(&device.id)) {
            return Err(CliError::Resume(ResumeError::Later {
                run: fleet.run().clone(),
                later: in_doubt[&device.id].run.clone(),
                device: device.id.clone(),
            }));
        }
        earlier.say(devices);
        Ok(earlier)
    }
}
