//! Tells of devices in the order of the inventory, whichever of them is done first.

use std::collections::HashMap;
use std::io;

use super::Reporter;
use crate::engine::{DeviceFact, Event, Fact, Fleet};
use crate::model::DeviceId;

/// Holds back what was read of a device, and how it ended, until all devices before it have ended. What somebody must
/// act on is told at once.
#[derive(Debug)]
pub struct InventoryOrder<R> {
    reporter: R,
    held: HashMap<DeviceId, Vec<Event>>,
    /// So many devices have been told of to their end.
    told: usize,
}

impl<R: Reporter> InventoryOrder<R> {
    /// The same as `reporter`, in another order.
    pub fn new(reporter: R) -> Self {
        Self {
            reporter,
            held: HashMap::new(),
            told: 0,
        }
    }

    /// Tells of the devices whose turn it is; of all, where nothing more will come (`rest`).
    fn tell(&mut self, fleet: &Fleet, rest: bool) -> io::Result<()> {
        while let Some(device) = fleet.devices().get(self.told) {
            for event in self.held.remove(&device.id).unwrap_or_default() {
                self.reporter.event(fleet, &event)?;
            }
            if device.outcome().is_none() && !rest {
                break;
            }
            self.told += 1;
        }
        Ok(())
    }
}

impl<R: Reporter> Reporter for InventoryOrder<R> {
    fn event(&mut self, fleet: &Fleet, event: &Event) -> io::Result<()> {
        match &event.fact {
            Fact::Device {
                device,
                fact: DeviceFact::LogRead { .. } | DeviceFact::Finished { .. },
                ..
            } => {
                let held = self.held.entry(device.clone()).or_default();
                held.push(event.clone());
                self.tell(fleet, false)
            }
            Fact::RunFinished { .. } => {
                self.tell(fleet, true)?;
                self.reporter.event(fleet, event)
            }
            _ => self.reporter.event(fleet, event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Mode;
    use crate::engine::fixtures::TestRun;
    use crate::model::{LinkTrust, Outcome};
    use crate::report::LineLook;
    use crate::report::{AuditTable, fixtures};

    #[test]
    fn devices_come_in_the_order_of_the_inventory_and_calls_at_once() {
        let links = [LinkTrust::Ca, LinkTrust::Ca, LinkTrust::Ca];
        let mut run = fixtures::run_of(Mode::Audit { all: false }, &links, fixtures::no_payload());
        run.begin();
        run.log_read(2, "c", Ok(fixtures::log()));
        run.finish(2, Outcome::Audited { files: 1 });
        run.tell(1, DeviceFact::SecretWanted);
        run.log_read(0, "a", Ok(fixtures::log()));
        run.log_read(1, "b", Ok(fixtures::log()));
        run.finish(1, Outcome::Audited { files: 1 });
        run.finish(0, Outcome::Audited { files: 1 });
        run.end();
        assert_eq!(
            begins(&run),
            [
                "DEVICE",
                "vault-02:",
                "vault-01",
                "vault-01:",
                "vault-02",
                "vault-02:",
                "vault-03",
                "vault-03:"
            ]
        );
    }

    #[test]
    fn what_was_read_of_a_device_that_did_not_end_is_told_at_the_end() {
        let links = [LinkTrust::Ca, LinkTrust::Ca];
        let mut run = fixtures::run_of(Mode::Audit { all: false }, &links, fixtures::no_payload());
        run.begin();
        run.log_read(1, "b", Ok(fixtures::log()));
        run.end();
        assert_eq!(begins(&run), ["DEVICE", "vault-02"]);
    }

    /// The first word of each line.
    fn begins(run: &TestRun) -> Vec<String> {
        let mut out = Vec::new();
        let table = AuditTable::new(&mut out, LineLook::default());
        fixtures::report(run, &mut InventoryOrder::new(table)).unwrap();
        let text = String::from_utf8(out).unwrap();
        let first = |line: &str| {
            line.split_whitespace()
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        text.lines().map(first).collect()
    }
}
