//! Tasks: one for each device that is worked on.
//! Must not: decide what starts (that is `fleet`).

use super::command::Command;

/// Whatever carries out the reducer's commands.
pub trait Launcher: Send + 'static {
    /// Carries out one command; never blocks. [`Command::Settle`] never comes here.
    fn launch(&mut self, command: Command);
}

/// placeholder
pub struct Pool;
