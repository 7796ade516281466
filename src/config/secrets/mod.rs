//! Where secrets come from: environment, files, commands and prompts.

mod command;
pub(super) mod file;
pub mod prompt;
pub mod source;
