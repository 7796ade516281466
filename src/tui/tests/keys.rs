//! Keys on the dashboard: cancelling, quitting, panes, filter and sorting.

use crate::engine::Intent;
use crate::model::{DeviceId, Outcome, Stage, Touched};

use super::{intents, names, notice, selected};
use crate::tui::device_order::Sort;
use crate::tui::fixtures::{TestScreen, audited, finished, running, waiting_for_people};
use crate::tui::layout::{PaneChoice, Zoom};
use crate::tui::ui::{Effect, Popup};

#[test]
fn cancelling_asks_first() {
    let mut screen = running();
    screen.select("vault-02");
    assert_eq!(screen.press("c"), []);
    assert_eq!(
        screen.ui.popup,
        Some(Popup::Cancel(DeviceId::new("vault-02")))
    );
    assert_eq!(screen.press("n"), []);
    assert_eq!(screen.press("j<Enter>kk"), []);
    screen.select("vault-02");
    let cancel = Intent::Cancel(DeviceId::new("vault-02"));
    assert_eq!(intents(&screen.press("cy")), [&cancel]);
    screen.press("c");
    assert_eq!(notice(&screen), "vault-02 is being stopped already");
}

#[test]
fn past_the_install_nothing_can_be_cancelled_not_even_when_it_was_asked_before() {
    let mut screen = running();
    screen.select("vault-04");
    assert_eq!(screen.press("cy"), []);
    screen.press("<Esc>");
    screen.select("vault-03");
    screen.press("c");
    screen.run.install_begun("vault-03");
    screen.run.start("vault-03", Stage::Install, 1);
    assert_eq!(screen.press("y"), []);
    assert_eq!(
        screen.ui.popup,
        Some(Popup::PastInstall(DeviceId::new("vault-03")))
    );
}

#[test]
fn quitting_asks_while_devices_are_in_flight_and_then_drains() {
    let mut screen = running();
    assert_eq!(screen.press("q"), []);
    assert_eq!(screen.press("n"), []);
    assert_eq!(screen.press("<Esc><Esc><Esc>"), []);
    assert_eq!(intents(&screen.press("qy")), [&Intent::Interrupt]);
    // A second q is no second interrupt.
    assert_eq!(screen.press("qyq"), []);
    assert_eq!(intents(&screen.press("<C-c>")), [&Intent::Interrupt]);
}

#[test]
fn when_nothing_runs_q_quits_at_once() {
    assert_eq!(finished().press("q"), [Effect::Leave]);
}

#[test]
fn ctrl_c_interrupts_from_everywhere() {
    for before in ["", "?", "q", "/ab", "<Enter><Enter>", "c"] {
        let mut screen = running();
        screen.press(before);
        assert_eq!(
            intents(&screen.press("<C-c>")),
            [&Intent::Interrupt],
            "{before}"
        );
        assert_eq!(screen.ui.popup, None);
    }
}

#[test]
fn escape_goes_back_step_by_step_and_never_quits() {
    let mut screen = running();
    screen.press("/warsaw<Enter><Enter><Enter>?");
    assert_eq!(screen.ui.popup, Some(Popup::Help));
    screen.press("<Esc>");
    assert_eq!(
        (&screen.ui.popup, screen.ui.zoom),
        (&None, Some(Zoom::Detail))
    );
    screen.press("<Esc>");
    assert_eq!(screen.ui.zoom, None);
    screen.press("<Esc>");
    assert_eq!(screen.ui.filter.value(), "");
    screen.press("<Esc>");
    assert_eq!(screen.ui.detail, PaneChoice::Off);
    assert_eq!(screen.press("<Esc><Esc>"), []);
}

#[test]
fn filters_know_name_group_tag_state_and_outcome() {
    for (filter, hits) in [
        ("VAULT-1", 2),
        ("rack", 1),
        ("usb", 12),
        ("failed", 1),
        ("upgraded", 1),
        ("running", 8),
        ("upload", 2),
        ("insecure", 1),
        ("berlin upload", 1),
        ("nothing of that", 0),
    ] {
        let mut screen = running();
        screen.press("/");
        screen.press(filter);
        assert_eq!(screen.ui.order.len(), hits, "{filter}");
    }
}

#[test]
fn filters_know_what_logs_say_and_who_is_waited_for() {
    for (screen, filter, hits) in [
        (audited as fn() -> TestScreen, "contradicted", 2),
        (audited, "confirmed", 2),
        (audited, "missing", 1),
        (audited, "unavailable", 2),
        (audited, "upgraded confirmed insecure", 1),
        (waiting_for_people, "secret", 2),
        (waiting_for_people, "phone", 2),
    ] {
        let mut screen = screen();
        screen.press("/");
        screen.press(filter);
        assert_eq!(screen.ui.order.len(), hits, "{filter}");
    }
}

#[test]
fn sorted_by_state_what_needs_a_person_comes_first() {
    let mut screen = audited();
    screen.press("s");
    assert_eq!(names(&screen)[..2], ["vault-02", "vault-04"]);
    let mut screen = waiting_for_people();
    screen.press("s");
    let first = ["vault-01", "vault-02", "vault-03", "vault-04"];
    assert_eq!(names(&screen)[..4], first);
}

#[test]
fn the_log_opens_only_where_one_was_read_and_closes_step_by_step() {
    let mut screen = audited();
    screen.press("a");
    assert_eq!(screen.ui.zoom, Some(Zoom::Audit));
    screen.press("a");
    assert_eq!(screen.ui.zoom, None);
    screen.press("<Enter><Enter>a<Esc>");
    assert_eq!(screen.ui.zoom, None);
    screen.select("vault-07");
    let footer = |screen: &mut TestScreen| screen.text(200, 24).contains("a audit log");
    assert!(!footer(&mut screen));
    screen.select("vault-01");
    assert!(footer(&mut screen));
}

#[test]
fn a_filter_follows_what_happens_and_the_selection_its_device() {
    let mut screen = running();
    screen.select("vault-05");
    screen.press("/failed<Enter>");
    assert_eq!(names(&screen), ["vault-05"]);
    screen
        .run
        .finish("vault-02", Outcome::Cancelled(Touched::ImageSent));
    screen.run.fail(
        "vault-06",
        Stage::Upload,
        crate::model::FailureKind::Status { status: 406 },
        Touched::ImageSent,
    );
    screen.catch_up();
    screen.ui.settle(&screen.run.fleet);
    assert_eq!(names(&screen), ["vault-05", "vault-06"]);
    screen.press("<Esc>");
    assert_eq!(
        (names(&screen).len(), selected(&screen).as_str()),
        (12, "vault-05")
    );
}

#[test]
fn rows_keep_their_place_while_things_happen() {
    let mut screen = running();
    screen.press("G");
    let before = names(&screen).join(" ");
    screen.run.finish("vault-02", Outcome::Upgraded);
    screen.catch_up();
    screen.ui.settle(&screen.run.fleet);
    assert_eq!(names(&screen).join(" "), before);
    assert_eq!(selected(&screen), "vault-11");
}

#[test]
fn sorting_goes_round_and_keeps_the_device_selected() {
    let mut screen = finished();
    screen.select("vault-03");
    screen.press("s");
    assert_eq!(screen.ui.sort, Sort::State);
    assert_eq!(names(&screen)[..3], ["vault-05", "vault-09", "vault-03"]);
    assert_eq!(selected(&screen), "vault-03");
    screen.press("s");
    assert_eq!(names(&screen)[0], "rack-c1");
    screen.press("sssss");
    assert_eq!(screen.ui.sort, Sort::Inventory);
    assert_eq!(selected(&screen), "vault-03");
}

#[test]
fn panes_go_from_off_to_on_to_the_whole_screen_to_off() {
    let mut screen = running();
    let shown = |screen: &TestScreen| {
        let areas = screen.ui.areas(&screen.run.fleet);
        (areas.detail.is_some(), areas.log.is_some(), screen.ui.zoom)
    };
    assert_eq!(shown(&screen), (false, false, None));
    screen.press("<Enter>");
    assert_eq!(shown(&screen), (true, false, None));
    screen.press("l");
    assert_eq!(shown(&screen), (false, true, None));
    screen.press("<Enter>");
    assert_eq!(shown(&screen), (true, false, None));
    screen.press("<Enter>");
    assert_eq!(shown(&screen), (true, false, Some(Zoom::Detail)));
    screen.press("<Enter>");
    assert_eq!(shown(&screen), (false, false, None));
}

#[test]
fn the_last_error_is_copied_with_its_hint() {
    let mut screen = running();
    screen.select("vault-05");
    let Some(Effect::Copy(text)) = screen.press("y").pop() else {
        panic!("nothing copied");
    };
    assert!(
        text.starts_with("vault-05: failed at check: 406: the device refused the image\n"),
        "{text}"
    );
    screen.select("vault-01");
    assert_eq!(screen.press("y"), []);
}
