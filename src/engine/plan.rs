//! What is to be done with a device, by what it says of itself (protocol page, sections 1, 4 and 11).
//! Must not: ask or change anything.

use crate::device::Device;
use crate::model::{AuditMode, Credentials, FailureKind, Skip, Verdict};

use super::attempt::Attempt;
use super::event::Seen;

/// Which components are still to be installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Work {
    /// The management app; nobody knows beforehand whether the device has it already (section 8).
    pub(super) app: bool,
    /// The firmware.
    pub(super) firmware: bool,
}

impl<D: Device> Attempt<D> {
    /// What is left to do on a device that says this of itself.
    pub(super) fn work(&self, seen: &Seen) -> Work {
        Work {
            app: self.payload.app.is_some() && !self.ledger().app_done,
            firmware: self.payload.firmware.is_some() && !self.is_image(seen.version.fws),
        }
    }

    /// What is to be done with a device that says this of itself.
    pub(super) fn decide(&self, seen: &Seen) -> Verdict {
        if seen.version.is_epa() {
            return Verdict::Skip(Skip::Epa);
        }
        let work = self.work(seen);
        if !work.app && !work.firmware {
            return Verdict::Current;
        }
        match self.obstacle(seen, work) {
            Some(kind) => kind.into(),
            None => Verdict::Upgrade {
                notes: self.notes(seen, work),
            },
        }
    }

    /// Why it cannot be upgraded as things are.
    fn obstacle(&self, seen: &Seen, work: Work) -> Option<FailureKind> {
        let Seen { version, status } = seen;
        if !status.fls_state.is_healthy() && !self.policy.force {
            return Some(FailureKind::FaultLatched(status.fls_state));
        }
        if status.initialised {
            if self.device.credentials() == Credentials::None {
                return Some(FailureKind::NoCredential);
            }
            if !self.device.may_carry_token() {
                return Some(FailureKind::PlainLogin);
            }
        }
        if self.policy.same_key && work.firmware {
            let footer = self.firmware().and_then(|i| i.facts.footer.as_ref());
            return match (footer, version.fwk) {
                (Some(footer), Some(fwk)) if footer.fwk == fwk => None,
                (Some(_), Some(_)) => Some(FailureKind::OtherSigner),
                // Who asks for the same key does not want to hear afterwards that nobody could tell.
                (None, _) => Some(FailureKind::NotThisImage {
                    what: "same key required, and the image's signing key is not known".to_owned(),
                }),
                (_, None) => Some(FailureKind::NotThisImage {
                    what: "same key required, and the device reports no fwk".to_owned(),
                }),
            };
        }
        None
    }

    /// What the operator should know first.
    fn notes(&self, seen: &Seen, work: Work) -> Vec<String> {
        let Seen { version, status } = seen;
        let mut notes = Vec::new();
        if !status.fls_state.is_healthy() {
            notes.push(format!("--force in spite of fault {}", status.fls_state));
        }
        if !status.initialised {
            notes.push("fresh: needs no login".to_owned());
        } else if self.needs_clock(seen) {
            notes.push("clock not set: checks in first".to_owned());
        }
        if work.app {
            notes
                .push("management app: whether it has this one is not known beforehand".to_owned());
            if version.uis.is_none() {
                notes.push(
                    "reports no uis: the app's install will be unproven, and nothing follows it"
                        .to_owned(),
                );
            }
            if self.payload.firmware.is_some() && !work.firmware {
                notes.push("firmware is this very image: only the app".to_owned());
            }
        }
        match self
            .firmware()
            .filter(|_| work.firmware)
            .map(|i| &i.facts.footer)
        {
            Some(None) => {
                notes.push("image without a known signature: at best unproven".to_owned());
            }
            Some(Some(footer)) if version.fwk.is_some_and(|fwk| fwk != footer.fwk) => {
                notes.push("image signed by another key than the running firmware".to_owned());
            }
            Some(Some(_)) | None => {}
        }
        notes.extend(self.note_of_audit(seen, work));
        notes
    }

    /// What is known beforehand of the log's word.
    fn note_of_audit(&self, seen: &Seen, work: Work) -> Option<String> {
        let required = self.policy.audit.mode == AuditMode::Required;
        if required && (!seen.status.initialised || self.device.credentials() == Credentials::Token)
        {
            return Some("its log cannot be read afterwards: will end as not confirmed".to_owned());
        }
        if required && !work.firmware {
            return Some(
                "the app's log entry is readable only after the next reboot: will end as not confirmed"
                    .to_owned(),
            );
        }
        let asks_twice = self.device.credentials() == Credentials::Mobile
            && self.policy.audit.mode != AuditMode::Off
            && seen.status.initialised
            && work.firmware;
        asks_twice.then(|| "asks the owner's phone twice: the second time for the log".to_owned())
    }

    /// Whether a login will follow that the device refuses while its clock is unset (section 5).
    pub(super) fn needs_clock(&self, seen: &Seen) -> bool {
        seen.status.initialised
            && seen.status.clock.is_none()
            && seen.status.trusted_time
            && self.device.credentials().needs_clock()
    }
}
