//! Phrases that plain lines, the plan and the summary share. Phrases that the dashboard needs too are in
//! `engine::event_line`.

use crate::engine::{Audits, Counts, DeviceState, Fleet};
use crate::model::{AuditWord, LinkTrust, Outcome, OutcomeKind, PayloadFacts, counted};

/// `5 upgraded, 1 failed`; devices that have not ended come last.
pub(super) fn counts(counts: &Counts) -> String {
    let ended = OutcomeKind::ALL
        .into_iter()
        .map(|kind| (counts.of(kind), kind.words()));
    let open = [
        (counts.running, "running"),
        (counts.planned, "planned, not started"),
        (counts.waiting, "not started"),
    ];
    let parts: Vec<String> = ended
        .chain(open)
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| format!("{n} {words}"))
        .collect();
    if parts.is_empty() {
        "no devices".to_owned()
    } else {
        parts.join(", ")
    }
}

/// `1 device`, `2 devices`.
pub(super) fn devices(n: usize) -> String {
    counted(n, "device", "devices")
}

/// `3 confirmed, 1 contradicted`; absent where no audit log has said anything.
pub(super) fn audits(audits: &Audits) -> Option<String> {
    let parts: Vec<String> = [
        (audits.confirmed, AuditWord::Confirmed),
        (audits.accepted, AuditWord::Accepted),
        (audits.refused, AuditWord::Refused),
        (audits.contradicted, AuditWord::Contradicted),
        (audits.missing, AuditWord::Missing),
        (audits.unavailable, AuditWord::Unavailable),
    ]
    .into_iter()
    .filter(|(n, _)| *n > 0)
    .map(|(n, word)| format!("{n} {}", word.short()))
    .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// What a device is to run: `1.2.3`, `app`, or `app, 1.2.3` where both are sent.
pub(super) fn new_label(payload: &PayloadFacts) -> String {
    match (&payload.app, &payload.firmware) {
        (Some(_), Some(_)) => format!("app, {}", payload.version_label()),
        (Some(_), None) | (None, Some(_)) => payload.version_label(),
        (None, None) => String::new(),
    }
}

/// What is wrong with a link that does not prove who answers; absent for a link that does.
pub(super) fn link_warning(link: LinkTrust) -> Option<&'static str> {
    match link {
        LinkTrust::Http => Some(
            "plain http, not encrypted: anybody in between can read the token and answer for the device",
        ),
        LinkTrust::Insecure => Some(
            "certificate not checked (insecure = true): anybody in between can read the token and answer for the device",
        ),
        _ => None,
    }
}

/// The warning of [`link_warning`], short enough for a table.
pub(super) fn link_mark(link: LinkTrust) -> Option<&'static str> {
    match link {
        LinkTrust::Http => Some("LINK: plain http"),
        LinkTrust::Insecure => Some("LINK: insecure, certificate not checked"),
        _ => None,
    }
}

/// One warning for each kind of link that has a [`link_warning`], with the names of its devices.
pub(super) fn link_warnings(fleet: &Fleet) -> Vec<String> {
    [LinkTrust::Http, LinkTrust::Insecure]
        .into_iter()
        .filter_map(|link| {
            let names: Vec<&str> = fleet
                .devices()
                .iter()
                .filter(|device| device.link == link)
                .map(|device| device.id.as_str())
                .collect();
            let what = link_warning(link)?;
            (!names.is_empty())
                .then(|| format!("{}: {what}: {}", devices(names.len()), names.join(", ")))
        })
        .collect()
}

/// The devices whose install was, or may have been, sent, and of which nobody knows how they ended.
pub(super) fn in_doubt(fleet: &Fleet) -> impl Iterator<Item = &DeviceState> {
    fleet.devices().iter().filter(|device| is_in_doubt(device))
}

/// Whether [`in_doubt`] names this device.
pub(super) fn is_in_doubt(device: &DeviceState) -> bool {
    match device.outcome() {
        Some(outcome) => matches!(outcome, Outcome::Lost | Outcome::Unknown(_)),
        None => device.is_past_install(),
    }
}
