//! A table on the normal screen, of which each row may have lines below it. A column is as wide as its cells, but a cell that
//! is much longer than the others moves only its own line: one long name does not make a table of 200 devices unreadable.

use std::io::{self, Write};

use jiff::Timestamp;
use jiff::tz::TimeZone;
use unicode_width::UnicodeWidthStr as _;

use super::style::{LineLook, LineStyle, folded};
use crate::model::padded;

/// How wide a column gets at most.
const WIDEST: usize = 26;

/// How a table is written.
#[derive(Clone, Debug)]
pub struct TableLook {
    /// With which colours and characters.
    pub look: LineLook,
    /// In how many columns lines below a row are folded; a pipe has none.
    pub width: Option<usize>,
    /// In which zone times are told.
    pub zone: TimeZone,
}

impl TableLook {
    /// A moment, to the minute.
    pub(super) fn time(&self, at: Timestamp) -> String {
        let local = at.to_zoned(self.zone.clone());
        local.strftime("%Y-%m-%d %H:%M").to_string()
    }
}

/// A row, and the lines below it.
pub(super) struct TextRow {
    pub(super) cells: Vec<String>,
    pub(super) style: Option<LineStyle>,
    pub(super) below: Vec<(Option<LineStyle>, String)>,
}

/// Rows under their heads. A head that begins with `>` stands over numbers, which are set to the right.
pub(super) struct TextTable {
    pub(super) heads: &'static [&'static str],
    pub(super) rows: Vec<TextRow>,
}

impl TextTable {
    /// Writes it without the columns in which nothing stands. `indent` is that of the lines below a row.
    pub(super) fn write(
        &self,
        how: &TableLook,
        indent: usize,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let look = how.look;
        let shown = |row: &TextRow| -> Vec<String> {
            row.cells
                .iter()
                .map(|cell| look.text(cell).into_owned())
                .collect()
        };
        let rows: Vec<Vec<String>> = self.rows.iter().map(shown).collect();
        let columns: Vec<Column> = (0..self.heads.len())
            .map(|n| Column::of(self.heads[n], rows.iter().map(|row| row[n].as_str())))
            .collect();
        let heads: Vec<&str> = columns.iter().map(|column| column.head).collect();
        let line = look.paint(Some(LineStyle::Heading), &join(&columns, &heads));
        writeln!(out, "{line}")?;
        for (row, cells) in self.rows.iter().zip(&rows) {
            let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
            writeln!(out, "{}", look.paint(row.style, &join(&columns, &cells)))?;
            write_below(&row.below, how, indent, out)?;
        }
        Ok(())
    }
}

/// Lines, folded and indented.
pub(super) fn write_below(
    lines: &[(Option<LineStyle>, String)],
    how: &TableLook,
    indent: usize,
    out: &mut impl Write,
) -> io::Result<()> {
    for (style, text) in lines {
        for line in folded(&how.look.text(text), how.width, indent, indent + 2) {
            writeln!(out, "{}", how.look.paint(*style, &line))?;
        }
    }
    Ok(())
}

struct Column {
    head: &'static str,
    /// Nothing where nothing stands in it.
    width: Option<usize>,
    is_number: bool,
}

impl Column {
    fn of<'a>(head: &'static str, cells: impl Iterator<Item = &'a str>) -> Self {
        let (head, is_number) = match head.strip_prefix('>') {
            Some(head) => (head, true),
            None => (head, false),
        };
        let widest = cells.map(str::width).map(|width| width.min(WIDEST)).max();
        Self {
            head,
            width: widest.filter(|w| *w > 0).map(|w| w.max(head.width())),
            is_number,
        }
    }
}

fn join(columns: &[Column], cells: &[&str]) -> String {
    let mut line = String::new();
    for (column, cell) in columns.iter().zip(cells) {
        let Some(width) = column.width else { continue };
        if column.is_number {
            line.push_str(&" ".repeat(width.saturating_sub(cell.width())));
            line.push_str(cell);
            line.push_str("  ");
        } else {
            line.push_str(&padded(cell, width));
            line.push_str("  ");
        }
    }
    line.trim_end().to_owned()
}
