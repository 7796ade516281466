//! The box for a device's secret: which devices wait, who is asked for first, and what is typed. What is typed is
//! wiped when the box closes, however it closes; `view::secret_box` shows only its length.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use zeroize::{Zeroize as _, Zeroizing};

use crate::engine::{Fleet, Intent};
use crate::model::{DeviceId, Secret};

use super::{Effect, Popup, Ui, on_plan};
use crate::tui::keymap::Focus;

/// The longest text that can be pasted, in bytes; no secret is longer.
const LONGEST_PASTE: usize = 64 * 1024;

/// What is being typed. It has neither `Debug` nor `Display`, so that nothing can print it.
pub(in crate::tui) struct SecretInput(Zeroizing<String>);

impl Default for SecretInput {
    fn default() -> Self {
        // Room for 24 words, so that it hardly ever grows.
        Self(Zeroizing::new(String::with_capacity(512)))
    }
}

impl SecretInput {
    fn push(&mut self, text: &str) {
        if self.0.len() + text.len() > self.0.capacity() {
            // Growing by itself would leave a copy behind that nobody wipes.
            let room = (self.0.capacity() * 2).max(self.0.len() + text.len());
            let mut wider = Zeroizing::new(String::with_capacity(room));
            wider.push_str(&self.0);
            self.0 = wider;
        }
        self.0.push_str(text);
    }

    fn clear(&mut self) {
        self.0.zeroize();
    }

    fn take(&mut self) -> Secret {
        let typed = std::mem::take(self);
        Secret::new(typed.into_bytes())
    }

    fn into_bytes(mut self) -> Vec<u8> {
        std::mem::take(&mut *self.0).into_bytes()
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number of characters, which is all that may be shown of it.
    pub(in crate::tui) fn len(&self) -> usize {
        self.0.chars().count()
    }
}

/// The devices that wait for their secret, the longest waiting first, and what is being typed.
#[derive(Default)]
pub(in crate::tui) struct Secrets {
    waiting: Vec<Waiting>,
    pub(in crate::tui) typed: SecretInput,
}

struct Waiting {
    device: DeviceId,
    /// Whether a person has put it off: then only the key asks for it.
    later: bool,
}

impl Secrets {
    /// A device wants its secret, perhaps not for the first time.
    pub(in crate::tui) fn wanted(&mut self, device: &DeviceId) {
        self.waiting.retain(|w| w.device != *device);
        self.waiting.push(Waiting {
            device: device.clone(),
            later: false,
        });
    }

    /// All that wait, the longest waiting first.
    pub(in crate::tui) fn waiting(&self) -> impl Iterator<Item = &DeviceId> {
        self.waiting.iter().map(|w| &w.device)
    }

    fn put_off(&mut self, which: impl Fn(&DeviceId) -> bool) {
        for waiting in &mut self.waiting {
            waiting.later |= which(&waiting.device);
        }
    }
}

fn wants(fleet: &Fleet, device: &DeviceId) -> bool {
    fleet
        .device(device)
        .is_some_and(|device| device.wants_secret() && !device.cancelling)
}

impl Ui {
    /// Forgets who no longer waits, and what was typed for a box that is gone.
    pub(super) fn settle_secrets(&mut self, fleet: &Fleet) {
        self.secrets.waiting.retain(|w| wants(fleet, &w.device));
        if let Some(Popup::Secret(device)) = &self.popup
            && !wants(fleet, device)
        {
            let text = format!("{device} no longer waits for its secret");
            // Somebody types, or is about to: that must not go to the next device.
            self.secrets.put_off(|_| true);
            self.popup = None;
            self.warn(&text);
        }
        if !matches!(self.popup, Some(Popup::Secret(_))) {
            self.secrets.typed.clear();
        }
    }

    /// Opens the box of a halted run, else the box for the next secret, unless something else is open. Called right
    /// before a frame is drawn: a key that was pressed before the box was there is not meant for it.
    pub(in crate::tui) fn ask(&mut self, fleet: &Fleet) {
        let free = self.popup.is_none()
            && self.read_only.is_none()
            && self.zoom.is_none()
            && !self.filter.editing
            && !on_plan(fleet)
            && fleet.stop().is_none()
            && self.areas(fleet).tiny.is_none();
        if free && self.ask_budget(fleet) {
            return;
        }
        let next = self.secrets.waiting.iter().find(|w| !w.later);
        if free && let Some(next) = next {
            self.popup = Some(Popup::Secret(next.device.clone()));
        }
    }

    /// The key that asks: for the selected device's secret if it waits, else for the first one's.
    pub(super) fn open_secret(&mut self, fleet: &Fleet) {
        let selected = self.selected(fleet).map(|device| device.id.clone());
        let device = selected
            .filter(|id| self.secrets.waiting().any(|w| w == id))
            .or_else(|| self.secrets.waiting().next().cloned());
        match device {
            Some(device) => self.popup = Some(Popup::Secret(device)),
            None => self.warn("no device waits for its secret"),
        }
    }

    /// The device goes on waiting, and the next one is asked for.
    pub(super) fn put_off_secret(&mut self) {
        if let Some(Popup::Secret(device)) = self.popup.take() {
            self.secrets.put_off(|id| *id == device);
        }
    }

    pub(super) fn send_secret(&mut self) -> Vec<Effect> {
        let Some(Popup::Secret(device)) = &self.popup else {
            return Vec::new();
        };
        if self.secrets.typed.is_empty() {
            self.warn("nothing typed yet; Esc leaves it for later");
            return Vec::new();
        }
        let intent = Intent::Answer(device.clone(), self.secrets.typed.take());
        self.popup = None;
        vec![Effect::Intend(intent)]
    }

    pub(super) fn erase_secret(&mut self) {
        // The last bytes stay in the buffer until it is wiped, which is soon.
        self.secrets.typed.0.pop();
    }

    /// A key without a binding goes into the text. Chords do not: a terminal reports Esc and p as Alt-p if they come
    /// at once, and nobody would see that a stray letter is in the text.
    pub(super) fn type_secret(&mut self, event: &KeyEvent) {
        let control = event.modifiers.contains(KeyModifiers::CONTROL);
        let chord = control || event.modifiers.contains(KeyModifiers::ALT);
        match event.code {
            KeyCode::Char('u') if control => self.secrets.typed.clear(),
            KeyCode::Char(_) if chord => {}
            KeyCode::Char(c) => {
                let mut bytes = Zeroizing::new([0; 4]);
                self.secrets.typed.push(c.encode_utf8(&mut *bytes));
            }
            _ => {}
        }
    }

    /// Takes in the first line of pasted text, and only where text is being typed. Taken as keys, its letters would do
    /// whatever they are bound to.
    pub(in crate::tui) fn paste(&mut self, text: &Zeroizing<String>, fleet: &Fleet) {
        self.settle(fleet);
        self.notice = None;
        let line = text.split(['\r', '\n']).next().unwrap_or_default();
        match self.focus(fleet) {
            // The device would refuse a part of it, and counts each refusal.
            Focus::Secret if line.len() > LONGEST_PASTE => {
                self.warn("longer than any secret: nothing of it was taken");
            }
            Focus::Secret => self.secrets.typed.push(line),
            Focus::Filter => {
                for c in line.chars().filter(|c| !c.is_control()) {
                    if self.notice.is_some() {
                        break;
                    }
                    self.edit(&KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE));
                }
            }
            _ => self.warn("nothing to paste into here"),
        }
        self.settle(fleet);
    }
}
