//! The box of retrying many: which of the devices shown, marked, or with one reason are tried again, and what a retry
//! does to each. `view::retry_box` draws it.

use crate::engine::{DevicePhase, DeviceState, FailureReason, Fleet, Intent, failures_by_reason};
use crate::model::{Component, DeviceId, Outcome, OutcomeKind, Touched, Verdict};

use super::{Effect, Popup, Ui};

/// What a further attempt does.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PartialOrd, Ord)]
pub(in crate::tui) enum RetryKind {
    /// An install may have been sent, so it is not sent again.
    Watch,
    /// The same for the management app's install, or for one of an earlier run; the steps after it may follow.
    WatchFirst,
    /// The upgrade is proven, but its log has yet to be read.
    ReadLog,
    /// Nothing was sent yet.
    Look,
    /// An image was sent already.
    Upload,
}

impl RetryKind {
    pub(in crate::tui) const ALL: [Self; 5] = [
        Self::Watch,
        Self::WatchFirst,
        Self::ReadLog,
        Self::Look,
        Self::Upload,
    ];

    /// What is done with this device.
    fn of(device: &DeviceState) -> Self {
        if let Some(pending) = &device.pending {
            return match pending.component {
                Component::Firmware => Self::Watch,
                Component::Ui => Self::WatchFirst,
            };
        }
        if device.earlier.is_some() {
            return Self::WatchFirst;
        }
        match device.outcome() {
            Some(Outcome::Failed(f)) if f.is_about_log() => Self::ReadLog,
            Some(outcome) if outcome.touched() != Touched::Nothing => Self::Upload,
            _ => Self::Look,
        }
    }

    pub(in crate::tui) fn words(self) -> &'static str {
        match self {
            Self::Watch => "watch only",
            Self::WatchFirst => "watch, then go on",
            Self::ReadLog => "read the log again",
            Self::Look => "look again, then upgrade",
            Self::Upload => "upload and install again",
        }
    }

    /// Whether it needs a login.
    fn needs_login(self) -> bool {
        !matches!(self, Self::Watch)
    }
}

/// Which devices were meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::tui) enum Scope {
    /// All that the filter leaves, as far as they failed or were cancelled.
    Shown,
    /// The marked ones.
    Marked,
    /// Those that ended for one reason.
    Reason,
}

impl Scope {
    /// Whether a device that is meant can be tried again. Those that changed unproven are only meant by name.
    fn allows(self, device: &DeviceState) -> bool {
        match self {
            Self::Shown => is_candidate(device),
            Self::Marked | Self::Reason => device.is_retryable(),
        }
    }
}

/// The box, with the devices that were meant when it was opened: those that fail later are not in it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::tui) struct RetryBox {
    pub(in crate::tui) scope: Scope,
    /// How many devices were meant, whether they can be tried again or not.
    pub(in crate::tui) meant: usize,
    devices: Vec<DeviceId>,
    /// Whether devices whose bootloader refused the image are included.
    pub(in crate::tui) rolled_back: bool,
    /// Whether cancelled devices are included.
    pub(in crate::tui) cancelled: bool,
}

/// Devices that ended alike, and are treated alike.
#[derive(Debug)]
pub(in crate::tui) struct Group<'f> {
    pub(in crate::tui) retry: RetryKind,
    pub(in crate::tui) of: FailureReason<'f>,
}

impl RetryBox {
    /// The box for these devices, if any of them can be tried again.
    fn open<'f>(scope: Scope, devices: impl IntoIterator<Item = &'f DeviceState>) -> Option<Self> {
        let meant: Vec<&DeviceState> = devices.into_iter().collect();
        let open = meant.iter().filter(|device| scope.allows(device));
        let chosen_by_name =
            scope != Scope::Shown && open.clone().all(|device| device.has_refused_image());
        let devices: Vec<DeviceId> = open.map(|device| device.id.clone()).collect();
        (!devices.is_empty()).then_some(Self {
            scope,
            meant: meant.len(),
            devices,
            rolled_back: chosen_by_name,
            cancelled: true,
        })
    }

    fn candidates<'f>(&self, fleet: &'f Fleet) -> impl Iterator<Item = &'f DeviceState> {
        let devices = self.devices.iter().filter_map(|id| fleet.device(id));
        devices.filter(|device| self.scope.allows(device))
    }

    /// Whether any of the devices can still be tried again.
    pub(super) fn has_any(&self, fleet: &Fleet) -> bool {
        self.candidates(fleet).next().is_some()
    }

    /// The devices without login tries: they are left out.
    pub(in crate::tui) fn locked_out<'f>(&self, fleet: &'f Fleet) -> Vec<&'f DeviceState> {
        self.candidates(fleet)
            .filter(|device| is_locked_out(device))
            .collect()
    }

    /// How many devices of a kind could be tried again, included or not.
    pub(in crate::tui) fn count_of(&self, fleet: &Fleet, kind: OutcomeKind) -> usize {
        let open = self
            .candidates(fleet)
            .filter(|device| !is_locked_out(device));
        open.filter(|device| choice_of(device) == Some(kind))
            .count()
    }

    /// The devices that are tried again.
    pub(in crate::tui) fn chosen<'f>(&self, fleet: &'f Fleet) -> Vec<&'f DeviceState> {
        let is_in = |device: &&DeviceState| match choice_of(device) {
            Some(OutcomeKind::RolledBack) => self.rolled_back,
            Some(OutcomeKind::Cancelled) => self.cancelled,
            _ => true,
        };
        let open = self
            .candidates(fleet)
            .filter(|device| !is_locked_out(device));
        open.filter(is_in).collect()
    }

    /// The devices that are tried again, grouped by reason and by what is done; the largest group first.
    pub(in crate::tui) fn groups<'f>(&self, fleet: &'f Fleet) -> Vec<Group<'f>> {
        let chosen = self.chosen(fleet);
        let mut groups: Vec<Group<'f>> = Vec::new();
        for retry in RetryKind::ALL {
            let alike = chosen.iter().copied();
            let alike = alike.filter(|device| RetryKind::of(device) == retry);
            let reasons = failures_by_reason(alike).into_iter();
            groups.extend(reasons.map(|of| Group { retry, of }));
        }
        // Groups of one size stand in the order of their first devices.
        let place = |id: &DeviceId| chosen.iter().position(|device| device.id == *id);
        groups.sort_by_key(|group| {
            let first = group
                .of
                .devices
                .first()
                .and_then(|device| place(&device.id));
            (std::cmp::Reverse(group.of.devices.len()), first)
        });
        groups
    }
}

/// The devices that the filter leaves.
fn shown<'f>(ui: &Ui, fleet: &'f Fleet) -> impl Iterator<Item = &'f DeviceState> {
    ui.shown(fleet).map(|(_, device)| device)
}

/// As what a device is included or left out: its bootloader may have refused the image in an earlier run.
fn choice_of(device: &DeviceState) -> Option<OutcomeKind> {
    if device.has_refused_image() {
        return Some(OutcomeKind::RolledBack);
    }
    device.outcome_kind()
}

/// Whether "retry all" may include this device: it went wrong, or was cancelled.
fn is_candidate(device: &DeviceState) -> bool {
    device
        .outcome_kind()
        .is_some_and(|kind| kind.is_failure() || kind == OutcomeKind::Cancelled)
}

fn is_locked_out(device: &DeviceState) -> bool {
    device.logins_left == Some(0) && RetryKind::of(device).needs_login()
}

/// Whether the plan says that the device cannot be upgraded, so that another look may help.
fn cannot(device: &DeviceState) -> bool {
    let failure = device.verdict.as_ref().and_then(Verdict::failure);
    matches!(device.state, DevicePhase::Planned) && failure.is_some()
}

impl Ui {
    /// Whether the key would do something on the plan.
    pub(super) fn can_look_again(&self, fleet: &Fleet) -> bool {
        shown(self, fleet).any(cannot)
    }

    /// Whether the key would do something on the dashboard.
    pub(super) fn can_retry_all(&self, fleet: &Fleet) -> bool {
        shown(self, fleet).any(is_candidate)
    }

    /// On the plan: a look changes nothing, so nobody is asked first.
    pub(super) fn look_again(&self, fleet: &Fleet) -> Vec<Effect> {
        let again = shown(self, fleet).filter(|device| cannot(device));
        let devices = again.map(|device| device.id.clone()).collect();
        vec![Effect::Intend(Intent::RetryAll(devices))]
    }

    /// On the dashboard: asks first.
    pub(super) fn ask_retry_all(&mut self, fleet: &Fleet) {
        self.ask_retry(Scope::Shown, shown(self, fleet).collect::<Vec<_>>());
    }

    /// Asks whether to retry these devices.
    pub(super) fn ask_retry<'f>(
        &mut self,
        scope: Scope,
        devices: impl IntoIterator<Item = &'f DeviceState>,
    ) {
        self.popup = RetryBox::open(scope, devices).map(Popup::RetryBox);
    }

    /// Whether the box has devices of this kind to include or leave out.
    pub(super) fn has_choice(&self, kind: OutcomeKind, fleet: &Fleet) -> bool {
        matches!(&self.popup, Some(Popup::RetryBox(asked)) if asked.count_of(fleet, kind) > 0)
    }

    /// Includes the devices of a kind, or leaves them out.
    pub(super) fn choose(&mut self, kind: OutcomeKind) {
        if let Some(Popup::RetryBox(asked)) = &mut self.popup {
            match kind {
                OutcomeKind::RolledBack => asked.rolled_back ^= true,
                _ => asked.cancelled ^= true,
            }
        }
    }

    /// The box is answered with yes.
    pub(super) fn retry_chosen(&mut self, asked: RetryBox, fleet: &Fleet) -> Vec<Effect> {
        let chosen = asked.chosen(fleet);
        if chosen.is_empty() {
            self.warn("no device is chosen");
            self.popup = Some(Popup::RetryBox(asked));
            return Vec::new();
        }
        let devices = chosen.iter().map(|device| device.id.clone()).collect();
        if asked.scope == Scope::Marked {
            self.marks.clear();
        }
        vec![Effect::Intend(Intent::RetryAll(devices))]
    }
}
