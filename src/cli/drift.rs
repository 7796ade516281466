//! What has changed between a run and the inventory and images that it is to be gone on with.

use std::collections::BTreeMap;

use super::run_context::device_context;
use crate::config::Settings;
use crate::journal::{DeviceContext, RunRecord};
use crate::model::{DeviceId, DeviceSpec, ImageFacts, PayloadFacts, Reach, counted, printable};

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
        if record.context.policy != settings.policy {
            let what = "time limits, pace, retries or other rules are not what they were";
            drift.harmless.push(what.to_owned());
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
