//! Writes the folder: whole, or not at all, and never over another one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use rustix::io::Errno;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::documents::{
    EVENTS_FILE, FORMAT, Hash, Header, LogEvidence, LogVerdict, MANIFEST_FILE, README, README_FILE,
    RUN_FILE, RunDocument, SIGNATURE_FILE, VERDICTS_FILE, Verdicts, event_line, json,
};
use super::manifest::Manifest;
use super::signature;
use super::verdicts::Judge;
use crate::engine::{LogSource, Message};
use crate::journal::{LogFiles, RunRecord};
use crate::model::chain;

/// Why there is no folder.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceRefused {
    /// Something has its name.
    #[error("{} exists, and is left alone", .0.display())]
    Exists(PathBuf),
    /// It cannot be written.
    #[error("the evidence cannot be written to {}", path.display())]
    Unwritten {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It cannot be signed.
    #[error("the evidence cannot be signed with {}: {why}", key.display())]
    NotSigned {
        /// The key.
        key: PathBuf,
        /// Why not.
        why: String,
    },
    /// There is no journal.
    #[error("there is no journal, so no run")]
    NoJournal,
    /// There is no run in it.
    #[error("the journal holds no run")]
    NoRun,
    /// A message of the run is none.
    #[error("the run cannot be read: {0}")]
    Run(String),
}

impl EvidenceRefused {
    /// What to do about it.
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Exists(_) => Some("name another folder with -o DIR"),
            Self::NotSigned { .. } => Some(
                "a key with a passphrase has to be in a running ssh-agent (ssh-add KEY): nothing is asked here",
            ),
            Self::Run(_) => Some(
                "please report it as a fault, with the file of hemfleet history export RUN --anonymise -o FILE",
            ),
            Self::NoJournal => Some("name it with --journal FILE"),
            Self::Unwritten { .. } | Self::NoRun => None,
        }
    }
}

/// What was written.
#[derive(Debug)]
pub(in crate::cli) struct Written {
    /// Log files that are in the folder.
    pub(in crate::cli) logs: usize,
    /// Those that are not, though they decided: the device and why.
    pub(in crate::cli) absent: Vec<(String, String)>,
}

/// A folder on its way.
pub(in crate::cli) struct Bundle<'a> {
    dir: TempDir,
    out: PathBuf,
    logs: &'a LogFiles,
    manifest: Manifest,
    judge: Judge,
    events: Hashing<BufWriter<File>>,
    /// Of the line that was written last.
    last: Hash,
    messages: u64,
    verdicts: Vec<LogVerdict>,
}

impl<'a> Bundle<'a> {
    /// Begins the folder `out` for the run that was made from `record`, whose log files are in `logs`.
    pub(in crate::cli) fn begin(
        out: &Path,
        record: RunRecord,
        logs: &'a LogFiles,
        made: Timestamp,
    ) -> Result<Self, EvidenceRefused> {
        if fs::symlink_metadata(out).is_ok() {
            return Err(EvidenceRefused::Exists(out.to_owned()));
        }
        Self::try_begin(out, record, logs, made).map_err(|e| unwritten(out, e))
    }

    fn try_begin(
        out: &Path,
        record: RunRecord,
        logs: &'a LogFiles,
        made: Timestamp,
    ) -> io::Result<Self> {
        let beside = out.parent().filter(|p| !p.as_os_str().is_empty());
        // What a killed process leaves says whose it is.
        let dir = tempfile::Builder::new()
            .prefix(".hemfleet-evidence-")
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(beside.unwrap_or(Path::new(".")))?;
        let mut manifest = Manifest::default();
        write(&dir, README_FILE, README.as_bytes(), &mut manifest)?;
        let run = record.facts.run.clone();
        let facts = record.facts.clone();
        let document = RunDocument {
            evidence: FORMAT,
            made,
            made_by: env!("CARGO_PKG_VERSION").to_owned(),
            record,
        };
        let run_json = write(&dir, RUN_FILE, &json(&document)?, &mut manifest)?;
        let mut bundle = Self {
            events: Hashing::new(BufWriter::new(new_file(&dir.path().join(EVENTS_FILE))?)),
            dir,
            out: out.to_owned(),
            logs,
            manifest,
            judge: Judge::new(facts),
            last: run_json,
            messages: 0,
            verdicts: Vec::new(),
        };
        let header = serde_json::to_string(&Header {
            evidence: FORMAT,
            run,
            run_json,
        })?;
        bundle.line(&header)?;
        Ok(bundle)
    }

    /// Adds the next message, as it is stored.
    pub(in crate::cli) fn message(&mut self, stored: &str) -> Result<(), EvidenceRefused> {
        let message: Message = serde_json::from_str(stored)
            .map_err(|e| EvidenceRefused::Run(format!("message {}: {e}", self.messages + 1)))?;
        self.messages += 1;
        let line = event_line(self.messages, self.last, stored);
        self.line(&line).map_err(|e| unwritten(&self.out, e))?;
        // What contradicts itself is written as it is: whoever verifies the folder is told.
        let Ok(Some(claim)) = self.judge.take(self.messages + 1, &message) else {
            return Ok(());
        };
        let mut verdict = claim.verdict;
        if let (Some(source), LogEvidence::Here { log, key }) = (claim.source, &verdict.file)
            && let Err(why) = self.log_file(source, log, key)?
        {
            verdict.file = LogEvidence::Lost { why };
        }
        self.verdicts.push(verdict);
        Ok(())
    }

    /// Copies a log file and writes the answer that proves its key; or says why it is not there any more.
    fn log_file(
        &mut self,
        source: &LogSource,
        log: &str,
        key: &str,
    ) -> Result<Result<(), String>, EvidenceRefused> {
        use crate::journal::LogFileError;
        let path = self.dir.path().join(log);
        let copy = |files: &LogFiles| -> Result<(), LogFileError> {
            if let Some(folder) = path.parent() {
                fs::DirBuilder::new()
                    .recursive(true)
                    .mode(0o700)
                    .create(folder)?;
            }
            let mut file = new_file(&path)?;
            files.copy(&source.file, &mut file)?;
            file.sync_all()?;
            Ok(())
        };
        let lost = match copy(self.logs) {
            Ok(()) => {
                self.manifest.insert(log, Hash(source.file.sha256));
                write(
                    &self.dir,
                    key,
                    source.key_answer.as_bytes(),
                    &mut self.manifest,
                )
                .map_err(|e| unwritten(&self.out, e))?;
                return Ok(Ok(()));
            }
            Err(LogFileError::Io(e)) if e.kind() != io::ErrorKind::NotFound => {
                return Err(unwritten(&self.out, e));
            }
            Err(LogFileError::Io(_)) => "it is gone from the folder beside the journal".to_owned(),
            Err(damaged) => chain(&damaged),
        };
        let _ = fs::remove_file(&path);
        if let Some(folder) = path.parent() {
            // Only where it is empty.
            let _ = fs::remove_dir(folder);
            let _ = folder.parent().map(fs::remove_dir);
        }
        Ok(Err(lost))
    }

    fn line(&mut self, line: &str) -> io::Result<()> {
        self.events.write_all(line.as_bytes())?;
        self.events.write_all(b"\n")?;
        self.last = Hash(Sha256::digest(line).into());
        Ok(())
    }

    /// Signs it where there is a key, and gives it its name.
    pub(in crate::cli) fn finish(
        mut self,
        sign_key: Option<&Path>,
    ) -> Result<Written, EvidenceRefused> {
        let run = self.judge.run(self.messages, self.last);
        let out = self.out.clone();
        let failed = |e| unwritten(&out, e);
        self.events.flush().map_err(failed)?;
        self.manifest.insert(EVENTS_FILE, self.events.hash());
        let file = self
            .events
            .to
            .into_inner()
            .map_err(|e| failed(e.into_error()))?;
        file.sync_all().map_err(failed)?;
        let verdicts = Verdicts {
            evidence: FORMAT,
            run,
            logs: self.verdicts,
        };
        let (dir, manifest) = (&self.dir, &mut self.manifest);
        json(&verdicts)
            .and_then(|bytes| write(dir, VERDICTS_FILE, &bytes, manifest))
            .map_err(failed)?;
        let text = self.manifest.text();
        let path = self.dir.path().join(MANIFEST_FILE);
        let save = |path: &Path, bytes: &[u8]| {
            let mut file = new_file(path)?;
            file.write_all(bytes)?;
            file.sync_all()
        };
        save(&path, text.as_bytes()).map_err(failed)?;
        if let Some(key) = sign_key {
            let not_signed = |why| EvidenceRefused::NotSigned {
                key: key.to_owned(),
                why,
            };
            let signature = signature::sign(&path, key).map_err(not_signed)?;
            save(&self.dir.path().join(SIGNATURE_FILE), &signature).map_err(failed)?;
        }
        name(self.dir, &out)?;
        Ok(written(&verdicts.logs))
    }
}

fn written(logs: &[LogVerdict]) -> Written {
    let mut written = Written {
        logs: 0,
        absent: Vec::new(),
    };
    for log in logs {
        match &log.file {
            LogEvidence::Here { .. } => written.logs += 1,
            LogEvidence::NotKept { why } | LogEvidence::Lost { why } => {
                written.absent.push((log.device.to_string(), why.clone()));
            }
            LogEvidence::None => {}
        }
    }
    written
}

/// Gives the folder its name, unless something has it.
fn name(dir: TempDir, out: &Path) -> Result<(), EvidenceRefused> {
    let named = match renameat_with(CWD, dir.path(), CWD, out, RenameFlags::NOREPLACE) {
        // A file system that does not know how: an empty folder is replaced at once, and no other is.
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::DirBuilder::new()
            .mode(0o700)
            .create(out)
            .and_then(|()| fs::rename(dir.path(), out)),
        other => other.map_err(io::Error::from),
    };
    match named {
        Ok(()) => {
            let _ = dir.keep();
            let beside = out.parent().filter(|p| !p.as_os_str().is_empty());
            // A file system that cannot promise that a name outlives a power cut has done what it can.
            let _ = File::open(beside.unwrap_or(Path::new("."))).and_then(|d| d.sync_all());
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
            Err(EvidenceRefused::Exists(out.to_owned()))
        }
        Err(e) => Err(unwritten(out, e)),
    }
}

fn unwritten(path: &Path, source: io::Error) -> EvidenceRefused {
    EvidenceRefused::Unwritten {
        path: path.to_owned(),
        source,
    }
}

/// Writes a file, and has the manifest name it.
fn write(dir: &TempDir, name: &str, bytes: &[u8], manifest: &mut Manifest) -> io::Result<Hash> {
    let mut file = new_file(&dir.path().join(name))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    let hash = Hash(Sha256::digest(bytes).into());
    manifest.insert(name, hash);
    Ok(hash)
}

/// A new file for its owner alone.
fn new_file(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
}

/// Hashes what is written.
struct Hashing<W> {
    to: W,
    hash: Sha256,
}

impl<W: Write> Hashing<W> {
    fn new(to: W) -> Self {
        Self {
            to,
            hash: Sha256::new(),
        }
    }

    fn hash(&self) -> Hash {
        Hash(self.hash.clone().finalize().into())
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.to.write(bytes)?;
        self.hash.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
