//! What the screen says of the journal that the run is kept in.

use crate::tui::fixtures::{TestScreen, plan, resumed, running};
use crate::tui::ui::read_only::{Pace, ReadOnly};

const NAMED: &str = " --journal /srv/fleet/j.db";

fn shown(screen: &mut TestScreen, size: (u16, u16), text: &str) {
    let screen = screen.text(size.0, size.1);
    assert!(screen.contains(text), "no {text} in\n{screen}");
}

#[test]
fn commands_name_the_journal_where_it_is_not_the_users_own() {
    let mut screen = running();
    screen.ui.read_only = Some(ReadOnly::Replay(Pace::Over { goes_on: true }));
    screen.ui.journal = Some(NAMED);
    let command = "hemfleet attach 7f3a0001 --journal /srv/fleet/j.db";
    for size in [(60, 20), (80, 24), (120, 30)] {
        shown(&mut screen, size, command);
    }
    let mut screen = running();
    screen.run.fleet.bury();
    screen.ui.read_only = Some(ReadOnly::Attached { gone: true });
    screen.ui.journal = Some(NAMED);
    let command = "hemfleet resume 7f3a0001 --journal /srv/fleet/j.db";
    for size in [(60, 20), (80, 24), (120, 30)] {
        shown(&mut screen, size, command);
    }
    shown(&mut screen, (120, 30), "j.db (9 unfinished). q leaves.");
}

#[test]
fn a_run_that_no_journal_is_kept_of_says_so_for_good() {
    for mut screen in [plan(), running(), resumed()] {
        screen.ui.journal = None;
        for size in [(39, 5), (60, 20), (80, 24), (120, 30)] {
            shown(&mut screen, size, "NO JOURNAL");
        }
    }
    for mut screen in [plan(), resumed()] {
        screen.ui.journal = None;
        shown(&mut screen, (80, 24), "signature verifies");
    }
    let mut screen = running();
    assert!(!screen.text(80, 24).contains("NO JOURNAL"));
}
