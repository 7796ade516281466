//! `hemfleet audit`: saved files, and the logs of simulated devices.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use super::program::{Lab, code, hemfleet, json, of, root, run, text};

fn vector(name: &str) -> PathBuf {
    root().join("tests/vectors/audit").join(name)
}

/// The exit code and what was printed, of a check of these two files of the vectors.
fn verify(log: &str, key: &str) -> (i32, String) {
    let (log, key) = (vector(log), vector(key));
    let output = run(&[
        "audit",
        "verify",
        log.to_str().unwrap(),
        "--key",
        key.to_str().unwrap(),
    ]);
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    (code(&output), said)
}

#[test]
fn saved_files_are_verified_offline() {
    for (log, key, exit, says) in [
        (
            "vendor-sample.log",
            "vendor-sample.key.json",
            0,
            "verified, 7 entries",
        ),
        ("upgrade-ok.log", "made.key.json", 0, "verified"),
        ("upgrade-error.log", "made.key.json", 0, "verified"),
        ("no-upgrade.log", "made.key.json", 0, "verified"),
        (
            "tampered-line.log",
            "made.key.json",
            1,
            "line 8: its MAC does not fit",
        ),
        (
            "gap.log",
            "made.key.json",
            1,
            "line 5: counter 4 stands where 3 should",
        ),
        (
            "upgrade-ok.log",
            "vendor-sample.key.json",
            1,
            "line 2: its key is not signed by the log key",
        ),
        ("absent.log", "made.key.json", 2, "is not readable"),
        ("upgrade-ok.log", "absent.json", 2, "is not readable"),
        ("upgrade-ok.log", "gap.log", 2, "log key"),
    ] {
        let (got, said) = verify(log, key);
        assert_eq!(got, exit, "{log} {key}: {said}");
        assert!(said.contains(says), "{log} {key}: {said}");
        assert!(!said.contains("prove"), "{said}");
    }
}

#[test]
fn a_key_whose_proof_does_not_fit_verifies_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let key = std::fs::read_to_string(vector("made.key.json")).unwrap();
    let other = std::fs::read_to_string(vector("vendor-sample.key.json")).unwrap();
    let nonce = |text: &str| {
        let json: serde_json::Value = serde_json::from_str(text).unwrap();
        json["nonce"].as_str().unwrap().to_owned()
    };
    let path = dir.path().join("key.json");
    std::fs::write(&path, key.replace(&nonce(&key), &nonce(&other))).unwrap();
    let log = vector("upgrade-ok.log");
    let output = run(&[
        "audit",
        "verify",
        log.to_str().unwrap(),
        "--key",
        path.to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 1);
    assert!(text(&output.stdout).contains("did not sign the nonce"));
}

/// `hemfleet audit` over the devices of `lab`.
fn audit(lab: &Lab, more: &[&str]) -> std::process::Output {
    let mut command = hemfleet();
    command.args(["audit", "-c"]).arg(lab.inventory());
    command.args(more).output().unwrap()
}

#[test]
fn logs_are_read_kept_and_verified_later() {
    let lab = Lab::serve("audit-300-logs.toml");
    let few = audit(&lab, &[]);
    assert_eq!(code(&few), 0, "{}", text(&few.stderr));
    let kept = lab.dir.path().join("logs");
    let save = ["--all-files", "--save", kept.to_str().unwrap()];
    let all = audit(&lab, &save);
    assert_eq!(code(&all), 0, "{}", text(&all.stderr));
    assert!(text(&all.stdout).lines().count() > 300);
    assert!(text(&few.stdout).lines().count() < 20);

    let device = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap();
    let files = std::fs::read_dir(device.path()).unwrap();
    let mut logs: Vec<PathBuf> = files
        .map(|file| file.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "log"))
        .collect();
    logs.sort();
    assert_eq!(logs.len(), 300);
    let log = &logs[7];
    let output = run(&[
        "audit",
        "verify",
        log.to_str().unwrap(),
        "--key",
        log.with_extension("key.json").to_str().unwrap(),
    ]);
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    let mode = std::fs::metadata(log).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn logs_in_json_say_what_was_read_over_which_link() {
    let lab = Lab::serve("audit-300-logs.toml");
    let output = audit(&lab, &["--output", "json"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    assert_eq!(events[0]["mode"], "audit");
    let read = of(&events, "log_read");
    assert!(read.iter().any(|e| e["ok"] == true));
    assert!(
        read.iter()
            .all(|e| e["link"] == "ca" && e["file"].is_string())
    );
    let finished = of(&events, "device_finished");
    assert!(!finished.is_empty());
    assert!(finished.iter().all(|e| e["outcome"] == "audited"));
}

#[test]
fn a_file_that_came_short_is_kept_under_a_name_that_says_so() {
    let lab = Lab::serve("audit-short.toml");
    let kept = lab.dir.path().join("logs");
    let save = ["--all-files", "--save", kept.to_str().unwrap()];
    assert_eq!(code(&audit(&lab, &save)), 1);
    let device = std::fs::read_dir(&kept).unwrap().next().unwrap().unwrap();
    let names: Vec<String> = std::fs::read_dir(device.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(names.iter().any(|n| n.ends_with(".cut.log")), "{names:?}");
    assert!(
        names.iter().any(|n| n.ends_with(".cut.key.json")),
        "{names:?}"
    );
}
