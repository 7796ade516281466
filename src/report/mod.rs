//! What hemfleet writes about a run outside the dashboard: JSON lines ([`JsonLines`]), plain lines ([`Plain`]), the
//! table of the plan ([`plan_table()`]) and of audit logs ([`AuditTable`]), the final summary ([`print_summary`]), report
//! files ([`RunReport`], [`ReportFormat`]), the tables of what the journal has ([`run_list()`], [`run_devices()`],
//! [`device_runs()`], [`fleet_status()`]) and the exit codes ([`Exit`]).
//!
//! Each part sees the same events and the same fleet as the dashboard, and writes to an `impl Write`: `cli` opens files
//! and terminals.

mod audit_table;
mod device_runs;
mod exit;
#[cfg(test)]
mod fixtures;
mod fleet_status;
mod formats;
mod inventory_order;
pub mod json;
mod payload;
mod phrases;
mod plain;
mod plan_table;
mod run_list;
mod run_report;
mod style;
mod summary;
mod text_table;

use std::io;

use crate::engine::{Event, Fleet};

pub use audit_table::AuditTable;
pub use device_runs::{DeviceRun, RunDevices, device_runs, run_devices};
pub use exit::Exit;
pub use fleet_status::{
    DeviceStanding, DeviceStatusLine, FleetStatus, KnownBy, StatusImage, fleet_status,
};
pub use formats::ReportFormat;
pub use inventory_order::InventoryOrder;
pub use json::JsonLines;
pub use payload::{AppReport, ImageReport};
pub use phrases::Count;
pub use plain::Plain;
pub use plan_table::plan_table;
pub use run_list::{RunLine, RunStanding, run_list};
pub use run_report::{
    DeviceAudit, DeviceEnd, DeviceLog, DevicePlan, DeviceReport, GoneOnReport, LogLine, RunExit,
    RunOrigin, RunReport, RunState, Standing, StepReport,
};
pub use style::LineLook;
pub use summary::{Summary, print_summary};
pub use text_table::TableLook;

/// Writes about a run while it happens.
pub trait Reporter {
    /// Writes what there is to say about `event`, which `fleet` has taken in already.
    ///
    /// # Errors
    ///
    /// The error of the writer, a closed pipe included. The caller decides whether the run goes on.
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()>;
}
