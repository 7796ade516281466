//! Snapshots of the screen at the sizes that matter.

mod any_screen;
mod journal;
mod large_fleet;
mod read_only;
mod rows;
mod two_hundred;

use insta::assert_snapshot;
use ratatui::style::{Color, Modifier};

use crate::engine::{Intent, Mode};
use crate::model::{FailureKind, Skip, Verdict};
use crate::tui::fixtures::{
    TestScreen, app_only, audited, both, expired, finished, plan, running, seeds, staged,
    waiting_for_people, windowed,
};
use crate::tui::tests::halt_box::bad_image;

/// Compares the screen at each size, columns by lines, with its snapshot.
fn screens(name: &str, screen: &mut TestScreen, sizes: &[(u16, u16)]) {
    for &(width, height) in sizes {
        let text = screen.text(width, height);
        assert_snapshot!(format!("{name}_{width}x{height}"), text);
    }
}

#[test]
fn the_plan() {
    let mut screen = plan();
    screens(
        "plan",
        &mut screen,
        &[(60, 20), (80, 24), (120, 30), (200, 30)],
    );
    screen.select("vault-09");
    screen.press("7");
    screens("plan_of_what_cannot", &mut screen, &[(80, 24), (120, 24)]);
}

#[test]
fn the_plan_with_a_wrong_number() {
    let mut screen = plan();
    screen.press("12<Enter>");
    screens("plan_wrong_number", &mut screen, &[(80, 24)]);
}

#[test]
fn the_plan_while_devices_are_looked_at() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    screen.run.planned("vault-02", expired().into());
    screen.run.start("vault-01", crate::model::Stage::Probe, 1);
    screens("planning", &mut screen, &[(80, 24)]);
}

#[test]
fn a_plan_with_nothing_to_do() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    for seed in seeds() {
        screen.run.planned(seed.id.as_str(), Verdict::Current);
    }
    screens("plan_nothing_to_do", &mut screen, &[(80, 24)]);
}

#[test]
fn a_run() {
    let mut screen = running();
    screens(
        "running",
        &mut screen,
        &[(60, 20), (80, 24), (120, 30), (200, 50)],
    );
}

#[test]
fn the_end_of_a_run() {
    let mut screen = finished();
    screens(
        "finished",
        &mut screen,
        &[(60, 20), (80, 24), (120, 34), (200, 50)],
    );
}

#[test]
fn the_detail_of_a_device() {
    let mut screen = running();
    screen.select("vault-05");
    screen.press("<Enter>");
    screens("detail", &mut screen, &[(60, 24), (80, 24)]);
    screen.press("<Enter>");
    screens("detail_zoomed", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screen.select("vault-03");
    screens("detail_of_an_insecure_link", &mut screen, &[(80, 24)]);
}

#[test]
fn several_attempts() {
    let mut screen = running();
    screen.select("vault-05");
    screen.press("r");
    // It queues behind vault-11: two places must be free.
    screen.upgraded("vault-09");
    screen.upgraded("vault-10");
    screen.up_to("vault-05", crate::model::Stage::Check);
    screen.run.start("vault-05", crate::model::Stage::Check, 1);
    screen.run.wait(7);
    screen.press("<Enter><Enter>");
    screens("detail_of_a_second_attempt", &mut screen, &[(80, 24)]);
}

#[test]
fn a_halted_run() {
    let mut screen = bad_image();
    screens(
        "halted",
        &mut screen,
        &[(40, 10), (60, 20), (80, 24), (120, 40)],
    );
    screen.press("<Esc>");
    screens("halted_later", &mut screen, &[(80, 24), (39, 5)]);
    screen.press("bx");
    screens("halted_for_good", &mut screen, &[(80, 24)]);
}

#[test]
fn retrying_all() {
    let mut screen = finished();
    screen.press("R");
    screens(
        "retry_all",
        &mut screen,
        &[(40, 10), (60, 20), (80, 24), (120, 34)],
    );
    screen.press("bc");
    screens("retry_all_but_cancelled", &mut screen, &[(80, 24)]);
}

#[test]
fn the_log() {
    let mut screen = finished();
    screen.press("l");
    screens("log", &mut screen, &[(80, 24), (120, 40)]);
    screen.press("l<Up><Up>");
    screens("log_zoomed", &mut screen, &[(80, 24)]);
}

#[test]
fn what_the_logs_say() {
    let mut screen = audited();
    screen.select("vault-02");
    screens(
        "audited",
        &mut screen,
        &[(60, 20), (120, 35), (200, 50), (80, 24)],
    );
    screen.press("<Enter>");
    screens(
        "audited_detail",
        &mut screen,
        &[(60, 24), (80, 30), (80, 24)],
    );
    screen.press("<Enter>");
    screens("audited_detail_zoomed", &mut screen, &[(80, 24)]);
}

#[test]
fn the_entries_of_a_log() {
    let mut screen = audited();
    screen.press("a");
    screens(
        "log_confirmed",
        &mut screen,
        &[(60, 20), (80, 24), (120, 35)],
    );
    screen.press("<Esc>");
    screen.select("vault-02");
    screen.press("a");
    screens("log_contradicted", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screen.select("vault-04");
    screen.press("a");
    screens("log_that_does_not_verify", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screen.select("vault-05");
    screen.press("a");
    screens("log_missing", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screen.select("vault-06");
    screen.press("a");
    screens("log_unavailable", &mut screen, &[(80, 24)]);
    screen.press("a");
    screen.select("vault-08");
    screen.press("a");
    screens("log_cut_short", &mut screen, &[(80, 24)]);
    screen.press("a");
    screen.select("vault-07");
    screen.press("a");
    let text = screen.text(80, 24);
    assert!(!text.contains("Audit log · vault-07"), "{text}");
    assert!(
        text.contains("vault-07: ") && text.contains("audit log"),
        "{text}"
    );
}

#[test]
fn of_a_long_log_a_window_is_shown_and_what_is_left_out_is_said() {
    let mut screen = windowed(48, 54);
    screen.select("vault-02");
    screen.press("a");
    screens("log_window", &mut screen, &[(80, 24), (120, 35)]);
    screen.press("<Esc><Enter>");
    let text = screen.text(120, 35);
    assert!(text.contains("a shows 7 of the log's 60 entries"), "{text}");
}

#[test]
fn people_that_are_waited_for() {
    let mut screen = waiting_for_people();
    screen.run.wait(11);
    screens("secret", &mut screen, &[(60, 20), (80, 24), (120, 35)]);
    screen.press("correct horse");
    screens("secret_typed", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screens("secret_of_the_next", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screens("people", &mut screen, &[(60, 20), (120, 35), (80, 24)]);
    screen.select("vault-02");
    screen.press("<Enter>");
    screens("people_detail", &mut screen, &[(80, 24)]);
    screen.run.wait(31);
    let text = screen.text(120, 35);
    assert!(text.contains("(vault-04 0:00)"), "{text}");
    screens("people_tiny", &mut screen, &[(39, 5)]);
}

#[test]
fn downgrades() {
    let mut screen = TestScreen::new(Mode::Confirm, seeds());
    screen.run.wait(1);
    let kind = FailureKind::Downgrade {
        runs: "1.2.10".to_owned(),
        image: "1.2.3".to_owned(),
    };
    screen.run.planned("vault-02", kind.into());
    let allowed = Verdict::Downgrade {
        notes: vec!["older than what runs".to_owned()],
        refused: None,
    };
    screen.run.planned("vault-03", allowed);
    for seed in seeds() {
        if !["vault-02", "vault-03"].contains(&seed.id.as_str()) {
            let notes = Vec::new();
            screen
                .run
                .planned(seed.id.as_str(), Verdict::Upgrade { notes });
        }
    }
    screen.select("vault-02");
    screens(
        "plan_of_downgrades",
        &mut screen,
        &[(60, 20), (80, 24), (120, 30)],
    );
}

#[test]
fn the_management_app() {
    let mut screen = staged();
    screens(
        "app_and_firmware",
        &mut screen,
        &[(60, 20), (120, 35), (80, 24)],
    );
    screen.select("vault-04");
    screen.press("<Enter>");
    screens("app_and_firmware_detail", &mut screen, &[(80, 24)]);
    let mut screen = TestScreen::of(Mode::Confirm, seeds(), app_only());
    for seed in seeds() {
        screen.run.planned_upgrade(seed.id.as_str(), &[]);
    }
    screens("plan_of_an_app", &mut screen, &[(80, 24), (120, 30)]);
    let mut screen = TestScreen::of(Mode::Confirm, seeds(), both());
    for seed in seeds() {
        screen.run.planned_upgrade(seed.id.as_str(), &[]);
    }
    screens(
        "plan_of_both",
        &mut screen,
        &[(60, 20), (80, 24), (160, 30)],
    );
}

#[test]
fn help() {
    let mut screen = running();
    screen.press("?");
    screens("help", &mut screen, &[(60, 20), (80, 24)]);
    let mut screen = plan();
    screen.press("?");
    screens("help_on_the_plan", &mut screen, &[(80, 24)]);
}

#[test]
fn questions() {
    let mut screen = running();
    screen.press("q");
    screens("quit", &mut screen, &[(60, 20), (80, 24)]);
    screen.press("n");
    screen.select("vault-02");
    screen.press("c");
    screens("cancel", &mut screen, &[(80, 24)]);
    screen.press("n");
    screen.select("vault-04");
    screen.press("c");
    screens("cancel_past_the_install", &mut screen, &[(80, 24)]);
}

#[test]
fn stopping() {
    let mut screen = running();
    screen.run.intend(Intent::Interrupt);
    screens("draining", &mut screen, &[(80, 24), (120, 30)]);
    screen.press("q");
    screens("quit_while_draining", &mut screen, &[(80, 24)]);
    screen.press("<Esc>");
    screen.run.intend(Intent::Interrupt);
    screens("aborting", &mut screen, &[(80, 24)]);
}

#[test]
fn a_filter() {
    let mut screen = running();
    screen.press("/berlin");
    screens("filter_typing", &mut screen, &[(80, 24)]);
    screen.press("<Enter>");
    screens("filter", &mut screen, &[(80, 24)]);
    screen.press("/x");
    screens("filter_without_a_match", &mut screen, &[(80, 24)]);
}

#[test]
fn ascii_without_colours() {
    let mut screen = finished();
    screen.theme.ascii = true;
    screen.theme.colour = false;
    screens("ascii", &mut screen, &[(80, 24)]);
    let mut screen = audited();
    screen.theme.ascii = true;
    screen.theme.colour = false;
    screens("ascii_audited", &mut screen, &[(120, 30)]);
    let mut screen = running();
    screen.theme.ascii = true;
    screen.theme.colour = false;
    screens("ascii_running", &mut screen, &[(120, 30)]);
    let buffer = screen.buffer(120, 30);
    for cell in &buffer.content {
        assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    let selected = (0..120).filter(|x| buffer[(*x, 4)].modifier.contains(Modifier::BOLD));
    assert_eq!(selected.count(), 120);
}

#[test]
fn tiny_screens_are_one_line() {
    let mut screen = finished();
    screens("tiny", &mut screen, &[(39, 3), (100, 2)]);
    screens("tiny_plan", &mut plan(), &[(39, 5)]);
    screen.text(1, 1);
    screen.text(0, 0);
}

#[test]
fn names_in_wide_characters_keep_the_columns() {
    let mut many = seeds();
    many[0].id = crate::model::DeviceId::new("金庫-ワルシャワ-第一");
    many[3].id = crate::model::DeviceId::new("sejf-z-bardzo-długą-nazwą-w-Łodzi");
    let mut screen = TestScreen::new(Mode::Go, many);
    screen
        .run
        .finish("rack-c1", crate::model::Outcome::Skipped(Skip::Epa));
    screen.run.fail(
        "vault-04",
        crate::model::Stage::Login,
        FailureKind::WrongSecret,
        crate::model::Touched::Nothing,
    );
    screens("wide_names", &mut screen, &[(80, 24)]);
}
