//! The durable record of runs: what each run was made from and every message that its reducer took in.

mod log_files;
mod record;

pub use log_files::{ComingLog, LogFileError, LogFiles, LogLimits, Removed};
pub use record::{DeviceContext, JournalledRun, RunContext, RunRecord};
