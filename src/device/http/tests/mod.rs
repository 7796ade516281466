//! The adapter against raw servers that misbehave as told. Must not: use the simulator.

mod checkin;
mod derivations;
mod logger;
mod login;
mod pacing;
mod phone;
mod requests;
mod routes;
mod ssh;
mod trust;
mod uploads;
