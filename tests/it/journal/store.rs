//! Runs of the real binary and their journal, and every way in which its file can go wrong.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Output;

use hemfleet::journal::{Journal, RunEntry};
use hemfleet::model::OutcomeKind;
use hemfleet::sim::{Scenario, SimFleet, SimOptions};
use rusqlite::Connection;

use crate::cli::program::{Lab, Program, Running, code, hemfleet, json, of, text, wait_for_file};

/// Simulated devices in this process, whose requests a test can count.
struct Devices {
    sims: SimFleet,
    /// The inventory, and a folder for the journal.
    dir: tempfile::TempDir,
    _runtime: tokio::runtime::Runtime,
}

impl Devices {
    fn of(scenario: &str) -> Self {
        let text = format!("about = \"a test's own\"\n{scenario}");
        let scenario = Scenario::parse(&text).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let sims = runtime.block_on(SimFleet::start(&scenario, &SimOptions::default()));
        let sims = sims.unwrap();
        let dir = tempfile::tempdir().unwrap();
        sims.write_lab(dir.path()).unwrap();
        Self {
            sims,
            dir,
            _runtime: runtime,
        }
    }

    /// One device, whose check takes two seconds: time enough to harm the journal before the install.
    fn slow() -> Self {
        Self::of(
            "tempo = 0.01\nclient = { quick = true, pace = { check_poll = \"100ms\" } }\n\
             [[device]]\nname = \"vault-01\"\ncheck_polls = 20\n",
        )
    }

    fn journal(&self) -> PathBuf {
        self.dir.path().join("state/journal.db")
    }

    fn run(&self) -> Program {
        let mut command = hemfleet();
        command.arg("run").arg("-c");
        command.arg(self.dir.path().join("fleet.toml"));
        command.args(["--yes", "--output", "json", "--journal"]);
        command.arg(self.journal());
        command
    }

    fn installs(&self) -> usize {
        let devices = self.sims.devices().iter();
        devices.map(|device| device.recording().installs()).sum()
    }

    fn requests(&self) -> usize {
        let devices = self.sims.devices().iter();
        devices
            .map(|device| device.recording().requests.len())
            .sum()
    }

    fn runs(&self) -> Vec<RunEntry> {
        let journal = Journal::open_existing(&self.journal()).unwrap();
        journal.unwrap().runs().unwrap()
    }

    /// The run ended before anything was touched, and said this.
    fn refused(&self, output: &Output, said: &[&str]) {
        let err = text(&output.stderr);
        assert_eq!(code(output), 2, "{err}");
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        for wanted in said.iter().chain(&["hint: ", "--no-journal"]) {
            assert!(err.contains(wanted), "{wanted} in {err}");
        }
        assert_eq!(self.requests(), 0, "{err}");
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn a_run_is_recorded_for_its_user_alone() {
    let devices = Devices::of(
        "tempo = 0.01\nclient = { quick = true }\n[[device]]\nname = \"vault-01\"\n\
         [[device]]\nname = \"vault-02\"\nfaults = [{ at = \"boot\", do = \"rollback\" }]\n",
    );
    let output = devices.run().output().unwrap();
    let events = json(&output.stdout);
    let runs = devices.runs();
    let [entry] = &runs[..] else {
        panic!("{runs:?}\n{}", text(&output.stderr));
    };
    assert_eq!(entry.run.as_str(), events[0]["run"].as_str().unwrap());
    assert!(!entry.is_alive && entry.ended.is_some());
    let tally = entry.tally.as_ref().unwrap();
    let counts = &events.last().unwrap()["counts"];
    for kind in OutcomeKind::ALL {
        let told = counts[kind.as_str()].as_u64().unwrap_or_default();
        assert_eq!(tally.of(kind) as u64, told, "{kind}: {counts}");
    }
    let state = devices.dir.path().join("state");
    assert_eq!(mode(&state), 0o700);
    let left: Vec<_> = fs::read_dir(&state).unwrap().map(|e| e.unwrap()).collect();
    for file in &left {
        // The log files that decided have a folder.
        let wanted = if file.path().is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode(&file.path()), wanted, "{file:?}");
        let name = file.file_name().into_string().unwrap();
        assert!(!name.contains("-run-"), "the lock of a run is left: {name}");
    }
    // What is written to standard output is the fold of what is in the journal.
    let journal = Journal::open_existing(&devices.journal()).unwrap().unwrap();
    let loaded = journal.load(&entry.run).unwrap();
    let fleet = loaded.fold();
    let ended = of(&events, "device_finished");
    for device in fleet.devices() {
        let told = ended.iter().rfind(|e| e["device"] == device.id.as_str());
        let kind = device.outcome_kind().unwrap();
        assert_eq!(told.unwrap()["outcome"], kind.as_str());
    }
    // No secret, and no source of one.
    let record = serde_json::to_string(&loaded.record).unwrap();
    let inventory = fs::read_to_string(devices.dir.path().join("fleet.toml")).unwrap();
    assert!(inventory.contains("secret"), "{inventory}");
    assert!(
        !record.contains("secret") && !record.contains("passphrase.txt"),
        "{record}"
    );
}

#[test]
fn a_journal_that_cannot_be_used_stops_a_run_before_it_begins() {
    let devices = Devices::slow();
    let journal = devices.journal();
    let run = || devices.run().output().unwrap();
    let clear = || {
        let _ = fs::remove_dir_all(journal.parent().unwrap());
        fs::create_dir(journal.parent().unwrap()).unwrap();
    };
    clear();
    fs::create_dir(&journal).unwrap();
    devices.refused(&run(), &["journal.db is no file"]);

    clear();
    fs::write(&journal, "dear diary, ".repeat(1000)).unwrap();
    devices.refused(&run(), &["journal.db is no journal of hemfleet"]);
    assert!(fs::read_to_string(&journal).unwrap().starts_with("dear"));

    clear();
    let other = Connection::open(&journal).unwrap();
    other.execute_batch("CREATE TABLE t (x)").unwrap();
    drop(other);
    let before = fs::read(&journal).unwrap();
    devices.refused(&run(), &["journal.db is no journal of hemfleet"]);
    assert_eq!(fs::read(&journal).unwrap(), before, "it was changed");

    clear();
    drop(Journal::open(&journal).unwrap());
    let newer = Connection::open(&journal).unwrap();
    newer.pragma_update(None, "user_version", 4711).unwrap();
    drop(newer);
    devices.refused(&run(), &["has format 4711", "upgrade hemfleet"]);
}

#[test]
fn a_journal_that_somebody_else_is_writing_is_waited_for_and_then_told() {
    let devices = Devices::slow();
    drop(Journal::open(&devices.journal()).unwrap());
    let other = Connection::open(devices.journal()).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let output = devices.run().output().unwrap();
    devices.refused(&output, &["is locked by another process", "fuser"]);
}

#[test]
fn a_damaged_journal_is_told_and_a_run_can_do_without() {
    let devices =
        Devices::of("tempo = 0.01\nclient = { quick = true }\n[[device]]\nname = \"v\"\n");
    assert_eq!(code(&devices.run().output().unwrap()), 0);
    let installs = devices.installs();
    let requests = devices.requests();
    let journal = devices.journal();
    let mut bytes = fs::read(&journal).unwrap();
    assert!(bytes.len() > 40_000, "{}", bytes.len());
    // Every page but the first.
    for page in bytes[4096..].chunks_mut(4096) {
        page[8..200].fill(0xa5);
    }
    fs::write(&journal, &bytes).unwrap();
    let output = devices.run().output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(code(&output), 2, "{err}");
    assert!(
        err.contains("is damaged") && err.contains("hint: keep a copy"),
        "{err}"
    );
    assert!(
        !err.contains("\\u{") && err.lines().count() == 2,
        "one line says what is wrong: {err}"
    );
    assert_eq!(devices.requests(), requests);
    let mut command = hemfleet();
    command
        .arg("run")
        .arg("-c")
        .arg(devices.dir.path().join("fleet.toml"));
    let output = command.args(["--yes", "--no-journal"]).output().unwrap();
    let err = text(&output.stderr);
    assert_eq!(code(&output), 0, "{err}");
    assert!(err.contains("WARNING: no journal is kept"), "{err}");
    assert!(devices.requests() > requests && devices.installs() == installs);
    assert_eq!(fs::read(&journal).unwrap(), bytes);
}

#[test]
fn no_journal_and_a_journal_are_not_said_together() {
    let devices = Devices::slow();
    let output = devices.run().arg("--no-journal").output().unwrap();
    assert_eq!(code(&output), 2);
    assert_eq!(devices.requests(), 0);
}

#[test]
fn a_read_only_journal_is_told() {
    let devices = Devices::slow();
    drop(Journal::open(&devices.journal()).unwrap());
    let folder = devices.journal().parent().unwrap().display().to_string();
    let mounts = format!("mount --bind '{folder}' '{folder}'\nmount -o remount,bind,ro '{folder}'");
    let Some(mut run) = devices.run().within_mounts(&mounts) else {
        return;
    };
    devices.refused(&run.output().unwrap(), &["is read-only"]);
    // To be read it need not be written.
    let mut resume = hemfleet();
    resume.args(["resume", "--yes", "--journal"]);
    let resume = resume.arg(devices.journal()).within_mounts(&mounts);
    let output = resume.unwrap().output().unwrap();
    let err = text(&output.stderr);
    assert!(err.contains("no run is unfinished"), "{err}");
}

#[test]
fn a_disk_that_is_full_from_the_start_is_told() {
    let devices = Devices::slow();
    let folder = devices.dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    let folder = folder.display();
    // One page for the file itself, and nothing for what is to stand in it.
    let mounts = format!("mount -t tmpfs -o size=4k,mode=700 tmpfs '{folder}'");
    let Some(mut run) = devices.run().within_mounts(&mounts) else {
        return;
    };
    devices.refused(
        &run.output().unwrap(),
        &["no room for the journal", "make room"],
    );
}

/// What a run says and does whose journal goes bad before its install.
fn goes_on_without_an_install(devices: &Devices, run: Running, why: &str) {
    let output = run.output();
    let (events, err) = (json(&output.stdout), text(&output.stderr));
    assert_eq!(code(&output), 1, "{err}");
    let ended = of(&events, "device_finished");
    assert_eq!(ended[0]["code"], "not_journalled", "{ended:?}");
    assert_eq!(events.last().unwrap()["event"], "run_finished");
    assert_eq!(devices.installs(), 0, "{err}");
    let loud = err
        .lines()
        .filter(|line| line.contains("no further install is sent"));
    let loud: Vec<_> = loud.collect();
    assert!(loud.len() == 1 && loud[0].contains(why), "{err}");
    assert!(loud[0].contains("waiting="), "{err}");
    assert!(err.contains("WARNING: the end of run"), "{err}");
}

#[test]
fn a_disk_that_becomes_full_stops_no_run_but_every_install() {
    let devices = Devices::slow();
    let folder = devices.dir.path().join("state");
    fs::create_dir(&folder).unwrap();
    let (folder, lab) = (folder.display(), devices.dir.path().display());
    // Beside the run a shell waits for the test, and then takes all the room there is.
    let mounts = format!(
        "mount -t tmpfs -o size=600k,mode=700 tmpfs '{folder}'\n\
         (while ! [ -e '{lab}/fill' ]; do sleep 0.02; done\n\
         dd if=/dev/zero of='{folder}/rest' bs=4k 2>/dev/null || true\n\
         echo full >'{lab}/filled') >/dev/null 2>&1 &"
    );
    let Some(mut run) = devices.run().within_mounts(&mounts) else {
        return;
    };
    let run = run.start().unwrap();
    run.stdout.wait_for(&[r#""stage":"check""#]);
    fs::write(devices.dir.path().join("fill"), "").unwrap();
    wait_for_file(&devices.dir.path().join("filled"), "full", &run);
    goes_on_without_an_install(&devices, run, "no room for the journal");
}

#[test]
fn a_journal_that_is_removed_in_mid_run_stops_every_install() {
    let devices = Devices::slow();
    let run = devices.run().start().unwrap();
    run.stdout.wait_for(&[r#""stage":"check""#]);
    fs::remove_file(devices.journal()).unwrap();
    goes_on_without_an_install(&devices, run, "was removed while it was in use");
}

#[test]
fn a_journal_that_is_replaced_in_mid_run_stops_every_install() {
    let devices = Devices::slow();
    let run = devices.run().start().unwrap();
    run.stdout.wait_for(&[r#""stage":"check""#]);
    let (journal, old) = (devices.journal(), devices.dir.path().join("old"));
    fs::copy(&journal, &old).unwrap();
    fs::rename(&old, &journal).unwrap();
    goes_on_without_an_install(&devices, run, "was replaced while it was in use");
}

#[test]
fn two_processes_write_one_journal() {
    let (one, other) = (Devices::slow(), Devices::slow());
    let start = |devices: &Devices| {
        let mut command = hemfleet();
        command
            .arg("run")
            .arg("-c")
            .arg(devices.dir.path().join("fleet.toml"));
        command.args(["--yes", "--output", "json", "--journal"]);
        command.arg(one.journal()).start().unwrap()
    };
    let both = [start(&one), start(&other)];
    both[0].stdout.wait_for(&[r#""stage":"check""#]);
    both[1].stdout.wait_for(&[r#""stage":"check""#]);
    let alive = one.runs();
    assert_eq!(alive.iter().filter(|run| run.is_alive).count(), 2);
    for run in both {
        assert_eq!(code(&run.output()), 0);
    }
    let runs = one.runs();
    assert!(
        runs.iter().all(|run| !run.is_alive && !run.unfinished),
        "{runs:?}"
    );
    assert_eq!(runs.len(), 2);
}

/// The steps of the first write: before it, before its commit, and after that, when nobody knows of it yet.
#[test]
fn a_run_can_be_killed_at_each_step_of_writing() {
    let devices = Devices::slow();
    for (step, recorded) in [("1", 0), ("2", 0), ("3", 1), ("5", 2)] {
        let mut run = devices.run();
        let run = run.env("HEMFLEET_KILL_AT_JOURNAL_WRITE", step);
        let output = run.output().unwrap();
        assert_eq!(output.status.code(), None, "it was killed at {step}");
        let runs = devices.runs();
        assert_eq!(runs.len(), recorded, "{step}");
        assert!(runs.iter().all(|run| run.unfinished && !run.is_alive));
        assert_eq!(devices.installs(), 0);
    }
}

#[test]
fn the_inventory_names_the_journal() {
    let lab = Lab::serve("all-well.toml");
    let inventory = fs::read_to_string(lab.inventory()).unwrap();
    let with = format!("[journal]\npath = \"runs/of-this-fleet.db\"\nkeep = \"1d\"\n\n{inventory}");
    fs::write(lab.inventory(), with).unwrap();
    assert_eq!(code(&lab.run().output().unwrap()), 0);
    let path = lab.dir.path().join("runs/of-this-fleet.db");
    let journal = Journal::open_existing(&path).unwrap().unwrap();
    assert_eq!(journal.runs().unwrap().len(), 1);
}
