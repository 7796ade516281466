//! What has changed between a run and the inventory and images that it is to be gone on with.

use std::collections::BTreeMap;
use std::time::Duration;

use super::run_context::device_context;
use crate::config::Settings;
use crate::journal::{DeviceContext, RunRecord};
use crate::model::{
    ApprovalPolicy, AuditPolicy, DeviceId, DeviceSpec, ImageFacts, Pace, PayloadFacts, Policy,
    Reach, Retry, Timeouts, counted, printable,
};

/// Changes that are named one by one; the rest is counted.
const NAMED: usize = 8;

/// What has changed.
#[derive(Debug, Default)]
pub(super) struct Drift {
    /// What forbids to go on.
    pub(super) fatal: Vec<String>,
    /// What does no harm where a person accepts it.
    pub(super) harmless: Vec<String>,
    /// Devices that the inventory no longer has.
    pub(super) gone: Vec<DeviceId>,
    /// The devices that are to be gone on with, each under the name that the run has for it.
    pub(super) devices: Vec<DeviceSpec>,
}

impl Drift {
    /// Compares what the run was made from with what there is now. `unfinished` are the devices that something is left to
    /// do on; the others only have to be there for whoever wants to retry them.
    pub(super) fn of(
        record: &RunRecord,
        unfinished: &[DeviceId],
        settings: &Settings,
        payload: &PayloadFacts,
    ) -> Self {
        let mut drift = Self::default();
        drift.of_images(&record.facts.payload, payload);
        let rules = changed_rules(&record.context.policy, &settings.policy);
        if !rules.is_empty() {
            drift.harmless.push(rules);
        }
        let by_reach: BTreeMap<Reach, &DeviceSpec> = settings
            .devices
            .iter()
            .map(|spec| (Reach::of(spec), spec))
            .collect();
        for was in &record.context.devices {
            let named = settings.devices.iter().find(|spec| spec.id == was.id);
            match (by_reach.get(&was.reach), named) {
                (Some(spec), _) => drift.device(was, spec),
                (None, named) if unfinished.contains(&was.id) => drift.missing(was, named),
                // Finished, and no longer to be reached: nothing is left to do there.
                (None, _) => drift.gone.push(was.id.clone()),
            }
        }
        drift
    }

    fn of_images(&mut self, was: &PayloadFacts, now: &PayloadFacts) {
        if let (Some(was), Some(now)) = (&was.firmware, &now.firmware)
            && was != now
        {
            let name = |facts: &ImageFacts| {
                format!("{} ({})", facts.version_label(), &facts.sha256_hex()[..12])
            };
            let text = format!("the image is {}, and was {}", name(now), name(was));
            self.fatal.push(text);
        }
        if let (Some(was), Some(now)) = (&was.app, &now.app)
            && was != now
        {
            let text = "the management app is another file than it was".to_owned();
            self.fatal.push(text);
        }
    }

    /// The device is where it was; under which name and trust does no harm.
    fn device(&mut self, was: &DeviceContext, spec: &DeviceSpec) {
        let now = device_context(spec);
        let id = &was.id;
        if now.id != *id {
            self.harmless.push(format!("{id} is called {} now", now.id));
        }
        for (what, was, now) in [
            ("url", &was.url, &now.url),
            ("trust", &was.trust, &now.trust),
            ("login", &was.auth, &now.auth),
        ] {
            if was != now {
                let shown = printable(was, 80);
                self.harmless
                    .push(format!("{id}: {what} is {now}, and was {shown}"));
            }
        }
        self.devices.push(DeviceSpec {
            id: id.clone(),
            ..spec.clone()
        });
    }

    fn missing(&mut self, was: &DeviceContext, named: Option<&DeviceSpec>) {
        let id = &was.id;
        let reach = printable(was.reach.as_str(), 120);
        if let Some(spec) = named {
            // Another device may be there: what was done to the one must not be judged by the other.
            self.fatal.push(format!(
                "{id} is reached at {} now, and was at {reach}",
                Reach::of(spec)
            ));
            return;
        }
        let text = format!("{id} ({reach}) is not in the inventory any more");
        self.harmless.push(text);
        self.gone.push(id.clone());
    }

    /// The changes for a message, one a line.
    pub(super) fn lines(changes: &[String]) -> String {
        let mut text = String::new();
        for change in changes.iter().take(NAMED) {
            text = format!("{text}\n  {change}");
        }
        if changes.len() > NAMED {
            let more = changes.len() - NAMED;
            let more = counted(more, "more change", "more changes");
            text = format!("{text}\n  and {more}");
        }
        text
    }
}

/// The rules that are not what they were, in one line; nothing where all are.
fn changed_rules(was: &Policy, now: &Policy) -> String {
    let both = rules(was).into_iter().zip(rules(now));
    let changed = both.filter(|((_, was), (_, now))| was != now);
    let changed = changed.map(|((key, was), (_, now))| format!("{key} is {now}, and was {was}"));
    changed.collect::<Vec<_>>().join("; ")
}

/// All rules, as the inventory and the command line name them. Without `..`, so that none is forgotten.
fn rules(policy: &Policy) -> Vec<(&'static str, String)> {
    let Policy {
        timeouts,
        pace,
        retry: Retry { attempts, backoff },
        force,
        same_key,
        allow_downgrade,
        resend_refused,
        take_replaced,
        audit: AuditPolicy { mode, files },
        on_expired,
        approval,
    } = policy;
    let ApprovalPolicy {
        at_once,
        wait,
        poll,
    } = approval;
    let mut rules = times(timeouts, pace);
    rules.extend([
        ("retry.attempts", attempts.to_string()),
        ("retry.backoff", time(*backoff)),
        ("tls.on_expired", on_expired.as_str().to_owned()),
        ("audit.mode", mode.as_str().to_owned()),
        ("audit.files", files.to_string()),
        ("approval.at_once", at_once.to_string()),
        ("approval.wait", time(*wait)),
        ("approval.poll", time(*poll)),
        ("--force", force.to_string()),
        ("--require-same-key", same_key.to_string()),
        ("--allow-downgrade", allow_downgrade.to_string()),
        ("--resend-refused", resend_refused.to_string()),
        ("--take-replaced", take_replaced.to_string()),
    ]);
    rules
}

fn times(timeouts: &Timeouts, pace: &Pace) -> Vec<(&'static str, String)> {
    let Timeouts {
        connect,
        request,
        upload,
        upload_stall,
        check,
        reboot,
    } = timeouts;
    let Pace {
        gap,
        check_poll,
        reboot_poll,
        reboot_settle,
    } = pace;
    let times = [
        ("timeouts.connect", connect),
        ("timeouts.request", request),
        ("timeouts.upload", upload),
        ("timeouts.upload_stall", upload_stall),
        ("timeouts.check", check),
        ("timeouts.reboot", reboot),
        ("pace.gap", gap),
        ("pace.check_poll", check_poll),
        ("pace.reboot_poll", reboot_poll),
        ("pace.reboot_settle", reboot_settle),
    ];
    times.map(|(key, d)| (key, time(*d))).to_vec()
}

/// A time as the inventory has it.
fn time(d: Duration) -> String {
    humantime::format_duration(d).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::AuditMode;

    #[test]
    fn rules_that_are_not_what_they_were_are_named_as_the_inventory_does() {
        let was = Policy::default();
        let mut now = was.clone();
        assert_eq!(changed_rules(&was, &now), "");
        now.timeouts.reboot = Duration::from_secs(330);
        now.audit.mode = AuditMode::Off;
        now.retry.attempts = 5;
        assert_eq!(
            changed_rules(&was, &now),
            "timeouts.reboot is 5m 30s, and was 3m; retry.attempts is 5, and was 3; audit.mode is off, and was wanted"
        );
        now = Policy {
            allow_downgrade: true,
            ..was.clone()
        };
        assert_eq!(
            changed_rules(&was, &now),
            "--allow-downgrade is true, and was false"
        );
    }
}
