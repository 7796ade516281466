//! The screen as people see it, at the sizes that matter.

use insta::assert_snapshot;
use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use crate::engine::{Intent, Mode};
use crate::model::{FailureKind, Outcome, Skip, Stage, Unproven, Verdict};
use crate::tui::fixtures::{
    TestScreen, app_only, audited, both, expired, finished, log_contradicts, plan, running, seeds,
    staged, waiting_for_people, windowed,
};
use crate::tui::tests::ui::bad_image;

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
    for row in seeds() {
        screen.run.planned(row.id.as_str(), Verdict::Current);
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
fn a_log_that_contradicts_needs_a_look_like_a_failure_does() {
    let mut screen = audited();
    for (width, height) in [(60, 20), (80, 24), (120, 35)] {
        let text = screen.text(width, height);
        assert!(text.contains("OVER: 2 devices need a look"), "{text}");
        let header = text.lines().next().unwrap();
        assert!(header.contains("≠ 2"), "{header}");
    }
    // Beside other devices that need one it counts as well, and none twice.
    let mut screen = TestScreen::new(Mode::Go, seeds());
    for (n, row) in seeds().iter().enumerate() {
        let name = row.id.as_str();
        screen.run.start(name, Stage::Audit, 1);
        match n {
            0 | 1 => screen.run.audit(name, log_contradicts()),
            _ => {}
        }
        screen.run.finish(
            name,
            match n {
                0 | 3 => Outcome::Upgraded,
                1 => Outcome::Lost,
                2 => Outcome::Unproven(Unproven::NoSignature),
                _ => Outcome::Current,
            },
        );
    }
    let text = screen.text(120, 24);
    let wanted = "OVER: 3 devices need a look, 1 by its log (a). r retries the selected";
    assert!(text.contains(wanted), "{text}");
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
    assert!(screen.text(80, 24).contains("Audit log · vault-07"));
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
fn the_entry_in_question_is_scrolled_into_view_wherever_it_stands() {
    let mut screen = audited();
    screen.select("vault-02");
    for (width, height) in [(40, 10), (60, 20), (80, 24), (120, 35), (200, 90)] {
        screen.press("a");
        let text = screen.text(width, height);
        assert!(
            text.lines()
                .any(|l| l.contains("▸") && l.contains("upgrade") && l.contains("61")),
            "{text}"
        );
        screen.press("a");
    }
}

#[test]
fn a_log_that_contradicts_is_loud_but_the_device_stays_green() {
    let mut screen = audited();
    screen.ui.detail = crate::tui::layout::PaneChoice::Off;
    for width in [80, 120] {
        let buffer = screen.buffer(width, 24);
        for y in 3..23 {
            let line: String = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
            let has = |colour: Color, bold: bool| {
                (0..width).any(|x| {
                    let cell = &buffer[(x, y)];
                    cell.fg == colour && (!bold || cell.modifier.contains(Modifier::BOLD))
                })
            };
            assert!(!has(Color::Red, false), "{line}");
            if line.contains("LOG CONTRADICTS") {
                assert!(
                    has(Color::Green, false) && has(Color::Yellow, true),
                    "{line}"
                );
                assert!(line.contains('≠'), "{line}");
            } else {
                assert!(
                    !has(Color::Yellow, true) || line.contains("insecure") || line.contains("http"),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn no_screen_says_that_a_log_proves() {
    let mut screen = audited();
    for name in [
        "vault-01", "vault-02", "vault-03", "vault-04", "vault-05", "vault-06",
    ] {
        screen.select(name);
        screen.press("a");
        let text = screen.text(120, 60).to_lowercase();
        assert!(!text.contains("prove") && !text.contains("proof"), "{text}");
        screen.press("a");
    }
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
fn a_countdown_goes_on_by_itself() {
    let mut screen = waiting_for_people();
    for _ in 0..2 {
        screen.text(80, 24);
        screen.press("<Esc>");
    }
    for left in ["0:41", "0:40", "0:39"] {
        let text = screen.text(80, 24);
        assert!(text.contains(&format!("(vault-04 {left})")), "{text}");
        assert!(
            text.contains(&format!("{left} phone: approve reading the log")),
            "{text}"
        );
        screen.run.wait(1);
    }
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
    for row in seeds() {
        if !["vault-02", "vault-03"].contains(&row.id.as_str()) {
            let notes = Vec::new();
            screen
                .run
                .planned(row.id.as_str(), Verdict::Upgrade { notes });
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
    for row in seeds() {
        screen.run.planned_upgrade(row.id.as_str(), &[]);
    }
    screens("plan_of_an_app", &mut screen, &[(80, 24), (120, 30)]);
    let mut screen = TestScreen::of(Mode::Confirm, seeds(), both());
    for row in seeds() {
        screen.run.planned_upgrade(row.id.as_str(), &[]);
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
fn a_silence_that_is_longer_than_usual_is_said() {
    let mut screen = running();
    screen.run.wait(120);
    let text = screen.text(120, 20);
    let line = text.lines().find(|l| l.contains("vault-04")).unwrap();
    assert!(
        line.contains("2:13, longer than the usual 1:00 · connection refu"),
        "{line}"
    );
}

#[test]
fn only_the_sixteen_colours_and_no_reversed_video() {
    let mut screen = running();
    screen.press("?");
    for mut screen in [
        screen,
        running(),
        plan(),
        finished(),
        audited(),
        waiting_for_people(),
        staged(),
    ] {
        for cell in &screen.buffer(200, 50).content {
            for colour in [cell.fg, cell.bg] {
                assert!(
                    !matches!(colour, Color::Rgb(..) | Color::Indexed(_)),
                    "{colour:?}"
                );
            }
            assert!(!cell.modifier.contains(Modifier::REVERSED));
            assert!(
                !cell
                    .modifier
                    .intersects(Modifier::SLOW_BLINK | Modifier::RAPID_BLINK)
            );
        }
    }
}

#[test]
fn only_upgraded_devices_are_green() {
    let mut screen = finished();
    screen.ui.detail = crate::tui::layout::PaneChoice::Off;
    let buffer = screen.buffer(120, 24);
    for y in 3..23 {
        let line: String = (0..120).map(|x| buffer[(x, y)].symbol()).collect();
        let green = (0..120).any(|x| buffer[(x, y)].fg == Color::Green);
        assert_eq!(green, line.contains("upgraded"), "{line}");
    }
}

#[test]
fn ten_thousand_devices_are_drawn_and_walked_through() {
    let seeds = (0..10_000).map(|n| crate::engine::DeviceSeed {
        id: crate::model::DeviceId::new(&format!("d{n}")),
        group: None,
        tags: Vec::new(),
        link: crate::model::LinkTrust::Ca,
        credentials: crate::model::Credentials::Login,
    });
    let mut screen = TestScreen::new(Mode::Go, seeds.collect());
    screen.press("G");
    assert!(screen.text(80, 24).contains("▸… d9999"));
    screen.press("g<PgDn>");
    // A page down from the first of 19 rows: the last of them leads the next page's first.
    assert!(screen.text(80, 24).contains("▸"));
}

fn any_screen() -> impl Strategy<Value = (usize, Vec<&'static str>)> {
    let keys = prop::sample::select(vec![
        "<Up>", "<Down>", "<PgUp>", "<PgDn>", "g", "G", "<Enter>", "<Esc>", "r", "R", "c", "C",
        "y", "n", "l", "/", "s", "?", "q", "<C-c>", "1", "9", "<Back>", "ż", "a", "p",
    ]);
    (0..8_usize, prop::collection::vec(keys, 0..12))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_size_no_state_and_no_keys_panic(
        (which, keys) in any_screen(),
        sizes in prop::collection::vec((1..220_u16, 1..70_u16), 1..5),
        small in (1..50_u16, 1..14_u16),
        ascii: bool,
    ) {
        let mut screen = match which {
            0 => plan(),
            1 => running(),
            2 => finished(),
            3 => audited(),
            4 => waiting_for_people(),
            5 => staged(),
            6 => TestScreen::of(Mode::Confirm, seeds(), app_only()),
            _ => TestScreen::new(Mode::Confirm, seeds()),
        };
        screen.theme.ascii = ascii;
        for key in keys {
            screen.press(key);
            for (width, height) in sizes.iter().copied().chain([small]) {
                screen.buffer(width, height);
            }
        }
        screen.buffer(1, 1);
    }
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
