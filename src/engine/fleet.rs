//! The reducer: it alone decides what starts. Synchronous, without a clock and without IO. What can be
//! derived from its state is in `tally`.
//! Must not: do anything; it returns [`Command`]s.

use std::collections::{HashMap, VecDeque};

use jiff::Timestamp;

use crate::model::{
    DeviceId, Doubt, Failure, FailureKind, Outcome, PayloadFacts, RunId, Stage, Touched, Verdict,
};

use super::command::{Command, Intent, Message, TaskEnd};
use super::event::{DeviceFact, Event, Fact};
use super::row::{Row, RowSeed, RowState};

/// How far a run goes by itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    run: RunId,
    payload: PayloadFacts,
    mode: Mode,
    concurrency: usize,
    phase: Phase,
    stop: Option<Stop>,
    /// Whether [`Intent::Interrupt`] has come: the next one aborts.
    interrupted: bool,
    rows: Vec<Row>,
    index: HashMap<DeviceId, usize>,
    queue: VecDeque<usize>,
    started: Option<Timestamp>,
    upgrading_since: Option<Timestamp>,
    ended: Option<Timestamp>,
}

impl Fleet {
    /// A fleet in which nothing has happened. `concurrency` is at least 1.
    pub fn new(
        run: RunId,
        payload: PayloadFacts,
        mode: Mode,
        concurrency: usize,
        devices: impl IntoIterator<Item = RowSeed>,
    ) -> Self {
        let rows: Vec<Row> = devices.into_iter().map(Row::new).collect();
        let index = rows
            .iter()
            .enumerate()
            .map(|(n, row)| (row.id.clone(), n))
            .collect();
        Self {
            run,
            payload,
            mode,
            concurrency: concurrency.max(1),
            phase: Phase::Idle,
            stop: None,
            interrupted: false,
            rows,
            index,
            queue: VecDeque::new(),
            started: None,
            upgrading_since: None,
            ended: None,
        }
    }

    /// The run.
    pub fn run(&self) -> &RunId {
        &self.run
    }

    /// What is rolled out.
    pub fn payload(&self) -> &PayloadFacts {
        &self.payload
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

    /// How the run is being stopped, if it is.
    pub fn stop(&self) -> Option<Stop> {
        self.stop
    }

    /// All devices in the order of the inventory.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// One device.
    pub fn row(&self, id: &DeviceId) -> Option<&Row> {
        self.index.get(id).map(|&n| &self.rows[n])
    }

    /// When the run began.
    pub fn started(&self) -> Option<Timestamp> {
        self.started
    }

    /// When the first stage after the plan began.
    pub(super) fn upgrading_since(&self) -> Option<Timestamp> {
        self.upgrading_since
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
            Message::Intent(intent) => self.wished(intent, &mut commands),
            Message::Event(event) => self.happened(event, &mut commands),
            Message::TaskLost {
                device,
                attempt,
                how,
            } => self.task_lost(device, *attempt, how, &mut commands),
        }
        if self.phase == Phase::Planning && !self.rows.iter().any(Row::is_busy) {
            self.phase = Phase::Planned;
        }
        self.fill(&mut commands);
        commands
    }

    fn wished(&mut self, intent: &Intent, commands: &mut Vec<Command>) {
        match intent {
            Intent::Begin => {
                if self.phase == Phase::Idle && self.stop.is_none() {
                    self.phase = match self.mode {
                        Mode::Plan | Mode::Confirm => Phase::Planning,
                        Mode::Go | Mode::Audit { .. } => Phase::Upgrading,
                    };
                    for row in &mut self.rows {
                        row.attempt = 1;
                    }
                    self.queue.extend(0..self.rows.len());
                }
            }
            Intent::Confirm => self.confirm(commands),
            Intent::Retry(device) => {
                if let Some(&n) = self.index.get(device) {
                    self.retry(n);
                }
            }
            Intent::RetryFailed => {
                for n in 0..self.rows.len() {
                    let row = &self.rows[n];
                    let wanted = if self.phase == Phase::Upgrading {
                        row.outcome().is_some_and(|o| o.kind().is_failure())
                    } else {
                        matches!(row.verdict, Some(Verdict::Cannot(_)))
                    };
                    if wanted {
                        self.retry(n);
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
                    && self.rows[n].wants_secret()
                {
                    self.rows[n].answered();
                    commands.push(Command::Answer {
                        device: device.clone(),
                        secret: secret.clone(),
                    });
                }
            }
            Intent::CancelAll => self.cancel_all(commands),
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
        for row in &self.rows {
            if row.has_task() {
                commands.push(Command::Abort {
                    device: row.id.clone(),
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
        for (n, row) in self.rows.iter_mut().enumerate() {
            if !matches!(row.state, RowState::Planned) {
                continue;
            }
            // What the look took, and the reading of the plan, is no part of the upgrade.
            row.started = None;
            match row.verdict.as_ref().and_then(Verdict::outcome) {
                None => {
                    row.state = RowState::Waiting;
                    self.queue.push_back(n);
                }
                Some(outcome) => commands.push(row.settle(outcome)),
            }
        }
    }

    fn retry(&mut self, n: usize) {
        let row = &mut self.rows[n];
        let retryable = match &row.state {
            // While the plan is shown, a retry is another look.
            RowState::Planned => true,
            RowState::Done(outcome) => outcome.kind().is_retryable(),
            _ => false,
        };
        if !retryable || self.stop.is_some() {
            return;
        }
        match self.phase {
            Phase::Planned | Phase::Planning => self.phase = Phase::Planning,
            Phase::Upgrading => {}
            Phase::Idle => return,
        }
        row.attempt += 1;
        row.cancelling = false;
        row.state = RowState::Waiting;
        row.started = None;
        row.ended = None;
        // Where only the log is open, what the device runs is proven, and stays so.
        if row.reread.is_none() {
            row.after = None;
        }
        row.audit = None;
        row.judged = None;
        self.queue.push_back(n);
    }

    fn cancel(&mut self, n: usize, commands: &mut Vec<Command>) {
        let row = &mut self.rows[n];
        match row.state {
            RowState::Waiting => {
                // Not in the queue: it is being settled already.
                if let Some(at) = self.queue.iter().position(|&q| q == n) {
                    self.queue.remove(at);
                    commands.push(row.settle_cancelled());
                }
            }
            RowState::Planned => commands.push(row.settle_planned()),
            RowState::Starting | RowState::Running(_) => {
                row.cancelling = true;
                commands.push(Command::Cancel {
                    device: row.id.clone(),
                });
            }
            RowState::Done(_) => {}
        }
    }

    fn cancel_all(&mut self, commands: &mut Vec<Command>) {
        for n in 0..self.rows.len() {
            if self.phase == Phase::Idle && self.queue.is_empty() {
                // Nothing was begun, so nothing is in the queue.
                commands.push(self.rows[n].settle_cancelled());
            } else {
                self.cancel(n, commands);
            }
        }
    }

    fn happened(&mut self, event: &Event, commands: &mut Vec<Command>) {
        match &event.fact {
            Fact::RunStarted { .. } => self.started = Some(event.at),
            Fact::RunFinished { .. } => self.ended = Some(event.at),
            Fact::Device {
                device,
                attempt,
                fact,
            } => {
                let Some(&n) = self.index.get(device) else {
                    return;
                };
                let row = &mut self.rows[n];
                // Without a task there is nothing to hear but the end that was ordered for the device.
                let hears = match fact {
                    DeviceFact::Finished { .. } => row.is_busy() && !self.queue.contains(&n),
                    _ => row.has_task(),
                };
                if row.attempt != *attempt || !hears {
                    return;
                }
                row.apply(event.at, fact);
                if self.phase == Phase::Upgrading && row.started.is_some() {
                    self.upgrading_since.get_or_insert(event.at);
                }
                if self.phase == Phase::Planning && matches!(fact, DeviceFact::Planned { .. }) {
                    row.state = RowState::Planned;
                    // The look had ended when it was asked to stop; the device is stopped all the same.
                    if row.cancelling {
                        commands.push(row.settle_planned());
                    }
                }
            }
        }
    }

    fn task_lost(
        &mut self,
        device: &DeviceId,
        attempt: u32,
        how: &TaskEnd,
        commands: &mut Vec<Command>,
    ) {
        let Some(&n) = self.index.get(device) else {
            return;
        };
        let row = &mut self.rows[n];
        if row.attempt != attempt || !row.has_task() {
            return;
        }
        if let Some(judged) = row.judged.take() {
            // Nothing was left but its log.
            commands.push(row.settle(judged));
            return;
        }
        let what = match how {
            TaskEnd::Aborted => "stopped before the log was read",
            TaskEnd::Panicked(what) => what,
        };
        if let Some(unread) = row.unread(what) {
            commands.push(row.settle(unread));
            return;
        }
        let outcome = match (how, row.watch.is_some()) {
            (TaskEnd::Aborted, true) => Outcome::Unknown(Doubt::StoppedWatching),
            (TaskEnd::Aborted, false) => Outcome::Cancelled(row.touched()),
            (TaskEnd::Panicked(what), true) => Outcome::Unknown(Doubt::Panicked(what.clone())),
            (TaskEnd::Panicked(what), false) => Outcome::Failed(Failure {
                stage: row.active().map_or(Stage::Probe, |a| a.stage),
                kind: FailureKind::Panicked { what: what.clone() },
                touched: row.touched(),
            }),
        };
        commands.push(row.settle(outcome));
    }

    /// Starts what waits, up to the limit.
    fn fill(&mut self, commands: &mut Vec<Command>) {
        if self.stop.is_some() {
            return;
        }
        let mut running = self.rows.iter().filter(|r| r.has_task()).count();
        while running < self.concurrency
            && let Some(n) = self.queue.pop_front()
        {
            let row = &mut self.rows[n];
            row.state = RowState::Starting;
            running += 1;
            let device = row.id.clone();
            let attempt = row.attempt;
            commands.push(match (self.phase, self.mode) {
                (Phase::Planning, _) => Command::Plan { device, attempt },
                (_, Mode::Audit { all }) => Command::Audit {
                    device,
                    attempt,
                    all,
                },
                _ => Command::Start {
                    device,
                    attempt,
                    resume: row.resume(),
                },
            });
        }
    }
}

impl Row {
    fn settle(&mut self, outcome: Outcome) -> Command {
        // No task any more: it waits for its own `Finished`.
        self.state = RowState::Waiting;
        Command::Settle {
            device: self.id.clone(),
            attempt: self.attempt,
            outcome,
        }
    }

    /// Stopped while the plan is shown: what the plan says, where that is an end.
    fn settle_planned(&mut self) -> Command {
        match self.verdict.as_ref().and_then(Verdict::outcome) {
            Some(outcome) => self.settle(outcome),
            None => self.settle_cancelled(),
        }
    }

    /// Stopped without a task. What is in doubt stays in doubt.
    fn settle_cancelled(&mut self) -> Command {
        let outcome = if self.watch.is_some() {
            Outcome::Unknown(Doubt::StoppedWatching)
        } else {
            let unread = self.unread("stopped before the log was read");
            unread.unwrap_or(Outcome::Cancelled(Touched::Nothing))
        };
        self.settle(outcome)
    }
}
