//! The reducer and its state: what is known of every device, and what starts next. No clock, no IO.

pub(super) mod counts;
pub(super) mod device_events;
pub(super) mod device_history;
pub(super) mod device_state;
pub(super) mod end_without_task;
pub(super) mod failure_budget;
pub(super) mod progress;
pub(super) mod queue;
pub(super) mod reducer;
#[cfg(test)]
mod tests;
