//! The plan's header: what is to be rolled out, and what is known of its signature.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Span;

use crate::model::{ImageFacts, PayloadFacts, human_bytes};

use super::text_layout::{cut, ends, span};
use super::title::title;
use super::{Scene, put};
use crate::tui::theme::Tone;

/// The plan's one line.
pub(super) fn draw(scene: &Scene<'_>, area: Rect, buf: &mut Buffer) {
    let width = usize::from(area.width);
    let mut left = title(scene);
    let word = if scene.ui.reopened {
        "resume   "
    } else {
        "plan   "
    };
    left.push(span(word, Tone::Live.bold()));
    let PayloadFacts { app, firmware } = scene.fleet.payload();
    if let Some(facts) = firmware {
        planned_image(&mut left, facts, width, app.is_some());
    }
    if let Some(app) = app {
        let (size, sha) = (human_bytes(app.file_bytes), app.sha256_hex());
        let text = match (firmware, width) {
            (Some(_), ..120) => format!(" + app {size}"),
            (Some(_), _) => format!(" + app {size} sha256 {}…", &sha[..8]),
            (None, _) => format!("management app {size} · sha256 {}…", &sha[..8]),
        };
        left.push(span(text, Tone::Plain.style()));
    }
    let run = span(format!("run {} ", scene.fleet.run()), Tone::Dull.style());
    // What will be sent matters more.
    let taken: usize = left.iter().map(Span::width).sum();
    let fits = taken + 1 + run.width() <= width;
    let right = fits.then_some(run).into_iter().collect();
    put(buf, area, 0, &ends(left, right, width));
}

/// The image of a plan, with what is known of its signature.
fn planned_image(left: &mut Vec<Span<'static>>, facts: &ImageFacts, width: usize, with_app: bool) {
    let size = human_bytes(facts.file_bytes);
    match &facts.footer {
        Some(footer) if width >= 100 => {
            left.push(span(
                format!("image {} · {size}", cut(&footer.name, 40)),
                Tone::Plain.style(),
            ));
            left.push(span(
                format!(" · signed {}… · ", footer.fwk.short()),
                Tone::Plain.style(),
            ));
            left.push(span("verifies", Tone::Good.style()));
            left.push(span(
                format!(" · mode {}", footer.mode),
                Tone::Plain.style(),
            ));
        }
        Some(_) => {
            let version = cut(&facts.version_label(), 20);
            let text = match (with_app, width) {
                (true, ..72) => format!("v{version} "),
                (true, _) => format!("image v{version} · signature "),
                (false, _) => format!("image v{version} · {size} · signature "),
            };
            left.push(span(text, Tone::Plain.style()));
            left.push(span("verifies", Tone::Good.style()));
        }
        None => {
            left.push(span(format!("image {size} · "), Tone::Plain.style()));
            left.push(span(
                "no known signature: nothing can be proven",
                Tone::Warn.style(),
            ));
        }
    }
}
