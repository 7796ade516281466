//! The real binary: what it prints, where, and what it exits with.

mod answers;
mod audit;
#[cfg(target_os = "linux")]
mod descriptors;
mod fetch;
mod images;
mod inventory;
mod processes;
pub(crate) mod program;
mod report;
mod rerun;
mod rollout;
mod selection;
mod shell;
mod stalled;

use serde_json::Value;

use program::{Lab, code, hemfleet, json, of, run, text, vector};

#[test]
fn a_plan_checks_nothing_in_whatever_the_inventory_says_of_a_run() {
    let lab = Lab::serve("expired-checkin.toml");
    let mut plan = hemfleet();
    plan.arg("plan").arg("-c").arg(lab.inventory());
    let output = plan.args(["--output", "json"]).output().unwrap();
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    assert!(events.iter().all(|e| e["stage"] != "checkin"));
    let planned = of(&events, "device_planned");
    assert!(planned.iter().all(|e| e["code"] == "tls_expired"));
    assert_eq!(planned.len(), 3);
}

#[test]
fn a_run_in_json_says_everything_and_nothing_else() {
    let lab = Lab::serve("all-well.toml");
    // The plan first: made without a secret, and true all the same.
    let mut plan = hemfleet();
    plan.arg("plan").arg("-c").arg(lab.inventory());
    let before = plan.output().unwrap();
    assert_eq!(code(&before), 0, "{}", text(&before.stdout));
    assert!(text(&before.stdout).contains("upgrade"));
    let output = lab.run().output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    for event in &events {
        assert_eq!(event["schema"], 1);
        assert!(event["ts"].is_string() && event["run"].is_string());
    }
    assert_eq!(events[0]["event"], "run_started");
    let last = events.last().unwrap();
    assert_eq!(last["event"], "run_finished");
    let finished = of(&events, "device_finished");
    assert_eq!(last["counts"]["upgraded"], finished.len());
    for device in finished {
        assert_eq!(device["outcome"], "upgraded");
        assert_eq!(
            (&device["from"], &device["to"]),
            (&"1.2.2".into(), &"1.2.3".into())
        );
        let stages: Vec<_> = of(&events, "stage_started")
            .into_iter()
            .filter(|e| e["device"] == device["device"])
            .map(|e| e["stage"].as_str().unwrap())
            .collect();
        let wanted = [
            "probe", "login", "upload", "check", "install", "reboot", "verify", "audit",
        ];
        assert_eq!(stages, wanted);
    }
    let bytes = of(&events, "stage_progress")
        .into_iter()
        .rfind(|e| e["stage"] == "upload")
        .unwrap();
    assert_eq!(bytes["bytes"], bytes["total"]);
    // A second run finds nothing to do, and the plan says so too.
    let again = lab.run().output().unwrap();
    assert_eq!(code(&again), 0);
    let again = json(&again.stdout);
    let current = of(&again, "device_finished");
    assert_eq!(current.len(), of(&events, "device_finished").len());
    for device in current {
        assert_eq!(device["outcome"], "current");
    }
    let after = plan.output().unwrap();
    assert_eq!(code(&after), 0);
    assert!(text(&after.stdout).contains("current"));
}

#[test]
fn no_secret_shows_in_any_output_however_much_is_logged() {
    let lab = Lab::serve("clock-unset.toml");
    let output = lab
        .run()
        .args(["-vv"])
        .env("RUST_LOG", "trace")
        .output()
        .unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let passphrase = std::fs::read_to_string(lab.dir.path().join("passphrase")).unwrap();
    let all = format!("{}{}", text(&output.stdout), text(&output.stderr));
    assert!(all.contains("/api/auth/token"), "nothing was logged");
    assert!(!all.contains(passphrase.trim()));
    // Neither an eJWT nor a bearer token: both begin with base64url of `{"`.
    assert!(!all.contains("eyJ"), "{all}");
}

#[test]
fn ctrl_c_brings_devices_to_a_safe_point_and_says_130() {
    let lab = Lab::serve("check-slow.toml");
    let run = lab.run().start().unwrap();
    run.stdout
        .wait_for(&[r#""event":"stage_progress""#, r#""stage":"check""#]);
    run.signal("INT");
    let output = run.output();
    let events: Vec<Value> = json(&output.stdout);
    assert_eq!(code(&output), 130);
    let finished = of(&events, "device_finished");
    assert!(!finished.is_empty());
    assert!(
        finished
            .iter()
            .any(|d| d["outcome"] == "cancelled" && d["touched"] == "image_staged"),
        "{finished:?}"
    );
    assert!(
        of(&events, "stage_started")
            .iter()
            .all(|e| e["stage"] != "install")
    );
    assert_eq!(events.last().unwrap()["interrupted"], true);
}

/// `hemfleet run … | tee log`: the Ctrl-C that is meant for hemfleet ends the `tee` too.
#[test]
fn a_reader_that_goes_away_is_no_second_interrupt_and_no_exit_2() {
    let lab = Lab::serve("all-well.toml");
    let mut run = lab.run().start().unwrap();
    run.stdout.wait_for(&[r#""stage":"install""#]);
    run.stdout.close();
    run.signal("INT");
    let output = run.output();
    let err = text(&output.stderr);
    assert_eq!(code(&output), 130, "{err}");
    // The device past its install was watched to its end, and is in the summary.
    assert!(!err.contains("IN DOUBT"), "{err}");
    assert!(err.contains("upgraded"), "{err}");
}

#[test]
fn every_command_logs_where_it_is_told_to() {
    use std::os::unix::fs::PermissionsExt as _;
    let lab = Lab::serve("all-well.toml");
    let log = lab.dir.path().join("plan.log");
    let plan = hemfleet()
        .arg("plan")
        .arg("-c")
        .arg(lab.inventory())
        .args(["-v", "--log"])
        .arg(&log)
        .output()
        .unwrap();
    assert_eq!(text(&plan.stderr), "");
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(written.contains("/api/system/version"));
    let mode = log.metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn each_line_of_the_log_has_the_run_and_the_file_is_bounded() {
    let lab = Lab::serve("all-well.toml");
    let log = lab.dir.path().join("run.log");
    // As many bytes as a file may have.
    let full = std::fs::File::create(&log).unwrap();
    full.set_len(10 * 1024 * 1024).unwrap();
    let output = lab.run().args(["-v", "--log"]).arg(&log).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    let run = format!(" {} ", events[0]["run"].as_str().unwrap());
    let written = std::fs::read_to_string(&log).unwrap();
    assert!(written.lines().count() > 10, "{written}");
    for line in written.lines() {
        assert!(line.contains(&run), "{line}");
    }
    let before = std::fs::metadata(lab.dir.path().join("run.log.1")).unwrap();
    assert_eq!(before.len(), 10 * 1024 * 1024);
}

#[test]
fn the_simulator_says_how_many_devices_it_takes() {
    let help = run(&["sim", "--help"]);
    assert!(
        text(&help.stdout).contains("1 to 5000"),
        "{}",
        text(&help.stdout)
    );
    let many = run(&["sim", "--devices", "5001", "--dir", "/dev/null"]);
    assert_eq!(code(&many), 2);
    assert!(
        text(&many.stderr).contains("1..=5000"),
        "{}",
        text(&many.stderr)
    );
}

#[test]
fn a_dead_standard_error_is_no_panic() {
    let lab = Lab::serve("all-well.toml");
    let full = std::fs::OpenOptions::new()
        .write(true)
        .open("/dev/full")
        .unwrap();
    let output = lab.run().arg("-vv").output_with_stderr(full).unwrap();
    assert_eq!(code(&output), 0);
    assert_eq!(
        json(&output.stdout).last().unwrap()["event"],
        "run_finished"
    );
}

#[test]
fn a_secret_that_cannot_be_read_is_a_fault_of_its_device() {
    let lab = Lab::serve("all-well.toml");
    let file = lab.inventory();
    let inventory = std::fs::read_to_string(&file).unwrap();
    let broken = inventory.replace("{ file = \"passphrase\" }", "{ command = [\"false\"] }");
    assert_ne!(broken, inventory);
    std::fs::write(&file, broken).unwrap();
    let output = lab.run().output().unwrap();
    assert_eq!(code(&output), 2);
    let err = text(&output.stderr);
    assert!(
        err.contains("`false` ended") && err.contains("device:"),
        "{err}"
    );
    assert!(err.lines().all(|line| line.trim() != "|"), "{err}");
}

#[test]
fn without_a_terminal_a_run_wants_yes() {
    let lab = Lab::serve("all-well.toml");
    for output in ["plain", "json"] {
        let out = hemfleet()
            .arg("run")
            .arg("-c")
            .arg(lab.inventory())
            .args(["--output", output])
            .output()
            .unwrap();
        assert_eq!(code(&out), 2);
        assert!(out.stdout.is_empty());
        assert!(text(&out.stderr).contains("--yes"), "{}", text(&out.stderr));
    }
    let out = run(&[
        "run",
        "--output",
        "tui",
        "--yes",
        "-c",
        lab.inventory().to_str().unwrap(),
    ]);
    assert_eq!(code(&out), 2);
}

#[test]
fn all_faults_of_file_and_image_come_at_once_and_nothing_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    std::fs::write(
        &file,
        "[fleet]\nconcurency = 3\n[[device]]\nname = \"a\"\nurl = \"ftp://x\"\n",
    )
    .unwrap();
    let damaged = vector("damaged.bin");
    let out = run(&[
        "run",
        "--yes",
        "-c",
        file.to_str().unwrap(),
        "--firmware",
        damaged.to_str().unwrap(),
    ]);
    assert_eq!(code(&out), 2);
    let err = text(&out.stderr);
    for wanted in ["concurency", "concurrency", "ftp", "does not verify"] {
        assert!(err.contains(wanted), "{wanted} in {err}");
    }
    let none = run(&["plan", "-c", dir.path().join("no.toml").to_str().unwrap()]);
    assert_eq!(code(&none), 2);
}

#[test]
fn inspect_tells_what_an_image_is() {
    let out = run(&["inspect", vector("signed-v1.2.3.bin").to_str().unwrap()]);
    assert_eq!(code(&out), 0);
    insta::assert_snapshot!("inspect-signed", text(&out.stdout));
    let hex = run(&["inspect", vector("signed-v1.2.3.hex").to_str().unwrap()]);
    insta::assert_snapshot!("inspect-hex", text(&hex.stdout));
    let none = run(&["inspect", vector("no-footer.bin").to_str().unwrap()]);
    assert_eq!(code(&none), 2);
    insta::assert_snapshot!("inspect-no-footer", text(&none.stdout));
    let damaged = run(&["inspect", vector("damaged.bin").to_str().unwrap()]);
    assert_eq!(code(&damaged), 2);
    assert!(text(&damaged.stderr).contains("does not verify"));
}

#[test]
fn usage_errors_are_2_and_help_is_0() {
    assert_eq!(code(&run(&["rum"])), 2);
    assert_eq!(code(&run(&["run"])), 2);
    let help = run(&["--help"]);
    assert_eq!(code(&help), 0);
    for command in [
        "plan", "run", "demo", "sim", "audit", "fetch", "inspect", "config",
    ] {
        assert!(text(&help.stdout).contains(command));
    }
}

#[test]
fn a_damaged_image_is_refused_unless_it_is_forced_and_then_said() {
    let lab = Lab::serve("all-well.toml");
    let plan = |more: &[&str]| {
        let mut command = hemfleet();
        command.args(["plan", "-c"]).arg(lab.inventory());
        command.arg("--firmware").arg(vector("damaged.bin"));
        command.args(more).output().unwrap()
    };
    let refused = plan(&[]);
    assert_eq!(code(&refused), 2);
    assert!(text(&refused.stderr).contains("does not verify"));
    let forced = plan(&["--force-image"]);
    assert_eq!(code(&forced), 0, "{}", text(&forced.stderr));
    assert!(
        text(&forced.stderr).contains("WARNING")
            && text(&forced.stderr).contains("does not verify")
    );
    assert!(text(&forced.stdout).contains("at best unproven"));
}

#[test]
fn the_example_is_printed_and_checks() {
    let example = run(&["config", "example"]);
    assert_eq!(code(&example), 0);
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    std::fs::write(&file, &example.stdout).unwrap();
    let check = || {
        let mut check = hemfleet();
        check.args(["config", "check", "-c"]).arg(&file);
        check.output().unwrap()
    };
    // As it stands: without a file beside it, and without a secret.
    assert_eq!(code(&check()), 0, "{}", text(&check().stderr));
    // What is commented out is looked at once it is in force.
    let said = text(&example.stdout).replace("#auth = ", "auth = ");
    std::fs::write(&file, said.replace("#firmware = ", "firmware = ")).unwrap();
    let unset = check();
    assert_eq!(code(&unset), 2);
    for wanted in ["HEM_PASSPHRASE", "firmware.bin"] {
        assert!(
            text(&unset.stderr).contains(wanted),
            "{}",
            text(&unset.stderr)
        );
    }
}

#[test]
fn the_demo_ends_as_expected_without_a_terminal() {
    let out = run(&["demo"]);
    assert_eq!(code(&out), 0, "{}", text(&out.stdout));
    let said = text(&out.stdout);
    for wanted in ["UPGRADED", "FAILED", "ROLLED BACK", "SKIPPED", "expects"] {
        assert!(said.contains(wanted), "{wanted} in {said}");
    }
}
