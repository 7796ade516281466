//! Two hundred devices with long names: what can be read, and what can be told apart.

use std::collections::HashSet;

use super::screens;
use crate::tui::fixtures::{
    TestScreen, two_hundred_over, two_hundred_planned, two_hundred_running,
};

const SIZES: [(u16, u16); 4] = [(60, 24), (80, 24), (120, 40), (200, 50)];

#[test]
fn the_plan_of_two_hundred() {
    screens("two_hundred_planned", &mut two_hundred_planned(), &SIZES);
}

#[test]
fn two_hundred_under_way() {
    let mut screen = two_hundred_running();
    screens("two_hundred_running", &mut screen, &SIZES);
    screen.press("G");
    screens(
        "two_hundred_at_the_end",
        &mut screen,
        &[(50, 24), (120, 40)],
    );
    screen.theme.ascii = true;
    screens("two_hundred_ascii", &mut screen, &[(80, 24), (120, 40)]);
}

#[test]
fn two_hundred_that_are_over() {
    let mut screen = two_hundred_over();
    screens("two_hundred_over", &mut screen, &SIZES);
    screen.select("payments-prod-hsms-waw-r01-u06");
    screen.press("<Enter>");
    screens(
        "two_hundred_detail",
        &mut screen,
        &[(60, 24), (80, 24), (120, 40)],
    );
}

/// The rows of the table, from its first device to its last.
fn all_rows(screen: &mut TestScreen, width: u16, height: u16) -> Vec<String> {
    let mut rows = vec![String::new(); screen.run.fleet.devices().len()];
    screen.press("g");
    loop {
        let buffer = screen.buffer(width, height);
        let table = screen.ui.areas(&screen.run.fleet).table;
        for (place, y) in (screen.ui.top..rows.len()).zip(table.y + 2..table.bottom()) {
            rows[place] = (0..width).map(|x| buffer[(x, y)].symbol()).collect();
        }
        if screen.ui.cursor + 1 == rows.len() {
            return rows;
        }
        screen.press("<PgDn>");
    }
}

#[test]
fn every_device_has_a_row_and_a_name_of_its_own_on_every_screen() {
    for mut screen in [two_hundred_planned(), two_hundred_over()] {
        for (width, height) in [(40, 10), (60, 20), (80, 24), (120, 40), (200, 50)] {
            let rows = all_rows(&mut screen, width, height);
            let name = screen.ui.inventory.names.width();
            let names = rows.iter().map(|row| row.chars().skip(3).take(name));
            let names: HashSet<String> = names.map(Iterator::collect).collect();
            assert_eq!(names.len(), 200, "{width}x{height}");
        }
    }
}

#[test]
fn reasons_can_be_read_beside_long_names() {
    let mut screen = two_hundred_over();
    for (width, reasons) in [
        (
            120,
            [
                "406: the device refused the image",
                "401: the device does not accept this secret",
            ],
        ),
        (
            80,
            [
                "406: the device refused the image",
                "401: the device does not accept",
            ],
        ),
        (50, ["check: 406: the device", "login: 401: the device"]),
    ] {
        let rows = all_rows(&mut screen, width, 40);
        for (row, reason) in [&rows[5], &rows[31]].into_iter().zip(reasons) {
            assert!(row.contains(reason), "{row}");
        }
    }
}

#[test]
fn the_last_row_is_never_hidden() {
    let mut screen = two_hundred_over();
    for keys in ["G", "<Enter>", "l", "l", "<Esc>"] {
        screen.press(keys);
        screen.press("G");
        for (width, height) in [(40, 10), (80, 24), (120, 30), (200, 50)] {
            let text = screen.text(width, height);
            let zoomed = screen.ui.zoom.is_some();
            let last = text
                .lines()
                .any(|line| line.contains('▸') && line.contains("r05-u10"));
            assert!(zoomed || last, "{text}");
        }
    }
}

#[test]
fn the_scroll_mark_is_there_where_rows_are_hidden_and_at_the_end_at_both_ends() {
    let mut screen = two_hundred_over();
    let marked = |screen: &mut TestScreen| -> Vec<u16> {
        let buffer = screen.buffer(80, 24);
        (0..24)
            .filter(|y| buffer[(79, *y)].symbol() == "▐")
            .collect()
    };
    let rows = {
        screen.buffer(80, 24);
        screen.ui.areas(&screen.run.fleet).table
    };
    let (first, last) = (rows.y + 2, rows.y + rows.height - 1);
    assert_eq!(marked(&mut screen).first(), Some(&first));
    screen.press("j");
    assert_eq!(marked(&mut screen).first(), Some(&first));
    screen.press("G");
    assert_eq!(marked(&mut screen).last(), Some(&last));
    screen.press("/r01-u01<Enter>");
    assert!(marked(&mut screen).is_empty());
}

#[test]
fn each_count_has_its_word_at_eighty_columns() {
    for mut screen in [two_hundred_running(), two_hundred_over()] {
        let text = screen.text(80, 24);
        let counts = text.lines().nth(1).unwrap();
        for word in ["upgraded", "failed", "rolled back", "current"] {
            assert!(counts.contains(word), "{counts}");
        }
    }
}

#[test]
fn one_line_says_what_to_press_whatever_waits_for_an_answer() {
    let mut screen = two_hundred_running();
    assert!(screen.text(39, 5).contains(" q quit|"));
    screen.press("q");
    assert!(screen.text(39, 5).contains(" y yes, n no|"));
    screen.press("n?");
    assert!(screen.text(100, 3).contains(" Esc back|"));
    assert!(
        two_hundred_planned()
            .text(39, 5)
            .contains("plan: upgrades 175/200")
    );
}
