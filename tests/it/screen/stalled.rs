//! Terminals that take no output, that claim odd sizes, or that send more input at once than anybody types.

use super::tty::Tty;
use super::{SCENARIO, rebooting};

/// Makes frames until the terminal holds no more: nobody reads them any longer.
fn stall(tty: &mut Tty) {
    tty.pause(true);
    for _ in 0..40 {
        // Another size each time, so that each frame is a whole one; and a key, which is drawn at once.
        tty.pretend(200, 60);
        tty.press("s");
        tty.pretend(190, 60);
        tty.press("s");
        // Taken in one by one, and not as one burst: the log has a line when the fleet hears of something.
        tty.pause_briefly();
    }
}

#[test]
fn a_terminal_that_nobody_reads_holds_nothing_up_and_shows_all_once_it_is_read() {
    let mut tty = Tty::demo(&rebooting("8s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot", "normal until"]);
    stall(&mut tty);
    tty.wait_for_log("gone-1: UPGRADED");
    // The next frame is a whole one: nothing of the old ones is left in it.
    tty.pretend(80, 24);
    tty.pause(false);
    tty.wait_for_line(&["gone-1", "upgraded", "proven: rebooted, signature matches"]);
    tty.wait_for_line(&["OVER", "1 device needs a look"]);
    tty.press("q");
    tty.end();
}

#[test]
fn a_signal_ends_the_dashboard_of_a_terminal_that_nobody_reads() {
    let mut tty = Tty::demo(&rebooting("1s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot"]);
    stall(&mut tty);
    tty.wait_for_log("gone-1: UPGRADED");
    tty.signal("TERM");
    assert_eq!(tty.end_unread(), 130);
    tty.pause(false);
    tty.wait("the normal screen", |s| {
        !s.alternate_screen() && !s.hide_cursor()
    });
}

#[test]
fn a_key_whose_escape_sequence_is_not_whole_holds_nothing_up() {
    let mut tty = Tty::demo(&rebooting("2s"), 80, 24);
    tty.wait_for_line(&["gone-1", "reboot"]);
    // The beginning of a paste, as where a slow line breaks off.
    tty.press("\x1b[200~half");
    tty.wait_for_line(&["gone-1", "upgraded"]);
    tty.press("\x1b[201~q");
    tty.end();
}

#[test]
fn a_huge_terminal_is_drawn_within_bounds() {
    let mut tty = Tty::demo(SCENARIO, 80, 24);
    tty.wait_for_line(&["OVER", "1 device needs a look"]);
    tty.pretend(u16::MAX, u16::MAX);
    tty.press("?");
    // Drawn, if not where this screen here has room for it.
    tty.wait_until("the help", || tty.output().contains("unproven"));
    tty.press("\x1b");
    tty.pretend(80, 24);
    tty.wait_for_line(&["refused-1", "406"]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", tty.id())).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    // Where there is no /proc, that it still runs has to do.
    if let Some(peak) = peak {
        let kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib < 400_000, "{kib} KiB");
    }
    tty.press("q");
    tty.end();
}

#[test]
fn a_huge_paste_into_the_filter_is_cut_and_said_to_be() {
    let mut tty = Tty::demo(SCENARIO, 80, 24);
    tty.wait_for_line(&["OVER", "1 device needs a look"]);
    let paste = "x".repeat(200_000);
    // Bracketed, as most terminals do it.
    tty.press("/");
    tty.press(&format!("\x1b[200~{paste}\x1b[201~"));
    tty.wait_for("the filter is full: the rest is left out");
    tty.press("\x1b");
    tty.wait_for_line(&["ok-1", "upgraded"]);
    // As keys.
    tty.press("/");
    tty.press(&paste);
    tty.wait_for("the filter is full: the rest is left out");
    tty.press("\x1b");
    tty.wait_for_line(&["ok-1", "upgraded"]);
    tty.press("q");
    tty.end();
}
