//! The journal as a file: made for its owner alone, opened, and looked at again and again, since somebody may remove or
//! replace it while it is in use.
//!
//! SQLite's locks are POSIX locks, which a process loses when it closes *any* descriptor of the file. So the file is never
//! opened here once it is there.

use std::fmt::Write as _;
use std::fs::{self, DirBuilder, File, Metadata, OpenOptions, Permissions};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{
    DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _,
};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, MAIN_DB, OpenFlags};
use rustix::fs::Access;

use super::error::JournalError;
use super::schema;
use crate::model::RunId;

/// How long another process may be writing.
const BUSY: Duration = Duration::from_secs(5);

/// A journal up to this size is read and checked as a whole before it is used; it takes about a tenth of a second.
const CHECKED: u64 = 64 << 20;

/// The journal as a file.
#[derive(Clone, Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    mark: FileMark,
}

/// Which file it is, whatever it is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct FileMark {
    dev: u64,
    ino: u64,
}

impl FileMark {
    fn of(found: &Metadata) -> Self {
        let (dev, ino) = (found.dev(), found.ino());
        Self { dev, ino }
    }
}

impl DatabaseFile {
    /// The journal at `path`, made where there is none.
    pub(super) fn made(path: &Path) -> Result<Self, JournalError> {
        let absolute = std::path::absolute(path).map_err(|source| JournalError::Folder {
            path: path.to_path_buf(),
            source,
        })?;
        let folder = absolute.parent().unwrap_or(Path::new("/"));
        let broken = |source| JournalError::Folder {
            path: folder.to_path_buf(),
            source,
        };
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(broken)?;
        let new = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&absolute);
        match new {
            // The name outlives a power cut as well; a file system that cannot promise that has done what it can.
            Ok(_) => {
                let _ = File::open(folder).and_then(|folder| folder.sync_all());
            }
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) if e.kind() == io::ErrorKind::ReadOnlyFilesystem => {
                return Err(JournalError::ReadOnly(absolute));
            }
            Err(e) if is_full(&e) => return Err(JournalError::Full(absolute)),
            Err(source) => {
                return Err(JournalError::Unopened {
                    path: absolute,
                    source: source.into(),
                });
            }
        }
        Self::found(&absolute)?.ok_or(JournalError::Removed(absolute))
    }

    /// The journal at `path`, where there is one.
    pub(super) fn found(path: &Path) -> Result<Option<Self>, JournalError> {
        let unopened = |source: io::Error| JournalError::Unopened {
            path: path.to_path_buf(),
            source: source.into(),
        };
        // One spelling: the names of locks are made from it.
        let path = match path.canonicalize() {
            Ok(path) => path,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(unopened(e)),
        };
        let found = path.metadata().map_err(unopened)?;
        if !found.is_file() {
            return Err(JournalError::NotAFile(path));
        }
        if found.uid() != rustix::process::geteuid().as_raw() {
            let owner = found.uid();
            return Err(JournalError::NotYours { path, owner });
        }
        if found.mode() & 0o077 != 0 {
            // On a read-only file system it stays as it is.
            let _ = fs::set_permissions(&path, Permissions::from_mode(0o600));
        }
        let mark = FileMark::of(&found);
        Ok(Some(Self { path, mark }))
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The lock of a run: who holds it writes the run.
    pub(super) fn lock_of(&self, run: &RunId) -> PathBuf {
        self.beside(&format!("-run-{run}.lock"))
    }

    /// A file beside it, whose name goes on like this.
    pub(super) fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(ending);
        name.into()
    }

    /// What SQLite says of it.
    pub(super) fn sql<T>(&self, said: rusqlite::Result<T>) -> Result<T, JournalError> {
        said.map_err(|error| JournalError::of(&self.path, error))
    }

    /// Opens it for writing. Its format is another question.
    pub(super) fn connect(&self) -> Result<Connection, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = self.readable(Connection::open_with_flags(&self.path, flags));
        match conn {
            // It is there, and SQLite may not make its files beside it.
            Err(JournalError::Unopened { .. }) if !self.is_in_writable_folder() => {
                Err(JournalError::ReadOnly(self.path.clone()))
            }
            conn => {
                self.is_there()?;
                conn
            }
        }
    }

    fn is_in_writable_folder(&self) -> bool {
        let folder = self.path.parent().unwrap_or(Path::new("/"));
        rustix::fs::access(folder, Access::WRITE_OK).is_ok()
    }

    /// A connection that has read something: only then SQLite has opened the file.
    fn readable(&self, conn: rusqlite::Result<Connection>) -> Result<Connection, JournalError> {
        let conn = self.sql(conn)?;
        self.sql(set_up(&conn))?;
        let count = "SELECT count(*) FROM sqlite_schema";
        let _: i64 = self.sql(conn.query_row(count, [], |row| row.get(0)))?;
        Ok(conn)
    }

    /// Opens it for reading alone, as on a medium that cannot be written to.
    pub(super) fn connect_read_only(&self) -> Result<Connection, JournalError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let conn = self.readable(Connection::open_with_flags(&self.path, flags));
        if conn.is_ok() || self.wal().is_some() {
            return conn;
        }
        // Nobody writes it there, and all of it is in the one file.
        let mut uri = "file:".to_owned();
        for byte in self.path.as_os_str().as_bytes() {
            let _ = write!(uri, "%{byte:02x}");
        }
        uri.push_str("?immutable=1");
        let flags = flags | OpenFlags::SQLITE_OPEN_URI;
        self.readable(Connection::open_with_flags(uri, flags))
    }

    /// Makes sure that it is sound and can be written to, with a write that changes nothing.
    pub(super) fn check(&self, conn: &Connection) -> Result<(), JournalError> {
        if self.sql(conn.is_readonly(MAIN_DB))? {
            return Err(JournalError::ReadOnly(self.path.clone()));
        }
        // Before anything is written: another program's file is left as it is.
        if schema::is_old(conn, self)? {
            self.sql(schema::set_up_new(conn))?;
        }
        let mode: String =
            self.sql(conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)))?;
        if mode != "wal" {
            let what = format!("its file system has no shared memory (journal mode {mode})");
            let path = self.path.clone();
            return Err(JournalError::Io { path, what });
        }
        schema::migrate(conn, self)?;
        self.check_pages(conn)?;
        let version: i64 =
            self.sql(conn.pragma_query_value(None, "user_version", |row| row.get(0)))?;
        self.sql(conn.pragma_update(None, "user_version", version))
    }

    /// Reads all of a small journal, and looks whether it is sound.
    fn check_pages(&self, conn: &Connection) -> Result<(), JournalError> {
        let size = self.path.metadata().map_or(0, |found| found.len());
        if size > CHECKED {
            return Ok(());
        }
        let said: String =
            self.sql(conn.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)))?;
        if said == "ok" {
            return Ok(());
        }
        Err(JournalError::corrupt(self.path.clone(), &said))
    }

    /// The file beside it where new commits stand first, as long as the journal is open.
    pub(super) fn wal(&self) -> Option<FileMark> {
        let found = self.beside("-wal").symlink_metadata().ok()?;
        Some(FileMark::of(&found))
    }

    /// Makes sure that the file in use is the one that stands there.
    pub(super) fn is_there(&self) -> Result<(), JournalError> {
        match self.path.symlink_metadata() {
            Ok(found) if FileMark::of(&found) == self.mark => Ok(()),
            Ok(_) => Err(JournalError::Replaced(self.path.clone())),
            Err(_) => Err(JournalError::Removed(self.path.clone())),
        }
    }
}

fn set_up(conn: &Connection) -> rusqlite::Result<()> {
    conn.busy_timeout(BUSY)?;
    // Damage is found where it is read.
    conn.pragma_update(None, "cell_size_check", true)?;
    // Commits that somebody waits for are made with FULL.
    conn.pragma_update(None, "synchronous", "NORMAL")
}

fn is_full(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
    )
}
