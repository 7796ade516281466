//! The reducer: it alone decides what starts. Synchronous, without a clock and without IO: it returns [`Command`]s and
//! carries none of them out.
//!
//! Who is next is in `queue`, who is left out of the plan in `left_out`, when a bad image halts the run in
//! `failure_budget`, how a device ends without a task in `end_without_task`, and how far the run is in `run_progress`.

use serde::{Deserialize, Serialize};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{DeviceId, ImageFacts, MaxFailures, Outcome, PayloadFacts, RunId};

use super::counts::FleetCounts;
use super::device_state::{DevicePhase, DeviceSeed, DeviceState};
use super::reopened::GoneOn;
use super::run_clock::RunClock;
use super::stage_times::StageTimes;
use crate::engine::event::{DeviceFact, EarlierRefusal, Event, Fact};
use crate::engine::reducer_messages::{Command, Intent, Message};
use crate::engine::run_facts::RunFacts;

/// How far a run goes by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Look only (`hemfleet plan`).
    Plan,
    /// Look, then wait for [`Intent::Confirm`].
    Confirm,
    /// Look at each device and go on at once (`--yes`).
    Go,
    /// Read the audit logs, and nothing else (`hemfleet audit`).
    Audit {
        /// All files of each device, rather than the newest few.
        all: bool,
    },
}

/// Where the run stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Phase {
    /// Before [`Intent::Begin`].
    Idle,
    /// Devices are looked at; nothing is changed, but for an expired certificate where the inventory wants
    /// that renewed by a check-in.
    Planning,
    /// The plan is complete and waits for a confirmation, or, in [`Mode::Plan`], is all there is.
    Planned,
    /// Devices are upgraded.
    Upgrading,
}

/// How a run is being stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// Nothing new starts; running devices are brought to a safe point.
    Draining,
    /// Everything is stopped now.
    Aborting,
}

/// The state of a run: all devices and what is known of them.
#[derive(Debug)]
pub struct Fleet {
    facts: Box<RunFacts>,
    pub(super) mode: Mode,
    pub(super) concurrency: usize,
    pub(super) phase: Phase,
    pub(super) stop: Option<Stop>,
    /// Whether [`Intent::Interrupt`] has come: the next one aborts.
    pub(super) interrupted: bool,
    pub(in crate::engine) devices: Vec<DeviceState>,
    pub(super) index: HashMap<DeviceId, usize>,
    pub(in crate::engine) counters: FleetCounts,
    /// Those in line, with the attempt that they stand there for.
    pub(super) queue: VecDeque<(usize, u32)>,
    /// The same of those that no install will be sent to.
    pub(super) open_ends: VecDeque<(usize, u32)>,
    pub(in crate::engine) max_failures: MaxFailures,
    /// Whether the budget was spent, and nobody has given another one since.
    pub(super) halted: bool,
    /// The budget, and whether it was spent, before another one was offered with a plan that nobody has confirmed yet.
    pub(super) before_offer: Option<(MaxFailures, bool)>,
    /// Whether devices have been upgraded, and not only looked at.
    begun: bool,
    started: Option<Timestamp>,
    /// How long it has upgraded.
    pub(super) clock: RunClock,
    /// How long its stages took.
    pub(super) times: StageTimes,
    /// How long a device may check an image.
    pub(super) check_limit: Duration,
    pub(super) ended: Option<Timestamp>,
    pub(super) gone_on: Vec<GoneOn>,
}

impl Fleet {
    /// A fleet in which nothing has happened. `concurrency` is at least 1.
    pub fn new(
        run: RunId,
        payload: PayloadFacts,
        mode: Mode,
        concurrency: usize,
        devices: impl IntoIterator<Item = DeviceSeed>,
    ) -> Self {
        Self::of(RunFacts::new(run, payload, mode, concurrency, devices))
    }

    /// A fleet of these facts, in which nothing has happened.
    pub fn of(facts: RunFacts) -> Self {
        let seeds = facts.devices.iter().cloned();
        let devices: Vec<DeviceState> = seeds.map(DeviceState::new).collect();
        let index = devices
            .iter()
            .enumerate()
            .map(|(n, device)| (device.id.clone(), n))
            .collect();
        Self {
            mode: facts.mode,
            concurrency: facts.concurrency.max(1),
            phase: Phase::Idle,
            stop: None,
            interrupted: false,
            counters: FleetCounts::of(&devices),
            devices,
            index,
            queue: VecDeque::new(),
            open_ends: VecDeque::new(),
            max_failures: facts.max_failures,
            halted: false,
            before_offer: None,
            begun: false,
            started: None,
            clock: RunClock::default(),
            times: StageTimes::default(),
            check_limit: facts.check_limit,
            ended: None,
            gone_on: Vec::new(),
            facts: Box::new(facts),
        }
    }

    /// What it was made from.
    pub fn facts(&self) -> &RunFacts {
        &self.facts
    }

    pub(super) fn facts_mut(&mut self) -> &mut RunFacts {
        &mut self.facts
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.facts.run
    }

    /// What is rolled out.
    pub fn payload(&self) -> &PayloadFacts {
        &self.facts.payload
    }

    /// How far the run goes by itself.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// How many devices are worked on at once.
    pub fn concurrency(&self) -> usize {
        self.concurrency
    }

    /// Where the run stands.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// Whether devices have been upgraded, in this process or in one before, and not only looked at.
    pub fn has_begun(&self) -> bool {
        self.begun
    }

    /// How the run is being stopped, if it is.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// The same fleet, without these: they could not be asked what is offered to them.
    #[must_use]
    pub fn leaving_out(mut self, not_asked: &[DeviceId]) -> Self {
        self.facts.not_asked = not_asked.to_vec();
        self
    }

    /// Devices that were chosen and are not among these, since they could not be asked what the backend offers
    /// them.
    pub fn not_asked(&self) -> &[DeviceId] {
        &self.facts.not_asked
    }

    /// All devices in the order of the inventory.
    pub fn devices(&self) -> &[DeviceState] {
        &self.devices
    }

    /// One device.
    pub fn device(&self, id: &DeviceId) -> Option<&DeviceState> {
        self.index.get(id).map(|&n| &self.devices[n])
    }

    /// Where a device stands in [`Self::devices`].
    pub fn index_of(&self, id: &DeviceId) -> Option<usize> {
        self.index.get(id).copied()
    }

    pub(in crate::engine) fn counters(&self) -> &FleetCounts {
        &self.counters
    }

    /// When the run began.
    pub fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// When it ended.
    pub fn ended(&self) -> Option<Timestamp> {
        self.ended
    }

    /// Takes in a message and says what is to be done. Messages of another attempt are stale and
    /// change nothing.
    pub fn update(&mut self, message: &Message) -> Vec<Command> {
        let mut commands = Vec::new();
        match message {
            Message::Intent(intent) => self.on_intent(intent, &mut commands),
            Message::Event(event) => self.on_event(event, &mut commands),
            Message::TaskLost {
                device,
                attempt,
                how,
            } => self.task_lost(device, *attempt, how, &mut commands),
        }
        if self.phase == Phase::Upgrading {
            self.begun = true;
            self.before_offer = None;
        }
        if self.phase == Phase::Planning && self.counters.busy() == 0 {
            self.phase = Phase::Planned;
        }
        self.check_budget(&mut commands);
        self.fill(&mut commands);
        commands
    }

    fn on_intent(&mut self, intent: &Intent, commands: &mut Vec<Command>) {
        match intent {
            Intent::Begin => {
                if self.phase == Phase::Idle && self.stop.is_none() {
                    self.phase = match self.mode {
                        Mode::Plan | Mode::Confirm => Phase::Planning,
                        Mode::Go | Mode::Audit { .. } => Phase::Upgrading,
                    };
                    self.begin();
                }
            }
            Intent::Confirm => self.confirm(commands),
            Intent::Retry(device) => {
                if let Some(&n) = self.index.get(device) {
                    self.retry(n, true);
                }
            }
            Intent::RetryAll(devices) => {
                for device in devices {
                    if let Some(&n) = self.index.get(device) {
                        self.retry(n, false);
                    }
                }
            }
            Intent::Cancel(device) => {
                if let Some(&n) = self.index.get(device) {
                    self.cancel(n, commands);
                }
            }
            Intent::Answer(device, secret) => {
                if let Some(&n) = self.index.get(device)
                    && self.devices[n].wants_secret()
                {
                    self.change(n, DeviceState::answered);
                    commands.push(Command::Answer {
                        device: device.clone(),
                        secret: secret.clone(),
                    });
                }
            }
            Intent::LeaveOut(devices) => self.leave_out(devices, true),
            Intent::TakeIn(devices) => self.leave_out(devices, false),
            Intent::CancelAll => self.cancel_all(commands),
            Intent::Halt => self.halt(commands),
            Intent::GoOn(max_failures) => self.go_on(*max_failures, commands),
            Intent::Drain => self.drain(commands),
            Intent::Interrupt => {
                // A reader that is gone is no first interrupt: the Ctrl-C that ended it is still to come.
                if std::mem::replace(&mut self.interrupted, true) {
                    self.abort(commands);
                } else {
                    self.drain(commands);
                }
            }
        }
    }

    fn abort(&mut self, commands: &mut Vec<Command>) {
        self.stop = Some(Stop::Aborting);
        for device in &self.devices {
            if device.has_task() {
                commands.push(Command::Abort {
                    device: device.id.clone(),
                });
            }
        }
    }

    fn drain(&mut self, commands: &mut Vec<Command>) {
        if self.stop.is_none() {
            self.stop = Some(Stop::Draining);
            self.cancel_all(commands);
        }
    }

    fn confirm(&mut self, commands: &mut Vec<Command>) {
        if self.phase != Phase::Planned || self.mode != Mode::Confirm || self.stop.is_some() {
            return;
        }
        self.phase = Phase::Upgrading;
        for n in 0..self.devices.len() {
            let device = &mut self.devices[n];
            if !matches!(device.state, DevicePhase::Planned) {
                continue;
            }
            // What the look took, and the reading of the plan, is no part of the upgrade.
            device.started = None;
            match device.planned_end() {
                None => self.enqueue(n),
                Some(outcome) => commands.push(self.change(n, |device| device.finish_as(outcome))),
            }
        }
    }

    /// Tries a device again: this very one, or with many others.
    fn retry(&mut self, n: usize, by_name: bool) {
        let device = &mut self.devices[n];
        let retryable = match &device.state {
            // While the plan is shown, a retry is another look.
            DevicePhase::Planned => true,
            DevicePhase::Done(outcome) => outcome.kind().is_retryable(),
            _ => false,
        };
        // Of a device that the inventory lost nothing is known any more that could be asked.
        if !retryable || self.stop.is_some() || device.gone {
            return;
        }
        match self.phase {
            Phase::Planned | Phase::Planning => self.phase = Phase::Planning,
            Phase::Upgrading => self.devices[n].asked_for_again(by_name),
            Phase::Idle => return,
        }
        self.change(n, DeviceState::try_again);
        self.enqueue(n);
    }

    fn cancel(&mut self, n: usize, commands: &mut Vec<Command>) {
        match self.devices[n].state {
            // Not in line: it is being settled already.
            DevicePhase::Waiting if !self.devices[n].queued => {}
            DevicePhase::Waiting => commands.push(self.change(n, DeviceState::finish_cancelled)),
            DevicePhase::Planned => commands.push(self.change(n, DeviceState::finish_planned)),
            DevicePhase::Starting | DevicePhase::Running(_) => {
                self.change(n, |device| device.cancelling = true);
                commands.push(Command::Cancel {
                    device: self.devices[n].id.clone(),
                });
            }
            DevicePhase::Done(_) => {}
        }
    }

    fn cancel_all(&mut self, commands: &mut Vec<Command>) {
        for n in 0..self.devices.len() {
            if self.phase == Phase::Idle {
                // Nothing was begun, so nothing is in line.
                commands.push(self.change(n, DeviceState::finish_cancelled));
            } else {
                self.cancel(n, commands);
            }
        }
    }

    /// That a device's bootloader has refused the image of this run.
    fn refusal(&self, n: usize, at: Timestamp) -> EarlierRefusal {
        let firmware = self.payload().firmware.as_ref();
        let seen = self.devices[n].seen.as_ref();
        EarlierRefusal {
            run: self.run().clone(),
            at,
            image: firmware.map(ImageFacts::sha256_hex),
            device: seen.map(|seen| seen.version.mark()),
        }
    }

    fn on_event(&mut self, event: &Event, commands: &mut Vec<Command>) {
        match &event.fact {
            Fact::RunStarted { .. } => self.started = Some(event.at),
            Fact::RunReopened(reopened) => self.reopen(event.at, reopened),
            Fact::RunFinished { .. } => self.ended = Some(event.at),
            // The reducer itself caused these, and only now knows when.
            Fact::RunHalted(_) | Fact::RunResumed { .. } => self.tick(event.at),
            Fact::Device {
                device,
                attempt,
                fact,
            } => {
                let Some(&n) = self.index.get(device) else {
                    return;
                };
                let device = &self.devices[n];
                // Without a task only the end that was ordered for the device counts.
                let hears = match fact {
                    DeviceFact::Finished { .. } => device.is_busy() && !device.queued,
                    _ => device.has_task(),
                };
                if device.attempt != *attempt || !hears {
                    return;
                }
                self.change(n, |device| device.apply(event.at, fact));
                self.measure(n, event.at, fact);
                if let DeviceFact::Finished { outcome } = fact
                    && *outcome == Outcome::RolledBack
                {
                    let refused = self.refusal(n, event.at);
                    self.change(n, |device| device.was_refused(&refused));
                }
                if matches!(fact, DeviceFact::PermitAsked) {
                    self.give_permit(n, commands);
                }
                if matches!(fact, DeviceFact::InstallAnnounced { .. }) {
                    let device = self.devices[n].id.clone();
                    commands.push(Command::SendInstall { device });
                }
                if self.phase == Phase::Planning && matches!(fact, DeviceFact::Planned { .. }) {
                    self.change(n, |device| device.state = DevicePhase::Planned);
                    // The look had ended when it was asked to stop; the device is stopped all the same.
                    if self.devices[n].cancelling {
                        commands.push(self.change(n, DeviceState::finish_planned));
                    }
                }
            }
        }
    }

    /// Changes a device, and what is counted of it.
    pub(in crate::engine) fn change<T>(
        &mut self,
        n: usize,
        how: impl FnOnce(&mut DeviceState) -> T,
    ) -> T {
        let device = &mut self.devices[n];
        self.counters.remove(device);
        let done = how(device);
        self.counters.add(device);
        done
    }
}
