//! The tasks: one for each device that is worked on, under a supervisor that reports its death. What starts is decided
//! in `fleet::reducer`.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::sync::{Semaphore, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::device::Device;
use crate::model::{DeviceId, Payload, Policy, RunId, Secret, Touched, printable};

use super::fleet::across_attempts::DeviceHistory;
use super::log_source::LogHolder;
use super::procedure::attempt::LogKeeper;
use super::procedure::attempt::{Attempt, EventSender};
use super::procedure::install_permit::InstallPermit;
use super::recorder::{NotRecorded, Recorder};
use super::reducer_messages::{Command, Message, TaskEnd};

/// Whatever carries out the reducer's commands.
pub trait Launcher: Send + 'static {
    /// Carries out one command; never blocks. [`Command::Finish`] and what
    /// [`FleetRun`](crate::engine::FleetRun) announces itself never come here.
    fn launch(&mut self, command: Command);
}

/// Runs the procedures of a fleet's devices as tokio tasks. Dropping it stops them all.
pub struct Pool<D> {
    run: RunId,
    devices: HashMap<DeviceId, Known<D>>,
    payload: Arc<Payload>,
    policy: Arc<Policy>,
    inbox: mpsc::Sender<Message>,
    /// Limits how many phones are asked at once (section 10).
    turns: Arc<Semaphore>,
    tasks: HashMap<DeviceId, Task>,
    supervisors: JoinSet<()>,
    keeper: Option<Arc<dyn LogKeeper>>,
    holder: Option<Arc<dyn LogHolder>>,
    recorder: Arc<dyn Recorder>,
}

/// A device, and what this run did to it.
struct Known<D> {
    port: Arc<D>,
    history: Arc<Mutex<DeviceHistory>>,
}

/// The two ways to stop a device's task, and the one to tell it something.
struct Task {
    cancel: CancellationToken,
    abort: CancellationToken,
    answers: mpsc::Sender<Secret>,
    recorded: mpsc::Sender<Result<(), String>>,
    permit: InstallPermit,
}

impl<D: Device> Pool<D> {
    /// A pool without tasks, which will report into `inbox`.
    pub fn new(
        run: RunId,
        devices: impl IntoIterator<Item = (DeviceId, D)>,
        payload: Payload,
        policy: Policy,
        inbox: mpsc::Sender<Message>,
    ) -> Self {
        let known = |device| Known {
            port: Arc::new(device),
            history: Arc::default(),
        };
        Self {
            run,
            devices: devices
                .into_iter()
                .map(|(id, device)| (id, known(device)))
                .collect(),
            payload: Arc::new(payload),
            turns: Arc::new(Semaphore::new(
                policy.approval.at_once.clamp(1, Semaphore::MAX_PERMITS),
            )),
            policy: Arc::new(policy),
            inbox,
            tasks: HashMap::new(),
            supervisors: JoinSet::new(),
            keeper: None,
            holder: None,
            recorder: Arc::new(NotRecorded),
        }
    }

    /// Knows how many logins devices have refused in the process that began the run: they count on (section 6).
    #[must_use]
    pub fn after_refused_logins(mut self, refused: &BTreeMap<DeviceId, u32>) -> Self {
        for (device, &times) in refused {
            if let Some(known) = self.devices.get_mut(device) {
                let history = DeviceHistory::after_refused_logins(times);
                known.history = Arc::new(Mutex::new(history));
            }
        }
        self
    }

    /// Hands the log files that `hemfleet audit` reads to `keeper`.
    #[must_use]
    pub fn keeping(self, keeper: Option<Arc<dyn LogKeeper>>) -> Self {
        Self { keeper, ..self }
    }

    /// Hands the log files that a verdict may rest on to `holder`.
    #[must_use]
    pub fn holding(self, holder: Option<Arc<dyn LogHolder>>) -> Self {
        Self { holder, ..self }
    }

    /// Sends installs only once `recorder` has them on disk: the one to which [`FleetRun`](crate::engine::FleetRun)
    /// hands its messages.
    #[must_use]
    pub fn recorded_by(self, recorder: Arc<dyn Recorder>) -> Self {
        Self { recorder, ..self }
    }

    fn attempt(
        &mut self,
        device: &DeviceId,
        attempt: u32,
    ) -> Option<(Attempt<D>, CancellationToken)> {
        let known = self.devices.get(device)?;
        let (tx, answers) = mpsc::channel(1);
        let (on_disk, recorded) = mpsc::channel(1);
        let task = Task {
            cancel: CancellationToken::new(),
            abort: CancellationToken::new(),
            answers: tx,
            recorded: on_disk,
            permit: InstallPermit::default(),
        };
        let work = Attempt {
            device: Arc::clone(&known.port),
            payload: Arc::clone(&self.payload),
            policy: Arc::clone(&self.policy),
            events: EventSender {
                inbox: self.inbox.clone(),
                device: device.clone(),
                attempt,
            },
            cancel: task.cancel.clone(),
            permit: task.permit.clone(),
            touched: Touched::Nothing,
            before_install: Touched::Nothing,
            repeated: false,
            clocks_apart: false,
            run: self.run.clone(),
            answers,
            recorded,
            turns: Arc::clone(&self.turns),
            history: Arc::clone(&known.history),
            keeper: self.keeper.clone(),
            holder: self.holder.clone(),
            refused: Vec::new(),
            takes_other: false,
            told_look: false,
            rebooted_since: None,
        };
        let abort = task.abort.clone();
        self.tasks.insert(device.clone(), task);
        Some((work, abort))
    }

    fn spawn(
        &mut self,
        device: DeviceId,
        attempt: u32,
        abort: CancellationToken,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        while self.supervisors.try_join_next().is_some() {}
        let inbox = self.inbox.clone();
        self.supervisors.spawn(async move {
            if let Some(how) = supervise(work, abort).await {
                tracing::warn!(%device, ?how, "task lost");
                let lost = Message::TaskLost {
                    device,
                    attempt,
                    how,
                };
                let _ = inbox.send(lost).await;
            }
        });
    }
}

impl<D: Device> Launcher for Pool<D> {
    fn launch(&mut self, command: Command) {
        match command {
            Command::Plan {
                device,
                attempt,
                resume,
                takes_other,
                refused,
            } => {
                if let Some((mut work, abort)) = self.attempt(&device, attempt) {
                    (work.refused, work.takes_other) = (refused, takes_other);
                    self.spawn(device, attempt, abort, work.plan(resume));
                }
            }
            Command::Start {
                device,
                attempt,
                resume,
                planned,
                takes_other,
                refused,
            } => {
                if let Some((mut work, abort)) = self.attempt(&device, attempt) {
                    (work.refused, work.takes_other) = (refused, takes_other);
                    self.spawn(device, attempt, abort, work.upgrade(resume, planned));
                }
            }
            Command::Cancel { device } => {
                if let Some(task) = self.tasks.get(&device) {
                    task.cancel.cancel();
                }
            }
            Command::Abort { device } => {
                if let Some(task) = self.tasks.get(&device) {
                    task.abort.cancel();
                }
            }
            Command::Answer { device, secret } => {
                if let Some(task) = self.tasks.get(&device) {
                    // Full, or nobody there: a secret that nobody waits for is dropped.
                    let _ = task.answers.try_send(secret);
                }
            }
            Command::Audit {
                device,
                attempt,
                all,
            } => {
                if let Some((work, abort)) = self.attempt(&device, attempt) {
                    self.spawn(device, attempt, abort, work.audit(all));
                }
            }
            Command::GivePermit { device } => {
                if let Some(task) = self.tasks.get(&device) {
                    task.permit.give();
                }
            }
            Command::SendInstall { device } => {
                if let Some(task) = self.tasks.get(&device) {
                    let (on_disk, task) = (self.recorder.on_disk(), task.recorded.clone());
                    self.supervisors.spawn(async move {
                        let _ = task.send(on_disk.await).await;
                    });
                }
            }
            Command::RevokePermit { device } => {
                if let Some(task) = self.tasks.get(&device) {
                    task.permit.take_back();
                }
            }
            Command::Halt { device } => {
                if let Some(task) = self.tasks.get(&device) {
                    task.permit.refuse();
                    task.cancel.cancel();
                }
            }
            Command::Finish { .. }
            | Command::AnnounceHalted(_)
            | Command::AnnounceResumed { .. } => {}
        }
    }
}

/// Runs a device's work to its end, which is `None`, or says how it went away instead. When this
/// returns the work is gone, so that nothing it says can come afterwards.
async fn supervise(
    work: impl Future<Output = ()> + Send + 'static,
    abort: CancellationToken,
) -> Option<TaskEnd> {
    let mut task = AbortOnDropHandle::new(tokio::spawn(work));
    let ended = tokio::select! {
        ended = &mut task => ended,
        () = abort.cancelled() => {
            task.abort();
            task.await
        }
    };
    ended.err().map(how)
}

fn how(error: JoinError) -> TaskEnd {
    let Ok(panic) = error.try_into_panic() else {
        return TaskEnd::Aborted;
    };
    let text = panic
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".to_owned());
    TaskEnd::Panicked(printable(&text, 200))
}
