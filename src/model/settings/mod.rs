//! How a run treats its devices: limits, pace, retries, and how a rollout is held back.

pub(super) mod policy;
pub(super) mod rollout;
pub(super) mod screen;
