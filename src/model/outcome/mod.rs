//! What becomes of a device: stages, outcomes, failures, and what to do about each.

pub(super) mod device_outcome;
pub(super) mod doubt;
pub(super) mod failure;
pub(super) mod hint;
pub(super) mod link_fault;
pub(super) mod plan_verdict;
pub(super) mod stage;
