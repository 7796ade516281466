//! A run is shown again: as the lines that it wrote, and on the dashboard at any pace.

use std::path::Path;

use hemfleet::engine::Recorder as _;
use hemfleet::journal::Journal;

use super::run_file::{Played, SCENARIO, died, play, write};
use crate::cli::program::{code, hemfleet, text};
use crate::screen::tty::Tty;

fn replay(file: &Path, more: &[&str]) -> std::process::Output {
    let mut program = hemfleet();
    program.arg("replay").arg(file).args(more);
    program.output().unwrap()
}

fn on_dashboard(run: &hemfleet::journal::JournalledRun, more: &[&str]) -> Tty {
    let dir = tempfile::tempdir().unwrap();
    let file = write(run, dir.path());
    let args = [&["replay", file.to_str().unwrap()], more].concat();
    Tty::start(&args, dir, 80, 24)
}

#[test]
fn its_lines_are_those_that_it_wrote() {
    let Played { run, lines } = play(SCENARIO);
    let dir = tempfile::tempdir().unwrap();
    let file = write(&run, dir.path());
    let again = replay(&file, &["--output", "json"]);
    assert_eq!((code(&again), text(&again.stderr)), (0, ""));
    assert_eq!(text(&again.stdout), text(&lines));
    // The pace changes when they come, and nothing else.
    let paced = replay(&file, &["--json", "--speed", "50x"]);
    assert_eq!(text(&paced.stdout), text(&lines));
    let plain = replay(&file, &["--output", "plain"]);
    let said = text(&plain.stdout);
    assert_eq!((code(&plain), text(&plain.stderr)), (0, ""));
    assert!(said.contains("refused-1: FAILED"), "{said}");
    assert!(
        said.contains("1 upgraded") && said.contains("1 failed"),
        "{said}"
    );
}

#[test]
fn a_run_whose_process_died_ends_with_what_it_left() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&died(play(SCENARIO).run), dir.path());
    let plain = replay(&file, &["--output", "plain"]);
    assert_eq!(code(&plain), 0);
    let said = text(&plain.stdout);
    assert!(said.contains("IN DOUBT: 1 device"), "{said}");
    assert!(text(&plain.stderr).contains(" died here"));
}

#[test]
fn who_reads_no_further_is_told_nothing_of_a_death() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&play(SCENARIO).run, dir.path());
    for how in ["plain", "json"] {
        let mut program = hemfleet();
        program.arg("replay").arg(&file);
        let mut shown = program
            .args(["--speed", "1", "--output", how])
            .start()
            .unwrap();
        shown.stdout.close();
        let output = shown.output();
        assert_eq!((code(&output), text(&output.stderr)), (0, ""));
    }
}

#[test]
fn what_cannot_be_shown_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let run = play(SCENARIO).run;
    let file = write(&run, dir.path());
    for (more, says) in [
        (["--step", "--output=plain"], "--step is for the dashboard"),
        (["--output=plain", "--speed=0"], "a number from 0.1 to 1000"),
        (["--step", "--speed=2"], "cannot be used with"),
        (["--output=tui", "--step"], "--output tui needs a terminal"),
    ] {
        let refused = replay(&file, &more);
        let said = text(&refused.stderr);
        assert_eq!(code(&refused), 2, "{more:?}");
        assert!(said.contains(says), "{more:?}: {said}");
    }
    let whole = std::fs::read_to_string(&file).unwrap();
    let (cut, _) = whole.trim_end().rsplit_once('\n').unwrap();
    std::fs::write(&file, cut).unwrap();
    let refused = replay(&file, &[]);
    let said = text(&refused.stderr);
    assert!(
        said.contains("it is cut short") && said.contains("hint: "),
        "{said}"
    );
    assert_eq!((code(&refused), text(&refused.stdout)), (2, ""));
    let absent = replay(&dir.path().join("absent.jsonl"), &[]);
    assert_eq!(code(&absent), 2);
    assert!(text(&absent.stderr).contains("absent.jsonl"));
}

#[test]
fn text_of_a_strangers_file_cannot_write_to_the_terminal() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(&play(SCENARIO).run, dir.path());
    let evil = std::fs::read_to_string(&file)
        .unwrap()
        .replace("refused-1", "evil\\u001b]2;mine\\u0007-1");
    std::fs::write(&file, evil).unwrap();
    for how in ["plain", "json"] {
        let shown = replay(&file, &["--output", how]);
        assert_eq!(code(&shown), 0, "{}", text(&shown.stderr));
        assert!(text(&shown.stdout).contains("evil"));
        assert!(!shown.stdout.contains(&0x1b) && !shown.stdout.contains(&7));
    }
}

#[test]
fn it_is_stepped_through_and_shown_at_any_speed() {
    let mut tty = on_dashboard(&play(SCENARIO).run, &["--step"]);
    tty.wait_for("replay paused · ");
    tty.wait_for_line(&["Space pause or go on", ". one event"]);
    // The first event is the run's own start.
    tty.press(".");
    tty.wait_for(": 2 devices, image 1.2.3");
    tty.press(">");
    tty.wait("the next event", |s| {
        !s.contents().contains(": 2 devices, image")
    });
    tty.press("c");
    tty.wait_for("read-only: this is a replay");
    tty.press("--- ");
    tty.wait_for("replay 0.1× · ");
    tty.press("+++++++++++++");
    tty.wait_for("replay over · ");
    tty.wait_for_line(&["OVER: 1 device needs a look. q leaves."]);
    tty.wait_for_line(&["refused-1", "check", "406"]);
    tty.select("refused-1");
    tty.press("\r");
    tty.wait_for("image staged, not installed");
    tty.press("0");
    tty.wait("the beginning", |s| !s.contents().contains("replay over"));
    tty.press("q");
    assert_eq!(tty.end(), 0);
    let written = tty.output();
    assert!(!written.contains("\x1b]9;"), "what is past calls nobody");
}

#[test]
fn a_closed_terminal_and_a_signal_end_it() {
    let played = play(SCENARIO).run;
    let mut tty = on_dashboard(&played, &["--speed", "0.1"]);
    tty.wait_for("replay 0.1× · ");
    assert_eq!(tty.hang_up(), 0);
    let tty = on_dashboard(&played, &["--step"]);
    tty.wait_for("replay paused · ");
    tty.signal("TERM");
    assert_eq!(tty.end(), 0);
}

#[test]
fn where_its_process_died_the_dashboard_says_so() {
    let mut tty = on_dashboard(&died(play(SCENARIO).run), &["--speed", "1000"]);
    tty.wait_for("ITS PROCESS DIED here. Space begins again, q leaves.");
    tty.wait_for_line(&["ok-1", "unknown", "install sent"]);
    tty.press(" ");
    tty.wait("the beginning", |s| !s.contents().contains("DIED"));
    tty.wait_for("ITS PROCESS DIED here");
    tty.press("q");
    assert_eq!(tty.end(), 0);
}

#[test]
fn a_run_of_the_journal_is_shown_by_its_name_or_because_it_is_the_newest() {
    let Played { run, lines } = play(SCENARIO);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("journal.db");
    let shown = |more: &[&str]| {
        let mut program = hemfleet();
        program.args(["replay", "--json", "--journal"]).arg(&path);
        program.args(more).output().unwrap()
    };
    let none = shown(&[]);
    assert_eq!(code(&none), 2);
    assert!(text(&none.stderr).contains("there is no journal yet"));
    let journal = Journal::open(&path).unwrap();
    let writer = journal.begin(&run.record).unwrap();
    let so_far = shown(&[]);
    let said = text(&so_far.stderr);
    assert!(said.contains("goes on: hemfleet attach "), "{said}");
    for message in &run.messages {
        writer.record(message);
    }
    writer.finish(&run.fold()).unwrap();
    let name = run.record.facts.run.as_str();
    for more in [&[][..], &[name], &[&name[..3]]] {
        let again = shown(more);
        assert_eq!(text(&again.stdout), text(&lines), "{}", text(&again.stderr));
    }
    let absent = shown(&["zzzz"]);
    assert_eq!(code(&absent), 2);
    assert!(text(&absent.stderr).contains("the journal has no run zzzz"));
}
