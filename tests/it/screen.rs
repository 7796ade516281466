//! The real binary in a terminal: keys go in, the screen comes out, and the terminal is given back on every way out.

mod job_control;
mod large_fleet;
mod panics;
mod progress;
mod reports;
mod secrets_and_approvals;
mod stalled;
pub(crate) mod tty;

use tty::Tty;

const ENTER: &str = "\r";
const ESC: &str = "\x1b";
const CTRL_C: &str = "\x03";

/// One device that is refused once, one that is well, one that takes its time to come back.
const SCENARIO: &str = r#"
about = "for the screen"
tempo = 0.01
[image]
size = 60000
[client]
concurrency = 4
timeouts = { connect = "5s", request = "20s", upload = "1m", upload_stall = "20s", check = "1m", reboot = "50s" }
pace = { gap = "1ms", check_poll = "20ms", reboot_poll = "50ms", reboot_settle = "100ms" }
[[device]]
name = "ok-1"
expect = { outcome = "upgraded" }
[[device]]
name = "refused-1"
group = "north"
faults = [{ at = "verification", do = "fail" }]
expect = { outcome = "failed", after_retry = "upgraded" }
"#;

/// A device that is gone for `gone` after its install.
fn rebooting(gone: &str) -> String {
    let device =
        format!("name = \"gone-1\"\nreboot = \"{gone}\"\nexpect = {{ outcome = \"upgraded\" }}");
    SCENARIO.replace(
        "name = \"ok-1\"\nexpect = { outcome = \"upgraded\" }",
        &device,
    )
}

#[test]
fn a_failed_device_is_retried_by_key_and_the_terminal_is_given_back() {
    let mut tty = Tty::demo(SCENARIO, 80, 24);
    tty.wait("the dashboard", |s| {
        s.alternate_screen() && s.hide_cursor() && s.contents().contains("hemfleet")
    });
    tty.wait_for_line(&["refused-1", "check", "406"]);
    tty.wait_for_line(&["OVER", "1 device needs a look"]);
    tty.select("refused-1");
    tty.press(ENTER);
    tty.wait_for("touched: image staged, not installed; still runs 1.2.2");
    tty.press("r");
    tty.wait_for_line(&[
        "refused-1",
        "upgraded",
        "proven: rebooted, signature matches",
    ]);
    tty.wait_for("OVER: every device is upgraded, current or skipped");
    tty.resize(120, 30);
    // Both only fit into the new size.
    tty.wait_for_line(&["NAME", "DONE", "FIRMWARE"]);
    tty.wait_for_line(&["refused-1", "1.2.2 → 1.2.3", "2"]);
    tty.resize(30, 6);
    tty.wait("one line", |s| {
        s.contents().trim_end() == "2/2 upgraded, over"
            || s.contents().starts_with("2/2 upgraded, 0:")
    });
    tty.resize(80, 24);
    tty.wait_for_line(&["NAME", "STAGE", "TIME"]);
    tty.press("?");
    tty.wait_for("retry the selected device");
    tty.press(ESC);
    tty.wait("the help to close", |s| {
        !s.contents().contains("retry the selected device")
    });
    tty.press("q");
    assert_eq!(tty.end(), 0);
    tty.wait_for("as the scenario expects");
    // Beside the screen: the title counts, the end calls a person once for each end, and the title before comes back.
    let written = tty.output();
    let place = |what: &str| written.find(what).unwrap_or_else(|| panic!("no {what:?}"));
    let title = place("\x1b]2;hemfleet 2/2, 1 failed\x07");
    let call = place("\x1b]9;hemfleet 2/2, 1 failed, finished in ");
    let again = place("\x1b]9;hemfleet 2/2, finished in ");
    assert!(place("\x1b[22;2t") < title && title < call && call < again);
    assert!(again < place("\x1b[23;2t"));
    assert!(
        !written.contains("\x1b[?1000h"),
        "the mouse is the terminal's"
    );
}

#[test]
fn the_first_ctrl_c_waits_for_devices_past_their_install_and_the_second_does_not() {
    let mut tty = Tty::demo(&rebooting("45s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    tty.press(CTRL_C);
    tty.wait_for_line(&["STOPPING safely", "gone-1"]);
    tty.press(CTRL_C);
    assert_eq!(tty.end(), 130);
    tty.wait_for_line(&["gone-1"]);
    let log = tty.log();
    assert!(log.contains("gone-1: UNKNOWN"), "{log}");
}

#[test]
fn quitting_waits_for_a_device_past_its_install_and_then_leaves_by_itself() {
    let mut tty = Tty::demo(&rebooting("2s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    tty.press("q");
    tty.wait_for_line(&["gone-1", "past the install"]);
    tty.press("y");
    assert_eq!(tty.end(), 130);
    let log = tty.log();
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
}

#[test]
fn a_closed_terminal_stops_the_run_safely() {
    let mut tty = Tty::demo(&rebooting("3s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    assert_eq!(tty.hang_up(), 130);
    let log = tty.log();
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
}

#[test]
fn the_plan_starts_only_with_the_right_number() {
    let lab = tempfile::tempdir().unwrap();
    let scenario = lab.path().join("scenario.toml");
    std::fs::write(&scenario, SCENARIO).unwrap();
    let sim = ["sim", "--scenario", scenario.to_str().unwrap(), "--dir"];
    let sim = [&sim[..], &[lab.path().to_str().unwrap()]].concat();
    let sim = Tty::start(&sim, tempfile::tempdir().unwrap(), 100, 30);
    sim.wait_for("Ctrl-C stops them");
    let inventory = lab.path().join("fleet.toml");
    let args = ["run", "-c", inventory.to_str().unwrap()];

    let mut tty = Tty::start(&args, tempfile::tempdir().unwrap(), 80, 24);
    tty.wait_for("Type 2 to start");
    tty.wait_for("A firmware upgrade cannot be undone.");
    tty.press("3\r");
    tty.wait_for("3 is not the number of devices to be upgraded, which is 2");
    tty.press(ESC);
    tty.wait_for("Leave? Nothing has been changed");
    tty.press("y");
    tty.end();
    let log = tty.log();
    assert!(!log.contains("login") && !log.contains("upload"), "{log}");

    // This time with the mouse, and without a bell.
    let screen = std::fs::read_to_string(&inventory).unwrap()
        + "\n[screen]\nmouse = true\nnotify = \"off\"\n";
    std::fs::write(&inventory, screen).unwrap();
    let mut tty = Tty::start(&args, tempfile::tempdir().unwrap(), 80, 24);
    tty.wait_for("Type 2 to start");
    tty.press("2\r");
    tty.wait_for_line(&["ok-1", "upgraded", "proven"]);
    tty.wait_for_line(&["OVER: 1 device needs a look"]);
    tty.wait_for_line(&["▸✔ ok-1"]);
    let line = tty.line_of("refused-1");
    // A press of the left button in that line, as terminals report it (SGR).
    tty.press(&format!("\x1b[<0;5;{line}M"));
    tty.wait_for_line(&["▸✖ refused-1"]);
    tty.press("q");
    assert_eq!(tty.end(), 1);
    let written = tty.output();
    assert!(written.contains("\x1b[?1000h") && written.contains("\x1b[?1000l"));
    assert!(!written.contains("\x1b]9;"), "nobody wants to be called");
}

/// Two runs of the same two devices, of which one device is gone for long: the second is refused.
fn only_one_run_starts(scenario_text: &str, more: &[&str]) {
    let lab = tempfile::tempdir().unwrap();
    let scenario = lab.path().join("scenario.toml");
    std::fs::write(&scenario, scenario_text).unwrap();
    let sim = ["sim", "--scenario", scenario.to_str().unwrap(), "--dir"];
    let sim = [&sim[..], &[lab.path().to_str().unwrap()]].concat();
    let sim = Tty::start(&sim, tempfile::tempdir().unwrap(), 100, 30);
    sim.wait_for("Ctrl-C stops them");
    let inventory = lab.path().join("fleet.toml");
    let args = [&["run", "-c", inventory.to_str().unwrap()], more].concat();
    let start = || {
        let state = [("XDG_STATE_HOME", lab.path().to_str().unwrap())];
        let program = env!("CARGO_BIN_EXE_hemfleet").as_ref();
        Tty::run(
            program,
            &args,
            &state,
            tempfile::tempdir().unwrap(),
            (100, 24),
        )
    };
    let mut second = start();
    second.wait_for("Type 2 to start");
    let mut first = start();
    first.wait_for("Type 2 to start");
    first.press("2\r");
    first.wait_for_line(&["gone-1", "reboot", "normal until"]);
    second.press("2\r");
    second.wait_for("gone-1 and 1 more are held, by run ");
    second.wait_for("Type 2 to start");
    second.press("q");
    assert_eq!(second.end(), 2);
    second.wait_for("2 devices are held by another hemfleet");
    second.wait_for("no device was changed");
}

#[test]
fn a_fleet_that_another_run_holds_is_refused_and_the_plan_stays() {
    only_one_run_starts(&rebooting("45s"), &[]);
}

#[test]
fn a_plan_of_nothing_but_downgrades_holds_its_fleet_as_well() {
    let newer = rebooting("45s")
        .replace("[image]\n", "[image]\nversion = \"1.2.9\"\n")
        .replace("[[device]]\n", "[[device]]\nversion = \"1.2.10\"\n");
    only_one_run_starts(&newer, &["--allow-downgrade"]);
}

#[test]
fn ctrl_c_at_a_secrets_prompt_gives_the_echo_back() {
    let dir = tempfile::tempdir().unwrap();
    let inventory = dir.path().join("fleet.toml");
    let text = "[[device]]\nname = \"a\"\nurl = \"https://127.0.0.1:9\"\n\
                auth = { kind = \"passphrase\", secret = { prompt = \"Warsaw vaults\" } }\n";
    std::fs::write(&inventory, text).unwrap();
    let image = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/vectors/firmware/signed-v1.2.3.bin"
    );
    let inventory = inventory.to_str().unwrap();
    let args = ["run", "-c", inventory, "--firmware", image];
    let mut tty = Tty::start(&args, tempfile::tempdir().unwrap(), 80, 24);
    tty.wait_for("Warsaw vaults:");
    tty.press(CTRL_C);
    assert_eq!(tty.end(), 130);
}
