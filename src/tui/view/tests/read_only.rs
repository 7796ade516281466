//! Screens of a run that is only looked at.

use super::screens;
use crate::engine::{Intent, Speed};
use crate::model::{Outcome, Touched};
use crate::tui::fixtures::{TestScreen, finished, plan, running};
use crate::tui::tests::halt_box::bad_image;
use crate::tui::ui::read_only::{Pace, ReadOnly};

const SIZES: [(u16, u16); 3] = [(60, 20), (80, 24), (120, 30)];

fn replay(screen: &mut TestScreen, times: f64, cut: bool) {
    let cut_to = cut.then(|| screen.run.now + std::time::Duration::from_secs(3599));
    screen.ui.read_only = Some(ReadOnly::Replay(Pace::At {
        speed: Speed::new(times).unwrap(),
        cut_to,
    }));
}

#[test]
fn a_replay() {
    let mut screen = running();
    replay(&mut screen, 10.0, false);
    screens("replay", &mut screen, &SIZES);
    screen.ui.read_only = Some(ReadOnly::Replay(Pace::Paused));
    screen.press("?");
    screens("replay_help", &mut screen, &[(80, 24)]);
}

#[test]
fn a_replay_of_a_plan_that_waited() {
    let mut screen = plan();
    replay(&mut screen, 0.5, true);
    screens("replay_plan", &mut screen, &SIZES);
}

#[test]
fn the_end_of_a_replay() {
    let mut screen = finished();
    screen.run.end();
    screen.ui.read_only = Some(ReadOnly::Replay(Pace::Over { goes_on: false }));
    screens("replay_over", &mut screen, &[(39, 5), (80, 24), (120, 30)]);
}

#[test]
fn a_replay_of_a_run_that_goes_on() {
    let mut screen = running();
    screen.ui.read_only = Some(ReadOnly::Replay(Pace::Over { goes_on: true }));
    let text = screen.text(80, 24);
    let banner = "THIS FAR IT HAS COME: hemfleet attach 7f3a0001 shows it go on. q leaves.";
    assert!(
        text.contains(banner) && text.contains("replay over · "),
        "{text}"
    );
    assert!(text.contains("8 running"), "nobody has died: {text}");
}

#[test]
fn a_run_of_another_process() {
    let mut screen = running();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: false });
    screens("attached", &mut screen, &SIZES);
    let mut screen = bad_image();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: false });
    screens("attached_halted", &mut screen, &[(80, 24)]);
}

#[test]
fn a_process_that_died() {
    let mut screen = running();
    screen.run.fleet.bury();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: true });
    screens("attached_died", &mut screen, &SIZES);
}

#[test]
fn what_a_dead_process_left_is_not_done() {
    let mut screen = running();
    screen.run.fleet.bury();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: true });
    let text = screen.text(200, 24);
    let three_of_twelve = " 25 %";
    assert!(text.contains(three_of_twelve), "{text}");
    screen.ui.read_only = Some(ReadOnly::Replay(Pace::Over { goes_on: false }));
    assert!(screen.text(200, 24).contains(three_of_twelve));
    let mut screen = finished();
    screen.run.end();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: true });
    assert!(screen.text(200, 24).contains(" 100 %"), "cancelled by hand");
}

#[test]
fn a_process_that_was_stopped() {
    let mut screen = running();
    screen.run.intend(Intent::Drain);
    screen.ui.read_only = Some(ReadOnly::Attached { gone: false });
    screens("attached_draining", &mut screen, &[(80, 24)]);
    let busy = screen.run.fleet.devices().iter().filter(|d| d.is_busy());
    let busy: Vec<String> = busy.map(|d| d.id.to_string()).collect();
    for name in busy {
        let stopped = Outcome::Cancelled(Touched::Nothing);
        screen.run.finish(name.as_str(), stopped);
    }
    screen.run.end();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: true });
    screens("attached_stopped", &mut screen, &[(80, 24)]);
}
