//! A run as its subscribers see it: the fleet's state, the next event, and a place for intents. Whoever shows the run
//! owns its [`FleetRun`]. Its messages come from tasks, or from where another process keeps them; how a run of the past
//! is paced is in `replay`.

use std::collections::VecDeque;
use std::sync::Arc;

use tokio::sync::mpsc;

use crate::model::DeviceId;

use super::event::{DeviceFact, Event, Fact, Reopened};
use super::fleet::reducer::Fleet;
use super::pool::Launcher;
use super::recorder::{NotRecorded, Recorder};
use super::reducer_messages::{Command, Intent, Message};
use super::replay::Replay;
use super::run_facts::RunFacts;

/// Messages that may wait for the subscriber before a device's task has to wait.
const INBOX: usize = 1024;

/// Ties the reducer to where its messages come from. Whoever shows the run owns it and calls [`FleetRun::next`].
pub struct FleetRun {
    fleet: Fleet,
    source: Source,
}

/// Where messages come from.
enum Source {
    /// The tasks of this process.
    Tasks(Tasks),
    /// A run of the past.
    Replay(Replay),
    /// A run that goes on in another process.
    Followed(mpsc::Receiver<Message>),
}

/// A run that is this process's own.
struct Tasks {
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
        let tasks = Tasks {
            launcher: Box::new(launcher(tx)),
            inbox,
            own: VecDeque::from([started]),
            untold: VecDeque::new(),
            recorder: Arc::new(NotRecorded),
            finished: false,
        };
        Self {
            fleet,
            source: Source::Tasks(tasks),
        }
    }

    /// A run of the past, to be looked at again: nothing is sent, and intents change nothing.
    pub fn replaying(facts: RunFacts, messages: Vec<Message>) -> Self {
        Self {
            fleet: Fleet::of(facts),
            source: Source::Replay(Replay::new(messages)),
        }
    }

    /// The same run of the past, of which more may come: its end here is nobody's death.
    #[must_use]
    pub fn going_on(mut self) -> Self {
        if let Source::Replay(replay) = &mut self.source {
            replay.goes_on = true;
        }
        self
    }

    /// A run of another process, whose messages come from `messages` until it has none any more. It is only looked at.
    pub fn following(facts: RunFacts, messages: mpsc::Receiver<Message>) -> Self {
        Self {
            fleet: Fleet::of(facts),
            source: Source::Followed(messages),
        }
    }

    /// The same session, in which nothing has happened yet, whose messages are kept.
    #[must_use]
    pub fn recorded_by(mut self, recorder: Arc<dyn Recorder>) -> Self {
        if let Source::Tasks(tasks) = &mut self.source {
            tasks.recorder = recorder;
        }
        self
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
        if let Source::Tasks(tasks) = &mut self.source {
            tasks.own.clear();
            tasks.untold.push_back(event.clone());
            self.update(&Message::Event(event));
        }
        self
    }

    /// What is known.
    pub fn fleet(&self) -> &Fleet {
        &self.fleet
    }

    /// Whether the run is only looked at.
    pub fn is_read_only(&self) -> bool {
        !matches!(self.source, Source::Tasks(_))
    }

    /// The pace of a run of the past.
    pub fn replay(&self) -> Option<&Replay> {
        match &self.source {
            Source::Replay(replay) => Some(replay),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn replay_mut(&mut self) -> Option<&mut Replay> {
        match &mut self.source {
            Source::Replay(replay) => Some(replay),
            _ => None,
        }
    }

    /// Takes in an intent; one of a person who only looks at the run changes nothing.
    pub fn intend(&mut self, intent: Intent) {
        if !self.is_read_only() {
            tracing::debug!(?intent, "wish");
            self.update(&Message::Intent(intent));
        }
    }

    /// Ends the run: [`Fact::RunFinished`] is the last event, once.
    pub fn finish(&mut self) {
        if let Source::Tasks(tasks) = &mut self.source
            && !tasks.finished
        {
            tasks.finished = true;
            tasks.own.push_back(Event::now(Fact::RunFinished {
                interrupted: self.fleet.stop().is_some(),
            }));
        }
    }

    /// Waits for the next event; the fleet's state has taken it in already. Nothing once no more can come, which does
    /// not happen while tasks may report. Safe to drop while waiting.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.untold() {
                return Some(event);
            }
            let message = match &mut self.source {
                Source::Tasks(tasks) => match tasks.own.pop_front() {
                    Some(event) => Message::Event(event),
                    None => tasks.inbox.recv().await?,
                },
                Source::Replay(replay) => match replay.next().await {
                    Some(message) => message,
                    None => return self.over(),
                },
                Source::Followed(inbox) => match inbox.recv().await {
                    Some(message) => message,
                    None => return self.over(),
                },
            };
            if let Some(event) = self.take(message) {
                return Some(event);
            }
        }
    }

    /// The next event, if one is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.untold() {
                return Some(event);
            }
            let message = match &mut self.source {
                Source::Tasks(tasks) => match tasks.own.pop_front() {
                    Some(event) => Message::Event(event),
                    None => tasks.inbox.try_recv().ok()?,
                },
                Source::Replay(replay) => replay.try_next()?,
                Source::Followed(inbox) => inbox.try_recv().ok()?,
            };
            if let Some(event) = self.take(message) {
                return Some(event);
            }
        }
    }

    /// The next event of a run of the past, although it is not due yet.
    pub fn step(&mut self) -> Option<Event> {
        loop {
            let message = self.replay_mut()?.step()?;
            if let Some(event) = self.take(message) {
                return Some(event);
            }
        }
    }

    /// Begins a run of the past again.
    pub fn begin_again(&mut self) {
        if let Source::Replay(replay) = &mut self.source {
            replay.rewind();
            self.fleet = Fleet::of(self.fleet.facts().clone());
        }
    }

    /// No message comes any more. Where the run has not come to its end, its process died, and no device is worked on.
    fn over(&mut self) -> Option<Event> {
        let goes_on = self.replay().is_some_and(Replay::goes_on);
        if self.fleet.ended().is_none() && !goes_on {
            self.fleet.bury();
        }
        None
    }

    fn untold(&mut self) -> Option<Event> {
        match &mut self.source {
            Source::Tasks(tasks) => tasks.untold.pop_front(),
            _ => None,
        }
    }

    fn take(&mut self, message: Message) -> Option<Event> {
        self.update(&message);
        match message {
            Message::Event(event) => Some(event),
            Message::Intent(_) | Message::TaskLost { .. } => None,
        }
    }

    fn update(&mut self, message: &Message) {
        if let Source::Tasks(tasks) = &self.source {
            // Before anything follows from it: an install is sent only once this message outlives a power cut.
            tasks.recorder.record(message);
        }
        let commands = self.fleet.update(message);
        // Whoever ran it has carried out those of another run, and the events that follow from them are stored.
        if let Source::Tasks(tasks) = &mut self.source {
            for command in commands {
                tasks.carry_out(command);
            }
        }
    }
}

impl Tasks {
    fn carry_out(&mut self, command: Command) {
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
