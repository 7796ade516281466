//! `hemfleet audit`: saved files, and the logs of simulated devices.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::program::{Lab, Program, code, hemfleet, json, of, root, run, text};

fn vector(name: &str) -> PathBuf {
    root().join("tests/vectors/audit").join(name)
}

/// Runs `hemfleet audit verify`; its exit code and what it printed.
fn verify(log: &Path, key: &Path) -> (i32, String) {
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
        let (got, said) = verify(&vector(log), &vector(key));
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
    let (exit, said) = verify(&log, &path);
    assert_eq!(exit, 1, "{said}");
    assert!(said.contains("did not sign the nonce"), "{said}");
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
    let (exit, said) = verify(log, &log.with_extension("key.json"));
    assert_eq!(exit, 0, "{said}");
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

/// The files in the one folder that `--save` made, by name.
fn saved(kept: &Path) -> Vec<PathBuf> {
    let device = std::fs::read_dir(kept).unwrap().next().unwrap().unwrap();
    let files = std::fs::read_dir(device.path()).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn a_key_that_is_missing_beside_its_log_is_written_again() {
    let lab = Lab::serve_text("[[device]]\nname = \"vault-01\"\nlog_files = 3\n");
    let kept = lab.dir.path().join("logs");
    let save = ["--save", kept.to_str().unwrap()];
    assert_eq!(code(&audit(&lab, &save)), 0);
    let before = saved(&kept);
    assert_eq!(before.len(), 6, "{before:?}");
    // Stopped between the two files, by a crash or a full disk.
    let key = before
        .iter()
        .find(|p| p.to_str().unwrap().ends_with(".key.json"));
    let key = key.unwrap();
    std::fs::remove_file(key).unwrap();
    let others = |path: &&PathBuf| *path != key;
    let read = |path: &PathBuf| std::fs::read(path).unwrap();
    let contents: Vec<Vec<u8>> = before.iter().filter(others).map(read).collect();
    let again = audit(&lab, &save);
    assert_eq!(code(&again), 0, "{}", text(&again.stderr));
    assert_eq!(saved(&kept), before);
    let unchanged: Vec<Vec<u8>> = before.iter().filter(others).map(read).collect();
    assert_eq!(unchanged, contents);
    let log = PathBuf::from(key.to_str().unwrap().replace(".key.json", ".log"));
    let (exit, said) = verify(&log, key);
    assert_eq!(exit, 0, "{said}");
}

#[test]
fn on_a_full_disk_json_and_the_process_say_the_same() {
    let device = "[[device]]\nname = \"vault-01\"\nlog_files = 2\nlog_bytes = 300000\n";
    let lab = Lab::serve_text(device);
    let kept = lab.dir.path().join("logs");
    // A disk on which no file becomes longer than a few KiB: the write fails as on a full one.
    let output = Command::new("sh")
        .args(["-c", "trap '' XFSZ; ulimit -f 16; exec \"$@\"", "sh"])
        .arg(env!("CARGO_BIN_EXE_hemfleet"))
        .args(["audit", "--output", "json", "-c"])
        .arg(lab.inventory())
        .arg("--save")
        .arg(&kept)
        .env_remove("RUST_LOG")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let events = json(&output.stdout);
    let finished = of(&events, "run_finished");
    assert_eq!(code(&output), 3, "{}", text(&output.stderr));
    assert_eq!(finished[0]["exit_code"], 3);
    let device = of(&events, "device_finished");
    assert_eq!(device[0]["code"], "log_not_kept", "{}", device[0]);
    // The logs were read all the same.
    let read = of(&events, "log_read");
    let told = read
        .iter()
        .filter(|e| e["ok"] == true && e["kept"] == false);
    assert_eq!(told.count(), 2, "{read:?}");
    assert!(saved(&kept).is_empty(), "{:?}", saved(&kept));
}

/// The most memory that a process has taken so far, in MiB; `None` where it is gone.
#[cfg(target_os = "linux")]
fn peak(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kib / 1024)
}

/// Runs it to its end; the most memory that it had taken when a device was done, in MiB.
#[cfg(target_os = "linux")]
fn peak_of(program: &mut Program) -> u64 {
    let process = program.start().unwrap();
    process.stderr.read();
    let mut most = 0;
    for event in process.stdout.events() {
        if event["event"] == "device_finished" {
            most = most.max(peak(process.id).unwrap_or(0));
        }
    }
    assert!(process.end().success());
    most
}

#[cfg(target_os = "linux")]
#[test]
fn logs_take_memory_for_a_window_each_and_not_for_a_fleet() {
    const DEVICES: usize = 24;
    // 4 MB each: 96 MB as bytes, and several times that as entries.
    let devices = (1..=DEVICES).map(|n| {
        format!("[[device]]\nname = \"vault-{n:02}\"\nlog_files = 1\nlog_bytes = 4000000\n")
    });
    let head = "tempo = 0.01\nclient = { quick = true }\n".to_owned();
    let lab = Lab::serve_text(&devices.fold(head, |text, device| text + &device));
    let all = DEVICES.to_string();
    let run = peak_of(lab.run().args(["--concurrency", &all]));
    let kept = lab.dir.path().join("logs");
    let mut audit = hemfleet();
    audit.args(["audit", "--output", "json", "--concurrency", &all, "-c"]);
    audit.arg(lab.inventory()).arg("--save").arg(&kept);
    let audit = peak_of(&mut audit);
    assert!(run > 0 && run < 80, "hemfleet run took {run} MiB");
    assert!(audit > 0 && audit < 80, "hemfleet audit took {audit} MiB");
    for device in std::fs::read_dir(&kept).unwrap() {
        let files = std::fs::read_dir(device.unwrap().path()).unwrap();
        let sizes = files.map(|f| f.unwrap().metadata().unwrap().len());
        assert!(sizes.filter(|&n| n > 3_900_000).count() >= 2);
    }
}
