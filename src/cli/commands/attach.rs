//! `hemfleet attach`: a run of another process, read from the journal while that process writes it.

use std::io;
use std::pin::pin;
use std::process::ExitCode;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::cli::args::Cli;
use crate::cli::args::journal::Attach;
use crate::cli::output::show_session::{self, OutputMode, Presentation};
use crate::cli::output::{logging, read_only, stderr_and_log};
use crate::cli::{CliError, journal_file, runtime};
use crate::engine::{Fact, Fleet, FleetRun, Message};
use crate::journal::{Journal, JournalError, RunEntry};
use crate::model::{OnHangUp, RunId, ScreenSettings, counted};
use crate::report::Exit;

/// How often the journal is asked for more.
const POLL: Duration = Duration::from_millis(200);

/// After so many times without more, it is asked whether the process is there at all.
const QUIET: u32 = 5;

/// Messages that may wait to be shown.
const WAITING: usize = 1024;

/// `hemfleet attach`. Its exit code is what the devices of the run come to, or 0 where it is left before. What the run's
/// process alone knows is no part of that: a report that could not be written (5), devices that another run holds (2).
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
        journal: Some(journal_file::option()),
    };
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let (tell, messages) = mpsc::channel(WAITING);
        let mut followed = tokio::spawn(follow(journal, run.run, tell.clone()));
        let mut session = FleetRun::following(record.facts, messages);
        // While it is there the run is not over, also where the journal cannot be read any more.
        let mut open = Some(tell);
        {
            let mut shown = pin!(read_only::show(&mut session, presentation, false));
            loop {
                tokio::select! {
                    shown = &mut shown => break shown?,
                    ended = &mut followed, if open.is_some() => {
                        ended.map_err(io::Error::other)??;
                        open = None;
                    }
                }
            }
        }
        let fleet = session.fleet();
        let left = open.is_some() && fleet.ended().is_none();
        Ok::<_, CliError>(if left {
            ExitCode::SUCCESS
        } else {
            ended(fleet)
        })
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
    let (run, journal) = (fleet.run(), journal_file::option());
    let left = counted(fleet.unfinished(), "device is", "devices are");
    if fleet.ended().is_none() {
        stderr_and_log::say(&format!(
            "the process of run {run} died: {left} not brought to an end\n\
             hint: hemfleet resume {run}{journal} asks each of them what it is now, and goes on\n"
        ));
        return Exit::Doubt.into();
    }
    if fleet.unfinished() > 0 {
        stderr_and_log::say(&format!(
            "run {run} was stopped: {left} not brought to an end\nhint: hemfleet resume {run}{journal} goes on with them\n"
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
    let mut reader = journal;
    let (mut last, mut quiet, mut ended) = (0, 0, false);
    loop {
        let asks = ended || quiet >= QUIET;
        let wanted = run.clone();
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
        // Only the end of this process keeps it from coming back.
        let Ok((back, read)) = read.await else {
            return Ok(());
        };
        reader = back;
        let (alive, messages) = read?;
        quiet = if messages.is_empty() { quiet + 1 } else { 0 };
        for (seq, message) in messages {
            last = seq;
            ended = is_end(&message);
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

/// Whether nothing comes after it, unless somebody goes on with the run.
fn is_end(message: &Message) -> bool {
    matches!(message, Message::Event(event) if matches!(event.fact, Fact::RunFinished { .. }))
}
