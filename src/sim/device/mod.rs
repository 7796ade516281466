//! One simulated device: its state, its files, its log, its faults, and its life on a socket.

pub(super) mod audit_log;
pub(super) mod certificates;
pub(super) mod clock;
pub(super) mod credential;
pub(super) mod device_core;
pub(super) mod lifecycle;
pub(super) mod listener;
pub(super) mod login_throttle;
pub(super) mod pending_faults;
pub(super) mod recorder;
pub(super) mod staging;
pub(super) mod state;
pub(super) mod system_config;
