//! What the table and the plan show of the inventory, and which never changes during a run: measured once.

use unicode_width::UnicodeWidthStr;

use crate::engine::Fleet;

use super::short_names::ShortNames;

/// The names, and how wide the columns are that come from the inventory.
#[derive(Default)]
pub(super) struct Inventory {
    pub(super) names: ShortNames,
    /// The columns of the longest group; 0 where all devices are in the same, which tells nothing.
    pub(super) group: usize,
    /// The devices with a weak link.
    pub(super) weak: usize,
    devices: usize,
}

impl Inventory {
    /// Measures the fleet, the first time that it is seen.
    pub(super) fn settle(&mut self, fleet: &Fleet) {
        let devices = fleet.devices();
        if self.devices == devices.len() {
            return;
        }
        let groups = devices.iter().map(|device| device.group.as_deref());
        let first = groups.clone().next().flatten();
        let differ = groups.clone().any(|group| group != first);
        let longest = groups.flatten().map(UnicodeWidthStr::width).max();
        *self = Self {
            names: ShortNames::new(devices.iter().map(|device| device.id.to_string())),
            group: longest.filter(|_| differ).unwrap_or(0),
            weak: devices.iter().filter(|d| d.link.is_weak()).count(),
            devices: devices.len(),
        };
    }
}
