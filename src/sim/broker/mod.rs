//! The simulated broker: check-ins, downloads, and the phones of owners (sections 5, 10 and 12).

pub(super) mod notifications;
pub(super) mod server;
