//! The durable record of runs: what each run was made from and every message that its reducer took in.

mod record;

pub use record::{DeviceContext, JournalledRun, RunContext, RunRecord};
