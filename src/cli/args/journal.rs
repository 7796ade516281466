//! The arguments of the commands that read or go on with what runs left in the journal.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{Format, Inventory, Reports, View};
use crate::engine::Speed;
use crate::model::MaxFailures;

/// Which journal.
#[derive(Args, Clone, Debug, Default)]
pub(in crate::cli) struct JournalFile {
    /// The journal of runs [default: `[journal] path` of the inventory, else `hemfleet/journal.db` in the user's state
    /// folder]
    #[arg(long = "journal", value_name = "FILE")]
    pub(in crate::cli) path: Option<PathBuf>,
}

/// How a run is kept.
#[derive(Args, Clone, Debug)]
pub(in crate::cli) struct Keep {
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
    /// Keep no journal of this run: after a crash nobody knows what became of which device
    #[arg(long, conflicts_with_all = ["path", "detach"])]
    pub(in crate::cli) no_journal: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Resume {
    /// The run; the beginning of its name is enough [default: the newest unfinished one]
    pub(in crate::cli) run: Option<String>,
    /// The inventory [default: the one that the run was started with]
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) config: Option<PathBuf>,
    /// The image [default: the file that the run was started with]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) firmware: Option<PathBuf>,
    /// The management app [default: the file that the run was started with]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) app: Option<PathBuf>,
    /// Go on without showing the plan and asking for the number of devices
    #[arg(short, long)]
    pub(in crate::cli) yes: bool,
    /// Go on although the inventory has changed, where that does no harm: devices that are gone from it are left alone,
    /// other settings apply from now on
    #[arg(long)]
    pub(in crate::cli) accept_drift: bool,
    /// When the terminal is gone (SIGHUP), go on to the end of the run without a screen, as with `hemfleet run`
    #[arg(long)]
    pub(in crate::cli) detach: bool,
    /// Another budget, as of `hemfleet run`; without it, a halted run is still halted
    #[arg(long, value_name = "N|N%")]
    pub(in crate::cli) max_failures: Option<MaxFailures>,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
    #[command(flatten)]
    pub(in crate::cli) view: View,
    #[command(flatten)]
    pub(in crate::cli) reports: Reports,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct History {
    #[command(subcommand)]
    pub(in crate::cli) more: Option<HistoryMore>,
    /// What became of this device, run by run, also where other runs called it otherwise
    #[arg(long, value_name = "NAME", conflicts_with = "run")]
    pub(in crate::cli) device: Option<String>,
    /// What became of the devices of this run
    #[arg(long, value_name = "RUN")]
    pub(in crate::cli) run: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
    #[command(flatten)]
    pub(in crate::cli) format: Format,
    /// Write ASCII characters only [default: if the locale is not UTF-8]
    #[arg(long)]
    pub(in crate::cli) ascii: bool,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum HistoryMore {
    /// Remove runs that are older than `[journal] keep`; one that is unfinished or in doubt stays, and so does one that saw
    /// what became of another's doubt
    Prune(Prune),
    /// Write a run to a file that `hemfleet replay` reads, such as for a report of a fault
    Export(Export),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Prune {
    /// How long runs are kept, such as 90d or 2y [default: `[journal] keep` of the inventory, else 2y]
    #[arg(long, value_name = "TIME")]
    pub(in crate::cli) keep: Option<String>,
    /// Say what would be removed, and remove nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Export {
    /// The run; the beginning of its name is enough [default: the newest]
    pub(in crate::cli) run: Option<String>,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Replace hosts, names, serials and keys, each by the same one everywhere
    #[arg(long)]
    pub(in crate::cli) anonymise: bool,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Status {
    #[command(flatten)]
    pub(in crate::cli) inventory: Inventory,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
    #[command(flatten)]
    pub(in crate::cli) format: Format,
    /// Write ASCII characters only [default: if the locale is not UTF-8]
    #[arg(long)]
    pub(in crate::cli) ascii: bool,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Report {
    /// The run; the beginning of its name is enough [default: the newest]
    pub(in crate::cli) run: Option<String>,
    /// How it is written
    #[arg(long, value_enum, default_value_t = ReportAs::Markdown)]
    pub(in crate::cli) format: ReportAs,
    /// The file to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(in crate::cli) out: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(in crate::cli) enum ReportAs {
    /// Markdown
    Markdown,
    /// One HTML file that needs no other
    Html,
    /// One line for each device
    Csv,
    /// One JSON object
    Json,
    /// The XML that CI servers read, one test case for each device
    Junit,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Replay {
    /// The run, of whose name the beginning is enough, or a file that `hemfleet history export` wrote [default: the
    /// newest run]
    pub(in crate::cli) run: Option<String>,
    /// How many times as fast as it was: 0.1 to 1000 [default: 1 on the dashboard, else as fast as it is read]. A wait of
    /// more than 5 s is cut short
    #[arg(long, value_name = "N", value_parser = speed, conflicts_with = "step")]
    pub(in crate::cli) speed: Option<Speed>,
    /// One event for each press of . on the dashboard; Space lets it go on
    #[arg(long)]
    pub(in crate::cli) step: bool,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
    #[command(flatten)]
    pub(in crate::cli) view: View,
}

fn speed(text: &str) -> Result<Speed, String> {
    let times = text.trim_end_matches(['x', '×']).parse().ok();
    let speed = times.and_then(Speed::new);
    speed.ok_or_else(|| "a number from 0.1 to 1000, such as 10".to_owned())
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Attach {
    /// The run; the beginning of its name is enough [default: the newest that is going on]
    pub(in crate::cli) run: Option<String>,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
    #[command(flatten)]
    pub(in crate::cli) view: View,
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Evidence {
    #[command(subcommand)]
    pub(in crate::cli) saved: Option<EvidenceSaved>,
    #[command(flatten)]
    pub(in crate::cli) make: EvidenceMake,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct EvidenceMake {
    /// The run; the beginning of its name is enough [default: the newest]
    pub(in crate::cli) run: Option<String>,
    /// The folder to write; it must not exist
    #[arg(short, long, value_name = "DIR", required = true)]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Sign the manifest with this OpenSSH key, by `ssh-keygen -Y sign`
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) sign_key: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) journal: JournalFile,
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum EvidenceSaved {
    /// Verify such a folder, without a network and without the journal; names the first thing that is wrong. Exit code
    /// 0 verified, 1 not verified, 2 unreadable
    Verify(EvidenceVerify),
}

#[derive(Args, Debug)]
pub(in crate::cli) struct EvidenceVerify {
    /// The folder
    pub(in crate::cli) dir: PathBuf,
    /// Who may have signed it: an OpenSSH file of allowed signers; a folder that none of them signed is not verified
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) signers: Option<PathBuf>,
}
