//! Headless subscribers of a run: they see the same events and the same state as the dashboard.
//!
//! Owns: JSON lines ([`JsonLines`]), plain lines ([`Plain`]), the plan's table ([`plan_table()`]), the
//! table of audit logs ([`AuditTable`]), the final summary ([`print_summary`]) and the exit codes ([`Exit`]).
//! Must not: decide anything about a device, know a file or a terminal (each writes to `impl Write`),
//! or keep what can be derived from the fleet's state.

mod audit_table;
mod exit;
#[cfg(test)]
mod fixtures;
pub mod json;
mod phrases;
mod plain;
mod plan_table;
mod style;
mod summary;

use std::io;

use crate::engine::{Event, Fleet};

pub use audit_table::AuditTable;
pub use exit::Exit;
pub use json::JsonLines;
pub use plain::Plain;
pub use plan_table::plan_table;
pub use summary::{Summary, print_summary};

/// Whoever is told of a run while it happens.
pub trait Reporter {
    /// Tells of `event`, which `fleet` has taken in already.
    ///
    /// # Errors
    ///
    /// What the writer says, a closed pipe included: the caller decides whether the run goes on.
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()>;
}
