//! Phrases that plain lines, the plan and the summary share. Phrases that the dashboard needs too are in
//! `engine::event_line`.

use std::time::Duration;

use jiff::Timestamp;

use crate::engine::{Audits, Counts, DeviceState, Fleet, Mode};
use crate::model::{AuditWord, LinkTrust, Outcome, OutcomeKind, PayloadFacts, counted};

/// How many devices there are of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Count {
    /// The spelling of JSON.
    pub name: &'static str,
    /// The words for people.
    pub words: &'static str,
    /// How many.
    pub devices: usize,
}

/// How many devices ended how, and how many have not ended; those that are zero, too.
pub(super) fn outcome_counts(counts: &Counts) -> Vec<Count> {
    let ended = OutcomeKind::ALL.map(|kind| (kind.as_str(), kind.words(), counts.of(kind)));
    let open = [
        ("running", "running", counts.running),
        ("planned", "planned, not started", counts.planned),
        ("waiting", "not started", counts.waiting),
    ];
    let all = ended.into_iter().chain(open);
    all.map(|(name, words, devices)| Count {
        name,
        words,
        devices,
    })
    .collect()
}

/// What the command `next` does about an install whose end is not known: only where no process watches it the device is
/// to be asked.
pub(super) fn next_of_doubt(next: &str, is_alive: bool) -> String {
    let what = if is_alive {
        "shows it"
    } else {
        "asks it what it is now"
    };
    format!("{next} {what}")
}

/// What the audit logs say; nothing where none has said anything. Two words of people share a name of JSON:
/// `confirmed` is all that the log says.
pub(super) fn audit_counts(audits: &Audits) -> Vec<Count> {
    let counts = [
        (audits.confirmed, AuditWord::Confirmed),
        (audits.accepted, AuditWord::Accepted),
        (audits.refused, AuditWord::Refused),
        (audits.contradicted, AuditWord::Contradicted),
        (audits.missing, AuditWord::Missing),
        (audits.unavailable, AuditWord::Unavailable),
    ];
    let said = counts.into_iter().filter(|(n, _)| *n > 0);
    said.map(|(devices, word)| Count {
        name: match word {
            AuditWord::Accepted => AuditWord::Confirmed.short(),
            word => word.short(),
        },
        words: word.short(),
        devices,
    })
    .collect()
}

/// `5 upgraded, 1 failed`, without those that are zero; devices that have not ended come last.
pub(super) fn counted_words(counts: &[Count]) -> Option<String> {
    let there = counts.iter().filter(|count| count.devices > 0);
    let parts: Vec<String> = there
        .map(|count| format!("{} {}", count.devices, count.words))
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

/// [`counted_words`] of how devices ended.
pub(super) fn counts(counts: &Counts) -> String {
    counted_words(&outcome_counts(counts)).unwrap_or_else(|| "no devices".to_owned())
}

/// `1 device`, `2 devices`.
pub(super) fn devices(n: usize) -> String {
    counted(n, "device", "devices")
}

/// How far a run goes by itself, as JSON spells it.
pub(super) fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Plan => "plan",
        Mode::Confirm => "confirm",
        Mode::Go => "go",
        Mode::Audit { .. } => "audit",
    }
}

/// How long the run took: until its last attempt ended, however long somebody looked at it afterwards. A plan that
/// waited for a confirmation which never came took no time that says anything. `now` counts as the end of a run whose
/// last event has not come.
pub(super) fn took(fleet: &Fleet, now: Timestamp) -> Option<Duration> {
    let end = fleet.ended().unwrap_or(now);
    fleet.elapsed(end).or_else(|| match fleet.mode() {
        Mode::Confirm => None,
        // Nothing was upgraded, and nobody was asked.
        Mode::Plan | Mode::Go | Mode::Audit { .. } => {
            Duration::try_from(end.duration_since(fleet.started()?)).ok()
        }
    })
}

/// When the last attempt ended, or, while one runs or where there was none, the run.
pub(super) fn ended(fleet: &Fleet, now: Timestamp) -> Timestamp {
    let counts = fleet.counts();
    let last = fleet.devices().iter().filter_map(|d| d.ended).max();
    match last {
        Some(last) if counts.running + counts.waiting == 0 => last,
        _ => fleet.ended().unwrap_or(now),
    }
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
