//! The audit log as values: entries, and what they say of an upgrade.

pub(super) mod log;
pub(super) mod report;
pub(super) mod verdict;
