//! A run on simulated devices that is kept in memory, for what reads runs.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use hemfleet::cli::wiring;
use hemfleet::config::secrets::secret_store::{Prompter, SecretStore};
use hemfleet::config::{self, Overrides};
use hemfleet::engine::{DeviceFact, Fact, Intent, Message, Mode, Recorder};
use hemfleet::hem::firmware_image;
use hemfleet::journal::{JournalledRun, RunContext, RunRecord, write_run};
use hemfleet::model::Policy;
use hemfleet::report::{JsonLines, Reporter as _};
use hemfleet::sim::{Scenario, SimFleet, SimOptions};

/// One device that is refused once, and one that is well.
pub(super) const SCENARIO: &str = r#"
about = "to be shown again"
tempo = 0.01
client = { quick = true, concurrency = 2 }
[[device]]
name = "ok-1"
expect = { outcome = "upgraded" }
[[device]]
name = "refused-1"
faults = [{ at = "verification", do = "fail" }]
expect = { outcome = "failed" }
"#;

/// A run, and the JSON lines that it wrote.
pub(super) struct Played {
    pub(super) run: JournalledRun,
    pub(super) lines: Vec<u8>,
}

#[derive(Default)]
struct InMemory(Mutex<Vec<Message>>);

impl Recorder for InMemory {
    fn record(&self, message: &Message) {
        self.0.lock().unwrap().push(message.clone());
    }

    fn on_disk(&self) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async { Ok(()) })
    }
}

struct Nobody;

impl Prompter for Nobody {
    fn ask(&mut self, _: &str) -> io::Result<zeroize::Zeroizing<String>> {
        Err(io::Error::other("nobody is here to be asked"))
    }
}

/// Upgrades the devices of a scenario.
pub(super) fn play(scenario: &str) -> Played {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(played(&Scenario::parse(scenario).unwrap()))
}

async fn played(scenario: &Scenario) -> Played {
    // Longer than anything here takes, on the slowest machine.
    const PATIENCE: Duration = Duration::from_secs(120);
    let sims = SimFleet::start(scenario, &SimOptions::default())
        .await
        .unwrap();
    let lab = tempfile::tempdir().unwrap();
    let inventory = sims.write_lab(lab.path()).unwrap().inventory;
    let loaded = config::load(&inventory, &Overrides::default(), &|_| None);
    let image = std::fs::read(loaded.firmware.unwrap()).unwrap();
    let image = firmware_image::read(image.into()).unwrap();
    let settings = loaded.settings.unwrap();
    let secrets = SecretStore::resolve(&settings.devices, &mut Nobody, &|_| None, &[], &|_, _| {
        Ok(())
    });
    let secrets = secrets.unwrap_or_else(|faults| panic!("{}", faults.render(false, 100)));
    let devices = wiring::devices(&settings, |spec| secrets.credential(spec)).unwrap();
    let kept = Arc::new(InMemory::default());
    let session = wiring::session(&settings, image.into(), devices, Mode::Go);
    let mut session = session.unwrap().recorded_by(kept.clone());
    let record = RunRecord {
        facts: session.fleet().facts().clone(),
        context: RunContext {
            user: "admin".to_owned(),
            host: "jump".to_owned(),
            pid: 1,
            version: "0.1.0".to_owned(),
            inventory: "/srv/fleet.toml".to_owned(),
            firmware: Some("/srv/fw.bin".to_owned()),
            app: None,
            devices: Vec::new(),
            policy: Policy::default(),
        },
    };
    let mut lines = Vec::new();
    let mut json = JsonLines::new(&mut lines);
    session.intend(Intent::Begin);
    loop {
        if session.fleet().is_over() {
            session.finish();
        }
        let next = tokio::time::timeout(PATIENCE, session.next()).await;
        let event = next.ok().flatten().expect("no event comes any more");
        json.event(session.fleet(), &event).unwrap();
        if matches!(event.fact, Fact::RunFinished { .. }) {
            break;
        }
    }
    sims.shutdown().await;
    let messages = kept.0.lock().unwrap().clone();
    Played {
        run: JournalledRun { record, messages },
        lines,
    }
}

/// The run as if its process had died once a device was past its install.
pub(super) fn died(mut run: JournalledRun) -> JournalledRun {
    let begun = |message: &Message| {
        matches!(
            message,
            Message::Event(event) if matches!(
                event.fact,
                Fact::Device { fact: DeviceFact::InstallBegun { .. }, .. }
            )
        )
    };
    let at = run.messages.iter().position(begun).unwrap();
    run.messages.truncate(at + 1);
    run
}

/// Writes the run to a file in `dir`.
pub(super) fn write(run: &JournalledRun, dir: &Path) -> PathBuf {
    let path = dir.join("run.jsonl");
    let mut file = std::fs::File::create(&path).unwrap();
    write_run(run, false, &mut file).unwrap();
    path
}
