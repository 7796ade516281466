//! Marks on the dashboard, what acts on them, and devices that are left out of the plan.

use crate::engine::Intent;
use crate::model::{DeviceId, Outcome, Skip};

use super::{intents, notice, selected};
use crate::tui::fixtures::{TestScreen, finished, plan, running, two_hundred_over};
use crate::tui::ui::{Effect, Popup};

fn ids(names: &[&str]) -> Vec<DeviceId> {
    names.iter().map(|name| DeviceId::new(name)).collect()
}

fn marked(screen: &TestScreen) -> usize {
    screen.ui.marks.len()
}

#[test]
fn space_marks_and_goes_on_and_a_star_marks_what_the_filter_shows() {
    let mut screen = running();
    screen.press("g  ");
    assert_eq!((marked(&screen), screen.ui.cursor), (2, 2));
    screen.press("kk ");
    assert_eq!(marked(&screen), 1);
    screen.press("/berlin<Enter>*");
    let shown = screen.ui.order.len();
    assert_eq!((marked(&screen), screen.ui.hidden_marks()), (shown + 1, 1));
    // Said again, it takes only those away that are shown.
    screen.press("*");
    assert_eq!(marked(&screen), 1);
    // Esc goes back one step: the marks, then the filter.
    screen.press("<Esc>");
    assert_eq!((marked(&screen), screen.ui.filter.value()), (0, "berlin"));
    screen.press("<Esc>");
    assert_eq!(screen.ui.filter.value(), "");
}

#[test]
fn a_mark_is_in_the_row_and_the_number_in_the_title() {
    let mut screen = running();
    screen.select("vault-05");
    screen.press(" ");
    let text = screen.text(80, 24);
    assert!(text.contains("✖•vault-05"), "{text}");
    assert!(text.contains("Devices  1 marked"), "{text}");
    screen.theme.ascii = true;
    screen.theme.colour = false;
    assert!(screen.text(80, 24).contains("x#vault-05"));
}

#[test]
fn a_retry_of_marks_asks_first_and_leaves_out_what_cannot_be_retried() {
    let mut screen = finished();
    for name in ["vault-01", "vault-05", "vault-08", "vault-09"] {
        screen.select(name);
        screen.press(" ");
    }
    screen.press("/vault-0<Enter>g");
    assert_eq!(screen.press("r"), []);
    let text = screen.text(80, 24);
    assert!(text.contains("Retry 3 of 4 marked?"), "{text}");
    assert!(text.contains("vault-09"), "{text}");
    // What changed unproven is meant if somebody marks it.
    let all = Intent::RetryAll(ids(&["vault-05", "vault-08", "vault-09"]));
    assert_eq!(intents(&screen.press("y")), [&all]);
    assert_eq!(marked(&screen), 0, "what was done is not done again");
    let mut screen = finished();
    screen.select("vault-01");
    screen.press(" r");
    assert_eq!(notice(&screen), "nothing to retry among the marked devices");
    assert_eq!(screen.ui.popup, None);
}

#[test]
fn marks_that_the_filter_hides_are_said_before_anything_is_done_to_them() {
    let mut screen = finished();
    screen.select("vault-05");
    screen.press(" ");
    screen.press("/warsaw<Enter>r");
    let text = screen.text(80, 24);
    assert!(
        text.contains("1 marked device is not shown by the filter."),
        "{text}"
    );
}

#[test]
fn cancelling_marks_names_them_and_stops_those_that_can_be_stopped() {
    let mut screen = running();
    // Upgraded, uploading, past its install, waiting.
    for name in ["vault-01", "vault-02", "vault-04", "vault-11"] {
        screen.select(name);
        screen.press(" ");
    }
    assert_eq!(screen.press("c"), []);
    let text = screen.text(80, 24);
    for line in [
        "Cancel 2 of 4 marked?",
        "vault-02, vault-11 ",
        "1 past the install: watched to the end.",
        "1 not under way",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(
        intents(&screen.press("y")),
        [
            &Intent::Cancel(DeviceId::new("vault-02")),
            &Intent::Cancel(DeviceId::new("vault-11"))
        ]
    );
    assert_eq!(marked(&screen), 0);
    screen.select("vault-01");
    screen.press(" c");
    assert_eq!(
        notice(&screen),
        "nothing to cancel among the marked devices"
    );
}

#[test]
fn copying_marks_copies_what_became_of_each() {
    let mut screen = finished();
    for name in ["vault-01", "vault-05"] {
        screen.select(name);
        screen.press(" ");
    }
    let Some(Effect::Copy(text)) = screen.press("y").pop() else {
        panic!("nothing copied");
    };
    assert!(
        text.starts_with("vault-01: upgraded\n\nvault-05: failed at check: 406"),
        "{text}"
    );
    assert!(notice(&screen).starts_with("2 devices: sent to the clipboard"));
    assert_eq!(marked(&screen), 2, "copying changes nothing");
}

#[test]
fn inside_a_detail_keys_mean_that_device_and_not_the_marks() {
    let mut screen = finished();
    screen.select("vault-09");
    screen.press(" ");
    screen.select("vault-05");
    screen.press("<Enter><Enter>");
    let retry = Intent::Retry(DeviceId::new("vault-05"));
    assert_eq!(intents(&screen.press("r")), [&retry]);
}

#[test]
fn the_names_in_a_box_are_whole_however_many_there_are() {
    let mut screen = two_hundred_over();
    screen.press("/code:connection_refused<Enter>*r");
    let text = screen.text(80, 24);
    assert!(text.contains("payments-prod-hsms-waw-r02-u03,"), "{text}");
    assert!(text.contains(" more "), "{text}");
    assert!(!text.contains("payments-prod-hsms…"), "{text}");
}

#[test]
fn what_is_left_out_of_the_plan_changes_the_number_to_type() {
    let mut screen = plan();
    screen.press("8");
    screen.select("vault-01");
    let out = Intent::LeaveOut(ids(&["vault-01"]));
    assert_eq!(intents(&screen.press(" ")), [&out]);
    assert_eq!(screen.ui.typed, "", "the number was that of another plan");
    assert_eq!(selected(&screen), "rack-c1", "it goes on to the next");
    let text = screen.text(80, 24);
    assert!(text.contains("7 will be upgraded, 1 left out"), "{text}");
    assert!(text.contains("Type 7 to start"), "{text}");
    assert!(text.contains("left out by hand"), "{text}");
    assert_eq!(screen.press("8<Enter>"), []);
    assert_eq!(intents(&screen.press("7<Enter>")), [&Intent::Confirm]);
    screen
        .run
        .finish("vault-01", Outcome::Skipped(Skip::LeftOut));
    let device = screen.run.fleet.device(&DeviceId::new("vault-01")).unwrap();
    assert_eq!(device.outcome(), Some(&Outcome::Skipped(Skip::LeftOut)));
}

#[test]
fn a_filter_and_a_star_leave_a_whole_site_out_of_the_plan_and_take_it_in_again() {
    let mut screen = plan();
    screen.press("/group:berlin<Enter>");
    let berlin = ["vault-05", "vault-06", "vault-08", "vault-11"];
    let out = Intent::LeaveOut(ids(&berlin));
    assert_eq!(intents(&screen.press("*")), [&out]);
    assert_eq!(screen.run.fleet.to_confirm(), 4);
    let back = Intent::TakeIn(ids(&berlin));
    assert_eq!(intents(&screen.press("*")), [&back]);
    assert_eq!(screen.run.fleet.to_confirm(), 8);
    // What is not to be upgraded cannot be left out.
    screen.press("<Esc>");
    screen.select("rack-c1");
    assert_eq!(screen.press(" "), []);
    assert_eq!(
        notice(&screen),
        "rack-c1 is not to be upgraded: nothing to leave out"
    );
    screen.press("/rack<Enter>");
    assert_eq!(screen.press("*"), []);
    assert_eq!(screen.ui.marks.len(), 0);
}

#[test]
fn digits_typed_into_a_filter_on_the_plan_are_no_number_of_devices() {
    let mut screen = plan();
    screen.press("/08");
    assert_eq!(
        (screen.ui.typed.as_str(), screen.ui.filter.value()),
        ("", "08")
    );
    assert_eq!(screen.ui.order.len(), 1);
    assert_eq!(screen.press("<Enter>8<Enter>").len(), 1);
}

#[test]
fn a_filter_on_the_plan_that_leaves_no_device_says_so() {
    let mut screen = plan();
    screen.press("/nowhere<Enter>");
    let text = screen.text(80, 24);
    assert!(text.contains("no device matches the filter"), "{text}");
}

#[test]
fn a_plan_in_which_all_is_left_out_ends_as_a_plan_with_nothing_to_do() {
    let mut screen = plan();
    screen.press("*");
    assert_eq!(screen.run.fleet.to_confirm(), 0);
    let effects = screen.press("<Enter>");
    assert_eq!(effects, [Effect::Intend(Intent::Confirm), Effect::Leave]);
    assert_eq!(screen.ui.popup, None::<Popup>);
}
