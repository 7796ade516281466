//! Keys on the plan: what starts a run, what leaves the plan, and what does neither.

use crate::engine::{Intent, Mode, Progress};
use crate::model::{DeviceId, Outcome, Stage, Verdict};

use super::{intents, notice};
use crate::tui::fixtures::{TestScreen, in_doubt, plan, seeds, watched_first};
use crate::tui::ui::{Effect, Popup};

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
    let effects = screen.press("<Enter>");
    assert_eq!(effects, [Effect::Intend(Intent::Confirm), Effect::Leave]);
    assert!(
        screen
            .run
            .fleet
            .devices()
            .iter()
            .all(|device| device.outcome() == Some(&Outcome::Current))
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

/// An install of an earlier process may be under way: nothing is to be typed, and nobody leaves by pressing Enter.
#[test]
fn a_plan_of_nothing_but_watches_starts_with_enter_alone() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    for seed in seeds() {
        let notes = vec!["install sent 12 s ago: do not unplug".to_owned()];
        screen.run.planned(
            seed.id.as_str(),
            Verdict::Watch {
                notes,
                goes_on: false,
            },
        );
    }
    let shown = screen.text(80, 24);
    assert!(shown.contains("Enter watches 12 devices"), "{shown}");
    assert!(shown.contains("do not unplug"), "{shown}");
    assert_eq!(screen.press("<Enter>"), [Effect::Intend(Intent::Confirm)]);
    assert!(!crate::tui::ui::on_plan(&screen.run.fleet));
}

const UPGRADE: Verdict = Verdict::Upgrade { notes: Vec::new() };

/// Another look at a device has another verdict.
fn replan(screen: &mut TestScreen, name: &str, verdict: Verdict) {
    let again = Intent::Retry(DeviceId::new(name));
    screen.run.intend(again);
    screen.run.planned(name, verdict);
}

/// What is watched first may be upgraded afterwards, so that its number is typed as well.
#[test]
fn the_number_to_type_counts_the_devices_that_are_watched_first() {
    let mut screen = in_doubt(4);
    let shown = screen.text(80, 24);
    let counts = "4 will be watched first, then upgraded if they need it, 8 current.";
    assert!(shown.contains(counts), "{shown}");
    assert!(!shown.contains("0 will be upgraded"), "{shown}");
    let nothing_sent = "Nothing is sent to a device while it is watched.";
    assert!(shown.contains(nothing_sent), "{shown}");
    assert!(shown.contains("Type 4 to start"), "{shown}");
    let tiny = screen.text(39, 5);
    assert!(tiny.contains("plan: watches 4, upgrades 0/12"), "{tiny}");
    screen.press("<Enter>");
    assert_eq!(
        notice(&screen),
        "type 4, the number of devices to be watched first, then Enter"
    );
    replan(&mut screen, "vault-08", UPGRADE);
    screen.press("4<Enter>");
    assert_eq!(
        notice(&screen),
        "4 is not the number of devices to be upgraded or watched first, which is 5"
    );
    assert_eq!(intents(&screen.press("5<Enter>")), [&Intent::Confirm]);
    let mut screen = in_doubt(0);
    replan(&mut screen, "vault-08", UPGRADE);
    screen.press("<Enter>");
    assert_eq!(
        notice(&screen),
        "type 1, the number of devices to be upgraded, then Enter"
    );
}

#[test]
fn a_count_of_the_plan_is_not_torn_apart() {
    let mut screen = in_doubt(4);
    for n in 4..=10 {
        replan(&mut screen, &format!("vault-{n:02}"), UPGRADE);
    }
    let shown = screen.text(80, 24);
    let second = "| 1 current. Nothing is sent to a device while it is watched. ";
    assert!(shown.contains(second), "{shown}");
}

/// Whoever reads no more than the row must not pull the power.
#[test]
fn a_row_that_is_cut_still_says_not_to_unplug() {
    let row = |screen: &mut TestScreen, width| {
        let text = screen.text(width, 24);
        let row = text.lines().find(|line| line.contains("▸"));
        row.unwrap().to_owned()
    };
    for width in [60, 80, 110] {
        let row = row(&mut in_doubt(4), width);
        assert!(row.contains("do not unplug"), "{row}");
    }
    let row_of_all = row(&mut in_doubt(4), 200);
    let whole =
        "install sent 12 s ago by run ca1e2001: do not unplug · answers as before, runs 1.2.2";
    assert!(row_of_all.contains(whole), "{row_of_all}");
    let mut screen = in_doubt(4);
    screen.run.intend(Intent::Confirm);
    screen.run.start("vault-01", Stage::Reboot, 1);
    let what = "install sent 12 s ago by run ca1e2001: do not unplug".to_owned();
    screen
        .run
        .progress("vault-01", Stage::Reboot, Progress::Step { what });
    let watched = row(&mut screen, 80);
    assert!(watched.contains("do not unplug"), "{watched}");
    assert!(row(&mut screen, 200).contains("by run ca1e2001"));
}

/// However much the plan has to count, no count is cut off.
#[test]
fn all_counts_of_a_plan_with_devices_in_doubt_are_shown() {
    let mut screen = plan();
    for n in 1..=2 {
        replan(&mut screen, &format!("vault-{n:02}"), watched_first());
    }
    for (width, height) in [(60, 20), (80, 24), (120, 30)] {
        let shown = screen.text(width, height);
        for part in ["6 will be upgraded", "2 will be", "1 skipped", "2 cannot."] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
        assert!(shown.contains("cannot be undone"), "{shown}");
        assert!(shown.contains("Type 8 to start"), "{shown}");
    }
}
