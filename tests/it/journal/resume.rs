//! A run whose process died is gone on with: by asking the devices, and not where too much has changed.

use std::process::Output;

use super::lab::{Lab, fresh_device, scenario};
use crate::cli::program::{code, json, of, text};

/// One device is upgraded after the other: the second has not begun when the first reboots.
fn fleet() -> String {
    one_after_the_other("800ms", "")
}

/// The same, where the first is gone so long, with more lines about the second.
fn one_after_the_other(reboot: &str, more: &str) -> String {
    let devices = [
        fresh_device("vault-01", reboot, ""),
        fresh_device("vault-02", "200ms", more),
    ];
    scenario("concurrency = 1", &devices)
}

fn resume(lab: &Lab, more: &[&str]) -> Output {
    lab.command("resume").args(more).output().unwrap()
}

fn refused(output: &Output, wanted: &[&str]) {
    let said = text(&output.stderr);
    assert_eq!(code(output), 2, "{said}");
    for wanted in wanted {
        assert!(said.contains(wanted), "{wanted}: {said}");
    }
}

#[test]
fn a_killed_run_goes_on_as_one_run() {
    let lab = Lab::start(&fleet());
    lab.killed_at("vault-01", "reboot");
    let [run] = &lab.runs()[..] else {
        unreachable!("one run was started")
    };
    assert!(
        run.unfinished && !run.is_alive && run.in_doubt == 1,
        "{run:?}"
    );
    let output = resume(&lab, &[]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    assert_eq!(events[0]["event"], "run_reopened");
    assert_eq!(events[0]["unfinished"], 2);
    assert_eq!(events[0]["run"], run.run.as_str());
    for device in ["vault-01", "vault-02"] {
        assert_eq!(lab.installs(device), 1);
        assert_eq!(lab.outcome(device), "Some(Upgraded)");
    }
    assert_eq!(lab.runs().len(), 1);
    assert!(!lab.runs()[0].unfinished);
    // Its end is its end.
    refused(&resume(&lab, &[]), &["no run is unfinished"]);
    let id = run.run.as_str();
    refused(&resume(&lab, &[&id[..4]]), &[id, "is finished"]);
    refused(&resume(&lab, &["nothing"]), &["nothing"]);
    lab.end();
}

#[test]
fn a_run_that_is_going_on_is_not_gone_on_with_by_another_process() {
    let lab = Lab::start(&one_after_the_other("5s", ""));
    let first = lab.command("run").start().unwrap();
    first.stderr.read();
    first.stdout.wait_for(&["vault-01", "reboot"]);
    let id = lab.runs()[0].run.to_string();
    refused(&resume(&lab, &[&id]), &["is going on", "hemfleet attach"]);
    first.signal("KILL");
    first.end();
    lab.end();
}

#[test]
fn what_the_inventory_has_changed_is_named_and_done_only_where_it_is_accepted() {
    let lab = Lab::start(&fleet());
    lab.killed_at("vault-01", "reboot");
    lab.rewrite("name = \"vault-02\"", "name = \"cellar-02\"");
    let asked = lab.connections();
    let renamed = "vault-02 is called cellar-02 now";
    refused(&resume(&lab, &[]), &[renamed, "--accept-drift"]);
    assert_eq!(lab.connections(), asked, "a device was asked");
    let output = resume(&lab, &["--accept-drift"]);
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains(renamed));
    assert_eq!(lab.outcome("vault-02"), "Some(Upgraded)");
    lab.end();
}

#[test]
fn rules_that_have_changed_are_named() {
    let lab = Lab::start(&fleet());
    lab.killed_at("vault-01", "reboot");
    let text = std::fs::read_to_string(&lab.inventory).unwrap();
    let mode = "\n[audit]\nmode = \"off\"\n";
    assert!(!text.contains("[audit]"), "{text}");
    std::fs::write(&lab.inventory, format!("{text}{mode}")).unwrap();
    refused(
        &resume(&lab, &[]),
        &["\n  audit.mode is off, and was wanted\n", "--accept-drift"],
    );
    lab.end();
}

#[test]
fn a_device_that_is_gone_from_the_inventory_is_left_alone() {
    let lab = Lab::start(&fleet());
    lab.killed_at("vault-01", "reboot");
    lab.leave_out("vault-02");
    refused(
        &resume(&lab, &[]),
        &["vault-02 (127.0.0.1:", "is not in the inventory any more"],
    );
    let output = resume(&lab, &["--accept-drift"]);
    assert_eq!(
        lab.outcome("vault-01"),
        "Some(Upgraded)",
        "{}",
        text(&output.stdout)
    );
    assert_eq!(lab.installs("vault-02"), 0);
    assert!(lab.outcome("vault-02").contains("Cancelled"));
    lab.end();
}

#[test]
fn another_image_or_another_place_is_never_accepted() {
    let lab = Lab::start(&fleet());
    lab.killed_at("vault-01", "reboot");
    let image = lab.dir.path().join("firmware.bin");
    let image = if image.exists() {
        image
    } else {
        let inventory = std::fs::read_to_string(&lab.inventory).unwrap();
        let line = inventory
            .lines()
            .find(|l| l.starts_with("firmware"))
            .unwrap();
        lab.dir.path().join(line.split('"').nth(1).unwrap())
    };
    let asked = lab.connections();
    let was = std::fs::read(&image).unwrap();
    let other = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/firmware/signed-v1.2.3.bin"
    );
    std::fs::copy(other, &image).unwrap();
    refused(
        &resume(&lab, &["--accept-drift"]),
        &["the image is", "and was"],
    );
    std::fs::write(&image, was).unwrap();
    let port = lab.sims.devices()[1].addr().port();
    lab.rewrite(&format!(":{port}"), ":9");
    refused(
        &resume(&lab, &["--accept-drift"]),
        &["vault-02 is reached at 127.0.0.1:9 now"],
    );
    assert_eq!(lab.connections(), asked, "a device was asked");
    lab.end();
}

/// The image was refused by the bootloader: neither a further run nor a hundred send it again.
#[test]
fn an_image_that_a_bootloader_refused_is_not_sent_again_unasked() {
    let rollback = r#"faults = [{ at = "boot", do = "rollback", always = true }]"#;
    let lab = Lab::start(&one_after_the_other("800ms", rollback));
    let first = lab.command("run").output().unwrap();
    assert_eq!(code(&first), 1);
    for _ in 0..2 {
        let again = lab.command("run").output().unwrap();
        assert_eq!(code(&again), 1);
        let events = json(&again.stdout);
        let ended = of(&events, "device_finished");
        let refused = ended.iter().find(|e| e["device"] == "vault-02").unwrap();
        assert_eq!(refused["code"], "refused_before");
        assert!(
            refused["hint"]
                .as_str()
                .unwrap()
                .contains("--resend-refused")
        );
        assert_eq!(lab.installs("vault-02"), 1);
    }
    let asked = lab.command("run").arg("--resend-refused").output().unwrap();
    assert_ne!(code(&asked), 0);
    assert_eq!(lab.installs("vault-02"), 2);
    lab.end();
}

/// 38 of 240 were called failed for this once.
#[test]
fn a_new_run_waits_for_devices_that_a_killed_one_left_rebooting() {
    let lab = Lab::start(&fleet());
    lab.killed_at("vault-01", "reboot");
    let killed = lab.runs()[0].run.to_string();
    let output = lab.command("run").output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(code(&output), 0, "{said}");
    assert!(
        said.contains(&format!("1 device is in doubt since run {killed}")),
        "{said}"
    );
    assert!(
        said.contains(&format!("hemfleet resume {killed}")),
        "{said}"
    );
    assert_eq!(lab.installs("vault-01"), 1);
    assert_eq!(lab.outcome("vault-01"), "Some(Current)");
    lab.end();
}
