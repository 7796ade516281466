//! `hemfleet report`: the report of a run of the journal. The formats are those of `--report`.

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use crate::cli::CliError;
use crate::cli::args::journal::{Report, ReportAs};
use crate::cli::journal_lines::{report_of, run_of};
use crate::cli::output::plain_stdout::plain_stdout;
use crate::cli::process::private_file::PartialFile;
use crate::report::ReportFormat;

/// `hemfleet report`.
pub(in crate::cli) fn report(args: &Report) -> Result<ExitCode, CliError> {
    let (journal, entry) = run_of(&args.journal, args.run.as_deref())?;
    let report = report_of(&entry, &journal.load(&entry.run)?);
    let format = match args.format {
        ReportAs::Markdown => ReportFormat::Markdown,
        ReportAs::Html => ReportFormat::Html,
        ReportAs::Csv => ReportFormat::Csv,
        ReportAs::Json => ReportFormat::Json,
        ReportAs::Junit => ReportFormat::Junit,
    };
    let mut text = Vec::new();
    format.write(&report, &mut text)?;
    match &args.out {
        Some(path) => write_file(path, &text)?,
        None => plain_stdout().write_all(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Writes a file for its owner alone, whole or not at all; one that was there is replaced.
pub(in crate::cli) fn write_file(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let write = || {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty());
        let mut partial = PartialFile::new(dir.unwrap_or(Path::new(".")))?;
        partial.write(bytes)?;
        partial.replace(path)
    };
    write().map_err(|source| CliError::Unwritten {
        path: path.to_owned(),
        source,
    })
}
