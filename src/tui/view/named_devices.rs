//! How a box names the devices that it is about: by whole names, as many as there is room for, and how many more there are.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

use super::Scene;
use super::text_layout::BoxText;
use crate::engine::DeviceState;
use crate::model::counted;
use crate::tui::theme::Tone;

/// Says that marked devices are hidden, where some are: nobody should act on what they do not see.
pub(super) fn hidden_marks(text: &mut BoxText, scene: &Scene<'_>) {
    let hidden = scene.ui.hidden_marks();
    if hidden > 0 {
        let what = counted(hidden, "marked device is", "marked devices are");
        text.say(&format!("{what} not shown by the filter."), Tone::Warn);
    }
}

/// As many whole names as fit into so many lines of `width` columns, and how many more there are.
pub(super) fn some_names(devices: &[&DeviceState], width: usize, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for (n, device) in devices.iter().enumerate() {
        let name = device.id.as_str();
        let comma = if n + 1 < devices.len() { "," } else { "" };
        let begun = out.len();
        match out.last_mut() {
            Some(line) if line.width() + 1 + name.width() + comma.len() <= width => {
                let _ = write!(line, " {name}{comma}");
            }
            _ if begun < lines => out.push(format!("{name}{comma}")),
            Some(_) => return with_more(out, devices, n, width),
            None => return out,
        }
    }
    out
}

/// The last line, with the number of devices that are not named; its names give way to it.
fn with_more(
    mut lines: Vec<String>,
    devices: &[&DeviceState],
    named: usize,
    width: usize,
) -> Vec<String> {
    let mut more = devices.len() - named;
    if let Some(last) = lines.last_mut() {
        while last.width() + format!(" and {more} more").len() > width
            && let Some(at) = last.trim_end_matches(',').rfind(", ")
        {
            last.truncate(at + 1);
            more += 1;
        }
        let kept = last.trim_end_matches(',').to_owned();
        *last = format!("{kept} and {more} more");
    }
    lines
}
