//! The commands, one file each.

pub(super) mod audit;
pub(super) mod config;
pub(super) mod demo;
pub(super) mod fetch;
pub(super) mod inspect;
pub(super) mod run;
pub(super) mod sim;
