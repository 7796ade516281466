//! Draws the box that asks for a device's secret. Its state is in `ui::secret_box`.

use ratatui::text::Line;

use crate::engine::DeviceState;
use crate::model::{DeviceId, LinkTrust};

use super::Scene;
use super::text_layout::{BoxText, span};
use crate::tui::theme::Tone;

/// Names the device whose secret is wanted, and says what its link is worth. Only the length of the secret shows.
pub(super) fn say(text: &mut BoxText, scene: &Scene<'_>, id: &DeviceId) {
    let device = scene.fleet.device(id);
    let group = device.and_then(|device| device.group.as_deref());
    let group = group.map_or_else(String::new, |group| format!(", group {group}"));
    text.say(
        &format!("The passphrase of {id}{group}, to log in to it."),
        Tone::Plain,
    );
    if device.is_some_and(DeviceState::secret_refused) {
        text.say("401: the last one was not accepted.", Tone::Warn);
    }
    match device.map(|device| device.link) {
        Some(LinkTrust::Http) => text.say(
            "! http: not encrypted. The passphrase stays here, but the token travels in clear.",
            Tone::Warn,
        ),
        Some(LinkTrust::Insecure) => text.say(
            "! insecure: the certificate is not verified, this may be another device.",
            Tone::Warn,
        ),
        Some(link) => text.say(&format!("link {}", link.as_str()), Tone::Dull),
        None => {}
    }
    let room = text.width.saturating_sub(4);
    let dots = "•".repeat(scene.ui.secrets.typed.len().min(room));
    text.lines.push(Line::default());
    text.lines.push(Line::from(vec![
        span("> ", Tone::Live.bold()),
        span(dots, Tone::Plain.bold()),
        span("▏", Tone::Live.style()),
    ]));
    let others: Vec<&str> = scene
        .ui
        .secrets
        .waiting()
        .filter(|other| *other != id)
        .map(DeviceId::as_str)
        .collect();
    if !others.is_empty() {
        text.line("", Tone::Plain);
        let names = others.join(", ");
        text.line(&format!("{} more: {names}", others.len()), Tone::Dull);
    }
    text.keys(&[
        ("Enter", "send it to this device"),
        ("Esc", "later: the device goes on waiting"),
    ]);
}
