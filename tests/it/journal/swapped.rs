//! What became of a device while nobody watched it, from the death of a run after its install until the resume: another
//! device behind its address, a power-cycle, somebody else's upgrade. It is judged by what it shows, and nothing is sent to
//! it.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use hemfleet::sim::{Recording, Runs, SimDevice};
use serde_json::Value;

use super::lab::{Cable, Lab, device, fresh_device, scenario};
use crate::cli::program::{code, hemfleet, json, of, text};

const NAME: &str = "vault-01";

/// A device on nobody's list, which may take the place of the other one.
const SPARE: &str = "spare";

const HTTP: &str = "scheme = \"http\"";

/// The install never arrives.
const NOT_INSTALLED: &str =
    r#"faults = [{ at = "install", do = "lose-answer", happened = false }]"#;

/// The device does not say which one it is.
const NAMELESS: &str =
    r#"faults = [{ at = "version", do = "omit", field = "sd_cid", always = true }]"#;

/// A fleet of one device, with the spare one beside it.
fn fleet(devices: &[String; 2]) -> Lab {
    let lab = Lab::start(&scenario("", devices));
    lab.leave_out(SPARE);
    lab
}

/// Uploads, checks, requests to install, and installs.
fn sent(device: &SimDevice) -> [usize; 4] {
    let seen: Recording = device.recording();
    let installs = seen.installs_executed as usize;
    [
        seen.uploads as usize,
        seen.checks(),
        seen.installs(),
        installs,
    ]
}

/// Goes on with the run, and makes sure that no device is sent anything; the exit code, and how the device ended.
fn resumed(lab: &Lab) -> (i32, Value) {
    let all = || lab.sims.devices().iter().map(sent).collect::<Vec<_>>();
    let before = all();
    let output = lab.command("resume").output().unwrap();
    let told = text(&output.stdout);
    assert_eq!(all(), before, "something was sent: {told}");
    let events = json(&output.stdout);
    let ended = of(&events, "device_finished");
    let [end] = &ended[..] else {
        panic!("{told}\n{}", text(&output.stderr));
    };
    assert_eq!(end["device"], NAME);
    (code(&output), (*end).clone())
}

fn assert_ended(end: &Value, outcome: &str, code: &str, reason: &str) {
    assert_eq!(
        (&end["outcome"], &end["code"]),
        (&outcome.into(), &code.into()),
        "{end}"
    );
    assert!(end["reason"].as_str().unwrap().contains(reason), "{end}");
}

/// A run is killed while its device reboots, and the spare one takes the place of that.
fn swapped() -> (Lab, Cable) {
    let lab = fleet(&[
        fresh_device(NAME, "300ms", ""),
        fresh_device(SPARE, "300ms", ""),
    ]);
    let cable = lab.cable(NAME);
    lab.killed_at(NAME, "reboot");
    cable.plug_into(&lab, SPARE);
    (lab, cable)
}

#[test]
fn another_device_in_its_place_is_not_taken_for_it() {
    let (lab, cable) = swapped();
    let (exit, end) = resumed(&lab);
    assert_eq!(exit, 3);
    assert_ended(&end, "unknown", "other_device", "its sd_cid is");
    // Put right, the run goes on with the device itself.
    cable.plug_into(&lab, NAME);
    let (exit, end) = resumed(&lab);
    assert_eq!((exit, &end["outcome"]), (0, &"upgraded".into()));
    assert_eq!(lab.installs(NAME), 1);
    lab.end();
}

/// It runs the image, and nothing but its login says that it is another one.
#[test]
fn another_device_that_runs_the_image_is_told_by_its_login() {
    let runs_it = format!("runs = \"image\"\n{NAMELESS}");
    let lab = fleet(&[
        device(NAME, "300ms", NAMELESS),
        device(SPARE, "300ms", &runs_it),
    ]);
    let cable = lab.cable(NAME);
    lab.killed_at(NAME, "reboot");
    cable.plug_into(&lab, SPARE);
    let (exit, end) = resumed(&lab);
    assert_eq!(exit, 3);
    assert_ended(&end, "unknown", "other_device", "its eid is not");
    // No secret was sent there.
    let spare = lab.sims.device(SPARE).unwrap().recording();
    assert_eq!(spare.login_attempts(), 0);
    lab.end();
}

/// It reboots by itself, and runs what it ran before: the same picture as that of a bootloader which refused the image.
#[test]
fn a_device_that_was_power_cycled_is_told_to_run_what_it_ran_before() {
    let more = format!("{HTTP}\n{NOT_INSTALLED}");
    let lab = fleet(&[
        fresh_device(NAME, "300ms", &more),
        fresh_device(SPARE, "300ms", ""),
    ]);
    lab.killed_at(NAME, "reboot");
    power_cycle(lab.sims.device(NAME).unwrap());
    let (exit, end) = resumed(&lab);
    assert_eq!(exit, 1);
    assert_ended(
        &end,
        "rolled_back",
        "rolled_back",
        "runs what it ran before",
    );
    assert_eq!(lab.installs(NAME), 0);
    lab.end();
}

/// As far as a client can see it. A device without a user reboots for anybody.
fn power_cycle(device: &SimDevice) {
    let mut request = TcpStream::connect(device.addr()).unwrap();
    let head = "GET /api/system/reboot HTTP/1.1\r\nHost: my.ence.do\r\nConnection: close\r\n\r\n";
    request.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    request.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[test]
fn a_device_that_somebody_else_upgraded_is_not_called_ours() {
    let lab = fleet(&[
        fresh_device(NAME, "300ms", NOT_INSTALLED),
        fresh_device(SPARE, "300ms", ""),
    ]);
    lab.killed_at(NAME, "reboot");
    let image = "/tests/vectors/firmware/signed-v1.2.3.bin";
    let image = format!("{}{image}", env!("CARGO_MANIFEST_DIR"));
    let mut other = hemfleet();
    other.args(["run", "--yes", "--no-journal", "--output", "plain"]);
    other.args(["--firmware", &image, "-c"]).arg(&lab.inventory);
    let output = other.output().unwrap();
    assert_eq!(code(&output), 0, "{}", text(&output.stdout));
    assert_eq!(lab.sims.device(NAME).unwrap().runs(), Runs::Other);
    let (exit, end) = resumed(&lab);
    assert_eq!(exit, 3);
    assert_ended(&end, "unproven", "other_signature", "but not to this image");
    lab.end();
}

/// A new run does not take the other device for the one that is in doubt, unless somebody says that it was replaced.
#[test]
fn a_new_run_takes_another_device_only_where_that_is_said() {
    let (lab, _cable) = swapped();
    let ended = |more: &[&str]| {
        let output = lab.command("run").args(more).output().unwrap();
        let events = json(&output.stdout);
        let end = of(&events, "device_finished");
        (code(&output), (*end[0]).clone())
    };
    let (exit, end) = ended(&[]);
    assert_eq!(exit, 1);
    assert_ended(&end, "failed", "other_device", "its sd_cid is");
    assert!(end["hint"].as_str().unwrap().contains("--take-replaced"));
    assert_eq!(sent(lab.sims.device(SPARE).unwrap()), [0; 4]);
    let (exit, end) = ended(&["--take-replaced"]);
    assert_eq!((exit, &end["outcome"]), (0, &"upgraded".into()));
    assert_eq!((lab.installs(SPARE), lab.installs(NAME)), (1, 1));
    lab.end();
}
