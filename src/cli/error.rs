//! Why a command cannot do its work: one error for all commands, with its source and with what to do next.
//! `cli::main` prints it; the faults of an inventory are `config::Diagnostics`.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::commands::fetch::download_check::DownloadError;
use super::commands::resume::ResumeError;
use super::device_locks::LocksRefused;
use super::evidence::EvidenceRefused;
use super::image_file::ImageFileError;
use super::output::report_files::ReportRefused;
use super::process::limits::TooFewFiles;
use super::start_gate::LeftMeanwhile;
use crate::config::Diagnostics;
use crate::device::http::SetupError;
use crate::journal::{ImportError, JournalError};
use crate::model::{DeviceId, RunId, human_bytes};
use crate::sim::ScenarioError;

/// Why a command ends with exit code 2. Nothing was changed on any device.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// The inventory, the command line or a secret has faults. They are shown as a report of their own.
    #[error("{}", .0.render(false, super::MESSAGE_WIDTH).trim_end())]
    Faults(Diagnostics),
    /// The operating system refused something.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// An image or a management app that is not sent.
    #[error(transparent)]
    Image(#[from] ImageFileError),
    /// A download that is not kept.
    #[error(transparent)]
    Download(#[from] DownloadError),
    /// Too few files can be open at once.
    #[error(transparent)]
    TooFewFiles(#[from] TooFewFiles),
    /// The devices could not be locked.
    #[error("{}", .refused.message(.sent))]
    Locks {
        /// Why not.
        refused: LocksRefused,
        /// What was done before.
        sent: &'static str,
    },
    /// Another run has left something on a device since the plan was made.
    #[error("{left}; {sent}")]
    LeftMeanwhile {
        /// What.
        left: LeftMeanwhile,
        /// What was done before.
        sent: &'static str,
    },
    /// The journal cannot be used.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A run that cannot be gone on with.
    #[error(transparent)]
    Resume(#[from] ResumeError),
    /// A report that cannot be written.
    #[error(transparent)]
    Report(#[from] ReportRefused),
    /// Evidence that cannot be written.
    #[error(transparent)]
    Evidence(#[from] EvidenceRefused),
    /// A folder that cannot be made.
    #[error("folder {}", path.display())]
    Folder {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of `audit verify` that cannot be read.
    #[error("{} is not readable", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of `audit verify` that is too large for a log, or no file.
    #[error("{} is no log file ({})", path.display(), human_bytes(*bytes))]
    NotALog {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// A saved log key that cannot be used.
    #[error("log key {}", path.display())]
    LogKey {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A scenario file that cannot be read.
    #[error("scenario {} is not readable", path.display())]
    ScenarioUnreadable {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A scenario file that is none.
    #[error("scenario {}", path.display())]
    BadScenario {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: ScenarioError,
    },
    /// A file that would be written over.
    #[error("{} exists, and is left alone", .0.display())]
    Exists(PathBuf),
    /// A file that cannot be written.
    #[error("{} cannot be written", path.display())]
    Unwritten {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// An answer of `config init` that does not fit.
    #[error("{question}: {answer}: {why}")]
    Answer {
        /// What was asked.
        question: String,
        /// What was answered.
        answer: String,
        /// Why it does not fit.
        why: String,
    },
    /// `config init` was left.
    #[error("left without an answer; nothing was written")]
    NotAnswered,
    /// The built-in scenario.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// The broker cannot even be tried.
    #[error(transparent)]
    Broker(SetupError),
    /// A device cannot even be tried.
    #[error("{device}")]
    Device {
        /// Its name.
        device: DeviceId,
        /// Why not.
        source: SetupError,
    },
    /// The system gives no random numbers.
    #[error("no randomness: {0}")]
    Randomness(getrandom::Error),
    /// A command that reads the journal, and there is none.
    #[error("there is no journal yet")]
    NoJournal,
    /// A command that reads a run, and the journal has none.
    #[error("the journal has no run yet")]
    NoRuns,
    /// A device that no run of the journal knows.
    #[error("no run of the journal has a device {}", crate::model::printable(.0, 80))]
    NoSuchDevice(String),
    /// `--keep` of `hemfleet history prune`.
    #[error("--keep {}: {source}", crate::model::printable(text, 40))]
    Keep {
        /// What was given.
        text: String,
        /// Why it is no time.
        source: humantime::DurationError,
    },
    /// A command that wants an inventory, and has none.
    #[error(
        "no inventory: -c names none, HEMFLEET_CONFIG is not set, and there is no ./fleet.toml"
    )]
    NoInventory,
    /// `plan --firmware latest`.
    #[error("plan changes nothing, but asking for the latest firmware sets the clocks of devices")]
    PlanOfLatest,
    /// The dashboard without a terminal.
    #[error("--output tui needs a terminal; say --output plain or json")]
    NoTerminalForTui,
    /// A run without `--yes` and without a terminal.
    #[error("there is no terminal to confirm the plan in")]
    NoTerminalToConfirm,
    /// A run that goes on after its terminal is lost, without a journal.
    #[error(
        "a run that goes on without a screen (on_hangup = \"finish\") needs its journal: nobody could see it"
    )]
    UnseenWithoutJournal,
    /// `replay --step` without the dashboard.
    #[error("--step is for the dashboard, where a key shows the next event")]
    StepWithoutDashboard,
    /// A file that holds no run.
    #[error("{}", path.display())]
    NoRunFile {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: ImportError,
    },
    /// `attach` to a run that no process is at work on.
    #[error("no process is at work on run {run} any more")]
    NotAlive {
        /// The run.
        run: RunId,
        /// Whether some device was not brought to an end.
        unfinished: bool,
    },
    /// `attach` where no process is at work on any run.
    #[error("no run of this journal is going on")]
    NothingAlive,
    /// A device whose secret is typed, and no terminal.
    #[error("{0}: its secret must be typed, but there is no terminal")]
    NoTerminalToAsk(DeviceId),
    /// `--firmware latest` found more than one.
    #[error("the backend offers different firmware to different devices: {0}")]
    DifferentOffers(String),
}

impl From<Diagnostics> for CliError {
    fn from(faults: Diagnostics) -> Self {
        Self::Faults(faults)
    }
}

impl CliError {
    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        let journal = super::journal_file::option();
        let hint = match self {
            Self::Image(error) => error.hint()?,
            Self::TooFewFiles(error) => return Some(error.hint()),
            Self::Locks { refused, .. } => return Some(refused.hint()),
            Self::LeftMeanwhile { left, .. } => return Some(left.hint()),
            Self::Report(refused) => return Some(refused.hint()),
            Self::Journal(JournalError::Alive { run, .. }) => {
                return Some(format!(
                    "hemfleet attach {run}{journal} shows it; wait until it has ended, or stop it (Ctrl-C there, or kill)"
                ));
            }
            Self::Journal(JournalError::NoSuchRun(_) | JournalError::Ambiguous { .. }) => {
                return Some(format!(
                    "hemfleet history{journal} lists the runs; the beginning of a name is enough"
                ));
            }
            Self::Journal(error) => return Some(error.hint()),
            Self::Resume(error) => return Some(error.hint()),
            Self::Evidence(refused) => refused.hint()?,
            Self::LogKey { .. } => {
                "the key is the saved answer of GET /api/logger/key: key, nonce and nonce_signed"
            }
            Self::NoRunFile { source, .. } => source.hint()?,
            Self::NotAlive {
                run,
                unfinished: true,
            } => {
                return Some(format!(
                    "hemfleet resume {run}{journal} goes on with it, and hemfleet replay {run}{journal} shows what it did"
                ));
            }
            Self::NotAlive { run, .. } => {
                return Some(format!("hemfleet replay {run}{journal} shows what it did"));
            }
            Self::NothingAlive => {
                return Some(format!(
                    "hemfleet history{journal} lists the runs, and hemfleet replay RUN{journal} shows one again"
                ));
            }
            Self::NoJournal | Self::NoRuns => {
                "hemfleet run writes it; another one is named with --journal FILE"
            }
            Self::NoSuchDevice(_) => {
                return Some(format!(
                    "hemfleet history --run RUN{journal} names the devices of a run"
                ));
            }
            Self::Keep { .. } => "say how long runs are kept, such as 90d or 2y",
            Self::NoInventory => "name one with -c FILE; hemfleet config init writes one",
            Self::Exists(_) => "name another file: hemfleet config init FILE",
            Self::Answer { .. } => {
                "nothing was written; the answers are lines of standard input, one for each question"
            }
            Self::PlanOfLatest => "run hemfleet fetch first, then plan with the file it wrote",
            Self::UnseenWithoutJournal => {
                "leave --no-journal out, or set [run] on_hangup = \"drain\""
            }
            Self::NoTerminalToConfirm => {
                "look at it first, with hemfleet plan or hemfleet history, then say --yes"
            }
            Self::NoTerminalToAsk(_) => {
                "give it a secret from a file, a command or the environment"
            }
            Self::DifferentOffers(_) => "choose those that belong together with --only",
            _ => return None,
        };
        Some(hint.to_owned())
    }
}
