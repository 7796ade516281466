//! hemfleet is killed at every write of its journal and at any moment, and gone on with: no install is lost, none is
//! doubled, every outcome is right.
//!
//! `HEMFLEET_KILLS` says how many kills there are; CI has more of them than `cargo test`.

use std::os::unix::process::ExitStatusExt as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hemfleet::engine::Fleet;
use hemfleet::model::{Doubt, Outcome, OutcomeKind};
use hemfleet::sim::{Recording, Runs, SimDevice};

use super::lab::{Lab, device, fresh_device, scenario};
use crate::cli::program::text;

/// What devices do: upgrade, refuse the image in the bootloader, lose the answer to the install, take their time.
fn fleet() -> String {
    let client = "concurrency = 3\nmax_failures = 100\ntimeouts = { reboot = \"2500ms\" }";
    let refuses = r#"faults = [{ at = "boot", do = "rollback", always = true }]"#;
    let deaf = r#"faults = [{ at = "install", do = "lose-answer", happened = true }]"#;
    let devices = [
        fresh_device("vault-01", "400ms", ""),
        fresh_device("vault-02", "300ms", refuses),
        fresh_device("vault-03", "600ms", deaf),
        device("vault-04", "500ms", "check = \"500ms\""),
    ];
    scenario(client, &devices)
}

/// Where there are no more kills than these, each of them is another place.
const FEW: usize = 4;

/// Steps of writing that a run of this fleet takes, about.
const STEPS: usize = 75;

/// About how long such a run takes.
const MOMENTS: Duration = Duration::from_millis(2500);

/// Where a process is killed.
#[derive(Clone, Copy, Debug)]
enum Kill {
    /// At this step of writing its journal.
    AtWrite(usize),
    /// After this time.
    After(Duration),
    Never,
}

impl Kill {
    /// The `n`th of `all`: each other one at a write, spread over the run.
    fn of(n: usize, all: usize) -> Self {
        let share = n / 2;
        let shares = all.div_ceil(2);
        if n.is_multiple_of(2) {
            Self::AtWrite(1 + share * STEPS / shares)
        } else {
            Self::After(MOMENTS * u32::try_from(share).unwrap() / u32::try_from(shares).unwrap())
        }
    }
}

/// Runs it to its end, or until it is killed. Whether it was, and what it said.
fn until(lab: &Lab, command: &str, kill: Kill) -> (bool, String) {
    let mut program = lab.command(command);
    if let Kill::AtWrite(step) = kill {
        program.env("HEMFLEET_KILL_AT_JOURNAL_WRITE", step.to_string());
    }
    let running = program.start().unwrap();
    running.stdout.read();
    running.stderr.read();
    if let Kill::After(time) = kill {
        running.kill_after(time);
    }
    let output = running.output();
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.signal() == Some(9), said)
}

/// What must hold of a device once a run is over.
fn check(device: &SimDevice, fleet: &Fleet, story: &str) {
    let name = device.name();
    let recording: Recording = device.recording();
    let state = fleet.devices().iter().find(|d| d.id.as_str() == name);
    let state = state.unwrap_or_else(|| panic!("{name} is in no journal\n{story}"));
    let outcome = state.outcome();
    assert!(
        recording.installs_executed <= 1,
        "{name}: installed twice\n{story}"
    );
    assert!(
        recording.installs() <= recording.checks(),
        "{name}: installs without a check\n{story}"
    );
    let wanted: &[OutcomeKind] = match (recording.installs_executed, device.runs()) {
        (1, Runs::Image) => &[OutcomeKind::Upgraded, OutcomeKind::Current],
        (1, _) => &[OutcomeKind::RolledBack],
        // Announced, and the process died before the request left: nobody can know that.
        _ => &[OutcomeKind::Unknown],
    };
    let kind = state.outcome_kind();
    assert!(
        kind.is_some_and(|kind| wanted.contains(&kind)),
        "{name}: {outcome:?}, and the device had {} installs\n{story}",
        recording.installs_executed
    );
    if kind == Some(OutcomeKind::Unknown) {
        let doubt = Outcome::Unknown(Doubt::NoTrace);
        assert_eq!(outcome, Some(&doubt), "{name}\n{story}");
    }
}

/// One life: killed, perhaps killed again while it is gone on with (or while a new run was begun instead), and brought to its
/// end; then a further run.
fn live(kill: Kill, second: &str, again: Kill) -> usize {
    let lab = Lab::start(&fleet());
    let mut story = format!("{kill:?}, then {second} {again:?}");
    let mut kills = 0;
    let tell = |story: &mut String, what: &str, (killed, said): (bool, String)| {
        *story = format!("{story}\n== {what}, killed: {killed}\n{said}");
        usize::from(killed)
    };
    kills += tell(&mut story, "run", until(&lab, "run", kill));
    if lab.runs().iter().any(|run| run.unfinished) {
        kills += tell(&mut story, second, until(&lab, second, again));
    }
    // Newest first. What stays in doubt after that is for a person to decide.
    for _ in lab.runs() {
        if lab.runs().iter().any(|run| run.unfinished) {
            tell(&mut story, "resume", until(&lab, "resume", Kill::Never));
        }
    }
    // A run over the doubts of another says less of the devices than one that was gone on with.
    if let Some(fleet) = lab.fleet().filter(|_| second == "resume") {
        for device in lab.sims.devices() {
            check(device, &fleet, &story);
        }
    }
    // Whatever it was left as: a further run brings every device to where it belongs, and sends no image again to the one
    // that refused it.
    tell(&mut story, "run again", until(&lab, "run", Kill::Never));
    for device in lab.sims.devices() {
        let recording = device.recording();
        assert_eq!(
            recording.installs_executed,
            1,
            "{}: installs\n{story}",
            device.name()
        );
    }
    lab.end();
    kills
}

#[test]
fn a_killed_run_loses_no_install_and_doubles_none() {
    let wanted = std::env::var("HEMFLEET_KILLS").ok();
    let wanted = wanted.map_or(FEW, |n| n.parse().unwrap());
    let (next, killed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let n = next.fetch_add(1, Ordering::Relaxed);
                    if n >= wanted {
                        return;
                    }
                    let other = Kill::of((n * 7) % wanted, wanted);
                    let (second, again) = match n % 4 {
                        0 => ("resume", other),
                        1 => ("run", other),
                        _ => ("resume", Kill::Never),
                    };
                    let kills = live(Kill::of(n, wanted), second, again);
                    killed.fetch_add(kills, Ordering::Relaxed);
                }
            });
        }
    });
    let killed = killed.into_inner();
    println!("{killed} processes were killed in {wanted} runs");
    assert!(
        killed * 2 >= wanted,
        "only {killed} of {wanted} were killed"
    );
}
