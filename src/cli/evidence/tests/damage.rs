//! Damage: whatever is changed, lost, added or reordered is found, and named where it is.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

use super::*;

/// Where in a text a byte stands: its line.
fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at].split(|&b| b == b'\n').count()
}

/// The positions to try in a file: its ends, and others all over it.
fn positions(len: usize) -> impl Iterator<Item = usize> {
    let step = (len / 60).max(1) | 1;
    (0..len.min(3))
        .chain((0..len).step_by(step))
        .chain(len.saturating_sub(3)..len)
}

#[test]
fn every_kind_of_byte_that_flips_is_found_where_it_is() {
    let sample = Sample::new();
    let dir = sample.folder();
    for (name, bytes) in contents(&dir) {
        for at in positions(bytes.len()) {
            for bit in [0x01, 0x20, 0x80] {
                let mut flipped = bytes.clone();
                flipped[at] ^= bit;
                fs::write(dir.join(&name), &flipped).unwrap();
                let found = wrong(&dir);
                let place = || format!("{name}, byte {at}, bit {bit:#x}: {found}");
                // A manifest that names another file lacks one.
                let renamed = name == "MANIFEST.sha256"
                    && (found.contains("is missing; line") || found.contains("does not name it"));
                assert!(found.starts_with(&name) || renamed, "{}", place());
                let newlines = [bytes[at], flipped[at]].contains(&b'\n');
                if name == "events.jsonl" && !newlines {
                    let line = format!("events.jsonl, line {}: ", line_of(&bytes, at));
                    assert!(found.starts_with(&line), "{line}{}", place());
                }
            }
        }
        fs::write(dir.join(&name), &bytes).unwrap();
    }
    good(&dir);
}

#[test]
fn a_file_that_is_cut_short_emptied_or_longer_is_found() {
    let sample = Sample::new();
    let dir = sample.folder();
    for (name, bytes) in contents(&dir) {
        let half = &bytes[..bytes.len() / 2];
        let shorter = &bytes[..bytes.len() - 1];
        let longer = [&bytes[..], b"\n"].concat();
        for changed in [half, shorter, &[], &longer] {
            fs::write(dir.join(&name), changed).unwrap();
            let found = wrong(&dir);
            let of_manifest = name == "MANIFEST.sha256" && found.contains(&name);
            assert!(found.starts_with(&name) || of_manifest, "{name}: {found}");
        }
        fs::write(dir.join(&name), &bytes).unwrap();
    }
}

/// The events with their lines changed, the manifest fitting or not.
fn with_lines(change: impl Fn(&mut Vec<String>)) -> [String; 2] {
    [false, true].map(|fits| {
        let sample = Sample::new();
        let dir = sample.folder();
        edit(&dir, "events.jsonl", |text| {
            let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
            change(&mut lines);
            lines.join("\n") + "\n"
        });
        if fits {
            write_manifest(&dir);
        }
        wrong(&dir)
    })
}

#[test]
fn a_line_that_is_removed_moved_or_doubled_is_found_where_it_was() {
    let lines = Sample::new().messages.len() + 1;
    for n in 0..lines {
        let place = format!("events.jsonl, line {}: ", n + 1);
        for found in with_lines(|lines| drop(lines.remove(n))) {
            // After the last one nothing is left to stand where it was.
            let last = format!("events.jsonl, line {n}: it is the last line");
            let is_last = n + 1 == lines && found.starts_with(&last);
            assert!(found.starts_with(&place) || is_last, "{place}{found}");
        }
        let second = format!("events.jsonl, line {}: ", n + 2);
        for found in with_lines(|lines| lines.insert(n, lines[n].clone())) {
            assert!(found.starts_with(&second), "{second}{found}");
        }
        if n + 1 < lines {
            for found in with_lines(|lines| lines.swap(n, n + 1)) {
                assert!(found.starts_with(&place), "{place}{found}");
            }
        }
    }
}

#[test]
fn files_that_are_swapped_are_found() {
    let sample = Sample::new();
    let dir = sample.folder();
    let files: Vec<(String, Vec<u8>)> = contents(&dir).into_iter().collect();
    for (one, bytes) in &files {
        for (other, others) in &files {
            if one >= other || bytes == others {
                continue;
            }
            fs::write(dir.join(one), others).unwrap();
            fs::write(dir.join(other), bytes).unwrap();
            let found = wrong(&dir);
            let named = found.starts_with(one) || found.starts_with(other);
            assert!(named, "{one} {other}: {found}");
            fs::write(dir.join(one), bytes).unwrap();
            fs::write(dir.join(other), others).unwrap();
        }
    }
    good(&dir);
}

#[test]
fn a_file_that_is_missing_is_named_whether_the_manifest_knows_it_or_not() {
    for (name, _) in contents(&Sample::new().folder()) {
        for fits in [false, true] {
            let sample = Sample::new();
            let dir = sample.folder();
            fs::remove_file(dir.join(&name)).unwrap();
            if fits && name != "MANIFEST.sha256" {
                write_manifest(&dir);
            }
            let found = wrong(&dir);
            assert!(
                found.starts_with(&format!("{name}: it is missing")),
                "{found}"
            );
        }
    }
}

#[test]
fn nothing_else_may_be_in_the_folder() {
    type Add = fn(&Path);
    let adds: [(&str, Add); 9] = [
        ("extra.txt: MANIFEST", |dir| {
            fs::write(dir.join("extra.txt"), "x").unwrap();
        }),
        (".hidden: MANIFEST", |dir| {
            fs::write(dir.join(".hidden"), "").unwrap();
        }),
        ("logs/vault-01/x.log: MANIFEST", |dir| {
            fs::write(dir.join("logs/vault-01/x.log"), "x").unwrap();
        }),
        ("more: it is a folder", |dir| {
            fs::create_dir(dir.join("more")).unwrap();
        }),
        ("logs/vault-09: it is an empty folder", |dir| {
            fs::create_dir(dir.join("logs/vault-09")).unwrap();
        }),
        ("logs/vault-01/deep: it is a folder", |dir| {
            fs::create_dir(dir.join("logs/vault-01/deep")).unwrap();
        }),
        ("run.json: it is a symbolic link", |dir| {
            fs::rename(dir.join("run.json"), dir.with_extension("moved")).unwrap();
            let moved = dir.with_extension("moved");
            std::os::unix::fs::symlink(moved, dir.join("run.json")).unwrap();
        }),
        ("logs: it is a symbolic link", |dir| {
            fs::rename(dir.join("logs"), dir.with_extension("logs")).unwrap();
            std::os::unix::fs::symlink(dir.with_extension("logs"), dir.join("logs")).unwrap();
        }),
        ("README.txt: it is no plain file", |dir| {
            fs::remove_file(dir.join("README.txt")).unwrap();
            std::os::unix::net::UnixListener::bind(dir.join("README.txt")).unwrap();
        }),
    ];
    for (wanted, add) in adds {
        let sample = Sample::new();
        let dir = sample.folder();
        add(&dir);
        let found = wrong(&dir);
        assert!(found.starts_with(wanted), "{wanted}: {found}");
    }
    let sample = Sample::new();
    let dir = sample.folder();
    fs::write(dir.join(OsStr::from_bytes(b"a\x1b[2J\xff")), "").unwrap();
    let found = wrong(&dir);
    assert!(
        found.contains("MANIFEST.sha256 does not name it"),
        "{found}"
    );
    assert!(!found.contains('\u{1b}'), "{found}");
}

#[test]
fn a_file_that_no_event_knows_is_found_though_the_manifest_names_it() {
    let sample = Sample::new();
    let dir = sample.folder();
    for name in ["extra.txt", "logs/vault-01/62310ba5.2.log"] {
        fs::write(dir.join(name), "x").unwrap();
        write_manifest(&dir);
        assert_eq!(
            wrong(&dir),
            format!("{name}: events.jsonl knows nothing of it")
        );
        fs::remove_file(dir.join(name)).unwrap();
    }
}

#[test]
fn a_manifest_that_leads_out_of_the_folder_is_not_followed() {
    let sample = Sample::new();
    let dir = sample.folder();
    let secret = sample.path("secret");
    fs::write(&secret, "s").unwrap();
    let hash = crate::model::hex(&Sha256::digest("s"));
    for name in ["../secret", secret.to_str().unwrap(), "logs/../../secret"] {
        write_manifest(&dir);
        edit(&dir, "MANIFEST.sha256", |text| {
            format!("{hash}  {name}\n{text}")
        });
        let found = wrong(&dir);
        assert!(found.starts_with("MANIFEST.sha256, line 1: "), "{found}");
        assert!(found.contains("no name of a file in here"), "{found}");
    }
}

#[test]
fn what_cannot_be_read_is_told_apart() {
    let sample = Sample::new();
    let found = verify(&sample.path("absent"), None);
    assert!(
        matches!(found, Err(NotVerified::Unreadable(..))),
        "{found:?}"
    );
    let dir = sample.folder();
    let found = verify(&dir, Some(&sample.path("absent")));
    let Err(NotVerified::Unreadable(path, _)) = found else {
        panic!("{found:?}");
    };
    assert_eq!(path, sample.path("absent"));
    let found = verify(&dir.join("run.json"), None);
    assert!(
        matches!(found, Err(NotVerified::Unreadable(..))),
        "{found:?}"
    );
}
