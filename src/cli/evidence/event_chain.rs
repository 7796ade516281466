//! Reads `events.jsonl`: each line follows from the one before, and says what `verdicts.json` and the log files say.

use std::io::{BufRead as _, BufReader, Read as _};

use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use super::documents::{
    EVENTS_FILE, EventLine, Hash, Header, LogEvidence, LogVerdict, RUN_FILE, VERDICTS_FILE,
    Verdicts,
};
use super::folder::{Fault, NotVerified};
use super::reading::{LogRead, Reading, ensure_format};
use super::verdicts::Judge;
use crate::engine::{Message, RunFacts};

/// The longest line: a message with a log whose entries are all at their longest.
const MAX_LINE: u64 = 64 * 1024 * 1024;
/// The largest file: what is known of the run's devices is held in memory.
const MAX_EVENTS: u64 = 2 * 1024 * 1024 * 1024;

/// The events as they are read. What a line says is looked at once the line behind it has named its hash: else a changed
/// line would put the blame on the files that it speaks of.
pub(super) struct Events<'r, 'a> {
    reading: &'r mut Reading<'a>,
    pub(super) judge: Judge,
    claimed: Option<&'r Verdicts>,
    pub(super) messages: u64,
    /// The hash of the line before.
    pub(super) last: Hash,
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
    pub(super) fn new(
        reading: &'r mut Reading<'a>,
        judge: Judge,
        claimed: Option<&'r Verdicts>,
    ) -> Self {
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

    pub(super) fn read(&mut self, facts: &RunFacts) -> Result<(), NotVerified> {
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

fn parse_line<T: DeserializeOwned>(line: u64, text: &[u8]) -> Result<T, Fault> {
    serde_json::from_slice(text).map_err(|e| fault(line, &e.to_string()))
}
