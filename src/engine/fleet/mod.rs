//! The reducer and its state: what is known of every device, and what starts next. No clock, no IO.

pub(super) mod across_attempts;
pub(super) mod counts;
pub(super) mod device_events;
pub(super) mod device_state;
pub(super) mod end_without_task;
pub(super) mod failure_budget;
pub(super) mod failures_by_reason;
pub(super) mod left_out;
pub(super) mod queue;
pub(super) mod reducer;
pub(super) mod reopened;
mod run_clock;
pub(super) mod run_progress;
mod stage_times;
#[cfg(test)]
mod tests;
pub(super) mod upload_rate;
