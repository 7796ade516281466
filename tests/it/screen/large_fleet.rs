//! A fleet of a dozen devices with long names, of which some fail: reasons, map, marks, and a plan of which a part is left
//! out; through a resize, and a stop by the shell.

use super::job_control::{shell, times};
use super::tty::{Tty, signal};
use super::{ENTER, ESC};

/// Two sites of six. All of Warsaw is well; of Frankfurt three are refused once, two do not know their secret.
fn scenario() -> String {
    let head = r#"
about = "a dozen, for the screen"
tempo = 0.01
[image]
size = 60000
[client]
concurrency = 4
timeouts = { connect = "5s", request = "20s", upload = "1m", upload_stall = "20s", check = "1m", reboot = "50s" }
pace = { gap = "1ms", check_poll = "20ms", reboot_poll = "50ms", reboot_settle = "100ms" }
"#;
    let refused = "faults = [{ at = \"verification\", do = \"fail\" }]\nexpect = { outcome = \"failed\", after_retry = \"upgraded\" }";
    let unknown = "auth = \"wrong-passphrase\"\nexpect = { outcome = \"failed\" }";
    let well = "expect = { outcome = \"upgraded\" }";
    let device = |site: &str, group: &str, n: usize| {
        let how = match (site, n) {
            ("fra", 1..=3) => refused,
            ("fra", 4..=5) => unknown,
            _ => well,
        };
        format!(
            "[[device]]\nname = \"{}\"\ngroup = \"{group}\"\n{how}\n",
            name(site, n)
        )
    };
    let warsaw = (1..=6).map(|n| device("waw", "warsaw", n));
    let frankfurt = (1..=6).map(|n| device("fra", "frankfurt", n));
    head.to_owned() + &warsaw.chain(frankfurt).collect::<String>()
}

fn name(site: &str, n: usize) -> String {
    format!("payments-prod-hsms-{site}-r01-u{n:02}")
}

#[test]
fn a_group_of_failures_is_looked_at_and_retried_and_the_map_survives_a_resize() {
    let mut tty = Tty::demo(&scenario(), 120, 34);
    tty.wait_for("OVER: 5 devices need a look");
    tty.press("f");
    tty.wait_for_line(&["▸", "3 ×", "failed at check", "406"]);
    tty.wait_for_line(&["2 ×", "failed at login", "401"]);
    tty.press(ENTER);
    tty.wait_for(&name("fra", 3));
    tty.press("r");
    tty.wait_for("Retry 3 of 3 with this reason?");
    tty.press("y");
    tty.wait_for("OVER: 2 devices need a look");
    tty.wait_for("2 devices, 1 reason");
    // What is left is copied with its hint and its names.
    tty.press("y");
    tty.wait_for("2 devices: sent to the clipboard");
    assert!(tty.output().contains("\x1b]52;"));
    tty.press("m");
    tty.wait_for_line(&["frankfurt", "✔"]);
    tty.press("gn ");
    tty.wait_for("1 marked");
    tty.resize(60, 20);
    tty.wait_for_line(&["frankfurt", "•✖"]);
    tty.resize(30, 6);
    tty.wait("one line", |s| s.contents().starts_with("10/12 upgraded"));
    tty.resize(80, 24);
    tty.wait_for_line(&["▸✖", &name("fra", 5), "failed at login"]);
    tty.press(ENTER);
    tty.wait_for_line(&[&name("fra", 5), "failed at login"]);
    tty.wait_for("probe");
    tty.press(ESC);
    tty.wait_for_line(&["warsaw", "✔"]);
    // Marks, then the map: one step each.
    tty.press(ESC);
    tty.wait("the mark to go", |s| !s.contents().contains("1 marked"));
    tty.press(ESC);
    tty.wait_for_line(&["NAME", "TIME"]);
    tty.press("q");
    assert_eq!(tty.end(), 0);
    tty.wait_for("as the scenario expects");
}

#[test]
fn marked_devices_are_retried_together_and_marks_outlive_a_stop_by_the_shell() {
    let Some(mut tty) = shell() else { return };
    std::fs::write(tty.dir().join("scenario.toml"), scenario()).unwrap();
    let demo = "exec \"$HEMFLEET\" demo --scenario scenario.toml";
    tty.press(&format!("sh -c 'echo $$ >pid; {demo}'\r"));
    tty.wait_for("OVER: 5 devices need a look");
    tty.press("/406");
    tty.wait_for("3 of 12");
    tty.press(ENTER);
    tty.press("*");
    tty.wait_for("3 marked");
    let id = std::fs::read_to_string(tty.dir().join("pid")).unwrap();
    signal(id.trim(), "TSTP");
    tty.wait_until("the shell", || times(&tty, "Stopped") == 1);
    tty.press("fg\r");
    tty.wait("the dashboard", |s| s.alternate_screen() && s.hide_cursor());
    tty.wait_for("3 marked");
    tty.press("r");
    tty.wait_for("Retry 3 of 3 marked?");
    tty.press("y");
    tty.wait_for("OVER: 2 devices need a look");
    tty.press("q");
    tty.wait_for("as the scenario expects");
    tty.press("exit\r");
    tty.end();
}

#[test]
fn a_site_is_left_out_of_the_plan_and_ends_as_skipped() {
    let lab = tempfile::tempdir().unwrap();
    let path = lab.path().join("scenario.toml");
    std::fs::write(&path, scenario()).unwrap();
    let folder = lab.path().to_str().unwrap();
    let sim = ["sim", "--scenario", path.to_str().unwrap(), "--dir", folder];
    let sim = Tty::start(&sim, tempfile::tempdir().unwrap(), 100, 30);
    sim.wait_for("Ctrl-C stops them");
    let inventory = lab.path().join("fleet.toml");
    let args = ["run", "-c", inventory.to_str().unwrap()];
    let mut tty = Tty::start(&args, tempfile::tempdir().unwrap(), 80, 24);
    tty.wait_for("Type 12 to start");
    tty.press("/group:frankfurt");
    tty.wait_for("6 of 12");
    tty.press(ENTER);
    tty.press("*");
    tty.wait_for("6 will be upgraded, 6 left out.");
    tty.press(ESC);
    tty.wait("the filter to go", |s| !s.contents().contains("filter:"));
    tty.press("g ");
    tty.wait_for("5 will be upgraded, 7 left out.");
    // The number of the plan as it was starts nothing.
    tty.press("12\r");
    tty.wait_for("12 is not the number of devices to be upgraded, which is 5");
    tty.press("5\r");
    tty.wait_for("OVER: every device is upgraded, current or skipped");
    tty.press("q");
    assert_eq!(tty.end(), 0, "who is left out by choice is no failure");
    let log = tty.log();
    let left_out = log.matches("left out of the plan by hand").count();
    assert!(left_out >= 7, "{log}");
    assert!(!log.contains("fra-r01-u01: upload"), "{log}");
}
