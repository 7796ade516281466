//! The commands, one file each. What several of them share is one level up.

pub(super) mod attach;
pub(super) mod audit;
pub(super) mod config;
pub(super) mod config_init;
pub(super) mod demo;
pub(super) mod evidence;
pub(super) mod fetch;
pub(super) mod history;
pub(super) mod inspect;
pub(super) mod replay;
pub(super) mod report;
pub(super) mod resume;
pub(super) mod run;
pub(super) mod shell;
pub(super) mod sim;
pub(super) mod status;
