//! `hemfleet report`: a run of the journal in each format, also one whose process was killed.

use serde_json::Value;

use super::history::{FLEET, after_a_run, kept, newest, said};
use crate::cli::program::{Lab, code, text};

#[test]
fn the_newest_run_is_told_in_each_format() {
    let (lab, run) = after_a_run();
    for (format, what) in [
        ("markdown", "# hemfleet run "),
        ("html", "<!DOCTYPE html>"),
        ("csv", "run,device,group,"),
        ("json", "{\n"),
        ("junit", "<?xml "),
    ] {
        let report = said(&mut kept(&lab, &["report", "--format", format]));
        assert!(
            report.starts_with(what) && report.contains(&run),
            "{format}: {report}"
        );
        // The same in a file, for its owner alone.
        let path = lab.dir.path().join(format);
        let mut to_file = kept(&lab, &["report", &run[..5], "--format", format]);
        assert_eq!(said(to_file.arg("-o").arg(&path)), "");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), report);
        let mode = std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions());
        assert_eq!(mode & 0o777, 0o600);
    }
    let markdown = said(&mut kept(&lab, &["report"]));
    for line in [
        "- Result: ✔ upgraded: proven: rebooted, signature matches",
        "| upgrade | OK | U |  |",
        "- **Run by**: ",
        "- **Exit code**: 1: ",
    ] {
        assert!(markdown.contains(line), "no {line} in {markdown}");
    }
    let json: Value =
        serde_json::from_str(&said(&mut kept(&lab, &["report", "--format", "json"]))).unwrap();
    assert_eq!(
        (&json["state"], &json["exit_code"]),
        (&"over".into(), &1.into())
    );
    let log = &json["devices"][0]["audit"]["log"];
    let lines = log["lines"].as_array().unwrap();
    assert!(
        lines
            .iter()
            .any(|line| line["decides"] == true && line["type"] == "upgrade"),
        "{log}"
    );
    let nowhere = lab.dir.path().join("no/such/file").join("x");
    std::fs::write(lab.dir.path().join("no"), "").unwrap();
    let output = kept(&lab, &["report", "-o"]).arg(nowhere).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(
        text(&output.stderr).contains("cannot be written"),
        "{}",
        text(&output.stderr)
    );
}

/// A fleet of which one run is in the journal, whose process was killed while its first device rebooted.
pub(super) fn killed() -> Lab {
    let lab = Lab::serve_text(&FLEET.replace(
        "client = { quick = true }",
        "client = { quick = true, concurrency = 1 }",
    ));
    let mut command = kept(&lab, &["run", "--yes", "--output", "json"]);
    let running = command.arg("-c").arg(lab.inventory()).start().unwrap();
    running.stderr.read();
    let is_install =
        |event: &Value| event["event"] == "stage_started" && event["stage"] == "reboot";
    assert!(
        running.stdout.events().any(|event| is_install(&event)),
        "no install was sent"
    );
    running.signal("KILL");
    running.end();
    lab
}

#[test]
fn a_run_whose_process_was_killed_reads_as_such() {
    let lab = killed();
    let list = said(&mut kept(&lab, &["history"]));
    assert!(
        list.contains("IN DOUBT: 1 device; hemfleet resume "),
        "{list}"
    );
    let markdown = said(&mut kept(&lab, &["report"]));
    for line in [
        "- **Result**: UNFINISHED in ",
        "- **Unfinished**: the process ended before the run did, and nobody has gone on with it: hemfleet resume ",
        "- **Exit code**: none: its process ended before the run did",
        "### IN DOUBT: 1× UNKNOWN at reboot",
    ] {
        assert!(markdown.contains(line), "no {line} in {markdown}");
    }
    let json: Value =
        serde_json::from_str(&said(&mut kept(&lab, &["report", "--format", "json"]))).unwrap();
    assert_eq!(json["state"], "died");
    assert!(json["exit_code"].is_null());
    assert_eq!(json["devices"][0]["in_doubt"], true);
    assert_eq!(json["devices"][1]["outcome"], "cancelled");
    let status = said(kept(&lab, &["status", "-c"]).arg(lab.inventory()));
    let first = status.lines().nth(2).unwrap();
    assert!(
        first.starts_with("vault-warsaw-01") && first.contains("IN DOUBT"),
        "{status}"
    );
    assert!(
        status.contains("its end not seen: hemfleet resume "),
        "{status}"
    );
}

#[test]
fn a_run_that_was_gone_on_with_says_by_whom_and_when() {
    let lab = killed();
    let reports = ["md", "json"].map(|ending| lab.dir.path().join(format!("resumed.{ending}")));
    let mut resume = kept(&lab, &["resume", "--yes", "--output", "json"]);
    for report in &reports {
        resume.arg("--report").arg(report);
    }
    let output = resume.output().unwrap();
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    let file = |n: usize| std::fs::read_to_string(&reports[n]).unwrap();
    let of_journal = |format| said(&mut kept(&lab, &["report", "--format", format]));
    for markdown in [file(0), of_journal("markdown")] {
        let line = markdown
            .lines()
            .find(|l| l.starts_with("- **Gone on with**: "));
        let line = line.unwrap_or_else(|| panic!("{markdown}"));
        assert!(line.ends_with(": its process had died"), "{line}");
    }
    let devices = said(&mut kept(&lab, &["history", "--run", &newest(&lab)]));
    assert!(
        devices.contains("gone on with 20") && devices.contains(": its process had died"),
        "{devices}"
    );
    let jsons = [
        file(1),
        of_journal("json"),
        said(&mut kept(
            &lab,
            &["history", "--json", "--run", &newest(&lab)],
        )),
    ];
    for json in jsons {
        let json: Value = serde_json::from_str(&json).unwrap();
        let [gone_on] = &json["gone_on"].as_array().unwrap()[..] else {
            panic!("{json}");
        };
        assert!(
            gone_on["by"].as_str().unwrap().contains(", process "),
            "{gone_on}"
        );
        assert_eq!(gone_on["died"], true);
        assert!(gone_on["at"].as_str().unwrap().ends_with('Z'));
    }
}
