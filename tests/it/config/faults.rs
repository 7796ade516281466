//! Inventories that are refused: each file of `tests/config/invalid` with exactly the report beside it.

use std::path::Path;
use std::time::Duration;

use hemfleet::config::{self, Diagnostic, Overrides, Place};

use super::{files, fixture, load, load_text, rendered, settings};

#[test]
fn every_invalid_file_says_all_that_is_wrong() {
    let mut snapshots = insta::Settings::clone_current();
    snapshots.set_snapshot_path("../../config/invalid");
    snapshots.set_prepend_module_to_snapshot(false);
    snapshots.set_omit_expression(true);
    for path in files("invalid") {
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let text = rendered(&load(&path));
        assert!(!text.contains("hunter2"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        snapshots.bind(|| insta::assert_snapshot!(name, text));
    }
}

#[test]
fn a_dozen_faults_come_at_once_and_in_order() {
    let loaded = load(&fixture("invalid", "many.toml"));
    assert!(loaded.faults.len() >= 12, "{}", loaded.faults.len());
    let text = rendered(&loaded);
    let lines: Vec<usize> = text
        .lines()
        .filter_map(|l| {
            l.trim_start()
                .strip_prefix("--> tests/config/invalid/many.toml:")
        })
        .map(|at| at.split(':').next().unwrap().parse().unwrap())
        .collect();
    assert_eq!(lines.len(), loaded.faults.len());
    assert!(lines.is_sorted(), "{lines:?}");
}

#[test]
fn one_address_in_two_spellings_is_one_device() {
    for other in ["[::ffff:127.0.0.1]:8443", "localhost:8443"] {
        let text = format!(
            "[[device]]\nname = \"a\"\nurl = \"https://x\"\nconnect = \"127.0.0.1:8443\"\n\
             [[device]]\nname = \"b\"\nurl = \"https://x\"\nconnect = \"{other}\"\n"
        );
        let faults = load_text(&text, &Overrides::default()).faults;
        assert_eq!(faults.len(), 1, "{other}");
    }
}

#[test]
fn a_part_is_no_longer_than_the_whole() {
    let fleet = "[[device]]\nname = \"a\"\nurl = \"https://x\"\n";
    let faults = |text: &str| load_text(&format!("{fleet}{text}"), &Overrides::default()).faults;
    assert!(faults("[timeouts]\nupload = \"30s\"\n").is_empty());
    let both = faults("[timeouts]\nupload = \"30s\"\nupload_stall = \"31s\"\n");
    insta::assert_snapshot!(both.render(false, 80), @r#"
    error: timeouts.upload_stall (31s) is longer than timeouts.upload (30s)
     --> fleet.toml:6:16
      |
    6 | upload_stall = "31s"
      |                ^^^^^
      |
      = key: timeouts.upload_stall
      = hint: a part cannot take longer than the whole

    1 fault; nothing was sent to any device
    "#);
    // Pauses that nobody spoke of give way to a limit made short on purpose.
    let short = load_text(
        &format!("{fleet}[timeouts]\nreboot = \"4s\"\ncheck = \"2s\"\n"),
        &Overrides::default(),
    );
    let pace = short.settings.unwrap().policy.pace;
    assert_eq!(pace.check_poll, Duration::from_millis(200));
    assert_eq!(pace.reboot_poll, Duration::from_millis(400));
    assert_eq!(pace.reboot_settle, Duration::from_millis(400));
}

#[test]
fn faults_of_the_image_stand_where_it_is_named() {
    let text = "[fleet]\nfirmware = \"a.bin\"\n[[device]]\nname = \"a\"\nurl = \"https://x\"\n";
    let mut loaded = load_text(text, &Overrides::default());
    let fault = loaded.image_fault("the image is empty");
    loaded.faults.push(fault.hint("choose a signed image"));
    insta::assert_snapshot!(loaded.faults.render(false, 80), @r#"
    error: the image is empty
     --> fleet.toml:2:12
      |
    2 | firmware = "a.bin"
      |            ^^^^^^^
      |
      = key: fleet.firmware
      = hint: choose a signed image

    1 fault; nothing was sent to any device
    "#);
    let given = Overrides {
        firmware: Some("b\u{1b}.bin".into()),
        ..Overrides::default()
    };
    let fault: config::Diagnostics = load_text(text, &given)
        .image_fault("the image is empty")
        .into();
    insta::assert_snapshot!(fault.render(false, 80), @r#"
    error: the image is empty
    --> command line: --firmware b\u{1b}.bin

    1 fault; nothing was sent to any device
    "#);
}

#[test]
fn what_cannot_be_read_says_so() {
    let missing = rendered(&load(Path::new("no-such-fleet.toml")));
    insta::assert_snapshot!(missing, @r#"
    error: cannot read the inventory no-such-fleet.toml: no such file or directory
    --> no-such-fleet.toml
     = hint: name it with -c; to begin one: hemfleet config example > fleet.toml

    1 fault; nothing was sent to any device
    "#);
    let folder = rendered(&load(Path::new("tests")));
    insta::assert_snapshot!(folder, @r#"
    error: cannot read the inventory tests: is a directory
    --> tests
     = hint: name a file that you may read with -c

    1 fault; nothing was sent to any device
    "#);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("fleet.toml");
    std::fs::write(&path, b"a = 1\nb = \"\xff\"\n").unwrap();
    assert!(rendered(&load(&path)).contains("is not UTF-8 text: line 2"));
}

#[test]
fn colours_only_where_asked_for() {
    let loaded = load(&fixture("invalid", "many.toml"));
    let (plain, colour) = (
        loaded.faults.render(false, 80),
        loaded.faults.render(true, 80),
    );
    assert!(!plain.contains('\u{1b}') && colour.contains('\u{1b}'));
    assert!(!colour.contains("hunter2"));
}

#[test]
fn a_long_list_is_quick_and_a_long_line_is_cut() {
    let long = "x".repeat(500);
    let devices: Vec<String> = (0..500)
        .map(|i| format!("[[device]]\nname = \"d{i}\"\nurll = \"{long}\"\n"))
        .collect();
    let text = devices.concat();
    let loaded = load_text(&text, &Overrides::default());
    assert_eq!(loaded.faults.len(), 1000);
    let shown = loaded.faults.render(false, 80);
    assert!(
        shown.lines().all(|l| l.chars().count() < 140),
        "{shown:.2000}"
    );
}

#[cfg(unix)]
#[test]
fn a_secret_file_is_for_nobody_else() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let secret = dir.path().join("pass");
    let inventory = dir.path().join("fleet.toml");
    std::fs::write(&secret, "hunter2\n").unwrap();
    std::fs::write(
        &inventory,
        "[[device]]\nname = \"a\"\nurl = \"https://x\"\nauth = { kind = \"passphrase\", secret = { file = \"pass\" } }\n",
    )
    .unwrap();
    for mode in [0o640, 0o604, 0o660] {
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
        let text = rendered(&load(&inventory));
        assert!(text.contains(&format!("(mode {mode:o})")), "{text}");
        assert!(
            text.contains("hint: keep it to yourself: chmod 600"),
            "{text}"
        );
    }
    for mode in [0o600, 0o400] {
        std::fs::set_permissions(&secret, PermissionsExt::from_mode(mode)).unwrap();
        settings(load(&inventory));
    }
}

#[test]
fn a_fault_of_ones_own_is_escaped() {
    let faults: config::Diagnostics = Diagnostic::new("a\u{1b}b")
        .hint("c\u{202e}d\ne")
        .place(Place::Argument("--x\u{7}".to_owned()))
        .into();
    insta::assert_snapshot!(faults.render(false, 80), @r#"
    error: a\u{1b}b
    --> command line: --x\u{7}
     = hint: c\u{202e}d
             e

    1 fault; nothing was sent to any device
    "#);
}
