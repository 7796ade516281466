//! The durable record of runs: what each run was made from and every message that its reducer took in.

mod anonymise;
mod export;
mod record;
#[cfg(test)]
mod rich_run;

pub use export::{FORMAT, ImportError, read_run, write_run};
pub use record::{DeviceContext, JournalledRun, RunContext, RunRecord};
