//! `hemfleet status`: what each device of an inventory last proved to run, by the journal. No device is asked.

use std::collections::HashMap;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::process::ExitCode;

use crate::cli::args::journal::Status;
use crate::cli::journal_lines::{next_of, table_look};
use crate::cli::output::plain_stdout::{plain_stdout, print_json};
use crate::cli::output::stderr_and_log::say;
use crate::cli::{CliError, image_file, journal_file, load};
use crate::config::{self, Overrides};
use crate::journal::{Journal, LastKnown, OpenInstall, Refusal};
use crate::model::{
    DeviceSpec, DeviceVersion, FwVersion, Fws, ImageFacts, Outcome, OutcomeKind, Reach, chain,
    printable,
};
use crate::report::{
    DeviceStanding, DeviceStatusLine, FleetStatus, KnownBy, StatusImage, fleet_status,
};

/// `hemfleet status`.
pub(in crate::cli) fn status(args: &Status) -> Result<ExitCode, CliError> {
    let path = &args.inventory.config;
    let loaded = config::load(path, &Overrides::default(), &config::process_env);
    let firmware = loaded.firmware.clone();
    let settings = load::settings_of(loaded)?;
    let journal = journal_file::existing_of(&args.journal, &settings.journal)?;
    let image = image(firmware.as_deref(), journal.as_ref())?;
    let reaches: Vec<Reach> = settings.devices.iter().map(Reach::of).collect();
    let (known, open) = match &journal {
        Some(journal) => (journal.last_known(&reaches)?, journal.open_installs()?),
        None => (vec![None; reaches.len()], Vec::new()),
    };
    let refusals = match &journal {
        Some(journal) => journal.refusals()?,
        None => Vec::new(),
    };
    let open: HashMap<&Reach, &OpenInstall> = open.iter().map(|open| (&open.reach, open)).collect();
    let of_image = |refusal: &&Refusal| {
        let image = image.as_ref();
        image.is_some_and(|image| image.sha256 == refusal.image)
    };
    let refused = refusals.iter().filter(of_image);
    let refused: HashMap<&Reach, &Refusal> = refused.map(|r| (&r.reach, r)).collect();
    let devices = settings.devices.iter().zip(&reaches).zip(&known);
    let devices = devices.map(|((spec, reach), known)| {
        line(
            spec,
            known.as_ref(),
            open.get(reach).copied(),
            refused.get(reach).copied(),
            image.as_ref(),
        )
    });
    let devices: Vec<DeviceStatusLine> = devices.collect();
    let status = FleetStatus::of(image.map(|image| image.shown), devices);
    if args.format.is_json() {
        print_json(&status)?;
    } else {
        let mut out = BufWriter::new(plain_stdout());
        fleet_status(&status, &table_look(args.ascii), &mut out)?;
        out.flush()?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The image that devices are compared with.
struct Image {
    sha256: String,
    fws: Option<Fws>,
    version: Option<FwVersion>,
    shown: StatusImage,
}

impl Image {
    fn of(facts: &ImageFacts, from: &'static str, words: String) -> Self {
        let name = facts.footer.as_ref().map(|footer| footer.name.as_str());
        let fws = facts.expected_fws();
        Self {
            sha256: facts.sha256_hex(),
            fws,
            version: name.and_then(FwVersion::of_name),
            shown: StatusImage {
                version: facts.version_label(),
                fws: fws.map(|fws| fws.to_string()),
                from,
                words,
            },
        }
    }

    /// How a device stands that runs this.
    fn compare(&self, runs: &DeviceVersion) -> DeviceStanding {
        match (self.fws, runs.fws) {
            (Some(image), Some(fws)) if image == fws => return DeviceStanding::Current,
            (None, _) | (_, None) => return DeviceStanding::Known,
            (Some(_), Some(_)) => {}
        }
        let runs = FwVersion::of_name(&runs.fwv);
        match runs
            .zip(self.version.as_ref())
            .and_then(|(runs, image)| runs.compare(image))
        {
            Some(std::cmp::Ordering::Less) => DeviceStanding::Behind,
            Some(std::cmp::Ordering::Greater) => DeviceStanding::Ahead,
            // One version, and another signature.
            Some(std::cmp::Ordering::Equal) | None => DeviceStanding::Other,
        }
    }
}

/// The image that the inventory names, where it can be read; else the one that was rolled out last.
fn image(firmware: Option<&Path>, journal: Option<&Journal>) -> Result<Option<Image>, CliError> {
    if let Some(path) = firmware {
        let read = image_file::read(path).and_then(|file| image_file::read_image(path, &file));
        match read {
            Ok(facts) => {
                let words = format!("as the inventory names it ({})", path.display());
                return Ok(Some(Image::of(
                    &facts,
                    "inventory",
                    printable(&words, 4096),
                )));
            }
            Err(error) => say(&format!(
                "WARNING: the image of the inventory is not compared with: {}\n",
                chain(&error)
            )),
        }
    }
    let newest = match journal {
        Some(journal) => journal.newest_image()?,
        None => None,
    };
    Ok(newest.map(|(run, facts)| {
        let words = format!("the one that was rolled out last (run {run})");
        Image::of(&facts, "journal", words)
    }))
}

fn line(
    spec: &DeviceSpec,
    known: Option<&LastKnown>,
    open: Option<&OpenInstall>,
    refused: Option<&Refusal>,
    image: Option<&Image>,
) -> DeviceStatusLine {
    let runs = known.and_then(|known| known.summary.runs());
    let state = match (open, runs, image) {
        (Some(_), _, _) => DeviceStanding::InDoubt,
        (None, None, _) => DeviceStanding::NeverSeen,
        (None, Some(_), None) => DeviceStanding::Known,
        (None, Some(runs), Some(image)) => image.compare(runs),
    };
    let is_same = |refused: &&Refusal| match (&refused.refused.device, runs) {
        // Another device in its place has refused nothing.
        (Some(was), Some(now)) => was.differs(now).is_none(),
        _ => true,
    };
    let refused = refused.filter(|_| state != DeviceStanding::Current);
    let refused = refused.filter(is_same);
    let known_as = known
        .map(|known| &known.summary.device)
        .filter(|id| **id != spec.id);
    DeviceStatusLine {
        device: spec.id.to_string(),
        group: spec.group.clone(),
        state,
        runs: runs.map(DeviceVersion::label),
        fws: runs.and_then(|runs| runs.fws).map(|fws| fws.to_string()),
        how: known.map(known_by),
        at: known.and_then(|known| known.summary.proved_at),
        run: known.map(|known| known.run.to_string()),
        known_as: known_as.map(|id| printable(id.as_str(), 256)),
        doubt_run: open.map(|open| open.run.to_string()),
        doubt_is_alive: open.is_some_and(|open| open.is_alive),
        doubt_since: open.map(|open| open.pending.since.elapsed()),
        refused_run: refused.map(|refused| refused.refused.run.to_string()),
        next: open.map(next_of),
    }
}

/// On what it is known: the end of an upgrade proves it, anything else the device said of itself.
fn known_by(known: &LastKnown) -> KnownBy {
    let outcome = known.summary.outcome.as_ref();
    match outcome {
        // What it runs besides is as it was.
        Some(Outcome::AppInstalled) | None => KnownBy::Said,
        Some(outcome) => match outcome.kind() {
            OutcomeKind::Upgraded => KnownBy::Upgraded,
            OutcomeKind::Current => KnownBy::Current,
            _ => KnownBy::Said,
        },
    }
}
