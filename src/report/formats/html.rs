//! HTML: one page without scripts that loads nothing. Words and signs say what colours say, and it prints.

use std::io::{self, Write};

use super::markup::escape;
use super::overview::{self, COLUMNS, LINES, STEPS};
use crate::model::OutcomeKind;
use crate::report::Exit;
use crate::report::run_report::{DeviceReport, RunReport};

const STYLE: &str = include_str!("report.css");

pub(super) fn write(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let title = escape(&overview::title(report));
    // Should an escape ever be forgotten, the page still runs and loads nothing.
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"/>\n<meta \
         name=\"viewport\" content=\"width=device-width\"/>\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n\
         <body>\n<h1>{title}</h1>"
    )?;
    writeln!(out, "<dl>")?;
    for (name, text) in overview::facts(report) {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&text))?;
    }
    writeln!(out, "</dl>")?;
    needs_a_look(report, out)?;
    writeln!(out, "<h2>Devices</h2>\n<table class=\"devices\">")?;
    head(&COLUMNS, out)?;
    for (n, device) in report.devices.iter().enumerate() {
        let mut cells = overview::cells(device).map(|cell| escape(&cell));
        if !device.timeline.is_empty() {
            cells[0] = format!("<a href=\"#d{n}\">{}</a>", cells[0]);
        }
        row(class(device), &cells, out)?;
    }
    writeln!(out, "</tbody></table>\n<h2>Timelines</h2>")?;
    for (n, device) in report.devices.iter().enumerate() {
        timeline(n, device, out)?;
    }
    writeln!(out, "</body>\n</html>")
}

fn needs_a_look(report: &RunReport, out: &mut impl Write) -> io::Result<()> {
    let concerns = overview::concerns(report);
    if concerns.is_empty() {
        return Ok(());
    }
    writeln!(out, "<h2>Needs a look</h2>")?;
    for concern in concerns {
        writeln!(out, "<section>\n<h3>{}</h3>\n<ul>", escape(&concern.head))?;
        for item in concern.items {
            writeln!(out, "<li>{}</li>", escape(&item))?;
        }
        writeln!(out, "</ul>")?;
        if let Some(hint) = concern.hint {
            writeln!(out, "<p><b>Hint:</b> {}</p>", escape(&hint))?;
        }
        writeln!(out, "</section>")?;
    }
    Ok(())
}

fn timeline(n: usize, device: &DeviceReport, out: &mut impl Write) -> io::Result<()> {
    if device.timeline.is_empty() {
        return Ok(());
    }
    let name = escape(&device.device);
    writeln!(
        out,
        "<section id=\"d{n}\">\n<h3>{name}</h3>\n<p class=\"{}\">{} {}</p>\n<dl>",
        class(device),
        device.sign(),
        device.words()
    )?;
    for (name, text) in overview::verdicts(device) {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escape(&text))?;
    }
    writeln!(out, "</dl>\n<table>")?;
    head(&STEPS, out)?;
    for step in &device.timeline {
        let cells = overview::step_cells(step).map(|cell| escape(&cell));
        let class = if step.reason.is_some() { "bad" } else { "" };
        row(class, &cells, out)?;
    }
    writeln!(out, "</tbody></table>")?;
    if let Some((text, log)) = overview::log(device) {
        writeln!(out, "<p>{}</p>\n<table>", escape(&text))?;
        head(&LINES, out)?;
        for line in &log.lines {
            let cells = overview::line_cells(line).map(|cell| escape(&cell));
            row(if line.decides { "decides" } else { "" }, &cells, out)?;
        }
        writeln!(out, "</tbody></table>")?;
    }
    writeln!(out, "</section>")
}

fn head(columns: &[&str], out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<String> = columns
        .iter()
        .map(|name| format!("<th scope=\"col\">{name}</th>"))
        .collect();
    writeln!(out, "<thead><tr>{}</tr></thead><tbody>", cells.concat())
}

/// A row of cells that are escaped already.
fn row(class: &str, cells: &[String], out: &mut impl Write) -> io::Result<()> {
    let cells: Vec<String> = cells
        .iter()
        .map(|cell| format!("<td>{cell}</td>"))
        .collect();
    writeln!(out, "<tr class=\"{class}\">{}</tr>", cells.concat())
}

/// The colour of a device, which its sign and word do without.
fn class(device: &DeviceReport) -> &'static str {
    match (device.exit, device.outcome) {
        (Exit::Good, Some(OutcomeKind::Upgraded | OutcomeKind::Audited)) => "good",
        (Exit::Failed, _) => "bad",
        (Exit::Doubt, _) => "warn",
        (_, _) if device.in_doubt => "warn",
        _ => "dull",
    }
}
