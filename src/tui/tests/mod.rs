//! Keys, one by one, against fleets as they are in a run.

mod failures;
mod fleet_map;
pub(super) mod halt_box;
mod keys;
mod marks;
mod mouse;
mod plan;
mod read_only;
mod resumed_plan;
mod retry_box;
mod secret_box;
mod stale_questions;

use super::fixtures::TestScreen;
use super::ui::Effect;
use crate::engine::Intent;

fn names(screen: &TestScreen) -> Vec<&str> {
    let devices = screen.run.fleet.devices();
    screen
        .ui
        .order
        .iter()
        .map(|&n| devices[n].id.as_str())
        .collect()
}

fn selected(screen: &TestScreen) -> String {
    screen
        .ui
        .selected(&screen.run.fleet)
        .unwrap()
        .id
        .to_string()
}

fn intents(effects: &[Effect]) -> Vec<&Intent> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Intend(intent) => Some(intent),
            _ => None,
        })
        .collect()
}

fn notice(screen: &TestScreen) -> &str {
    screen.ui.notice.as_ref().map_or("", |(_, text)| text)
}
