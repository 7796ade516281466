//! The command line as typed. Must not: check more than its own shape (that is `config`).

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::{Component, MaxFailures};

/// Upgrade the firmware of many Encedo HEM hardware security modules at once.
#[derive(Parser, Debug)]
#[command(version, max_term_width = 100, after_help = AFTER)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub(super) command: Command,
    /// Log more to standard error, or to the log file under the dashboard (-vv: every request).
    /// `RUST_LOG` wins
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Log to this file [default: standard error; under the dashboard `hemfleet/hemfleet.log` in the
    /// user's state folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
}

const AFTER: &str = "Exit codes: 0 every device upgraded, current or skipped; 1 some device failed, rolled back or \
lost; 2 usage, configuration, image, or devices held by another run, nothing was changed; 3 some device unknown or \
unproven; 4 halted: max_failures was reached; 130 interrupted.";

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Theme only: for each device, what an upgrade would do and why
    Plan(Plan),
    /// Plan, confirm, upgrade
    Run(Run),
    /// Try it all on simulated devices: real sockets, the real dashboard
    Demo(Demo),
    /// Serve simulated devices until stopped, with an inventory for them
    Sim(Sim),
    /// Read and verify the audit logs of devices, or a saved log file
    Audit(Audit),
    /// Download what the backend offers devices, and check that it is what was announced
    Fetch(Fetch),
    /// Say what a firmware image or a management app is, whose, and whether it verifies; exit code 2 where a run
    /// would refuse it
    Inspect(Inspect),
    /// The documented example of an inventory, and the check of one
    #[command(subcommand)]
    Config(Config),
}

/// Which devices.
#[derive(Args, Clone, Debug)]
pub(super) struct Selection {
    /// The inventory
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Only these devices: names, groups or tags, separated by commas
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Devices at once; wins over `[fleet] concurrency`
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<usize>,
}

/// Which devices and which image.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flag of the command line is a bool"
)]
pub(super) struct Target {
    #[command(flatten)]
    pub(super) select: Selection,
    /// What to upgrade: both means the management app first, the firmware last
    #[arg(long, value_enum, default_value_t = Components::Firmware)]
    pub(super) component: Components,
    /// The image; wins over `[fleet] firmware`. "latest" asks the backend first, as `hemfleet fetch`
    /// does; not for `plan`, since that sets clocks
    #[arg(long, value_name = "FILE|latest")]
    pub(super) firmware: Option<PathBuf>,
    /// The management app; wins over `[fleet] app`
    #[arg(long, value_name = "FILE")]
    pub(super) app: Option<PathBuf>,
    /// Upgrade devices although they report a latched fault
    #[arg(long)]
    pub(super) force: bool,
    /// Refuse devices whose running firmware was signed by another key than the image
    #[arg(long)]
    pub(super) require_same_key: bool,
    /// Upgrade devices although the image is older than what they run
    #[arg(long)]
    pub(super) allow_downgrade: bool,
    /// Send a file although it looks like no image that a device takes: no signed footer is recognised, its
    /// signature does not verify, an app has no trailer or is not as its manifest says. The device still
    /// decides; `[images]` is obeyed all the same
    #[arg(long)]
    pub(super) force_image: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Components {
    /// The firmware
    Firmware,
    /// The management app, which the device serves as a web page
    Ui,
    /// The management app, then the firmware
    Both,
}

impl Components {
    pub(super) fn has(self, component: Component) -> bool {
        match self {
            Self::Both => true,
            Self::Firmware => component == Component::Firmware,
            Self::Ui => component == Component::Ui,
        }
    }
}

impl Target {
    /// `--firmware latest`. A file of that name is `./latest`.
    pub(super) fn wants_latest(&self) -> bool {
        self.firmware.as_deref() == Some(Path::new("latest"))
            && self.component.has(Component::Firmware)
    }
}

#[derive(Args, Debug)]
pub(super) struct Plan {
    #[command(flatten)]
    pub(super) target: Target,
    /// A table, or one JSON object a line
    #[arg(long, value_enum, default_value_t = PlanOutput::Plain)]
    pub(super) output: PlanOutput,
}

#[derive(Args, Debug)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) target: Target,
    /// Start without showing the plan and asking for the number of devices
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Halt once installs left so many devices worse or in doubt, or such a share of those to be upgraded
    /// (lost and unknown count double); wins over `[rollout] max_failures`
    #[arg(long, value_name = "N|N%")]
    pub(super) max_failures: Option<MaxFailures>,
    #[command(flatten)]
    pub(super) view: View,
}

/// How a run is shown.
#[derive(Args, Debug)]
pub(super) struct View {
    /// How to show the run [default: tui in a terminal, else plain]
    #[arg(long, value_enum)]
    pub(super) output: Option<Output>,
    /// Draw with ASCII characters only [default: where the locale is not UTF-8]
    #[arg(long)]
    pub(super) ascii: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum Output {
    /// The dashboard
    Tui,
    /// One line for each event that matters
    Plain,
    /// One JSON object a line
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(super) enum PlanOutput {
    /// A table
    Plain,
    /// One JSON object a line
    Json,
}

#[derive(Args, Debug)]
pub(super) struct Demo {
    /// A scenario of one's own instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    #[command(flatten)]
    pub(super) view: View,
}

#[derive(Args, Debug)]
pub(super) struct Sim {
    /// How many devices, all well
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    pub(super) devices: u16,
    /// Where to write the inventory, the CA, the image, the management app and the secrets
    #[arg(long, value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// A scenario instead of devices that are all well
    #[arg(long, value_name = "FILE", conflicts_with = "devices")]
    pub(super) scenario: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(super) listen: IpAddr,
    /// The first device's port; the others have those after it [default: any free ports]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// The same for plain HTTP to devices that speak TLS; may be the same as --port, which then takes
    /// both [default: any free ports]
    #[arg(long, value_name = "PORT")]
    pub(super) http_port: Option<u16>,
    /// The host name of the devices, in their URLs and certificates, where the scenario has none
    /// [default: my.ence.do]
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,
    /// Where the broker listens; its certificate names this address, localhost and api.encedo.com
    /// [default: the address of --listen, any free port]
    #[arg(long, value_name = "IP:PORT")]
    pub(super) broker_listen: Option<SocketAddr>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Audit {
    #[command(subcommand)]
    pub(super) saved: Option<AuditSaved>,
    #[command(flatten)]
    pub(super) read: Option<AuditRead>,
}

#[derive(Args, Debug)]
pub(super) struct AuditRead {
    // Not a flattened Selection: beside a subcommand clap takes these for absent unless they are its own.
    /// The inventory
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Only these devices: names, groups or tags, separated by commas
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// Devices at once; wins over `[fleet] concurrency`
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<usize>,
    /// All files of each device, rather than the newest few (`[audit] files`)
    #[arg(long)]
    pub(super) all_files: bool,
    /// Keep the files as they came, with the log key and its signed nonce, so that others can verify
    /// them later
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    /// A table, or one JSON object a line
    #[arg(long, value_enum, default_value_t = PlanOutput::Plain)]
    pub(super) output: PlanOutput,
}

#[derive(Subcommand, Debug)]
pub(super) enum AuditSaved {
    /// Check a saved log file; exit code 0 verified, 1 not (which line, and why), 2 unreadable
    Verify(AuditVerify),
}

#[derive(Args, Debug)]
pub(super) struct AuditVerify {
    /// The log file, as `GET /api/logger/{id}` gave it
    pub(super) file: PathBuf,
    /// The log key: the saved answer of `GET /api/logger/key`
    #[arg(long, value_name = "KEY.json")]
    pub(super) key: PathBuf,
    /// Print the entries that verify
    #[arg(long)]
    pub(super) entries: bool,
}

#[derive(Args, Debug)]
pub(super) struct Fetch {
    /// The inventory
    #[arg(short, long, value_name = "FILE")]
    pub(super) config: PathBuf,
    /// Ask this device alone
    #[arg(long, value_name = "NAME")]
    pub(super) device: Option<String>,
    /// What to fetch
    #[arg(long, value_enum, default_value_t = Components::Firmware)]
    pub(super) component: Components,
    /// The folder to write to [default: that of the inventory]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// The image, or the management app
    pub(super) image: PathBuf,
}

#[derive(Subcommand, Debug)]
pub(super) enum Config {
    /// Print the documented example: every key with its default
    Example,
    /// Say everything that is wrong with an inventory, or that nothing is
    Check {
        /// The inventory
        #[arg(short, long, value_name = "FILE")]
        config: PathBuf,
    },
}
