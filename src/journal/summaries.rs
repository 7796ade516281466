//! What is derived of each run and kept beside its messages, so that lists need not fold them. What was not derived from
//! all messages of a run counts for nothing, and is derived again.

use std::collections::HashSet;

use rusqlite::{Connection, Row, params};

use super::database::Journal;
use super::error::JournalError;
use super::run_entry::{DeviceSummary, RunEntry, RunSummary, Summaries};
use super::run_lock::RunLock;
use crate::model::{Reach, RunId};

/// A run as its row tells of it.
#[derive(Debug)]
pub(super) struct RunRow {
    pub(super) n: i64,
    pub(super) turn: i64,
    /// The SHA-256 of the firmware, and what a device reports that runs it.
    pub(super) image: Option<(String, Option<String>)>,
    entry: RunEntry,
    /// What is known of it without folding.
    summary: Option<RunSummary>,
    last: u64,
}

/// The columns of [`RunRow`].
const COLUMNS: &str = "n, id, turn, started, user, host, inventory, version, hemfleet, image, image_fws, devices, \
     folded, summary, coalesce((SELECT max(seq) FROM message WHERE run = n), 0)";

/// Keeps what is derived of a run whose last message is `folded`.
pub(super) fn store(
    conn: &Connection,
    run: i64,
    folded: u64,
    derived: &Summaries,
) -> rusqlite::Result<()> {
    // What cannot be written as JSON is derived again when it is wanted.
    let json = serde_json::to_string(&derived.run).ok();
    let set = "UPDATE run SET folded = ?2, summary = ?3 WHERE n = ?1";
    conn.execute(set, params![run, folded, json])?;
    let mut set = conn.prepare(
        "UPDATE device SET open = ?3, settled_at = ?4, refused = ?5, outcome = ?6, summary = ?7, ended = ?8, proved_at = ?9 \
         WHERE run = ?1 AND n = ?2",
    )?;
    for (n, device) in derived.devices.iter().enumerate() {
        set.execute(params![
            run,
            n,
            device.open_install.is_some(),
            device.settled_at.map(jiff::Timestamp::as_millisecond),
            !device.refused.is_empty(),
            device
                .outcome
                .as_ref()
                .map(|outcome| outcome.kind().as_str()),
            serde_json::to_string(device).ok(),
            device.ended.map(jiff::Timestamp::as_millisecond),
            device.proved_at.map(jiff::Timestamp::as_millisecond),
        ])?;
    }
    Ok(())
}

impl RunRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let id: String = row.get(1)?;
        let at = jiff::Timestamp::from_millisecond(row.get(3)?);
        let (folded, last): (Option<u64>, u64) = (row.get(12)?, row.get(14)?);
        let json: Option<String> = row.get(13)?;
        let summary = json.as_deref().and_then(RunSummary::stored);
        let image: Option<String> = row.get(9)?;
        let fws = row.get(10)?;
        Ok(Self {
            n: row.get(0)?,
            turn: row.get(2)?,
            image: image.map(|sha| (sha, fws)),
            entry: RunEntry {
                run: RunId::parse(&id).ok_or(rusqlite::Error::InvalidQuery)?,
                started: at.map_err(|_| rusqlite::Error::IntegralValueOutOfRange(3, 0))?,
                ended: None,
                user: row.get(4)?,
                host: row.get(5)?,
                inventory: row.get(6)?,
                version: row.get(7)?,
                hemfleet: row.get(8)?,
                devices: row.get(11)?,
                tally: None,
                unfinished: true,
                in_doubt: 0,
                stopped: false,
                begun: false,
                is_alive: false,
                holder: None,
            },
            summary: summary.filter(|_| folded == Some(last)),
            last,
        })
    }

    pub(super) fn run(&self) -> &RunId {
        &self.entry.run
    }

    /// Whether its devices have to be derived from its messages.
    pub(super) fn is_stale(&self) -> bool {
        self.summary.is_none()
    }

    /// The entry of a run with this summary; nothing where its messages cannot be read.
    fn entry(&self, summary: Option<RunSummary>, is_alive: bool) -> RunEntry {
        let mut entry = self.entry.clone();
        entry.is_alive = is_alive;
        if let Some(summary) = summary {
            entry.ended = summary.ended.filter(|_| !is_alive);
            entry.stopped = summary.stopped;
            entry.begun = summary.begun;
            entry.in_doubt = summary.in_doubt;
            entry.tally = Some(summary.tally);
            entry.limit_doubts(summary.in_doubt);
        }
        entry
    }
}

impl Journal {
    /// The rows of the runs that `filter` finds, newest first.
    pub(super) fn rows(
        &self,
        filter: &str,
        params: impl rusqlite::Params,
    ) -> Result<Vec<RunRow>, JournalError> {
        let sql = format!("SELECT {COLUMNS} FROM run WHERE {filter} ORDER BY n DESC");
        let read = || {
            let mut select = self.conn().prepare(&sql)?;
            let rows = select.query_map(params, RunRow::read)?;
            rows.collect()
        };
        self.file().sql(read())
    }

    /// The row of a run.
    pub(super) fn row(&self, run: &RunId) -> Result<RunRow, JournalError> {
        let rows = self.rows("id = ?1", [run.as_str()])?;
        rows.into_iter()
            .next()
            .ok_or_else(|| JournalError::NoSuchRun(run.to_string()))
    }

    /// What runs in the list look like.
    pub(super) fn entries<'a>(
        &self,
        rows: impl IntoIterator<Item = &'a RunRow>,
    ) -> Result<Vec<RunEntry>, JournalError> {
        let mut entries = Vec::new();
        let mut doubtful = Vec::new();
        for row in rows {
            let entry = self.entry(row)?;
            if entry.in_doubt > 0 {
                doubtful.push((entries.len(), row));
            }
            entries.push(entry);
        }
        if !doubtful.is_empty() {
            let open = self.open_installs()?;
            let open: HashSet<&str> = open.iter().map(|open| open.reach.as_str()).collect();
            for (n, row) in doubtful {
                let reaches = self.doubtful(row)?;
                let in_doubt = reaches.iter().filter(|reach| open.contains(reach.as_str()));
                entries[n].limit_doubts(in_doubt.count());
            }
        }
        Ok(entries)
    }

    /// The ways to the devices that the run itself holds in doubt.
    fn doubtful(&self, row: &RunRow) -> Result<Vec<String>, JournalError> {
        if !row.is_stale() {
            let sql = "SELECT reach FROM device WHERE run = ?1 AND open = 1";
            return self.file().sql(self.reaches_by(sql, row.n));
        }
        let devices = self.derive(row)?.map(|derived| derived.devices);
        let open = devices
            .into_iter()
            .flatten()
            .filter(|d| d.open_install.is_some());
        Ok(open.map(|device| device.reach.to_string()).collect())
    }

    fn reaches_by(&self, sql: &str, run: i64) -> rusqlite::Result<Vec<String>> {
        let mut select = self.conn().prepare(sql)?;
        let reaches = select.query_map([run], |row| row.get(0))?;
        reaches.collect()
    }

    fn reaches_of(&self, run: i64) -> rusqlite::Result<Vec<String>> {
        self.reaches_by("SELECT reach FROM device WHERE run = ?1", run)
    }

    /// The same of one run, by what it says itself: others may have settled its doubts.
    pub(super) fn entry(&self, row: &RunRow) -> Result<RunEntry, JournalError> {
        let is_alive = RunLock::is_held(self.file(), row.run());
        let summary = match &row.summary {
            Some(summary) => Some(summary.clone()),
            None => self.derive(row)?.map(|derived| derived.run),
        };
        let mut entry = row.entry(summary, is_alive);
        entry.holder = RunLock::holder(self.file(), row.run()).filter(|_| is_alive);
        Ok(entry)
    }

    /// Makes sure that each run can be read that has one of these devices: what cannot be read may hold it in doubt.
    ///
    /// # Errors
    ///
    /// The first that cannot.
    pub fn check_runs(&self, devices: &[Reach]) -> Result<(), JournalError> {
        let devices: HashSet<&str> = devices.iter().map(Reach::as_str).collect();
        let rows = self.rows("true", [])?;
        for row in rows.iter().filter(|row| row.is_stale()) {
            let its = self.file().sql(self.reaches_of(row.n))?;
            if its.iter().any(|reach| devices.contains(reach.as_str())) {
                self.derived(row)?;
            }
        }
        Ok(())
    }

    /// What is derived of a run; nothing where its messages cannot be read: in a list one run does not hide the others.
    pub(super) fn derive(&self, row: &RunRow) -> Result<Option<Summaries>, JournalError> {
        match self.derived(row) {
            Ok(derived) => Ok(Some(derived)),
            Err(error @ JournalError::Message { .. }) => {
                let what = crate::model::chain(&error);
                tracing::warn!(run = %row.run(), "{what}");
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Derives a run from its messages, and keeps that where the run has ended.
    pub(super) fn derived(&self, row: &RunRow) -> Result<Summaries, JournalError> {
        // Asked before its messages are read: who is dead now has written all that it ever will.
        let is_alive = RunLock::is_held(self.file(), row.run());
        let run = self.load(row.run())?;
        let mut fleet = run.fold();
        if !is_alive && fleet.ended().is_none() && fleet.has_begun() {
            fleet.bury();
        }
        let derived = Summaries::of(&fleet, &run.record.context);
        if !is_alive && !self.is_read_only() {
            self.keep(row, &derived);
        }
        Ok(derived)
    }

    fn keep(&self, row: &RunRow, derived: &Summaries) {
        let change = || {
            let change = self.conn().unchecked_transaction()?;
            store(&change, row.n, row.last, derived)?;
            change.commit()
        };
        // Without it the list is as true, and takes longer.
        if let Err(error) = change() {
            tracing::debug!(%error, run = %row.run(), "what was derived of a run is not kept");
        }
    }

    /// What the runs of `rows` say of the devices that `filter` finds, run by run as the rows come.
    pub(super) fn device_summaries(
        &self,
        rows: &[RunRow],
        filter: impl Fn(&DeviceSummary) -> bool,
        sql_filter: &str,
        text: &str,
    ) -> Result<Vec<(usize, DeviceSummary)>, JournalError> {
        let sql = format!("SELECT summary FROM device WHERE run = ?1 AND {sql_filter} = ?2");
        let mut found = Vec::new();
        for (n, row) in rows.iter().enumerate() {
            let kept = if row.is_stale() {
                None
            } else {
                Some(self.kept(&sql, row.n, text)?)
            };
            let devices = match kept {
                Some(Some(devices)) => devices,
                // Derived otherwise than today, or not at all.
                Some(None) | None => self.derive(row)?.map(|d| d.devices).unwrap_or_default(),
            };
            let devices = devices.into_iter().filter(|device| filter(device));
            found.extend(devices.map(|device| (n, device)));
        }
        Ok(found)
    }

    fn kept(
        &self,
        sql: &str,
        run: i64,
        text: &str,
    ) -> Result<Option<Vec<DeviceSummary>>, JournalError> {
        let read = || -> rusqlite::Result<Vec<Option<String>>> {
            let mut select = self.conn().prepare(sql)?;
            let rows = select.query_map(params![run, text], |row| row.get(0))?;
            rows.collect()
        };
        let texts = self.file().sql(read())?;
        let parsed = texts
            .iter()
            .map(|json| serde_json::from_str(json.as_deref()?).ok());
        Ok(parsed.collect())
    }
}
