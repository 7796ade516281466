//! The columns of the table and of the plan. Each begins as wide as what it shows; where the reason would be hard to
//! read, the others give way, one after the other.

use crate::engine::{Fleet, Mode};
use crate::model::{OutcomeKind, VerdictKind};
use crate::tui::inventory::Inventory;

use super::stage_strip;

/// Pointer, glyph and a space.
pub(super) const MARK: usize = 3;
/// The widest outcome or stage: `rolled back`.
const STATE: usize = 11;
/// Glyph and word: `≠ contradicted`.
const AUDIT: usize = 14;
/// The widest weak link.
const LINK: usize = 8;
/// `1.2.2 → 1.2.3`, and a little more for `-DIAG`.
const FIRMWARE: usize = 15;
/// The columns in which most reasons can be read whole, such as `401: the device does not accept this secret`.
const REASON: usize = 43;
/// The widest group; a longer one is cut.
const GROUP: usize = 14;
/// Below this many columns nothing counts but the name and the reason.
const NARROW: usize = 60;

/// Columns by their width, 0 for one that is left out. The reason takes what the others leave.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Columns {
    pub(super) name: usize,
    pub(super) group: usize,
    pub(super) strip: usize,
    /// The stage or the outcome; on the plan, the verdict.
    pub(super) state: usize,
    pub(super) audit: usize,
    pub(super) link: usize,
    pub(super) reason: usize,
    pub(super) firmware: usize,
    pub(super) attempt: usize,
    pub(super) time: usize,
}

/// A column that gives way.
#[derive(Clone, Copy)]
enum Give {
    /// The name shrinks, as far as it must and no further than this.
    Name(usize),
    Group,
    Strip,
    State,
    AuditWord,
    LinkWord,
    Firmware,
    Attempt,
    Time,
}

impl Columns {
    /// The columns of the table on a screen of `width` columns.
    pub(super) fn of_table(fleet: &Fleet, inventory: &Inventory, width: usize) -> Self {
        let columns = Self {
            strip: match fleet.mode() {
                Mode::Audit { .. } => 0,
                _ => stage_strip::WIDTH,
            },
            state: STATE,
            // Before the first verdict the column would be empty, and TRY tells something once one is not the first.
            audit: if fleet.audits().total() > 0 { AUDIT } else { 0 },
            attempt: if fleet.devices().iter().any(|device| device.attempt > 1) {
                3
            } else {
                0
            },
            time: 7,
            ..Self::common(inventory)
        };
        let wanted = if width < NARROW {
            width * 3 / 5
        } else {
            (width * 9 / 20).min(REASON)
        };
        let order = [
            Give::Name(24),
            Give::LinkWord,
            Give::Group,
            Give::AuditWord,
            Give::Firmware,
            Give::Name(20),
            Give::Strip,
            Give::Attempt,
            Give::Name(0),
            Give::Time,
            Give::State,
        ];
        columns.give_way(inventory, width, wanted, &order)
    }

    /// The columns of the plan.
    pub(super) fn of_plan(fleet: &Fleet, inventory: &Inventory, width: usize) -> Self {
        let columns = Self {
            state: verdict(fleet),
            ..Self::common(inventory)
        };
        let wanted = (width * 3 / 8).min(REASON);
        let order = [
            Give::Name(24),
            Give::LinkWord,
            Give::Group,
            Give::Name(0),
            Give::Firmware,
        ];
        columns.give_way(inventory, width, wanted, &order)
    }

    fn common(inventory: &Inventory) -> Self {
        Self {
            name: inventory.names.longest().max(4),
            group: match inventory.group {
                0 => 0,
                group => group.clamp(5, GROUP),
            },
            link: if inventory.weak > 0 { LINK } else { 0 },
            firmware: FIRMWARE,
            ..Self::default()
        }
    }

    /// Lets columns give way until `wanted` are left for the reason. Those that there is room for in the end come back, the
    /// last one first.
    fn give_way(
        mut self,
        inventory: &Inventory,
        width: usize,
        wanted: usize,
        order: &[Give],
    ) -> Self {
        let least = inventory.names.least();
        let mut full = self;
        let mut given = Vec::new();
        for &give in order {
            let lacking = (wanted + self.others()).saturating_sub(width);
            if lacking == 0 {
                break;
            }
            given.push((give, self.name));
            if let Give::Name(floor) = give {
                let floor = floor.max(least).min(self.name);
                self.name = self.name.saturating_sub(lacking).max(floor);
            } else if let Some((column, rest)) = self.column(give) {
                *column = rest.min(*column);
            }
        }
        for (give, name) in given.into_iter().rev() {
            let mut back = self;
            if let (Some((column, _)), Some((whole, _))) = (back.column(give), full.column(give)) {
                *column = *whole;
            } else {
                let spare = width.saturating_sub(wanted + self.others());
                back.name = name.min(self.name + spare);
            }
            if wanted + back.others() <= width {
                self = back;
            }
        }
        self.reason = width.saturating_sub(self.others());
        self
    }

    /// A column that gives way as a whole, and what remains of it.
    fn column(&mut self, give: Give) -> Option<(&mut usize, usize)> {
        Some(match give {
            Give::Name(_) => return None,
            Give::Group => (&mut self.group, 0),
            Give::Strip => (&mut self.strip, 0),
            Give::State => (&mut self.state, 0),
            // A sign.
            Give::AuditWord => (&mut self.audit, 1),
            Give::LinkWord => (&mut self.link, 1),
            Give::Firmware => (&mut self.firmware, 0),
            Give::Attempt => (&mut self.attempt, 0),
            Give::Time => (&mut self.time, 0),
        })
    }

    /// The same with the names as they are shown, which may need more than was left for them.
    pub(super) fn with_names(mut self, inventory: &Inventory, width: usize) -> Self {
        self.name = inventory.names.width().max(4);
        self.reason = width.saturating_sub(self.others());
        self
    }

    /// All that is not the reason: one column after each, and one at the end of the line, for the scroll mark.
    fn others(&self) -> usize {
        let others = [
            self.name,
            self.group,
            self.strip,
            self.state,
            self.audit,
            self.link,
            self.firmware,
            self.attempt,
            self.time,
        ];
        let taken = others.iter().filter(|width| **width > 0);
        MARK + taken.map(|width| width + 1).sum::<usize>() + 2
    }
}

/// The widest word on the plan: a verdict, or how a device ended before.
fn verdict(fleet: &Fleet) -> usize {
    let verdict = if fleet.planned(VerdictKind::Downgrade) > 0 {
        9
    } else {
        7
    };
    let counts = fleet.counts();
    let ended = OutcomeKind::ALL
        .into_iter()
        .filter(|kind| counts.of(*kind) > 0);
    let ended = ended.map(|kind| kind.words().len());
    ended.fold(verdict, usize::max)
}
