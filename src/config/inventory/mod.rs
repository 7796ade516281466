//! The inventory as typed, table by table. Every key is optional, and every value is checked by itself;
//! `config::resolve` compares values with each other and fills in defaults.

pub(super) mod address;
pub(super) mod auth;
pub(super) mod device;
pub(super) mod file;
pub(super) mod journal;
pub(super) mod keys;
pub(super) mod policy_tables;
pub(super) mod redact;
pub(super) mod secret_sources;
