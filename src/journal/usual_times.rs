//! How long the stages of the newest finished runs took, as the journal has it: for the run that is about to begin. What a
//! run makes of it is in `engine`.

use std::collections::HashMap;
use std::time::Duration;

use rusqlite::params;

use super::database::Journal;
use super::error::JournalError;
use crate::engine::{DeviceFact, Event, Fact, Message, UsualTimes};
use crate::model::{DeviceId, Stage};

/// How many runs are looked at.
const RUNS: usize = 5;
/// After how many measurements no further run is looked at.
const ENOUGH: usize = 5_000;
/// How many messages are read in all; each is read by its kind, so that these are few.
const MESSAGES: usize = 50_000;

impl Journal {
    /// What stages took in the newest finished runs that were started with this inventory: other fleets are reached in
    /// other ways.
    pub fn usual_times(&self, inventory: &str) -> Result<UsualTimes, JournalError> {
        let runs = self.rows("inventory = ?1", [inventory])?;
        let mut measured = Vec::new();
        let mut left = MESSAGES;
        let mut looked_at = 0;
        for run in &runs {
            if self.entry(run)?.ended.is_none() {
                continue;
            }
            looked_at += 1;
            let mut models: HashMap<DeviceId, String> = HashMap::new();
            for message in self.measurements(run.n, left)? {
                left = left.saturating_sub(1);
                measured.extend(measurement(message, &mut models));
            }
            if looked_at == RUNS || measured.len() >= ENOUGH || left == 0 {
                break;
            }
        }
        Ok(UsualTimes::of(measured))
    }

    /// The messages of a run that say how long stages took, and of which model each device is. One that cannot be read
    /// says nothing.
    fn measurements(&self, run: i64, limit: usize) -> Result<Vec<Message>, JournalError> {
        let read = || -> rusqlite::Result<Vec<Message>> {
            let sql = "SELECT body FROM message WHERE run = ?1 AND kind IN ('planned', 'stage_finished') \
                       ORDER BY seq LIMIT ?2";
            let mut select = self.conn().prepare(sql)?;
            let rows = select.query_map(params![run, limit], |row| row.get::<_, String>(0))?;
            let bodies: rusqlite::Result<Vec<String>> = rows.collect();
            Ok(bodies?
                .iter()
                .filter_map(|body| serde_json::from_str(body).ok())
                .collect())
        };
        self.file().sql(read())
    }
}

/// How long a stage took on which model, where the message says that, or where one of its device said which model it is.
fn measurement(
    message: Message,
    models: &mut HashMap<DeviceId, String>,
) -> Option<(String, Stage, Duration)> {
    let Message::Event(Event {
        fact: Fact::Device { device, fact, .. },
        ..
    }) = message
    else {
        return None;
    };
    match fact {
        DeviceFact::Planned { seen, .. } => {
            models.insert(device, seen?.version.hwv);
            None
        }
        DeviceFact::StageFinished {
            stage,
            took,
            failure: None,
            ..
        } => Some((models.get(&device)?.clone(), stage, took)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixtures::TestJournal;
    use crate::engine::Mode;
    use crate::engine::fixtures::{TestRun, firmware, numbered};
    use crate::model::{FailureKind, LinkFault, Outcome, Stage, Touched};

    const INVENTORY: &str = "/etc/hemfleet/fleet.toml";

    /// A run of three devices whose checks took these seconds.
    fn checks(seconds: [u64; 3], ends: bool) -> TestRun {
        let mut run = TestRun::new(Mode::Go, numbered(4), firmware(1000));
        run.begin();
        for (n, seconds) in seconds.into_iter().enumerate() {
            run.start(n, Stage::Probe, 1);
            run.planned_upgrade(n, &[]);
            run.stage(n, Stage::Check, seconds * 1000, 200, "");
            run.finish(n, Outcome::Upgraded);
        }
        // What failed says nothing, nor does a device that did not say what it is.
        run.fail(
            3,
            Stage::Check,
            FailureKind::Link(LinkFault::Reset),
            Touched::Nothing,
        );
        if ends {
            run.end();
        }
        run
    }

    #[test]
    fn finished_runs_of_the_inventory_count_and_no_others() {
        let kept = TestJournal::new();
        let check = |inventory: &str| {
            let usual = kept.journal.usual_times(inventory).unwrap();
            let check = usual.get(Some("PPA rev 2.2"), Stage::Check)?;
            Some((check.p50.as_secs(), check.p95.as_secs(), check.measured))
        };
        assert_eq!(check(INVENTORY), None);
        kept.keep(1, &checks([10, 20, 30], true));
        kept.keep_killed(2, &checks([500, 500, 500], false));
        assert_eq!(check(INVENTORY), Some((20, 30, 3)));
        assert_eq!(check("/another/fleet.toml"), None);
        for n in 3..9 {
            kept.keep(n, &checks([40, 40, 40], true));
        }
        assert_eq!(check(INVENTORY), Some((40, 40, 15)), "the newest five");
    }
}
