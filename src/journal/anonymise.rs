//! What `hemfleet history export --anonymise` replaces: names, groups, tags, hosts, URLs, users, paths, serial numbers, keys
//! and signatures, also inside free text. One input has one replacement in the whole file, and no two inputs share one, so
//! that what was equal stays equal, and a replay shows the same picture. How the file is written is in `export`.
//!
//! Times, versions, sizes, statuses and the words of failures stay: they are what a fault is found by.

mod free_text;
mod renaming_serializer;
mod replacements;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::io;

use serde::Serialize;

use self::free_text::{host_of, hosts_of_reach};
use self::renaming_serializer::Renamed;
use self::replacements::{Kind, Replacements};
use super::record::{JournalledRun, RunRecord};

/// Replaces what tells whose run it is.
#[derive(Debug)]
pub(super) struct Anonymiser(RefCell<Replacements>);

impl Anonymiser {
    /// Knows what is to be replaced in `run`.
    ///
    /// # Errors
    ///
    /// A message cannot be written as JSON.
    pub(super) fn of(run: &JournalledRun) -> io::Result<Self> {
        let this = Self(RefCell::new(Replacements::of(named(&run.record))));
        // Keys and serial numbers, so that they are known wherever a text says them, or their short form, first.
        serde_json::to_writer(io::sink(), &this.renamed(&run.record))?;
        for message in &run.messages {
            serde_json::to_writer(io::sink(), &this.renamed(message))?;
        }
        Ok(this)
    }

    /// `value` as it is written.
    pub(super) fn renamed<'a, T: Serialize>(&'a self, value: &'a T) -> Renamed<'a, T> {
        Renamed::new(value, &self.0)
    }
}

/// What the record of a run calls by name, in the order in which replacements are counted.
fn named(record: &RunRecord) -> Vec<(Kind, String)> {
    let (facts, context) = (&record.facts, &record.context);
    let mut names = Vec::new();
    let mut add = |kind: Kind, text: &str| names.push((kind, text.to_owned()));
    let seeds = facts.devices.iter().map(|seed| &seed.id);
    let others = context.devices.iter().map(|device| &device.id);
    for id in seeds.chain(&facts.not_asked).chain(others) {
        add(Kind::Device, id.as_str());
    }
    for seed in &facts.devices {
        seed.group.iter().for_each(|group| add(Kind::Group, group));
        seed.tags.iter().for_each(|tag| add(Kind::Tag, tag));
    }
    add(Kind::User, &context.user);
    add(Kind::Machine, &context.host);
    let files = [
        Some(&context.inventory),
        context.firmware.as_ref(),
        context.app.as_ref(),
    ];
    for path in files.into_iter().flatten() {
        add(Kind::Path, path);
    }
    for device in &context.devices {
        for host in hosts_of_reach(device.reach.as_str()) {
            add(Kind::Host, host);
        }
        if let Some(host) = host_of(&device.url) {
            add(Kind::Host, host);
        }
    }
    names
}
