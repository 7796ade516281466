//! A run of another process is watched: what it did, what it does, and how it ends or dies. The other process is the
//! test's own.

use std::path::PathBuf;

use hemfleet::engine::{Fleet, Recorder as _};
use hemfleet::journal::{Journal, JournalledRun, RunWriter};

use super::run_file::{Played, SCENARIO, died, play};
use crate::cli::program::{Program, code, hemfleet, text};
use crate::screen::tty::Tty;

/// A run that is going on.
struct Going {
    dir: tempfile::TempDir,
    writer: RunWriter,
    fleet: Fleet,
    run: JournalledRun,
    /// How many of its messages are in the journal.
    told: usize,
}

impl Going {
    fn begin(run: JournalledRun) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let journal = Journal::open(&dir.path().join("journal.db")).unwrap();
        Self {
            writer: journal.begin(&run.record).unwrap(),
            fleet: Fleet::of(run.record.facts.clone()),
            run,
            told: 0,
            dir,
        }
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    /// Goes on for so many messages.
    fn go_on(&mut self, messages: usize) {
        let rest = &self.run.messages[self.told..];
        for message in rest.iter().take(messages) {
            self.writer.record(message);
            let _ = self.fleet.update(message);
            self.told += 1;
        }
    }

    fn finish(mut self) -> tempfile::TempDir {
        self.go_on(usize::MAX);
        self.writer.finish(&self.fleet).unwrap();
        self.dir
    }

    fn attach(&self, more: &[&str]) -> Program {
        let mut program = hemfleet();
        program.arg("attach").args(more);
        program.arg("--journal").arg(self.journal());
        program
    }

    fn in_terminal(&self) -> Tty {
        let journal = self.journal();
        let args = ["attach", "--journal", journal.to_str().unwrap()];
        Tty::start(&args, tempfile::tempdir().unwrap(), 100, 24)
    }
}

#[test]
fn its_lines_are_those_of_the_run_and_so_is_its_exit_code() {
    let Played { run, lines } = play(SCENARIO);
    let mut going = Going::begin(run);
    going.go_on(10);
    let run = going.fleet.run().to_string();
    let program = going.attach(&["--json", &run[..4]]).start().unwrap();
    program.stdout.wait_for(&["\"run_started\""]);
    going.go_on(10);
    let _dir = going.finish();
    let output = program.output();
    assert_eq!(text(&output.stdout), text(&lines));
    assert_eq!((code(&output), text(&output.stderr)), (1, ""));
}

#[test]
fn a_process_that_dies_is_told_of_with_what_to_do() {
    let mut going = Going::begin(died(play(SCENARIO).run));
    let run = going.fleet.run().to_string();
    let program = going.attach(&["--output", "plain"]).start().unwrap();
    let mut tty = going.in_terminal();
    going.go_on(usize::MAX);
    program.stdout.wait_for(&["ok-1: "]);
    tty.wait_for("attached, read-only");
    tty.wait_for_line(&["ok-1", "install"]);
    let Going { writer, dir, .. } = going;
    drop(writer);
    let output = program.output();
    let said = text(&output.stderr);
    assert!(
        said.contains(&format!("the process of run {run} died")),
        "{said}"
    );
    assert!(said.contains(&format!("hemfleet resume {run}")), "{said}");
    assert!(text(&output.stdout).contains("IN DOUBT: 1 device"));
    assert_eq!(code(&output), 3);
    tty.wait_for(&format!("ITS PROCESS DIED: hemfleet resume {run}"));
    tty.wait_for_line(&["ok-1", "unknown", "install sent"]);
    tty.press("q");
    assert_eq!(tty.end(), 3);
    drop(dir);
}

#[test]
fn the_dashboard_follows_and_has_no_hand_in_it() {
    let mut going = Going::begin(play(SCENARIO).run);
    going.go_on(12);
    let mut tty = going.in_terminal();
    tty.wait_for_line(&["attached, read-only", "v1.2.3"]);
    tty.wait_for_line(&["▸", "ok-1"]);
    for key in ["c", "C", "r"] {
        tty.press("?");
        tty.wait_for("leave; the run goes on");
        tty.press("\x1b");
        tty.wait("the help to close", |s| {
            !s.contents().contains("leave; the run")
        });
        tty.press(key);
        tty.wait_for("read-only: another process runs it");
    }
    let left = {
        let mut other = going.in_terminal();
        other.wait_for("attached, read-only");
        other.press("q");
        other.end()
    };
    assert_eq!(left, 0, "the run goes on");
    let _dir = going.finish();
    tty.wait_for("OVER: 1 device needs a look. q leaves.");
    tty.press("q");
    assert_eq!(tty.end(), 1);
}

#[test]
fn a_run_that_no_process_is_at_work_on_is_refused() {
    let going = Going::begin(play(SCENARIO).run);
    let run = going.fleet.run().to_string();
    let journal = going.journal();
    let attach = |more: &[&str]| {
        let mut program = hemfleet();
        program.arg("attach").args(more);
        program.arg("--journal").arg(&journal);
        program.output().unwrap()
    };
    let _dir = going.finish();
    let none = attach(&[]);
    assert_eq!(code(&none), 2);
    assert!(text(&none.stderr).contains("no run of this journal is going on"));
    let over = attach(&[&run]);
    assert_eq!(code(&over), 2);
    let said = text(&over.stderr);
    assert!(
        said.contains(&format!("no process is at work on run {run} any more")),
        "{said}"
    );
    assert!(said.contains(&format!("hemfleet replay {run}")), "{said}");
}
