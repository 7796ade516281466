//! Which files are refused, and what is left behind of those that are written.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;
use crate::cli::device_locks::DeviceLocks;
use crate::cli::output::show_session::{self, OutputMode, Presentation};
use crate::cli::start_gate::StartGate;
use crate::engine::{Command, DeviceSeed, Fact, Launcher, Mode};
use crate::model::{
    Credentials, DeviceId, LinkTrust, OnHangUp, PayloadFacts, RunId, ScreenSettings,
};
use crate::report::LineLook;

fn fleet() -> Fleet {
    let run = RunId::from_random([0; 4]);
    Fleet::new(run, PayloadFacts::default(), Mode::Go, 1, [])
}

fn refused(paths: &[PathBuf]) -> String {
    let refused = ReportFiles::open(paths).err().unwrap();
    format!("{refused}; {}", refused.hint())
}

fn entries(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir).unwrap();
    let mut names: Vec<String> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn what_cannot_be_written_is_refused_before_anything_is_sent() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let endings = ".jsonl (the events), .json, .md, .csv, .xml or .html";
    for name in ["report", "report.txt", "report.htm", ".html"] {
        let said = refused(&[at(name)]);
        assert!(said.ends_with(endings), "{said}");
    }
    let said = refused(&[at("nowhere/report.md")]);
    assert!(said.contains("no such folder"), "{said}");
    fs::create_dir(at("folder.json")).unwrap();
    let said = refused(&[at("folder.json")]);
    assert!(said.contains("no file"), "{said}");
    fs::write(at("file"), "").unwrap();
    let said = refused(&[at("file/report.md")]);
    assert!(said.contains("no such folder"), "{said}");
    let left = ["file", "folder.json"];
    assert_eq!(entries(dir.path()), left, "nothing is left of an attempt");
}

#[test]
fn one_file_has_one_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("a.json"), "old").unwrap();
    std::os::unix::fs::symlink(at("a.json"), at("b.json")).unwrap();
    for other in ["a.json", "./a.json", "b.json"] {
        let said = refused(&[at("a.json"), at(other)]);
        assert!(said.contains("named twice"), "{other}: {said}");
    }
    for other in ["new.md", "x/../new.md"] {
        fs::create_dir_all(at("x")).unwrap();
        let said = refused(&[at("new.md"), at(other)]);
        assert!(said.contains("named twice"), "{other}: {said}");
    }
    assert!(ReportFiles::open(&[at("a.json"), at("a.jsonl")]).is_ok());
}

/// A disk that is full.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::StorageFull.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn events_that_the_disk_did_not_take_leave_the_old_file_in_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.jsonl");
    fs::write(&path, "old").unwrap();
    let body = EventsBody {
        partial: PartialFile::new(dir.path()).unwrap(),
        queue: ByteQueue::start(Full, true).unwrap(),
        lost: false,
    };
    // One event after the other, as they come in a run: nothing waits once the first has failed.
    for _ in 0..3 {
        body.queue.with(|state| state.push(b"{}\n".to_vec()));
        body.queue.settle_within(Duration::from_secs(60));
    }
    let error = body.end(&path).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
}

#[tokio::test]
async fn a_file_is_replaced_as_a_whole_and_private() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for name in ["a.json", "a.jsonl"] {
        fs::write(at(name), "old").unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(0o644)).unwrap();
    }
    let names = ["a.csv", "a.html", "a.json", "a.jsonl", "a.md", "a.xml"];
    let paths: Vec<PathBuf> = names.iter().map(|name| at(name)).collect();
    let mut files = ReportFiles::open(&paths).unwrap();
    let fleet = fleet();
    let fact = Fact::RunFinished { interrupted: false };
    files.event(&fleet, &Event::now(fact));
    assert_eq!(fs::read_to_string(at("a.jsonl")).unwrap(), "old");
    // Somebody was impatient: what is there to be written is written all the same.
    let (tx, mut interrupts) = mpsc::channel(8);
    for _ in 0..3 {
        tx.send(crate::engine::StopSignal::Interrupt).await.unwrap();
    }
    let exit = files.finish(&fleet, Exit::Good, &mut interrupts).await;
    assert_eq!((exit, files.is_missing()), (Exit::Good, false));
    assert_eq!(files.written().len(), names.len());
    assert_eq!(entries(dir.path()), names);
    for name in names {
        let mode = fs::metadata(at(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    let json: serde_json::Value = serde_json::from_slice(&fs::read(at("a.json")).unwrap()).unwrap();
    assert_eq!(json["exit_code"], 0);
    let events = fs::read_to_string(at("a.jsonl")).unwrap();
    assert!(events.contains("run_finished") && events.lines().count() == 1);
}

#[tokio::test]
async fn a_folder_that_went_away_is_no_good_end() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("reports");
    for name in ["a.md", "a.jsonl"] {
        fs::create_dir(&folder).unwrap();
        let mut files = ReportFiles::open(&[folder.join(name)]).unwrap();
        // The file of events is in it.
        fs::remove_dir_all(&folder).unwrap();
        fs::write(&folder, "").unwrap();
        let (_tx, mut interrupts) = mpsc::channel(1);
        for (exit, wanted) in [(Exit::Good, 5), (Exit::Failed, 1), (Exit::Halted, 4)] {
            let code = files.finish(&fleet(), exit, &mut interrupts).await.code();
            assert_eq!(code, wanted, "{name}");
        }
        assert!(files.written().is_empty() && files.is_missing());
        fs::remove_file(&folder).unwrap();
    }
    let said = not_written(Path::new("a.md"), &io::ErrorKind::StorageFull.into());
    assert!(
        said.starts_with("error: NO REPORT: a.md could not be written"),
        "{said}"
    );
}

/// Whoever starts a device's task, and is broken.
struct Broken;

impl Launcher for Broken {
    fn launch(&mut self, _: Command) {
        panic!("nothing can be started");
    }
}

#[tokio::test]
async fn a_panic_leaves_a_report_of_what_was_known() {
    let dir = tempfile::tempdir().unwrap();
    let names = ["a.json", "a.jsonl"].map(|name| dir.path().join(name));
    let mut reports = ReportFiles::open(&names).unwrap();
    let seed = DeviceSeed {
        credentials: Credentials::None,
        id: DeviceId::new("vault-01"),
        group: None,
        tags: Vec::new(),
        link: LinkTrust::Ca,
        earlier: None,
        refused: None,
    };
    let run = RunId::from_random([0; 4]);
    let fleet = Fleet::new(run.clone(), PayloadFacts::default(), Mode::Go, 1, [seed]);
    let mut session = FleetRun::new(fleet, |_| Broken);
    let locks = DeviceLocks::within(dir.path().join("locks"), &run, &[]);
    let (_tx, mut interrupts) = mpsc::channel(1);
    let gate = StartGate::new(&locks, None);
    let shown = show_session::show(
        &mut session,
        Presentation {
            how: OutputMode::Json,
            look: LineLook::default(),
            screen: ScreenSettings::default(),
            on_hang_up: OnHangUp::default(),
            journal: None,
        },
        &gate,
        &mut reports,
        &mut interrupts,
    );
    let shown = futures_util::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(shown));
    assert!(shown.await.is_err(), "the panic goes on");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&names[0]).unwrap()).unwrap();
    assert_eq!(report["exit_code"], 101);
    assert_eq!(report["devices"][0]["state"], "running");
    let events = fs::read_to_string(&names[1]).unwrap();
    assert!(events.contains("run_started") && events.contains("run_finished"));
}
