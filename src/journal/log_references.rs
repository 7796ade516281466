//! Which of the kept log files runs refer to: it stands in their messages, and nowhere else. The files themselves are in
//! `log_files`.

use std::collections::HashSet;

use jiff::Timestamp;
use rusqlite::params;

use super::database::Journal;
use super::error::JournalError;
use super::log_files::{LogFiles, Removed};
use crate::model::RunId;

/// The hashes of the files that runs refer to. The expression is the one of the index `message_log_file`, so that no
/// other message is read for it.
const REFERRED: &str = "SELECT DISTINCT \
    json_extract(body, '$.event.fact.device.fact.audited.source.Ok.file.sha256') AS hash \
    FROM message WHERE kind = 'audited' AND hash IS NOT NULL";

impl Journal {
    /// The log files that runs refer to.
    pub fn log_files(&self) -> LogFiles {
        LogFiles::beside(self.path())
    }

    /// Hands the messages of a run to `take` as they are stored, in their order.
    ///
    /// # Errors
    ///
    /// They cannot be read, or `take` fails.
    pub fn stored_messages<E: From<JournalError>>(
        &self,
        run: &RunId,
        mut take: impl FnMut(&str) -> Result<(), E>,
    ) -> Result<(), E> {
        let n = self.row(run)?.n;
        let file = self.file();
        let sql = "SELECT body FROM message WHERE run = ?1 ORDER BY seq";
        let mut select = file.sql(self.conn().prepare(sql))?;
        let mut rows = file.sql(select.query(params![n]))?;
        while let Some(row) = file.sql(rows.next())? {
            let body = file.sql(row.get_ref(0))?;
            take(file.sql(body.as_str().map_err(Into::into))?)?;
        }
        Ok(())
    }

    /// Removes the log files that no run refers to any more. To be called when runs were removed.
    ///
    /// # Errors
    ///
    /// The journal cannot be read, or a file not be removed.
    pub fn prune_logs(&self, now: Timestamp) -> Result<Removed, JournalError> {
        let read = || -> rusqlite::Result<Vec<String>> {
            let mut select = self.conn().prepare(REFERRED)?;
            let rows = select.query_map([], |row| row.get(0))?;
            rows.collect()
        };
        let mut used = HashSet::new();
        for hash in self.file().sql(read())? {
            // What is no hash names no file.
            used.extend(super::log_files::parse_hash(&hash));
        }
        let files = self.log_files();
        let removed = files.remove_unused(&used, now);
        removed.map_err(|source| JournalError::Folder {
            path: files.folder().to_owned(),
            source,
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::{
        DeviceFact, Event, Fleet, LogSource, Message, Mode, Recorder as _, RunFacts,
    };
    use crate::journal::fixtures::{TestJournal, record};
    use crate::model::{AuditReport, AuditVerdict, DeviceId, LinkTrust, OutcomeKind, PayloadFacts};

    fn audited(source: Option<Result<Box<LogSource>, String>>) -> Message {
        let report = Box::new(AuditReport {
            verdict: AuditVerdict::Missing {
                token_line: None,
                other_line: None,
            },
            judged: OutcomeKind::Upgraded,
            link: LinkTrust::Pinned,
            file: None,
            log: None,
        });
        let fact = DeviceFact::Audited { report, source };
        Message::Event(Event::of_device(&DeviceId::new("vault-01"), 1, fact))
    }

    #[test]
    fn a_file_stays_as_long_as_a_run_refers_to_it() {
        let test = TestJournal::new();
        let files = test.journal.log_files();
        let keep = |bytes: &[u8]| {
            let mut log = files.begin().unwrap();
            log.write(bytes).unwrap();
            log.keep(true).unwrap()
        };
        let (used, unused) = (keep(b"used"), keep(b"unused"));
        let run = RunId::from_random([1; 4]);
        let facts = RunFacts::new(run.clone(), PayloadFacts::default(), Mode::Go, 1, []);
        let record = record(facts);
        let writer = test.journal.begin(&record).unwrap();
        let messages = [
            audited(Some(Ok(Box::new(LogSource::of(used))))),
            audited(Some(Err("no room".to_owned()))),
            audited(None),
        ];
        for message in &messages {
            writer.record(message);
        }
        writer.finish(&Fleet::of(record.facts)).unwrap();

        let mut stored = Vec::new();
        let take = |body: &str| -> Result<(), JournalError> {
            stored.push(body.to_owned());
            Ok(())
        };
        test.journal.stored_messages(&run, take).unwrap();
        let written = messages.map(|message| serde_json::to_string(&message).unwrap());
        assert_eq!(stored, written);

        let later = Timestamp::now() + Duration::from_secs(48 * 3600);
        let removed = test.journal.prune_logs(later).unwrap();
        assert_eq!(removed.files, 1);
        files.copy(&used, &mut Vec::new()).unwrap();
        assert!(files.copy(&unused, &mut Vec::new()).is_err());
    }

    #[test]
    fn an_index_finds_those_messages() {
        let test = TestJournal::new();
        let explain = format!("EXPLAIN QUERY PLAN {REFERRED}");
        let mut plan = test.journal.conn().prepare(&explain).unwrap();
        let plan = plan.query_map([], |row| row.get::<_, String>(3)).unwrap();
        let plan: Vec<String> = plan.map(Result::unwrap).collect();
        assert!(plan[0].contains("message_log_file"), "{plan:?}");
    }
}
