//! What a row says: its columns, its strip of stages and its message.

use std::time::Duration;

use ratatui::style::Color;

use crate::engine::fixtures::numbered;
use crate::engine::{Mode, Progress, UsualTimes};
use crate::model::{FailureKind, LinkFault, LinkTrust, Outcome, Stage, Timeouts, Touched};
use crate::tui::fixtures::{
    TestScreen, app_only, audited, finished, running, seeds, staged, two_hundred_over,
    two_hundred_planned, two_hundred_running,
};

fn row(screen: &mut TestScreen, name: &str, width: u16) -> String {
    let text = screen.text(width, 40);
    let line = text.lines().find(|line| line.contains(name));
    line.unwrap_or_else(|| panic!("no {name} in\n{text}"))
        .to_owned()
}

fn heads(screen: &mut TestScreen, width: u16) -> String {
    row(screen, "   NAME", width)
}

#[test]
fn the_strip_says_where_a_device_is_and_where_it_failed() {
    for (name, strip) in [
        ("vault-01", "━━━━━━━─"),
        ("rack-c1", "━───────"),
        ("vault-02", "━━●─────"),
        ("vault-03", "━━━●────"),
        ("vault-04", "━━━━━●──"),
        ("vault-05", "━━━✖────"),
        ("vault-07", "━●──────"),
        ("vault-08", "●───────"),
        ("vault-11", "────────"),
    ] {
        let row = row(&mut running(), name, 120);
        assert!(row.contains(&format!(" {strip} ")), "{row}");
    }
    for (name, strip) in [
        ("vault-03", "━━━━━━↺─"),
        ("vault-04", "━━━━━☠──"),
        ("vault-10", "━━━━━?──"),
    ] {
        let row = row(&mut finished(), name, 120);
        assert!(row.contains(&format!(" {strip} ")), "{row}");
    }
}

#[test]
fn a_log_that_could_not_be_read_takes_nothing_away_from_the_strip() {
    let mut screen = running();
    screen.run.start("vault-03", Stage::Audit, 1);
    screen
        .run
        .stage_done("vault-03", Stage::Verify, 900, 200, "");
    let failure = FailureKind::Link(LinkFault::Refused {
        target: "10.0.0.3:443".to_owned(),
    });
    screen
        .run
        .stage_failed("vault-03", Stage::Audit, 600, failure);
    screen.run.finish("vault-03", Outcome::Upgraded);
    let row = row(&mut screen, "vault-03", 120);
    assert!(row.contains(" ━━━━━━━─ "), "{row}");
}

#[test]
fn the_app_is_part_of_the_upload_unless_it_comes_alone() {
    for name in ["vault-01", "vault-02", "vault-03", "vault-04"] {
        let row = row(&mut staged(), name, 120);
        assert!(row.contains(" ━━●───── "), "{row}");
    }
    let mut alone = TestScreen::of(Mode::Go, seeds(), app_only());
    for (stage, strip) in [
        (Stage::Checkin, "━●──────"),
        (Stage::UploadUi, "━━●─────"),
        (Stage::CheckUi, "━━━●────"),
        (Stage::InstallUi, "━━━━●───"),
        (Stage::VerifyUi, "━━━━━━●─"),
        (Stage::Audit, "━━━━━━━●"),
    ] {
        alone.run.start("vault-01", stage, 1);
        let row = row(&mut alone, "vault-01", 120);
        assert!(row.contains(&format!(" {strip} ")), "{row}");
    }
}

#[test]
fn the_strip_of_a_failure_is_red_where_it_failed_and_nowhere_else() {
    let buffer = running().buffer(120, 24);
    let y = (0..24).find(|y| {
        (0..119).any(|x| buffer[(x, *y)].symbol() == "━" && buffer[(x + 1, *y)].symbol() == "✖")
    });
    let y = y.unwrap();
    let red: String = (5..36)
        .filter(|x| buffer[(*x, y)].fg == Color::Red)
        .map(|x| buffer[(x, y)].symbol())
        .collect();
    assert!(
        red.starts_with('✖') && red[3..].starts_with("check"),
        "{red}"
    );
}

#[test]
fn columns_that_would_say_nothing_are_left_out() {
    let heads_of = |screen: &mut TestScreen| heads(screen, 200);
    let before = heads_of(&mut running());
    assert!(
        before.contains("GROUP") && before.contains("LINK"),
        "{before}"
    );
    assert!(
        !before.contains("AUDIT") && !before.contains("TRY"),
        "{before}"
    );
    assert!(heads_of(&mut audited()).contains("AUDIT"));
    let mut retried = running();
    retried.select("vault-05");
    retried.press("r");
    assert!(heads_of(&mut retried).contains("TRY"));
    let mut alike = seeds();
    for seed in &mut alike {
        seed.group = Some("warsaw".to_owned());
        seed.link = LinkTrust::Ca;
    }
    let alike = heads_of(&mut TestScreen::new(Mode::Go, alike));
    assert!(
        !alike.contains("GROUP") && !alike.contains("LINK"),
        "{alike}"
    );
}

#[test]
fn no_row_says_what_to_press_and_the_detail_does() {
    let mut screen = two_hundred_over();
    let failed = row(&mut screen, "r01-u06", 120);
    assert!(!failed.contains("retry"), "{failed}");
    screen.select("payments-prod-hsms-waw-r01-u06");
    let text = screen.text(120, 40);
    assert!(text.contains("r retries it."), "{text}");
    screen.select("payments-prod-hsms-waw-r01-u01");
    assert!(!screen.text(120, 40).contains("r retries it."));
}

#[test]
fn below_sixty_columns_there_is_the_reason_and_what_it_is_about() {
    let mut screen = running();
    assert!(row(&mut screen, "vault-05", 50).contains(" check: 406: the device refused"));
    assert!(row(&mut screen, "vault-02", 50).contains(" upload: ███"));
    assert!(row(&mut screen, "vault-11", 50).contains(" waiting  "));
    let mut screen = two_hundred_running();
    let row = row(&mut screen, "waw-r01-u06", 50);
    assert!(row.contains("check: 406: the device refuse"), "{row}");
}

#[test]
fn a_check_is_measured_against_what_others_took() {
    let mut screen = two_hundred_running();
    screen.select("payments-prod-hsms-fra-r02-u05");
    screen.buffer(120, 40);
    let row = |screen: &mut TestScreen| {
        let text = screen.text(120, 40);
        text.lines().find(|l| l.contains("▸")).unwrap().to_owned()
    };
    let before = row(&mut screen);
    assert!(
        before.contains("∙  0:") && before.contains(", others took 28"),
        "{before}"
    );
    screen.run.wait(300);
    let long = row(&mut screen);
    assert!(long.contains("▊  5:") || long.contains("█  5:"), "{long}");
    // Nobody has finished one yet: there is nothing to compare with.
    let mut first = TestScreen::new(Mode::Go, seeds());
    first.run.start("vault-01", Stage::Check, 1);
    let polls = Progress::Polls {
        polls: 3,
        status: 202,
    };
    first.run.progress("vault-01", Stage::Check, polls);
    first.run.wait(9);
    assert!(row(&mut first).contains("202 · poll 3 · 0:09, limit 10:00"));
}

#[test]
fn where_there_is_room_a_check_shows_its_limit_and_one_that_takes_longer_than_others_is_a_warning()
{
    let timeouts = Timeouts {
        check: Duration::from_secs(90),
        ..Timeouts::default()
    };
    let mut screen = running();
    screen.run.limit(&timeouts);
    let check = |screen: &mut TestScreen| {
        let buffer = screen.buffer(200, 50);
        let mut cells = (0..50).flat_map(|y| (0..200).map(move |x| (x, y)));
        let at = cells.find(|(x, y)| {
            let text = (*x..200).take(6).map(|x| buffer[(x, *y)].symbol());
            text.collect::<String>() == "others"
        });
        let (x, y) = at.unwrap();
        let text: String = (x..200).map(|x| buffer[(x, y)].symbol()).collect();
        (text, buffer[(x, y)].fg)
    };
    let (text, colour) = check(&mut screen);
    assert!(
        text.starts_with("others took 34 s, limit 1:30 · 202"),
        "{text}"
    );
    assert_ne!(colour, Color::Yellow);
    screen.run.wait(26);
    screen.run.pass(900);
    assert_ne!(check(&mut screen).1, Color::Yellow, "34 seconds are usual");
    screen.run.wait(5);
    assert_eq!(check(&mut screen).1, Color::Yellow);
    // In a narrow column the limit gives way.
    let narrow = row(&mut screen, "vault-03", 80);
    assert!(narrow.contains("others took 34 s  "), "{narrow}");
}

#[test]
fn before_any_device_of_the_run_was_checked_earlier_runs_tell_what_is_usual() {
    let mut screen = TestScreen::new(Mode::Go, numbered(1));
    let earlier = [28, 30, 45].map(|s| {
        (
            "PPA rev 2.2".to_owned(),
            Stage::Check,
            Duration::from_secs(s),
        )
    });
    let silent = [70; 3].map(|s| {
        (
            "PPA rev 2.2".to_owned(),
            Stage::Reboot,
            Duration::from_secs(s),
        )
    });
    screen
        .run
        .remember(UsualTimes::of(earlier.into_iter().chain(silent)));
    screen.up_to("vault-01", Stage::Check);
    screen.run.start("vault-01", Stage::Check, 1);
    screen.run.wait(12);
    let text = row(&mut screen, "vault-01", 120);
    assert!(text.contains("0:12, usually 30–45 s"), "{text}");
    screen
        .run
        .stage_done("vault-01", Stage::Check, 12_000, 200, "");
    screen.run.start("vault-01", Stage::Install, 1);
    screen.run.install_begun("vault-01");
    screen
        .run
        .stage_done("vault-01", Stage::Install, 200, 200, "");
    screen.run.start("vault-01", Stage::Reboot, 1);
    let last = "connection refused".to_owned();
    let normal = Duration::from_secs(60);
    screen
        .run
        .progress("vault-01", Stage::Reboot, Progress::Silent { last, normal });
    screen.run.wait(104);
    let text = row(&mut screen, "vault-01", 120);
    assert!(text.contains("normal until"), "{text}");
    screen.run.wait(2);
    let text = row(&mut screen, "vault-01", 120);
    assert!(text.contains("longer than the usual 1:45"), "{text}");
}

#[test]
fn a_lost_device_that_is_watched_again_shows_one_time() {
    let mut screen = running();
    screen.run.install_begun("vault-04");
    screen.run.finish("vault-04", Outcome::Lost);
    screen.run.wait(600);
    screen.select("vault-04");
    screen.press("r");
    // Its turn comes once others are out of the way.
    for name in ["vault-02", "vault-03", "vault-06", "vault-07", "vault-08"] {
        screen.run.fail(
            name,
            Stage::Login,
            FailureKind::Link(LinkFault::Reset),
            Touched::Nothing,
        );
    }
    screen.run.start("vault-04", Stage::Reboot, 1);
    let silent = Progress::Silent {
        last: "connection refused".to_owned(),
        normal: Duration::from_secs(60),
    };
    screen.run.progress("vault-04", Stage::Reboot, silent);
    screen.run.wait(51);
    let row = row(&mut screen, "vault-04", 120);
    assert!(
        row.contains("watched again, installed at 12:03:59"),
        "{row}"
    );
    assert!(row.contains(" 0:51 ") && !row.contains("longer"), "{row}");
}

#[test]
fn a_column_that_gave_way_comes_back_where_there_is_room_in_the_end() {
    // With the firmware there is room for neither; without it there is for the groups.
    let heads_at_80 = heads(&mut running(), 80);
    assert!(heads_at_80.contains("GROUP"), "{heads_at_80}");
    // A name that can be read comes before the group.
    let planned = heads(&mut two_hundred_planned(), 60);
    assert!(!planned.contains("GROUP"), "{planned}");
}
