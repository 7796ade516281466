//! The runs of the journal (`hemfleet history`), as a table and as JSON.
//!
//! `--json` prints one object with `schema` and `runs`, newest first. Each has `run`, `state` (`over`, `unfinished`, `going_on`
//! or `unreadable`), `started`, `ended`, `took_ms` (from begin to end, the reading of the plan included), `user`, `host`,
//! `inventory`, `version` (of what was rolled out), `hemfleet`, `devices`, `counts` (all outcomes, and `open`), `in_doubt` and
//! `next` (the command that goes on, where there is something to do). What does not fit is absent.

use std::io::{self, Write};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::json::ms;
use super::phrases::{self, Count};
use super::run_report::{by_name, milliseconds};
use super::style::LineStyle;
use super::text_table::{TableLook, TextRow, TextTable};
use crate::model::human_duration;

/// How a run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RunStanding {
    /// It came to its end, and nothing is left to do.
    Over,
    /// Something is left to do.
    Unfinished,
    /// A process is at work on it.
    GoingOn,
    /// What it says cannot be read.
    Unreadable,
}

/// A run in the list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct RunLine {
    /// The run.
    pub run: String,
    /// How it stands.
    pub state: RunStanding,
    /// When it was begun.
    #[serde(serialize_with = "milliseconds")]
    pub started: Timestamp,
    /// When it ended.
    #[serde(
        serialize_with = "milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub ended: Option<Timestamp>,
    /// How long that took.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// The user.
    pub user: String,
    /// The machine.
    pub host: String,
    /// The inventory, as an absolute path.
    pub inventory: String,
    /// What was rolled out.
    pub version: String,
    /// The version of hemfleet.
    pub hemfleet: String,
    /// The number of its devices.
    pub devices: usize,
    /// How they ended; absent where that cannot be read.
    #[serde(serialize_with = "counts", skip_serializing_if = "Option::is_none")]
    pub counts: Option<Vec<Count>>,
    /// Devices of which nobody knows what an install did to them.
    pub in_doubt: usize,
    /// The command that goes on with it, or shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

fn counts<S: Serializer>(counts: &Option<Vec<Count>>, serializer: S) -> Result<S::Ok, S::Error> {
    by_name(counts.as_deref().unwrap_or_default(), serializer)
}

impl RunLine {
    /// How long it took, where it has ended.
    pub fn took(started: Timestamp, ended: Option<Timestamp>) -> Option<u64> {
        let took = ended?.duration_since(started);
        Some(ms(Duration::try_from(took).unwrap_or_default()))
    }

    /// The command that goes on with a run, or shows it.
    pub fn next_of(run: &str, state: RunStanding) -> Option<String> {
        match state {
            RunStanding::Over | RunStanding::Unreadable => None,
            RunStanding::Unfinished => Some(format!("hemfleet resume {run}")),
            RunStanding::GoingOn => Some(format!("hemfleet attach {run}")),
        }
    }

    /// How its devices ended, and what is to be done: a line for each.
    pub(super) fn below(&self) -> Vec<(Option<LineStyle>, String)> {
        let mut below = Vec::new();
        let counts = self.counts.as_deref();
        match counts {
            Some(counts) => {
                let words = phrases::counted_words(counts);
                below.push((None, words.unwrap_or_else(|| "no devices".to_owned())));
            }
            None => below.push((
                Some(LineStyle::Warn),
                "cannot be read: a newer hemfleet may have written it".to_owned(),
            )),
        }
        let next = self.next.as_deref().unwrap_or_default();
        let devices = phrases::devices(self.in_doubt);
        let (style, text) = match (self.state, self.in_doubt) {
            (RunStanding::Over | RunStanding::Unreadable, _) => return below,
            (RunStanding::GoingOn, _) => (LineStyle::Good, format!("GOING ON: {next} shows it")),
            (RunStanding::Unfinished, 0) => (
                LineStyle::Warn,
                format!("UNFINISHED: {next} goes on with it"),
            ),
            (RunStanding::Unfinished, 1) => (
                LineStyle::Bad,
                format!("IN DOUBT: {devices}; {next} asks it what it is now"),
            ),
            (RunStanding::Unfinished, _) => (
                LineStyle::Bad,
                format!("IN DOUBT: {devices}; {next} asks them what they are now"),
            ),
        };
        below.push((Some(style), text));
        below
    }
}

const HEADS: [&str; 7] = [
    "RUN",
    "STARTED",
    "BY",
    "INVENTORY",
    "IMAGE",
    ">DEVICES",
    ">TOOK",
];

/// How far the lines below a run are indented: under its time.
const INDENT: usize = 10;

/// Writes the runs.
pub fn run_list(runs: &[RunLine], how: &TableLook, out: &mut impl Write) -> io::Result<()> {
    let rows = runs.iter().map(|run| TextRow {
        cells: vec![
            run.run.clone(),
            how.time(run.started),
            run.user.clone(),
            file_name(&run.inventory).to_owned(),
            run.version.clone(),
            run.devices.to_string(),
            run.took_ms
                .map(|ms| human_duration(Duration::from_millis(ms)))
                .unwrap_or_default(),
        ],
        style: None,
        below: run.below(),
    });
    let table = TextTable {
        heads: &HEADS,
        rows: rows.collect(),
    };
    table.write(how, INDENT, out)
}

/// The last part of a path; the whole path is in the JSON, and at the top of a run's own table.
pub(super) fn file_name(path: &str) -> &str {
    path.rsplit('/')
        .next()
        .filter(|name| !name.is_empty())
        .unwrap_or(path)
}
