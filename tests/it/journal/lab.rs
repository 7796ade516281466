//! Simulated devices in this very process, whose recordings tell what really happened, and hemfleet in others that may be
//! killed. All runs of one lab share a journal.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use hemfleet::engine::Fleet;
use hemfleet::journal::{Journal, RunEntry};
use hemfleet::sim::{Scenario, SimFleet, SimOptions};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::cli::program::{Program, Running, hemfleet};

/// Simulated devices and a journal.
pub(super) struct Lab {
    pub(super) sims: SimFleet,
    pub(super) dir: tempfile::TempDir,
    pub(super) inventory: PathBuf,
    runtime: tokio::runtime::Runtime,
}

impl Lab {
    /// Starts the devices of a scenario.
    pub(super) fn start(scenario: &str) -> Self {
        let scenario = Scenario::parse(scenario).unwrap();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let options = SimOptions::default();
        let sims = runtime.block_on(SimFleet::start(&scenario, &options));
        let sims = sims.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let inventory = sims.write_lab(dir.path()).unwrap().inventory;
        Self {
            sims,
            dir,
            inventory,
            runtime,
        }
    }

    pub(super) fn journal(&self) -> PathBuf {
        self.dir.path().join("journal.db")
    }

    /// `hemfleet run` or `resume`, without questions, as JSON lines.
    pub(super) fn command(&self, command: &str) -> Program {
        let mut program = hemfleet();
        program.arg(command).arg("--journal").arg(self.journal());
        program.args(["--yes", "--output", "json"]);
        if command == "run" {
            program.arg("-c").arg(&self.inventory);
        }
        program
    }

    /// Starts a run, and kills it once this device has begun this stage.
    pub(super) fn killed_at(&self, device: &str, stage: &str) {
        self.killed_when(|event| {
            event["event"] == "stage_started"
                && event["device"] == device
                && event["stage"] == stage
        });
    }

    /// The same once an event is told that is wanted.
    pub(super) fn killed_when(&self, wanted: impl Fn(&serde_json::Value) -> bool) {
        let run: Running = self.command("run").start().unwrap();
        run.stderr.read();
        let told = run.stdout.events().any(|event| wanted(&event));
        assert!(told, "the run ended before it was to be killed");
        run.signal("KILL");
        run.end();
    }

    /// Takes a device out of the inventory.
    pub(super) fn leave_out(&self, device: &str) {
        let text = std::fs::read_to_string(&self.inventory).unwrap();
        let name = text.find(&format!("name = \"{device}\"")).unwrap();
        let table = text[..name].rfind("[[device]]").unwrap();
        let next = text[name..]
            .find("[[device]]")
            .map_or("", |n| &text[name + n..]);
        std::fs::write(&self.inventory, format!("{}{next}", &text[..table])).unwrap();
    }

    /// Puts a cable in the way to a device, which the inventory names from now on.
    pub(super) fn cable(&self, device: &str) -> Cable {
        let addr = self.sims.device(device).unwrap().addr();
        let cable = self.runtime.block_on(Cable::to(addr));
        self.rewrite(
            &format!("connect = \"{addr}\""),
            &format!("connect = \"{}\"", cable.addr),
        );
        cable
    }

    /// The inventory with other words in it.
    pub(super) fn rewrite(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(&self.inventory).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(&self.inventory, text.replace(from, to)).unwrap();
    }

    /// The runs of the journal, newest first.
    pub(super) fn runs(&self) -> Vec<RunEntry> {
        runs(&self.journal())
    }

    /// The newest run's state, as its journal has it.
    pub(super) fn fleet(&self) -> Option<Fleet> {
        let journal = Journal::open_existing(&self.journal()).unwrap()?;
        let run = journal.runs().unwrap().into_iter().next()?.run;
        let mut fleet = journal.load(&run).unwrap().fold();
        fleet.bury();
        Some(fleet)
    }

    /// How a device stands in the newest run.
    pub(super) fn outcome(&self, device: &str) -> String {
        let fleet = self.fleet().unwrap();
        let mut devices = fleet.devices().iter();
        let state = devices.find(|d| d.id.as_str() == device).unwrap();
        format!("{:?}", state.outcome())
    }

    /// Installs that this device has carried out.
    pub(super) fn installs(&self, device: &str) -> u32 {
        let device = self.sims.device(device).unwrap();
        device.recording().installs_executed
    }

    /// Requests that devices have answered so far.
    pub(super) fn connections(&self) -> u32 {
        let devices = self.sims.devices().iter();
        devices.map(|d| d.recording().connections).sum()
    }

    /// Stops the devices.
    pub(super) fn end(self) {
        let Self { sims, runtime, .. } = self;
        runtime.block_on(sims.shutdown());
    }
}

/// An address behind which one device stands, then another one.
pub(super) struct Cable {
    addr: SocketAddr,
    to: Arc<Mutex<SocketAddr>>,
}

impl Cable {
    async fn to(device: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let to = Arc::new(Mutex::new(device));
        let leads_to = Arc::clone(&to);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let device = *leads_to.lock().unwrap();
                tokio::spawn(async move {
                    // Where nobody listens there, the near end is closed as well.
                    if let Ok(mut far) = TcpStream::connect(device).await {
                        let _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
        Self { addr, to }
    }

    /// Plugs it into a device.
    pub(super) fn plug_into(&self, lab: &Lab, device: &str) {
        *self.to.lock().unwrap() = lab.sims.device(device).unwrap().addr();
    }
}

/// A scenario of such devices that is played quickly, with more lines about the client.
pub(super) fn scenario(client: &str, devices: &[String]) -> String {
    let devices = devices.concat();
    format!(
        r#"
about = "killed, and gone on with"
tempo = 0.02

[client]
quick = true
retry = {{ attempts = 5, backoff = "100ms" }}
{client}

[image]
size = 60000
{devices}"#
    )
}

/// A device that has no user yet, and so neither a login nor a log; with more lines about it.
pub(super) fn fresh_device(name: &str, reboot: &str, more: &str) -> String {
    let fresh = "fresh = true\nclock = \"unset\"\nauth = \"none\"";
    device(name, reboot, &format!("{fresh}\n{more}"))
}

/// A device that is gone so long when it reboots; with more lines about it.
pub(super) fn device(name: &str, reboot: &str, more: &str) -> String {
    format!("\n[[device]]\nname = \"{name}\"\nreboot = \"{reboot}\"\n{more}\n")
}

fn runs(journal: &Path) -> Vec<RunEntry> {
    let journal = Journal::open_existing(journal).unwrap();
    journal.map_or_else(Vec::new, |journal| journal.runs().unwrap())
}
