//! What other runs left behind that a run has to know before it touches a device: installs in doubt, and images that a
//! bootloader has refused.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;

use super::CliError;
use super::journal_lines::way_to;
use super::output::stderr_and_log;
use crate::engine::{DeviceSeed, EarlierInstall, EarlierRefusal};
use crate::journal::{Journal, JournalError};
use crate::model::{Component, DeviceId, DeviceSpec, ImageFacts, Reach, RunId, chain, counted};

/// What other runs left behind, by the way to the device.
#[derive(Clone, Debug, Default)]
pub(super) struct EarlierRuns {
    installs: BTreeMap<Reach, EarlierInstall>,
    refusals: BTreeMap<Reach, EarlierRefusal>,
    /// Those of these runs that a process is at work on.
    alive: BTreeSet<RunId>,
}

impl EarlierRuns {
    /// What the runs of the journal but `own` left on these devices, as far as it matters to whoever sends this firmware.
    ///
    /// # Errors
    ///
    /// The journal, or a run of one of these devices, cannot be read: then nobody knows.
    pub(super) fn of(
        journal: &Journal,
        devices: &[DeviceSpec],
        firmware: Option<&ImageFacts>,
        own: &RunId,
    ) -> Result<Self, JournalError> {
        journal.check_runs(&reaches(devices))?;
        Self::readable(journal, firmware, own)
    }

    /// The same for whoever does without the journal, or only looks: what cannot be read is said.
    pub(super) fn as_far_as_known(
        journal: Result<Option<Journal>, CliError>,
        devices: &[DeviceSpec],
        firmware: Option<&ImageFacts>,
        own: &RunId,
    ) -> Self {
        let known = journal.and_then(|journal| match journal {
            Some(journal) => {
                if let Err(error) = journal.check_runs(&reaches(devices)) {
                    not_known(&error);
                }
                Ok(Self::readable(&journal, firmware, own)?)
            }
            None => Ok(Self::default()),
        });
        known.unwrap_or_else(|error| {
            not_known(&error);
            Self::default()
        })
    }

    /// The same, without those that cannot be read.
    pub(super) fn readable(
        journal: &Journal,
        firmware: Option<&ImageFacts>,
        own: &RunId,
    ) -> Result<Self, JournalError> {
        let mut known = Self::default();
        for open in journal.open_installs()? {
            // An app's install is followed by no reboot. Whoever has the locks of the devices has them alone, so that a run
            // that still seems alive does not work on these.
            if open.pending.component != Component::Firmware || open.run == *own {
                continue;
            }
            if open.is_alive {
                known.alive.insert(open.run.clone());
            }
            let earlier = EarlierInstall {
                run: open.run,
                image: open.image,
                pending: open.pending,
            };
            known.installs.insert(open.reach, earlier);
        }
        let image = firmware.map(ImageFacts::sha256_hex);
        for refusal in journal.refusals()? {
            if Some(&refusal.image) == image.as_ref() && refusal.refused.run != *own {
                known.refusals.insert(refusal.reach, refusal.refused);
            }
        }
        Ok(known)
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
        self.say_of(devices, "watched before anything is sent");
    }

    /// The same of devices that the run does without, since they could not be asked what is offered.
    pub(super) fn say_left_out(&self, devices: &[DeviceSpec]) {
        self.say_of(devices, "could not be asked, and left out of this run");
    }

    fn say_of(&self, devices: &[DeviceSpec], what: &str) {
        let installs = self.installs(devices);
        let runs: BTreeSet<&RunId> = installs.values().map(|e| &e.run).collect();
        if runs.is_empty() {
            return;
        }
        let ways = runs.iter().map(|run| {
            let is_alive = self.alive.contains(*run);
            let what = if is_alive {
                "shows what that run does"
            } else {
                "goes on with that run instead"
            };
            format!("`{}` {what}", way_to(run, is_alive))
        });
        let names: Vec<&str> = runs.iter().map(|run| run.as_str()).collect();
        stderr_and_log::say(&format!(
            "{} in doubt since run {}: {what}. {}.\n",
            counted(installs.len(), "device is", "devices are"),
            names.join(", "),
            ways.collect::<Vec<_>>().join("; "),
        ));
    }

    /// A device of which these know what `told` did not: the run that left it so.
    pub(super) fn news(&self, told: &Self, devices: &[DeviceSpec]) -> Option<(DeviceId, RunId)> {
        devices.iter().find_map(|spec| {
            let reach = Reach::of(spec);
            let install = |of: &Self| {
                let earlier = of.installs.get(&reach)?;
                // The same run may have sent another one.
                Some((earlier.run.clone(), earlier.pending.uptime_before))
            };
            let refusal = |of: &Self| Some(of.refusals.get(&reach)?.run.clone());
            let sent = install(self).filter(|now| Some(now) != install(told).as_ref());
            let refused = refusal(self).filter(|now| Some(now) != refusal(told).as_ref());
            // Of an install that was told the plan's own look may have found it.
            let refused = refused.filter(|run| install(told).is_none_or(|(told, _)| told != *run));
            let run = sent.map(|(run, _)| run).or(refused);
            run.map(|run| (spec.id.clone(), run))
        })
    }
}

fn reaches(devices: &[DeviceSpec]) -> Vec<Reach> {
    devices.iter().map(Reach::of).collect()
}

fn not_known(error: &(dyn Error + 'static)) {
    let why = chain(error);
    stderr_and_log::say(&format!(
        "WARNING: what other runs have left in doubt is not known: {why}\n"
    ));
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
