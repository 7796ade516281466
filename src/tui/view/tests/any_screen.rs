//! What holds for every screen, whatever its size, its state and the keys that were pressed.

use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use crate::engine::Mode;
use crate::model::{Outcome, Stage, Unproven};
use crate::tui::fixtures::{
    TestScreen, app_only, audited, finished, log_contradicts, plan, running, seeds, staged,
    waiting_for_people,
};

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
    for (n, seed) in seeds().iter().enumerate() {
        let name = seed.id.as_str();
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
                    !has(Color::Yellow, true) || line.contains('!') || line.contains("weak"),
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
fn a_silence_that_is_longer_than_usual_is_said() {
    let mut screen = running();
    screen.run.wait(120);
    let text = screen.text(120, 20);
    let line = text.lines().find(|l| l.contains("vault-04")).unwrap();
    assert!(
        line.contains("silent 2:13, longer than the usual 1:00"),
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
        earlier: None,
        refused: None,
    });
    let mut screen = TestScreen::new(Mode::Go, seeds.collect());
    screen.press("G");
    assert!(screen.text(80, 24).contains("▸◌ d9999"));
    screen.press("g<PgDn>");
    // A page down from the first of 19 rows: the last of them leads the next page's first.
    assert!(screen.text(80, 24).contains("▸"));
}

fn any_screen() -> impl Strategy<Value = (usize, Vec<&'static str>)> {
    let keys = prop::sample::select(vec![
        "<Up>", "<Down>", "<PgUp>", "<PgDn>", "g", "G", "<Enter>", "<Esc>", "r", "R", "c", "C",
        "y", "n", "N", "l", "/", "s", "S", "?", "q", "<C-c>", "1", "9", "<Back>", "ż", "a", "p",
        " ", "*", "f", "m", "<Left>", "<Right>", ":",
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
