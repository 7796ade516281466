//! What earlier runs left behind that a further one has to know before it touches a device: installs in doubt, and images
//! that a bootloader has refused.

use std::collections::{BTreeMap, BTreeSet};

use super::CliError;
use super::output::stderr_and_log;
use crate::config::Settings;
use crate::engine::{EarlierInstall, EarlierRefusal, RunFacts};
use crate::journal::Journal;
use crate::model::{Component, ImageFacts, Reach, counted};

/// Tells the devices of a new run what earlier ones left behind; says which of them are in doubt, and of which run.
pub(super) fn tell_devices(
    journal: &Journal,
    settings: &Settings,
    facts: &mut RunFacts,
) -> Result<(), CliError> {
    let installs: BTreeMap<Reach, EarlierInstall> = journal
        .open_installs()?
        .into_iter()
        // An app's install is followed by no reboot. Whoever has the locks of the devices has them alone, so that a run
        // that still seems alive does not work on these.
        .filter(|open| open.pending.component == Component::Firmware)
        .map(|open| {
            let earlier = EarlierInstall {
                run: open.run,
                pending: open.pending,
            };
            (open.reach, earlier)
        })
        .collect();
    let firmware = facts.payload.firmware.as_ref();
    let image = firmware.map(ImageFacts::sha256_hex);
    let refusals: BTreeMap<Reach, EarlierRefusal> = journal
        .refusals()?
        .into_iter()
        .filter(|refusal| Some(&refusal.image) == image.as_ref())
        .map(|refusal| (refusal.reach, refusal.refused))
        .collect();
    let mut in_doubt = 0;
    let mut runs = BTreeSet::new();
    for (seed, spec) in facts.devices.iter_mut().zip(&settings.devices) {
        let reach = Reach::of(spec);
        seed.refused = refusals.get(&reach).cloned();
        seed.earlier = installs.get(&reach).cloned();
        if let Some(earlier) = &seed.earlier {
            in_doubt += 1;
            runs.insert(earlier.run.to_string());
        }
    }
    if in_doubt > 0 {
        let runs: Vec<String> = runs.into_iter().collect();
        stderr_and_log::say(&format!(
            "{} in doubt since run {}: watched before anything is sent. `hemfleet resume {}` goes on with that run instead.\n",
            counted(in_doubt, "device is", "devices are"),
            runs.join(", "),
            runs[0]
        ));
    }
    Ok(())
}
