//! A run of the past is shown again: the state after all its messages is what it was, and they come at their times.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Speed;
use crate::engine::fixtures::{TestRun, firmware, numbered};
use crate::engine::{DeviceFact, Event, Fact, Fleet, FleetRun, Intent, Message, Mode};
use crate::model::{Outcome, Stage, Touched};

/// A plan that waits for its confirmation, then a device that is upgraded and one that is cancelled by a person.
fn run() -> TestRun {
    let mut run = TestRun::new(Mode::Confirm, numbered(3), firmware(9));
    run.begin();
    for device in 0..3 {
        run.start(device, Stage::Probe, 1);
        run.planned_upgrade(device, &[]);
    }
    run.wait(3600);
    run.intend(Intent::LeaveOut(vec![run.fleet.devices()[2].id.clone()]));
    run.intend(Intent::Confirm);
    run.stage(0, Stage::Probe, 2000, 200, "");
    run.wait(2);
    run.intend(Intent::Interrupt);
    run.finish(1, Outcome::Cancelled(Touched::Nothing));
    run.wait(4);
    run.finish(0, Outcome::Upgraded);
    run.end();
    run
}

fn state(fleet: &Fleet) -> String {
    let now = "2026-11-23T15:00:00Z".parse().unwrap();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:#?}",
        fleet.phase(),
        fleet.stop(),
        fleet.started(),
        fleet.ended(),
        fleet.elapsed(now),
        fleet.counts(),
        fleet.devices(),
    )
}

fn replaying(run: &TestRun) -> FleetRun {
    FleetRun::replaying(run.fleet.facts().clone(), run.messages.clone())
}

fn events(run: &TestRun) -> usize {
    let events = run
        .messages
        .iter()
        .filter(|m| matches!(m, Message::Event(_)));
    events.count()
}

async fn all(session: &mut FleetRun) -> usize {
    let mut events = 0;
    while session.next().await.is_some() {
        events += 1;
    }
    events
}

#[tokio::test(start_paused = true)]
async fn after_all_messages_the_state_is_what_it_was_and_no_event_is_made_twice() {
    let run = run();
    let mut session = replaying(&run);
    assert_eq!(all(&mut session).await, events(&run));
    assert_eq!(state(session.fleet()), state(&run.fleet));
    let (tell, messages) = mpsc::channel(run.messages.len());
    let mut session = FleetRun::following(run.fleet.facts().clone(), messages);
    for message in &run.messages {
        tell.send(message.clone()).await.unwrap();
    }
    drop(tell);
    assert_eq!(all(&mut session).await, events(&run));
    assert_eq!(state(session.fleet()), state(&run.fleet));
}

#[tokio::test(start_paused = true)]
async fn who_looks_at_a_run_does_not_change_it() {
    let run = run();
    let mut session = replaying(&run);
    session.next().await.unwrap();
    let before = state(session.fleet());
    for intent in [Intent::Begin, Intent::Drain, Intent::Interrupt] {
        session.intend(intent);
    }
    session.finish();
    assert_eq!(state(session.fleet()), before);
    assert_eq!(all(&mut session).await, events(&run) - 1);
    assert_eq!(state(session.fleet()), state(&run.fleet));
}

#[tokio::test(start_paused = true)]
async fn events_come_at_their_times_or_so_many_times_as_fast() {
    for (speed, planned, probed, over) in [(1.0, 0.0, 7.0, 13.0), (10.0, 0.0, 5.2, 5.8)] {
        let mut session = replaying(&run());
        let replay = session.replay_mut().unwrap();
        replay.set_speed(Speed::new(speed).unwrap());
        let began = Instant::now();
        let mut seen = Vec::new();
        while let Some(event) = session.next().await {
            let (at, now) = (event.at, session.replay().unwrap().now());
            assert_eq!(at, now, "the clock is that of the run");
            seen.push((event, began.elapsed()));
        }
        let took = |wanted: fn(&DeviceFact) -> bool| {
            let has =
                |event: &Event| matches!(&event.fact, Fact::Device { fact, .. } if wanted(fact));
            let (_, took) = seen.iter().rev().find(|(event, _)| has(event)).unwrap();
            took.as_secs_f64()
        };
        let near = |a: f64, b: f64| assert!((a - b).abs() < 0.05, "{a} at {speed}, not {b}");
        near(took(|f| matches!(f, DeviceFact::Planned { .. })), planned);
        // The hour that the plan waited is 5 s.
        near(
            took(|f| matches!(f, DeviceFact::StageFinished { .. })),
            probed,
        );
        near(took(|f| matches!(f, DeviceFact::Finished { .. })), over);
    }
}

#[tokio::test(start_paused = true)]
async fn a_plan_is_shown_until_it_was_confirmed() {
    let mut session = replaying(&run());
    // The start, and what each device did before.
    for _ in 0..7 {
        session.next().await.unwrap();
    }
    let later = tokio::time::timeout(Duration::from_secs(4), session.next()).await;
    assert!(later.is_err(), "an intent comes with what it causes");
    assert_eq!(session.fleet().to_confirm(), 3);
    let replay = session.replay().unwrap();
    let cut_to = replay.cut_to().unwrap();
    assert_eq!(cut_to.duration_since(replay.now()).as_secs(), 3600 - 4);
    session.next().await.unwrap();
    assert_eq!(session.fleet().phase(), crate::engine::Phase::Upgrading);
}

#[tokio::test(start_paused = true)]
async fn a_paused_run_stands_still_but_for_steps() {
    let mut session = replaying(&run());
    session.next().await.unwrap();
    let replay = session.replay_mut().unwrap();
    replay.pause(true);
    let at = replay.now();
    let later = tokio::time::timeout(Duration::from_secs(3600), session.next()).await;
    assert!(later.is_err());
    assert!(session.try_next().is_none());
    assert_eq!(session.replay().unwrap().now(), at);
    let event = session.step().unwrap();
    assert!(matches!(event.fact, Fact::Device { .. }));
    // Six of the devices, with the time until the next, which is a long one.
    for _ in 0..5 {
        session.step().unwrap();
    }
    let replay = session.replay_mut().unwrap();
    replay.pause(false);
    tokio::time::advance(Duration::from_secs(3)).await;
    let gone = session.replay().unwrap().now().duration_since(at);
    assert_eq!(gone.as_secs(), 3, "the clock goes on with the run");
    let began = Instant::now();
    session.next().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), 2);
}

#[tokio::test(start_paused = true)]
async fn it_can_begin_again() {
    let run = run();
    let mut session = replaying(&run);
    while session.step().is_some() {}
    assert!(session.replay().unwrap().is_over());
    session.begin_again();
    assert!(session.fleet().started().is_none());
    assert_eq!(all(&mut session).await, events(&run));
    assert_eq!(state(session.fleet()), state(&run.fleet));
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_was_set_back_stops_nothing() {
    let mut run = run();
    let Some(Message::Event(last)) = run.messages.last_mut() else {
        panic!("the last message is an event");
    };
    last.at -= Duration::from_secs(7200);
    let back = last.at;
    let mut session = replaying(&run);
    let began = Instant::now();
    all(&mut session).await;
    assert_eq!(began.elapsed().as_secs(), 13);
    assert_eq!(session.replay().unwrap().now(), back);
}

#[tokio::test]
async fn a_run_without_messages_is_over_at_once() {
    let run = TestRun::new(Mode::Go, numbered(1), firmware(9));
    let mut session = replaying(&run);
    assert!(session.replay().unwrap().is_over());
    assert!(session.next().await.is_none() && session.step().is_none());
}

#[test]
fn speeds_are_a_ladder_with_ends() {
    let speed = |times| Speed::new(times).unwrap();
    assert_eq!(speed(1.0).faster().to_string(), "2");
    assert_eq!(speed(3.0).faster(), speed(5.0));
    assert_eq!(speed(3.0).slower(), speed(2.0));
    assert_eq!(speed(1.0).slower().to_string(), "0.5");
    assert_eq!(speed(1000.0).faster(), speed(1000.0));
    assert_eq!(speed(0.1).slower(), speed(0.1));
    for no in [0.0, -1.0, f64::NAN, f64::INFINITY, 1001.0] {
        assert_eq!(Speed::new(no), None, "{no}");
    }
}
