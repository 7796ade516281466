//! Keys, one by one, against fleets as they are in a run.

use crate::engine::{DeviceFact, Intent, Mode};
use crate::model::{DeviceId, MaxFailures, Outcome, Stage, Touched, Unproven, Verdict};

use crate::tui::device_order::Sort;
use crate::tui::fixtures::{
    TestScreen, audited, finished, plan, running, seeds, waiting_for_people,
};
use crate::tui::layout::{PaneChoice, Zoom};
use crate::tui::ui::{Effect, Popup};

fn names(screen: &TestScreen) -> Vec<&str> {
    let rows = screen.run.fleet.devices();
    screen
        .ui
        .order
        .iter()
        .map(|&n| rows[n].id.as_str())
        .collect()
}

fn selected(screen: &TestScreen) -> String {
    screen
        .ui
        .selected(&screen.run.fleet)
        .unwrap()
        .id
        .to_string()
}

fn intents(actions: &[Effect]) -> Vec<&Intent> {
    actions
        .iter()
        .filter_map(|a| match a {
            Effect::Intend(intent) => Some(intent),
            _ => None,
        })
        .collect()
}

fn notice(screen: &TestScreen) -> &str {
    screen.ui.notice.as_ref().map_or("", |(_, text)| text)
}

#[test]
fn only_the_exact_number_starts() {
    for wrong in ["", "7", "08", "88", "9"] {
        let mut screen = plan();
        assert_eq!(screen.press(&format!("{wrong}<Enter>")), []);
        assert!(
            notice(&screen).contains('8'),
            "{wrong}: {}",
            notice(&screen)
        );
        assert_eq!(screen.ui.typed, "");
    }
    let mut screen = plan();
    assert_eq!(
        intents(&screen.press("9<Back>8<Enter>")),
        [&Intent::Confirm]
    );
    assert!(!crate::tui::ui::on_plan(&screen.run.fleet));
}

#[test]
fn nothing_starts_while_devices_are_still_looked_at() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    screen.run.planned_upgrade("vault-01", &[]);
    assert_eq!(screen.press("1<Enter>"), []);
    assert_eq!(screen.ui.typed, "");
    assert_eq!(notice(&screen), "still looking at devices");
}

#[test]
fn letters_on_the_plan_never_reach_the_number_and_never_start() {
    let mut screen = plan();
    assert_eq!(screen.press("jxk8a"), []);
    assert_eq!(screen.ui.typed, "8");
}

#[test]
fn escape_clears_the_number_and_then_asks_and_never_leaves_by_itself() {
    let mut screen = plan();
    assert_eq!(screen.press("12<Esc>"), []);
    assert_eq!((screen.ui.typed.as_str(), &screen.ui.popup), ("", &None));
    assert_eq!(screen.press("<Esc>"), []);
    assert_eq!(screen.ui.popup, Some(Popup::LeavePlan));
    assert_eq!(screen.press("<Esc>"), []);
    assert_eq!(screen.ui.popup, None);
    assert_eq!(screen.press("<Esc>y"), [Effect::Leave]);
}

#[test]
fn q_leaves_the_plan_at_once_for_nothing_was_changed() {
    assert_eq!(plan().press("q"), [Effect::Leave]);
}

#[test]
fn a_plan_with_nothing_to_do_is_confirmed_by_leaving() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    for seed in seeds() {
        screen.run.planned(seed.id.as_str(), Verdict::Current);
    }
    let actions = screen.press("<Enter>");
    assert_eq!(actions, [Effect::Intend(Intent::Confirm), Effect::Leave]);
    assert!(
        screen
            .run
            .fleet
            .devices()
            .iter()
            .all(|r| r.outcome() == Some(&Outcome::Current))
    );
}

#[test]
fn on_the_plan_r_looks_again_and_the_number_must_be_typed_anew() {
    let mut screen = plan();
    screen.press("8");
    screen.select("vault-09");
    let again = Intent::Retry(DeviceId::new("vault-09"));
    assert_eq!(intents(&screen.press("r")), [&again]);
    assert_eq!(screen.ui.typed, "");
    let all = Intent::RetryAll(vec![DeviceId::new("vault-09"), DeviceId::new("vault-10")]);
    assert_eq!(intents(&plan().press("R")), [&all]);
}

#[test]
fn r_retries_what_failed_and_says_why_not_otherwise() {
    let mut screen = running();
    screen.select("vault-05");
    let retry = Intent::Retry(DeviceId::new("vault-05"));
    assert_eq!(intents(&screen.press("r")), [&retry]);
    screen.select("vault-01");
    assert_eq!(screen.press("r"), []);
    assert_eq!(notice(&screen), "vault-01 is upgraded: nothing to retry");
    screen.select("vault-02");
    assert_eq!(screen.press("r"), []);
    assert_eq!(notice(&screen), "vault-02 has not ended yet");
}

#[test]
fn retrying_all_is_offered_only_where_it_does_something() {
    // What changed unproven is not meant.
    let mut screen = TestScreen::new(Mode::Go, seeds());
    for seed in seeds() {
        let unproven = Outcome::Unproven(Unproven::NoSignature);
        screen.run.finish(seed.id.as_str(), unproven);
    }
    assert!(screen.run.fleet.is_over());
    assert_eq!(screen.press("R"), []);
    assert_eq!(notice(&screen), "nothing to retry among the devices shown");
    let screen = screen.text(80, 24);
    assert!(
        !screen.contains("R all") && !screen.contains("R retry"),
        "{screen}"
    );
    let text = finished().text(80, 24);
    assert!(text.contains("R all"), "{text}");
}

fn all(names: &[&str]) -> Intent {
    Intent::RetryAll(names.iter().map(|name| DeviceId::new(name)).collect())
}

#[test]
fn retrying_all_asks_first_and_says_what_is_done_to_how_many_and_why() {
    let mut screen = finished();
    assert_eq!(screen.press("R"), []);
    let text = screen.text(80, 24);
    for line in [
        "2 watch only, 1 look again, then",
        "upgrade, 2 upload and install again.",
        "1 rolled back: left out",
        "1 cancelled: in",
        "1 failed at check: 406: the device refu",
        "1 lost at reboot: not back within",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(screen.press("n"), []);
    assert_eq!(screen.ui.popup, None);
    // What bootloaders refused is in only if somebody says so; what was cancelled is out if they do.
    let usual = ["vault-04", "vault-05", "vault-06", "vault-09", "vault-10"];
    assert_eq!(intents(&finished().press("Ry")), [&all(&usual)]);
    let with = ["vault-03", "vault-04", "vault-05", "vault-09", "vault-10"];
    assert_eq!(intents(&finished().press("Rbcy")), [&all(&with)]);
}

#[test]
fn retrying_all_means_the_devices_that_the_filter_leaves() {
    let mut screen = finished();
    screen.press("/warsaw<Enter>");
    assert_eq!(intents(&screen.press("Ry")), [&all(&["vault-04"])]);
    let mut screen = finished();
    screen.press("/upgraded<Enter>");
    assert_eq!(screen.press("R"), []);
    assert_eq!(notice(&screen), "nothing to retry among the devices shown");
    // One that ends badly while the box is open was not there to be read.
    let mut screen = running();
    screen.press("R");
    let refused = crate::model::FailureKind::ImageRefused { status: 406 };
    screen
        .run
        .fail("vault-02", Stage::Check, refused, Touched::ImageStaged);
    assert_eq!(intents(&screen.press("y")), [&all(&["vault-05"])]);
}

#[test]
fn devices_without_login_tries_are_left_out_by_name_and_nearly_spent_ones_are_marked() {
    let mut screen = TestScreen::new(Mode::Go, seeds());
    let wrong = || crate::model::FailureKind::WrongSecret;
    for (name, left) in [
        ("vault-01", vec![2, 1, 0]),
        ("vault-02", vec![2, 1]),
        ("vault-03", vec![]),
    ] {
        for left in left {
            screen.run.tell(name, DeviceFact::LoginRefused { left });
        }
        screen
            .run
            .fail(name, Stage::Login, wrong(), Touched::Nothing);
    }
    assert_eq!(screen.press("R"), []);
    let text = screen.text(80, 24);
    assert!(
        text.contains("no login tries left in this run: vault-01 "),
        "{text}"
    );
    assert!(
        text.contains("Login tries nearly spent: vault-02 (1 left)"),
        "{text}"
    );
    assert_eq!(
        intents(&screen.press("y")),
        [&all(&["vault-02", "vault-03"])]
    );
}

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
    // Put off, it does not come back by itself; but it is a key away, and the banner stays.
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
    // Before it is drawn it is not there.
    assert_eq!(screen.press("s"), []);
    let mut screen = running();
    screen.press("/ab");
    let mut halted = bad_image();
    halted.press("/vault");
    halted.text(80, 24);
    assert_eq!(halted.ui.popup, None, "the filter is being typed");
    halted.press("<Enter>");
    halted.text(80, 24);
    assert_eq!(halted.ui.popup, Some(Popup::Budget));
    assert_eq!(intents(&halted.press("<C-c>")), [&Intent::Interrupt]);
}

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
    screen.press("sss");
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
