//! The screen as people see it, at the sizes that matter.

use insta::assert_snapshot;
use proptest::prelude::*;
use ratatui::style::{Color, Modifier};

use crate::engine::{Intent, Mode};
use crate::model::{FailureKind, Outcome, Skip, Stage, Unproven, Verdict};
use crate::tui::fixtures::{
    Rig, app_only, audited, both, expired, finished, people, plan, running, seeds, staged, windowed,
};
use crate::tui::tests::ui::bad_image;

macro_rules! screens {
    ($name:literal, $rig:expr, $($width:literal x $height:literal),+) => {
        $(assert_snapshot!(
            concat!($name, "_", stringify!($width), "x", stringify!($height)),
            $rig.text($width, $height)
        );)+
    };
}

#[test]
fn the_plan() {
    let mut rig = plan();
    screens!("plan", rig, 60 x 20, 80 x 24, 120 x 30, 200 x 30);
    rig.select("vault-09");
    rig.press("7");
    screens!("plan_of_what_cannot", rig, 80 x 24, 120 x 24);
}

#[test]
fn the_plan_with_a_wrong_number() {
    let mut rig = plan();
    rig.press("12<Enter>");
    screens!("plan_wrong_number", rig, 80 x 24);
}

#[test]
fn the_plan_while_devices_are_looked_at() {
    let mut rig = Rig::new(Mode::Confirm, seeds());
    rig.planned("vault-02", expired().into());
    rig.begin("vault-01", crate::model::Stage::Probe);
    screens!("planning", rig, 80 x 24);
}

#[test]
fn a_plan_with_nothing_to_do() {
    let mut rig = Rig::new(Mode::Confirm, seeds());
    for row in seeds() {
        rig.planned(row.id.as_str(), Verdict::Current);
    }
    screens!("plan_nothing_to_do", rig, 80 x 24);
}

#[test]
fn a_run() {
    let mut rig = running();
    screens!("running", rig, 60 x 20, 80 x 24, 120 x 30, 200 x 50);
}

#[test]
fn the_end_of_a_run() {
    let mut rig = finished();
    screens!("finished", rig, 60 x 20, 80 x 24, 120 x 34, 200 x 50);
}

#[test]
fn the_detail_of_a_device() {
    let mut rig = running();
    rig.select("vault-05");
    rig.press("<Enter>");
    screens!("detail", rig, 60 x 24, 80 x 24);
    rig.press("<Enter>");
    screens!("detail_zoomed", rig, 80 x 24);
    rig.press("<Esc>");
    rig.select("vault-03");
    screens!("detail_of_an_insecure_link", rig, 80 x 24);
}

#[test]
fn several_attempts() {
    let mut rig = running();
    rig.select("vault-05");
    rig.press("r");
    // It queues behind vault-11: two places must be free.
    rig.upgraded("vault-09");
    rig.upgraded("vault-10");
    rig.up_to("vault-05", crate::model::Stage::Check);
    rig.begin("vault-05", crate::model::Stage::Check);
    rig.wait(7);
    rig.press("<Enter><Enter>");
    screens!("detail_of_a_second_attempt", rig, 80 x 24);
}

#[test]
fn a_halted_run() {
    let mut rig = bad_image();
    screens!("halted", rig, 40 x 10, 60 x 20, 80 x 24, 120 x 40);
    rig.press("<Esc>");
    screens!("halted_later", rig, 80 x 24, 39 x 5);
    rig.press("bx");
    screens!("halted_for_good", rig, 80 x 24);
}

#[test]
fn retrying_all() {
    let mut rig = finished();
    rig.press("R");
    screens!("retry_all", rig, 40 x 10, 60 x 20, 80 x 24, 120 x 34);
    rig.press("bc");
    screens!("retry_all_but_cancelled", rig, 80 x 24);
}

#[test]
fn the_log() {
    let mut rig = finished();
    rig.press("l");
    screens!("log", rig, 80 x 24, 120 x 40);
    rig.press("l<Up><Up>");
    screens!("log_zoomed", rig, 80 x 24);
}

#[test]
fn what_the_logs_say() {
    let mut rig = audited();
    rig.select("vault-02");
    screens!("audited", rig, 60 x 20, 120 x 35, 200 x 50, 80 x 24);
    rig.press("<Enter>");
    screens!("audited_detail", rig, 60 x 24, 80 x 30, 80 x 24);
    rig.press("<Enter>");
    screens!("audited_detail_zoomed", rig, 80 x 24);
}

#[test]
fn a_log_that_contradicts_needs_a_look_like_a_failure_does() {
    let mut rig = audited();
    for (width, height) in [(60, 20), (80, 24), (120, 35)] {
        let text = rig.text(width, height);
        assert!(text.contains("OVER: 2 devices need a look"), "{text}");
        let header = text.lines().next().unwrap();
        assert!(header.contains("≠ 2"), "{header}");
    }
    // Beside other devices that need one it counts as well, and none twice.
    let mut rig = Rig::new(Mode::Go, seeds());
    for (n, row) in seeds().iter().enumerate() {
        let name = row.id.as_str();
        rig.begin(name, Stage::Audit);
        match n {
            0 | 1 => rig.contradict(name),
            _ => {}
        }
        rig.finish(
            name,
            match n {
                0 | 3 => Outcome::Upgraded,
                1 => Outcome::Lost,
                2 => Outcome::Unproven(Unproven::NoSignature),
                _ => Outcome::Current,
            },
        );
    }
    let text = rig.text(120, 24);
    let wanted = "OVER: 3 devices need a look, 1 by its log (a). r retries the selected";
    assert!(text.contains(wanted), "{text}");
}

#[test]
fn the_entries_of_a_log() {
    let mut rig = audited();
    rig.press("a");
    screens!("log_confirmed", rig, 60 x 20, 80 x 24, 120 x 35);
    rig.press("<Esc>");
    rig.select("vault-02");
    rig.press("a");
    screens!("log_contradicted", rig, 80 x 24);
    rig.press("<Esc>");
    rig.select("vault-04");
    rig.press("a");
    screens!("log_that_does_not_verify", rig, 80 x 24);
    rig.press("<Esc>");
    rig.select("vault-05");
    rig.press("a");
    screens!("log_missing", rig, 80 x 24);
    rig.press("<Esc>");
    rig.select("vault-06");
    rig.press("a");
    screens!("log_unavailable", rig, 80 x 24);
    rig.press("a");
    rig.select("vault-08");
    rig.press("a");
    screens!("log_cut_short", rig, 80 x 24);
    rig.press("a");
    rig.select("vault-07");
    rig.press("a");
    assert!(rig.text(80, 24).contains("Audit log · vault-07"));
}

#[test]
fn of_a_long_log_a_window_is_shown_and_what_is_left_out_is_said() {
    let mut rig = windowed(48, 54);
    rig.select("vault-02");
    rig.press("a");
    screens!("log_window", rig, 80 x 24, 120 x 35);
    rig.press("<Esc><Enter>");
    let text = rig.text(120, 35);
    assert!(text.contains("a shows 7 of the log's 60 entries"), "{text}");
}

#[test]
fn the_entry_in_question_is_scrolled_into_view_wherever_it_stands() {
    let mut rig = audited();
    rig.select("vault-02");
    for (width, height) in [(40, 10), (60, 20), (80, 24), (120, 35), (200, 90)] {
        rig.press("a");
        let text = rig.text(width, height);
        assert!(
            text.lines()
                .any(|l| l.contains("▸") && l.contains("upgrade") && l.contains("61")),
            "{text}"
        );
        rig.press("a");
    }
}

#[test]
fn a_log_that_contradicts_is_loud_but_the_device_stays_green() {
    let mut rig = audited();
    rig.ui.detail = crate::tui::layout::Wish::Off;
    for width in [80, 120] {
        let buffer = rig.buffer(width, 24);
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
    let mut rig = audited();
    for name in [
        "vault-01", "vault-02", "vault-03", "vault-04", "vault-05", "vault-06",
    ] {
        rig.select(name);
        rig.press("a");
        let text = rig.text(120, 60).to_lowercase();
        assert!(!text.contains("prove") && !text.contains("proof"), "{text}");
        rig.press("a");
    }
}

#[test]
fn people_that_are_waited_for() {
    let mut rig = people();
    rig.wait(11);
    screens!("secret", rig, 60 x 20, 80 x 24, 120 x 35);
    rig.press("correct horse");
    screens!("secret_typed", rig, 80 x 24);
    rig.press("<Esc>");
    screens!("secret_of_the_next", rig, 80 x 24);
    rig.press("<Esc>");
    screens!("people", rig, 60 x 20, 120 x 35, 80 x 24);
    rig.select("vault-02");
    rig.press("<Enter>");
    screens!("people_detail", rig, 80 x 24);
    rig.wait(31);
    let text = rig.text(120, 35);
    assert!(text.contains("(vault-04 0:00)"), "{text}");
    screens!("people_tiny", rig, 39 x 5);
}

#[test]
fn a_countdown_goes_on_by_itself() {
    let mut rig = people();
    for _ in 0..2 {
        rig.text(80, 24);
        rig.press("<Esc>");
    }
    for left in ["0:41", "0:40", "0:39"] {
        let text = rig.text(80, 24);
        assert!(text.contains(&format!("(vault-04 {left})")), "{text}");
        assert!(
            text.contains(&format!("{left} phone: approve reading the log")),
            "{text}"
        );
        rig.wait(1);
    }
}

#[test]
fn downgrades() {
    let mut rig = Rig::new(Mode::Confirm, seeds());
    rig.wait(1);
    let kind = FailureKind::Downgrade {
        runs: "1.2.10".to_owned(),
        image: "1.2.3".to_owned(),
    };
    rig.planned("vault-02", kind.into());
    let allowed = Verdict::Downgrade {
        notes: vec!["older than what runs".to_owned()],
        refused: None,
    };
    rig.planned("vault-03", allowed);
    for row in seeds() {
        if !["vault-02", "vault-03"].contains(&row.id.as_str()) {
            let notes = Vec::new();
            rig.planned(row.id.as_str(), Verdict::Upgrade { notes });
        }
    }
    rig.select("vault-02");
    screens!("plan_of_downgrades", rig, 60 x 20, 80 x 24, 120 x 30);
}

#[test]
fn the_management_app() {
    let mut rig = staged();
    screens!("app_and_firmware", rig, 60 x 20, 120 x 35, 80 x 24);
    rig.select("vault-04");
    rig.press("<Enter>");
    screens!("app_and_firmware_detail", rig, 80 x 24);
    let mut rig = Rig::of(Mode::Confirm, seeds(), app_only());
    for row in seeds() {
        rig.planned(row.id.as_str(), Verdict::Upgrade { notes: Vec::new() });
    }
    screens!("plan_of_an_app", rig, 80 x 24, 120 x 30);
    let mut rig = Rig::of(Mode::Confirm, seeds(), both());
    for row in seeds() {
        rig.planned(row.id.as_str(), Verdict::Upgrade { notes: Vec::new() });
    }
    screens!("plan_of_both", rig, 60 x 20, 80 x 24, 160 x 30);
}

#[test]
fn help() {
    let mut rig = running();
    rig.press("?");
    screens!("help", rig, 60 x 20, 80 x 24);
    let mut rig = plan();
    rig.press("?");
    screens!("help_on_the_plan", rig, 80 x 24);
}

#[test]
fn questions() {
    let mut rig = running();
    rig.press("q");
    screens!("quit", rig, 60 x 20, 80 x 24);
    rig.press("n");
    rig.select("vault-02");
    rig.press("c");
    screens!("cancel", rig, 80 x 24);
    rig.press("n");
    rig.select("vault-04");
    rig.press("c");
    screens!("cancel_past_the_install", rig, 80 x 24);
}

#[test]
fn stopping() {
    let mut rig = running();
    rig.intend(Intent::Interrupt);
    screens!("draining", rig, 80 x 24, 120 x 30);
    rig.press("q");
    screens!("quit_while_draining", rig, 80 x 24);
    rig.press("<Esc>");
    rig.intend(Intent::Interrupt);
    screens!("aborting", rig, 80 x 24);
}

#[test]
fn a_filter() {
    let mut rig = running();
    rig.press("/berlin");
    screens!("filter_typing", rig, 80 x 24);
    rig.press("<Enter>");
    screens!("filter", rig, 80 x 24);
    rig.press("/x");
    screens!("filter_without_a_match", rig, 80 x 24);
}

#[test]
fn ascii_without_colours() {
    let mut rig = finished();
    rig.look.ascii = true;
    rig.look.colour = false;
    screens!("ascii", rig, 80 x 24);
    let mut rig = audited();
    rig.look.ascii = true;
    rig.look.colour = false;
    screens!("ascii_audited", rig, 120 x 30);
    let mut rig = running();
    rig.look.ascii = true;
    rig.look.colour = false;
    screens!("ascii_running", rig, 120 x 30);
    let buffer = rig.buffer(120, 30);
    for cell in &buffer.content {
        assert!(cell.symbol().is_ascii(), "{:?}", cell.symbol());
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
    let selected = (0..120).filter(|x| buffer[(*x, 4)].modifier.contains(Modifier::BOLD));
    assert_eq!(selected.count(), 120);
}

#[test]
fn tiny_screens_are_one_line() {
    let mut rig = finished();
    screens!("tiny", rig, 39 x 3, 100 x 2);
    screens!("tiny_plan", plan(), 39 x 5);
    rig.text(1, 1);
    rig.text(0, 0);
}

#[test]
fn a_silence_that_is_longer_than_usual_is_said() {
    let mut rig = running();
    rig.wait(120);
    let text = rig.text(120, 20);
    let line = text.lines().find(|l| l.contains("vault-04")).unwrap();
    assert!(
        line.contains("2:13, longer than the usual 1:00 · connection refu"),
        "{line}"
    );
}

#[test]
fn only_the_sixteen_colours_and_no_reversed_video() {
    let mut rig = running();
    rig.press("?");
    for mut rig in [
        rig,
        running(),
        plan(),
        finished(),
        audited(),
        people(),
        staged(),
    ] {
        for cell in &rig.buffer(200, 50).content {
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
    let mut rig = finished();
    rig.ui.detail = crate::tui::layout::Wish::Off;
    let buffer = rig.buffer(120, 24);
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
    let mut rig = Rig::new(Mode::Go, seeds.collect());
    rig.press("G");
    assert!(rig.text(80, 24).contains("▸… d9999"));
    rig.press("g<PgDn>");
    // A page down from the first of 19 rows: the last of them leads the next page's first.
    assert!(rig.text(80, 24).contains("▸"));
}

fn any_rig() -> impl Strategy<Value = (usize, Vec<&'static str>)> {
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
        (which, keys) in any_rig(),
        sizes in prop::collection::vec((1..220_u16, 1..70_u16), 1..5),
        small in (1..50_u16, 1..14_u16),
        ascii: bool,
    ) {
        let mut rig = match which {
            0 => plan(),
            1 => running(),
            2 => finished(),
            3 => audited(),
            4 => people(),
            5 => staged(),
            6 => Rig::of(Mode::Confirm, seeds(), app_only()),
            _ => Rig::new(Mode::Confirm, seeds()),
        };
        rig.look.ascii = ascii;
        for key in keys {
            rig.press(key);
            for (width, height) in sizes.iter().copied().chain([small]) {
                rig.buffer(width, height);
            }
        }
        rig.buffer(1, 1);
    }
}

#[test]
fn names_in_wide_characters_keep_the_columns() {
    let mut many = seeds();
    many[0].id = crate::model::DeviceId::new("金庫-ワルシャワ-第一");
    many[3].id = crate::model::DeviceId::new("sejf-z-bardzo-długą-nazwą-w-Łodzi");
    let mut rig = Rig::new(Mode::Go, many);
    rig.finish("rack-c1", crate::model::Outcome::Skipped(Skip::Epa));
    rig.fail(
        "vault-04",
        crate::model::Stage::Login,
        FailureKind::WrongSecret,
        crate::model::Touched::Nothing,
    );
    screens!("wide_names", rig, 80 x 24);
}
