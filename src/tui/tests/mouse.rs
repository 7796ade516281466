//! The wheel and presses of the mouse.

use ratatui::crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};

use super::selected;
use crate::engine::Mode;
use crate::engine::fixtures::{firmware, numbered};
use crate::tui::fixtures::{MB, TestScreen, plan, two_hundred_over};
use crate::tui::ui::Popup;

const PRESS: MouseEventKind = MouseEventKind::Down(MouseButton::Left);

fn fleet(devices: usize) -> TestScreen {
    let mut screen = TestScreen::of(Mode::Go, numbered(devices), firmware(3 * MB));
    screen.text(80, 24);
    screen
}

fn at(screen: &mut TestScreen, kind: MouseEventKind, row: u16) {
    let event = MouseEvent {
        kind,
        column: 10,
        row,
        modifiers: KeyModifiers::NONE,
    };
    screen.ui.mouse(event, &screen.run.fleet);
}

#[test]
fn a_press_selects_the_device_under_it_also_in_a_table_that_is_scrolled() {
    let mut screen = fleet(60);
    let line_of = |screen: &mut TestScreen, name: &str| {
        let text = screen.text(80, 24);
        let line = text.lines().position(|line| line.contains(name));
        u16::try_from(line.unwrap()).unwrap()
    };
    let row = line_of(&mut screen, "vault-04");
    at(&mut screen, PRESS, row);
    assert_eq!(selected(&screen), "vault-04");
    screen.press("G");
    let row = line_of(&mut screen, "vault-50");
    at(&mut screen, PRESS, row);
    assert_eq!(selected(&screen), "vault-50");
    // Head, title and footer are no devices.
    for row in [0, 1, 2, 3, 23] {
        at(&mut screen, PRESS, row);
        assert_eq!(selected(&screen), "vault-50", "line {row}");
    }
}

#[test]
fn the_wheel_moves_the_selection_and_scrolls_the_help() {
    let mut screen = fleet(60);
    at(&mut screen, MouseEventKind::ScrollDown, 10);
    assert_eq!(selected(&screen), "vault-04");
    at(&mut screen, MouseEventKind::ScrollUp, 10);
    assert_eq!(selected(&screen), "vault-01");
    screen.press("?");
    at(&mut screen, MouseEventKind::ScrollDown, 10);
    assert_eq!(
        (selected(&screen).as_str(), screen.ui.scroll),
        ("vault-01", 3)
    );
}

#[test]
fn a_question_cannot_be_pressed_or_scrolled_away() {
    let mut screen = fleet(60);
    screen.press("q");
    for kind in [PRESS, MouseEventKind::ScrollDown] {
        at(&mut screen, kind, 10);
        assert_eq!(screen.ui.popup, Some(Popup::Quit));
        assert_eq!(selected(&screen), "vault-01");
    }
}

#[test]
fn on_the_plan_a_press_selects_as_well() {
    let mut screen = plan();
    let text = screen.text(120, 34);
    let line = text.lines().position(|line| line.contains("vault-05"));
    at(&mut screen, PRESS, u16::try_from(line.unwrap()).unwrap());
    assert_eq!(selected(&screen), "vault-05");
}

#[test]
fn on_the_map_and_among_the_failures_the_wheel_moves_the_cursor_and_a_press_does_nothing() {
    for board in ["mg", "fg", "m/waw", "f/waw"] {
        let mut screen = two_hundred_over();
        screen.press(board);
        let cursor = |screen: &TestScreen| (screen.ui.cursor, screen.ui.failures.list.cursor);
        screen.text(80, 24);
        let begin = cursor(&screen);
        for row in 0..24 {
            at(&mut screen, PRESS, row);
            assert_eq!(cursor(&screen), begin, "{board}: line {row}");
        }
        at(&mut screen, MouseEventKind::ScrollDown, 10);
        assert_ne!(cursor(&screen), begin, "{board}");
        at(&mut screen, MouseEventKind::ScrollUp, 10);
        assert_eq!(cursor(&screen), begin, "{board}");
    }
}
