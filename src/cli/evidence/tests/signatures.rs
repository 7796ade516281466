//! Signatures by `ssh-keygen`; where that is missing, these tests say that they were skipped.

use std::process::{Command, Stdio};

use super::*;
use crate::cli::evidence::verification::Signed;

/// Makes a key; nothing where there is no `ssh-keygen`.
fn key(sample: &Sample, name: &str, passphrase: &str) -> Option<PathBuf> {
    let path = sample.path(name);
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-C", name, "-N", passphrase, "-f"])
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    match made {
        Ok(status) => {
            assert!(status.success());
            Some(path)
        }
        Err(e) => {
            eprintln!("skipped: ssh-keygen cannot be run: {e}");
            None
        }
    }
}

fn signers(sample: &Sample, lines: &[(&str, &Path)]) -> PathBuf {
    let path = sample.path("signers");
    let line = |(who, key): &(&str, &Path)| {
        let public = fs::read_to_string(key.with_extension("pub")).unwrap();
        format!("{who} {public}")
    };
    fs::write(&path, lines.iter().map(line).collect::<String>()).unwrap();
    path
}

fn wrong_by(dir: &Path, signers: &Path) -> String {
    match verify(dir, Some(signers)) {
        Err(NotVerified::Wrong(fault)) => fault.to_string(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_signature_counts_if_an_allowed_signer_made_it() {
    let sample = Sample::new();
    let Some(key_file) = key(&sample, "ada", "") else {
        return;
    };
    let other = key(&sample, "eve", "").unwrap();
    sample.write_as("signed", Some(&key_file)).unwrap();
    let dir = sample.path("signed");
    let by = |signers: &Path| match verify(&dir, Some(signers)).unwrap().signed {
        Signed::By(name) => name,
        other => panic!("{other:?}"),
    };
    let list = signers(
        &sample,
        &[("eve@example.com", &other), ("ada@example.com", &key_file)],
    );
    assert_eq!(by(&list), "ada@example.com");
    let list = signers(&sample, &[("ops@example.com,ada@example.com", &key_file)]);
    assert_eq!(by(&list), "ops@example.com");
    let list = signers(
        &sample,
        &[(
            "ada@example.com namespaces=\"hemfleet-evidence\"",
            &key_file,
        )],
    );
    assert_eq!(by(&list), "ada@example.com");
    // Without signers it is somebody's.
    let Signed::WithKey(named) = good(&dir).signed else {
        panic!("no key");
    };
    assert!(named.starts_with("SHA256:"), "{named}");

    let place = "MANIFEST.sha256.sig: it is not good";
    let list = signers(&sample, &[("eve@example.com", &other)]);
    assert!(wrong_by(&dir, &list).starts_with(place));
    let list = signers(
        &sample,
        &[("ada@example.com namespaces=\"git\"", &key_file)],
    );
    assert!(wrong_by(&dir, &list).starts_with(place));
    let list = signers(
        &sample,
        &[("ada@example.com valid-before=\"20200101\"", &key_file)],
    );
    assert!(wrong_by(&dir, &list).starts_with(place));
    fs::write(&list, "").unwrap();
    assert!(wrong_by(&dir, &list).starts_with(place));
}

#[test]
fn a_folder_without_a_signature_fails_those_who_want_one() {
    let sample = Sample::new();
    let Some(key_file) = key(&sample, "ada", "") else {
        return;
    };
    let list = signers(&sample, &[("ada@example.com", &key_file)]);
    let dir = sample.folder();
    let missing = "MANIFEST.sha256.sig: it is missing: the folder is not signed";
    assert_eq!(wrong_by(&dir, &list), missing);
    sample.write_as("signed", Some(&key_file)).unwrap();
    // A signature of another manifest.
    let signature = fs::read(sample.path("signed/MANIFEST.sha256.sig")).unwrap();
    fs::write(dir.join("MANIFEST.sha256.sig"), &signature).unwrap();
    forge_made(&dir);
    let place = "MANIFEST.sha256.sig: it is not good";
    assert!(wrong_by(&dir, &list).starts_with(place));
    assert!(wrong(&dir).starts_with(place));
    // The content of a signed folder is looked at first: what is wrong in it is named itself.
    let dir = sample.path("signed");
    edit(&dir, "README.txt", |text| text.replace("proves", "proved"));
    assert!(wrong_by(&dir, &list).starts_with("README.txt, line "));
}

/// The same evidence, made at another time.
fn forge_made(dir: &Path) {
    edit(dir, "verdicts.json", |text| text + "\n");
    write_manifest(dir);
}

#[test]
fn every_byte_of_a_signature_counts_and_a_folder_signed_again_has_another_signer() {
    let sample = Sample::new();
    let Some(key_file) = key(&sample, "ada", "") else {
        return;
    };
    let list = signers(&sample, &[("ada@example.com", &key_file)]);
    sample.write_as("signed", Some(&key_file)).unwrap();
    let dir = sample.path("signed");
    let path = dir.join("MANIFEST.sha256.sig");
    let good_one = fs::read(&path).unwrap();
    for at in (0..good_one.len()).step_by(29) {
        let mut flipped = good_one.clone();
        flipped[at] ^= 0x01;
        fs::write(&path, &flipped).unwrap();
        // A line may end elsewhere without another meaning; all else is found.
        if good_one[at] != b'\n' {
            let found = wrong_by(&dir, &list);
            assert!(
                found.starts_with("MANIFEST.sha256.sig: "),
                "byte {at}: {found}"
            );
        }
    }
    for at in [0, good_one.len() / 2] {
        fs::write(&path, &good_one[..at]).unwrap();
        assert!(wrong_by(&dir, &list).starts_with("MANIFEST.sha256.sig: "));
    }
    let eve = key(&sample, "eve", "").unwrap();
    let manifest = dir.join("MANIFEST.sha256");
    let forged = crate::cli::evidence::signature::sign(&manifest, &eve).unwrap();
    fs::write(&path, forged).unwrap();
    good(&dir);
    assert!(wrong_by(&dir, &list).contains("nobody of"));
}

#[test]
fn a_key_with_a_passphrase_is_refused_and_nothing_waits_for_a_terminal() {
    let sample = Sample::new();
    let Some(locked) = key(&sample, "locked", "correct horse") else {
        return;
    };
    let absent = sample.path("absent");
    for key in [&locked, &absent] {
        let refused = sample.write_as("evidence", Some(key)).unwrap_err();
        let EvidenceRefused::NotSigned { why, .. } = &refused else {
            panic!("{refused}");
        };
        assert!(!why.is_empty());
        assert!(refused.hint().unwrap().contains("ssh-agent"));
        assert!(!sample.path("evidence").exists());
    }
}
