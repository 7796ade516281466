//! `--report` beside the dashboard: the files are there whichever way the dashboard is left.

use serde_json::Value;

use super::tty::Tty;
use super::{CTRL_C, SCENARIO, rebooting};

const FILES: [&str; 3] = ["r.json", "r.jsonl", "r.html"];

fn demo(scenario: &str) -> Tty {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("scenario.toml"), scenario).unwrap();
    let mut args = vec!["demo", "--scenario", "scenario.toml"];
    for file in FILES {
        args.extend(["--report", file]);
    }
    Tty::start(&args, dir, 100, 30)
}

/// What the report says of the run, once all files are there.
fn report(tty: &Tty) -> Value {
    let [json, events, page] =
        FILES.map(|file| std::fs::read_to_string(tty.dir().join(file)).unwrap());
    assert!(events.lines().last().unwrap().contains("run_finished"));
    assert!(page.trim_end().ends_with("</html>"));
    serde_json::from_str(&json).unwrap()
}

#[test]
fn leaving_at_the_end_writes_the_reports_and_names_them() {
    let mut tty = demo(SCENARIO);
    tty.wait_for_line(&["OVER", "1 device needs a look"]);
    assert!(
        !tty.dir().join("r.json").exists(),
        "the run may still go on"
    );
    tty.press("qy");
    tty.wait_for("report: ");
    tty.end();
    let report = report(&tty);
    assert_eq!(
        (&report["exit_code"], &report["interrupted"]),
        (&1.into(), &false.into())
    );
    assert_eq!(report["devices"][1]["code"], "image_refused");
}

#[test]
fn leaving_at_once_writes_the_reports_and_says_who_is_in_doubt() {
    let mut tty = demo(&rebooting("40s"));
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    tty.press(CTRL_C);
    tty.press(CTRL_C);
    assert_eq!(tty.end(), 130);
    let report = report(&tty);
    assert_eq!(report["exit_code"], 130);
    assert_eq!(report["devices"][0]["in_doubt"], true);
}

#[test]
fn a_terminal_that_goes_away_leaves_the_reports() {
    let mut tty = demo(&rebooting("2s"));
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    assert_eq!(tty.hang_up(), 130);
    let report = report(&tty);
    // It was watched to its end.
    assert_eq!(report["devices"][0]["outcome"], "upgraded");
    assert_eq!(report["interrupted"], true);
}
