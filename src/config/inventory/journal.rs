//! Where runs are recorded: `[journal]`.

use std::path::PathBuf;
use std::time::Duration;

use super::keys::{JOURNAL, path, table};
use crate::config::JournalSettings;
use crate::config::toml::reader::{Field, Reader, Section};

/// What `[journal]` says.
#[derive(Debug, Default)]
pub(in crate::config) struct JournalPart {
    path: Field<PathBuf>,
    keep: Field<Duration>,
    /// Whether something is wrong with the table.
    is_faulty: bool,
}

impl JournalPart {
    /// The values given, and the defaults for the others.
    pub(in crate::config) fn fill(&self) -> JournalSettings {
        let defaults = JournalSettings::default();
        JournalSettings {
            path: self.path.value().cloned(),
            keep: self.keep.value().copied().unwrap_or(defaults.keep),
        }
    }

    /// The same where nothing is wrong with the table: whoever misspelled a key does not mean another journal.
    pub(in crate::config) fn sound(&self) -> Option<JournalSettings> {
        (!self.is_faulty).then(|| self.fill())
    }
}

/// Reads `[journal]`.
pub(super) fn read(reader: &mut Reader, root: &Section<'_>) -> JournalPart {
    let before = reader.faults();
    let mut part = JournalPart::default();
    if let Some(s) = table(reader, root, "journal", JOURNAL) {
        part.path = path(reader, &s, "path");
        part.keep = s.duration(reader, "keep");
    }
    part.is_faulty = reader.faults() > before || !reader.read_all();
    part
}
