//! What other runs left behind that a run has to know before it touches a device: installs in doubt, and images that a
//! bootloader has refused.

use std::collections::{BTreeMap, BTreeSet};

use super::output::stderr_and_log;
use super::{CliError, journal_file};
use crate::engine::{DeviceSeed, EarlierInstall, EarlierRefusal};
use crate::journal::{Journal, JournalError};
use crate::model::{Component, DeviceId, DeviceSpec, ImageFacts, Reach, RunId, chain, counted};

/// What other runs left behind, by the way to the device.
#[derive(Clone, Debug, Default)]
pub(super) struct EarlierRuns {
    installs: BTreeMap<Reach, EarlierInstall>,
    refusals: BTreeMap<Reach, EarlierRefusal>,
}

impl EarlierRuns {
    /// What the runs of the journal but `own` left behind, as far as it matters to whoever sends this firmware.
    ///
    /// # Errors
    ///
    /// The journal, or one of its runs, cannot be read: then nobody knows.
    pub(super) fn of(
        journal: &Journal,
        firmware: Option<&ImageFacts>,
        own: &RunId,
    ) -> Result<Self, JournalError> {
        journal.check_runs()?;
        let installs = journal.open_installs()?.into_iter();
        // An app's install is followed by no reboot. Whoever has the locks of the devices has them alone, so that a run
        // that still seems alive does not work on these.
        let installs = installs
            .filter(|open| open.pending.component == Component::Firmware && open.run != *own)
            .map(|open| {
                let earlier = EarlierInstall {
                    run: open.run,
                    image: open.image,
                    pending: open.pending,
                };
                (open.reach, earlier)
            });
        let image = firmware.map(ImageFacts::sha256_hex);
        let refusals = journal.refusals()?.into_iter();
        let refusals = refusals
            .filter(|refusal| Some(&refusal.image) == image.as_ref() && refusal.refused.run != *own)
            .map(|refusal| (refusal.reach, refusal.refused));
        Ok(Self {
            installs: installs.collect(),
            refusals: refusals.collect(),
        })
    }

    /// The same for whoever does without the journal, or only looks: where it cannot be read, that is said.
    pub(super) fn as_far_as_known(
        journal: Result<Option<Journal>, CliError>,
        firmware: Option<&ImageFacts>,
        own: &RunId,
    ) -> Self {
        let known = journal.and_then(|journal| match journal {
            Some(journal) => Ok(Self::of(&journal, firmware, own)?),
            None => Ok(Self::default()),
        });
        known.unwrap_or_else(|error| {
            let why = chain(&error);
            stderr_and_log::say(&format!(
                "WARNING: what other runs have left in doubt is not known: {why}\n"
            ));
            Self::default()
        })
    }

    /// Tells the devices of a new run.
    pub(super) fn tell(&self, seeds: &mut [DeviceSeed], devices: &[DeviceSpec]) {
        for (seed, spec) in seeds.iter_mut().zip(devices) {
            let reach = Reach::of(spec);
            seed.refused = self.refusals.get(&reach).cloned();
            seed.earlier = self.installs.get(&reach).cloned();
        }
    }

    /// The installs in doubt on these devices.
    pub(super) fn installs(&self, devices: &[DeviceSpec]) -> BTreeMap<DeviceId, EarlierInstall> {
        of_devices(&self.installs, devices)
    }

    /// The refusals of these devices.
    pub(super) fn refusals(&self, devices: &[DeviceSpec]) -> BTreeMap<DeviceId, EarlierRefusal> {
        of_devices(&self.refusals, devices)
    }

    /// Says which of these devices are in doubt, and since which runs.
    pub(super) fn say(&self, devices: &[DeviceSpec]) {
        let installs = self.installs(devices);
        let runs: BTreeSet<&str> = installs.values().map(|e| e.run.as_str()).collect();
        let Some(first) = runs.first() else {
            return;
        };
        stderr_and_log::say(&format!(
            "{} in doubt since run {}: watched before anything is sent. `hemfleet resume {first}{}` goes on with that run instead.\n",
            counted(installs.len(), "device is", "devices are"),
            runs.iter().copied().collect::<Vec<_>>().join(", "),
            journal_file::option(),
        ));
    }

    /// A device of which these know what `told` did not: the run that left it so.
    pub(super) fn news(&self, told: &Self, devices: &[DeviceSpec]) -> Option<(DeviceId, RunId)> {
        devices.iter().find_map(|spec| {
            let reach = Reach::of(spec);
            let install = |of: &Self| of.installs.get(&reach).map(|e| e.run.clone());
            let refusal = |of: &Self| of.refusals.get(&reach).map(|r| r.run.clone());
            let new =
                |now: Option<RunId>, then: Option<RunId>| if now == then { None } else { now };
            let run = new(install(self), install(told));
            let run = run.or_else(|| new(refusal(self), refusal(told)));
            run.map(|run| (spec.id.clone(), run))
        })
    }
}

fn of_devices<T: Clone>(
    by_reach: &BTreeMap<Reach, T>,
    devices: &[DeviceSpec],
) -> BTreeMap<DeviceId, T> {
    let known = devices.iter().filter_map(|spec| {
        let left = by_reach.get(&Reach::of(spec))?;
        Some((spec.id.clone(), left.clone()))
    });
    known.collect()
}
