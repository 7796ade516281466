//! `hemfleet fetch` and `--firmware latest` against the simulator's broker.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::program::{Lab, code, hemfleet, json, of, text};

/// Runs `hemfleet fetch` into a folder of its own; its exit code and what it printed.
fn fetch(lab: &Lab, into: &Path, more: &[&str]) -> (i32, String) {
    let mut command = hemfleet();
    command.args(["fetch", "-c"]).arg(lab.inventory());
    command.arg("--out").arg(into).args(more);
    let output = command.output().unwrap();
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    (code(&output), said)
}

fn files(dir: &Path, ending: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.extension().is_some_and(|e| e == ending))
        .collect()
}

#[test]
fn what_is_offered_is_downloaded_checked_and_described() {
    let lab = Lab::serve("offer.toml");
    let into = lab.dir.path().join("got");
    let (exit, said) = fetch(&lab, &into, &["--component", "both"]);
    assert_eq!(exit, 0, "{said}");
    let [image] = &files(&into, "bin")[..] else {
        panic!("{said}");
    };
    let wanted = std::fs::read(lab.dir.path().join("firmware.bin")).unwrap();
    assert_eq!(std::fs::read(image).unwrap(), wanted);
    let mode = std::fs::metadata(image).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let facts = std::fs::read(image.with_extension("json")).unwrap();
    let facts: Value = serde_json::from_slice(&facts).unwrap();
    assert_eq!(facts["fws"], facts["announced"]);
    assert_eq!(facts["bytes"], wanted.len());
    assert_eq!(files(&into, "tar").len(), 1, "{said}");
    // Once more: the same file, not a second one.
    assert_eq!(fetch(&lab, &into, &[]).0, 0);
    assert_eq!(files(&into, "bin").len(), 1);
}

#[test]
fn what_is_not_what_was_announced_is_not_kept() {
    for (scenario, says) in [
        ("offer-wrong.toml", "than the one announced"),
        ("offer-short.toml", "firmware for"),
    ] {
        let lab = Lab::serve(scenario);
        let into = lab.dir.path().join("got");
        let (exit, said) = fetch(&lab, &into, &[]);
        assert_eq!(exit, 1, "{scenario}: {said}");
        assert!(said.contains(says), "{scenario}: {said}");
        assert!(files(&into, "bin").is_empty() && files(&into, "json").is_empty());
    }
}

#[test]
fn nothing_newer_is_no_failure() {
    let lab = Lab::serve("all-well.toml");
    let into = lab.dir.path().join("got");
    let (exit, said) = fetch(&lab, &into, &[]);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("nothing newer is offered"), "{said}");
    assert!(files(&into, "bin").is_empty());
}

#[test]
fn the_latest_firmware_is_fetched_and_rolled_out() {
    let lab = Lab::serve("offer.toml");
    let output = lab.run().args(["--firmware", "latest"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    let finished = of(&events, "device_finished");
    assert!(!finished.is_empty());
    assert!(finished.iter().all(|e| e["outcome"] == "upgraded"));
    // A plan would have to set clocks.
    let mut plan = hemfleet();
    plan.args(["plan", "--firmware", "latest", "-c"]);
    let output = plan.arg(lab.inventory()).output().unwrap();
    assert_eq!(code(&output), 2);
    assert!(text(&output.stderr).contains("hemfleet fetch first"));
}

#[test]
fn where_nothing_is_offered_a_run_is_nobodys() {
    let lab = Lab::serve("all-well.toml");
    let output = lab.run().args(["--firmware", "latest"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("nothing newer is offered"));
    let events = json(&output.stdout);
    let names: Vec<_> = events
        .iter()
        .map(|e| e["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["run_started", "run_finished"]);
}

#[test]
fn nobody_gets_what_was_not_offered_to_them() {
    let lab = Lab::serve("offer-not-to-all.toml");
    let output = lab.run().args(["--firmware", "latest"]).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("left out"));
    let events = json(&output.stdout);
    let [only] = of(&events, "device_finished")[..] else {
        panic!("{}", text(&output.stdout));
    };
    assert_eq!(
        (&only["device"], &only["outcome"]),
        (&"offered".into(), &"upgraded".into())
    );
}

#[test]
fn a_device_that_could_not_be_asked_counts_wherever_the_exit_code_is_said() {
    let lab = Lab::serve_text(
        "tempo = 0.01\nbroker = { offer = true, download = \"right\" }\nclient = { quick = true }\n\
         [[device]]\nname = \"offered\"\n\
         [[device]]\nname = \"mute\"\n\
         faults = [{ at = \"checkin-reply\", do = \"status\", status = 401, always = true }]\n",
    );
    let output = lab.run().args(["--firmware", "latest"]).output().unwrap();
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    let [device] = of(&events, "device_finished")[..] else {
        panic!("{}", text(&output.stdout));
    };
    assert_eq!(device["outcome"], "upgraded");
    let finished = events.last().unwrap();
    assert_eq!(finished["exit_code"], 1, "{finished}");
    assert_eq!(finished["not_asked"], serde_json::json!(["mute"]));
    // Upgraded by now, the one device is offered nothing; and nobody is left to be in the run.
    let mut again = hemfleet();
    again.arg("run").arg("-c").arg(lab.inventory());
    again.args(["--firmware", "latest", "--yes", "--output", "plain"]);
    let output = again.output().unwrap();
    assert_eq!(code(&output), 1);
    let mut again = lab.run();
    let output = again.args(["--firmware", "latest"]).output().unwrap();
    assert_eq!(code(&output), 1);
    let finished = json(&output.stdout).pop().unwrap();
    assert_eq!(
        (&finished["devices"], &finished["exit_code"]),
        (&0.into(), &1.into())
    );
}
