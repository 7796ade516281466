//! Scenario files: what devices are, what goes wrong, and what is expected to become of them.

pub(super) mod client_config;
pub(super) mod device;
pub(super) mod expect;
pub(super) mod fault;
pub(super) mod fault_point;
pub mod scenario;
pub(super) mod values;
pub(super) mod world;
