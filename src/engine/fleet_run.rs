//! A run as its subscribers see it: the fleet's state, the next event, and a place for intents. Whoever shows the run
//! owns its [`FleetRun`].

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::model::DeviceId;

use super::event::{DeviceFact, Event, Fact, Reopened};
use super::fleet::reducer::Fleet;
use super::pool::Launcher;
use super::recorder::{NotRecorded, Recorder};
use super::reducer_messages::{Command, Intent, Message};

/// Messages that may wait for the subscriber before a device's task has to wait.
const INBOX: usize = 1024;

/// Ties the reducer to the tasks. Whoever shows the run owns it and calls [`FleetRun::next`].
pub struct FleetRun {
    fleet: Fleet,
    launcher: Box<dyn Launcher>,
    inbox: mpsc::Receiver<Message>,
    /// Events that the session makes itself; they come before what waits in the inbox.
    own: VecDeque<Event>,
    /// Events that the fleet has taken in already, and nobody has been told of.
    untold: VecDeque<Event>,
    recorder: Arc<dyn Recorder>,
    finished: bool,
}

impl FleetRun {
    /// Makes a session; `launcher` gets the sender into which its tasks report.
    pub fn new<L: Launcher>(
        fleet: Fleet,
        launcher: impl FnOnce(mpsc::Sender<Message>) -> L,
    ) -> Self {
        let (tx, inbox) = mpsc::channel(INBOX);
        let started = Event::now(Fact::RunStarted {
            run: fleet.run().clone(),
            payload: Box::new(fleet.payload().clone()),
            devices: fleet.devices().len(),
        });
        Self {
            fleet,
            launcher: Box::new(launcher(tx)),
            inbox,
            own: VecDeque::from([started]),
            untold: VecDeque::new(),
            recorder: Arc::new(NotRecorded),
            finished: false,
        }
    }

    /// The same session, in which nothing has happened yet, whose messages are kept.
    #[must_use]
    pub fn recorded_by(self, recorder: Arc<dyn Recorder>) -> Self {
        Self { recorder, ..self }
    }

    /// The same session, in which nothing has happened yet, without these: see [`Fleet::leaving_out`].
    #[must_use]
    pub fn leaving_out(mut self, not_asked: &[DeviceId]) -> Self {
        self.fleet = self.fleet.leaving_out(not_asked);
        self
    }

    /// The same session over a fleet that another process left: it goes on, and does not start. Comes last, since the fleet
    /// takes it in at once.
    #[must_use]
    pub fn reopened(mut self, reopened: Reopened) -> Self {
        let event = Event::now(Fact::RunReopened(Box::new(reopened)));
        self.own.clear();
        self.update(&Message::Event(event.clone()));
        self.untold.push_back(event);
        self
    }

    /// What is known.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Takes in an intent.
    pub fn intend(&mut self, intent: Intent) {
        tracing::debug!(?intent, "wish");
        self.update(&Message::Intent(intent));
    }

    /// Ends the run: [`Fact::RunFinished`] is the last event, once.
    pub fn finish(&mut self) {
        if !self.finished {
            self.finished = true;
            self.own.push_back(Event::now(Fact::RunFinished {
                interrupted: self.fleet.stop().is_some(),
            }));
        }
    }

    /// Waits for the next event; the fleet's state has taken it in already. Safe to drop while
    /// waiting.
    pub async fn next(&mut self) -> Event {
        loop {
            if let Some(event) = self.own() {
                return event;
            }
            match self.inbox.recv().await {
                Some(message) => {
                    if let Some(event) = self.take(message) {
                        return event;
                    }
                }
                // The launcher holds a sender, so this does not happen while the session lives.
                None => std::future::pending().await,
            }
        }
    }

    /// The next event, if one is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.own() {
                return Some(event);
            }
            let message = self.inbox.try_recv().ok()?;
            if let Some(event) = self.take(message) {
                return Some(event);
            }
        }
    }

    fn own(&mut self) -> Option<Event> {
        if let Some(event) = self.untold.pop_front() {
            return Some(event);
        }
        let event = self.own.pop_front()?;
        self.update(&Message::Event(event.clone()));
        Some(event)
    }

    fn take(&mut self, message: Message) -> Option<Event> {
        self.update(&message);
        match message {
            Message::Event(event) => Some(event),
            Message::Intent(_) | Message::TaskLost { .. } => None,
        }
    }

    fn update(&mut self, message: &Message) {
        // Before anything follows from it: an install is sent only once this message outlives a power cut.
        self.recorder.record(message);
        for command in self.fleet.update(message) {
            match command {
                Command::Finish {
                    device,
                    attempt,
                    outcome,
                } => self.own.push_back(Event::of_device(
                    &device,
                    attempt,
                    DeviceFact::Finished { outcome },
                )),
                Command::AnnounceHalted(halt) => {
                    let fact = Fact::RunHalted(Box::new(halt));
                    self.own.push_back(Event::now(fact));
                }
                Command::AnnounceResumed { harm, max_failures } => {
                    let fact = Fact::RunResumed { harm, max_failures };
                    self.own.push_back(Event::now(fact));
                }
                other => self.launcher.launch(other),
            }
        }
    }
}
