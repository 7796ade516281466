//! Runs on the same devices, one after the other or at once: each knows what the others left.

use std::path::Path;

use super::lab::Lab;
use crate::cli::program::{code, json, of, text};
use crate::screen::tty::Tty;

/// Two devices, one after the other; the first one's bootloader refuses the image.
const FLEET: &str = r#"
about = "killed while a device reboots"
tempo = 0.02

[client]
quick = true
concurrency = 1

[image]
size = 60000

[[device]]
name = "vault-01"
fresh = true
clock = "unset"
auth = "none"
reboot = "800ms"
faults = [{ at = "boot", do = "rollback", always = true }]

[[device]]
name = "vault-02"
fresh = true
clock = "unset"
auth = "none"
reboot = "800ms"
"#;

impl Lab {
    /// Kills a run of this one device, with these options, once it reboots.
    fn killed_alone(&self, device: &str, more: &[&str]) -> String {
        let mut run = self.command("run");
        run.args(["--only", device]).args(more);
        let run = run.start().unwrap();
        run.stderr.read();
        let mut starts = run.stdout.events();
        // What is watched before its own install is another run's.
        for stage in ["install", "reboot"] {
            assert!(starts.any(|e| e["event"] == "stage_started" && e["stage"] == stage));
        }
        run.signal("KILL");
        run.end();
        self.runs()[0].run.to_string()
    }

    /// How many devices runs hold in doubt.
    fn in_doubt(&self) -> usize {
        self.runs().iter().map(|run| run.in_doubt).sum()
    }

    /// The plan of a run on a terminal, which waits to be confirmed.
    fn plan(&self, more: &[&str]) -> Tty {
        self.plan_of("Type 2 to start", more)
    }

    /// The same, that says this.
    fn plan_of(&self, says: &str, more: &[&str]) -> Tty {
        let path = |path: &Path| path.to_str().unwrap().to_owned();
        let (inventory, journal) = (path(&self.inventory), path(&self.journal()));
        let args = ["run", "-c", &inventory, "--journal", &journal];
        let dir = tempfile::tempdir().unwrap();
        let plan = Tty::start(&[&args[..], more].concat(), dir, 100, 24);
        plan.wait_for(says);
        plan
    }
}

#[test]
fn a_resume_watches_what_another_run_has_left_meanwhile() {
    let lab = Lab::start(FLEET);
    lab.killed_at("vault-01", "reboot");
    let first = lab.runs()[0].run.to_string();
    let second = lab.killed_alone("vault-02", &[]);
    let output = lab.command("resume").arg(&first).output().unwrap();
    let said = text(&output.stderr);
    let wanted = format!("1 device is in doubt since run {second}");
    assert!(said.contains(&wanted), "{said}");
    let events = json(&output.stdout);
    let ended = of(&events, "device_finished");
    let outcome = |device: &str| {
        let ended = ended.iter().find(|e| e["device"] == device).unwrap();
        ended["outcome"].clone()
    };
    assert_eq!(outcome("vault-01"), "rolled_back");
    assert_eq!(outcome("vault-02"), "current");
    for device in ["vault-01", "vault-02"] {
        assert_eq!(lab.installs(device), 1, "{said}");
    }
    // What it has seen of the other run's install counts, though it began before that.
    assert_eq!(lab.in_doubt(), 0);
    lab.end();
}

#[test]
fn a_resume_leaves_a_device_to_the_run_that_was_at_work_on_it_later() {
    let lab = Lab::start(FLEET);
    let first = lab.killed_alone("vault-01", &[]);
    let later = lab.killed_alone("vault-01", &["--resend-refused"]);
    assert_eq!(lab.installs("vault-01"), 2);
    let refused = lab.command("resume").arg(&first).output().unwrap();
    let said = text(&refused.stderr);
    assert_eq!(code(&refused), 2, "{said}");
    assert!(
        said.contains(&format!("vault-01 is in doubt since run {later}")),
        "{said}"
    );
    let journal = lab.journal();
    let hint = format!("hemfleet resume {later} --journal {}", journal.display());
    assert!(said.contains(&hint), "{said}");
    for run in [&later, &first] {
        let resumed = lab.command("resume").arg(run).output().unwrap();
        assert_eq!(code(&resumed), 1, "{}", text(&resumed.stderr));
    }
    assert_eq!(lab.installs("vault-01"), 2);
    lab.end();
}

/// The plan was made before the other run sent its install, and its locks died with it.
#[test]
fn a_plan_is_not_started_over_what_another_run_has_left_meanwhile() {
    let lab = Lab::start(FLEET);
    let mut dashboard = lab.plan(&[]);
    let mut plain = lab.plan(&["--output", "plain"]);
    let other = lab.killed_alone("vault-01", &[]);
    let why = format!("vault-01: run {other} was at work on it meanwhile");
    dashboard.press("2\r");
    dashboard.wait_for(&why);
    dashboard.wait_for("Type 2 to start");
    dashboard.press("q");
    assert_eq!(dashboard.end(), 2);
    dashboard.wait_for("no device was changed");
    plain.press("2\r");
    assert_eq!(plain.end(), 2);
    plain.wait_for("no device was changed");
    assert_eq!((lab.installs("vault-01"), lab.installs("vault-02")), (1, 0));
    lab.end();
}

#[test]
fn who_only_plans_and_who_keeps_no_journal_are_told_as_well() {
    let lab = Lab::start(FLEET);
    let run = lab.killed_alone("vault-01", &[]);
    let state = lab.dir.path().join("state/hemfleet");
    std::fs::create_dir_all(&state).unwrap();
    std::fs::rename(lab.journal(), state.join("journal.db")).unwrap();
    for args in [&["plan"][..], &["run", "--yes", "--no-journal"]] {
        let mut told = crate::cli::program::hemfleet();
        told.env("XDG_STATE_HOME", lab.dir.path().join("state"));
        let told = told.args(args).arg("-c").arg(&lab.inventory).output();
        let told = told.unwrap();
        let said = text(&told.stderr);
        assert!(
            said.contains(&format!("1 device is in doubt since run {run}")),
            "{said}"
        );
        assert!(!said.contains("--journal"), "{said}");
    }
    assert_eq!(lab.installs("vault-01"), 1);
    std::fs::write(state.join("journal.db"), "no journal at all").unwrap();
    let mut plan = crate::cli::program::hemfleet();
    plan.env("XDG_STATE_HOME", lab.dir.path().join("state"));
    let plan = plan
        .args(["plan", "-c"])
        .arg(&lab.inventory)
        .output()
        .unwrap();
    let said = text(&plan.stderr);
    assert_eq!(code(&plan), 0, "{said}");
    assert!(said.contains("left in doubt is not known"), "{said}");
    lab.end();
}

/// What the plan itself has found is no news.
#[test]
fn a_plan_that_has_found_a_refusal_itself_is_started() {
    let lab = Lab::start(FLEET);
    lab.killed_alone("vault-01", &[]);
    let outcome = lab.killed_alone("vault-02", &[]);
    let mut plan = lab.plan_of("Type 2", &[]);
    plan.press("2\r");
    plan.wait_for("OVER");
    plan.press("q");
    assert_eq!(plan.end(), 1, "{outcome}");
    assert_eq!((lab.installs("vault-01"), lab.installs("vault-02")), (1, 1));
    lab.end();
}

/// Somebody looked at the plan of a resume and left: what a later run has seen is as true as before.
#[test]
fn a_resume_that_is_left_brings_no_doubt_back() {
    let lab = Lab::start(FLEET);
    let first = lab.killed_alone("vault-02", &[]);
    let later = lab
        .command("run")
        .args(["--only", "vault-02"])
        .output()
        .unwrap();
    assert_eq!(code(&later), 0, "{}", text(&later.stderr));
    assert_eq!(lab.in_doubt(), 0);
    let journal = lab.journal().to_str().unwrap().to_owned();
    let args = ["resume", &first, "--journal", &journal];
    let mut plan = Tty::start(&args, tempfile::tempdir().unwrap(), 100, 24);
    plan.wait_for("Enter");
    plan.press("q");
    plan.press("y");
    plan.end();
    assert_eq!(lab.in_doubt(), 0);
    lab.end();
}

/// A run that cannot be read stops whoever keeps a journal; the way out is to do without, also where a plan is confirmed.
#[test]
fn a_run_that_cannot_be_read_is_got_round_without_a_journal() {
    let lab = Lab::start(FLEET);
    // Late enough for its first messages to be written.
    lab.killed_when(|event| event["stage"] == "check" && event["polls"].as_u64() >= Some(25));
    // Whoever reads it last writes it into one file.
    assert_eq!(lab.runs().len(), 1);
    let state = lab.dir.path().join("state");
    std::fs::create_dir_all(state.join("hemfleet")).unwrap();
    let journal = state.join("hemfleet/journal.db");
    std::fs::rename(lab.journal(), &journal).unwrap();
    let spoil = "UPDATE message SET body = '{\"event\":{\"from\":\"tomorrow\"}}' WHERE seq = 1";
    let db = rusqlite::Connection::open(&journal).unwrap();
    assert_eq!(db.execute(spoil, []).unwrap(), 1);
    db.execute("UPDATE run SET folded = NULL", []).unwrap();
    drop(db);
    let inventory = lab.inventory.to_str().unwrap().to_owned();
    let state = state.to_str().unwrap();
    let run = |more: &[&str]| {
        let args = [&["run", "-c", &inventory, "--output", "plain"], more].concat();
        let program = env!("CARGO_BIN_EXE_hemfleet").as_ref();
        let dir = tempfile::tempdir().unwrap();
        Tty::run(program, &args, &[("XDG_STATE_HOME", state)], dir, (100, 24))
    };
    let kept = run(&[]);
    kept.wait_for("cannot be read");
    assert_eq!(kept.end(), 2);
    let mut without = run(&["--no-journal"]);
    without.wait_for("Type 2 to start");
    without.press("2\r");
    assert_eq!(without.end(), 1);
    assert_eq!((lab.installs("vault-01"), lab.installs("vault-02")), (1, 1));
    lab.end();
}
