//! Where the log goes: standard error, or a private file while the dashboard owns the terminal; and how its lines begin.
//! They are written by `stderr_and_log`, so that logging never blocks, and `log_file` bounds the file.

use std::fmt;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};

use super::log_file::LogFile;
use super::show_session::OutputMode;
use super::stderr_and_log::{self, LineWriter};
use crate::cli::args::Cli;
use crate::cli::process::private_file;

/// The log file's writer, so that it can be waited for.
static FILE: OnceLock<LineWriter> = OnceLock::new();

/// Waits until all that was logged and said is written, but not for a file, pipe or terminal that takes nothing.
pub(in crate::cli) fn finish() {
    if let Some(lines) = FILE.get() {
        lines.finish();
    }
    stderr_and_log::finish_stderr();
}

/// Waits when it is dropped, as [`finish`] does.
pub(in crate::cli) struct Finish;

impl Drop for Finish {
    fn drop(&mut self) {
        finish();
    }
}

/// Logs where `how` leaves room for it; the file, if it is one.
pub(in crate::cli) fn start(cli: &Cli, how: OutputMode) -> io::Result<Option<PathBuf>> {
    match (how, &cli.log) {
        (OutputMode::Plain | OutputMode::Json, None) => {
            to_stderr(cli.verbose)?;
            Ok(None)
        }
        (_, file) => to_file(cli.verbose, file.as_deref()).map(Some),
    }
}

/// Logs to standard error.
fn to_stderr(verbose: u8) -> io::Result<()> {
    let lines = stderr_and_log::stderr()?;
    tracing_subscriber::fmt()
        .with_env_filter(filter(verbose, "warn"))
        .with_timer(TimeAndRun)
        .with_writer(move || lines.clone())
        // It would say so on standard error, which is what failed, and panic at that.
        .log_internal_errors(false)
        .with_ansi(false)
        .init();
    Ok(())
}

/// Logs to `file`, or to the usual place; the path is returned.
fn to_file(verbose: u8, file: Option<&Path>) -> io::Result<PathBuf> {
    let path = match file {
        Some(path) => path.to_owned(),
        None => usual_place()?,
    };
    let log = LogFile::open(&path)
        .map_err(|e| io::Error::new(e.kind(), format!("log file {}: {e}", path.display())))?;
    if file.is_none() {
        // An older log may have been made by another umask; what is the user's choice is left alone.
        log.file().set_permissions(Permissions::from_mode(0o600))?;
    }
    let lines = LineWriter::start(log)?;
    let _ = FILE.set(lines.clone());
    tracing_subscriber::fmt()
        .with_env_filter(filter(verbose, "info"))
        .with_timer(TimeAndRun)
        .with_writer(move || lines.clone())
        .log_internal_errors(false)
        .with_ansi(false)
        .init();
    Ok(path)
}

/// `RUST_LOG` wins over `-v`. Only hemfleet's own lines go beyond warnings: other crates' debug lines
/// may hold headers.
fn filter(verbose: u8, quiet: &str) -> EnvFilter {
    EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        let own = match verbose {
            0 => quiet,
            1 => "debug",
            _ => "trace",
        };
        EnvFilter::new(format!("warn,hemfleet={own}"))
    })
}

fn usual_place() -> io::Result<PathBuf> {
    let dir = private_file::state_folder()
        .map_err(|e| io::Error::new(e.kind(), format!("{e}; say where with --log FILE")))?;
    Ok(dir.join("hemfleet.log"))
}

/// The time and, once there is one, the id of the run: so that the lines of one run are found in a log of many.
struct TimeAndRun;

impl FormatTime for TimeAndRun {
    fn format_time(&self, out: &mut Writer<'_>) -> fmt::Result {
        SystemTime.format_time(out)?;
        match stderr_and_log::run() {
            Some(run) => write!(out, " {run}"),
            None => Ok(()),
        }
    }
}
