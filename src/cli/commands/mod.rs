//! The commands, one file each. What several of them share is one level up.

pub(super) mod audit;
pub(super) mod config;
pub(super) mod config_init;
pub(super) mod demo;
pub(super) mod fetch;
pub(super) mod inspect;
pub(super) mod run;
pub(super) mod shell;
pub(super) mod sim;
