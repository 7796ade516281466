//! Devices by the reason that they share: eight refused connections are one thing to read, and one hint.

use super::DeviceReport;
use crate::model::{OutcomeKind, shared_words};

/// `8×`.
pub(in crate::report) fn times(n: usize) -> String {
    format!("{n}×")
}

/// Devices that ended alike.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::report) struct ReasonGroup<'a> {
    /// At least one, in the order of the inventory.
    pub(in crate::report) devices: Vec<&'a DeviceReport>,
}

/// Groups `devices`: the gravest outcome first, then the largest group, then the order of the inventory.
pub(in crate::report) fn by_reason<'a>(
    devices: impl Iterator<Item = &'a DeviceReport>,
) -> Vec<ReasonGroup<'a>> {
    let mut groups: Vec<ReasonGroup<'a>> = Vec::new();
    for device in devices {
        let known = groups.iter_mut().find(|group| {
            let first = group.first();
            key(first) == key(device)
        });
        match known {
            Some(group) => group.devices.push(device),
            None => groups.push(ReasonGroup {
                devices: vec![device],
            }),
        }
    }
    groups.sort_by_key(|group| (gravity(group.first()), usize::MAX - group.devices.len()));
    groups
}

/// What devices of a group have in common. Those in doubt share the very words: each detail may matter to whoever goes
/// there.
fn key(device: &DeviceReport) -> impl PartialEq + use<'_> {
    let words = device.reason.as_ref().filter(|_| device.in_doubt);
    (
        (device.outcome, &device.stage, &device.code, device.status),
        (&device.hint, words),
    )
}

/// How early a reader should know of it: the least first.
fn gravity(device: &DeviceReport) -> usize {
    match device.outcome {
        None if device.in_doubt => 0,
        Some(OutcomeKind::Lost) => 1,
        Some(OutcomeKind::Unknown) => 2,
        Some(OutcomeKind::RolledBack) => 3,
        Some(OutcomeKind::Failed) | None => 4,
        Some(OutcomeKind::Unproven) => 5,
        Some(OutcomeKind::Cancelled) => 6,
        Some(OutcomeKind::Skipped) => 7,
        Some(OutcomeKind::Current | OutcomeKind::Upgraded | OutcomeKind::Audited) => 8,
    }
}

impl<'a> ReasonGroup<'a> {
    /// The first of them, which has what all have.
    pub(in crate::report) fn first(&self) -> &'a DeviceReport {
        self.devices[0]
    }

    /// How they ended: `FAILED at probe`.
    pub(in crate::report) fn what(&self) -> String {
        let first = self.first();
        let word = first.words().to_uppercase();
        match &first.stage {
            Some(stage) => format!("{word} at {stage}"),
            None => word,
        }
    }

    /// The names.
    pub(in crate::report) fn names(&self) -> Vec<&'a str> {
        self.devices.iter().map(|d| d.device.as_str()).collect()
    }

    /// The reason as far as they share it: addresses and sizes differ.
    pub(in crate::report) fn reason(&self) -> String {
        let reasons: Vec<&str> = self
            .devices
            .iter()
            .filter_map(|device| device.reason.as_deref())
            .collect();
        shared_words(&reasons)
    }

    /// The devices once more by what was done to them and what they are left with.
    pub(in crate::report) fn by_left_with(&self) -> Vec<(Option<&'a str>, Vec<&'a str>)> {
        let mut parts: Vec<(Option<&str>, Vec<&str>)> = Vec::new();
        for device in &self.devices {
            let left = device.left_with.as_deref();
            match parts.iter_mut().find(|(known, _)| *known == left) {
                Some((_, names)) => names.push(&device.device),
                None => parts.push((left, vec![&device.device])),
            }
        }
        parts
    }
}
