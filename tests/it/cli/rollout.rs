//! A bad image in a run without the dashboard: exit code, events and summary.

use super::program::{Lab, code, json, of, text};

#[test]
fn a_bad_image_ends_a_run_without_a_dashboard_with_a_code_of_its_own() {
    let lab = Lab::serve("bad-image.toml");
    let output = lab.run().output().unwrap();
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let events = json(&output.stdout);
    let halts = of(&events, "run_halted");
    assert_eq!(halts.len(), 1);
    assert_eq!(halts[0]["counted"], 3);
    assert_eq!(halts[0]["budget"], 3);
    assert_eq!(halts[0]["max_failures"], "3");
    let names = ["vault-01", "vault-02", "vault-04"];
    assert_eq!(halts[0]["devices"], serde_json::json!(names));
    let last = events.last().unwrap();
    assert_eq!(last["exit_code"], 4);
    assert_eq!(last["interrupted"], false);
    let held: Vec<_> = of(&events, "device_finished")
        .into_iter()
        .filter(|e| e["code"] == "max_failures")
        .map(|e| {
            (
                e["device"].as_str().unwrap(),
                e["touched"].as_str().unwrap(),
            )
        })
        .collect();
    for held_back in [
        ("staged-01", "image_staged"),
        ("waiting-01", "nothing"),
        ("waiting-02", "nothing"),
    ] {
        assert!(held.contains(&held_back), "{held:?}");
    }
    // The command line wins: here a tenth of three is one. Each run has devices of its own: a reboot cannot be told
    // from the uptime of a device that had been up for less than a second.
    let only = ["--only", "vault-01,vault-02,vault-04", "--concurrency", "1"];
    let lab = Lab::serve("bad-image.toml");
    let mut share = lab.run();
    let output = share.args(only).args(["--max-failures", "10%"]).output();
    let output = output.unwrap();
    assert_eq!(code(&output), 4, "{}", text(&output.stderr));
    let counts = &json(&output.stdout).pop().unwrap()["counts"];
    assert_eq!(
        (&counts["rolled_back"], &counts["cancelled"]),
        (&1.into(), &2.into())
    );
    let lab = Lab::serve("bad-image.toml");
    let mut more = lab.run();
    let output = more.args(only).args(["--max-failures", "4"]).output();
    let output = output.unwrap();
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    assert_eq!(
        json(&output.stdout).pop().unwrap()["counts"]["rolled_back"],
        3
    );
    for wrong in ["some", "0%", "2.5%"] {
        let mut run = lab.run();
        let output = run.args(["--max-failures", wrong]).output().unwrap();
        assert_eq!(code(&output), 2, "{wrong}");
        let said = text(&output.stderr);
        assert!(
            said.contains("--max-failures") && said.contains('%'),
            "{said}"
        );
    }
}
