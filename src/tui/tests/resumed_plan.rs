//! The plan of a run that another process goes on with, and the signs that stand on a plan.

use super::{names, notice, selected};
use crate::engine::Intent;
use crate::tui::fixtures::{TestScreen, plan, resumed};
use crate::tui::ui::on_plan;

fn line(screen: &mut TestScreen, size: (u16, u16), what: &str) -> String {
    let text = screen.text(size.0, size.1);
    let line = text.lines().find(|line| line.contains(what));
    line.unwrap_or_else(|| panic!("no {what} in\n{text}"))
        .to_owned()
}

#[test]
fn it_says_that_it_is_one_and_how_many_were_finished_before() {
    for size in [(60, 20), (80, 24), (110, 30)] {
        let mut screen = resumed();
        let header = line(&mut screen, size, "hemfleet");
        assert!(header.contains(" resume "), "{header}");
        let counts = line(&mut screen, size, "will be upgraded");
        assert!(
            counts.contains("8 will be upgraded, 4 finished before."),
            "{counts}"
        );
        let header = line(&mut plan(), size, "hemfleet");
        assert!(header.contains(" plan "), "{header}");
    }
}

#[test]
fn how_devices_ended_can_be_read() {
    for size in [(60, 24), (80, 24), (110, 30)] {
        let mut screen = resumed();
        screen.press("G");
        let row = line(&mut screen, size, "vault-05");
        assert!(row.contains(" upgraded "), "{row}");
        let row = line(&mut screen, size, "vault-03");
        assert!(row.contains(" rolled back "), "{row}");
    }
}

#[test]
fn what_is_to_be_done_stands_above_what_is_finished_until_it_begins() {
    let mut screen = resumed();
    screen.text(80, 24);
    let finished = ["vault-01", "vault-02", "vault-03", "vault-05"];
    assert_eq!(names(&screen)[8..], finished);
    assert_eq!(selected(&screen), "rack-c1");
    let title = line(&mut screen, (80, 24), "Devices");
    assert!(title.contains("by inventory, finished last"), "{title}");
    screen.press("8<Enter>");
    assert_eq!(notice(&screen), "");
    assert!(!on_plan(&screen.run.fleet));
    screen.text(80, 24);
    assert_eq!(names(&screen)[..3], ["vault-01", "rack-c1", "vault-02"]);
    let title = line(&mut screen, (80, 24), "Devices");
    assert!(title.contains("by inventory ─"), "{title}");
}

#[test]
fn the_legend_is_that_of_the_plan() {
    let legend = |mut screen: TestScreen| {
        screen.press("?");
        screen.text(80, 40)
    };
    let text = legend(plan());
    for sign in [
        "● upgrade",
        "▼ downgrade",
        "? watch",
        "= current",
        "– skip",
        "✖ cannot",
        "– out",
        "● looking",
        "◌ waiting",
    ] {
        assert!(text.contains(sign), "{sign}: {text}");
    }
    for sign in ["● running", "? unknown", "confirmed", "rolled back"] {
        assert!(!text.contains(sign), "{sign}: {text}");
    }
    let text = legend(resumed());
    assert!(
        text.contains("↺ rolled back") && text.contains("✔ upgraded"),
        "{text}"
    );
    let mut screen = resumed();
    screen.run.intend(Intent::Confirm);
    assert!(legend(screen).contains("● running"));
}
