//! Upgrading a fleet: what happens, what is known, and what starts.
//!
//! keys, signals → [`Intent`] → [`Fleet::update`] → [`Command`] → [`Pool`] → `procedure` → device, and
//! back: `procedure` → [`Event`] → [`Fleet::update`] → state → screen, lines, JSON.
//!
//! `fleet` is the reducer and its state, `procedure` is the work on one device, and [`FleetRun`] ties both together. How a
//! device is reached is in `device`; how a run is shown is in `report` and `tui`.

mod across_processes;
mod event;
mod event_line;
#[cfg(test)]
pub(crate) mod fixtures;
mod fleet;
mod fleet_run;
mod log_source;
mod pool;
mod procedure;
mod recorder;
mod reducer_messages;
mod replay;
mod run_facts;
#[cfg(test)]
mod tests;
mod unattended;
mod usual_times;

pub use event::{
    DeviceFact, EarlierInstall, EarlierRefusal, Event, Fact, PendingInstall, Progress, Reopened,
    Resume, RunHalt, Seen,
};
pub use event_line::{audit_hint, plan_counts};
pub use fleet::counts::{Audits, Counts};
pub use fleet::device_state::{Active, DevicePhase, DeviceSeed, DeviceState, Pause, Person, Step};
pub use fleet::failures_by_reason::{FailureReason, ReasonKey, failures_by_reason};
pub use fleet::reducer::{Fleet, Mode, Phase, Stop};
pub use fleet::reopened::GoneOn;
pub use fleet::run_progress::Eta;
pub use fleet::upload_rate::UploadRate;
pub use fleet_run::FleetRun;
pub use log_source::{HeldLog, KeptFile, LogHolder, LogSource, Sought};
pub use pool::{Launcher, Pool};
pub use procedure::attempt::LogKeeper;
pub use recorder::{NotRecorded, Recorder};
pub use reducer_messages::{Command, Intent, Message, TaskEnd};
pub use replay::{Replay, Speed};
pub use run_facts::RunFacts;
pub use unattended::{StopSignal, unattended};
pub use usual_times::{UsualTime, UsualTimes};
