//! The endpoints of a simulated device.

pub(super) mod admission;
pub(super) mod answer;
pub(super) mod approval;
pub(super) mod call;
pub(super) mod config;
pub(super) mod endpoint;
pub(super) mod logger;
pub(super) mod login;
pub(super) mod management_app;
pub(super) mod other_endpoints;
pub(super) mod status_and_checkin;
pub(super) mod upgrade;
mod upload_and_check;
