//! The fleet map: how much of a fleet it shows, how its cursor moves, and that every key acts on the cursor's device.

use crate::engine::{DeviceSeed, Intent, Mode};
use crate::model::{Credentials, DeviceId, LinkTrust};

use super::{intents, selected};
use crate::tui::fixtures::{TestScreen, audited, finished, two_hundred_over};
use crate::tui::layout::Zoom;
use crate::tui::ui::Board;

fn many(devices: usize) -> TestScreen {
    let seeds = (0..devices).map(|n| DeviceSeed {
        id: DeviceId::new(&format!("hsm-{n:04}")),
        group: Some(format!("site-{}", n % 4)),
        tags: Vec::new(),
        link: LinkTrust::Ca,
        credentials: Credentials::Login,
        earlier: None,
        refused: None,
    });
    TestScreen::new(Mode::Go, seeds.collect())
}

fn cells(text: &str) -> usize {
    let lines = text.lines().filter(|line| !line.contains("waiting"));
    lines.map(|line| line.matches(['●', '◌']).count()).sum()
}

#[test]
fn five_hundred_devices_are_on_one_small_screen() {
    let mut screen = many(500);
    screen.press("m");
    let text = screen.text(80, 24);
    // The header has two of the signs in its counts.
    assert!(
        (500..=503).contains(&cells(&text)),
        "{}\n{text}",
        cells(&text)
    );
    for group in ["site-0", "site-3"] {
        assert_eq!(text.matches(group).count(), 1, "{text}");
    }
    let mut screen = many(2000);
    screen.press("mG");
    let text = screen.text(80, 24);
    assert!(text.contains("hsm-1999"), "{text}");
    assert!(
        text.contains("site-3") && !text.contains("site-0"),
        "it scrolls:\n{text}"
    );
}

#[test]
fn the_cursor_moves_in_two_dimensions_and_its_device_is_spelled_out() {
    let mut screen = many(200);
    screen.text(80, 24);
    screen.press("m");
    assert_eq!(selected(&screen), "hsm-0000");
    screen.press("<Right><Right>");
    assert_eq!(
        selected(&screen),
        "hsm-0008",
        "every fourth is in the first group"
    );
    screen.press("<Left>");
    assert_eq!(selected(&screen), "hsm-0004");
    // Below: the second line of the first group, then the second group.
    screen.press("<Down><Down>");
    assert_eq!(selected(&screen), "hsm-0005");
    screen.press("<Up><Up><Up>");
    assert_eq!(selected(&screen), "hsm-0004");
    screen.press("G");
    assert_eq!(selected(&screen), "hsm-0199");
    screen.press("<Right><Down>");
    assert_eq!(selected(&screen), "hsm-0199");
    screen.press("g<Left>");
    assert_eq!(selected(&screen), "hsm-0000");
    let text = screen.text(80, 24);
    let last = text.lines().nth(22).unwrap();
    assert!(
        last.contains("▸●") && last.contains("hsm-0000  starting"),
        "{last}"
    );
}

#[test]
fn keys_act_on_the_device_under_the_cursor_and_escape_goes_back_to_the_table() {
    let mut screen = finished();
    screen.press("mg");
    while selected(&screen) != "vault-05" {
        screen.press("n");
    }
    let text = screen.text(80, 24);
    let last = text.lines().nth(22).unwrap();
    assert!(last.contains("vault-05  failed at check  406"), "{last}");
    screen.press("<Enter>");
    assert_eq!(screen.ui.zoom, Some(Zoom::Detail));
    screen.press("<Esc>");
    assert_eq!((screen.ui.zoom, screen.ui.board), (None, Board::Map));
    screen.press(" ");
    assert_eq!(screen.ui.marks.len(), 1);
    assert!(screen.text(80, 24).contains("1 marked"));
    screen.press("<Esc>");
    assert_eq!((screen.ui.marks.len(), screen.ui.board), (0, Board::Map));
    screen.press("<Esc>");
    assert_eq!(screen.ui.board, Board::Table);
    screen.press("mm");
    assert_eq!(screen.ui.board, Board::Table);
    screen.select("vault-05");
    let retry = Intent::Retry(DeviceId::new("vault-05"));
    assert_eq!(intents(&screen.press("mr")), [&retry]);
}

#[test]
fn marks_and_filter_show_on_the_map() {
    let mut screen = two_hundred_over();
    screen.press("/code:connection_refused<Enter>m* ");
    let text = screen.text(80, 24);
    assert!(
        text.contains("filter: code:connection_refused") && text.contains("15 marked"),
        "{text}"
    );
    assert!(text.contains("•✖•✖"), "{text}");
    assert!(!text.contains("✔ ✔"), "{text}");
}

#[test]
fn where_cells_have_no_room_for_a_mark_it_is_underlined() {
    let mut screen = many(1200);
    screen.press("m ");
    let buffer = screen.buffer(80, 24);
    let underlined = buffer
        .content
        .iter()
        .filter(|cell| cell.modifier.contains(ratatui::style::Modifier::UNDERLINED));
    assert_eq!(underlined.count(), 1);
}

#[test]
fn an_upgraded_device_whose_log_contradicts_is_no_green_sign_among_others() {
    let mut screen = audited();
    screen.press("m");
    let text = screen.text(80, 24);
    let cells: String = text.lines().skip(3).take(19).collect();
    assert_eq!(cells.matches('≠').count(), 2, "{text}");
    screen.press("n");
    let text = screen.text(80, 24);
    let mut lines = text.lines();
    assert!(
        lines.any(|line| line.contains("▸≠ ") && line.contains("upgraded  LOG CONTRADICTS")),
        "{text}"
    );
}
