//! Secrets from the environment, files, commands and prompts. `secret_store` puts the four together.

mod command;
pub(super) mod file_permissions;
pub mod prompt;
pub mod secret_store;
