//! hemfleet is killed right after an install, and run again while the device still answers as before.

use std::path::Path;

use hemfleet::sim::{Scenario, SimFleet, SimOptions};

use super::program::{Program, hemfleet, json, of, text};

/// As a real device it is alive for a while after the install, then gone; for less than a login takes, so that
/// the second run's probe falls into the one and its login into the other.
const FLEET: &str = r#"
about = "killed right after the install"
tempo = 0.01
client = { quick = true, retry = { attempts = 10, backoff = "300ms" } }

[[device]]
name = "vault-01"
reboot = "2s"
faults = [{ at = "boot", do = "linger", for = "600ms" }]
"#;

fn run(inventory: &Path, device: &str) -> Program {
    let mut command = hemfleet();
    command.arg("run").arg("-c").arg(inventory);
    command.args(["--only", device, "--yes", "--output", "json"]);
    command
}

#[test]
fn a_rerun_after_a_kill_finds_the_image_and_installs_nothing() {
    let scenario = Scenario::parse(FLEET).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (sims, inventory) = runtime.block_on(async {
        let sims = SimFleet::start(&scenario, &SimOptions::default())
            .await
            .unwrap();
        let lab = sims.write_lab(dir.path()).unwrap();
        (sims, lab.inventory)
    });
    for device in sims.devices() {
        let name = device.name();
        let first = run(&inventory, name).start().unwrap();
        first.stderr.read();
        let accepted = first
            .stdout
            .events()
            .any(|event| event["event"] == "stage_finished" && event["stage"] == "install");
        assert!(accepted, "{name}: the first run sent no install");
        first.signal("KILL");
        first.end();

        let again = run(&inventory, name).output().unwrap();
        let events = json(&again.stdout);
        let finished = of(&events, "device_finished");
        let outcome = &finished[0]["outcome"];
        let installs = device.recording().installs();
        assert_eq!(
            installs,
            1,
            "{name} ended {outcome}: {}",
            text(&again.stdout)
        );
        assert_eq!(outcome, "current", "{}", text(&again.stdout));
    }
    runtime.block_on(sims.shutdown());
}
