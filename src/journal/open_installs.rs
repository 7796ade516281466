//! What a further run has to know before it touches a device: whether an install is in doubt there, and whether its
//! bootloader has refused the very image.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::params;

use super::database::Journal;
use super::error::JournalError;
use super::run_entry::DeviceSummary;
use super::run_lock::RunLock;
use super::summaries::RunRow;
use crate::engine::PendingInstall;
use crate::model::{DeviceId, Outcome, OutcomeKind, Reach, RunId};

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
    /// The run that sent the image.
    pub run: RunId,
    /// What that run calls the device.
    pub device: DeviceId,
    /// The way to the device.
    pub reach: Reach,
    /// The SHA-256 of the image, in hex.
    pub image: String,
    /// What a device reports that runs the image, where that is known.
    pub fws: Option<String>,
    /// When the refusal was seen.
    pub at: Option<Timestamp>,
}

/// What a run says of a device, as far as it matters here.
struct Said {
    turn: i64,
    /// Its row.
    run: usize,
    /// The device's number in the run.
    n: usize,
    /// Whether an install is in doubt.
    is_open: bool,
    /// See [`DeviceSummary::is_settled`].
    is_settled: bool,
    outcome: Option<OutcomeKind>,
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
        let all = self.sayings("open = 1", |said| said.is_open)?;
        let mut found = Vec::new();
        for said in all.said.values() {
            let newest = said
                .iter()
                .rev()
                .find(|said| said.is_open || said.is_settled);
            let Some(newest) = newest.filter(|said| said.is_open) else {
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
        let refused = |said: &Said| said.outcome == Some(OutcomeKind::RolledBack);
        let all = self.sayings("outcome = 'rolled_back'", refused)?;
        let mut found = Vec::new();
        for said in all.said.values() {
            let mut decided = BTreeSet::new();
            for said in said.iter().rev() {
                let runs_it = matches!(
                    said.outcome,
                    Some(OutcomeKind::Upgraded | OutcomeKind::Current)
                );
                let Some((image, fws)) = &all.rows[said.run].image else {
                    continue;
                };
                let matters = runs_it || refused(said);
                // Only what was said of the image last counts.
                if !matters || !decided.insert(image) || !refused(said) {
                    continue;
                }
                if let Some(device) = self.summary(&all, said)? {
                    found.push(Refusal {
                        run: all.rows[said.run].run().clone(),
                        device: device.device,
                        reach: device.reach,
                        image: image.clone(),
                        fws: fws.clone(),
                        at: device.ended,
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
                    is_open: device.open_install.is_some(),
                    is_settled: device.is_settled(),
                    outcome: device.outcome.as_ref().map(Outcome::kind),
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
            let sql = "SELECT run, n, open, settled, outcome FROM device WHERE reach = ?1";
            let mut select = self.conn().prepare(sql)?;
            let mut found = select.query([reach])?;
            while let Some(row) = found.next()? {
                let run = by_number.get(&row.get(0)?).copied();
                let Some(run) = run.filter(|&run| !rows[run].is_stale()) else {
                    continue;
                };
                let outcome: Option<String> = row.get(4)?;
                let mut kinds = OutcomeKind::ALL.into_iter();
                list.push(Said {
                    turn: rows[run].turn,
                    run,
                    n: row.get(1)?,
                    is_open: row.get(2)?,
                    is_settled: row.get(3)?,
                    outcome: kinds.find(|kind| Some(kind.as_str()) == outcome.as_deref()),
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
