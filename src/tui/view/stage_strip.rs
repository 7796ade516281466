//! A device's way through the stages, one cell for each: so that the eye sees who is where.

use ratatui::text::Span;

use crate::engine::{DevicePhase, DeviceState, Fleet};
use crate::model::{Outcome, Stage};

use super::text_layout::span;
use crate::tui::theme::{Mark, Tone};

/// The stages that have a cell.
const CELLS: [Stage; WIDTH] = [
    Stage::Probe,
    Stage::Login,
    Stage::Upload,
    Stage::Check,
    Stage::Install,
    Stage::Reboot,
    Stage::Verify,
    Stage::Audit,
];

/// Cells of a strip.
pub(super) const WIDTH: usize = 8;

const DONE: &str = "━";
const TO_COME: &str = "─";

/// Where a device is.
struct Way {
    /// So many stages lie behind it.
    done: usize,
    /// What happens at the next one, if anything does.
    sign: Option<Mark>,
}

/// The strip: what is done, where the device is at work or failed, and what is to come.
pub(super) fn strip(fleet: &Fleet, device: &DeviceState) -> Vec<Span<'static>> {
    let Way { done, sign } = way(fleet, device);
    let rest = WIDTH - done - usize::from(sign.is_some());
    let tone = match Mark::of_device(device).tone {
        Tone::Dull => Tone::Dull,
        _ => Tone::Plain,
    };
    let mut spans = vec![span(DONE.repeat(done), tone.style())];
    spans.extend(sign.map(|mark| span(mark.glyph, mark.tone.bold())));
    spans.push(span(TO_COME.repeat(rest), Tone::Dull.style()));
    spans
}

/// The strip with the name of each stage.
pub(super) fn spelled(fleet: &Fleet, device: &DeviceState) -> Vec<Span<'static>> {
    let Way { done, sign } = way(fleet, device);
    let mut spans = Vec::new();
    for (n, stage) in CELLS.iter().enumerate() {
        let gap = if n == 0 { "" } else { "  " };
        let (glyph, style) = match sign {
            _ if n < done => (DONE, Tone::Plain.style()),
            Some(mark) if n == done => (mark.glyph, mark.tone.bold()),
            _ => (TO_COME, Tone::Dull.style()),
        };
        spans.push(span(format!("{gap}{glyph} {stage}"), style));
    }
    spans
}

fn way(fleet: &Fleet, device: &DeviceState) -> Way {
    let firmware = fleet.payload().firmware.is_some();
    // A device can end well although its last step failed: its log could not be read.
    let behind = device
        .timeline
        .iter()
        .rev()
        .take_while(|step| step.attempt == device.attempt)
        .find(|step| step.failure.is_none())
        .map_or(0, |step| cell(step.stage, firmware) + 1);
    match &device.state {
        DevicePhase::Waiting => Way {
            done: 0,
            sign: None,
        },
        DevicePhase::Starting => Way {
            done: 0,
            sign: Some(Mark::of_device(device)),
        },
        DevicePhase::Running(active) => Way {
            done: cell(active.stage, firmware),
            sign: Some(Mark::of_device(device)),
        },
        DevicePhase::Done(outcome) => match outcome.stage() {
            Some(stage) if !matches!(outcome, Outcome::Unproven(_)) => Way {
                done: cell(stage, firmware),
                sign: Some(Mark::of_outcome(outcome.kind())),
            },
            _ => Way {
                done: behind,
                sign: None,
            },
        },
        DevicePhase::Planned => Way {
            done: behind,
            sign: None,
        },
    }
}

/// The cell of a stage. The check-in belongs to the login. The management app has the firmware's cells where it comes
/// alone, and all of it is part of the upload where the firmware follows.
fn cell(stage: Stage, firmware: bool) -> usize {
    let stage = match stage {
        Stage::Checkin => Stage::Login,
        Stage::UploadUi | Stage::CheckUi | Stage::InstallUi | Stage::VerifyUi if firmware => {
            Stage::Upload
        }
        Stage::UploadUi => Stage::Upload,
        Stage::CheckUi => Stage::Check,
        Stage::InstallUi => Stage::Install,
        Stage::VerifyUi => Stage::Verify,
        stage => stage,
    };
    CELLS.iter().position(|cell| *cell == stage).unwrap_or(0)
}
