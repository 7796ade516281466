//! How a run treats its devices: limits, pace, retries, how a rollout is held back, and what a lost terminal means.

pub(super) mod policy;
pub(super) mod rollout;
pub(super) mod run;
pub(super) mod screen;
