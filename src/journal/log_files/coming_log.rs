//! A file on its way into the folder: compressed as it comes, and not there before it is whole.

use std::fs::File;
use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use tempfile::NamedTempFile;

use super::{LogFiles, PARTIAL, private_folder};
use crate::engine::KeptFile;
use crate::model::human_bytes;

impl LogFiles {
    /// A file that is about to come.
    ///
    /// # Errors
    ///
    /// There is no room for it, or the folder cannot be written to.
    pub fn begin(&self) -> io::Result<ComingLog> {
        private_folder(&self.dir)?;
        self.ensure_room(0)?;
        let file = tempfile::Builder::new()
            .prefix(PARTIAL)
            .tempfile_in(&*self.dir)?;
        let bounded = Bounded {
            file,
            written: 0,
            limit: self.limits.compressed,
        };
        Ok(ComingLog {
            files: self.clone(),
            to: GzEncoder::new(bounded, Compression::default()),
            hash: Sha256::new(),
            bytes: 0,
        })
    }
}

/// A file on its way. Dropped before it is kept, nothing of it is left.
#[derive(Debug)]
pub struct ComingLog {
    files: LogFiles,
    to: GzEncoder<Bounded>,
    hash: Sha256,
    bytes: u64,
}

impl ComingLog {
    /// Takes in the next bytes.
    ///
    /// # Errors
    ///
    /// It becomes too large, or cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes += bytes.len() as u64;
        if self.bytes > self.files.limits.file {
            return Err(too_large(self.files.limits.file));
        }
        self.hash.update(bytes);
        self.to.write_all(bytes)
    }

    /// Keeps it, of which all came or not. Once this returns, it outlives a power cut.
    ///
    /// # Errors
    ///
    /// There is no room for it, or it cannot be written.
    pub fn keep(self, whole: bool) -> io::Result<KeptFile> {
        let Bounded { file, written, .. } = self.to.finish()?;
        let sha256 = self.hash.finalize().into();
        let path = self.files.path(&sha256);
        let folder = path.parent().unwrap_or(&self.files.dir);
        if !path.exists() {
            self.files.count(written)?;
        }
        private_folder(folder)?;
        file.as_file().sync_all()?;
        // One of that name has the same bytes, unless it was damaged; and it is used again as of now.
        file.persist(&path)?;
        for dir in [folder, &self.files.dir] {
            // A file system that cannot promise that a name outlives a power cut has done what it can.
            let _ = File::open(dir).and_then(|dir| dir.sync_all());
        }
        Ok(KeptFile {
            sha256,
            bytes: self.bytes,
            whole,
        })
    }
}

/// A file that does not grow beyond its limit.
#[derive(Debug)]
struct Bounded {
    file: NamedTempFile,
    written: u64,
    limit: u64,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.written.saturating_add(bytes.len() as u64) > self.limit {
            return Err(too_large(self.limit));
        }
        let n = self.file.write(bytes)?;
        self.written += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn too_large(limit: u64) -> io::Error {
    io::Error::other(format!(
        "larger than the {} that are kept",
        human_bytes(limit)
    ))
}
