//! What may stand in an anonymised export, and what must stay as it was.

use std::cell::RefCell;

use super::free_text::replaced;
use super::replacements::{Kind, Replacements};
use crate::engine::Fleet;
use crate::journal::rich_run::{self, rich};
use crate::journal::{JournalledRun, read_run, write_run};
use crate::model::{FailureKind, Verdict};

fn written(run: &JournalledRun, anonymised: bool) -> String {
    let mut out = Vec::new();
    write_run(run, anonymised, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn nothing_that_names_anybody_or_anything_is_left() {
    let plain = written(&rich(), false);
    let text = written(&rich(), true);
    let mut originals: Vec<String> = Vec::new();
    // A word of hemfleet is no name even where a device has it, and a digit stands in every number.
    let names = rich_run::DEVICES
        .iter()
        .filter(|name| !["upgraded", "7"].contains(name));
    originals.extend(names.map(ToString::to_string));
    originals.extend(
        rich_run::HOSTS
            .iter()
            .filter(|host| plain.contains(**host))
            .map(ToString::to_string),
    );
    for word in [
        "warsaw",
        "rack-7",
        "Ünit",
        rich_run::USER,
        rich_run::MACHINE,
        rich_run::SERIAL,
        rich_run::OTHER_SERIAL,
        rich_run::INVENTORY,
        rich_run::IMAGE,
        rich_run::UIS,
        "no base64",
        "zakopane",
        "bank.example",
        "unknown.example",
        "payroll",
        "c0ffee00",
        "hsm?x",
        "config",
        "/home",
    ] {
        originals.push(word.to_owned());
    }
    let (before, other) = (rich_run::FWS_BEFORE, rich_run::FWS_OTHER);
    originals.extend([
        before.to_string(),
        before.short(),
        other.to_string(),
        other.short(),
    ]);
    originals.extend([
        rich_run::FWK.to_string(),
        rich_run::FWK.short(),
        "d3d3d3d3d3d3".to_owned(),
    ]);
    for original in originals {
        assert!(
            plain.contains(&original),
            "the run does not even say {original}"
        );
        assert!(!text.contains(&original), "{original} is left");
    }
    let devices = text.matches("\"upgraded\"").count();
    let outcomes =
        plain.matches("\"upgraded\"").count() - plain.matches("\"device\":\"upgraded\"").count();
    assert!(
        devices < outcomes,
        "a device that is called like an outcome is renamed as well"
    );
    assert!(!text.contains("hunter2") && !plain.contains("hunter2"));
}

/// What a fold says, without the names.
fn picture(fleet: &Fleet) -> String {
    let devices = fleet.devices().iter().map(|d| {
        let outcome = d
            .outcome()
            .map(|o| (o.kind(), o.code(), o.stage(), o.touched()));
        let steps: Vec<_> = d
            .timeline
            .iter()
            .map(|s| (s.stage, s.took, s.failure.as_ref().map(FailureKind::code)))
            .collect();
        let group = d.group.is_some();
        let audit = d
            .audit
            .as_ref()
            .map(|a| (a.verdict.code(), a.verdict.line()));
        format!(
            "{outcome:?} {steps:?} {group} {} {audit:?} {:?} {}",
            d.tags.len(),
            d.verdict.as_ref().map(Verdict::kind),
            d.left_out
        )
    });
    let devices: Vec<String> = devices.collect();
    format!(
        "{:?} {:?} {:?}\n{}",
        fleet.counts(),
        fleet.audits(),
        fleet.stop(),
        devices.join("\n")
    )
}

#[test]
fn the_run_that_is_read_back_shows_the_same_picture() {
    let run = rich();
    let back = read_run(written(&run, true).as_bytes()).unwrap();
    assert_eq!(picture(&run.fold()), picture(&back.fold()));
    assert_eq!(run.messages.len(), back.messages.len());
    let (before, after) = (run.fold(), back.fold());
    let fws = |fleet: &Fleet, n: usize| {
        let device = &fleet.devices()[n];
        let seen = device.seen.as_ref().and_then(|s| s.version.fws);
        (seen, device.after.as_ref().and_then(|v| v.fws))
    };
    for (n, m) in [(0, 1), (0, 3), (3, 4)] {
        let same = |fleet: &Fleet| fws(fleet, n).0 == fws(fleet, m).0;
        assert_eq!(same(&before), same(&after));
    }
    // The signature that the image names is the one that the upgraded device reports, in both.
    for fleet in [&before, &after] {
        assert_eq!(fleet.payload().expected_fws(), fws(fleet, 0).1);
        assert_ne!(fleet.payload().expected_fws(), fws(fleet, 3).1);
    }
    // A short form is that of the signature it was cut from.
    let short = fws(&after, 3).1.unwrap().short();
    let why = after.devices()[3].outcome().unwrap().reason();
    assert!(why.contains(&short), "{short} in {why}");
}

#[test]
fn the_same_run_is_exported_the_same_way_twice() {
    let text = || {
        let text = written(&rich(), true);
        // The moment of an install is one of the machine's own clock.
        let lines = text.lines().filter(|line| !line.contains("\"since\""));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(text(), text());
}

fn table() -> Replacements {
    Replacements::of(vec![
        (Kind::Device, "vault-1".to_owned()),
        (Kind::Device, "vault-10".to_owned()),
        (Kind::Device, "Rack A".to_owned()),
        (Kind::Device, "device-01".to_owned()),
        (Kind::User, "anna".to_owned()),
        (Kind::Host, "h7".to_owned()),
    ])
}

#[test]
fn texts_are_replaced_by_name_and_by_their_looks() {
    let names = RefCell::new(table());
    for (text, wanted) in [
        (
            "vault-1 and vault-10, vault-100",
            "device-02 and device-03, vault-100",
        ),
        ("Rack A: retry", "device-04: retry"),
        // A name that is given out already to somebody else is not given twice.
        ("device-01", "device-05"),
        ("anna's annals", "user-1's annals"),
        (
            "connection refused by h7:443",
            "connection refused by host-1:443",
        ),
        ("at H7.", "at host-1."),
        (
            "by https://vault-1.example:8443/x/y, then",
            "by https://host-2:8443/path-1, then",
        ),
        ("no address for vault-1.example", "no address for host-2"),
        (
            "to 10.0.0.3:443 or [fd00::3]:443 or ::1",
            "to host-3:443 or host-4:443 or host-5",
        ),
        ("ssh root@db.example.", "ssh user-2@host-6."),
        (
            "read /home/anna/x and ~/.ssh/id, not and/or",
            "read /path-2 and /path-3, not and/or",
        ),
        ("GET /api/logger/list", "GET /api/logger/list"),
        (
            "nGINE FW v1.2.3-DIAG · PPA rev 2.2",
            "nGINE FW v1.2.3-DIAG · PPA rev 2.2",
        ),
        (
            "12:30:05, 10.5 MB of 11.0 MB, e.g. i.e. etc.",
            "12:30:05, 10.5 MB of 11.0 MB, e.g. i.e. etc.",
        ),
        ("card 035344534c333247808e6a2b", "card serial-1"),
        ("", ""),
    ] {
        assert_eq!(replaced(text, &mut names.borrow_mut()), wanted, "{text}");
    }
}

#[test]
fn no_two_inputs_have_one_replacement() {
    let mut names = table();
    let mut seen = std::collections::HashMap::new();
    for n in 0..300_u32 {
        for text in [
            format!("host{n}.example"),
            format!("10.0.{}.{}", n / 256, n % 256),
            format!("/x/{n}"),
        ] {
            let new = replaced(&text, &mut names);
            assert_ne!(new, text);
            assert_eq!(seen.insert(new.clone(), text), None, "{new}");
        }
    }
}

proptest::proptest! {
    #[test]
    fn any_text_is_replaced_the_same_way_whenever_it_comes(text in "\\PC{0,60}", other in "[ -~]{0,60}") {
        for text in [text, other] {
            let mut names = table();
            // A name may be said before it is told by its looks.
            let _ = replaced(&text, &mut names);
            let first = replaced(&text, &mut names);
            proptest::prop_assert_eq!(&first, &replaced(&text, &mut names));
            proptest::prop_assert!(!first.split(|c: char| !c.is_alphanumeric()).any(|word| word == "anna"));
        }
    }
}
