//! Upgrading a fleet: what happens, what is known, and what starts.
//!
//! keys, signals → [`Intent`] → [`Fleet::update`] → [`Command`] → [`Pool`] → `procedure` → device, and
//! back: `procedure` → [`Event`] → [`Fleet::update`] → state → screen, lines, JSON.
//!
//! Owns: the events, the reducer, one device's upgrade and the tasks that run it.
//! Must not: know how a device is reached, or how anything is shown.

mod app;
mod attempt;
mod audit;
mod budget;
mod command;
mod counters;
mod describe;
mod event;
#[cfg(test)]
mod fake;
#[cfg(test)]
mod fake_log;
mod fleet;
#[cfg(test)]
mod fleet_tests;
mod forecast;
mod install;
mod leave;
mod ledger;
mod log;
mod login;
mod logs;
mod phone;
mod plan;
mod pool;
mod procedure;
mod queue;
mod row;
mod session;
mod settle;
mod staging;
mod tally;
#[cfg(test)]
mod tests;
mod watch;

pub use budget::RunHalt;
pub use command::{Command, Intent, Message, TaskEnd};
pub use counters::{Audits, Counts};
pub use describe::audit_hint;
pub use event::{DeviceFact, Event, Fact, Progress, Resume, Seen, Watch};
pub use fleet::{Fleet, Mode, Phase, Stop};
pub use forecast::Forecast;
pub use log::LogKeeper;
pub use pool::{Launcher, Pool};
pub use row::{Active, Pause, Person, Row, RowSeed, RowState, Step};
pub use session::Session;
