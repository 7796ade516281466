//! `hemfleet status`: what each device of an inventory last proved to run.

use super::history::{FLEET, after_a_run, kept, object, said};
use crate::cli::program::{Lab, code, text};

#[test]
fn each_device_stands_where_its_last_run_saw_it() {
    let (lab, run) = after_a_run();
    let status = || object(kept(&lab, &["status", "--json", "-c"]).arg(lab.inventory()));
    let json = status();
    assert_eq!(
        (&json["image"]["version"], &json["image"]["from"]),
        (&"1.2.3".into(), &"inventory".into())
    );
    let devices = json["devices"].as_array().unwrap();
    let of = |name: &str| {
        devices
            .iter()
            .find(|device| device["device"] == name)
            .unwrap()
    };
    let upgraded = of("vault-warsaw-01");
    assert_eq!(
        (&upgraded["state"], &upgraded["how"]),
        (&"current".into(), &"upgraded".into())
    );
    assert_eq!(
        (&upgraded["runs"], &upgraded["run"]),
        (&"1.2.3".into(), &run.as_str().into())
    );
    let refused = of("vault-berlin-01");
    assert_eq!(
        (&refused["state"], &refused["how"]),
        (&"behind".into(), &"said".into())
    );
    assert_eq!(refused["refused_run"], run.as_str());
    assert!(upgraded["refused_run"].is_null(), "{upgraded}");
    assert_eq!(json["counts"]["in_doubt"], 0);
    // Those that need somebody come first.
    assert_eq!(devices[0]["device"], "vault-berlin-01");
    // A device with another name is the same device; one that is new was never seen.
    let inventory = std::fs::read_to_string(lab.inventory()).unwrap();
    let renamed = inventory.replace("vault-warsaw-01", "hsm-waw-1");
    let more = format!(
        "{renamed}\n[[device]]\nname = \"new-1\"\nurl = \"https://new.example\"\nauth = {{ kind = \"none\" }}\n"
    );
    std::fs::write(lab.inventory(), more).unwrap();
    let json = status();
    let devices = json["devices"].as_array().unwrap();
    let of = |name: &str| {
        devices
            .iter()
            .find(|device| device["device"] == name)
            .unwrap()
    };
    assert_eq!(
        (&of("hsm-waw-1")["state"], &of("hsm-waw-1")["known_as"]),
        (&"current".into(), &"vault-warsaw-01".into())
    );
    assert_eq!(of("new-1")["state"], "never_seen");
    let table = said(kept(&lab, &["status", "-c"]).arg(lab.inventory()));
    assert!(
        table.contains(&format!("\n    run {run} calls it vault-warsaw-01\n")),
        "{table}"
    );
    assert!(
        table.contains(&format!(
            "\n    its bootloader refused this image (run {run})\n"
        )),
        "{table}"
    );
    assert!(
        table.ends_with("4 devices: 1 behind, 1 other image, 1 never seen, 1 current\n")
            || table.contains("1 never seen"),
        "{table}"
    );
}

#[test]
fn what_refused_another_image_is_only_behind_this_one() {
    let (lab, _) = after_a_run();
    let other = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/firmware/signed-v1.2.4-mode80.bin"
    );
    std::fs::copy(other, lab.dir.path().join("firmware.bin")).unwrap();
    let json = object(kept(&lab, &["status", "--json", "-c"]).arg(lab.inventory()));
    let mut devices = json["devices"].as_array().unwrap().iter();
    let refused = devices.find(|d| d["device"] == "vault-berlin-01").unwrap();
    assert_eq!(refused["state"], "behind", "{json}");
    assert!(refused["refused_run"].is_null(), "{refused}");
}

#[test]
fn without_an_image_to_read_the_newest_of_the_journal_counts() {
    let (lab, run) = after_a_run();
    std::fs::remove_file(lab.dir.path().join("firmware.bin")).unwrap();
    let mut command = kept(&lab, &["status", "-c"]);
    let output = command.arg(lab.inventory()).output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(
        text(&output.stderr).contains("the image of the inventory is not compared with"),
        "{}",
        text(&output.stderr)
    );
    let image = format!("image 1.2.3, the one that was rolled out last (run {run})");
    assert!(
        text(&output.stdout).starts_with(&image),
        "{}",
        text(&output.stdout)
    );
}

#[test]
fn before_any_run_no_device_was_ever_seen() {
    let lab = Lab::serve_text(FLEET);
    let table = said(kept(&lab, &["status", "-c"]).arg(lab.inventory()));
    assert!(table.ends_with("3 devices: 3 never seen\n"), "{table}");
}
