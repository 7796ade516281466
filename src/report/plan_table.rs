//! The plan as a table on the normal screen: for `hemfleet plan`, and before the question whether to start. Nothing
//! is cut, because a pipe has no width. The dashboard's plan is `tui::view::plan`.

use std::io::{self, Write};

use unicode_width::UnicodeWidthStr as _;

use super::phrases;
use super::style::{LineLook, LineStyle};
use crate::engine::{DevicePhase, DeviceState, Fleet, plan_counts};
use crate::model::{Failure, OutcomeKind, Verdict, human_bytes, padded};

const COLUMNS: [&str; 6] = ["DEVICE", "GROUP", "NOW", "NEW", "VERDICT", "WHY"];

/// Writes what would happen to each device and why, then the counts.
///
/// A device that cannot be upgraded has a hint on the line below it; a link that proves nothing is
/// marked in the device's line and named below the table.
pub fn plan_table(fleet: &Fleet, out: &mut impl Write, look: LineLook) -> io::Result<()> {
    payload(fleet, out, look)?;
    table(fleet, out, look)?;
    for warning in phrases::link_warnings(fleet) {
        let warning = format!("WARNING: {warning}");
        writeln!(out, "{}", look.paint(Some(LineStyle::Warn), &warning))?;
    }
    writeln!(out, "{}", look.text(&closing(fleet)))
}

/// What would be sent.
fn payload(fleet: &Fleet, out: &mut impl Write, look: LineLook) -> io::Result<()> {
    if let Some(image) = &fleet.payload().firmware {
        let line = format!(
            "image {} · {} · sha256 {}",
            image.version_label(),
            human_bytes(image.file_bytes),
            image.sha256_hex()
        );
        writeln!(out, "{}", look.text(&line))?;
    }
    if let Some(app) = &fleet.payload().app {
        let line = format!(
            "management app{} · {} · sha256 {}",
            app.version.map_or_else(String::new, |v| format!(" {v}")),
            human_bytes(app.file_bytes),
            app.sha256_hex()
        );
        writeln!(out, "{}", look.text(&line))?;
    }
    Ok(())
}

/// A line for each device.
fn table(fleet: &Fleet, out: &mut impl Write, look: LineLook) -> io::Result<()> {
    let cells: Vec<[String; 6]> = fleet
        .devices()
        .iter()
        .map(|device| cells(fleet, device).map(|cell| look.text(&cell).into_owned()))
        .collect();
    let has_group = fleet.devices().iter().any(|device| device.group.is_some());
    let widths: Vec<usize> = (0..COLUMNS.len())
        .map(|n| {
            let cells = cells.iter().map(|row| row[n].width());
            cells.chain([COLUMNS[n].width()]).max().unwrap_or(0)
        })
        .collect();
    let join = |row: [&str; 6]| {
        let mut line = String::new();
        for (n, cell) in row.into_iter().enumerate() {
            if n == 1 && !has_group {
                continue;
            }
            line.push_str(&padded(cell, widths[n] + 2));
        }
        line.trim_end().to_owned()
    };
    writeln!(
        out,
        "{}",
        look.paint(Some(LineStyle::Heading), &join(COLUMNS))
    )?;
    for (device, cells) in fleet.devices().iter().zip(&cells) {
        let line = join(std::array::from_fn(|n| cells[n].as_str()));
        writeln!(out, "{}", look.paint(style(device), &line))?;
        if let Some(hint) = hint(device) {
            writeln!(out, "  hint: {}", look.text(&hint))?;
        }
    }
    Ok(())
}

fn cells(fleet: &Fleet, device: &DeviceState) -> [String; 6] {
    let (verdict, why) = verdict(device);
    let new = match planned(device) {
        Some(Verdict::Upgrade { .. } | Verdict::Downgrade { .. }) => {
            phrases::new_label(fleet.payload())
        }
        _ => String::new(),
    };
    let why: Vec<String> = [
        why,
        phrases::link_mark(device.link)
            .unwrap_or_default()
            .to_owned(),
    ]
    .into_iter()
    .filter(|part| !part.is_empty())
    .collect();
    [
        device.id.to_string(),
        device.group.clone().unwrap_or_default(),
        device.from_label().unwrap_or_else(|| "?".to_owned()),
        new,
        verdict,
        why.join(" · "),
    ]
}

/// The verdict on the device, as long as nothing else has happened to it.
fn planned(device: &DeviceState) -> Option<&Verdict> {
    match device.state {
        DevicePhase::Planned => device.verdict.as_ref(),
        _ => None,
    }
}

fn verdict(device: &DeviceState) -> (String, String) {
    match (planned(device), device.outcome()) {
        (Some(verdict), _) => (verdict.kind().to_string(), verdict.reason()),
        (None, Some(outcome)) => (outcome.kind().to_string(), outcome.reason()),
        (None, None) => ("?".to_owned(), "not looked at".to_owned()),
    }
}

fn hint(device: &DeviceState) -> Option<String> {
    planned(device)?.failure().map(Failure::hint)
}

fn style(device: &DeviceState) -> Option<LineStyle> {
    match (planned(device), device.outcome_kind()) {
        (Some(verdict), _) if verdict.failure().is_some() => Some(LineStyle::Bad),
        (Some(verdict), _) => LineStyle::of_verdict(verdict.kind()),
        (None, kind) => kind.map(LineStyle::of),
    }
}

/// `9 will be upgraded, 1 is current, 1 skipped, 1 cannot be upgraded. …`
fn closing(fleet: &Fleet) -> String {
    let counts = fleet.counts();
    let mut parts = plan_counts(fleet, "cannot be upgraded");
    let stopped = [
        (counts.of(OutcomeKind::Cancelled), "cancelled"),
        (counts.waiting + counts.running, "not looked at"),
    ];
    let stopped = stopped.into_iter().filter(|(n, _)| *n > 0);
    parts.extend(stopped.map(|(n, words)| format!("{n} {words}")));
    let warning = if fleet.to_confirm() > 0 && fleet.payload().firmware.is_some() {
        " A firmware upgrade cannot be undone."
    } else {
        ""
    };
    let watched = if fleet.to_watch() > 0 {
        " Nothing is sent to a device while it is watched."
    } else {
        ""
    };
    format!(
        "{}: {}.{watched}{warning}",
        phrases::devices(fleet.devices().len()),
        parts.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fixtures::TestRun;
    use crate::engine::{Intent, Mode};
    use crate::model::{FailureKind, LinkTrust, Outcome, Skip, Touched};
    use crate::report::fixtures::{self, unplugged};

    fn written(run: &TestRun, color: bool) -> String {
        let mut out = Vec::new();
        let look = LineLook {
            color,
            ..LineLook::default()
        };
        plan_table(&run.fleet, &mut out, look).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn ascii_is_all_that_is_written_where_the_locale_is_not_utf_8() {
        let mut out = Vec::new();
        let look = LineLook {
            charset: crate::model::Charset::Ascii,
            ..LineLook::default()
        };
        plan_table(&planned().fleet, &mut out, look).unwrap();
        assert!(out.is_ascii(), "{}", String::from_utf8_lossy(&out));
    }

    fn planned() -> TestRun {
        let links = [
            LinkTrust::Ca,
            LinkTrust::Http,
            LinkTrust::Pinned,
            LinkTrust::Insecure,
            LinkTrust::System,
        ];
        let mut run = fixtures::run_with_links(Mode::Plan, &links);
        run.begin();
        run.planned_upgrade(0, &["clock unset: check-in first"]);
        run.planned_upgrade(1, &[]);
        run.planned(2, Verdict::Current);
        run.planned(3, Verdict::Skip(Skip::Epa));
        run.planned(4, Verdict::from(unplugged()));
        run
    }

    #[test]
    fn each_device_with_its_verdict() {
        insta::assert_snapshot!(written(&planned(), false));
    }

    #[test]
    fn devices_that_are_watched_first_may_be_upgraded_and_the_others_are_not() {
        let closing = |verdicts: [Verdict; 4]| {
            let mut run = fixtures::run_with_links(Mode::Confirm, &[LinkTrust::Ca; 4]);
            run.begin();
            for (n, verdict) in verdicts.into_iter().enumerate() {
                run.planned(n, verdict);
            }
            written(&run, false).lines().last().unwrap().to_owned()
        };
        let current = || Verdict::Current;
        let upgrade = || Verdict::Upgrade { notes: Vec::new() };
        let watch = |goes_on| Verdict::Watch {
            notes: vec!["install sent 12 s ago: do not unplug".to_owned()],
            goes_on,
        };
        assert_eq!(
            closing([watch(true), current(), current(), current()]),
            "4 devices: 1 will be watched first, then upgraded if it needs it, 3 current. Nothing is sent to a \
             device while it is watched. A firmware upgrade cannot be undone."
        );
        assert_eq!(
            closing([watch(true), watch(true), watch(false), upgrade()]),
            "4 devices: 1 will be upgraded, 2 will be watched first, then upgraded if they need it, 1 will only be \
             watched. Nothing is sent to a device while it is watched. A firmware upgrade cannot be undone."
        );
        assert_eq!(
            closing([watch(false), watch(false), current(), current()]),
            "4 devices: 0 will be upgraded, 2 will only be watched, 2 current. Nothing is sent to a device while it \
             is watched."
        );
    }

    #[test]
    fn colour_only_where_wanted() {
        assert!(!written(&planned(), false).contains('\x1b'));
        assert!(written(&planned(), true).contains("\x1b[31mvault-05"));
    }

    #[test]
    fn a_plan_that_was_stopped_says_what_was_not_looked_at() {
        let mut run = fixtures::run_with_links(Mode::Plan, &[LinkTrust::Ca, LinkTrust::Ca]);
        run.begin();
        run.planned_upgrade(0, &[]);
        run.intend(Intent::Interrupt);
        run.finish(0, Outcome::Cancelled(Touched::Nothing));
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn downgrades_are_called_so_and_refused_unless_they_are_meant() {
        let mut run =
            fixtures::run_with_links(Mode::Plan, &[LinkTrust::Ca, LinkTrust::Ca, LinkTrust::Ca]);
        run.begin();
        run.planned_upgrade(0, &[]);
        let older = || FailureKind::Downgrade {
            runs: "1.2.10".to_owned(),
            image: "1.2.3".to_owned(),
        };
        run.planned(1, Verdict::from(older()));
        run.planned(2, Verdict::from(older()));
        insta::assert_snapshot!(written(&run, false));
        let mut run = fixtures::run_with_links(Mode::Plan, &[LinkTrust::Ca]);
        run.begin();
        run.planned(
            0,
            Verdict::Downgrade {
                notes: vec!["older than what runs".to_owned()],
                refused: None,
            },
        );
        insta::assert_snapshot!(written(&run, false));
    }

    #[test]
    fn an_app_is_no_firmware_and_can_be_undone() {
        let mut run = fixtures::run_of(Mode::Plan, &[LinkTrust::Ca], fixtures::app_only());
        run.begin();
        run.planned_upgrade(0, &[]);
        insta::assert_snapshot!(written(&run, false));
        let mut run = fixtures::run_of(Mode::Plan, &[LinkTrust::Ca], fixtures::both());
        run.begin();
        run.planned_upgrade(0, &[]);
        insta::assert_snapshot!(written(&run, false));
    }
}
