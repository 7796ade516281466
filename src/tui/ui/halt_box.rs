//! The box of a halted run: a person stops the run, or types a new budget with which it goes on. The fleet decides
//! whether a budget is enough (`engine::fleet::failure_budget`); `view::halt_box` draws the box.

use crate::engine::{Fleet, Intent};
use crate::model::MaxFailures;

use super::{Effect, Popup, Ui};

/// The most digits that a budget takes.
const DIGITS: usize = 6;

/// The state of the box.
#[derive(Debug, Default)]
pub(in crate::tui) struct Budget {
    /// The new budget, as far as it is typed.
    pub(in crate::tui) typed: String,
    /// Whether a person has put the box off: then only its key opens it.
    later: bool,
}

impl Ui {
    /// Forgets what was typed for a box that is gone, and, once the run goes on, that the box was put off.
    pub(super) fn settle_budget(&mut self, fleet: &Fleet) {
        if !fleet.waits_for_budget() {
            self.budget.later = false;
            if self.popup == Some(Popup::Budget) {
                self.popup = None;
                self.warn("the run no longer waits for a budget");
            }
        }
        if self.popup != Some(Popup::Budget) {
            self.budget.typed.clear();
        }
    }

    /// Opens the box if the run waits for a budget and the box was not put off, and returns whether it did. Only
    /// [`Ui::ask`] calls it, when nothing else is open.
    pub(super) fn ask_budget(&mut self, fleet: &Fleet) -> bool {
        let asks = fleet.waits_for_budget() && !self.budget.later;
        if asks {
            self.popup = Some(Popup::Budget);
        }
        asks
    }

    /// The key that opens the box.
    pub(super) fn open_budget(&mut self, fleet: &Fleet) {
        if fleet.waits_for_budget() {
            self.popup = Some(Popup::Budget);
        } else {
            self.warn("the run is not halted");
        }
    }

    /// The devices go on waiting.
    pub(super) fn put_off_budget(&mut self) {
        self.budget.later = true;
        self.popup = None;
    }

    pub(super) fn type_budget(&mut self, c: char) {
        if self.budget.typed.len() < DIGITS {
            self.budget.typed.push(c);
        }
    }

    /// The run goes on, if the budget that was typed allows it.
    pub(super) fn go_on(&mut self, fleet: &Fleet) -> Vec<Effect> {
        let typed = std::mem::take(&mut self.budget.typed);
        let harm = fleet.harm();
        match typed.parse::<MaxFailures>() {
            Ok(budget) if budget.allowed(0) > harm => {
                self.popup = None;
                vec![Effect::Intend(Intent::GoOn(budget))]
            }
            Ok(_) => {
                self.warn(&format!(
                    "{typed} is not enough: {harm} is counted already, so type a larger number"
                ));
                Vec::new()
            }
            Err(_) => {
                self.warn(&format!("type a number above {harm}, then Enter"));
                Vec::new()
            }
        }
    }

    /// The run does not go on.
    pub(super) fn stop_rollout(&mut self) -> Vec<Effect> {
        self.popup = None;
        vec![Effect::Intend(Intent::Halt)]
    }
}
