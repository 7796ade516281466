//! Secrets from the environment, files, commands and prompts. `source` puts the four together.

mod command;
pub(super) mod file;
pub mod prompt;
pub mod source;
