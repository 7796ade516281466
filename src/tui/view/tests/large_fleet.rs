//! Snapshots of what two hundred devices need: reasons, map, marks, and a plan with devices left out.

use super::screens;
use crate::tui::fixtures::{two_hundred_over, two_hundred_planned, two_hundred_running};

#[test]
fn what_went_wrong() {
    let mut screen = two_hundred_over();
    screen.press("f");
    let sizes = [(60, 20), (80, 24), (120, 34), (200, 50)];
    screens("failures", &mut screen, &sizes);
    screen.press("j<Enter>jj");
    screens("failures_unfolded", &mut screen, &[(80, 24), (120, 34)]);
    screen.press("gr");
    screens("failures_retry", &mut screen, &[(80, 24), (120, 34)]);
}

#[test]
fn the_map() {
    let mut screen = two_hundred_running();
    screen.press("m");
    for _ in 0..3 {
        screen.press("n");
    }
    let sizes = [(60, 20), (80, 24), (120, 34), (200, 50)];
    screens("map", &mut screen, &sizes);
    screen.press("/code:connection_refused<Enter>* ");
    screens("map_filtered_and_marked", &mut screen, &[(80, 24)]);
}

#[test]
fn marked_devices() {
    let mut screen = two_hundred_running();
    screen.press("/r02<Enter>*");
    screens("marked", &mut screen, &[(60, 20), (80, 24), (120, 34)]);
    screen.press("c");
    screens("cancel_marked", &mut screen, &[(80, 24)]);
}

#[test]
fn a_plan_with_devices_left_out() {
    let mut screen = two_hundred_planned();
    screen.press("/group:rack<Enter>*<Esc>/r01 !u09<Enter>j ");
    screens(
        "plan_left_out",
        &mut screen,
        &[(60, 20), (80, 24), (120, 34)],
    );
}
