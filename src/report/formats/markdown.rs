//! Markdown, as GitHub and GitLab read it: what needs a look, a table of the devices, their timelines, and the lines of
//! their logs that verify.

use std::io::{self, Write};

use super::overview::{self, COLUMNS, LINES, STEPS};
use crate::report::run_report::RunReport;

pub(super) fn write(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "# {}\n", escape(&overview::title(report)))?;
    for (name, text) in overview::facts(report) {
        writeln!(out, "- **{name}**: {}", escape(&text))?;
    }
    let concerns = overview::concerns(report);
    if !concerns.is_empty() {
        writeln!(out, "\n## Needs a look")?;
    }
    for concern in concerns {
        writeln!(out, "\n### {}\n", escape(&concern.head))?;
        for item in concern.items {
            writeln!(out, "- {}", escape(&item))?;
        }
        if let Some(hint) = concern.hint {
            writeln!(out, "\nHint: {}", escape(&hint))?;
        }
    }
    writeln!(out, "\n## Devices\n")?;
    head(&COLUMNS, out)?;
    for device in &report.devices {
        row(&overview::cells(device), out)?;
    }
    writeln!(out, "\n## Timelines")?;
    for device in &report.devices {
        if device.timeline.is_empty() {
            continue;
        }
        writeln!(out, "\n### {}\n", escape(&device.device))?;
        for (name, text) in overview::verdicts(device) {
            writeln!(out, "- {name}: {}", escape(&text))?;
        }
        writeln!(out)?;
        head(&STEPS, out)?;
        for step in &device.timeline {
            row(&overview::step_cells(step), out)?;
        }
        if let Some((text, log)) = overview::log(device) {
            writeln!(out, "\n{}\n", escape(&text))?;
            head(&LINES, out)?;
            for line in &log.lines {
                row(&overview::line_cells(line), out)?;
            }
        }
    }
    Ok(())
}

fn head(columns: &[&str], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "| {} |", columns.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(columns.len()))
}

fn row(cells: &[String], out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<String> = cells.iter().map(|cell| escape(cell)).collect();
    writeln!(out, "| {} |", cells.join(" | "))
}

/// `text` as text: in a table's cell, in a list and in a heading. Nothing in it is markup, HTML, a link or somebody who
/// is told of it.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '@' => out.push_str("&#64;"),
            // Both make a link by themselves.
            '/' if before == ':' => out.push_str("&#47;"),
            '.' if before == 'w' || before == 'W' => out.push_str("&#46;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' | '$' | '!' | '{' | '}' => {
                out.extend(['\\', c]);
            }
            // A line ends a cell, and begins a list or a heading.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        before = c;
    }
    out
}
