//! Simulated HEMs and a broker, on real sockets: for the demo, rehearsals and tests.
//!
//! Each device is what the protocol page says (sections 1 to 13), whoever asks; it
//! knows nothing of hemfleet's own client. Faults are scripted: [`scenario`] is the reference of
//! the file format. The firmware signing key, passphrase, master words and the backend's key are fixed
//! and printed in the source: nothing here protects anything.
//!
//! Not simulated: personalisation, pairing of phones, keys and crypto; what else the vendor's API has is
//! answered where it costs little (`vendor`), and 404 like any unknown path where it does not.
//!
//! Must not: import `device`, `engine` or `config`: a misunderstanding that client and simulator
//! shared would cancel out. What both need is `hem`, held by vectors that were made elsewhere.

mod answer;
mod api;
mod app;
mod approval;
mod auth;
mod broker;
mod checkin;
mod clock;
mod config;
mod credential;
mod device_script;
mod endpoint;
mod expect;
mod ext;
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
mod notify;
mod options;
mod period;
mod pki;
mod point;
mod port;
pub mod scenario;
mod sealed;
mod settings;
mod staging;
mod system;
mod throttle;
mod unit;
mod upgrade;
mod vendor;
mod world_script;

#[cfg(test)]
mod tests;

pub use device_script::{
    AuthScript, Certificate, ClockState, DeviceScript, Model, PhoneAnswer, PhoneScript, Renewal,
    Runs, UisScript,
};
pub use expect::{AuditWord, Expect};
pub use fault::{Act, Fault};
pub use fleet::{SimDevice, SimFleet};
pub use hints::{
    ApprovalHints, AuditMode, Budget, ClientHints, Component, OnExpired, PaceHints, RetryHints,
    TimeoutHints,
};
pub use journal::{Journal, PhoneJournal, Request, Shown};
pub use lab::{Accepted, Lab};
pub use options::SimOptions;
pub use period::Period;
pub use point::Point;
pub use scenario::{Scenario, ScenarioError};
pub use world_script::{AppScript, BrokerScript, Download, ImageKind, ImageScript, LinkScheme};
