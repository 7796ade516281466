//! What is done with one device, from the first look to the verdict of its audit log.

pub(super) mod app_install;
pub(super) mod approval;
pub(super) mod attempt;
pub(super) mod audit_log;
pub(super) mod audit_run;
pub(super) mod deciding_log;
pub(super) mod earlier_install;
pub(super) mod install;
pub(super) mod install_permit;
pub(super) mod log_confirmation;
pub(super) mod login;
pub(super) mod plan;
mod reboot;
pub(super) mod refusal_in_log;
pub(super) mod retry;
pub(super) mod until_install;
pub(super) mod upload_and_check;
