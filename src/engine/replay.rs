//! The pace of a run of the past: its messages come as they came then, or so many times as fast, or one by one. The time
//! of the run goes on between them, and a wait in which nothing happened is cut short.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, sleep_until};

use super::reducer_messages::Message;

/// The longest wait for a message, whatever the speed: whoever looks for a fault does not want to watch a plan that
/// waited for its confirmation all night.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// How far it may lag behind and catch up: after a longer sleep of this process nobody wants to see a race.
const LATEST: Duration = Duration::from_secs(1);

/// How many times as fast as it was.
#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct Speed(f64);

impl Speed {
    /// As fast as it was.
    pub const AS_IT_WAS: Self = Self(1.0);

    /// Those that a key chooses from.
    const LADDER: [f64; 13] = [
        0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0,
    ];

    /// So many times; nothing for what is no speed, or would be too slow or too fast to tell from standing still or
    /// from all at once.
    pub fn new(times: f64) -> Option<Self> {
        let [least, .., most] = Self::LADDER;
        (least..=most).contains(&times).then_some(Self(times))
    }

    /// The next higher one.
    #[must_use]
    pub fn faster(self) -> Self {
        let higher = Self::LADDER.into_iter().find(|&times| times > self.0);
        higher.map_or(self, Self)
    }

    /// The next lower one.
    #[must_use]
    pub fn slower(self) -> Self {
        let lower = Self::LADDER.into_iter().rev().find(|&times| times < self.0);
        lower.map_or(self, Self)
    }
}

impl std::fmt::Display for Speed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A run of the past, and how far it has been shown.
#[derive(Debug)]
pub struct Replay {
    /// Each with its time. That of an intent and of a lost task is not stored: they caused what came next, and so they
    /// have the time of that.
    messages: Vec<(Timestamp, Message)>,
    /// How many have been shown.
    shown: usize,
    /// The time of the run at a moment of this process.
    clock: (Timestamp, Instant),
    speed: Speed,
    paused: bool,
    /// Whether another process is at work on the run.
    pub(super) goes_on: bool,
}

impl Replay {
    pub(super) fn new(messages: Vec<Message>) -> Self {
        let mut timed = VecDeque::with_capacity(messages.len());
        let last = messages.iter().rev().find_map(time_of);
        let mut next = last.unwrap_or(Timestamp::UNIX_EPOCH);
        for message in messages.into_iter().rev() {
            next = time_of(&message).unwrap_or(next);
            timed.push_front((next, message));
        }
        let mut replay = Self {
            messages: timed.into(),
            shown: 0,
            clock: (next, Instant::now()),
            speed: Speed::AS_IT_WAS,
            paused: false,
            goes_on: false,
        };
        replay.rewind();
        replay
    }

    pub(super) fn rewind(&mut self) {
        self.shown = 0;
        let begin = self.messages.first().map_or(self.clock.0, |(at, _)| *at);
        self.clock = (begin, Instant::now());
    }

    /// The time of the run now.
    pub fn now(&self) -> Timestamp {
        let (at, since) = self.clock;
        if self.paused || self.is_over() {
            return at;
        }
        let wait = since.elapsed().min(LONGEST_WAIT).mul_f64(self.speed.0);
        at.checked_add(wait.min(self.gap())).unwrap_or(at)
    }

    /// Whether all of it has been shown.
    pub fn is_over(&self) -> bool {
        self.shown == self.messages.len()
    }

    /// Whether more may come after its last message: another process is at work on the run.
    pub fn goes_on(&self) -> bool {
        self.goes_on
    }

    /// Whether it stands still until it is stepped or goes on.
    pub fn is_paused(&self) -> bool {
        self.paused
    }

    /// How fast it goes while it is not paused.
    pub fn speed(&self) -> Speed {
        self.speed
    }

    /// Goes on at another speed.
    pub fn set_speed(&mut self, speed: Speed) {
        self.clock = (self.now(), Instant::now());
        self.speed = speed;
    }

    /// Stands still, or goes on.
    pub fn pause(&mut self, paused: bool) {
        self.clock = (self.now(), Instant::now());
        self.paused = paused;
    }

    /// Where the wait for the next message is cut short: its time.
    pub fn cut_to(&self) -> Option<Timestamp> {
        let (at, _) = self.messages.get(self.shown)?;
        let is_cut = !self.paused && self.gap().div_f64(self.speed.0) > LONGEST_WAIT;
        is_cut.then_some(*at)
    }

    /// The next message, once it is due; nothing once all have been shown. Safe to drop while waiting.
    pub(super) async fn next(&mut self) -> Option<Message> {
        if self.is_over() {
            return None;
        }
        if self.paused {
            return std::future::pending().await;
        }
        sleep_until(self.due()).await;
        self.step()
    }

    /// The next message, if it is due.
    pub(super) fn try_next(&mut self) -> Option<Message> {
        let due = !self.paused && self.due() <= Instant::now();
        due.then(|| self.step()).flatten()
    }

    /// The next message, due or not.
    pub(super) fn step(&mut self) -> Option<Message> {
        let (at, message) = self.messages.get(self.shown)?.clone();
        self.clock = (at, self.moment());
        self.shown += 1;
        Some(message)
    }

    /// The moment from which the next wait counts: when the next message was due, so that a burst takes no longer than it
    /// did because its frames have to be drawn.
    fn moment(&self) -> Instant {
        let now = Instant::now();
        if self.paused {
            return now;
        }
        let late = now.saturating_duration_since(self.due()).min(LATEST);
        now.checked_sub(late).unwrap_or(now)
    }

    /// From the time that the clock was set to until the next message. A clock that was set back made no time pass.
    fn gap(&self) -> Duration {
        let next = self.messages.get(self.shown).map(|(at, _)| *at);
        let gap = next.map(|at| Duration::try_from(at.duration_since(self.clock.0)));
        gap.and_then(Result::ok).unwrap_or_default()
    }

    fn due(&self) -> Instant {
        let wait = self.gap().div_f64(self.speed.0).min(LONGEST_WAIT);
        self.clock.1 + wait
    }
}

/// When it came, where that is stored.
fn time_of(message: &Message) -> Option<Timestamp> {
    match message {
        Message::Event(event) => Some(event.at),
        Message::Intent(_) | Message::TaskLost { .. } => None,
    }
}

#[cfg(test)]
mod tests;
