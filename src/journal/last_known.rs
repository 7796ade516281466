//! What each device last proved to run, over all runs (`hemfleet status`). A device is found by the way to it, so that one
//! that was given another name is found.

use std::collections::HashMap;

use rusqlite::params;

use super::database::Journal;
use super::error::JournalError;
use super::run_entry::DeviceSummary;
use super::summaries::RunRow;
use crate::model::{ImageFacts, Reach, RunId};

/// How many of the newest runs are searched for an image.
const SEARCHED: usize = 50;

/// What the runs say of one device.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LastKnown {
    /// The newest run that saw what it runs.
    pub run: RunId,
    /// What that run says of it.
    pub summary: DeviceSummary,
}

impl Journal {
    /// What the newest run that saw it says of each of these; nothing of one that no run ever saw.
    pub fn last_known(&self, reaches: &[Reach]) -> Result<Vec<Option<LastKnown>>, JournalError> {
        let rows = self.rows("true", [])?;
        let mut derived: HashMap<i64, Vec<DeviceSummary>> = HashMap::new();
        for row in rows.iter().filter(|row| row.is_stale()) {
            let devices = self.derive(row)?.map(|derived| derived.devices);
            derived.insert(row.n, devices.unwrap_or_default());
        }
        let by_number: HashMap<i64, &RunRow> = rows.iter().map(|row| (row.n, row)).collect();
        let known = reaches.iter().map(|reach| {
            let kept = self.file().sql(self.newest_kept(reach, &by_number))?;
            let fresh = rows.iter().filter_map(|row| {
                let devices = derived.get(&row.n)?;
                let summary = devices.iter().find(|d| d.reach == *reach && saw(d))?;
                Some((row.n, summary.clone()))
            });
            // By when it was seen: an older run may have been gone on with later.
            let newest = fresh
                .chain(kept)
                .max_by_key(|(n, summary)| (summary.proved_at, *n));
            Ok(newest.map(|(n, summary)| LastKnown {
                run: by_number[&n].run().clone(),
                summary,
            }))
        });
        known.collect()
    }

    /// The newest look of the runs that need not be derived.
    fn newest_kept(
        &self,
        reach: &Reach,
        runs: &HashMap<i64, &RunRow>,
    ) -> rusqlite::Result<Option<(i64, DeviceSummary)>> {
        let sql = "SELECT run, summary FROM device WHERE reach = ?1 AND proved_at IS NOT NULL \
                   ORDER BY proved_at DESC, run DESC";
        let mut select = self.conn().prepare(sql)?;
        let mut found = select.query(params![reach.as_str()])?;
        while let Some(row) = found.next()? {
            let (run, json): (i64, Option<String>) = (row.get(0)?, row.get(1)?);
            if runs.get(&run).is_none_or(|run| run.is_stale()) {
                continue;
            }
            let summary = json.and_then(|json: String| serde_json::from_str(&json).ok());
            if let Some(summary) = summary.filter(saw) {
                return Ok(Some((run, summary)));
            }
        }
        Ok(None)
    }

    /// The firmware that was rolled out last, and by which run.
    pub fn newest_image(&self) -> Result<Option<(RunId, ImageFacts)>, JournalError> {
        let runs = self.rows("image IS NOT NULL", [])?;
        for row in runs.iter().take(SEARCHED) {
            // A record that cannot be read hides no other.
            if let Ok(record) = self.record(row.run())
                && let Some(image) = record.facts.payload.firmware
            {
                return Ok(Some((row.run().clone(), image)));
            }
        }
        Ok(None)
    }
}

/// Whether the run saw what the device runs.
fn saw(summary: &DeviceSummary) -> bool {
    summary.runs().is_some() && summary.proved_at.is_some()
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::TestJournal;
    use crate::engine::Mode;
    use crate::engine::fixtures::{NEW, OLD, TestRun, firmware, numbered};
    use crate::model::{DeviceSpec, Reach, Stage, Verdict};

    fn at(name: &str) -> Reach {
        Reach::of(&DeviceSpec::plain(name, &format!("{name}.example"), 443))
    }

    fn looked_at(n: usize, verdict: Verdict) -> TestRun {
        let mut run = TestRun::new(Mode::Plan, numbered(3), firmware(1000));
        run.begin();
        run.stage(n, Stage::Probe, 200, 200, "");
        run.planned(n, verdict);
        run.end();
        run
    }

    #[test]
    fn the_newest_run_that_saw_a_device_tells_what_it_runs() {
        let kept = TestJournal::new();
        let known = |name: &str| {
            let known = kept.journal.last_known(&[at(name)]).unwrap().pop().unwrap();
            known.map(|known| {
                let fws = known.summary.runs().and_then(|version| version.fws);
                (known.run.to_string(), fws)
            })
        };
        assert_eq!(known("vault-01"), None);
        assert_eq!(kept.journal.newest_image().unwrap(), None);
        kept.keep(1, &looked_at(0, Verdict::Current));
        assert_eq!(known("vault-01"), Some(("00000001".to_owned(), Some(NEW))));
        assert_eq!(known("vault-02"), None, "no run looked at it");
        // A later look counts, also of a run that was killed, and one that saw nothing does not.
        let mut killed = TestRun::new(Mode::Go, numbered(1), firmware(1000));
        killed.begin();
        killed.stage(0, Stage::Probe, 200, 200, "");
        killed.planned_upgrade(0, &[]);
        kept.keep_killed(2, &killed);
        kept.keep(3, &looked_at(1, Verdict::Current));
        assert_eq!(known("vault-01"), Some(("00000002".to_owned(), Some(OLD))));
        let (run, image) = kept.journal.newest_image().unwrap().unwrap();
        assert_eq!(
            (run.as_str(), image.expected_fws()),
            ("00000003", Some(NEW))
        );
    }

    /// An older run was gone on with later, or saw other devices: the moment of the look counts.
    #[test]
    fn of_two_looks_the_later_one_counts_whichever_run_began_first() {
        let kept = TestJournal::new();
        let mut late = looked_at(0, Verdict::Current);
        late.now += std::time::Duration::from_secs(60);
        late.stage(0, Stage::Probe, 200, 200, "");
        let mut old = TestRun::new(Mode::Plan, numbered(3), firmware(1000));
        old.wait(3600);
        old.begin();
        old.stage(0, Stage::Probe, 200, 200, "");
        old.planned_upgrade(0, &[]);
        old.end();
        kept.keep(1, &old);
        kept.keep(2, &late);
        let known = kept.journal.last_known(&[at("vault-01")]).unwrap().pop();
        assert_eq!(known.unwrap().unwrap().run.as_str(), "00000001");
    }
}
