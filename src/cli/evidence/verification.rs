//! Verifies a folder of evidence without anything else, and names the first thing that is wrong with it. The folder is a
//! stranger's: nothing of it is read without a limit, and no text of it is shown as it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::documents::{
    EVENTS_FILE, EventLine, FORMAT, Hash, Header, LogEvidence, LogVerdict, MANIFEST_FILE, README,
    README_FILE, RUN_FILE, RunDocument, SIGNATURE_FILE, VERDICTS_FILE, Verdicts, json,
};
use super::folder::{Fault, Folder, NotVerified};
use super::log_file;
use super::manifest::Manifest;
use super::signature::{self, BadSignature};
use super::verdicts::{Judge, LogClaim};
use crate::engine::{LogSource, Message, RunFacts};
use crate::journal::RunContext;
use crate::model::{AuditVerdict, DeviceId, LinkTrust, Outcome, OutcomeKind};

/// The largest JSON document and manifest that are read, in bytes.
const MAX_DOCUMENT: u64 = 256 * 1024 * 1024;
/// The longest line of `events.jsonl`: a message with a log whose entries are all at their longest.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// The largest `events.jsonl`: what is known of the run's devices is held in memory.
const MAX_EVENTS: u64 = 2 * 1024 * 1024 * 1024;
/// The largest signature.
const MAX_SIGNATURE: u64 = 64 * 1024;

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

/// What a log says.
#[derive(Debug)]
pub(in crate::cli) struct LogRead {
    pub(in crate::cli) device: DeviceId,
    pub(in crate::cli) verdict: AuditVerdict,
    pub(in crate::cli) judged: OutcomeKind,
    pub(in crate::cli) link: LinkTrust,
    /// The file and its log key, or why it is not here; nothing where no file decided.
    pub(in crate::cli) file: Option<Result<(String, String), String>>,
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
    let mut reading = Reading {
        folder: &folder,
        manifest: &manifest,
        hashes: BTreeMap::new(),
        logs: Vec::new(),
        is_as_written: false,
    };
    let mut verified = reading.contents()?;
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

/// A folder whose files are read one after the other.
struct Reading<'a> {
    folder: &'a Folder,
    manifest: &'a Manifest,
    /// Of the files that were read.
    hashes: BTreeMap<String, Hash>,
    logs: Vec<LogRead>,
    /// Whether `verdicts.json` has the very form in which it is written.
    is_as_written: bool,
}

impl Reading<'_> {
    /// Reads everything but the manifest's hashes: each file has a witness in another one.
    fn contents(&mut self) -> Result<Verified, NotVerified> {
        let readme = self.read(README_FILE, MAX_SIGNATURE)?;
        if readme != README.as_bytes() {
            let line = first_difference(&readme, README.as_bytes());
            return Err(Fault::line(README_FILE, line, "it is not hemfleet's text").into());
        }
        let bytes = self.read(RUN_FILE, MAX_DOCUMENT)?;
        let run: RunDocument = parse(RUN_FILE, &bytes)?;
        ensure_format(RUN_FILE, run.evidence)?;
        let bytes = self.read(VERDICTS_FILE, MAX_DOCUMENT)?;
        // Which logs are not here stands there. What is wrong with it is told once the events are right.
        let claimed = parse(VERDICTS_FILE, &bytes).and_then(|claimed: Verdicts| {
            ensure_format(VERDICTS_FILE, claimed.evidence)?;
            Ok(claimed)
        });
        let record = run.record;
        let judge = Judge::new(record.facts.clone());
        let mut events = Events::new(self, judge, claimed.as_ref().ok());
        events.read(&record.facts)?;
        let (messages, last, judge) = (events.messages, events.last, events.judge);
        let claimed = claimed?;
        // Whether it is written as hemfleet writes it, which tells whether it or the manifest was changed.
        self.is_as_written = json(&claimed).is_ok_and(|written| written == bytes);
        judge.ensure_outcomes()?;
        let derived = judge.run(messages, last);
        if let Some(why) = difference(&claimed, &derived) {
            return Err(Fault::file(VERDICTS_FILE, why).into());
        }
        if let Some(more) = claimed.logs.get(self.logs.len()) {
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
            logs: std::mem::take(&mut self.logs),
            signed: Signed::Not,
        })
    }

    fn read(&mut self, name: &str, limit: u64) -> Result<Vec<u8>, NotVerified> {
        let bytes = self.folder.read(name, limit)?;
        let hash = Hash(Sha256::digest(&bytes).into());
        self.hashes.insert(name.to_owned(), hash);
        Ok(bytes)
    }

    /// Whether a file is the one of the manifest.
    fn is_named(&self, name: &str) -> bool {
        self.manifest.hash(name) == self.hashes.get(name).copied()
    }

    /// The events end otherwise than `verdicts.json` says: the manifest tells which of the two was changed.
    fn other_end(&self, messages: u64, claimed: &Verdicts) -> Fault {
        let line = messages + 1;
        if self.is_named(EVENTS_FILE) && !self.is_named(VERDICTS_FILE) {
            let why = format!("it is of other events: these end with line {line}");
            return Fault::file(VERDICTS_FILE, why);
        }
        let wanted = claimed.run.messages.saturating_add(1);
        let why = if wanted == line {
            format!("it is not the last line that {VERDICTS_FILE} names")
        } else {
            format!("it is the last line, and {VERDICTS_FILE} says that line {wanted} is")
        };
        Fault::line(EVENTS_FILE, line, why)
    }

    /// Verifies a log file that is here; its log key.
    fn log(
        &mut self,
        line: u64,
        (log, key): (&str, &str),
        claim: &LogClaim<'_>,
        source: &LogSource,
    ) -> Result<String, NotVerified> {
        for name in [log, key] {
            if self.manifest.hash(name).is_none() {
                let why = format!("it is missing; line {line} of {EVENTS_FILE} names it");
                return Err(Fault::file(name, why).into());
            }
        }
        let found = log_file::verify(self.folder, (log, key), claim, source)?;
        self.hashes.insert(log.to_owned(), found.log);
        self.hashes.insert(key.to_owned(), found.answer);
        Ok(found.key)
    }

    /// Whatever was read is what the manifest names, and all of that was read.
    fn ensure_manifest(&self) -> Result<(), NotVerified> {
        for name in self.manifest.names() {
            let line = self.manifest.line_of(name);
            let Some(hash) = self.hashes.get(name) else {
                return Err(Fault::file(name, format!("{EVENTS_FILE} knows nothing of it")).into());
            };
            if self.manifest.hash(name) == Some(*hash) {
                continue;
            }
            if name == VERDICTS_FILE && !self.is_as_written {
                // It says what it should, but no other file holds its hash.
                let why = format!("it is not the file that line {line} of {MANIFEST_FILE} names");
                return Err(Fault::file(name, why).into());
            }
            let why = format!("it has another SHA-256 than {name}");
            return Err(Fault::line(MANIFEST_FILE, line, why).into());
        }
        Ok(())
    }
}

/// The events as they are read. What a line says is looked at once the line behind it has named its hash: else a changed
/// line would put the blame on the files that it speaks of.
struct Events<'r, 'a> {
    reading: &'r mut Reading<'a>,
    judge: Judge,
    claimed: Option<&'r Verdicts>,
    messages: u64,
    /// The hash of the line before.
    last: Hash,
    /// That line.
    pending: Option<Pending>,
    /// A line that does not follow from the one before: one of the two was changed. The next line tells which.
    broken: Option<u64>,
}

/// A line that has been read.
enum Pending {
    Header(Header),
    Event(u64, Box<EventLine>),
}

impl<'r, 'a> Events<'r, 'a> {
    fn new(reading: &'r mut Reading<'a>, judge: Judge, claimed: Option<&'r Verdicts>) -> Self {
        Self {
            reading,
            judge,
            claimed,
            messages: 0,
            last: Hash([0; 32]),
            pending: None,
            broken: None,
        }
    }

    fn read(&mut self, facts: &RunFacts) -> Result<(), NotVerified> {
        let path = self.reading.folder.path(EVENTS_FILE);
        let unreadable = |e| NotVerified::Unreadable(path.clone(), e);
        let file = self.reading.folder.file(EVENTS_FILE)?;
        let size = file.metadata().map_err(unreadable)?.len();
        if size > MAX_EVENTS {
            return Err(Fault::file(EVENTS_FILE, "it is larger than is verified").into());
        }
        let mut file = BufReader::new(file.take(MAX_EVENTS));
        let mut hash = Sha256::new();
        let mut line = Vec::new();
        let mut number = 0;
        loop {
            line.clear();
            let n = (&mut file)
                .take(MAX_LINE)
                .read_until(b'\n', &mut line)
                .map_err(unreadable)?;
            if n == 0 {
                break;
            }
            hash.update(&line);
            number += 1;
            let text = line
                .strip_suffix(b"\n")
                .ok_or_else(|| fault(number, "it does not end as a line does"))?;
            self.line(number, text, facts)?;
            self.last = Hash(Sha256::digest(text).into());
        }
        if number == 0 {
            return Err(fault(1, "it is missing").into());
        }
        let hash = Hash(hash.finalize().into());
        self.reading.hashes.insert(EVENTS_FILE.to_owned(), hash);
        self.messages = number - 1;
        self.end(facts)
    }

    fn line(&mut self, number: u64, text: &[u8], facts: &RunFacts) -> Result<(), NotVerified> {
        if number == 1 {
            let header: Header = parse_line(1, text)?;
            ensure_format(EVENTS_FILE, header.evidence)?;
            self.pending = Some(Pending::Header(header));
            return Ok(());
        }
        let line: EventLine = parse_line(number, text).map_err(|f| self.earlier(f))?;
        let follows = line.before == self.last;
        if let Some(broken) = self.broken {
            return Err(blame(broken, follows).into());
        }
        if line.n != number - 1 {
            let why = format!(
                "its number is {}, and should be {}: lines are missing, added or out of order",
                line.n,
                number - 1
            );
            return Err(fault(number, &why).into());
        }
        if !follows {
            self.broken = Some(number);
            return Ok(());
        }
        self.look(facts)?;
        self.pending = Some(Pending::Event(number, Box::new(line)));
        Ok(())
    }

    /// Nothing more comes: `verdicts.json` names the hash of the last line.
    fn end(&mut self, facts: &RunFacts) -> Result<(), NotVerified> {
        let claimed = self.claimed.map(|claimed| &claimed.run);
        let is_last = claimed.is_none_or(|run| run.last == self.last);
        if let Some(broken) = self.broken {
            return Err(blame(broken, is_last && claimed.is_some()).into());
        }
        if let Some(claimed) = self.claimed
            && (claimed.run.messages != self.messages || !is_last)
        {
            return Err(self.reading.other_end(self.messages, claimed).into());
        }
        self.look(facts)
    }

    /// Looks at the line before.
    fn look(&mut self, facts: &RunFacts) -> Result<(), NotVerified> {
        match self.pending.take() {
            None => Ok(()),
            Some(Pending::Header(header)) => {
                if self.reading.hashes.get(RUN_FILE) != Some(&header.run_json) {
                    let why = format!("it is not the file that line 1 of {EVENTS_FILE} names");
                    return Err(Fault::file(RUN_FILE, why).into());
                }
                if header.run != facts.run {
                    let why = format!("it is of another run than {RUN_FILE}");
                    return Err(fault(1, &why).into());
                }
                Ok(())
            }
            Some(Pending::Event(number, line)) => self.event(number, &line.message),
        }
    }

    fn event(&mut self, number: u64, message: &Message) -> Result<(), NotVerified> {
        let Some(claim) = self.judge.take(number, message)? else {
            return Ok(());
        };
        // Without a list of what is not here nothing can be said of a log; that list is wrong, which is told later.
        let Some(claimed) = self.claimed else {
            return Ok(());
        };
        let said = claimed.logs.get(self.reading.logs.len());
        let file = match (&claim.verdict.file, said.map(|said| &said.file)) {
            (LogEvidence::Here { .. }, Some(lost @ LogEvidence::Lost { .. })) => lost.clone(),
            (file, _) => file.clone(),
        };
        let derived = LogVerdict {
            file,
            ..claim.verdict.clone()
        };
        if said != Some(&derived) {
            let why =
                format!("it says something else of the log than line {number} of {EVENTS_FILE}");
            return Err(Fault::file(VERDICTS_FILE, why).into());
        }
        let file = match (&derived.file, claim.source) {
            (LogEvidence::Here { log, key }, Some(source)) => {
                let key = self.reading.log(number, (log, key), &claim, source)?;
                Some(Ok((log.clone(), key)))
            }
            (LogEvidence::NotKept { why } | LogEvidence::Lost { why }, _) => Some(Err(why.clone())),
            _ => None,
        };
        self.reading.logs.push(LogRead {
            device: derived.device,
            verdict: derived.verdict,
            judged: derived.judged,
            link: derived.link,
            file,
        });
        Ok(())
    }

    /// What is wrong with a line before the one that cannot be read comes first.
    fn earlier(&self, found: Fault) -> Fault {
        self.broken.map_or(found, |broken| blame(broken, false))
    }
}

/// A line that does not follow: it was changed, or, where the next one knows it as it is, the one before it.
fn blame(broken: u64, is_known: bool) -> Fault {
    if is_known {
        let why = format!("line {broken} names another SHA-256 for it");
        return fault(broken - 1, &why);
    }
    fault(
        broken,
        "the SHA-256 in it is not the one of the line before",
    )
}

fn fault(line: u64, why: &str) -> Fault {
    Fault::line(EVENTS_FILE, line, why)
}

fn parse<T: serde::de::DeserializeOwned>(name: &str, bytes: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(bytes).map_err(|e| {
        let line = e.line() as u64;
        Fault::line(name, line.max(1), e.to_string())
    })
}

fn parse_line<T: serde::de::DeserializeOwned>(line: u64, text: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(text).map_err(|e| fault(line, &e.to_string()))
}

fn ensure_format(name: &str, format: u32) -> Result<(), Fault> {
    if format == FORMAT {
        return Ok(());
    }
    let why = format!("it is of format {format}, and this hemfleet knows format {FORMAT}");
    Err(Fault::file(name, why))
}

/// What `verdicts.json` says otherwise than what follows from the events.
fn difference(claimed: &Verdicts, derived: &super::documents::RunVerdict) -> Option<String> {
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
    folder.read(SIGNATURE_FILE, MAX_SIGNATURE)?;
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
