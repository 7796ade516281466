//! Secrets from the environment, files, commands and prompts. `secret_store` puts the four together.

mod command;
pub mod prompt;
pub(super) mod secret_reader;
pub mod secret_store;
