//! `hemfleet attach`: a run of another process, read from the journal while that process writes it.

use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::args::Cli;
use crate::cli::args::journal::Attach;
use crate::cli::output::show_session::{self, OutputMode, Presentation};
use crate::cli::output::{logging, read_only, stderr_and_log};
use crate::cli::{CliError, journal_file, runtime};
use crate::engine::{Fleet, FleetRun, Message};
use crate::journal::{Journal, JournalError, RunEntry};
use crate::model::{OnHangUp, RunId, ScreenSettings, counted};
use crate::report::Exit;

/// How often the journal is asked for more.
const POLL: Duration = Duration::from_millis(200);

/// After so many times without more, it is asked whether the process is there at all.
const QUIET: u32 = 5;

/// Messages that may wait to be shown.
const WAITING: usize = 1024;

/// `hemfleet attach`. It ends as the run does, or with 0 where it is left before.
pub(in crate::cli) fn attach(cli: &Cli, args: &Attach) -> Result<ExitCode, CliError> {
    let how = OutputMode::choose(&args.view)?;
    let journal = journal_file::existing(&args.journal)?.ok_or(CliError::NothingAlive)?;
    let run = match &args.run {
        Some(prefix) => journal.find(prefix)?,
        None => alive(&journal)?,
    };
    if !run.is_alive {
        return Err(CliError::NotAlive {
            run: run.run,
            unfinished: run.unfinished,
        });
    }
    let record = journal.record(&run.run)?;
    logging::start(cli, how)?;
    let presentation = Presentation {
        how,
        look: show_session::look(args.view.ascii),
        screen: ScreenSettings::default(),
        on_hang_up: OnHangUp::Drain,
    };
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let (tell, messages) = mpsc::channel(WAITING);
        let followed = tokio::spawn(follow(journal, run.run.clone(), tell));
        let mut session = FleetRun::following(record.facts, messages);
        read_only::show(&mut session, presentation, false).await?;
        let fleet = session.fleet();
        if !followed.is_finished() {
            // Left before its end.
            return Ok(ExitCode::SUCCESS);
        }
        followed.await.map_err(std::io::Error::other)??;
        Ok::<_, CliError>(ended(fleet))
    });
    runtime.shutdown_background();
    exit
}

/// The newest run that a process is at work on.
fn alive(journal: &Journal) -> Result<RunEntry, CliError> {
    let runs = journal.runs()?;
    runs.into_iter()
        .find(|run| run.is_alive)
        .ok_or(CliError::NothingAlive)
}

/// Says how the run ended that was watched to its end.
fn ended(fleet: &Fleet) -> ExitCode {
    let run = fleet.run();
    let left = counted(fleet.unfinished(), "device is", "devices are");
    if fleet.ended().is_none() {
        stderr_and_log::say(&format!(
            "the process of run {run} died: {left} not brought to an end\n\
             hint: hemfleet resume {run} asks each of them what it is now, and goes on\n"
        ));
        return Exit::Doubt.into();
    }
    if fleet.unfinished() > 0 {
        stderr_and_log::say(&format!(
            "run {run} was stopped: {left} not brought to an end\nhint: hemfleet resume {run} goes on with them\n"
        ));
    }
    Exit::of(fleet).into()
}

/// Hands on what is in the journal and what comes to it, until the run's process is gone and all has been read.
async fn follow(
    journal: Journal,
    run: RunId,
    tell: mpsc::Sender<Message>,
) -> Result<(), JournalError> {
    let mut journal = Some(journal);
    let mut last = 0;
    let mut quiet = 0;
    loop {
        let asks = quiet >= QUIET;
        let wanted = run.clone();
        let Some(reader) = journal.take() else {
            return Ok(());
        };
        let read = tokio::task::spawn_blocking(move || {
            // In this order: what a process writes before its end is read after it.
            let alive = if asks {
                reader.find(wanted.as_str()).map(|run| run.is_alive)
            } else {
                Ok(true)
            };
            let more = alive.and_then(|alive| Ok((alive, reader.messages_after(&wanted, last)?)));
            (reader, more)
        });
        // Only a panic or the end of this process keeps it from coming back.
        let Ok((reader, read)) = read.await else {
            return Ok(());
        };
        journal = Some(reader);
        let (alive, messages) = read?;
        quiet = if messages.is_empty() { quiet + 1 } else { 0 };
        for (seq, message) in messages {
            last = seq;
            if tell.send(message).await.is_err() {
                return Ok(());
            }
        }
        if !alive && quiet > 0 {
            return Ok(());
        }
        tokio::time::sleep(POLL).await;
    }
}
