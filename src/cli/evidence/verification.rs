//! Verifies a folder of evidence without anything else, and names the first thing that is wrong with it. The folder is a
//! stranger's: nothing of it is read without a limit, and no text of it is shown as it stands.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::documents::{
    EVENTS_FILE, MANIFEST_FILE, README, README_FILE, RUN_FILE, RunDocument, RunVerdict,
    SIGNATURE_FILE, VERDICTS_FILE, Verdicts, json,
};
use super::event_chain::Events;
use super::folder::{Fault, Folder, NotVerified};
use super::manifest::Manifest;
use super::reading::{LogRead, MAX_SMALL, Reading, ensure_format};
use super::signature::{self, BadSignature};
use super::verdicts::Judge;
use crate::engine::RunFacts;
use crate::journal::RunContext;
use crate::model::{DeviceId, Outcome, OutcomeKind};

/// The largest JSON document and manifest that are read, in bytes.
const MAX_DOCUMENT: u64 = 256 * 1024 * 1024;

/// What a folder that verifies says.
#[derive(Debug)]
pub(in crate::cli) struct Verified {
    /// What the run was made from.
    pub(in crate::cli) facts: RunFacts,
    /// Who ran it, where.
    pub(in crate::cli) context: RunContext,
    /// How many messages there are.
    pub(in crate::cli) messages: u64,
    /// When it began and ended.
    pub(in crate::cli) times: (Option<jiff::Timestamp>, Option<jiff::Timestamp>),
    /// How each device ended, and whether an install of it is in doubt.
    pub(in crate::cli) devices: Vec<(DeviceId, Option<Outcome>, bool)>,
    /// The logs that say something.
    pub(in crate::cli) logs: Vec<LogRead>,
    /// Who signed it: a name, or a key that is somebody's.
    pub(in crate::cli) signed: Signed,
}

/// What is known of the signature.
#[derive(Debug)]
pub(in crate::cli) enum Signed {
    /// There is none.
    Not,
    /// By this one of the allowed signers.
    By(String),
    /// By this key; whose it is was not asked.
    WithKey(String),
    /// There is one, and no `ssh-keygen` to verify it.
    Unchecked(io::Error),
}

/// Verifies a folder; with `signers`, one of these has to have signed it.
pub(in crate::cli) fn verify(dir: &Path, signers: Option<&Path>) -> Result<Verified, NotVerified> {
    let folder = Folder::open(dir)?;
    let names = folder.names()?;
    let manifest = Manifest::parse(&folder.read_if(&names, MANIFEST_FILE, MAX_DOCUMENT)?)?;
    ensure_same(&names, &manifest)?;
    if let Some(signers) = signers {
        // That it cannot be read says nothing of the folder.
        std::fs::File::open(signers).map_err(|e| NotVerified::Unreadable(signers.to_owned(), e))?;
        if !names.contains(SIGNATURE_FILE) {
            return Err(
                Fault::file(SIGNATURE_FILE, "it is missing: the folder is not signed").into(),
            );
        }
    }
    let mut reading = Reading::of(&folder, &manifest);
    let mut verified = contents(&mut reading)?;
    reading.ensure_manifest()?;
    if names.contains(SIGNATURE_FILE) {
        verified.signed = signed(&folder, signers)?;
    }
    Ok(verified)
}

/// The folder holds what the manifest names, and nothing else.
fn ensure_same(there: &BTreeSet<String>, manifest: &Manifest) -> Result<(), Fault> {
    let named: BTreeSet<&str> = manifest.names().collect();
    for name in [README_FILE, RUN_FILE, EVENTS_FILE, VERDICTS_FILE] {
        if !named.contains(name) && !there.contains(name) {
            return Err(Fault::file(name, "it is missing"));
        }
    }
    for name in &named {
        if !there.contains(*name) {
            let line = manifest.line_of(name);
            let why = format!("it is missing; line {line} of {MANIFEST_FILE} names it");
            return Err(Fault::file(name, why));
        }
    }
    let others = there
        .iter()
        .map(String::as_str)
        .filter(|name| ![MANIFEST_FILE, SIGNATURE_FILE].contains(name));
    for name in others {
        if !named.contains(name) {
            return Err(Fault::file(
                name,
                format!("{MANIFEST_FILE} does not name it"),
            ));
        }
    }
    Ok(())
}

impl Folder {
    /// A file that has to be there.
    fn read_if(
        &self,
        names: &BTreeSet<String>,
        name: &str,
        limit: u64,
    ) -> Result<Vec<u8>, NotVerified> {
        if !names.contains(name) {
            return Err(Fault::file(name, "it is missing").into());
        }
        self.read(name, limit)
    }
}

/// Reads everything but the manifest's hashes: each file has a witness in another one.
fn contents(reading: &mut Reading<'_>) -> Result<Verified, NotVerified> {
    let readme = reading.read(README_FILE, MAX_SMALL)?;
    if readme != README.as_bytes() {
        let line = first_difference(&readme, README.as_bytes());
        return Err(Fault::line(README_FILE, line, "it is not hemfleet's text").into());
    }
    let bytes = reading.read(RUN_FILE, MAX_DOCUMENT)?;
    let run: RunDocument = parse(RUN_FILE, &bytes)?;
    ensure_format(RUN_FILE, run.evidence)?;
    let bytes = reading.read(VERDICTS_FILE, MAX_DOCUMENT)?;
    // Which logs are not here stands there. What is wrong with it is told once the events are right.
    let claimed = parse(VERDICTS_FILE, &bytes).and_then(|claimed: Verdicts| {
        ensure_format(VERDICTS_FILE, claimed.evidence)?;
        Ok(claimed)
    });
    let record = run.record;
    let judge = Judge::new(record.facts.clone());
    let mut events = Events::new(reading, judge, claimed.as_ref().ok());
    events.read(&record.facts)?;
    let (messages, last, judge) = (events.messages, events.last, events.judge);
    let claimed = claimed?;
    // Whether it is written as hemfleet writes it, which tells whether it or the manifest was changed.
    reading.is_as_written = json(&claimed).is_ok_and(|written| written == bytes);
    judge.ensure_outcomes()?;
    let derived = judge.run(messages, last);
    if let Some(why) = difference(&claimed, &derived) {
        return Err(Fault::file(VERDICTS_FILE, why).into());
    }
    if let Some(more) = claimed.logs.get(reading.logs.len()) {
        let why = format!("line {} of {EVENTS_FILE} says nothing of a log", more.line);
        return Err(Fault::file(VERDICTS_FILE, why).into());
    }
    Ok(Verified {
        facts: record.facts,
        context: record.context,
        messages,
        times: (derived.started, derived.ended),
        devices: derived
            .devices
            .into_iter()
            .map(|device| (device.device, device.outcome, device.in_doubt))
            .collect(),
        logs: std::mem::take(&mut reading.logs),
        signed: Signed::Not,
    })
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|e| {
        let line = e.line() as u64;
        Fault::line(name, line.max(1), e.to_string())
    })
}

/// What `verdicts.json` says otherwise than what follows from the events.
fn difference(claimed: &Verdicts, derived: &RunVerdict) -> Option<String> {
    let run = &claimed.run;
    if run == derived {
        return None;
    }
    let mut both = run.devices.iter().zip(&derived.devices);
    if let Some((said, is)) = both.find(|(said, is)| said != is) {
        let word = |outcome: &Option<Outcome>| {
            let kind = outcome.as_ref().map(Outcome::kind);
            kind.map_or("not ended", OutcomeKind::as_str)
        };
        return Some(format!(
            "it says {} of {}, and the events come to {} of {}, or differ in what is beside",
            word(&said.outcome),
            said.device,
            word(&is.outcome),
            is.device,
        ));
    }
    Some("it says something else of the run than the events".to_owned())
}

/// The number of the first line that is not the same.
fn first_difference(one: &[u8], other: &[u8]) -> u64 {
    let lines = |bytes| <[u8]>::split(bytes, |&b| b == b'\n');
    let same = lines(one).zip(lines(other)).take_while(|(a, b)| a == b);
    same.count() as u64 + 1
}

fn signed(folder: &Folder, signers: Option<&Path>) -> Result<Signed, NotVerified> {
    folder.read(SIGNATURE_FILE, MAX_SMALL)?;
    let (file, signature) = (folder.path(MANIFEST_FILE), folder.path(SIGNATURE_FILE));
    let found = match signers {
        Some(signers) => signature::signer(&file, &signature, signers).map(Signed::By),
        None => signature::key(&file, &signature).map(Signed::WithKey),
    };
    match (found, signers) {
        (Ok(signed), _) => Ok(signed),
        (Err(BadSignature::Wrong(why)), _) => {
            Err(Fault::file(SIGNATURE_FILE, format!("it is not good: {why}")).into())
        }
        (Err(BadSignature::NotRun(e)), None) => Ok(Signed::Unchecked(e)),
        (Err(BadSignature::NotRun(e)), Some(_)) => {
            let name = Path::new("ssh-keygen").to_owned();
            Err(NotVerified::Unreadable(name, e))
        }
    }
}
