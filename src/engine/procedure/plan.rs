//! What is to be done with a device, by what it says of itself (protocol page, sections 1, 4 and 11).

use std::cmp::Ordering;

use crate::device::Device;
use crate::model::{
    AppFacts, AuditMode, Credentials, FailureKind, FwVersion, Skip, UnknownSigner, Verdict,
};

use super::attempt::Attempt;
use crate::engine::event::Seen;

/// What cannot be said of an app whose install proves nothing.
const APP_UNPROVEN: &str = "the app's install will be unproven, and nothing follows it";

/// Which components are still to be installed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) struct Work {
    /// The management app; a device that reports its manifest's hash has it already (section 8).
    pub(in crate::engine) app: bool,
    /// The firmware.
    pub(in crate::engine) firmware: bool,
}

impl<D: Device> Attempt<D> {
    /// What is left to do on a device that says this of itself.
    pub(in crate::engine) fn work(&self, seen: &Seen) -> Work {
        Work {
            app: self.app().is_some_and(|facts| {
                !facts.is_served_as(seen.version.uis.as_deref()) && !self.history().app_done
            }),
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
            return self.fault(seen).map_or(Verdict::Current, Verdict::from);
        }
        if let Some(kind) = self.obstacle(seen, work) {
            return kind.into();
        }
        let notes = self.notes(seen, work);
        match self.versions(seen).filter(|_| work.firmware) {
            Some(versions) if versions.order() == Some(Ordering::Less) => {
                let refused = None;
                Verdict::Downgrade { notes, refused }
            }
            _ => Verdict::Upgrade { notes },
        }
    }

    /// What is known of the management app, where one is rolled out.
    fn app(&self) -> Option<&AppFacts> {
        self.payload.app.as_ref().map(|app| &app.facts)
    }

    /// The version that runs, and the image's.
    fn versions(&self, seen: &Seen) -> Option<Versions> {
        let image = &self.firmware()?.facts;
        let name = image.footer.as_ref().map(|footer| footer.name.as_str());
        Some(Versions {
            runs: FwVersion::of_name(&seen.version.fwv),
            image: name.and_then(FwVersion::of_name),
        })
    }

    /// That the image is older than what runs (section 7 does not say that a device would mind).
    fn downgrade(&self, seen: &Seen, work: Work) -> Option<FailureKind> {
        let versions = self.versions(seen).filter(|_| work.firmware)?;
        if self.policy.allow_downgrade || versions.order() != Some(Ordering::Less) {
            return None;
        }
        Some(FailureKind::Downgrade {
            runs: seen.version.label(),
            image: self.firmware()?.facts.version_label(),
        })
    }

    /// That it reports a fault. Nobody should find a broken device among the green ones, also where it runs
    /// the image.
    pub(in crate::engine) fn fault(&self, seen: &Seen) -> Option<FailureKind> {
        let faults = seen.status.fls_state;
        (!faults.is_healthy() && !self.policy.force).then_some(FailureKind::FaultLatched(faults))
    }

    /// Why it cannot be upgraded as things are.
    fn obstacle(&self, seen: &Seen, work: Work) -> Option<FailureKind> {
        let Seen { version, status } = seen;
        if let Some(kind) = self.downgrade(seen, work) {
            return Some(kind);
        }
        if let Some(kind) = self.fault(seen) {
            return Some(kind);
        }
        if status.initialised {
            if self.device.credentials() == Credentials::None {
                return Some(FailureKind::NoCredential);
            }
            if !self.device.may_carry_token() {
                return Some(FailureKind::PlainLogin);
            }
        }
        if let Some(kind) = self.refused_before(seen).filter(|_| work.firmware) {
            return Some(kind);
        }
        if self.policy.same_key && work.firmware {
            let footer = self.firmware().and_then(|i| i.facts.footer.as_ref());
            return match (footer, version.fwk) {
                (Some(footer), Some(fwk)) if footer.fwk == fwk => None,
                (Some(_), Some(_)) => Some(FailureKind::OtherSigner),
                // Who asks for the same key does not want to hear afterwards that nobody could tell.
                (None, _) => Some(FailureKind::UnknownSigner(UnknownSigner::Image)),
                (_, None) => Some(FailureKind::UnknownSigner(UnknownSigner::Device)),
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
        if let Some(refused) = self.refusal_seen(seen) {
            notes.push(format!(
                "its bootloader refused what run {} had sent",
                refused.run
            ));
        }
        notes.extend(self.notes_of_app(seen, work));
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
        if let Some(versions) = self.versions(seen).filter(|_| work.firmware) {
            notes.extend(versions.notes(version.fws.is_some()));
        }
        notes.extend(self.note_of_audit(seen, work));
        notes
    }

    /// What is known beforehand of the management app.
    fn notes_of_app(&self, seen: &Seen, work: Work) -> Vec<String> {
        let mut notes = Vec::new();
        let Some(facts) = self.app() else {
            return notes;
        };
        let uis = seen.version.uis.as_deref();
        if !work.app {
            if !self.history().app_done {
                notes.push("serves this very management app: only the firmware".to_owned());
            }
            return notes;
        }
        if facts.version.is_none() {
            notes
                .push("management app: whether it has this one is not known beforehand".to_owned());
        }
        if uis.is_none() {
            notes.push(format!(
                "reports no uis: unless it does then, {APP_UNPROVEN}"
            ));
        } else if facts.version.is_none() {
            notes.push(format!("the app's file has no manifest: {APP_UNPROVEN}"));
        } else if facts.is_signer(uis) {
            notes.push(format!(
                "its uis is the signer's key, from which no release can be told: {APP_UNPROVEN}"
            ));
        }
        if self.payload.firmware.is_some() && !work.firmware {
            notes.push("firmware is this very image: only the app".to_owned());
        }
        notes
    }

    /// What is known beforehand of what the log will say.
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

/// Two versions, each where it can be read.
struct Versions {
    runs: Option<FwVersion>,
    image: Option<FwVersion>,
}

impl Versions {
    /// The image, compared with what runs.
    fn order(&self) -> Option<Ordering> {
        self.image.as_ref()?.compare(self.runs.as_ref()?)
    }

    /// What the operator should know of them; `signed` tells whether the device reports an `fws`, which is
    /// another one then.
    fn notes(&self, signed: bool) -> Vec<String> {
        let mut notes = Vec::new();
        match self.order() {
            None => notes.push("unknown whether newer or older than what runs".to_owned()),
            Some(Ordering::Equal) if signed => {
                notes.push("same version, another build".to_owned());
            }
            Some(Ordering::Equal) => {
                notes.push("same version; unknown whether it is the same build".to_owned());
            }
            Some(Ordering::Less) => notes.push("older than what runs".to_owned()),
            Some(Ordering::Greater) => {}
        }
        let diag = |version: &Option<FwVersion>| version.as_ref().map(|v| v.diag);
        match (diag(&self.runs), diag(&self.image)) {
            (Some(false), Some(true)) => {
                notes.push("turns a production build into a diagnostic one (-DIAG)".to_owned());
            }
            (Some(true), Some(false)) => {
                notes.push("turns a diagnostic build (-DIAG) into a production one".to_owned());
            }
            _ => {}
        }
        notes
    }
}
