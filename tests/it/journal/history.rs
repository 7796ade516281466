//! `hemfleet history`: the runs, the devices of a run, a device run by run, and what is removed.

use hemfleet::journal::Journal;
use hemfleet::model::RunId;
use serde_json::Value;

use super::report::killed;
use crate::cli::program::{Lab, Program, code, hemfleet, text};

/// One upgraded with a log that confirms it, one whose bootloader refuses, one without an upgrade over this API.
pub(super) const FLEET: &str = r#"
tempo = 0.01
client = { quick = true }

[[device]]
name = "vault-warsaw-01"
group = "warsaw"
tags = ["blue-rack"]

[[device]]
name = "vault-berlin-01"
group = "berlin"
faults = [{ at = "boot", do = "rollback", always = true }]

[[device]]
name = "rack-c1"
model = "EPA"
"#;

/// A fleet of which one run is in the journal; its lab, and the run.
pub(super) fn after_a_run() -> (Lab, String) {
    let lab = Lab::serve_text(FLEET);
    let run = run_again(&lab);
    (lab, run)
}

pub(super) fn run_again(lab: &Lab) -> String {
    let mut command = kept(lab, &["run", "--yes", "--output", "json"]);
    let output = command.arg("-c").arg(lab.inventory()).output().unwrap();
    let first = text(&output.stdout).lines().next().unwrap_or_default();
    let event: Value =
        serde_json::from_str(first).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)));
    event["run"].as_str().unwrap().to_owned()
}

/// The newest run.
pub(super) fn newest(lab: &Lab) -> String {
    let runs = object(&mut kept(lab, &["history", "--json"]));
    runs["runs"][0]["run"].as_str().unwrap().to_owned()
}

/// hemfleet with the journal of this lab; an option that wants its value may come last.
pub(super) fn kept(lab: &Lab, args: &[&str]) -> Program {
    let wants = args.last().is_some_and(|last| ["-c", "-o"].contains(last));
    let (args, last) = args.split_at(args.len() - usize::from(wants));
    let mut program = hemfleet();
    program.args(args).env("TZ", "UTC").arg("--journal");
    program.arg(lab.dir.path().join("journal.db")).args(last);
    program
}

/// What a command says, which ends well.
pub(super) fn said(program: &mut Program) -> String {
    let output = program.output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    text(&output.stdout).to_owned()
}

pub(super) fn object(program: &mut Program) -> Value {
    let said = said(program);
    assert_eq!(said.lines().count(), 1, "{said}");
    let value: Value = serde_json::from_str(&said).unwrap();
    assert_eq!(value["schema"], 1);
    value
}

#[test]
fn runs_are_listed_with_how_they_ended() {
    let (lab, run) = after_a_run();
    let list = said(&mut kept(&lab, &["history"]));
    let lines: Vec<&str> = list.lines().collect();
    assert!(
        lines[0].starts_with("RUN       STARTED           BY"),
        "{list}"
    );
    assert!(
        lines[1].starts_with(&run) && lines[1].contains("fleet.toml  1.2.3"),
        "{list}"
    );
    assert_eq!(
        lines[2].trim(),
        "1 upgraded, 1 skipped, 1 rolled back",
        "{list}"
    );
    assert_eq!(lines.len(), 3, "nothing is left to do: {list}");
    let json = object(&mut kept(&lab, &["history", "--json"]));
    let entry = &json["runs"][0];
    assert_eq!(
        (&entry["run"], &entry["state"]),
        (&run.as_str().into(), &"over".into())
    );
    assert_eq!(
        (&entry["devices"], &entry["in_doubt"]),
        (&3.into(), &0.into())
    );
    assert_eq!(
        (&entry["counts"]["upgraded"], &entry["counts"]["lost"]),
        (&1.into(), &0.into())
    );
    assert!(
        entry["next"].is_null() && entry["took_ms"].as_u64().is_some(),
        "{entry}"
    );
    assert!(
        entry["inventory"].as_str().unwrap().starts_with('/'),
        "{entry}"
    );
}

#[test]
fn a_run_that_is_going_on_names_its_process() {
    let (lab, run) = after_a_run();
    let journal = Journal::open(&lab.dir.path().join("journal.db")).unwrap();
    let run = RunId::parse(&run).unwrap();
    // By the process of this very test.
    let writer = journal.go_on(&run).unwrap();
    let pid = std::process::id();
    let line = format!("GOING ON (process {pid}): hemfleet attach {run} --journal /");
    let list = said(&mut kept(&lab, &["history"]));
    assert!(list.contains(&line), "{list}");
    let devices = said(&mut kept(&lab, &["history", "--run", run.as_str()]));
    assert!(devices.contains(&line), "{devices}");
    let json = object(&mut kept(&lab, &["history", "--json"]));
    assert_eq!(json["runs"][0]["process"], pid);
    drop(writer);
    let json = object(&mut kept(&lab, &["history", "--json"]));
    assert!(json["runs"][0]["process"].is_null(), "{json}");
}

#[test]
fn a_device_that_a_process_watches_is_shown_and_not_asked_again() {
    let lab = killed();
    let path = lab.dir.path().join("journal.db");
    let run = newest(&lab);
    let of_device = || said(&mut kept(&lab, &["history", "--device", "vault-warsaw-01"]));
    let status = || said(kept(&lab, &["status", "-c"]).arg(lab.inventory()));
    let command = |what: &str| format!("hemfleet {what} {run} --journal {}", path.display());
    let asks = format!("{} asks it what it is now", command("resume"));
    let shows = format!("{} shows it", command("attach"));
    assert!(of_device().contains(&format!("IN DOUBT: {asks}\n")));
    assert!(status().contains(&asks));
    let journal = Journal::open(&path).unwrap();
    // By the process of this very test.
    let writer = journal.go_on(&RunId::parse(&run).unwrap()).unwrap();
    let said = of_device();
    assert!(said.contains(&format!("IN DOUBT: {shows}\n")), "{said}");
    let said = status();
    assert!(said.contains(&shows) && !said.contains("asks it"), "{said}");
    let json = object(&mut kept(
        &lab,
        &["history", "--device", "vault-warsaw-01", "--json"],
    ));
    assert_eq!(json["runs"][0]["next"], command("attach"));
    drop(writer);
}

#[test]
fn the_devices_of_a_run_and_one_device_run_by_run() {
    let (lab, first) = after_a_run();
    let of_run = said(&mut kept(&lab, &["history", "--run", &first[..4]]));
    let row = |text: &str, name: &str| -> String {
        let line = text.lines().find(|line| line.starts_with(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let upgraded = row(&of_run, "vault-warsaw-01");
    assert!(
        upgraded.starts_with("vault-warsaw-01 1.2.2 1.2.3 ✔ upgraded confirmed"),
        "{upgraded}"
    );
    assert!(
        row(&of_run, "vault-berlin-01").contains("↺ rolled back"),
        "{of_run}"
    );
    assert!(
        of_run.contains("\n    rebooted and runs what it ran before"),
        "{of_run}"
    );
    let second = run_again(&lab);
    let of_device = said(&mut kept(&lab, &["history", "--device", "vault-warsaw-01"]));
    assert!(
        row(&of_device, &second).ends_with("1.2.3 = current"),
        "{of_device}"
    );
    assert!(
        row(&of_device, &first).ends_with("1.2.2 1.2.3 ✔ upgraded confirmed"),
        "{of_device}"
    );
    let json = object(&mut kept(
        &lab,
        &["history", "--device", "vault-warsaw-01", "--json"],
    ));
    assert_eq!(json["runs"][1]["audit"]["verdict"], "confirmed");
    assert_eq!(json["runs"][0]["outcome"], "current");
    let json = object(&mut kept(&lab, &["history", "--run", &first, "--json"]));
    assert_eq!(json["results"][0]["timeline"][0]["stage"], "probe");
    assert_eq!(json["run"], first.as_str());
    // Whatever it was called then.
    let inventory = std::fs::read_to_string(lab.inventory()).unwrap();
    let renamed = inventory.replace("vault-warsaw-01", "hsm-waw-1");
    std::fs::write(lab.inventory(), renamed).unwrap();
    run_again(&lab);
    let of_device = said(&mut kept(&lab, &["history", "--device", "hsm-waw-1"]));
    assert_eq!(of_device.lines().count(), 4, "{of_device}");
    assert!(
        row(&of_device, &first).contains("vault-warsaw-01"),
        "{of_device}"
    );
}

#[test]
fn a_name_that_only_the_inventory_has_finds_the_device_by_the_way_to_it() {
    let (lab, run) = after_a_run();
    let inventory = std::fs::read_to_string(lab.inventory()).unwrap();
    let renamed = inventory.replace("vault-warsaw-01", "hsm-waw-1");
    std::fs::write(lab.inventory(), &renamed).unwrap();
    let shown = || {
        let mut program = kept(&lab, &["history", "--device", "hsm-waw-1"]);
        program.env("HEMFLEET_CONFIG", lab.inventory());
        program.output().unwrap()
    };
    let output = shown();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let table = text(&output.stdout);
    assert!(
        table.contains(&run) && table.contains("vault-warsaw-01"),
        "{table}"
    );
    // An inventory with faults tells nothing, and is no fault of this command.
    std::fs::write(lab.inventory(), format!("{renamed}\nno = 1\n")).unwrap();
    let output = shown();
    assert_eq!(code(&output), 2);
    assert!(
        text(&output.stderr).starts_with("error: no run of the journal has a device hsm-waw-1"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn what_is_not_there_is_said() {
    let lab = Lab::serve_text(FLEET);
    assert_eq!(said(&mut kept(&lab, &["history"])), "no run yet\n");
    assert_eq!(
        object(&mut kept(&lab, &["history", "--json"]))["runs"],
        serde_json::json!([])
    );
    for (args, why) in [
        (&["history", "--run", "0"][..], "there is no journal yet"),
        (
            &["history", "--device", "x\u{1b}"],
            "no run of the journal has a device x\\u{1b}",
        ),
        (
            &["history", "prune", "--keep", "soon"],
            "--keep soon: expected number at 0",
        ),
        (&["report"], "there is no journal yet"),
    ] {
        let output = kept(&lab, args).output().unwrap();
        assert_eq!(code(&output), 2);
        assert!(
            text(&output.stderr).starts_with(&format!("error: {why}")),
            "{}",
            text(&output.stderr)
        );
        assert!(
            text(&output.stderr).contains("\nhint: "),
            "{}",
            text(&output.stderr)
        );
    }
    assert!(
        !lab.dir.path().join("journal.db").exists(),
        "who only reads makes no journal"
    );
}

#[test]
fn what_is_old_goes_and_only_when_it_is_meant() {
    let (lab, run) = after_a_run();
    let would = said(&mut kept(
        &lab,
        &["history", "prune", "--keep", "1s", "--dry-run"],
    ));
    assert!(
        !would.contains(&run) && would.contains("0 runs would be removed"),
        "{would}"
    );
    let forever = said(&mut kept(&lab, &["history", "prune"]));
    assert_eq!(
        forever,
        "0 runs removed: over for more than 2 years, with nothing left to do and no device in doubt\n"
    );
    let half = said(&mut kept(&lab, &["history", "prune", "--keep", "1d 12h"]));
    assert!(half.contains(" more than 1 day 12 hours, "), "{half}");
    // A moment ago is long enough for this.
    let would = said(&mut kept(
        &lab,
        &["history", "prune", "--keep", "0s", "--dry-run"],
    ));
    // What goes is listed, and not only counted.
    let lines: Vec<&str> = would.lines().collect();
    assert!(
        lines[0].starts_with("RUN ") && lines[1].starts_with(&run),
        "{would}"
    );
    assert!(lines[3].starts_with("1 run would be removed: "), "{would}");
    let gone = said(&mut kept(&lab, &["history", "prune", "--keep", "0s"]));
    assert!(
        gone.contains(&run) && gone.contains("1 run removed"),
        "{gone}"
    );
    assert_eq!(said(&mut kept(&lab, &["history"])), "no run yet\n");
}
