//! The box of a halted run.

use crate::engine::{DeviceFact, Intent, Mode};
use crate::model::{MaxFailures, Outcome, Stage};

use super::{intents, notice};
use crate::tui::fixtures::{TestScreen, seeds};
use crate::tui::ui::Popup;

/// A fleet whose image is bad: halted, with one device staged, one past its install, two in line.
pub(in crate::tui) fn bad_image() -> TestScreen {
    let mut screen = TestScreen::new(Mode::Go, seeds());
    for name in ["vault-01", "vault-02", "vault-03"] {
        screen.up_to(name, Stage::Reboot);
    }
    screen.up_to("vault-04", Stage::Reboot);
    screen.run.start("vault-04", Stage::Reboot, 1);
    screen.up_to("vault-05", Stage::Install);
    screen.run.start("vault-06", Stage::Upload, 1);
    screen.run.finish("vault-01", Outcome::RolledBack);
    screen.run.finish("vault-02", Outcome::RolledBack);
    assert!(!screen.run.fleet.is_halted());
    screen.run.finish("vault-03", Outcome::Lost);
    screen.run.tell("vault-05", DeviceFact::PermitAsked);
    screen
}

#[test]
fn a_halted_run_asks_by_itself_and_stops_or_goes_on_only_with_a_budget_that_is_not_spent() {
    let mut screen = bad_image();
    let text = screen.text(80, 24);
    assert_eq!(screen.ui.popup, Some(Popup::Budget), "{text}");
    assert!(text.contains("2 rolled back, 1 lost"), "{text}");
    for wrong in ["<Enter>", "4<Enter>", "0<Enter>", "9<Back><Enter>"] {
        assert_eq!(screen.press(wrong), [], "{wrong}");
        assert_eq!(screen.ui.popup, Some(Popup::Budget));
        assert!(
            notice(&screen).contains('4'),
            "{wrong}: {}",
            notice(&screen)
        );
    }
    // Once put off, the box does not come back by itself, but a key opens it, and the banner stays.
    assert_eq!(screen.press("<Esc>"), []);
    let text = screen.text(80, 24);
    assert_eq!(screen.ui.popup, None);
    assert!(
        text.contains("HALTED, 4 of 3 failures. b: stop or go on."),
        "{text}"
    );
    assert!(text.contains("held: run halted"), "{text}");
    let on = Intent::GoOn(MaxFailures::Number(12));
    assert_eq!(intents(&screen.press("b12<Enter>")), [&on]);
    assert!(!screen.run.fleet.is_halted());
    assert!(!screen.text(80, 24).contains("HALTED"));
    let mut screen = bad_image();
    screen.text(80, 24);
    assert_eq!(intents(&screen.press("x")), [&Intent::Halt]);
    assert!(screen.run.fleet.is_halted() && !screen.run.fleet.waits_for_budget());
    assert_eq!(screen.ui.popup, None);
}

#[test]
fn the_box_of_a_halted_run_takes_no_key_that_was_meant_for_something_else() {
    let mut screen = bad_image();
    // The box opens only when a frame is drawn.
    assert_eq!(screen.press("s"), []);
    let mut halted = bad_image();
    halted.press("/vault");
    halted.text(80, 24);
    assert_eq!(halted.ui.popup, None, "the filter is being typed");
    halted.press("<Enter>");
    halted.text(80, 24);
    assert_eq!(halted.ui.popup, Some(Popup::Budget));
    assert_eq!(intents(&halted.press("<C-c>")), [&Intent::Interrupt]);
}
