//! Evidence of a real run against simulated devices. What can be wrong with such a folder is tried out beside the code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use crate::cli::program::{Lab, code, hemfleet, text};

/// What a log can say, and not say.
const FLEET: &str = r#"
tempo = 0.01
client = { quick = true }

[[device]]
name = "confirmed"
log_files = 3

[[device]]
name = "error"
log_files = 3
faults = [{ at = "upgrade-entry", do = "log-error" }]

[[device]]
name = "tampered"
log_files = 3
faults = [{ at = "upgrade-entry", do = "tamper" }]

[[device]]
name = "short"
log_files = 3
faults = [{ at = "log-file", do = "short", always = true }]

[[device]]
name = "missing"
faults = [{ at = "upgrade-entry", do = "leave-out" }]

[[device]]
name = "absent"
faults = [{ at = "connect", do = "refuse" }]
"#;

/// A run in a journal of its own. The devices are gone when it is looked at.
struct Run {
    dir: tempfile::TempDir,
}

impl Run {
    fn of(fleet: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let lab = Lab::serve_text(fleet);
        let mut run = lab.run();
        run.arg("--journal").arg(dir.path().join("journal.db"));
        let output = run.output().unwrap();
        assert!(output.stdout.ends_with(b"\n"), "{}", text(&output.stderr));
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// `hemfleet evidence` into this folder.
    fn evidence(&self, folder: &str, more: &[&str]) -> Output {
        let mut command = hemfleet();
        command.args(["evidence", "--journal"]);
        command.arg(self.path("journal.db"));
        command.arg("-o").arg(self.path(folder)).args(more);
        command.output().unwrap()
    }
}

/// `hemfleet evidence verify`: its exit code and what it printed.
fn verify(dir: &Path, more: &[&str]) -> (i32, String) {
    let mut command = hemfleet();
    command.args(["evidence", "verify"]).arg(dir).args(more);
    let output = command.output().unwrap();
    let said = [text(&output.stdout), text(&output.stderr)].concat();
    (code(&output), said)
}

#[test]
fn a_run_is_evidence_without_its_devices_and_without_its_journal() {
    let run = Run::of(FLEET);
    let made = run.evidence("evidence", &[]);
    let said = text(&made.stdout);
    assert_eq!(code(&made), 0, "{said}{}", text(&made.stderr));
    assert!(said.contains("with 5 log files"), "{said}");
    fs::remove_file(run.path("journal.db")).unwrap();
    fs::remove_dir_all(run.path("journal.db.logs")).unwrap();

    let dir = run.path("evidence");
    let (exit, said) = verify(&dir, &[]);
    assert_eq!(exit, 0, "{said}");
    for wanted in [
        "confirmed: audit confirmed: line ",
        "error: audit contradicted: line ",
        "tampered: audit contradicted: line ",
        "short: audit ",
        "missing: audit missing: ",
        "6 devices: 5 upgraded, 1 failed",
        "not signed: ",
    ] {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
    assert_eq!(said.matches(", log key ").count(), 5, "{said}");
    assert!(!said.contains("absent: audit"), "{said}");

    // What devices and inventories are secret about is not in it.
    let events = fs::read_to_string(dir.join("events.jsonl")).unwrap();
    assert!(events.contains("\"install_begun\""));
    let secrets = fs::read_dir(&dir).unwrap().count();
    assert_eq!(secrets, 6, "four documents, the manifest and the logs");

    // A file of another device.
    let (one, other) = (log(&dir, "confirmed"), log(&dir, "missing"));
    let bytes = fs::read(&one).unwrap();
    fs::copy(&other, &one).unwrap();
    let (exit, said) = verify(&dir, &[]);
    assert_eq!(exit, 1, "{said}");
    let place = "evidence: NOT verified: logs/confirmed/";
    assert!(said.contains(place), "{said}");
    fs::write(&one, bytes).unwrap();
    fs::remove_file(dir.join("run.json")).unwrap();
    let (exit, said) = verify(&dir, &[]);
    assert_eq!(exit, 1);
    assert!(
        said.contains("NOT verified: run.json: it is missing"),
        "{said}"
    );
    let (exit, said) = verify(&run.path("nowhere"), &[]);
    assert_eq!(exit, 2, "{said}");
}

/// The log file of a device.
fn log(dir: &Path, device: &str) -> PathBuf {
    let files = fs::read_dir(dir.join("logs").join(device)).unwrap();
    let mut files = files.map(|file| file.unwrap().path());
    files
        .find(|file| file.extension().is_some_and(|e| e == "log"))
        .unwrap()
}

#[test]
fn a_folder_is_signed_and_never_written_over() {
    let run = Run::of("tempo = 0.01\nclient = { quick = true }\n[[device]]\nname = \"vault-01\"\n");
    let key = run.path("id");
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
        .arg(&key)
        .stdin(Stdio::null())
        .status();
    if let Err(e) = made {
        eprintln!("skipped: ssh-keygen cannot be run: {e}");
        return;
    }
    let key = key.to_str().unwrap();
    let made = run.evidence("signed", &["--sign-key", key]);
    assert_eq!(code(&made), 0, "{}", text(&made.stderr));
    assert!(text(&made.stdout).contains("signed with the key SHA256:"));
    let public = fs::read_to_string(format!("{key}.pub")).unwrap();
    let signers = run.path("signers");
    fs::write(&signers, format!("ada@example.com {public}")).unwrap();
    let signers = ["--signers", signers.to_str().unwrap()];
    let (exit, said) = verify(&run.path("signed"), &signers);
    assert_eq!(exit, 0, "{said}");
    assert!(said.contains("signed by ada@example.com"), "{said}");

    let again = run.evidence("signed", &[]);
    assert_eq!(code(&again), 2);
    let said = text(&again.stderr);
    assert!(said.contains("exists, and is left alone"), "{said}");
    let made = run.evidence("unsigned", &[]);
    assert_eq!(code(&made), 0);
    let (exit, said) = verify(&run.path("unsigned"), &signers);
    assert_eq!(exit, 1);
    assert!(said.contains("the folder is not signed"), "{said}");
}

#[test]
fn without_a_journal_or_a_run_it_says_so() {
    let dir = tempfile::tempdir().unwrap();
    let run = Run { dir };
    let none = run.evidence("evidence", &[]);
    assert_eq!(code(&none), 2);
    let said = text(&none.stderr);
    assert!(said.contains("there is no journal"), "{said}");
    assert!(!run.path("evidence").exists() && !run.path("journal.db").exists());
}
