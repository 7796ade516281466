//! The command line as typed. The values are checked by `config` and by the commands.

pub(super) mod journal;

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
    /// Log more (-vv: every request). `RUST_LOG` takes precedence
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(super) verbose: u8,
    /// Log to this file [default: standard error; with the dashboard, `hemfleet/hemfleet.log` in the user's state
    /// folder]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) log: Option<PathBuf>,
}

const AFTER: &str = "Exit codes: 0 every device upgraded, current or skipped; 1 some device failed, rolled back or \
lost, or its own log contradicts; 2 nothing was changed: wrong usage, configuration or image, a journal that cannot be \
used, or another run in the way; 3 some device unknown or unproven; 4 halted: max_failures was reached; 5 all went \
well, but a --report could not be written; 130 interrupted.";

#[derive(Subcommand, Debug)]
pub(super) enum Command {
    /// Show for each device what an upgrade would do and why; change nothing
    Plan(Plan),
    /// Upgrade devices: plan, confirm, upgrade
    Run(Run),
    /// Go on with a run whose process died or was stopped: ask each unfinished device what it is now, show the plan of
    /// what is left, and finish it as one run
    Resume(journal::Resume),
    /// List the runs of the journal, or what became of one device or the devices of one run
    History(journal::History),
    /// Show what each device of an inventory last proved to run, when, and who is behind the image
    Status(journal::Status),
    /// Write a report of a run of the journal, also of one that is going on or whose process died
    Report(journal::Report),
    /// Show a run again, on the dashboard or as lines; no device is asked anything
    Replay(journal::Replay),
    /// Watch a run that is going on in another process, without a hand in it: what it did so far, then what it does. Ends
    /// with the exit code of the run, with 3 where its process died, or with 0 where it is left before
    Attach(journal::Attach),
    /// Write what proves a run to a folder that others can verify, or verify such a folder
    Evidence(journal::Evidence),
    /// Try a run on simulated devices, with real sockets and the real dashboard
    Demo(Demo),
    /// Serve simulated devices until stopped, and write an inventory for them
    Sim(Sim),
    /// Read and verify the audit logs of devices, or a saved log file
    Audit(Audit),
    /// Download what the backend offers the devices, and check that it is what was announced
    Fetch(Fetch),
    /// Show what a firmware image or a management app is, who signed it, and whether it verifies; exit code 2 if a
    /// run would refuse it
    Inspect(Inspect),
    /// Write, check or explain an inventory
    #[command(subcommand)]
    Config(Config),
    /// Print what a shell needs to complete commands and options; source it, or save it where the shell looks
    Completions(Completions),
    /// Print the manual page, or write those of all commands to a folder
    Man(Man),
}

#[derive(Args, Debug)]
pub(super) struct Completions {
    /// The shell
    #[arg(value_enum)]
    pub(super) shell: clap_complete::Shell,
}

#[derive(Args, Debug)]
pub(super) struct Man {
    /// The folder for hemfleet.1, hemfleet-run.1 and so on, such as ~/.local/share/man/man1
    pub(super) dir: Option<PathBuf>,
}

/// The file that says which devices there are.
#[derive(Args, Clone, Debug)]
pub(super) struct Inventory {
    /// The inventory [default: the file that `HEMFLEET_CONFIG` names, else ./fleet.toml]
    #[arg(
        short, long, value_name = "FILE",
        default_value_os_t = default_inventory(), hide_default_value = true
    )]
    pub(super) config: PathBuf,
}

/// The id of `-c`: its field above.
pub(super) const INVENTORY: &str = "config";

/// The variable that names an inventory for all commands.
pub(super) const INVENTORY_VARIABLE: &str = "HEMFLEET_CONFIG";

/// The inventory where neither `-c` nor the variable names one.
pub(super) const INVENTORY_HERE: &str = "./fleet.toml";

/// What the variable says; an empty one says nothing.
pub(super) fn inventory_of_environment() -> Option<PathBuf> {
    std::env::var_os(INVENTORY_VARIABLE)
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

fn default_inventory() -> PathBuf {
    inventory_of_environment().unwrap_or_else(|| INVENTORY_HERE.into())
}

/// Selects devices.
#[derive(Args, Clone, Debug)]
pub(super) struct Selection {
    #[command(flatten)]
    pub(super) inventory: Inventory,
    /// Only these devices: names, groups or tags, separated by commas or given again
    ///
    /// A word may be a pattern, in which * stands for any characters, ? for one and [1-4] for one of these; group:,
    /// tag: or name: before it says what it is compared with; and ! before it leaves out what it matches, whatever
    /// else selects it. Words with ! alone select all but these devices. A word that matches nothing is an error.
    ///
    /// Examples: --only warsaw,vault-07 · --only 'hsm-waw-*,!*-u15' · --only group:fra --only '!tag:usb'
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(super) only: Vec<String>,
    /// How many devices to work on at once; overrides `[fleet] concurrency`
    #[arg(long, value_name = "N")]
    pub(super) concurrency: Option<usize>,
}

/// Selects devices and images.
#[derive(Args, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "a flag of the command line is a bool"
)]
pub(super) struct Target {
    #[command(flatten)]
    pub(super) select: Selection,
    /// What to upgrade; `both` upgrades the management app first, then the firmware
    #[arg(long, value_enum, default_value_t = Components::Firmware)]
    pub(super) component: Components,
    /// The image; overrides `[fleet] firmware`. `latest` asks the backend, as `hemfleet fetch` does; not for `plan`,
    /// because asking sets the devices' clocks
    #[arg(long, value_name = "FILE|latest")]
    pub(super) firmware: Option<PathBuf>,
    /// The management app; overrides `[fleet] app`
    #[arg(long, value_name = "FILE")]
    pub(super) app: Option<PathBuf>,
    /// Upgrade devices even if they report a latched fault
    #[arg(long)]
    pub(super) force: bool,
    /// Refuse devices whose running firmware was signed with another key than the image
    #[arg(long)]
    pub(super) require_same_key: bool,
    /// Upgrade devices even if the image is older than what they run
    #[arg(long)]
    pub(super) allow_downgrade: bool,
    /// Send the image also to devices whose bootloader refused that very image in an earlier run
    #[arg(long)]
    pub(super) resend_refused: bool,
    /// Take the device that answers now for the one that is in doubt since an earlier run: that one was replaced for good
    #[arg(long)]
    pub(super) take_replaced: bool,
    /// Send a file even if no device should accept it: an image without a recognised footer or with a signature that
    /// does not verify, an app without a trailer or with files that differ from its manifest. The device decides;
    /// `[images]` still applies
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
    #[command(flatten)]
    pub(super) journal: journal::JournalFile,
    #[command(flatten)]
    pub(super) format: Format,
    /// Write ASCII characters only [default: if the locale is not UTF-8]
    #[arg(long)]
    pub(super) ascii: bool,
    #[command(flatten)]
    pub(super) reports: Reports,
}

/// Files that tell of the run once it has ended.
#[derive(Args, Debug, Default)]
pub(super) struct Reports {
    /// Write a report to this file at the end, however that comes: .json, .jsonl (the events), .md, .csv, .xml (JUnit)
    /// or .html; may be repeated
    #[arg(long = "report", value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
}

/// How a result is written.
#[derive(Args, Debug)]
pub(super) struct Format {
    /// For people, or JSON for scripts
    #[arg(long, value_enum, default_value_t = TextOrJson::Plain)]
    output: TextOrJson,
    /// The same as --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
}

impl Format {
    /// Whether it is for scripts.
    pub(super) fn is_json(&self) -> bool {
        self.json || self.output == TextOrJson::Json
    }
}

#[derive(Args, Debug)]
pub(super) struct Run {
    #[command(flatten)]
    pub(super) target: Target,
    /// Start without showing the plan and asking for the number of devices
    #[arg(short, long)]
    pub(super) yes: bool,
    /// Halt once installs have left this many devices worse or in doubt, or this share of the devices to upgrade
    /// (lost and unknown count double); overrides `[rollout] max_failures`
    #[arg(long, value_name = "N|N%")]
    pub(super) max_failures: Option<MaxFailures>,
    /// When the terminal is gone (SIGHUP), go on to the end of the run without a screen; `hemfleet attach` shows it.
    /// Overrides `[run] on_hangup`
    #[arg(long)]
    pub(super) detach: bool,
    #[command(flatten)]
    pub(super) keep: journal::Keep,
    #[command(flatten)]
    pub(super) view: View,
    #[command(flatten)]
    pub(super) reports: Reports,
}

/// How a run is shown.
#[derive(Args, Debug)]
pub(super) struct View {
    /// How to show the run [default: tui in a terminal, else plain]
    #[arg(long, value_enum)]
    output: Option<Output>,
    /// The same as --output json
    #[arg(long, conflicts_with = "output")]
    json: bool,
    /// Draw and write with ASCII characters only [default: if the locale is not UTF-8]
    #[arg(long)]
    pub(super) ascii: bool,
}

impl View {
    /// How to show the run, where that is said.
    pub(super) fn output(&self) -> Option<Output> {
        if self.json {
            Some(Output::Json)
        } else {
            self.output
        }
    }
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
enum TextOrJson {
    /// For people
    Plain,
    /// For scripts
    Json,
}

#[derive(Args, Debug)]
pub(super) struct Demo {
    /// Your own scenario instead of the built-in one
    #[arg(long, value_name = "FILE")]
    pub(super) scenario: Option<PathBuf>,
    #[command(flatten)]
    pub(super) view: View,
    #[command(flatten)]
    pub(super) reports: Reports,
}

#[derive(Args, Debug)]
pub(super) struct Sim {
    /// How many devices, all without faults: 1 to 5000
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=5000))]
    pub(super) devices: u16,
    /// Where to write the inventory, the CA, the image, the management app and the secrets
    #[arg(long, value_name = "DIR")]
    pub(super) dir: PathBuf,
    /// A scenario instead of devices without faults
    #[arg(long, value_name = "FILE", conflicts_with = "devices")]
    pub(super) scenario: Option<PathBuf>,
    /// The address to listen on
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub(super) listen: IpAddr,
    /// The first device's port; the other devices take the ports after it [default: any free ports]
    #[arg(long, value_name = "PORT")]
    pub(super) port: Option<u16>,
    /// The first port for plain HTTP to devices that speak TLS; with the value of --port, each port takes both
    /// [default: any free ports]
    #[arg(long, value_name = "PORT")]
    pub(super) http_port: Option<u16>,
    /// The host name of the devices in their URLs and certificates, unless the scenario names one
    /// [default: my.ence.do]
    #[arg(long, value_name = "NAME")]
    pub(super) host: Option<String>,
    /// Where the broker listens; its certificate names this address, localhost and api.encedo.com
    /// [default: the address of --listen, any free port]
    #[arg(long, value_name = "IP:PORT")]
    pub(super) broker_listen: Option<SocketAddr>,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct Audit {
    #[command(subcommand)]
    pub(super) saved: Option<AuditSaved>,
    #[command(flatten)]
    pub(super) read: AuditRead,
}

#[derive(Args, Debug)]
pub(super) struct AuditRead {
    #[command(flatten)]
    pub(super) select: Selection,
    /// Read all files of each device, not only the newest few (`[audit] files`)
    #[arg(long)]
    pub(super) all_files: bool,
    /// Save the files unchanged, each with the log key and its signed nonce, so that others can verify them later
    #[arg(long, value_name = "DIR")]
    pub(super) save: Option<PathBuf>,
    #[command(flatten)]
    pub(super) format: Format,
    /// Write ASCII characters only [default: if the locale is not UTF-8]
    #[arg(long)]
    pub(super) ascii: bool,
    /// Write a report to this file at the end, however that comes: .json, .jsonl (the events), .md, .csv, .xml (JUnit)
    /// or .html; may be repeated
    #[arg(long = "report", value_name = "FILE")]
    pub(super) reports: Vec<PathBuf>,
}

#[derive(Subcommand, Debug)]
pub(super) enum AuditSaved {
    /// Verify a saved log file; exit code 0 verified, 1 not verified (which line, and why), 2 unreadable
    Verify(AuditVerify),
}

#[derive(Args, Debug)]
pub(super) struct AuditVerify {
    /// The log file: the saved answer of `GET /api/logger/{id}`
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
    #[command(flatten)]
    pub(super) inventory: Inventory,
    /// Ask only these devices, in the words of `hemfleet plan --only`
    #[arg(
        long,
        visible_alias = "device",
        value_name = "WORDS",
        value_delimiter = ','
    )]
    pub(super) only: Vec<String>,
    /// What to fetch
    #[arg(long, value_enum, default_value_t = Components::Firmware)]
    pub(super) component: Components,
    /// The folder to write to [default: the folder of the inventory]
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Args, Debug)]
pub(super) struct Inspect {
    /// The image, or the management app
    pub(super) image: PathBuf,
    #[command(flatten)]
    pub(super) format: Format,
}

#[derive(Subcommand, Debug)]
pub(super) enum Config {
    /// Print an example with every key, its default and what it does
    Example,
    /// Report everything that is wrong with an inventory
    Check(Check),
    /// Write an inventory from a few questions; without a terminal the answers are lines of standard input, and a
    /// missing one takes the default
    Init(Init),
    /// Print a JSON Schema of the inventory, by which editors complete and check it
    Schema,
}

#[derive(Args, Debug)]
pub(super) struct Init {
    /// The file to write; one that exists is left alone
    #[arg(default_value = "fleet.toml")]
    pub(super) file: PathBuf,
}

#[derive(Args, Debug)]
pub(super) struct Check {
    #[command(flatten)]
    pub(super) inventory: Inventory,
    #[command(flatten)]
    pub(super) format: Format,
}
