//! `hemfleet replay`: a run of the journal, or of a file that `hemfleet history export` wrote, is shown again. Its pace is
//! `engine::replay`.

use std::fs::File;
use std::io::BufReader;
use std::path::{MAIN_SEPARATOR, Path};
use std::process::ExitCode;

use crate::cli::args::Cli;
use crate::cli::args::journal::Replay;
use crate::cli::journal_file;
use crate::cli::output::show_session::{self, OutputMode, Presentation};
use crate::cli::output::{logging, read_only, stderr_and_log};
use crate::cli::{CliError, journal_lines, runtime};
use crate::engine::{self, FleetRun};
use crate::journal::{self, JournalledRun};
use crate::model::{OnHangUp, ScreenSettings};

/// `hemfleet replay`. It ends with 0 once the run was shown, however the run itself ended.
pub(in crate::cli) fn replay(cli: &Cli, args: &Replay) -> Result<ExitCode, CliError> {
    let how = OutputMode::choose(&args.view)?;
    if args.step && how != OutputMode::Tui {
        return Err(CliError::StepWithoutDashboard);
    }
    let Wanted { run, goes_on } = wanted(args)?;
    logging::start(cli, how)?;
    let mut session = FleetRun::replaying(run.record.facts, run.messages);
    if goes_on {
        session = session.going_on();
    }
    if let Some(replay) = session.replay_mut() {
        if let Some(speed) = args.speed {
            replay.set_speed(speed);
        }
        replay.pause(args.step);
    }
    let presentation = Presentation {
        how,
        look: show_session::look(args.view.ascii),
        screen: ScreenSettings::default(),
        on_hang_up: OnHangUp::Drain,
        journal: Some(journal_file::option()),
    };
    let runtime = runtime()?;
    let at_once = args.speed.is_none();
    let shown = runtime.block_on(read_only::show(&mut session, presentation, at_once));
    runtime.shutdown_background();
    shown?;
    let fleet = session.fleet();
    // Of a run whose reader went away nothing is known yet: its end was not shown.
    let is_shown = session.replay().is_some_and(engine::Replay::is_over);
    if how != OutputMode::Tui && is_shown && fleet.ended().is_none() {
        let run = fleet.run();
        stderr_and_log::say(&if goes_on {
            format!(
                "run {run} goes on: hemfleet attach {run}{} shows it\n",
                journal_file::option()
            )
        } else {
            format!("the process of run {run} died here\n")
        });
    }
    Ok(ExitCode::SUCCESS)
}

/// The run that is to be shown.
struct Wanted {
    run: JournalledRun,
    /// Whether a process is at work on it.
    goes_on: bool,
}

fn wanted(args: &Replay) -> Result<Wanted, CliError> {
    match &args.run {
        Some(name) if is_file(name) => Ok(Wanted {
            run: read(Path::new(name))?,
            goes_on: false,
        }),
        named => {
            let (journal, run) = journal_lines::run_of(&args.journal, named.as_deref())?;
            Ok(Wanted {
                // In this order: what it writes at its end is read, or it is still there.
                goes_on: run.is_alive,
                run: journal.load(&run.run)?,
            })
        }
    }
}

/// Whether a file is meant, and not a run of the journal: those are named by hexadecimal digits alone.
fn is_file(name: &str) -> bool {
    name.contains(MAIN_SEPARATOR) || name.contains('.') || Path::new(name).is_file()
}

fn read(path: &Path) -> Result<JournalledRun, CliError> {
    let not_read = |source| CliError::NoRunFile {
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(|e| not_read(e.into()))?;
    journal::read_run(BufReader::new(file)).map_err(not_read)
}
