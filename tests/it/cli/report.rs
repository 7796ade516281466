//! Report files: what is in them, that they are there on every way out, and what is refused.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::program::{Lab, Program, code, hemfleet, json, of, text, vector, wait_for_file};

/// A device that is well, one whose image is refused, and one that stays away for an hour after its install.
const MIXED: &str = r#"
tempo = 0.01
[image]
size = 60000
[client]
concurrency = 4
timeouts = { connect = "5s", request = "20s", upload = "1m", upload_stall = "20s", check = "1m", reboot = "50m" }
pace = { gap = "1ms", check_poll = "20ms", reboot_poll = "50ms", reboot_settle = "100ms" }
[[device]]
name = "ok-1"
expect = { outcome = "upgraded" }
[[device]]
name = "refused-1"
group = "north"
tags = ["rack-7"]
faults = [{ at = "verification", do = "fail" }]
expect = { outcome = "failed" }
"#;

const ENDINGS: [&str; 6] = ["json", "jsonl", "md", "csv", "xml", "html"];

fn gone() -> String {
    format!(
        "{MIXED}[[device]]\nname = \"gone-1\"\nreboot = \"100h\"\nexpect = {{ outcome = \"unknown\" }}\n"
    )
}

/// The same with a report of each kind in `dir`.
fn reporting<'a>(program: &'a mut Program, dir: &std::path::Path) -> &'a mut Program {
    for ending in ENDINGS {
        program.arg("--report").arg(dir.join(format!("r.{ending}")));
    }
    program
}

/// All of them as text, and nothing else is in the folder.
fn reports(dir: &std::path::Path) -> [String; 6] {
    assert_eq!(fs::read_dir(dir).unwrap().count(), ENDINGS.len());
    ENDINGS.map(|ending| fs::read_to_string(dir.join(format!("r.{ending}"))).unwrap())
}

fn model(dir: &std::path::Path) -> Value {
    serde_json::from_str(&reports(dir)[0]).unwrap()
}

#[test]
fn six_reports_tell_the_same_run() {
    let lab = Lab::serve_text(MIXED);
    let dir = tempfile::tempdir().unwrap();
    let output = reporting(&mut lab.run(), dir.path()).output().unwrap();
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    let [report, events, markdown, csv, junit, html] = reports(dir.path());
    assert_eq!(
        events,
        text(&output.stdout),
        "the events are those of --output json"
    );
    let report: Value = serde_json::from_str(&report).unwrap();
    let events = json(&output.stdout);
    assert_eq!(report["exit_code"], 1);
    assert_eq!(report["run"], events[0]["run"]);
    let devices = report["devices"].as_array().unwrap();
    let names: Vec<_> = devices
        .iter()
        .map(|d| d["device"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["ok-1", "refused-1"], "the order of the inventory");
    assert_eq!(devices[1]["code"], "image_refused");
    assert_eq!(devices[1]["tags"], serde_json::json!(["rack-7"]));
    let steps = devices[1]["timeline"].as_array().unwrap();
    let ended = of(&events, "stage_finished");
    let of_device = ended.iter().filter(|e| e["device"] == "refused-1");
    assert_eq!(steps.len(), of_device.count());
    assert_eq!(csv.lines().count(), 3);
    assert!(
        junit.contains("tests=\"2\" failures=\"1\" errors=\"0\""),
        "{junit}"
    );
    assert!(junit.contains("<failure type=\"image_refused\""), "{junit}");
    for page in [markdown, html] {
        assert!(
            page.contains("✖ failed at check") && page.contains("rack-7"),
            "{page}"
        );
    }
}

#[test]
fn a_run_that_is_stopped_leaves_its_reports_whichever_signal_it_was() {
    // A second hang-up is none: it takes two signals that ask for an end to have it at once.
    for (signal, says, at_once) in [
        ("INT", "stopping: nothing new starts", &["INT"][..]),
        ("TERM", "stopping: nothing new starts", &["TERM"]),
        (
            "HUP",
            "hung up: nothing new starts",
            &["HUP", "TERM", "INT"],
        ),
    ] {
        let lab = Lab::serve_text(&gone());
        let dir = tempfile::tempdir().unwrap();
        let program = reporting(&mut lab.run(), dir.path()).start().unwrap();
        program.stderr.read();
        let away = |e: &Value| e["device"] == "gone-1" && e["stage"] == "reboot";
        assert!(program.stdout.events().any(|e| away(&e)));
        program.signal(signal);
        program.stderr.wait_for(&[says]);
        // The second one does not wait for the device.
        for signal in at_once {
            program.signal(signal);
        }
        let output = program.output();
        assert_eq!(code(&output), 130, "{signal}");
        let report = model(dir.path());
        assert_eq!(report["exit_code"], 130);
        assert_eq!(report["interrupted"], true);
        let gone = &report["devices"][2];
        assert_eq!(
            (&gone["device"], &gone["in_doubt"]),
            (&"gone-1".into(), &true.into())
        );
        let events = json(reports(dir.path())[1].as_bytes());
        assert_eq!(events.last().unwrap()["event"], "run_finished");
    }
}

#[test]
fn a_reader_that_goes_away_takes_no_report_with_it() {
    let lab = Lab::serve_text(MIXED);
    let dir = tempfile::tempdir().unwrap();
    let mut program = reporting(&mut lab.run(), dir.path()).start().unwrap();
    program.stdout.close();
    let output = program.output();
    assert_eq!(code(&output), 130, "{}", text(&output.stderr));
    let events = json(reports(dir.path())[1].as_bytes());
    assert_eq!(events[0]["event"], "run_started");
    assert_eq!(events.last().unwrap()["event"], "run_finished");
}

#[test]
fn a_run_that_is_stopped_before_its_first_request_has_reports_too() {
    let dir = tempfile::tempdir().unwrap();
    let inventory = dir.path().join("fleet.toml");
    let began = dir.path().join("began");
    let secret = format!("echo begun > {}; exec sleep 600", began.display());
    let device = format!(
        "[[device]]\nname = \"a\"\nurl = \"https://my.ence.do\"\nconnect = \"127.0.0.1:9\"\n\
         auth = {{ kind = \"passphrase\", secret = {{ command = [\"sh\", \"-c\", \"{secret}\"] }} }}\n"
    );
    fs::write(&inventory, device).unwrap();
    let reports = dir.path().join("reports");
    fs::create_dir(&reports).unwrap();
    let image = vector("signed-v1.2.3.bin");
    for command in ["run", "audit"] {
        let mut program = hemfleet();
        program.arg(command).arg("-c").arg(&inventory);
        if command == "run" {
            program.arg("--yes").arg("--firmware").arg(&image);
        }
        let program = reporting(&mut program, &reports).start().unwrap();
        wait_for_file(&began, "begun", &program);
        fs::remove_file(&began).unwrap();
        program.signal("INT");
        let output = program.output();
        assert_eq!(code(&output), 130, "{}", text(&output.stderr));
        let report = model(&reports);
        assert_eq!(report["exit_code"], 130, "{command}");
        assert_eq!(report["devices"][0]["outcome"], "cancelled");
        assert_eq!(report["devices"][0]["touched"], "nothing");
        for file in fs::read_dir(&reports).unwrap() {
            fs::remove_file(file.unwrap().path()).unwrap();
        }
    }
}

#[test]
fn a_halted_run_says_so_in_its_reports() {
    let lab = Lab::serve("bad-image.toml");
    let dir = tempfile::tempdir().unwrap();
    let output = reporting(&mut lab.run(), dir.path()).output().unwrap();
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let report = model(dir.path());
    assert_eq!(
        (&report["exit_code"], &report["halted"]),
        (&4.into(), &true.into())
    );
    assert!(report["halt"].as_str().unwrap().starts_with("RUN HALTED"));
}

#[test]
fn a_plan_and_an_audit_have_reports_too() {
    let lab = Lab::serve("all-well.toml");
    for (command, wanted) in [("plan", "verdict"), ("audit", "outcome")] {
        let dir = tempfile::tempdir().unwrap();
        let mut program = hemfleet();
        program.arg(command).arg("-c").arg(lab.inventory());
        let output = reporting(&mut program, dir.path()).output().unwrap();
        let report = model(dir.path());
        assert_eq!(report["mode"], command);
        assert_eq!(
            report["exit_code"],
            code(&output),
            "{}",
            text(&output.stderr)
        );
        for device in report["devices"].as_array().unwrap() {
            assert!(device[wanted].is_string(), "{device}");
        }
    }
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_sent() {
    let lab = Lab::serve("all-well.toml");
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let table: [(Vec<PathBuf>, &str); 3] = [
        (
            vec![at("r.txt")],
            ".jsonl (the events), .json, .md, .csv, .xml or .html",
        ),
        (vec![at("none/r.md")], "make the folder first"),
        (vec![at("r.md"), at("./r.md")], "named twice"),
    ];
    for (paths, said) in table {
        for command in ["run", "plan", "audit"] {
            let mut program = hemfleet();
            program.arg(command).arg("-c").arg(lab.inventory());
            if command == "run" {
                program.arg("--yes");
            }
            for path in &paths {
                program.arg("--report").arg(path);
            }
            let output = program.output().unwrap();
            assert_eq!(code(&output), 2, "{command}");
            assert!(output.stdout.is_empty(), "{command}");
            let err = text(&output.stderr);
            assert!(err.contains(said), "{command}: {err}");
        }
    }
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[test]
fn a_report_that_cannot_be_written_at_the_end_is_no_success() {
    let lab = Lab::serve("all-well.toml");
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("reports");
    fs::create_dir(&folder).unwrap();
    let mut run = lab.run();
    let program = run
        .arg("--report")
        .arg(folder.join("r.html"))
        .start()
        .unwrap();
    program.stderr.read();
    assert!(program.stdout.events().next().is_some());
    fs::remove_dir(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    let output = program.output();
    let err = text(&output.stderr);
    assert_eq!(code(&output), 5, "{err}");
    assert!(
        err.contains("error: NO REPORT: ") && err.contains("hint: "),
        "{err}"
    );
    let last = json(&output.stdout).pop().unwrap();
    assert_eq!(last["exit_code"], 0, "the run itself was well");
}

#[test]
fn where_the_locale_is_not_utf_8_plain_output_plan_and_summary_are_ascii() {
    let lab = Lab::serve_text(MIXED);
    let plan = |locale: &str, more: &[&str]| {
        let mut program = hemfleet();
        program
            .arg("plan")
            .arg("-c")
            .arg(lab.inventory())
            .args(more);
        program.env("LC_ALL", locale).output().unwrap().stdout
    };
    assert!(plan("C", &[]).is_ascii());
    assert!(plan("C.UTF-8", &["--ascii"]).is_ascii());
    assert!(!plan("C.UTF-8", &[]).is_ascii());
    let mut program = hemfleet();
    program
        .arg("run")
        .arg("-c")
        .arg(lab.inventory())
        .arg("--yes");
    let output = program.env("LC_ALL", "C").output().unwrap();
    let said = text(&output.stdout);
    assert!(
        said.contains("upload...") && said.contains("exit code 1"),
        "{said}"
    );
    assert!(said.is_ascii(), "{said}");
}
