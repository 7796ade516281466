//! Which devices the table shows and in what order: the filter and the sorting. `ui` keeps the result and computes it
//! again only when the fleet, the filter or the sorting has changed.

use crate::engine::{DevicePhase, DeviceState, Fleet, Person};
use crate::model::{OutcomeKind, Verdict};

use super::theme::Mark;

/// What the table is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Sort {
    #[default]
    Inventory,
    State,
    Name,
    Group,
    Stage,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Inventory => Self::State,
            Self::State => Self::Name,
            Self::Name => Self::Group,
            Self::Group => Self::Stage,
            Self::Stage => Self::Inventory,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::State => "state",
            Self::Name => "name",
            Self::Group => "group",
            Self::Stage => "stage",
        }
    }
}

/// The devices that match every word of `filter`, sorted. Devices that sort alike keep the inventory's order.
pub(super) fn order(fleet: &Fleet, sort: Sort, filter: &str) -> Vec<usize> {
    let devices = fleet.devices();
    let words: Vec<String> = filter.split_whitespace().map(str::to_lowercase).collect();
    let mut order: Vec<usize> = (0..devices.len())
        .filter(|&n| words.iter().all(|w| matches(&devices[n], w)))
        .collect();
    match sort {
        Sort::Inventory => {}
        Sort::State => order.sort_by_key(|&n| urgency(&devices[n])),
        Sort::Name => order.sort_by(|&a, &b| devices[a].id.cmp(&devices[b].id)),
        Sort::Group => order.sort_by(|&a, &b| devices[a].group.cmp(&devices[b].group)),
        Sort::Stage => order.sort_by_key(|&n| std::cmp::Reverse(advance(&devices[n]))),
    }
    order
}

fn matches(device: &DeviceState, word: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(word);
    has(device.id.as_str())
        || device.group.as_deref().is_some_and(has)
        || device.tags.iter().any(|t| has(t))
        || has(Mark::of_device(device).word)
        || (device.has_task() && has(Mark::RUNNING.word))
        || has(device.link.as_str())
        || device
            .audit
            .as_ref()
            .is_some_and(|r| has(r.verdict.as_str()) || has(r.word().short()))
        || device
            .active()
            .and_then(|a| a.person.as_ref())
            .is_some_and(|p| {
                has(match p {
                    Person::Secret => "secret",
                    Person::Phone { .. } => "phone",
                })
            })
        || (matches!(device.state, DevicePhase::Planned)
            && device
                .verdict
                .as_ref()
                .is_some_and(|v| has(v.kind().as_str())))
}

/// The order by state: devices that need a person come first.
fn urgency(device: &DeviceState) -> u8 {
    match &device.state {
        DevicePhase::Done(outcome) => match outcome.kind() {
            // The device ended well, and its own log says otherwise.
            _ if device.is_contradicted() => 4,
            OutcomeKind::Failed => 0,
            OutcomeKind::RolledBack => 1,
            OutcomeKind::Lost => 2,
            OutcomeKind::Unknown => 3,
            OutcomeKind::Unproven => 4,
            OutcomeKind::Cancelled => 8,
            OutcomeKind::Upgraded | OutcomeKind::Audited => 9,
            OutcomeKind::Current => 10,
            OutcomeKind::Skipped => 11,
        },
        DevicePhase::Running(active) if active.person.is_some() => 5,
        DevicePhase::Running(_) | DevicePhase::Starting => 6,
        DevicePhase::Waiting => 7,
        // On the plan, devices that cannot be upgraded come first.
        DevicePhase::Planned => match &device.verdict {
            Some(verdict) if verdict.failure().is_some() => 0,
            Some(Verdict::Downgrade { .. } | Verdict::Cannot(_)) => 1,
            Some(Verdict::Skip(_)) => 2,
            Some(Verdict::Current) => 3,
            Some(Verdict::Upgrade { .. }) => 4,
            None => 7,
        },
    }
}

/// How far a device is: running devices first, then those that are done, then the waiting.
fn advance(device: &DeviceState) -> u8 {
    match &device.state {
        DevicePhase::Running(active) => 10 + active.stage as u8,
        DevicePhase::Starting => 9,
        DevicePhase::Done(_) => 8,
        DevicePhase::Waiting | DevicePhase::Planned => 0,
    }
}
