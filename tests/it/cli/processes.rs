//! Several processes at once: runs on one fleet, child processes that hang, demos that were killed.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Output;
use std::thread;
use std::time::Duration;

use hemfleet::sim::{Scenario, SimFleet, SimOptions};

use super::program::{Lab, Program, Running, code, hemfleet, json, of, root, run, text, vector};

/// Waits until `what` holds, but not for ever.
fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..3000 {
        if holds() {
            return;
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "no event tells of a stranger's end"
        )]
        thread::sleep(Duration::from_millis(20));
    }
    panic!("waited 60 s for {what}");
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

/// An executable script.
fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn run_of(lab: &Path, state: &Path) -> Program {
    let mut command = hemfleet();
    command.arg("run").arg("-c").arg(lab.join("fleet.toml"));
    command.args(["--yes", "--output", "json"]);
    command.env("XDG_STATE_HOME", state);
    command
}

#[test]
fn two_runs_on_one_fleet_install_once_on_each_device() {
    let scenario = root().join("tests/scenarios/all-well.toml");
    let scenario = Scenario::parse(&fs::read_to_string(scenario).unwrap()).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let sims = runtime.block_on(SimFleet::start(&scenario, &SimOptions::default()));
    let sims = sims.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    sims.write_lab(dir.path()).unwrap();
    let begin = || run_of(dir.path(), state.path()).start().unwrap();
    let both = [begin(), begin()];
    let ended: Vec<Output> = both.into_iter().map(Running::output).collect();
    for device in sims.devices() {
        assert_eq!(device.recording().installs(), 1, "{}", device.name());
    }
    let (won, lost): (Vec<_>, Vec<_>) = ended.iter().partition(|output| code(output) == 0);
    assert_eq!((won.len(), lost.len()), (1, 1), "{ended:?}");
    let (won, lost) = (won[0], lost[0]);
    assert_eq!(code(lost), 2);
    assert!(lost.stdout.is_empty(), "{}", text(&lost.stdout));
    let said = text(&lost.stderr);
    let run = json(&won.stdout)[0]["run"].as_str().unwrap().to_owned();
    assert!(said.contains(&format!("run {run} of ")), "{said}");
    assert!(said.contains("nothing was sent to any device"), "{said}");
    let left = fs::read_dir(state.path().join("hemfleet/locks")).unwrap();
    assert_eq!(left.count(), 1, "more than the gate is left");
}

#[test]
fn a_plan_needs_no_lock_and_a_killed_run_frees_its_own() {
    let lab = Lab::serve("check-slow.toml");
    let state = tempfile::tempdir().unwrap();
    let first = run_of(lab.dir.path(), state.path()).start().unwrap();
    first.stdout.wait_for(&[r#""stage":"check""#]);
    let second = run_of(lab.dir.path(), state.path()).output().unwrap();
    assert_eq!(code(&second), 2, "{}", text(&second.stdout));
    assert!(second.stdout.is_empty());
    let said = text(&second.stderr);
    let holder = format!("process {}", first.id);
    assert!(
        said.contains(&holder) && said.contains("vault-01"),
        "{said}"
    );
    let mut plan = hemfleet();
    plan.arg("plan").arg("-c").arg(lab.inventory());
    let plan = plan.env("XDG_STATE_HOME", state.path()).output().unwrap();
    assert_eq!(code(&plan), 0, "{}", text(&plan.stderr));
    first.signal("KILL");
    first.end();
    let third = run_of(lab.dir.path(), state.path()).output().unwrap();
    assert_ne!(code(&third), 2, "{}", text(&third.stderr));
    assert_eq!(of(&json(&third.stdout), "device_finished").len(), 1);
}

#[test]
fn what_a_killed_demo_left_is_removed_by_the_next() {
    let temp = tempfile::tempdir().unwrap();
    let demos = || {
        let entries = fs::read_dir(temp.path()).unwrap();
        let names = entries.map(|e| e.unwrap().file_name().into_string().unwrap());
        names.filter(|n| n.starts_with("hemfleet-demo-")).count()
    };
    let demo = |scenario: &str| {
        let mut command = hemfleet();
        command.args(["demo", "--output", "json", "--scenario"]);
        command.arg(root().join("tests/scenarios").join(scenario));
        command.env("TMPDIR", temp.path());
        command
    };
    let killed = demo("check-slow.toml").start().unwrap();
    killed.stdout.wait_for(&[r#""stage":"check""#]);
    let living = demo("check-slow.toml").start().unwrap();
    living.stdout.wait_for(&[r#""stage":"probe""#]);
    assert_eq!(demos(), 2, "two demos live");
    killed.signal("KILL");
    killed.end();
    let next = demo("current.toml").output().unwrap();
    assert_eq!(code(&next), 0, "{}", text(&next.stderr));
    assert!(demos() <= 1, "the killed demo's folder is still there");
    living.stdout.wait_for(&["run_finished"]);
    assert!(living.end().success());
}

/// An inventory of one device, which says its secret in this way.
fn inventory(dir: &Path, device: &str) {
    let text = format!(
        "[timeouts]\nconnect = \"2s\"\n[retry]\nattempts = 1\n[secrets.other]\nenv = \"HEM_OTHER\"\n[[device]]\n\
         name = \"a\"\nurl = \"https://my.ence.do\"\nconnect = \"127.0.0.1:9\"\n{device}\n"
    );
    fs::write(dir.join("fleet.toml"), text).unwrap();
}

fn run_alone(dir: &Path) -> Program {
    let mut command = run_of(dir, dir);
    command.arg("--firmware").arg(vector("signed-v1.2.3.bin"));
    command
}

#[test]
fn a_hanging_secret_command_dies_with_hemfleet_and_all_that_it_began() {
    let dir = tempfile::tempdir().unwrap();
    let began = dir.path().join("began");
    let tells = format!(
        "sleep 600 &\necho $$ $! >{0}.new\nmv {0}.new {0}\nwait",
        began.display()
    );
    script(&dir.path().join("show"), &tells);
    inventory(
        dir.path(),
        "auth = { kind = \"passphrase\", secret = { command = [\"./show\"] } }",
    );
    let hung = run_alone(dir.path()).start().unwrap();
    wait_until("the command to begin", || began.exists());
    let limits = fs::read_to_string(format!("/proc/{}/limits", hung.id)).unwrap();
    let core = limits
        .lines()
        .find(|l| l.contains("core file size"))
        .unwrap();
    let core: Vec<_> = core.split_whitespace().collect();
    assert_eq!(core[4..6], ["0", "0"], "core dumps are on");
    hung.signal("KILL");
    hung.end();
    for pid in fs::read_to_string(&began).unwrap().split_whitespace() {
        wait_until(&format!("process {pid} to end"), || !is_alive(pid));
    }
}

#[test]
fn neither_ssh_nor_a_secret_command_sees_the_variables_of_secrets() {
    let dir = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    let bin = dir.path().join("bin");
    fs::create_dir(&bin).unwrap();
    let dumps = |name: &str| format!("env >{}/{name}.env", dir.path().display());
    script(&bin.join("ssh"), &format!("{}\nexit 255", dumps("ssh")));
    script(
        &dir.path().join("show"),
        &format!("{}\necho pass", dumps("show")),
    );
    inventory(
        dir.path(),
        "ssh = \"host7\"\nauth = { kind = \"passphrase\", secret = { command = [\"./show\"] } }\n[[device]]\nname = \"b\"\n\
         url = \"https://127.0.0.1:9\"\nauth = { kind = \"passphrase\", secret = { env = \"HEM_MINE\" } }",
    );
    // Nothing answers there, so that it takes one try for each device.
    let output = run_alone(dir.path())
        .env("PATH", format!("{}:{path}", bin.display()))
        .env("HEM_MINE", "hunter2mine")
        .env("HEM_OTHER", "hunter2other")
        .args(["--only", "a"])
        .output()
        .unwrap();
    assert_eq!(code(&output), 1, "{}", text(&output.stderr));
    for name in ["ssh", "show"] {
        let env = fs::read_to_string(dir.path().join(format!("{name}.env"))).unwrap();
        assert!(env.contains("PATH="), "{name} has no environment at all");
        let seen = env.lines().filter(|line| line.contains("hunter2"));
        assert_eq!(seen.collect::<Vec<_>>(), [""; 0], "{name} sees them");
    }
}

#[test]
fn thousands_of_faults_are_counted_and_the_first_are_shown() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    let mut devices = String::new();
    for n in 0..3000 {
        let (name, host) = (n % 2000, n % 1000);
        let _ = write!(
            devices,
            "[[device]]\nname = \"d{name}\"\nurl = \"https://h{host}\"\n\
             auth = {{ kind = \"passphrase\", secret = {{ file = \"no-{n}\" }} }}\n"
        );
    }
    fs::write(&file, devices).unwrap();
    let check = run(&["config", "check", "-c", file.to_str().unwrap()]);
    assert_eq!(code(&check), 2);
    let said = text(&check.stderr);
    assert_eq!(said.matches("error: ").count(), 200);
    // 1,000 names, 2,000 ways and 3,000 files.
    let counted = "\n6000 faults, the first 200 of them above; nothing was sent";
    assert!(said.contains(counted), "{}", said.lines().last().unwrap());
}

#[test]
fn a_first_use_far_away_is_named_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("fleet.toml");
    let device = "[[device]]\nname = \"a\"\nurl = \"https://h\"\nconnect = ";
    let between = "\n".repeat(1000);
    let twice = format!("{device}\"x:1\"\n{between}{device}\"x:2\"\n");
    fs::write(&file, twice).unwrap();
    let check = run(&["config", "check", "-c", file.to_str().unwrap()]);
    let said = text(&check.stderr);
    let place = format!("first used here: {}:2:8", file.display());
    assert!(said.contains(&place), "{said}");
}
