//! Report files: one [`RunReport`] in five formats. The sixth, `.jsonl`, is the events themselves
//! ([`JsonLines`](super::JsonLines)). `cli` opens the files.
//!
//! Whatever a device, an image or an inventory says is text here: each format escapes it in one function of its own.

mod csv;
mod html;
mod junit;
mod markdown;
mod markup;
mod overview;

use std::io::{self, Write};

use super::RunReport;

/// How a report is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReportFormat {
    /// One JSON object with all that there is.
    Json,
    /// Markdown, for a ticket or a wiki.
    Markdown,
    /// A row for each device, for a spreadsheet.
    Csv,
    /// JUnit XML, for a CI server: a test case for each device.
    Junit,
    /// A page that needs nothing else, for people and printers.
    Html,
}

impl ReportFormat {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Json,
        Self::Markdown,
        Self::Csv,
        Self::Junit,
        Self::Html,
    ];

    /// What a file of this format ends in, without the dot.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Markdown => "md",
            Self::Csv => "csv",
            Self::Junit => "xml",
            Self::Html => "html",
        }
    }

    /// The format of a file that ends in this; capitals do not matter.
    pub fn of_ending(ending: &str) -> Option<Self> {
        let mut all = Self::ALL.into_iter();
        all.find(|format| format.ending().eq_ignore_ascii_case(ending))
    }

    /// Writes the whole file.
    ///
    /// # Errors
    ///
    /// The error of the writer.
    pub fn write(self, report: &RunReport, out: &mut impl Write) -> io::Result<()> {
        match self {
            Self::Json => {
                serde_json::to_writer_pretty(&mut *out, report)?;
                writeln!(out)
            }
            Self::Markdown => markdown::write(report, out),
            Self::Csv => csv::write(report, out),
            Self::Junit => junit::write(report, out),
            Self::Html => html::write(report, out),
        }
    }
}

/// Seconds with milliseconds: `12.345`.
fn seconds(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests;
