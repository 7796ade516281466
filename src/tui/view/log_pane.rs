//! The log pane, the newest headline at its end. `recent_log` keeps the headlines.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use super::text_layout::{fit, rule, span, time_of_day, wrap};
use super::{Scene, put};
use crate::tui::layout::Zoom;
use crate::tui::theme::Tone;
use crate::tui::ui::Ui;

/// Columns before a headline: the time.
const TIME: usize = 12;

/// Draws title and lines: one for each headline, or, over the whole screen, as many as it takes.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let height = usize::from(area.height.saturating_sub(1));
    let log = &scene.ui.log;
    let whole = scene.ui.zoom == Some(Zoom::Log);
    let back = if whole {
        scene.ui.scroll.min(scroll_limit(scene.ui))
    } else {
        0
    };
    let end = if back > 0 {
        vec![span(format!("{back} newer below"), Tone::Warn.style())]
    } else {
        Vec::new()
    };
    let title = vec![span("Log", Tone::Plain.bold())];
    put(buf, area, 0, &rule(title, end, width));
    let mut lines = Vec::new();
    for line in log.window(height, back) {
        let room = width.saturating_sub(TIME);
        let texts = if whole && room >= 20 {
            wrap(&line.text, room)
        } else {
            vec![line.text.clone()]
        };
        let at = time_of_day(line.at, scene.zone);
        for (n, text) in texts.into_iter().enumerate() {
            let at = if n == 0 { at.as_str() } else { "" };
            let spans: Vec<Span<'static>> = vec![
                span(format!("  {at:8}  "), Tone::Dull.style()),
                span(text, line.tone.style()),
            ];
            lines.push(Line::from(fit(spans, width)));
        }
    }
    // The newest lines must be seen, so the oldest are cut.
    let over = lines.len().saturating_sub(height);
    for (n, line) in (1..).zip(lines.into_iter().skip(over)) {
        put(buf, area, n, &line);
    }
}

/// The most headlines to scroll by: the oldest stays on the screen.
pub(super) fn scroll_limit(ui: &Ui) -> usize {
    ui.log.len().saturating_sub(1)
}
