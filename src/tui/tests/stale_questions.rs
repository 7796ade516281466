//! Questions that no longer fit close themselves, and no key that was meant for one does anything else.

use crate::engine::{Intent, Mode};
use crate::model::{DeviceId, FailureKind, Outcome, Stage, Touched, Verdict};

use super::{intents, names, notice, selected};
use crate::tui::device_order::Sort;
use crate::tui::fixtures::{TestScreen, audited, finished, plan, running, seeds, two_hundred_over};
use crate::tui::ui::Popup;

fn cancelled() -> Outcome {
    Outcome::Cancelled(Touched::Nothing)
}

#[test]
fn a_question_about_a_device_that_has_ended_closes_itself_and_says_why() {
    let mut screen = running();
    screen.select("vault-02");
    screen.press("c");
    screen.run.finish("vault-02", Outcome::Upgraded);
    screen.text(80, 24);
    assert_eq!(screen.ui.popup, None);
    assert_eq!(notice(&screen), "vault-02 is upgraded: nothing to cancel");
    // The same while the key is on its way: y would copy.
    let mut screen = running();
    screen.select("vault-02");
    screen.press("c");
    screen.run.fail(
        "vault-02",
        Stage::Upload,
        FailureKind::Stopped,
        Touched::ImageSent,
    );
    assert_eq!(screen.press("y"), []);
    assert_eq!(notice(&screen), "vault-02 is failed: nothing to cancel");
    // What is past its install is no longer asked about, but told.
    let mut screen = running();
    screen.select("vault-03");
    screen.press("c");
    screen.run.install_begun("vault-03");
    screen.run.start("vault-03", Stage::Install, 1);
    let text = screen.text(80, 24);
    assert!(
        text.contains("vault-03 can no longer be stopped."),
        "{text}"
    );
    screen.run.finish("vault-03", Outcome::Upgraded);
    screen.text(80, 24);
    assert_eq!(screen.ui.popup, None);
}

#[test]
fn questions_about_all_close_when_nothing_is_left_to_ask() {
    for (key, why) in [
        ("C", "nothing can be cancelled any more"),
        ("q", "every device has ended: q quits"),
    ] {
        let mut screen = running();
        screen.press(key);
        assert!(screen.ui.popup.is_some());
        for seed in seeds() {
            screen.run.finish(seed.id.as_str(), Outcome::Upgraded);
        }
        screen.text(80, 24);
        assert_eq!((&screen.ui.popup, notice(&screen)), (&None, why));
    }
    let mut screen = running();
    screen.select("vault-02");
    screen.press(" c");
    assert!(matches!(screen.ui.popup, Some(Popup::CancelMarked(_))));
    screen.run.finish("vault-02", cancelled());
    screen.text(80, 24);
    assert_eq!(
        notice(&screen),
        "none of the marked devices can be cancelled any more"
    );
}

#[test]
fn a_retry_box_closes_when_all_its_devices_have_gone_on() {
    let mut screen = running();
    screen.press("R");
    screen.run.intend(Intent::Retry(DeviceId::new("vault-05")));
    screen.text(80, 24);
    assert_eq!(screen.ui.popup, None);
    assert_eq!(
        notice(&screen),
        "none of these devices can be retried any more"
    );
    // Nothing starts any more once the run is being stopped.
    let mut screen = running();
    screen.press("R");
    screen.run.intend(Intent::Interrupt);
    screen.text(80, 24);
    assert_eq!(screen.ui.popup, None);
}

#[test]
fn ctrl_c_is_never_lost_with_a_question() {
    let mut screen = running();
    screen.press("C");
    for seed in seeds() {
        screen.run.finish(seed.id.as_str(), Outcome::Upgraded);
    }
    assert_eq!(intents(&screen.press("<C-c>")), [&Intent::Interrupt]);
}

#[test]
fn a_device_without_a_log_to_read_says_why() {
    for (name, why) in [
        (
            "vault-01",
            "vault-01: no audit log was read in this run; hemfleet audit reads it",
        ),
        (
            "vault-05",
            "vault-05: no audit log was read, since no install was sent",
        ),
        (
            "vault-02",
            "vault-02: its audit log is read after its install, which has not come to that yet",
        ),
    ] {
        let mut screen = running();
        screen.select(name);
        screen.press("a");
        assert_eq!((screen.ui.zoom, notice(&screen)), (None, why));
    }
    let mut screen = running();
    screen.run.start("vault-03", Stage::Audit, 1);
    screen.select("vault-03");
    screen.press("a");
    assert_eq!(notice(&screen), "vault-03: its audit log is being read");
}

#[test]
fn the_first_running_device_is_selected_once_the_plan_is_confirmed() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    for seed in seeds() {
        let verdict = match seed.id.as_str() {
            "vault-04" | "vault-07" => Verdict::Upgrade { notes: Vec::new() },
            _ => Verdict::Current,
        };
        screen.run.planned(seed.id.as_str(), verdict);
    }
    screen.press("G2<Enter>");
    screen.text(80, 24);
    assert_eq!(selected(&screen), "vault-04");
}

#[test]
fn n_goes_through_what_needs_a_look_and_round() {
    let mut screen = running();
    screen.press("gn");
    assert_eq!(selected(&screen), "vault-05");
    screen.press("n");
    assert_eq!(selected(&screen), "vault-05", "there is only one");
    let mut screen = finished();
    screen.press("g");
    let mut seen = Vec::new();
    for _ in 0..8 {
        screen.press("n");
        seen.push(selected(&screen));
    }
    let wanted = [
        "vault-03", "vault-04", "vault-05", "vault-06", "vault-08", "vault-09", "vault-10",
    ];
    assert_eq!(seen[..7], wanted);
    assert_eq!(seen[7], "vault-03");
    screen.press("N");
    assert_eq!(selected(&screen), "vault-10");
    let mut screen = plan();
    screen.press("gn");
    assert_eq!(selected(&screen), "vault-09");
    screen.press("/warsaw<Enter>n");
    assert_eq!(notice(&screen), "none of the devices shown needs a look");
}

#[test]
fn sorted_by_state_what_needs_a_look_is_on_the_screen_whatever_was_selected() {
    let mut screen = two_hundred_over();
    screen.press("G");
    screen.press("s");
    assert_eq!((screen.ui.sort, screen.ui.cursor), (Sort::State, 0));
    let text = screen.text(80, 24);
    assert!(text.contains("▸✖"), "{text}");
    let order = names(&screen).join(" ");
    screen.press("S");
    let turned: Vec<&str> = order.split(' ').rev().collect();
    assert_eq!(names(&screen), turned);
    assert!(screen.text(120, 40).contains("by state, turned round"));
}

#[test]
fn a_filter_with_a_field_that_does_not_exist_says_so_and_is_not_kept() {
    let mut screen = audited();
    screen.press("/audit:missing");
    assert_eq!(screen.ui.order.len(), 1);
    screen.press(" grop:x");
    assert_eq!(screen.ui.order.len(), 1, "what is understood still holds");
    let text = screen.text(80, 24);
    let last = text.lines().last().unwrap();
    assert!(
        last.contains("no field grop: there are name group tag"),
        "{last}"
    );
    screen.press("<Enter>");
    assert!(screen.ui.filter.editing);
    screen.press("<Esc>");
    assert_eq!(
        (screen.ui.filter.editing, screen.ui.filter.value()),
        (false, "")
    );
    assert_eq!(screen.ui.order.len(), screen.run.fleet.devices().len());
}
