//! Which devices the table shows and in what order: the sorting, of what the filter leaves. `ui::selection` keeps the
//! result and computes it again only when the fleet, the filter or the sorting has changed.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use jiff::Timestamp;

use crate::engine::{DevicePhase, DeviceState, Fleet};
use crate::model::{AuditWord, OutcomeKind, Verdict};

use super::filter::Filter;

/// What the table is sorted by.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Sort {
    #[default]
    Inventory,
    State,
    Name,
    Group,
    Stage,
    Time,
    Audit,
}

impl Sort {
    pub(super) fn next(self) -> Self {
        match self {
            Self::Inventory => Self::State,
            Self::State => Self::Name,
            Self::Name => Self::Group,
            Self::Group => Self::Stage,
            Self::Stage => Self::Time,
            Self::Time => Self::Audit,
            Self::Audit => Self::Inventory,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Inventory => "inventory",
            Self::State => "state",
            Self::Name => "name",
            Self::Group => "group",
            Self::Stage => "stage",
            Self::Time => "time",
            Self::Audit => "audit",
        }
    }

    /// Whether what happens to devices changes the order.
    pub(super) fn follows_events(self) -> bool {
        !matches!(self, Self::Inventory | Self::Name | Self::Group)
    }
}

/// The devices that the filter leaves, sorted. Devices that sort alike keep the inventory's order.
pub(super) fn order(fleet: &Fleet, sort: Sort, reverse: bool, filter: &Filter) -> Vec<usize> {
    let devices = fleet.devices();
    let mut order: Vec<usize> = (0..devices.len())
        .filter(|&n| filter.matches(&devices[n]))
        .collect();
    match sort {
        // Where a run goes on, the plan is about what is left to do.
        Sort::Inventory if fleet.finished_before() > 0 => {
            order.sort_by_key(|&n| !devices[n].is_unfinished());
        }
        Sort::Inventory => {}
        Sort::State => order.sort_by_key(|&n| urgency(&devices[n])),
        Sort::Name => {
            order.sort_by(|&a, &b| natural(devices[a].id.as_str(), devices[b].id.as_str()));
        }
        Sort::Group => order.sort_by(|&a, &b| by_group(&devices[a], &devices[b])),
        Sort::Stage => order.sort_by_key(|&n| Reverse(advance(&devices[n]))),
        Sort::Time => order.sort_by_key(|&n| spent(&devices[n])),
        Sort::Audit => order.sort_by_key(|&n| doubt(&devices[n])),
    }
    if reverse {
        order.reverse();
    }
    order
}

/// As people count: `b-2` before `b-10`. Numbers that differ only in leading zeros count as one.
pub(super) fn natural(one: &str, other: &str) -> Ordering {
    let (mut a, mut b) = (one, other);
    loop {
        let (Some(x), Some(y)) = (a.chars().next(), b.chars().next()) else {
            return a.len().cmp(&b.len()).then_with(|| one.cmp(other));
        };
        if x.is_ascii_digit() && y.is_ascii_digit() {
            let (number, rest) = digits(a);
            let (number_b, rest_b) = digits(b);
            let order = number.len().cmp(&number_b.len());
            match order.then_with(|| number.cmp(number_b)) {
                Ordering::Equal => (a, b) = (rest, rest_b),
                order => return order,
            }
        } else if x == y {
            (a, b) = (&a[x.len_utf8()..], &b[y.len_utf8()..]);
        } else {
            return x.cmp(&y);
        }
    }
}

/// The digits with which `text` begins, without leading zeros, and the rest.
fn digits(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, rest) = text.split_at(end.unwrap_or(text.len()));
    (number.trim_start_matches('0'), rest)
}

/// By group, those without one last.
pub(super) fn by_group(one: &DeviceState, other: &DeviceState) -> Ordering {
    match (&one.group, &other.group) {
        (Some(one), Some(other)) => natural(one, other),
        (one, other) => other.is_some().cmp(&one.is_some()),
    }
}

/// The order of use: what needs a look, what runs, what waits, what is done.
fn urgency(device: &DeviceState) -> u8 {
    match &device.state {
        // These wait for somebody, and not for ever.
        DevicePhase::Running(active) if active.person.is_some() => 0,
        DevicePhase::Done(outcome) => match outcome.kind() {
            // The device ended well, and its own log says otherwise.
            _ if device.is_contradicted() => 5,
            OutcomeKind::Failed => 1,
            OutcomeKind::RolledBack => 2,
            OutcomeKind::Lost => 3,
            OutcomeKind::Unknown => 4,
            OutcomeKind::Unproven => 5,
            OutcomeKind::Cancelled => 6,
            OutcomeKind::Upgraded | OutcomeKind::Audited => 9,
            OutcomeKind::Current => 10,
            OutcomeKind::Skipped => 11,
        },
        DevicePhase::Running(_) | DevicePhase::Starting => 7,
        DevicePhase::Waiting => 8,
        // On the plan, devices that cannot be upgraded come first.
        DevicePhase::Planned => match &device.verdict {
            Some(verdict) if verdict.failure().is_some() => 1,
            Some(Verdict::Downgrade { .. } | Verdict::Cannot(_)) => 2,
            Some(Verdict::Skip(_)) => 3,
            Some(Verdict::Watch { .. }) => 1,
            Some(Verdict::Current) => 4,
            Some(Verdict::Upgrade { .. }) => 5,
            None => 8,
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

/// The longest first: those that still run, since when they began, then those that ended, by what they took. So the
/// order does not change while clocks go on.
fn spent(device: &DeviceState) -> (u8, Option<Timestamp>, Reverse<Duration>) {
    match (device.started, device.ended) {
        (Some(started), Some(ended)) => {
            let took = Duration::try_from(ended.duration_since(started));
            (1, None, Reverse(took.unwrap_or_default()))
        }
        (Some(started), None) => (0, Some(started), Reverse(Duration::ZERO)),
        (None, _) => (2, None, Reverse(Duration::ZERO)),
    }
}

/// What the log says, the worst first; those whose log was not read come last.
fn doubt(device: &DeviceState) -> u8 {
    match device.audit.as_ref().map(|report| report.word()) {
        Some(AuditWord::Contradicted) => 0,
        Some(AuditWord::Missing) => 1,
        Some(AuditWord::Unavailable) => 2,
        Some(AuditWord::Refused) => 3,
        Some(AuditWord::Accepted) => 4,
        Some(AuditWord::Confirmed) => 5,
        None => 6,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::fixtures::{TestScreen, audited, finished, running, waiting_for_people};

    #[test]
    fn numbers_are_sorted_as_people_count() {
        let sorted = [
            "a", "b", "b-2", "b-02", "b-3", "b-10", "b-10a", "b-100", "b-x", "c1r2", "c1r10", "ż",
        ];
        for (n, one) in sorted.iter().enumerate() {
            for (m, other) in sorted.iter().enumerate() {
                let by_number = natural(one, other);
                if (n, m) == (2, 3) || (n, m) == (3, 2) {
                    // The same number: spelled differently, they are still two.
                    assert_ne!(by_number, Ordering::Equal);
                } else {
                    assert_eq!(by_number, n.cmp(&m), "{one} {other}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn the_natural_order_is_an_order(a in "[ab0-2é]{0,6}", b in "[ab0-2é]{0,6}", c in "[ab0-2é]{0,6}") {
            prop_assert_eq!(natural(&a, &b), natural(&b, &a).reverse());
            prop_assert_eq!(natural(&a, &b) == Ordering::Equal, a == b);
            if natural(&a, &b).is_le() && natural(&b, &c).is_le() {
                prop_assert!(natural(&a, &c).is_le());
            }
        }
    }

    fn sorted(screen: &TestScreen, sort: Sort, reverse: bool) -> Vec<&str> {
        let fleet = &screen.run.fleet;
        let order = order(fleet, sort, reverse, &Filter::default());
        order
            .iter()
            .map(|&n| fleet.devices()[n].id.as_str())
            .collect()
    }

    #[test]
    fn by_state_what_needs_a_look_comes_first_then_what_runs_then_what_waits() {
        for screen in [running(), finished(), audited(), waiting_for_people()] {
            let fleet = &screen.run.fleet;
            let rank = |name: &&str| {
                let device = fleet.device(&crate::model::DeviceId::new(name)).unwrap();
                match &device.state {
                    _ if device.needs_a_look() => 0,
                    DevicePhase::Running(_) | DevicePhase::Starting => 1,
                    DevicePhase::Waiting | DevicePhase::Planned => 2,
                    DevicePhase::Done(_) => 3,
                }
            };
            let order = sorted(&screen, Sort::State, false);
            let ranks: Vec<i32> = order.iter().map(rank).collect();
            assert!(ranks.is_sorted(), "{ranks:?}");
            let mut backwards = sorted(&screen, Sort::State, true);
            backwards.reverse();
            assert_eq!(order, backwards);
        }
    }

    #[test]
    fn by_time_the_longest_comes_first_and_by_audit_the_worst() {
        let screen = running();
        let order = sorted(&screen, Sort::Time, false);
        let started = |name: &str| {
            let id = crate::model::DeviceId::new(name);
            screen.run.fleet.device(&id).unwrap().started
        };
        assert_eq!(order[..2], ["vault-04", "vault-03"], "{order:?}");
        assert!(started("vault-04") < started("vault-03"));
        assert_eq!(
            order.iter().rev().take(1).collect::<Vec<_>>(),
            [&"vault-11"]
        );
        let screen = audited();
        let order = sorted(&screen, Sort::Audit, false);
        let words: Vec<_> = order
            .iter()
            .map(|name| {
                let id = crate::model::DeviceId::new(name);
                let audit = &screen.run.fleet.device(&id).unwrap().audit;
                audit.as_ref().map(|report| report.word())
            })
            .collect();
        assert_eq!(
            words[..3],
            [
                Some(AuditWord::Contradicted),
                Some(AuditWord::Contradicted),
                Some(AuditWord::Missing)
            ]
        );
        assert_eq!(words.last(), Some(&None));
    }
}
