//! What is written, and what becomes of it where something stands in the way.

use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::cli::evidence::verification::Signed;
use crate::model::AuditVerdict;

#[test]
fn a_folder_verifies_and_says_what_the_run_came_to() {
    let sample = Sample::new();
    let written = sample.write_as("evidence", None).unwrap();
    assert_eq!((written.logs, written.absent.len()), (2, 0));
    let dir = sample.path("evidence");
    let verified = good(&dir);
    assert_eq!(verified.messages, sample.messages.len() as u64);
    let kinds: Vec<_> = verified
        .devices
        .iter()
        .map(|(_, outcome, _)| outcome.as_ref().unwrap().kind())
        .collect();
    assert_eq!(
        kinds,
        [
            OutcomeKind::Upgraded,
            OutcomeKind::RolledBack,
            OutcomeKind::Failed
        ]
    );
    assert!(matches!(verified.signed, Signed::Not));
    assert!(verified.times.1.is_some());
    let [first, second] = &verified.logs[..] else {
        panic!("{:?}", verified.logs);
    };
    assert!(matches!(first.verdict, AuditVerdict::Confirmed { .. }));
    assert!(matches!(second.verdict, AuditVerdict::Contradicted { .. }));
    let (file, key) = first.file.as_ref().unwrap().as_ref().unwrap();
    assert_eq!(file, "logs/vault-01/62310ba5.log");
    let answer = String::from_utf8(vector("made.key.json")).unwrap();
    assert!(answer.contains(key), "{key}");

    let files = contents(&dir);
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "MANIFEST.sha256",
            "README.txt",
            "events.jsonl",
            "logs/vault-01/62310ba5.key.json",
            "logs/vault-01/62310ba5.log",
            "logs/vault-02/62310ba5.key.json",
            "logs/vault-02/62310ba5.log",
            "run.json",
            "verdicts.json",
        ]
    );
    assert!(files["logs/vault-01/62310ba5.log"] == vector("upgrade-ok.log"));
    for name in names {
        assert_eq!(mode(&dir.join(name)), 0o600, "{name}");
    }
    for folder in ["", "logs", "logs/vault-01"] {
        assert_eq!(mode(&dir.join(folder)), 0o700, "{folder}");
    }
    let left = fs::read_dir(sample.home.path()).unwrap().count();
    assert_eq!(left, 2, "the folder and the kept logs");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_manifest_is_one_that_sha256sum_reads() {
    let sample = Sample::new();
    let dir = sample.folder();
    let check = std::process::Command::new("sha256sum")
        .args(["-c", "--strict", "--quiet", "MANIFEST.sha256"])
        .current_dir(&dir)
        .output();
    match check {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(e) => eprintln!("skipped: sha256sum cannot be run: {e}"),
    }
    let before = fs::read_to_string(dir.join("MANIFEST.sha256")).unwrap();
    write_manifest(&dir);
    let after = fs::read_to_string(dir.join("MANIFEST.sha256")).unwrap();
    assert_eq!(after, before);
}

#[test]
fn nothing_is_written_over_and_nothing_is_left_half() {
    let sample = Sample::new();
    let dir = sample.folder();
    let again = sample.write_as("evidence", None).unwrap_err();
    assert!(matches!(again, EvidenceRefused::Exists(_)), "{again}");
    fs::write(sample.path("file"), "mine").unwrap();
    std::os::unix::fs::symlink("nowhere", sample.path("link")).unwrap();
    fs::create_dir(sample.path("empty")).unwrap();
    for taken in ["file", "link", "empty"] {
        let refused = sample.write_as(taken, None).unwrap_err();
        assert!(matches!(refused, EvidenceRefused::Exists(_)), "{refused}");
    }
    let refused = sample.write_as("no/such/folder", None).unwrap_err();
    assert!(matches!(refused, EvidenceRefused::Unwritten { .. }));
    // Whoever took the name meanwhile keeps it.
    let made = "2026-11-29T12:00:00Z".parse().unwrap();
    let out = sample.path("late");
    let bundle = Bundle::begin(&out, sample.record.clone(), &sample.files, made).unwrap();
    fs::create_dir(&out).unwrap();
    let late = bundle.finish(None).unwrap_err();
    assert!(matches!(late, EvidenceRefused::Exists(_)), "{late}");

    let mut broken = Bundle::begin(
        &sample.path("b"),
        sample.record.clone(),
        &sample.files,
        made,
    );
    let refused = broken.as_mut().unwrap().message("{}").unwrap_err();
    assert!(matches!(refused, EvidenceRefused::Run(_)), "{refused}");
    drop(broken);
    let mut left: Vec<_> = fs::read_dir(sample.home.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    left.sort();
    let wanted = [
        "empty",
        "evidence",
        "file",
        "journal.db.logs",
        "late",
        "link",
    ];
    assert_eq!(left, wanted);
    good(&dir);
}

#[test]
fn a_log_that_is_not_there_any_more_is_said_to_be_missing() {
    for damaged in [false, true] {
        let sample = Sample::new();
        let kept = crate::model::hex(&Sha256::digest(vector("upgrade-ok.log")));
        let path = sample.files.folder().join(&kept[..2]);
        let path = path.join(format!("{}.gz", &kept[2..]));
        if damaged {
            fs::write(path, "no gzip").unwrap();
        } else {
            fs::remove_file(path).unwrap();
        }
        let written = sample.write_as("evidence", None).unwrap();
        assert_eq!(written.logs, 1);
        assert_eq!(written.absent[0].0, "vault-01");
        let dir = sample.path("evidence");
        assert!(!dir.join("logs/vault-01").exists());
        let verified = good(&dir);
        let why = verified.logs[0]
            .file
            .as_ref()
            .unwrap()
            .as_ref()
            .unwrap_err();
        assert_eq!(why.contains("damaged"), damaged, "{why}");
    }
}

#[test]
fn a_run_that_has_not_ended_is_evidence_too() {
    let mut sample = Sample::new();
    for n in (0..sample.messages.len()).rev() {
        sample.messages.truncate(n);
        let name = format!("evidence-{n}");
        sample.write_as(&name, None).unwrap();
        let verified = good(&sample.path(&name));
        assert_eq!((verified.messages, verified.times.1), (n as u64, None));
        if let Some((.., in_doubt)) = verified.devices.first().filter(|_| n == 5) {
            assert!(in_doubt, "{:?}", sample.messages.last());
        }
    }
}

#[test]
fn a_run_that_contradicts_itself_is_written_and_the_place_is_named() {
    let mut sample = Sample::new();
    let mut last = sample.messages.iter_mut().rev();
    let finished = last.find(|m| m.contains("rolled_back")).unwrap();
    *finished = finished.replace("\"rolled_back\"", "\"upgraded\"");
    let found = wrong(&sample.folder());
    assert!(found.starts_with("events.jsonl, line "), "{found}");
    assert!(found.contains("vault-02: upgraded, but"), "{found}");
}
