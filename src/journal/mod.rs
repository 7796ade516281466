//! The durable record of runs: what each run was made from and every message that its reducer took in.
//!
//! The messages are the journal: whoever wants to know what became of a run folds them with the reducer
//! ([`JournalledRun::fold`]). What lists show is derived in the same way, and kept beside them (`summaries`).
//!
//! The way of a message: [`RunWriter`] gets it from [`crate::engine::FleetRun`] and puts it into `write_queue`; a thread of
//! its own takes it from there and writes it with others in one transaction (`batch`). Whoever is about to send an install
//! waits for that ([`crate::engine::Recorder::on_disk`]).

mod anonymise;
mod batch;
mod database;
mod database_file;
mod error;
mod export;
mod fault_point;
#[cfg(test)]
pub(crate) mod fixtures;
pub(crate) mod lock_file;
mod log_files;
mod log_references;
mod message_kind;
mod open_installs;
mod prune;
mod record;
#[cfg(test)]
mod rich_run;
mod run_entry;
mod run_lock;
mod run_writer;
mod schema;
mod summaries;
#[cfg(test)]
mod tests;
mod write_queue;

pub use database::{Journal, WhichDevice};
pub use error::JournalError;
pub use export::{FORMAT, ImportError, read_run, write_run};
pub use log_files::{ComingLog, LogFileError, LogFiles, LogLimits, Removed};
pub use open_installs::{OpenInstall, Refusal};
pub use record::{DeviceContext, JournalledRun, RunContext, RunRecord};
pub use run_entry::{DeviceSummary, RunEntry, Tally};
pub use run_writer::RunWriter;
