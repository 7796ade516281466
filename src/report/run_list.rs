//! The runs of the journal (`hemfleet history`), as a table and as JSON.
//!
//! `--json` prints one object with `schema` and `runs`, newest first. Each has `run`, `state` (`over`, `unfinished`, `going_on`
//! or `unreadable`), `started`, `ended`, `took_ms` (from begin to end, the reading of the plan included), `user`, `host`,
//! `inventory`, `version` (of what was rolled out), `hemfleet`, `devices`, `counts` (all outcomes, and `open`), `in_doubt`,
//! `process` (the number of the process that is at work on it) and `next` (the command that goes on, where there is something
//! to do). What does not fit is absent.

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
    /// The process that is at work on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<u32>,
    /// The command that goes on with it, or shows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

#[expect(clippy::ref_option, reason = "serde passes it like this")]
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
            (RunStanding::GoingOn, _) => {
                let process = self.process.map(|pid| format!(" (process {pid})"));
                let process = process.unwrap_or_default();
                let text = format!("GOING ON{process}: {next} shows it");
                (LineStyle::Good, text)
            }
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

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::model::{Charset, OutcomeKind};
    use crate::report::LineLook;

    fn look(width: Option<usize>) -> TableLook {
        TableLook {
            look: LineLook::default(),
            width,
            zone: jiff::tz::TimeZone::UTC,
        }
    }

    fn run(
        n: usize,
        state: RunStanding,
        ended: &[(OutcomeKind, usize)],
        in_doubt: usize,
    ) -> RunLine {
        let started: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let run = format!("{n:08x}");
        let count = |(kind, devices): &(OutcomeKind, usize)| Count {
            name: kind.as_str(),
            words: kind.words(),
            devices: *devices,
        };
        let took = (state == RunStanding::Over).then_some(271_000);
        RunLine {
            next: RunLine::next_of(&run, state),
            run,
            state,
            started,
            ended: took.map(|ms| started + Duration::from_millis(ms)),
            took_ms: took,
            user: "anna".to_owned(),
            host: "ops".to_owned(),
            inventory: "/srv/fleets/warsaw.toml".to_owned(),
            version: "1.2.3".to_owned(),
            hemfleet: "0.1.0".to_owned(),
            devices: ended.iter().map(|(_, n)| n).sum(),
            counts: (state != RunStanding::Unreadable).then(|| ended.iter().map(count).collect()),
            in_doubt,
            process: (state == RunStanding::GoingOn).then_some(4711),
        }
    }

    fn written(runs: &[RunLine], how: &TableLook) -> String {
        let mut out = Vec::new();
        run_list(runs, how, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn each_state() -> Vec<RunLine> {
        use OutcomeKind::{Cancelled, Failed, Lost, Upgraded};
        vec![
            run(5, RunStanding::GoingOn, &[(Upgraded, 3)], 1),
            run(
                4,
                RunStanding::Unfinished,
                &[(Upgraded, 190), (Lost, 2), (Cancelled, 8)],
                2,
            ),
            run(
                3,
                RunStanding::Unfinished,
                &[(Upgraded, 190), (Cancelled, 10)],
                0,
            ),
            run(2, RunStanding::Over, &[(Upgraded, 199), (Failed, 1)], 0),
            run(1, RunStanding::Unreadable, &[(Upgraded, 1)], 0),
        ]
    }

    #[test]
    fn each_run_says_how_it_ended_and_what_is_to_be_done() {
        insta::assert_snapshot!(written(&each_state(), &look(Some(80))));
    }

    #[test]
    fn the_list_is_as_narrow_as_a_terminal_and_in_ascii_where_that_is_wanted() {
        let text = written(&each_state(), &look(Some(80)));
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        let mut ascii = look(None);
        ascii.look.charset = Charset::Ascii;
        assert!(written(&each_state(), &ascii).is_ascii());
    }

    #[test]
    fn the_json_has_names_for_scripts_and_nothing_that_does_not_fit() {
        let json = serde_json::to_value(&each_state()[1]).unwrap();
        assert_eq!(json["state"], "unfinished");
        assert_eq!(json["next"], "hemfleet resume 00000004");
        assert_eq!(json["counts"]["cancelled"], 8);
        for absent in ["ended", "took_ms", "process"] {
            assert!(json.get(absent).is_none(), "{json}");
        }
        let json = serde_json::to_value(&each_state()[0]).unwrap();
        assert_eq!(json["process"], 4711);
        let json = serde_json::to_value(&each_state()[4]).unwrap();
        assert!(json.get("counts").is_none(), "{json}");
    }
}
