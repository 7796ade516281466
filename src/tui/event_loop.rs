//! The dashboard's loop. Keys, events, signals and time come in; a frame goes out when something has changed.
//! `ui` decides what a key does, `view` what the screen looks like. What becomes of a run whose terminal is gone is in
//! `hang_up`, and what is different about a run that is only looked at in `read_only`.

mod hang_up;
mod read_only;

use std::io;
use std::time::Duration;

use futures_util::future::BoxFuture;
use jiff::tz::TimeZone;
use ratatui::crossterm::event::Event as Input;
use ratatui::layout::Size;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use zeroize::Zeroizing;

use crate::engine::{Event, Fleet, FleetRun, Intent, Mode, Stop, StopSignal};
use crate::model::OnHangUp;

use super::announcer::{Announcements, Announcer};
use super::confirmed_plan::ConfirmedPlan;
use super::terminal::guard::{self, Guard, hung_up, inside, retaken};
use super::terminal::input::Inputs;
use super::theme::{Theme, Tone};
use super::ui::{Effect, Ui, on_plan};
use super::view::{self, Scene};

/// The shortest time between two frames that nobody asked for with a key. Ten a second are smooth enough for bars, and a
/// slow line over SSH carries them.
const FRAME: Duration = Duration::from_millis(100);
/// How often clocks on the screen are drawn anew while nothing else happens.
const TICK: Duration = Duration::from_secs(1);
/// After a frame has been on its way for so long, the next one redraws the whole screen: another program may have
/// written there meanwhile.
const STALL: Duration = Duration::from_secs(1);
/// How often to check whether the process has come back to the foreground: no signal says so.
const FOREGROUND: Duration = Duration::from_millis(300);
/// The most events or keys that are taken in at once, so that a burst of one does not hold up the rest.
const BATCH: usize = 2048;
/// How long to wait for tasks that were told to stop at once.
const ABORT: Duration = Duration::from_secs(3);

/// Whether a confirmed plan may start, and if not, why not, in one line.
pub type MayStart = BoxFuture<'static, Result<(), String>>;

/// What the dashboard needs from outside.
pub struct Options<'a> {
    /// What the terminal can show.
    pub theme: Theme,
    /// What it takes beside the screen.
    pub announcements: Announcements,
    /// Whether the mouse is taken.
    pub mouse: bool,
    /// The time zone in which times of day are shown.
    pub zone: TimeZone,
    /// What becomes of the run when the terminal is gone.
    pub on_hang_up: OnHangUp,
    /// What names the run's journal to another command, beginning with a space; empty for the user's own, absent where none
    /// is kept.
    pub journal: Option<&'static str>,
    /// Called when the plan is confirmed, before anything starts.
    pub may_start: &'a mut dyn FnMut() -> MayStart,
    /// Called with each event after the fleet has taken it in; for a log file.
    pub on_event: &'a mut dyn FnMut(&Fleet, &Event),
}

/// How the dashboard was left.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DashboardExit {
    /// The plan was left without a confirmation: no device was changed.
    Declined,
    /// Nothing was left to do, and a person left or the terminal is gone; or the run was only looked at.
    Left,
    /// Interrupted, and everything was brought to a safe point or stopped.
    Interrupted,
}

/// Shows a session until a person leaves or an interrupt has been carried out.
///
/// Sends [`Intent::Begin`] once it has the terminal; the caller calls [`FleetRun::finish`]. If the terminal is lost, the
/// run is brought to a safe point without it, or to its end: as [`Options::on_hang_up`] says.
///
/// # Errors
///
/// The terminal could not be taken. It has been given back by then, as on every other way out.
pub async fn run<'a>(
    session: &'a mut FleetRun,
    interrupts: &mut mpsc::Receiver<StopSignal>,
    options: Options<'a>,
) -> io::Result<DashboardExit> {
    let (guard, keys) = Guard::enter(options.mouse)?;
    session.intend(Intent::Begin);
    let size = guard.size();
    let mut ui = Ui::new(size);
    ui.read_only = read_only::sign(session, false);
    ui.journal = options.journal;
    let dashboard = Dashboard {
        session,
        ui,
        announcer: Announcer::new(options.announcements),
        options,
        guard: Some(guard),
        dirty: true,
        whole: true,
        behind: None,
        drawn: None,
        aborted: None,
        unattended: false,
        left: false,
        over: false,
        confirmed: None,
    };
    Ok(inside(dashboard.show(keys, interrupts)).await)
}

#[expect(
    clippy::struct_excessive_bools,
    reason = "each says something else, and all go together"
)]
struct Dashboard<'a> {
    session: &'a mut FleetRun,
    ui: Ui,
    announcer: Announcer,
    options: Options<'a>,
    /// Absent once the terminal is lost.
    guard: Option<Guard>,
    dirty: bool,
    /// Whether the next frame is drawn as a whole, and not as a difference to the one before.
    whole: bool,
    /// Since when a frame could not be drawn, because the one before it is still on its way.
    behind: Option<Instant>,
    drawn: Option<Instant>,
    aborted: Option<Instant>,
    /// Whether nobody is at the screen any more.
    unattended: bool,
    left: bool,
    /// Whether no event can come any more.
    over: bool,
    /// The plan that was confirmed, while [`Options::may_start`] has not answered yet.
    confirmed: Option<(ConfirmedPlan, MayStart)>,
}

/// What woke the loop.
enum Wakeup {
    Input(Option<io::Result<Input>>),
    Event(Box<Event>),
    /// No event can come any more.
    Over,
    /// A signal to stop; absent once no more can come.
    Signal(Option<StopSignal>),
    HungUp,
    /// The terminal was taken again.
    Retaken,
    MayStart(Result<(), String>),
    Time,
}

impl Dashboard<'_> {
    async fn show(
        mut self,
        keys: Inputs,
        interrupts: &mut mpsc::Receiver<StopSignal>,
    ) -> DashboardExit {
        let mut keys = Some(keys);
        let mut hang_up = Box::pin(hung_up());
        let mut signals = true;
        loop {
            self.draw_if_due();
            if let Some(exit) = self.exit() {
                self.drain(usize::MAX);
                return exit;
            }
            let wake = self.wake();
            let woken_by = tokio::select! {
                input = next_input(&mut keys) => Wakeup::Input(input),
                event = self.session.next(), if !self.over =>
                    event.map_or(Wakeup::Over, |event| Wakeup::Event(Box::new(event))),
                signal = interrupts.recv(), if signals => Wakeup::Signal(signal),
                may = answer(&mut self.confirmed) => Wakeup::MayStart(may),
                () = &mut hang_up, if self.guard.is_some() => Wakeup::HungUp,
                () = retaken(), if self.guard.is_some() => Wakeup::Retaken,
                () = idle(self.guard.as_ref()), if self.behind.is_some() => Wakeup::Time,
                () = sleep_until(wake.unwrap_or_else(Instant::now)), if wake.is_some() => Wakeup::Time,
            };
            match woken_by {
                Wakeup::Input(Some(Ok(input))) => {
                    self.input(input);
                    // A burst of keys costs one frame, such as a paste in a terminal that sends pastes as keys.
                    for _ in 0..BATCH {
                        match keys.as_mut().and_then(Inputs::try_next) {
                            Some(Ok(input)) if !self.left => self.input(input),
                            _ => break,
                        }
                    }
                }
                // Nobody can steer the run without keys, so it is brought to a safe end.
                Wakeup::Input(_) | Wakeup::HungUp => {
                    keys = None;
                    self.lose_terminal();
                }
                Wakeup::Event(event) => {
                    self.event(&event);
                    self.drain(BATCH);
                }
                Wakeup::Over => {
                    self.over = true;
                    self.dirty = true;
                }
                Wakeup::Signal(Some(signal)) => self.signal(signal),
                Wakeup::Signal(None) => signals = false,
                Wakeup::Retaken => {
                    self.whole = true;
                    self.dirty = true;
                    self.drawn = None;
                }
                Wakeup::MayStart(may) => self.start(may),
                Wakeup::Time => self.dirty = true,
            }
            if self.guard.is_none() {
                keys = None;
            }
        }
    }

    /// Whether to leave now, and how.
    fn exit(&self) -> Option<DashboardExit> {
        let fleet = self.session.fleet();
        if self.session.is_read_only() {
            return self.left.then_some(DashboardExit::Left);
        }
        if self.left {
            let planned = on_plan(fleet) && fleet.mode() == Mode::Confirm;
            return Some(if planned {
                DashboardExit::Declined
            } else {
                DashboardExit::Left
            });
        }
        let given_up = self.aborted.is_some_and(|at| at.elapsed() >= ABORT);
        if fleet.stop().is_some() {
            return (fleet.is_over() || given_up).then_some(DashboardExit::Interrupted);
        }
        (self.unattended && fleet.is_over()).then_some(DashboardExit::Left)
    }

    /// When to wake even if nothing happens; absent while nothing on the screen changes by itself.
    fn wake(&self) -> Option<Instant> {
        let now = Instant::now();
        let abort = self.aborted.map(|at| at + ABORT);
        let frame = self.guard.as_ref().and_then(|_| {
            if guard::is_lent() {
                return Some(now + FOREGROUND);
            }
            if self.behind.is_some() {
                return None;
            }
            let drawn = self.drawn.unwrap_or(now);
            if self.dirty {
                Some(drawn + FRAME)
            } else {
                self.has_clocks().then(|| drawn + TICK)
            }
        });
        [abort, frame].into_iter().flatten().min()
    }

    fn draw_if_due(&mut self) {
        let now = self.now();
        let due = self.drawn.is_none_or(|at| at.elapsed() >= FRAME);
        if !self.dirty || !due {
            return;
        }
        let Some(guard) = &mut self.guard else {
            return;
        };
        if guard::is_lent() {
            guard::retake();
            return;
        }
        if guard.is_busy() {
            self.behind.get_or_insert_with(Instant::now);
            return;
        }
        let stalled = self.behind.take().is_some_and(|at| at.elapsed() >= STALL);
        let whole = std::mem::take(&mut self.whole) || stalled;
        let fleet = self.session.fleet();
        let ui = &mut self.ui;
        ui.only_looks(read_only::sign(self.session, self.over));
        let options = &self.options;
        let drawn = guard.draw(whole, |frame| {
            ui.size = frame.area().as_size();
            view::settle(ui, fleet);
            let scene = Scene {
                fleet,
                ui,
                theme: options.theme,
                now,
                zone: &options.zone,
            };
            view::draw(&scene, frame.buffer_mut());
        });
        if whole {
            self.announcer.forget();
        }
        let told = guard.tell(&self.announcer.update(fleet, now));
        self.dirty = false;
        self.drawn = Some(Instant::now());
        if let Err(error) = drawn.and(told) {
            tracing::error!(%error, "cannot draw any more");
            self.lose_terminal();
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Key(key) => {
                let effects = self.ui.key(&key, self.session.fleet());
                for effect in effects {
                    self.carry_out(effect);
                }
                // The answer to a key is drawn at once, and does not wait until a frame is due.
                self.drawn = None;
            }
            Input::Resize(width, height) => {
                self.ui.size = guard::within(Size::new(width, height));
            }
            Input::Paste(text) => {
                // It may be a secret, whatever it is pasted into.
                let text = Zeroizing::new(text);
                self.ui.paste(&text, self.session.fleet());
                self.drawn = None;
            }
            Input::Mouse(event) => {
                self.ui.mouse(event, self.session.fleet());
                self.drawn = None;
            }
            Input::FocusGained | Input::FocusLost => return,
        }
        self.dirty = true;
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Intend(Intent::Confirm) => self.confirm(),
            Effect::Intend(intent) => self.intend(intent),
            Effect::Leave => self.left = true,
            Effect::Copy(text) => {
                if let Some(Err(error)) = self.guard.as_mut().map(|g| g.copy(&text)) {
                    tracing::warn!(%error, "cannot copy");
                }
            }
            Effect::Pace(key) => self.pace(key),
        }
    }

    /// The plan is confirmed. If any device is to be upgraded, asks first whether the run may start.
    fn confirm(&mut self) {
        let fleet = self.session.fleet();
        if fleet.to_confirm() + fleet.to_watch() == 0 {
            self.intend(Intent::Confirm);
        } else if self.confirmed.is_none() {
            let plan = ConfirmedPlan::of(fleet);
            self.confirmed = Some((plan, (self.options.may_start)()));
        }
    }

    /// Starts what was confirmed, if it may start and is still the plan.
    fn start(&mut self, may: Result<(), String>) {
        let Some((plan, _)) = self.confirmed.take() else {
            return;
        };
        let same = plan.is_still_shown(self.session.fleet());
        match may {
            Err(why) if self.unattended => {
                tracing::error!("{why}");
                self.settle_unattended();
            }
            Err(why) => self.ui.notice = Some((Tone::Bad, why)),
            Ok(()) if same => self.intend(Intent::Confirm),
            Ok(()) => {
                self.ui
                    .warn("the plan has changed: look at it, and type the number again");
                self.settle_unattended();
            }
        }
        self.dirty = true;
    }

    fn intend(&mut self, intent: Intent) {
        let interrupt = intent == Intent::Interrupt;
        self.session.intend(intent);
        if interrupt {
            let aborting = self.session.fleet().stop() == Some(Stop::Aborting);
            if aborting && self.aborted.is_some() {
                // Whoever presses it a third time does not want to wait for anything.
                self.aborted = Instant::now().checked_sub(ABORT);
            } else if aborting {
                self.aborted = Some(Instant::now());
            }
        }
        self.dirty = true;
    }

    fn event(&mut self, event: &Event) {
        self.ui.event(event);
        (self.options.on_event)(self.session.fleet(), event);
        self.settle_unattended();
        self.dirty = true;
    }

    /// Takes in the events that are there already, at most `most`, so that a burst costs one frame.
    fn drain(&mut self, most: usize) {
        for _ in 0..most {
            let Some(event) = self.session.try_next() else {
                return;
            };
            self.event(&event);
        }
    }
}

/// The next key, paste or resize; waits for ever once no more can come.
async fn next_input(keys: &mut Option<Inputs>) -> Option<io::Result<Input>> {
    match keys {
        Some(keys) => keys.next().await,
        None => std::future::pending().await,
    }
}

/// Waits until the last frame has been written.
async fn idle(guard: Option<&Guard>) {
    match guard {
        Some(guard) => guard.idle().await,
        None => std::future::pending().await,
    }
}

/// Whether what was confirmed may start; waits for ever if nothing was confirmed.
async fn answer(confirmed: &mut Option<(ConfirmedPlan, MayStart)>) -> Result<(), String> {
    match confirmed {
        Some((_, may)) => may.await,
        None => std::future::pending().await,
    }
}
