//! Keys that act on devices, such as start, retry and cancel: whether they make sense now, which question comes
//! first, and the notice where they do nothing. They act on the marked devices, where there are any and the key is
//! pressed where marks show. The box of retrying many is in `retry_box`.

use crate::engine::{DevicePhase, DeviceState, Fleet, Intent, Mode, Phase};
use crate::model::{DeviceId, OutcomeKind, Verdict};

use super::marked_devices::can_be_left_out;
use super::retry_box::Scope;
use super::{Effect, Popup, Ui};
use crate::tui::keymap::{Action, Focus};
use crate::tui::layout::Zoom;
use crate::tui::theme::{Mark, Tone};

/// The notice where nothing is tried again.
const STOPPING: &str = "stopping: nothing new starts";

impl Ui {
    pub(in crate::tui) fn start(&mut self, fleet: &Fleet) -> Vec<Effect> {
        if fleet.phase() != Phase::Planned {
            self.warn("still looking at devices");
            return Vec::new();
        }
        let wanted = fleet.to_confirm();
        if fleet.mode() != Mode::Confirm {
            return vec![Effect::Leave];
        }
        if wanted == 0 && fleet.to_watch() > 0 {
            return vec![Effect::Intend(Intent::Confirm)];
        }
        if wanted == 0 {
            // Confirming makes every device end as the plan says, and the exit code follows from that.
            return vec![Effect::Intend(Intent::Confirm), Effect::Leave];
        }
        let typed = std::mem::take(&mut self.typed);
        if typed == wanted.to_string() {
            return vec![Effect::Intend(Intent::Confirm)];
        }
        let to_be = match fleet.to_watch_first() {
            0 => "to be upgraded",
            first if first == wanted => "to be watched first",
            _ => "to be upgraded or watched first",
        };
        let text = if typed.is_empty() {
            format!("type {wanted}, the number of devices {to_be}, then Enter")
        } else {
            format!("{typed} is not the number of devices {to_be}, which is {wanted}")
        };
        self.notice = Some((Tone::Bad, text));
        Vec::new()
    }

    /// Whether a key means the marked devices, and not the selected one.
    fn means_marks(&self, focus: Focus) -> bool {
        matches!(focus, Focus::Devices | Focus::Map) && !self.marks.is_empty()
    }

    pub(in crate::tui) fn retry(&mut self, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        let possible = self.possible(Action::Retry, focus, fleet);
        let of_reason = focus == Focus::Failures && self.is_on_reason();
        if possible && of_reason {
            self.ask_retry_reason(fleet);
            return Vec::new();
        }
        if possible && self.means_marks(focus) {
            self.ask_retry(Scope::Marked, self.marked(fleet).collect::<Vec<_>>());
            return Vec::new();
        }
        if of_reason || self.means_marks(focus) {
            self.warn(if fleet.stop().is_some() {
                STOPPING
            } else if of_reason {
                "nothing to retry among these devices"
            } else {
                "nothing to retry among the marked devices"
            });
            return Vec::new();
        }
        let Some(device) = self.selected(fleet) else {
            return Vec::new();
        };
        if possible {
            self.typed.clear();
            return vec![Effect::Intend(Intent::Retry(device.id.clone()))];
        }
        let text = match device.outcome_kind() {
            _ if fleet.stop().is_some() => STOPPING.to_owned(),
            Some(kind) => format!("{} is {kind}: nothing to retry", device.id),
            None => format!("{} has not ended yet", device.id),
        };
        self.warn(&text);
        Vec::new()
    }

    pub(super) fn retry_failed(&mut self, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        if self.possible(Action::RetryFailed, focus, fleet) {
            if focus == Focus::Plan {
                self.typed.clear();
                return self.look_again(fleet);
            }
            self.ask_retry_all(fleet);
            return Vec::new();
        }
        self.warn(if fleet.stop().is_some() {
            STOPPING
        } else if focus == Focus::Plan {
            "nothing to look at again"
        } else {
            "nothing to retry among the devices shown"
        });
        Vec::new()
    }

    pub(super) fn ask_cancel(&mut self, focus: Focus, fleet: &Fleet) {
        if self.means_marks(focus) {
            if self.possible(Action::Cancel, focus, fleet) {
                let marked = self.marked(fleet).map(|device| device.id.clone());
                self.popup = Some(Popup::CancelMarked(marked.collect()));
            } else {
                self.warn("nothing to cancel among the marked devices");
            }
            return;
        }
        let Some(device) = self.selected(fleet) else {
            return;
        };
        if !device.is_busy() {
            let text = format!("{} is not under way: nothing to cancel", device.id);
            self.warn(&text);
        } else if device.has_task() && device.is_past_install() {
            self.popup = Some(Popup::PastInstall(device.id.clone()));
        } else if fleet.stop().is_some() || !can_cancel(device) {
            let text = format!("{} is being stopped already", device.id);
            self.warn(&text);
        } else {
            self.popup = Some(Popup::Cancel(device.id.clone()));
        }
    }

    pub(super) fn ask_cancel_all(&mut self, fleet: &Fleet) {
        if can_cancel_any(fleet) {
            self.popup = Some(Popup::CancelAll);
        } else {
            self.warn("nothing can be cancelled any more");
        }
    }

    pub(super) fn yes(&mut self, fleet: &Fleet) -> Vec<Effect> {
        match self.popup.take() {
            Some(Popup::LeavePlan) => vec![Effect::Leave],
            Some(Popup::Quit) => vec![Effect::Intend(Intent::Interrupt)],
            Some(Popup::CancelAll) => vec![Effect::Intend(Intent::CancelAll)],
            Some(Popup::Cancel(id)) => vec![Effect::Intend(Intent::Cancel(id))],
            Some(Popup::CancelMarked(ids)) => {
                self.marks.clear();
                // Some may have gone on while the question was open.
                let open = |id: &DeviceId| fleet.device(id).is_some_and(can_cancel);
                let ids = ids.into_iter().filter(open);
                ids.map(|id| Effect::Intend(Intent::Cancel(id))).collect()
            }
            Some(Popup::RetryBox(asked)) => self.retry_chosen(asked, fleet),
            Some(Popup::Help | Popup::PastInstall(_) | Popup::Secret(_) | Popup::Budget) | None => {
                Vec::new()
            }
        }
    }

    pub(in crate::tui) fn copy(&mut self, focus: Focus, fleet: &Fleet) -> Vec<Effect> {
        if focus == Focus::Failures && self.is_on_reason() {
            return self.copy_reason(fleet);
        }
        if self.means_marks(focus) {
            let marked: Vec<&DeviceState> = self.marked(fleet).collect();
            self.copied(&marked);
            let texts = marked.into_iter().map(|device| {
                let state = || format!("{}: {}", device.id, Mark::of_device(device).word);
                last_error(device).unwrap_or_else(state)
            });
            return vec![Effect::Copy(texts.collect::<Vec<_>>().join("\n\n"))];
        }
        let Some(device) = self.selected(fleet) else {
            return Vec::new();
        };
        let Some(text) = last_error(device) else {
            self.warn("no error to copy");
            return Vec::new();
        };
        self.copied(&[device]);
        vec![Effect::Copy(text)]
    }

    /// Whether the key of `action` would do something now; the footer shows only such keys.
    pub(in crate::tui) fn possible(&self, action: Action, focus: Focus, fleet: &Fleet) -> bool {
        let device = self.selected(fleet);
        let not_stopping = fleet.stop().is_none();
        match action {
            Action::Retry if focus == Focus::Plan => {
                not_stopping && device.is_some_and(|r| matches!(r.state, DevicePhase::Planned))
            }
            Action::RetryFailed if focus == Focus::Plan => {
                not_stopping && self.can_look_again(fleet)
            }
            Action::Retry if focus == Focus::Failures && self.is_on_reason() => {
                not_stopping && self.can_retry_reason(fleet)
            }
            Action::Retry if self.means_marks(focus) => {
                not_stopping && self.marked(fleet).any(DeviceState::is_retryable)
            }
            Action::Retry => not_stopping && device.is_some_and(DeviceState::is_retryable),
            Action::RetryFailed => not_stopping && self.can_retry_all(fleet),
            Action::Budget => fleet.waits_for_budget(),
            Action::RolledBack => self.has_choice(OutcomeKind::RolledBack, fleet),
            Action::Cancelled => self.has_choice(OutcomeKind::Cancelled, fleet),
            Action::Cancel if self.means_marks(focus) => {
                not_stopping && self.marked(fleet).any(can_cancel)
            }
            Action::Cancel => not_stopping && device.is_some_and(can_cancel),
            Action::CancelAll => can_cancel_any(fleet),
            Action::Copy if focus == Focus::Failures && self.is_on_reason() => true,
            Action::Copy if self.means_marks(focus) => true,
            Action::Mark if focus == Focus::Plan => {
                device.is_some_and(|device| can_be_left_out(device, fleet))
            }
            Action::MarkAll if focus == Focus::Plan => self
                .shown(fleet)
                .any(|(_, device)| can_be_left_out(device, fleet)),
            Action::NextLook => self.shown(fleet).any(|(_, device)| device.needs_a_look()),
            Action::Failures if focus != Focus::Failures => self.has_failures(fleet),
            Action::Copy => device.and_then(last_error).is_some(),
            Action::Secret => self.secrets.waiting().next().is_some(),
            // Inside the log, Esc is offered to go back.
            Action::Audit => {
                self.zoom != Some(Zoom::Audit)
                    && device.is_some_and(|device| device.audit.is_some())
            }
            // Esc asks whether to leave the plan, and who only looks is not asked.
            Action::Back if focus == Focus::Plan => self.read_only.is_none(),
            Action::Start => fleet.phase() == Phase::Planned,
            Action::Step | Action::StepOver | Action::Faster | Action::Slower | Action::Again => {
                !self.is_replay_over()
            }
            Action::Interrupt if focus == Focus::Devices => {
                !fleet.is_over() && self.read_only.is_none()
            }
            Action::Yes => matches!(focus, Focus::Question | Focus::RetryBox),
            _ => true,
        }
    }

    pub(in crate::tui) fn warn(&mut self, text: &str) {
        self.notice = Some((Tone::Warn, text.to_owned()));
    }
}

pub(super) fn can_cancel_any(fleet: &Fleet) -> bool {
    fleet.stop().is_none() && fleet.devices().iter().any(can_cancel)
}

/// Whether a device can still be stopped before its install, and is not being stopped already.
pub(in crate::tui) fn can_cancel(device: &DeviceState) -> bool {
    device.is_busy() && !device.cancelling && !(device.has_task() && device.is_past_install())
}

/// What went wrong last with a device, to be pasted into a message.
fn last_error(device: &DeviceState) -> Option<String> {
    if let Some(outcome) = device.outcome()
        && let Some(hint) = outcome.hint()
    {
        let at = outcome
            .stage()
            .map(|s| format!(" at {s}"))
            .unwrap_or_default();
        let (kind, reason) = (outcome.kind(), outcome.reason());
        return Some(format!("{}: {kind}{at}: {reason}\n{hint}", device.id));
    }
    if let Some(failure) = device.verdict.as_ref().and_then(Verdict::failure)
        && matches!(device.state, DevicePhase::Planned)
    {
        return Some(format!("{}: {failure}\n{}", device.id, failure.hint()));
    }
    let step = device.timeline.iter().rev().find(|s| s.failure.is_some())?;
    let failure = step.failure.as_ref()?;
    Some(format!("{}: {}: {failure}", device.id, step.stage))
}
