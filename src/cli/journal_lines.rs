//! What the journal has as `report` tells it: the two rooms do not know each other.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::journal::JournalFile;
use super::output::show_session;
use super::{CliError, journal_file};
use crate::engine::{Fleet, Message};
use crate::journal::{DeviceSummary, Journal, JournalledRun, OpenInstall, RunEntry, Tally};
use crate::model::{OutcomeKind, Reach, RunId, printable};
use crate::report::{
    Count, DeviceEnd, DeviceRun, RunLine, RunOrigin, RunReport, RunStanding, RunState, TableLook,
};

/// How tables are written to standard output.
pub(super) fn table_look(ascii: bool) -> TableLook {
    TableLook {
        look: show_session::look(ascii),
        width: show_session::width(),
        zone: TimeZone::system(),
    }
}

/// The journal, and the run that is named, or the newest.
pub(super) fn run_of(
    args: &JournalFile,
    named: Option<&str>,
) -> Result<(Journal, RunEntry), CliError> {
    let journal = journal_file::existing(args)?.ok_or(CliError::NoJournal)?;
    let entry = match named {
        Some(named) => journal.find(named)?,
        None => journal.runs()?.into_iter().next().ok_or(CliError::NoRuns)?,
    };
    Ok((journal, entry))
}

/// A text that another process wrote down, safe to show.
fn shown(text: &str) -> String {
    printable(text, 4096)
}

/// Which devices are in doubt by now, and since which run: what a later run has seen of them is known.
pub(super) struct InDoubt(Vec<OpenInstall>);

impl InDoubt {
    pub(super) fn of(journal: &Journal) -> Result<Self, CliError> {
        Ok(Self(journal.open_installs()?))
    }

    fn of_run(&self, run: &RunId, reach: &Reach) -> Option<&OpenInstall> {
        let mut open = self.0.iter();
        open.find(|open| open.run == *run && open.reach == *reach)
    }
}

/// The command that shows a run that a process is at work on, or goes on with it.
pub(super) fn way_to(run: &RunId, is_alive: bool) -> String {
    let what = if is_alive { "attach" } else { "resume" };
    format!("hemfleet {what} {run}{}", journal_file::option())
}

/// The command that finds out what became of an install.
pub(super) fn next_of(open: &OpenInstall) -> String {
    way_to(&open.run, open.is_alive)
}

/// A run in the list.
pub(super) fn run_line(entry: &RunEntry) -> RunLine {
    let run = entry.run.to_string();
    let state = match &entry.tally {
        None => RunStanding::Unreadable,
        Some(_) if entry.is_alive => RunStanding::GoingOn,
        Some(_) if entry.unfinished => RunStanding::Unfinished,
        Some(_) => RunStanding::Over,
    };
    RunLine {
        next: RunLine::next_of(&run, state).map(|next| format!("{next}{}", journal_file::option())),
        run,
        state,
        started: entry.started,
        ended: entry.ended,
        took_ms: RunLine::took(entry.started, entry.ended),
        user: shown(&entry.user),
        host: shown(&entry.host),
        inventory: shown(&entry.inventory),
        version: shown(&entry.version),
        hemfleet: shown(&entry.hemfleet),
        devices: entry.devices,
        counts: entry.tally.as_ref().map(counts),
        in_doubt: entry.in_doubt,
        process: entry.holder,
    }
}

fn counts(tally: &Tally) -> Vec<Count> {
    let ended = OutcomeKind::ALL.map(|kind| Count {
        name: kind.as_str(),
        words: kind.words(),
        devices: tally.of(kind),
    });
    let open = Count {
        name: "open",
        words: "not ended",
        devices: tally.open,
    };
    ended.into_iter().chain([open]).collect()
}

/// What a run of the list says of a device.
pub(super) fn device_run(entry: &RunEntry, summary: &DeviceSummary, open: &InDoubt) -> DeviceRun {
    let open = open.of_run(&entry.run, &summary.reach);
    let end = DeviceEnd::of(
        summary.outcome.as_ref(),
        summary.before.as_ref(),
        summary.after.as_ref(),
        summary.audit.as_ref(),
    );
    DeviceRun {
        run: entry.run.to_string(),
        device: shown(summary.device.as_str()),
        reach: shown(summary.reach.as_str()),
        started: entry.started,
        ended: summary.ended,
        version: shown(&entry.version),
        in_doubt: open.is_some(),
        is_alive: open.is_some_and(|open| open.is_alive),
        next: open.map(next_of),
        end,
    }
}

/// The state of a run as its messages leave it, and the report of it. Of a run whose process died nothing is told as if it
/// went on.
pub(super) fn report_of(entry: &RunEntry, run: &JournalledRun) -> RunReport {
    let mut fleet = run.fold();
    let state = match (entry.is_alive, fleet.ended()) {
        (true, _) => RunState::GoingOn,
        (false, Some(_)) => RunState::Over,
        (false, None) => RunState::Died,
    };
    if state == RunState::Died {
        fleet.bury();
    }
    let now = match state {
        RunState::GoingOn => Timestamp::now(),
        RunState::Over | RunState::Died => last_word(&fleet, run),
    };
    let context = &run.record.context;
    let origin = RunOrigin {
        by: shown(&format!("{} on {}", context.user, context.host)),
        inventory: shown(&context.inventory),
        hemfleet: shown(&context.version),
        state,
    };
    RunReport::of_journal(&fleet, now, origin)
}

/// When the run said something last.
fn last_word(fleet: &Fleet, run: &JournalledRun) -> Timestamp {
    let mut times = run
        .messages
        .iter()
        .rev()
        .filter_map(|message| match message {
            Message::Event(event) => Some(event.at),
            Message::Intent(_) | Message::TaskLost { .. } => None,
        });
    times.next().or(fleet.started()).unwrap_or_default()
}
