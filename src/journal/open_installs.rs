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
use crate::engine::{EarlierRefusal, PendingInstall};
use crate::model::{Component, DeviceId, OutcomeKind, Reach, RunId};

/// An install that may have been sent and whose end no run knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenInstall {
    /// The run that sent it, or was about to.
    pub run: RunId,
    /// The SHA-256 of the firmware that it rolls out, in hex.
    pub image: Option<String>,
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
    /// When the device's last attempt ended, in milliseconds since 1970.
    ended: Option<i64>,
    /// Whether it is not known what became of an install on the device.
    is_in_doubt: bool,
    /// See [`DeviceSummary::settled_at`]; likewise.
    settled_at: Option<i64>,
    /// Whether its bootloader refused an image.
    is_refused: bool,
    /// Whether it runs what the run rolls out.
    runs_it: bool,
}

impl Said {
    /// Whether this run saw after `moment`, of which `other` tells, how an install of that kind had ended.
    fn settles(&self, other: &Self, component: Component, moment: i64) -> bool {
        // Of a firmware in doubt each run is told. An app's install is followed by no reboot: a look is enough.
        let looked = self
            .ended
            .filter(|_| component == Component::Ui && self.runs_it);
        let seen = self.settled_at.max(looked);
        seen.is_some_and(|seen| self.is_after(other, seen, moment))
    }

    /// Whether the device was seen, after `moment`, of which `other` tells, to run what this run rolls out.
    fn runs_it_after(&self, other: &Self, moment: i64) -> bool {
        let ended = self.ended.filter(|_| self.runs_it);
        ended.is_some_and(|ended| self.is_after(other, ended, moment))
    }

    /// Whether what this run saw then is newer than what `other` tells of `moment`: seen later, by a run that was not at
    /// work before. The one alone would be wrong where a clock was set back, the other where a run is gone on with.
    fn is_after(&self, other: &Self, seen: i64, moment: i64) -> bool {
        self.turn >= other.turn && seen > moment
    }
}

/// Whether a device that ended like this runs what its run rolls out.
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
    /// By the way to the device.
    said: BTreeMap<String, Vec<Said>>,
}

impl Sayings {
    fn rolls_out(&self, said: &Said, image: &str) -> bool {
        let own = self.rows[said.run].image.as_ref();
        own.is_some_and(|(sha256, _)| sha256 == image)
    }

    /// What a device reports that runs the image of this SHA-256, where a run tells.
    fn fws_of(&self, image: &str) -> Option<String> {
        let mut images = self.rows.iter().filter_map(|row| row.image.as_ref());
        let known = images.find(|(sha256, fws)| sha256 == image && fws.is_some());
        known.and_then(|(_, fws)| fws.clone())
    }
}

/// When an install was sent, in milliseconds since 1970: however the clock was set meanwhile, by what it says now.
fn since_1970(pending: &PendingInstall) -> i64 {
    let ago = i64::try_from(pending.since.elapsed().as_millis()).unwrap_or(i64::MAX);
    Timestamp::now().as_millisecond().saturating_sub(ago)
}

impl Journal {
    /// For each device the newest install that a run holds in doubt, unless somebody has seen later how the device ended.
    /// Runs that cannot be read count for nothing: who must know asks [`Journal::check_runs`] before.
    pub fn open_installs(&self) -> Result<Vec<OpenInstall>, JournalError> {
        let all = self.sayings("open = 1", |said| said.is_in_doubt)?;
        let mut found = Vec::new();
        for said in all.said.values() {
            let mut newest: Option<(i64, OpenInstall)> = None;
            for doubt in said.iter().filter(|said| said.is_in_doubt) {
                let Some(open) = self.open_install(&all, doubt)? else {
                    continue;
                };
                let sent = since_1970(&open.pending);
                let component = open.pending.component;
                let is_settled = said
                    .iter()
                    .any(|later| later.settles(doubt, component, sent));
                if !is_settled && newest.as_ref().is_none_or(|(at, _)| *at < sent) {
                    newest = Some((sent, open));
                }
            }
            found.extend(newest.map(|(_, open)| open));
        }
        Ok(found)
    }

    /// The runs without which an install would be in doubt again that another run has left so.
    pub(super) fn settling(&self) -> Result<BTreeSet<i64>, JournalError> {
        let all = self.sayings("open = 1", |said| said.is_in_doubt)?;
        let mut settling = BTreeSet::new();
        for said in all.said.values() {
            for doubt in said.iter().filter(|said| said.is_in_doubt) {
                let Some(open) = self.open_install(&all, doubt)? else {
                    continue;
                };
                let (component, sent) = (open.pending.component, since_1970(&open.pending));
                let later = said
                    .iter()
                    .filter(|later| later.settles(doubt, component, sent));
                settling.extend(later.map(|later| all.rows[later.run].n));
            }
        }
        Ok(settling)
    }

    fn open_install(
        &self,
        all: &Sayings,
        said: &Said,
    ) -> Result<Option<OpenInstall>, JournalError> {
        let Some(device) = self.summary(all, said)? else {
            return Ok(None);
        };
        let row = &all.rows[said.run];
        Ok(device.open_install.map(|pending| OpenInstall {
            is_alive: RunLock::is_held(self.file(), row.run()),
            run: row.run().clone(),
            image: row.image.as_ref().map(|(sha256, _)| sha256.clone()),
            device: device.device,
            reach: device.reach,
            pending,
        }))
    }

    /// For each device and image the newest refusal, unless the device was seen to run that image later. Likewise.
    pub fn refusals(&self) -> Result<Vec<Refusal>, JournalError> {
        let all = self.sayings("refused = 1", |said| said.is_refused)?;
        let mut found = Vec::new();
        for said in all.said.values() {
            let mut newest: BTreeMap<String, Refusal> = BTreeMap::new();
            for refused in said.iter().filter(|said| said.is_refused) {
                for refusal in self.refusals_said(&all, refused)? {
                    let at = refusal.refused.at;
                    let runs_it = said.iter().any(|later| {
                        all.rolls_out(later, &refusal.image)
                            && later.runs_it_after(refused, at.as_millisecond())
                    });
                    let is_newer = newest
                        .get(&refusal.image)
                        .is_none_or(|known| known.refused.at < at);
                    if !runs_it && is_newer {
                        newest.insert(refusal.image.clone(), refusal);
                    }
                }
            }
            found.extend(newest.into_values());
        }
        Ok(found)
    }

    fn refusals_said(&self, all: &Sayings, said: &Said) -> Result<Vec<Refusal>, JournalError> {
        let Some(device) = self.summary(all, said)? else {
            return Ok(Vec::new());
        };
        let own = all.rows[said.run].image.as_ref().map(|(sha256, _)| sha256);
        let refused = device.refused.into_iter().filter_map(|refused| {
            // Former versions knew of no image but their own.
            let image = refused.image.as_ref().or(own)?.clone();
            Some(Refusal {
                fws: all.fws_of(&image),
                refused,
                device: device.device.clone(),
                reach: device.reach.clone(),
                image,
            })
        });
        Ok(refused.collect())
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
                    ended: device.ended.map(Timestamp::as_millisecond),
                    is_in_doubt: device.open_install.is_some(),
                    settled_at: device.settled_at.map(Timestamp::as_millisecond),
                    is_refused: !device.refused.is_empty(),
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
            let sql = "SELECT run, n, open, settled_at, refused, outcome, ended FROM device WHERE reach = ?1";
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
                    ended: row.get(6)?,
                    is_in_doubt: row.get(2)?,
                    settled_at: row.get(3)?,
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
