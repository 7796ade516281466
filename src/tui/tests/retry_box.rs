//! Retrying one device, and the box of "retry all".

use crate::engine::{DeviceFact, Intent, Mode};
use crate::model::{DeviceId, Outcome, Stage, Touched, Unproven};

use super::{intents, notice};
use crate::tui::fixtures::{TestScreen, finished, running, seeds};

#[test]
fn r_retries_what_failed_and_says_why_not_otherwise() {
    let mut screen = running();
    screen.select("vault-05");
    let retry = Intent::Retry(DeviceId::new("vault-05"));
    assert_eq!(intents(&screen.press("r")), [&retry]);
    screen.select("vault-01");
    assert_eq!(screen.press("r"), []);
    assert_eq!(notice(&screen), "vault-01 is upgraded: nothing to retry");
    screen.select("vault-02");
    assert_eq!(screen.press("r"), []);
    assert_eq!(notice(&screen), "vault-02 has not ended yet");
}

#[test]
fn retrying_all_is_offered_only_where_it_does_something() {
    // What changed unproven is not meant.
    let mut screen = TestScreen::new(Mode::Go, seeds());
    for seed in seeds() {
        let unproven = Outcome::Unproven(Unproven::NoSignature);
        screen.run.finish(seed.id.as_str(), unproven);
    }
    assert!(screen.run.fleet.is_over());
    assert_eq!(screen.press("R"), []);
    assert_eq!(notice(&screen), "nothing to retry among the devices shown");
    let screen = screen.text(80, 24);
    assert!(
        !screen.contains("R all") && !screen.contains("R retry"),
        "{screen}"
    );
    let text = finished().text(80, 24);
    assert!(text.contains("R all"), "{text}");
}

fn all(names: &[&str]) -> Intent {
    Intent::RetryAll(names.iter().map(|name| DeviceId::new(name)).collect())
}

#[test]
fn retrying_all_asks_first_and_says_what_is_done_to_how_many_and_why() {
    let mut screen = finished();
    assert_eq!(screen.press("R"), []);
    let text = screen.text(80, 24);
    for line in [
        "2 watch only, 1 look again, then",
        "upgrade, 2 upload and install again.",
        "1 rolled back: left out",
        "1 cancelled: included",
        "1 failed at check: 406: the device refu",
        "1 lost at reboot: not back within",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    assert_eq!(screen.press("n"), []);
    assert_eq!(screen.ui.popup, None);
    // What bootloaders refused is in only if somebody says so; what was cancelled is out if they do.
    let usual = ["vault-04", "vault-05", "vault-06", "vault-09", "vault-10"];
    assert_eq!(intents(&finished().press("Ry")), [&all(&usual)]);
    let with = ["vault-03", "vault-04", "vault-05", "vault-09", "vault-10"];
    assert_eq!(intents(&finished().press("Rbcy")), [&all(&with)]);
}

/// Be it in this run or in an earlier one: nobody sends such an image again by retrying what the network did.
#[test]
fn images_that_were_refused_before_are_sent_again_only_if_somebody_says_so() {
    let over = || {
        let mut screen = TestScreen::new(Mode::Go, seeds());
        for seed in seeds() {
            let name = seed.id.as_str();
            let kind = match name {
                "vault-02" => crate::model::FailureKind::RefusedBefore {
                    run: "09090909".to_owned(),
                    on: "2026-11-23".to_owned(),
                },
                _ => crate::model::FailureKind::WrongSecret,
            };
            screen.run.fail(name, Stage::Probe, kind, Touched::Nothing);
        }
        screen
    };
    let names: Vec<String> = seeds().iter().map(|seed| seed.id.to_string()).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let others: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| *name != "vault-02")
        .collect();
    assert_eq!(intents(&over().press("Ry")), [&all(&others)]);
    assert_eq!(intents(&over().press("Rby")), [&all(&names)]);
}

#[test]
fn retrying_all_means_the_devices_that_the_filter_leaves() {
    let mut screen = finished();
    screen.press("/warsaw<Enter>");
    assert_eq!(intents(&screen.press("Ry")), [&all(&["vault-04"])]);
    let mut screen = finished();
    screen.press("/upgraded<Enter>");
    assert_eq!(screen.press("R"), []);
    assert_eq!(notice(&screen), "nothing to retry among the devices shown");
    // One that ends badly while the box is open was not there to be read.
    let mut screen = running();
    screen.press("R");
    let refused = crate::model::FailureKind::ImageRefused { status: 406 };
    screen
        .run
        .fail("vault-02", Stage::Check, refused, Touched::ImageStaged);
    assert_eq!(intents(&screen.press("y")), [&all(&["vault-05"])]);
}

#[test]
fn devices_without_login_tries_are_left_out_by_name_and_nearly_spent_ones_are_marked() {
    let mut screen = TestScreen::new(Mode::Go, seeds());
    let wrong = || crate::model::FailureKind::WrongSecret;
    for (name, left) in [
        ("vault-01", vec![2, 1, 0]),
        ("vault-02", vec![2, 1]),
        ("vault-03", vec![]),
    ] {
        for left in left {
            screen.run.tell(name, DeviceFact::LoginRefused { left });
        }
        screen
            .run
            .fail(name, Stage::Login, wrong(), Touched::Nothing);
    }
    assert_eq!(screen.press("R"), []);
    let text = screen.text(80, 24);
    assert!(
        text.contains("no login tries left in this run: vault-01 "),
        "{text}"
    );
    assert!(
        text.contains("Login tries nearly spent: vault-02 (1 left)"),
        "{text}"
    );
    assert_eq!(
        intents(&screen.press("y")),
        [&all(&["vault-02", "vault-03"])]
    );
}
