//! The adapter against raw servers that misbehave as told. The simulator is never used here.

mod checkin;
mod key_order;
mod logger;
mod login;
mod pacing;
mod phone;
mod proxies;
mod requests;
mod ssh;
#[cfg(test)]
pub(super) mod test_server;
mod trust;
mod uploads;
