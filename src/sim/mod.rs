//! Simulated HEMs and a broker on real sockets: for the demo, rehearsals and tests.
//!
//! Each device keeps to the protocol page, whoever asks; it knows nothing of hemfleet's own client. Faults are scripted:
//! [`script::scenario`] is the reference of the file format. The firmware signing key, passphrase, master words and the
//! backend's key are fixed and printed in the source: nothing here protects anything.
//!
//! - `device` is one device: its state, its files, its log, and its life on a socket;
//! - `api` has its endpoints, and `tokens` what it signs;
//! - `broker` has the check-in relay, downloads, and the phones of owners;
//! - `script` reads scenario files;
//! - `fleet` starts it all, and `lab_dir` writes an inventory for it.
//!
//! Personalisation, pairing of phones, keys and crypto are not simulated. The rest of the vendor's API is answered where
//! that costs little (`api/other_endpoints.rs`), and with 404 like any unknown path where it does not.
//!
//! Must not import `device`, `engine` or `config`: a misunderstanding that client and simulator shared would cancel out.
//! What both need is in `hem`, which is held by vectors that were made elsewhere.

mod fleet;
mod options;

mod api;
mod broker;
mod device;
pub(super) mod firmware_images;
mod lab_dir;
pub(super) mod management_app_file;
pub mod script;
#[cfg(test)]
mod tests;
mod tokens;

pub use device::recorder::{PhoneRecording, RecordedRequest, Recording, Shown};
pub use fleet::{SimDevice, SimFleet};
pub use lab_dir::{Accepted, LabDir};
pub use options::SimOptions;
pub use script::client_config::{
    ApprovalConfig, AuditMode, Budget, ClientConfig, Component, OnExpired, PaceConfig, RetryConfig,
    TimeoutConfig,
};
pub use script::device::{
    AuthScript, Certificate, ClockState, DeviceScript, Model, PhoneAnswer, PhoneScript, Renewal,
    UisScript,
};
pub use script::expect::{AuditWord, Expect};
pub use script::fault::{Act, ScriptedFault};
pub use script::fault_point::FaultPoint;
pub use script::scenario::{Scenario, ScenarioError};
pub use script::values::{LinkScheme, Runs, ScriptDuration};
pub use script::world::{AppScript, BrokerScript, Download, ImageKind, ImageScript};
