//! Simulated HEMs and a broker, on real sockets: for the demo, rehearsals and tests.
//!
//! Each device is what the protocol page says (sections 1 to 7, 9 and 11 to 13), whoever asks; it
//! knows nothing of hemfleet's own client. Faults are scripted: [`scenario`] is the reference of
//! the file format. The firmware signing key, passphrase, master words and the backend's key are fixed
//! and printed in the source: nothing here protects anything.
//!
//! Not simulated: the management app (section 8), mobile approval (section 10), keys and crypto. They
//! answer 404 like any unknown path.
//!
//! Must not: import `device`, `engine` or `config`: a misunderstanding that client and simulator
//! shared would cancel out. What both need is `hem`, held by vectors that were made elsewhere.

mod answer;
mod api;
mod auth;
mod broker;
mod checkin;
mod clock;
mod credential;
mod device_script;
mod fault;
mod fault_book;
mod firmware;
mod fleet;
mod hints;
mod journal;
mod lab;
mod life;
mod logbook;
mod logger;
mod machine;
mod period;
mod pki;
mod port;
pub mod scenario;
mod sealed;
mod system;
mod unit;
mod upgrade;

#[cfg(test)]
mod tests;

pub use device_script::{AuthScript, Certificate, ClockState, DeviceScript, Expect, Model, Runs};
pub use fault::{Act, Fault, Point};
pub use fleet::{SimDevice, SimFleet, SimOptions};
pub use hints::{ClientHints, PaceHints, RetryHints, TimeoutHints};
pub use journal::{Journal, Request};
pub use lab::{Accepted, Lab};
pub use period::Period;
pub use scenario::{BrokerScript, ImageKind, ImageScript, LinkScheme, Scenario, ScenarioError};
