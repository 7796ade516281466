//! The terminal is gone: what is past its install is watched to the end, and the rest is left, or goes on without a
//! screen.

use crate::cli::program::{Lab, Program, Running, code, text};
use crate::screen::tty::Tty;

/// One device that is gone for a while after its install, and one whose turn comes after it.
const TWO: &str = r#"
tempo = 0.01
client = { quick = true, concurrency = 1, timeouts = { reboot = "50s" } }
[[device]]
name = "gone-1"
reboot = "2s"
expect = { outcome = "upgraded" }
[[device]]
name = "next-1"
expect = { outcome = "upgraded" }
"#;

fn in_terminal(lab: &Lab, more: &[&str]) -> Tty {
    let inventory = lab.inventory();
    let args = [&["run", "-c", inventory.to_str().unwrap()], more].concat();
    Tty::start(&args, tempfile::tempdir().unwrap(), 80, 24)
}

/// Adds to the inventory.
fn say(lab: &Lab, more: &str) {
    let text = std::fs::read_to_string(lab.inventory()).unwrap() + more;
    std::fs::write(lab.inventory(), text).unwrap();
}

#[test]
fn a_lost_terminal_ends_the_run_safely_and_the_log_says_how_to_go_on() {
    let lab = Lab::serve_text(TWO);
    let mut tty = in_terminal(&lab, &["--yes"]);
    tty.wait_for_line(&["gone-1", "reboot"]);
    assert_eq!(tty.hang_up(), 130);
    let log = tty.log();
    assert!(
        log.contains("the terminal is gone: stopping safely"),
        "{log}"
    );
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
    assert!(!log.contains("next-1: upload"), "{log}");
    let how = "1 device is not finished: hemfleet resume ";
    assert!(log.contains(how), "{log}");
}

#[test]
fn a_detached_run_goes_on_to_its_end_without_its_terminal() {
    let lab = Lab::serve_text(TWO);
    let mut tty = in_terminal(&lab, &["--yes", "--detach"]);
    tty.wait_for_line(&["gone-1", "reboot"]);
    assert_eq!(tty.hang_up(), 0);
    let log = tty.log();
    assert!(log.contains("going on to the end without it"), "{log}");
    assert!(log.contains("hemfleet attach "), "{log}");
    for device in ["gone-1", "next-1"] {
        assert!(log.contains(&format!("{device}: UPGRADED")), "{log}");
    }
    assert!(!log.contains("hemfleet resume"), "{log}");
}

#[test]
fn the_inventory_can_say_so_too_and_two_hang_ups_are_no_second_ctrl_c() {
    let lab = Lab::serve_text(TWO);
    say(&lab, "\n[run]\non_hangup = \"finish\"\n");
    let tty = in_terminal(&lab, &["--yes"]);
    tty.wait_for_line(&["gone-1", "reboot"]);
    tty.signal("HUP");
    tty.wait_for_log("going on to the end without it");
    tty.signal("HUP");
    // The terminal is still there, and has been given back.
    assert_eq!(tty.end(), 0);
    assert!(tty.log().contains("next-1: UPGRADED"), "{}", tty.log());
}

#[test]
fn a_hang_up_and_then_an_interrupt_is_one_interrupt() {
    let lab = Lab::serve_text(TWO);
    let tty = in_terminal(&lab, &["--yes", "--detach"]);
    tty.wait_for_line(&["gone-1", "reboot"]);
    tty.signal("HUP");
    tty.wait_for_log("going on to the end without it");
    tty.signal("TERM");
    assert_eq!(tty.end(), 130);
    let log = tty.log();
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
    assert!(!log.contains("next-1: UPGRADED"), "{log}");
}

#[test]
fn a_plan_that_nobody_can_confirm_any_more_is_left() {
    let lab = Lab::serve_text(TWO);
    let tty = in_terminal(&lab, &["--detach"]);
    tty.wait_for("Type 2 to start");
    tty.signal("HUP");
    assert_eq!(tty.end(), 130);
    let log = tty.log();
    let why = "nobody is there to confirm the plan: no device is changed";
    assert!(log.contains(why), "{log}");
    assert!(
        !log.contains("upload") && !log.contains("hemfleet resume"),
        "{log}"
    );
}

#[test]
fn a_secret_that_nobody_can_type_any_more_stops_its_device_alone() {
    let lab = Lab::serve_text(&TWO.replace("concurrency = 1", "concurrency = 2"));
    let inventory = std::fs::read_to_string(lab.inventory()).unwrap();
    let stored = "auth = { kind = \"passphrase\", secret = { file = \"passphrase\" } }";
    let (defaults, devices) = inventory.split_once("[[device]]").unwrap();
    let typed = if let Some((first, second)) = devices.rsplit_once(stored) {
        format!("{defaults}[[device]]{first}auth = \"prompt\"{second}")
    } else {
        let name = "name = \"next-1\"";
        assert!(devices.contains(name), "{inventory}");
        inventory.replace(name, &format!("{name}\nauth = \"prompt\""))
    };
    std::fs::write(lab.inventory(), typed).unwrap();
    let mut tty = in_terminal(&lab, &["--yes", "--detach"]);
    tty.wait_for("A secret is wanted");
    tty.wait_for_line(&["gone-1", "reboot"]);
    assert_eq!(tty.hang_up(), 130);
    let log = tty.log();
    let why = "next-1: nobody is there to type its secret";
    assert!(log.contains(why), "{log}");
    assert!(log.contains("gone-1: UPGRADED"), "{log}");
}

/// A run in the background, once its first device is past the install.
fn headless(mut run: Program) -> Running {
    let program = run.start().unwrap();
    program.stderr.read();
    program.stdout.wait_for(&["gone-1", "\"reboot\""]);
    program
}

fn ended(lines: &[u8], device: &str) -> String {
    let lines = text(lines).lines();
    let mut of_device = lines.filter(|line| {
        line.contains("\"device_finished\"") && line.contains(&format!("\"{device}\""))
    });
    of_device.next_back().unwrap_or_default().to_owned()
}

#[test]
fn a_run_without_a_dashboard_is_hung_up_in_the_same_way() {
    for (detach, wanted) in [(false, 130), (true, 0)] {
        let lab = Lab::serve_text(TWO);
        let mut run = lab.run();
        if detach {
            run.arg("--detach");
        }
        let program = headless(run);
        program.signal("HUP");
        program.stderr.wait_for(&["hung up"]);
        program.signal("HUP");
        let output = program.output();
        assert_eq!(code(&output), wanted);
        let gone = ended(&output.stdout, "gone-1");
        assert!(gone.contains("\"upgraded\""), "{}", text(&output.stdout));
        let next = ended(&output.stdout, "next-1");
        assert_eq!(next.contains("\"upgraded\""), detach, "{next}");
        let said = text(&output.stderr);
        assert_eq!(said.contains("hemfleet attach"), detach, "{said}");
        assert_eq!(said.contains("hemfleet resume"), !detach, "{said}");
    }
}

#[test]
fn a_detached_run_needs_nobody_who_reads_its_lines() {
    let lab = Lab::serve_text(TWO);
    let mut run = lab.run();
    run.arg("--detach");
    let mut program = headless(run);
    program.stdout.close();
    program
        .stderr
        .wait_for(&["nobody reads standard output any more", "going on"]);
    let output = program.output();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
}

#[test]
fn under_nohup_a_hang_up_is_none() {
    let lab = Lab::serve_text(TWO);
    let program = headless(lab.run().limited("-c 0; trap '' HUP"));
    program.signal("HUP");
    let output = program.output();
    assert_eq!(code(&output), 0, "{}", text(&output.stderr));
    assert!(
        !text(&output.stderr).contains("hung up"),
        "{}",
        text(&output.stderr)
    );
}
