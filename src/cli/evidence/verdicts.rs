//! What follows from the events: the outcome of each device, and what each log says. The folder is written and verified
//! by the same code; the outcomes are the reducer's.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::documents::{
    DeviceVerdict, EVENTS_FILE, Hash, LOGS, LogEvidence, LogVerdict, RunVerdict,
};
use super::folder::Fault;
use crate::cli::process::private_file::file_name;
use crate::engine::{DeviceFact, DeviceState, Event, Fact, Fleet, LogSource, Message, RunFacts};
use crate::model::{AppFacts, AuditReport, Component, DeviceId, LogId, Outcome, PayloadFacts};

/// Takes in the messages one by one.
pub(super) struct Judge {
    fleet: Fleet,
    /// How many files of this name there have been: a later one gets a number.
    files: HashMap<(DeviceId, LogId), usize>,
    /// The line that said last what became of a device.
    lines: HashMap<DeviceId, u64>,
}

/// What a log says, with what says so.
pub(super) struct LogClaim<'m> {
    pub(super) verdict: LogVerdict,
    pub(super) report: &'m AuditReport,
    /// Present where the file was kept.
    pub(super) source: Option<&'m LogSource>,
}

impl Judge {
    /// Of a run of these facts, in which nothing has happened.
    pub(super) fn new(facts: RunFacts) -> Self {
        Self {
            fleet: Fleet::of(facts),
            files: HashMap::new(),
            lines: HashMap::new(),
        }
    }

    /// Takes in the message of a line. What a log says, if it is about one; or why it cannot be.
    pub(super) fn take<'m>(
        &mut self,
        line: u64,
        message: &'m Message,
    ) -> Result<Option<LogClaim<'m>>, Fault> {
        let wrong = |why: String| Fault::line(EVENTS_FILE, line, why);
        // A stranger's message may be one that no run can come to.
        let fleet = &mut self.fleet;
        catch_unwind(AssertUnwindSafe(|| {
            let _ = fleet.update(message);
        }))
        .map_err(|_| wrong("no run can come to this".to_owned()))?;
        let Message::Event(Event { fact, .. }) = message else {
            return Ok(None);
        };
        match fact {
            Fact::RunStarted { run, payload, .. } => {
                let facts = self.fleet.facts();
                if *run != facts.run {
                    return Err(wrong(format!("it is of run {run}, and run.json is not")));
                }
                if **payload != facts.payload {
                    return Err(wrong("its image is not the one of run.json".to_owned()));
                }
                Ok(None)
            }
            Fact::Device {
                device,
                attempt,
                fact,
            } => {
                if self.fleet.device(device).is_none() {
                    return Err(wrong(format!("run.json has no device {device}")));
                }
                self.device(line, device, *attempt, fact).map_err(wrong)
            }
            _ => Ok(None),
        }
    }

    fn device<'m>(
        &mut self,
        line: u64,
        device: &DeviceId,
        attempt: u32,
        fact: &'m DeviceFact,
    ) -> Result<Option<LogClaim<'m>>, String> {
        match fact {
            DeviceFact::InstallAnnounced { pending } | DeviceFact::InstallBegun { pending } => {
                let expected = self.fleet.payload().expected_fws();
                if pending.component == Component::Firmware && pending.fws_expected != expected {
                    return Err("it expects another signature than the image's".to_owned());
                }
            }
            DeviceFact::Returned { .. } | DeviceFact::Finished { .. } => {
                self.lines.insert(device.clone(), line);
            }
            DeviceFact::Audited { report, source } => {
                let file = self.evidence(device, report, source.as_ref())?;
                let verdict = LogVerdict {
                    line,
                    device: device.clone(),
                    attempt,
                    log: report.file.clone(),
                    verdict: report.verdict.clone(),
                    judged: report.judged,
                    link: report.link,
                    file,
                };
                return Ok(Some(LogClaim {
                    verdict,
                    report,
                    source: source.as_ref().and_then(|kept| kept.as_deref().ok()),
                }));
            }
            _ => {}
        }
        Ok(None)
    }

    fn evidence(
        &mut self,
        device: &DeviceId,
        report: &AuditReport,
        source: Option<&Result<Box<LogSource>, String>>,
    ) -> Result<LogEvidence, String> {
        match source {
            None => Ok(LogEvidence::None),
            Some(Err(why)) => Ok(LogEvidence::NotKept { why: why.clone() }),
            Some(Ok(_)) => {
                let id = report
                    .file
                    .clone()
                    .ok_or("a log decided that has no name")?;
                let n = self.files.entry((device.clone(), id.clone())).or_default();
                *n += 1;
                let number = match *n {
                    1 => String::new(),
                    n => format!(".{n}"),
                };
                let stem = format!("{LOGS}/{}/{}{number}", folder_name(device), id.as_str());
                Ok(LogEvidence::Here {
                    log: format!("{stem}.log"),
                    key: format!("{stem}.key.json"),
                })
            }
        }
    }

    /// What became of the run, whose last line is `last`.
    pub(super) fn run(&self, messages: u64, last: Hash) -> RunVerdict {
        let fleet = &self.fleet;
        RunVerdict {
            id: fleet.run().clone(),
            messages,
            last,
            started: fleet.started(),
            ended: fleet.ended(),
            devices: fleet.devices().iter().map(verdict).collect(),
        }
    }

    /// The outcome of every device is one that can be, by what the device said of itself.
    pub(super) fn ensure_outcomes(&self) -> Result<(), Fault> {
        for device in self.fleet.devices() {
            if let Some(why) = contradiction(device, self.fleet.payload()) {
                let line = self.lines.get(&device.id).copied().unwrap_or(1);
                let why = format!("{}: {why}", device.id);
                return Err(Fault::line(EVENTS_FILE, line, why));
            }
        }
        Ok(())
    }
}

fn verdict(device: &DeviceState) -> DeviceVerdict {
    DeviceVerdict {
        device: device.id.clone(),
        attempt: device.attempt,
        outcome: device.outcome().cloned(),
        in_doubt: device.open_install().is_some(),
        fws: last_said(device).and_then(|version| version.fws),
    }
}

/// What it said of itself last.
fn last_said(device: &DeviceState) -> Option<&crate::model::DeviceVersion> {
    let before = device.seen.as_ref().map(|seen| &seen.version);
    device.after.as_ref().or(before)
}

/// Why an outcome cannot be, by what the device said of itself.
fn contradiction(device: &DeviceState, payload: &PayloadFacts) -> Option<&'static str> {
    let said = last_said(device);
    let expected = payload.expected_fws();
    match device.outcome()? {
        Outcome::Upgraded => {
            let proven = expected.is_some() && said.and_then(|said| said.fws) == expected;
            (!proven).then_some("upgraded, but it did not report the signature of the image")
        }
        Outcome::Current if expected.is_some() => {
            let runs = said.is_none_or(|said| said.fws == expected);
            (!runs).then_some("current, but it did not report the signature of the image")
        }
        Outcome::AppInstalled => {
            let uis = said.and_then(|said| said.uis.as_deref());
            let served = |app: &AppFacts| app.is_served_as(uis);
            let proven = payload.app.as_ref().is_some_and(served);
            (!proven).then_some("app installed, but it did not report the hash of the app")
        }
        _ => None,
    }
}

/// The folder of a device. A name that is too long for a file system gets its hash instead of its end.
fn folder_name(device: &DeviceId) -> String {
    use sha2::{Digest as _, Sha256};
    const LONGEST: usize = 200;
    let name = file_name(device.as_str());
    if name.len() <= LONGEST && !name.is_empty() {
        return name;
    }
    let hash: [u8; 32] = Sha256::digest(device.as_str()).into();
    let begin: String = name.chars().take(100).collect();
    format!("{begin}-{}", crate::model::hex(&hash))
}
