//! The broker: check-ins, notifications and downloads.

pub(super) mod client;
pub(super) mod download;
