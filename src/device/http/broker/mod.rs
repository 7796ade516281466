//! The broker: check-ins, notifications and downloads (sections 5, 10 and 12).

pub(super) mod client;
pub(super) mod download;
