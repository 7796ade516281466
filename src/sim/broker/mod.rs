//! The simulated broker: check-ins, downloads, and the phones of owners.

pub(super) mod notifications;
pub(super) mod server;
