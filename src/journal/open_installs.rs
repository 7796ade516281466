//! What a further run has to know before it touches a device: whether an install is in doubt there, and whether its
//! bootloader has refused the very image.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::params;

use super::database::Journal;
use super::error::JournalError;
use super::run_entry::DeviceSummary;
use super::run_lock::RunLock;
use super::summaries::RunRow;
use crate::engine::{EarlierRefusal, PendingInstall};
use crate::model::{DeviceId, OutcomeKind, Reach, RunId};

/// An install that may have been sent and whose end no run knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenInstall {
    /// The run that sent it, or was about to.
    pub run: RunId,
    /// What that run calls the device.
    pub device: DeviceId,
    /// The way to the device.
    pub reach: Reach,
    /// What it takes to judge the device; `since` says how long ago it was.
    pub pending: PendingInstall,
    /// Whether a process is at work on that run.
    pub is_alive: bool,
}

/// A device refused an image: it rebooted, and its bootloader started what it ran before.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Refusal {
    /// The run that sent the image, and when the refusal was seen.
    pub refused: EarlierRefusal,
    /// What the run that saw it calls the device.
    pub device: DeviceId,
    /// The way to the device.
    pub reach: Reach,
    /// The SHA-256 of the image, in hex.
    pub image: String,
    /// What a device reports that runs the image, where that is known.
    pub fws: Option<String>,
}

/// What a run says of a device, as far as it matters here.
struct Said {
    turn: i64,
    /// Its row.
    run: usize,
    /// The device's number in the run.
    n: usize,
    /// What it says of an install on the device; nothing where it knows of none.
    install: Option<Install>,
    /// Whether its bootloader refused the image of the run.
    is_refused: bool,
    /// Whether it runs the image of the run.
    runs_it: bool,
}

/// What became of an install.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Install {
    InDoubt,
    /// See [`DeviceSummary::settled`].
    Settled,
}

impl Install {
    fn of(is_open: bool, is_settled: bool) -> Option<Self> {
        let settled = is_settled.then_some(Self::Settled);
        if is_open {
            Some(Self::InDoubt)
        } else {
            settled
        }
    }

    fn is_in_doubt(said: &Said) -> bool {
        said.install == Some(Self::InDoubt)
    }
}

/// Whether a device that ended like this runs the image of its run.
fn runs_it(outcome: &str) -> bool {
    [OutcomeKind::Upgraded, OutcomeKind::Current]
        .map(OutcomeKind::as_str)
        .contains(&outcome)
}

/// All that the runs say of some devices.
struct Sayings {
    rows: Vec<RunRow>,
    /// What is derived of runs that are going on or were killed, by row.
    derived: BTreeMap<usize, Vec<DeviceSummary>>,
    /// By the way to the device, in the order in which the runs were at work.
    said: BTreeMap<String, Vec<Said>>,
}

impl Journal {
    /// For each device the newest install that a run holds in doubt, unless a later run has seen how the device ended.
    pub fn open_installs(&self) -> Result<Vec<OpenInstall>, JournalError> {
        let all = self.sayings("open = 1", Install::is_in_doubt)?;
        let mut found = Vec::new();
        for said in all.said.values() {
            let newest = said.iter().rev().find(|said| said.install.is_some());
            let Some(newest) = newest.filter(|said| Install::is_in_doubt(said)) else {
                continue;
            };
            let device = self.summary(&all, newest)?;
            if let Some((device, pending)) = device.and_then(|d| Some((d.clone(), d.open_install?)))
            {
                let run = all.rows[newest.run].run().clone();
                found.push(OpenInstall {
                    is_alive: RunLock::is_held(self.file(), &run),
                    run,
                    device: device.device,
                    reach: device.reach,
                    pending,
                });
            }
        }
        Ok(found)
    }

    /// For each device and image the newest refusal, unless the device was seen to run that image later.
    pub fn refusals(&self) -> Result<Vec<Refusal>, JournalError> {
        let all = self.sayings("refused = 1", |said| said.is_refused)?;
        let mut found = Vec::new();
        for said in all.said.values() {
            let mut decided = BTreeSet::new();
            for said in said.iter().rev() {
                let Some((image, fws)) = &all.rows[said.run].image else {
                    continue;
                };
                // Only what was said of the image last counts.
                let matters = said.runs_it || said.is_refused;
                if !matters || !decided.insert(image) || !said.is_refused {
                    continue;
                }
                let device = self.summary(&all, said)?;
                if let Some((device, refused)) = device.and_then(|d| Some((d.clone(), d.refused?)))
                {
                    found.push(Refusal {
                        refused,
                        device: device.device,
                        reach: device.reach,
                        image: image.clone(),
                        fws: fws.clone(),
                    });
                }
            }
        }
        Ok(found)
    }

    /// What all runs say of the devices of which one says what `wanted` finds, and `sql` likewise.
    fn sayings(&self, sql: &str, wanted: impl Fn(&Said) -> bool) -> Result<Sayings, JournalError> {
        let rows = self.rows("true", [])?;
        let mut derived = BTreeMap::new();
        for (n, row) in rows.iter().enumerate().filter(|(_, row)| row.is_stale()) {
            let devices = self.derive(row)?.map(|d| d.devices);
            derived.insert(n, devices.unwrap_or_default());
        }
        let by_number: BTreeMap<i64, usize> =
            rows.iter().enumerate().map(|(n, row)| (row.n, n)).collect();
        let mut said: BTreeMap<String, Vec<Said>> = BTreeMap::new();
        for (&run, devices) in &derived {
            for (n, device) in devices.iter().enumerate() {
                let one = Said {
                    turn: rows[run].turn,
                    run,
                    n,
                    install: Install::of(device.open_install.is_some(), device.settled),
                    is_refused: device.refused.is_some(),
                    runs_it: device
                        .outcome
                        .as_ref()
                        .is_some_and(|o| runs_it(o.kind().as_str())),
                };
                let reach = device.reach.to_string();
                said.entry(reach).or_default().push(one);
            }
        }
        let wanted_here = said
            .iter()
            .filter(|(_, said)| said.iter().any(&wanted))
            .map(|(reach, _)| reach.clone());
        let mut reaches: BTreeSet<String> = wanted_here.collect();
        reaches.extend(self.reaches(sql)?);
        said.retain(|reach, _| reaches.contains(reach));
        for reach in reaches {
            said.entry(reach).or_default();
        }
        let mut all = Sayings {
            rows,
            derived,
            said,
        };
        for (reach, list) in &mut all.said {
            self.kept_sayings(reach, &by_number, &all.rows, list)?;
            list.sort_by_key(|said| said.turn);
        }
        Ok(all)
    }

    fn reaches(&self, sql: &str) -> Result<Vec<String>, JournalError> {
        let read = || {
            let sql = format!("SELECT DISTINCT reach FROM device WHERE {sql}");
            let mut select = self.conn().prepare(&sql)?;
            let rows = select.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        self.file().sql(read())
    }

    /// What is kept of the device at `reach`, of runs that need not be derived.
    fn kept_sayings(
        &self,
        reach: &str,
        by_number: &BTreeMap<i64, usize>,
        rows: &[RunRow],
        list: &mut Vec<Said>,
    ) -> Result<(), JournalError> {
        let mut read = || {
            let sql = "SELECT run, n, open, settled, refused, outcome FROM device WHERE reach = ?1";
            let mut select = self.conn().prepare(sql)?;
            let mut found = select.query([reach])?;
            while let Some(row) = found.next()? {
                let run = by_number.get(&row.get(0)?).copied();
                let Some(run) = run.filter(|&run| !rows[run].is_stale()) else {
                    continue;
                };
                let outcome: Option<String> = row.get(5)?;
                list.push(Said {
                    turn: rows[run].turn,
                    run,
                    n: row.get(1)?,
                    install: Install::of(row.get(2)?, row.get(3)?),
                    is_refused: row.get(4)?,
                    runs_it: outcome.as_deref().is_some_and(runs_it),
                });
            }
            Ok(())
        };
        self.file().sql(read())
    }

    /// All that the run says of the device.
    fn summary(&self, all: &Sayings, said: &Said) -> Result<Option<DeviceSummary>, JournalError> {
        if let Some(devices) = all.derived.get(&said.run) {
            return Ok(devices.get(said.n).cloned());
        }
        let sql = "SELECT summary FROM device WHERE run = ?1 AND n = ?2";
        let run = all.rows[said.run].n;
        let json: Option<String> = self.file().sql(self.conn().query_row(
            sql,
            params![run, said.n],
            |row| row.get(0),
        ))?;
        Ok(json.and_then(|json| serde_json::from_str(&json).ok()))
    }
}
