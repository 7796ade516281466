//! Keys, one by one, against fleets as they are in a run.

use crate::engine::{DeviceFact, Intent, Mode};
use crate::model::{DeviceId, MaxFailures, Outcome, Stage, Touched, Unproven, Verdict};

use crate::tui::device_order::Sort;
use crate::tui::fixtures::{Rig, audited, finished, people, plan, running, seeds};
use crate::tui::layout::{Wish, Zoom};
use crate::tui::ui::{Action, Popup};

fn names(rig: &Rig) -> Vec<&str> {
    let rows = rig.fleet.devices();
    rig.ui.order.iter().map(|&n| rows[n].id.as_str()).collect()
}

fn selected(rig: &Rig) -> String {
    rig.ui.selected(&rig.fleet).unwrap().id.to_string()
}

fn intents(actions: &[Action]) -> Vec<&Intent> {
    actions
        .iter()
        .filter_map(|a| match a {
            Action::Intend(intent) => Some(intent),
            _ => None,
        })
        .collect()
}

fn notice(rig: &Rig) -> &str {
    rig.ui.notice.as_ref().map_or("", |(_, text)| text)
}

#[test]
fn only_the_exact_number_starts() {
    for wrong in ["", "7", "08", "88", "9"] {
        let mut rig = plan();
        assert_eq!(rig.press(&format!("{wrong}<Enter>")), []);
        assert!(notice(&rig).contains('8'), "{wrong}: {}", notice(&rig));
        assert_eq!(rig.ui.typed, "");
    }
    let mut rig = plan();
    assert_eq!(intents(&rig.press("9<Back>8<Enter>")), [&Intent::Confirm]);
    assert!(!crate::tui::ui::on_plan(&rig.fleet));
}

#[test]
fn nothing_starts_while_devices_are_still_looked_at() {
    let mut rig = Rig::new(Mode::Confirm, seeds());
    rig.planned("vault-01", Verdict::Upgrade { notes: Vec::new() });
    assert_eq!(rig.press("1<Enter>"), []);
    assert_eq!(rig.ui.typed, "");
    assert_eq!(notice(&rig), "still looking at devices");
}

#[test]
fn letters_on_the_plan_never_reach_the_number_and_never_start() {
    let mut rig = plan();
    assert_eq!(rig.press("jxk8a"), []);
    assert_eq!(rig.ui.typed, "8");
}

#[test]
fn escape_clears_the_number_and_then_asks_and_never_leaves_by_itself() {
    let mut rig = plan();
    assert_eq!(rig.press("12<Esc>"), []);
    assert_eq!((rig.ui.typed.as_str(), &rig.ui.popup), ("", &None));
    assert_eq!(rig.press("<Esc>"), []);
    assert_eq!(rig.ui.popup, Some(Popup::LeavePlan));
    assert_eq!(rig.press("<Esc>"), []);
    assert_eq!(rig.ui.popup, None);
    assert_eq!(rig.press("<Esc>y"), [Action::Leave]);
}

#[test]
fn q_leaves_the_plan_at_once_for_nothing_was_changed() {
    assert_eq!(plan().press("q"), [Action::Leave]);
}

#[test]
fn a_plan_with_nothing_to_do_is_confirmed_by_leaving() {
    let mut rig = Rig::new(Mode::Confirm, seeds());
    for seed in seeds() {
        rig.planned(seed.id.as_str(), Verdict::Current);
    }
    let actions = rig.press("<Enter>");
    assert_eq!(actions, [Action::Intend(Intent::Confirm), Action::Leave]);
    assert!(
        rig.fleet
            .devices()
            .iter()
            .all(|r| r.outcome() == Some(&Outcome::Current))
    );
}

#[test]
fn on_the_plan_r_looks_again_and_the_number_must_be_typed_anew() {
    let mut rig = plan();
    rig.press("8");
    rig.select("vault-09");
    let again = Intent::Retry(DeviceId::new("vault-09"));
    assert_eq!(intents(&rig.press("r")), [&again]);
    assert_eq!(rig.ui.typed, "");
    let all = Intent::RetryAll(vec![DeviceId::new("vault-09"), DeviceId::new("vault-10")]);
    assert_eq!(intents(&plan().press("R")), [&all]);
}

#[test]
fn r_retries_what_failed_and_says_why_not_otherwise() {
    let mut rig = running();
    rig.select("vault-05");
    let retry = Intent::Retry(DeviceId::new("vault-05"));
    assert_eq!(intents(&rig.press("r")), [&retry]);
    rig.select("vault-01");
    assert_eq!(rig.press("r"), []);
    assert_eq!(notice(&rig), "vault-01 is upgraded: nothing to retry");
    rig.select("vault-02");
    assert_eq!(rig.press("r"), []);
    assert_eq!(notice(&rig), "vault-02 has not ended yet");
}

#[test]
fn retrying_all_is_offered_only_where_it_does_something() {
    // What changed unproven is not meant.
    let mut rig = Rig::new(Mode::Go, seeds());
    for seed in seeds() {
        let unproven = Outcome::Unproven(Unproven::NoSignature);
        rig.finish(seed.id.as_str(), unproven);
    }
    assert!(rig.fleet.is_over());
    assert_eq!(rig.press("R"), []);
    assert_eq!(notice(&rig), "nothing to retry among the devices shown");
    let screen = rig.text(80, 24);
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
    let mut rig = finished();
    assert_eq!(rig.press("R"), []);
    let text = rig.text(80, 24);
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
    assert_eq!(rig.press("n"), []);
    assert_eq!(rig.ui.popup, None);
    // What bootloaders refused is in only if somebody says so; what was cancelled is out if they do.
    let usual = ["vault-04", "vault-05", "vault-06", "vault-09", "vault-10"];
    assert_eq!(intents(&finished().press("Ry")), [&all(&usual)]);
    let with = ["vault-03", "vault-04", "vault-05", "vault-09", "vault-10"];
    assert_eq!(intents(&finished().press("Rbcy")), [&all(&with)]);
}

#[test]
fn retrying_all_means_the_devices_that_the_filter_leaves() {
    let mut rig = finished();
    rig.press("/warsaw<Enter>");
    assert_eq!(intents(&rig.press("Ry")), [&all(&["vault-04"])]);
    let mut rig = finished();
    rig.press("/upgraded<Enter>");
    assert_eq!(rig.press("R"), []);
    assert_eq!(notice(&rig), "nothing to retry among the devices shown");
    // One that ends badly while the box is open was not there to be read.
    let mut rig = running();
    rig.press("R");
    let refused = crate::model::FailureKind::ImageRefused { status: 406 };
    rig.fail("vault-02", Stage::Check, refused, Touched::ImageStaged);
    assert_eq!(intents(&rig.press("y")), [&all(&["vault-05"])]);
}

#[test]
fn devices_without_login_tries_are_left_out_by_name_and_nearly_spent_ones_are_marked() {
    let mut rig = Rig::new(Mode::Go, seeds());
    let wrong = || crate::model::FailureKind::WrongSecret;
    for (name, left) in [
        ("vault-01", vec![2, 1, 0]),
        ("vault-02", vec![2, 1]),
        ("vault-03", vec![]),
    ] {
        for left in left {
            rig.tell(name, DeviceFact::LoginRefused { left });
        }
        rig.fail(name, Stage::Login, wrong(), Touched::Nothing);
    }
    assert_eq!(rig.press("R"), []);
    let text = rig.text(80, 24);
    assert!(
        text.contains("no login tries left in this run: vault-01 "),
        "{text}"
    );
    assert!(
        text.contains("Login tries nearly spent: vault-02 (1 left)"),
        "{text}"
    );
    assert_eq!(intents(&rig.press("y")), [&all(&["vault-02", "vault-03"])]);
}

/// A fleet whose image is bad: halted, with one device staged, one past its install, two in line.
pub(in crate::tui) fn bad_image() -> Rig {
    let mut rig = Rig::new(Mode::Go, seeds());
    for name in ["vault-01", "vault-02", "vault-03"] {
        rig.up_to(name, Stage::Reboot);
    }
    rig.up_to("vault-04", Stage::Reboot);
    rig.begin("vault-04", Stage::Reboot);
    rig.up_to("vault-05", Stage::Install);
    rig.begin("vault-06", Stage::Upload);
    rig.finish("vault-01", Outcome::RolledBack);
    rig.finish("vault-02", Outcome::RolledBack);
    assert!(!rig.fleet.is_halted());
    rig.finish("vault-03", Outcome::Lost);
    rig.tell("vault-05", DeviceFact::PermitAsked);
    rig
}

#[test]
fn a_halted_run_asks_by_itself_and_stops_or_goes_on_only_with_a_budget_that_is_not_spent() {
    let mut rig = bad_image();
    let text = rig.text(80, 24);
    assert_eq!(rig.ui.popup, Some(Popup::Budget), "{text}");
    assert!(text.contains("2 rolled back, 1 lost"), "{text}");
    for wrong in ["<Enter>", "4<Enter>", "0<Enter>", "9<Back><Enter>"] {
        assert_eq!(rig.press(wrong), [], "{wrong}");
        assert_eq!(rig.ui.popup, Some(Popup::Budget));
        assert!(notice(&rig).contains('4'), "{wrong}: {}", notice(&rig));
    }
    // Put off, it does not come back by itself; but it is a key away, and the banner stays.
    assert_eq!(rig.press("<Esc>"), []);
    let text = rig.text(80, 24);
    assert_eq!(rig.ui.popup, None);
    assert!(
        text.contains("HALTED, 4 of 3 failures. b: stop or go on."),
        "{text}"
    );
    assert!(text.contains("held: run halted"), "{text}");
    let on = Intent::GoOn(MaxFailures::Number(12));
    assert_eq!(intents(&rig.press("b12<Enter>")), [&on]);
    assert!(!rig.fleet.is_halted());
    assert!(!rig.text(80, 24).contains("HALTED"));
    let mut rig = bad_image();
    rig.text(80, 24);
    assert_eq!(intents(&rig.press("x")), [&Intent::Halt]);
    assert!(rig.fleet.is_halted() && !rig.fleet.waits_for_budget());
    assert_eq!(rig.ui.popup, None);
}

#[test]
fn the_box_of_a_halted_run_takes_no_key_that_was_meant_for_something_else() {
    let mut rig = bad_image();
    // Before it is drawn it is not there.
    assert_eq!(rig.press("s"), []);
    let mut rig = running();
    rig.press("/ab");
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
    let mut rig = running();
    rig.select("vault-02");
    assert_eq!(rig.press("c"), []);
    assert_eq!(rig.ui.popup, Some(Popup::Cancel(DeviceId::new("vault-02"))));
    assert_eq!(rig.press("n"), []);
    assert_eq!(rig.press("j<Enter>kk"), []);
    rig.select("vault-02");
    let cancel = Intent::Cancel(DeviceId::new("vault-02"));
    assert_eq!(intents(&rig.press("cy")), [&cancel]);
    rig.press("c");
    assert_eq!(notice(&rig), "vault-02 is being stopped already");
}

#[test]
fn past_the_install_nothing_can_be_cancelled_not_even_when_it_was_asked_before() {
    let mut rig = running();
    rig.select("vault-04");
    assert_eq!(rig.press("cy"), []);
    rig.press("<Esc>");
    rig.select("vault-03");
    rig.press("c");
    rig.install_begun("vault-03");
    rig.begin("vault-03", Stage::Install);
    assert_eq!(rig.press("y"), []);
    assert_eq!(
        rig.ui.popup,
        Some(Popup::PastInstall(DeviceId::new("vault-03")))
    );
}

#[test]
fn quitting_asks_while_devices_are_in_flight_and_then_drains() {
    let mut rig = running();
    assert_eq!(rig.press("q"), []);
    assert_eq!(rig.press("n"), []);
    assert_eq!(rig.press("<Esc><Esc><Esc>"), []);
    assert_eq!(intents(&rig.press("qy")), [&Intent::Interrupt]);
    // A second q is no second interrupt.
    assert_eq!(rig.press("qyq"), []);
    assert_eq!(intents(&rig.press("<C-c>")), [&Intent::Interrupt]);
}

#[test]
fn when_nothing_runs_q_quits_at_once() {
    assert_eq!(finished().press("q"), [Action::Leave]);
}

#[test]
fn ctrl_c_interrupts_from_everywhere() {
    for before in ["", "?", "q", "/ab", "<Enter><Enter>", "c"] {
        let mut rig = running();
        rig.press(before);
        assert_eq!(
            intents(&rig.press("<C-c>")),
            [&Intent::Interrupt],
            "{before}"
        );
        assert_eq!(rig.ui.popup, None);
    }
}

#[test]
fn escape_goes_back_step_by_step_and_never_quits() {
    let mut rig = running();
    rig.press("/warsaw<Enter><Enter><Enter>?");
    assert_eq!(rig.ui.popup, Some(Popup::Help));
    rig.press("<Esc>");
    assert_eq!((&rig.ui.popup, rig.ui.zoom), (&None, Some(Zoom::Detail)));
    rig.press("<Esc>");
    assert_eq!(rig.ui.zoom, None);
    rig.press("<Esc>");
    assert_eq!(rig.ui.filter.value(), "");
    rig.press("<Esc>");
    assert_eq!(rig.ui.detail, Wish::Off);
    assert_eq!(rig.press("<Esc><Esc>"), []);
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
        let mut rig = running();
        rig.press("/");
        rig.press(filter);
        assert_eq!(rig.ui.order.len(), hits, "{filter}");
    }
}

#[test]
fn filters_know_what_logs_say_and_who_is_waited_for() {
    for (rig, filter, hits) in [
        (audited as fn() -> Rig, "contradicted", 2),
        (audited, "confirmed", 2),
        (audited, "missing", 1),
        (audited, "unavailable", 2),
        (audited, "upgraded confirmed insecure", 1),
        (people, "secret", 2),
        (people, "phone", 2),
    ] {
        let mut rig = rig();
        rig.press("/");
        rig.press(filter);
        assert_eq!(rig.ui.order.len(), hits, "{filter}");
    }
}

#[test]
fn sorted_by_state_what_needs_a_person_comes_first() {
    let mut rig = audited();
    rig.press("s");
    assert_eq!(names(&rig)[..2], ["vault-02", "vault-04"]);
    let mut rig = people();
    rig.press("s");
    let first = ["vault-01", "vault-02", "vault-03", "vault-04"];
    assert_eq!(names(&rig)[..4], first);
}

#[test]
fn the_log_opens_only_where_one_was_read_and_closes_step_by_step() {
    let mut rig = audited();
    rig.press("a");
    assert_eq!(rig.ui.zoom, Some(Zoom::Audit));
    rig.press("a");
    assert_eq!(rig.ui.zoom, None);
    rig.press("<Enter><Enter>a<Esc>");
    assert_eq!(rig.ui.zoom, None);
    rig.select("vault-07");
    let footer = |rig: &mut Rig| rig.text(200, 24).contains("a audit log");
    assert!(!footer(&mut rig));
    rig.select("vault-01");
    assert!(footer(&mut rig));
}

#[test]
fn a_filter_follows_what_happens_and_the_selection_its_device() {
    let mut rig = running();
    rig.select("vault-05");
    rig.press("/failed<Enter>");
    assert_eq!(names(&rig), ["vault-05"]);
    rig.finish("vault-02", Outcome::Cancelled(Touched::ImageSent));
    rig.fail(
        "vault-06",
        Stage::Upload,
        crate::model::FailureKind::Status { status: 406 },
        Touched::ImageSent,
    );
    rig.ui.settle(&rig.fleet);
    assert_eq!(names(&rig), ["vault-05", "vault-06"]);
    rig.press("<Esc>");
    assert_eq!(
        (names(&rig).len(), selected(&rig).as_str()),
        (12, "vault-05")
    );
}

#[test]
fn rows_keep_their_place_while_things_happen() {
    let mut rig = running();
    rig.press("G");
    let before = names(&rig).join(" ");
    rig.finish("vault-02", Outcome::Upgraded);
    rig.ui.settle(&rig.fleet);
    assert_eq!(names(&rig).join(" "), before);
    assert_eq!(selected(&rig), "vault-11");
}

#[test]
fn sorting_goes_round_and_keeps_the_device_selected() {
    let mut rig = finished();
    rig.select("vault-03");
    rig.press("s");
    assert_eq!(rig.ui.sort, Sort::State);
    assert_eq!(names(&rig)[..3], ["vault-05", "vault-09", "vault-03"]);
    assert_eq!(selected(&rig), "vault-03");
    rig.press("s");
    assert_eq!(names(&rig)[0], "rack-c1");
    rig.press("sss");
    assert_eq!(rig.ui.sort, Sort::Inventory);
    assert_eq!(selected(&rig), "vault-03");
}

#[test]
fn panes_go_from_off_to_on_to_the_whole_screen_to_off() {
    let mut rig = running();
    let shown = |rig: &Rig| {
        let areas = rig.ui.areas(&rig.fleet);
        (areas.detail.is_some(), areas.log.is_some(), rig.ui.zoom)
    };
    assert_eq!(shown(&rig), (false, false, None));
    rig.press("<Enter>");
    assert_eq!(shown(&rig), (true, false, None));
    rig.press("l");
    assert_eq!(shown(&rig), (false, true, None));
    rig.press("<Enter>");
    assert_eq!(shown(&rig), (true, false, None));
    rig.press("<Enter>");
    assert_eq!(shown(&rig), (true, false, Some(Zoom::Detail)));
    rig.press("<Enter>");
    assert_eq!(shown(&rig), (false, false, None));
}

#[test]
fn the_last_error_is_copied_with_its_hint() {
    let mut rig = running();
    rig.select("vault-05");
    let Some(Action::Copy(text)) = rig.press("y").pop() else {
        panic!("nothing copied");
    };
    assert!(
        text.starts_with("vault-05: failed at check: 406: the device refused the image\n"),
        "{text}"
    );
    rig.select("vault-01");
    assert_eq!(rig.press("y"), []);
}
