//! What went wrong, by reason: the list, its cursor, and what its keys do to a whole group.

use crate::engine::Intent;
use crate::model::{DeviceId, FailureKind, Stage, Touched};

use super::{intents, notice, selected};
use crate::tui::fixtures::{TestScreen, audited, finished, running, two_hundred_over};
use crate::tui::layout::Zoom;
use crate::tui::ui::{Board, Effect};

fn line_with<'t>(text: &'t str, what: &str) -> &'t str {
    let line = text.lines().find(|line| line.contains(what));
    line.unwrap_or_else(|| panic!("no line with {what}:\n{text}"))
}

#[test]
fn one_key_groups_what_went_wrong_and_says_how_many_where_why_and_what_to_do() {
    let mut screen = two_hundred_over();
    screen.press("f");
    let text = screen.text(120, 40);
    let title = line_with(&text, "What went wrong");
    assert!(title.contains("40 devices, 6 reasons"), "{title}");
    let first = line_with(&text, "▸▷");
    assert!(
        first.contains("16 × ✖ failed at probe: connection refused by …"),
        "{first}"
    );
    assert!(text.contains("→ Is the device plugged in"), "{text}");
    assert!(text.contains(" 2 × ↺ rolled back at verify"), "{text}");
    // What ended well is not there.
    assert!(!text.contains("proven"), "{text}");
}

#[test]
fn a_good_end_that_a_log_contradicts_does_not_look_good_here() {
    let mut screen = audited();
    screen.press("f");
    let text = screen.text(120, 40);
    assert!(
        text.contains(" × ≠ upgraded at audit: the log contradicts"),
        "{text}"
    );
}

#[test]
fn a_second_press_of_retry_does_not_hit_the_next_device() {
    let mut screen = two_hundred_over();
    screen.press("f<Enter>jj");
    let device = Intent::Retry(DeviceId::new("payments-prod-hsms-waw-r02-u04"));
    assert_eq!(intents(&screen.press("r")), [&device]);
    // The device has left the list: the cursor is on its reason, and that asks.
    assert_eq!(screen.press("r"), []);
    let text = screen.text(80, 24);
    assert!(text.contains("Retry 15 of 15 with this reason?"), "{text}");
}

#[test]
fn a_reason_opens_to_its_devices_and_a_device_to_its_detail_and_escape_goes_back() {
    let mut screen = two_hundred_over();
    screen.press("f<Enter>jj");
    assert_eq!(selected(&screen), "payments-prod-hsms-waw-r02-u04");
    let text = screen.text(80, 24);
    let line = line_with(&text, "waw-r02-u04");
    assert!(
        line.contains("▸") && line.contains("connection refused by 10.4."),
        "{line}"
    );
    screen.press("<Enter>");
    assert_eq!(screen.ui.zoom, Some(Zoom::Detail));
    assert!(
        screen
            .text(80, 24)
            .contains("payments-prod-hsms-waw-r02-u04 ·")
    );
    screen.press("<Esc>");
    assert_eq!((screen.ui.zoom, screen.ui.board), (None, Board::Failures));
    screen.press("<Esc>");
    assert_eq!(screen.ui.board, Board::Table);
    // The device stays selected.
    assert_eq!(selected(&screen), "payments-prod-hsms-waw-r02-u04");
}

#[test]
fn the_cursor_is_always_on_the_screen() {
    let mut screen = two_hundred_over();
    screen.press("f<Enter>");
    for keys in ["j", "<PgDn>", "G", "k", "<PgUp>", "g"] {
        for _ in 0..8 {
            screen.press(keys);
            for (width, height) in [(40, 10), (80, 24)] {
                let text = screen.text(width, height);
                assert!(text.contains('▸'), "{keys}\n{text}");
            }
        }
    }
}

#[test]
fn a_retry_acts_on_the_group_after_asking() {
    let mut screen = finished();
    screen.press("f");
    let text = screen.text(80, 24);
    let lines = text.lines().filter(|line| line.contains(" × ")).count();
    let check = (0..lines).find(|_| {
        let text = screen.text(80, 24);
        let found = line_with(&text, "▸").contains("failed at check");
        if !found {
            screen.press("j");
        }
        found
    });
    assert!(check.is_some());
    assert_eq!(screen.press("r"), []);
    let text = screen.text(80, 24);
    assert!(text.contains("Retry 1 of 1 with this reason?"), "{text}");
    let all = Intent::RetryAll(vec![DeviceId::new("vault-05")]);
    assert_eq!(intents(&screen.press("y")), [&all]);
}

/// Goes to the reason with these words.
fn to_reason(screen: &mut TestScreen, words: &str) {
    screen.press("fg");
    while !line_with(&screen.text(120, 60), "▸").contains(words) {
        screen.press("j");
    }
}

#[test]
fn what_bootloaders_refused_is_included_where_just_that_was_chosen() {
    let mut screen = finished();
    to_reason(&mut screen, "rolled back");
    let all = Intent::RetryAll(vec![DeviceId::new("vault-03")]);
    assert_eq!(intents(&screen.press("ry")), [&all]);
}

#[test]
fn a_device_below_its_reason_is_retried_alone() {
    let mut screen = two_hundred_over();
    screen.press("f<Enter>jj");
    let one = Intent::Retry(DeviceId::new("payments-prod-hsms-waw-r02-u04"));
    assert_eq!(intents(&screen.press("r")), [&one]);
}

#[test]
fn a_group_is_copied_with_hint_and_names_and_marked_as_a_whole() {
    let mut screen = two_hundred_over();
    screen.press("f");
    let Some(Effect::Copy(text)) = screen.press("y").pop() else {
        panic!("nothing copied");
    };
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "16 failed at probe: connection refused by …");
    assert!(lines[1].starts_with("Is the device plugged in"), "{text}");
    assert_eq!(lines[2], "  payments-prod-hsms-waw-r02-u03");
    assert_eq!(lines.len(), 18);
    assert!(notice(&screen).starts_with("16 devices: "));
    screen.press(" ");
    assert_eq!(screen.ui.marks.len(), 16);
    screen.press(" ");
    assert_eq!(screen.ui.marks.len(), 0);
}

#[test]
fn the_list_follows_the_filter_and_the_cursor_its_reason() {
    let mut screen = running();
    screen.press("f");
    assert_eq!(screen.ui.board, Board::Failures);
    assert!(line_with(&screen.text(80, 24), "▸").contains("406"));
    // Two more of another reason come before it, and the cursor stays where it was.
    for name in ["vault-06", "vault-07"] {
        screen.run.fail(
            name,
            Stage::Login,
            FailureKind::WrongSecret,
            Touched::Nothing,
        );
    }
    let text = screen.text(80, 24);
    assert!(line_with(&text, "▸").contains("406"), "{text}");
    assert!(
        line_with(&text, " × ").contains("2 × ✖ failed at login"),
        "{text}"
    );
    screen.press("/401<Enter>");
    let text = screen.text(80, 24);
    assert!(
        text.contains("2 devices, 1 reason") && !text.contains("406"),
        "{text}"
    );
    screen.press("<Esc><Esc>");
    assert_eq!(
        (screen.ui.board, screen.ui.filter.value()),
        (Board::Table, "")
    );
}

#[test]
fn where_nothing_went_wrong_the_key_says_so() {
    let mut screen = running();
    screen.press("/warsaw<Enter>f");
    assert_eq!(screen.ui.board, Board::Table);
    assert_eq!(
        notice(&screen),
        "nothing went wrong among the devices shown"
    );
}
