//! Secrets at the keyboard: who is asked, what is sent, and that no secret is ever shown.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use zeroize::Zeroizing;

use crate::engine::{DeviceFact, Intent};
use crate::model::{DeviceId, FailureKind, Outcome, Secret, Stage, Touched};

use super::notice;
use crate::tui::fixtures::{TestScreen, running, waiting_for_people};
use crate::tui::ui::{Effect, Popup};

/// Draws, so that a box may open by itself, and says for whom one is open.
fn asks(screen: &mut TestScreen) -> Option<String> {
    screen.text(80, 24);
    match &screen.ui.popup {
        Some(Popup::Secret(id)) => Some(id.to_string()),
        _ => None,
    }
}

fn answer(device: &str, secret: &str) -> Effect {
    let secret = Secret::new(secret.as_bytes().to_vec());
    Effect::Intend(Intent::Answer(DeviceId::new(device), secret))
}

fn paste(screen: &mut TestScreen, text: &str) {
    let text = Zeroizing::new(text.to_owned());
    screen.ui.paste(&text, &screen.run.fleet);
}

#[test]
fn one_after_another_the_longest_waiting_first() {
    let mut screen = waiting_for_people();
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    assert_eq!(
        screen.press("pass żółw?q<Back><Back><Enter>"),
        [answer("vault-03", "pass żółw")]
    );
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-01"));
    assert_eq!(screen.press("x<Enter>"), [answer("vault-01", "x")]);
    assert_eq!(asks(&mut screen), None);
    assert_eq!(screen.press("p"), []);
    assert_eq!(screen.ui.popup, None);
}

#[test]
fn what_is_put_off_is_asked_for_again_by_key_only() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    assert_eq!(screen.press("half<Esc>"), []);
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-01"));
    screen.press("<Esc>");
    assert_eq!(asks(&mut screen), None);
    // The selected device comes first, and nothing of what was typed before is left.
    screen.select("vault-01");
    screen.press("p");
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-01"));
    screen.press("<Esc>");
    screen.select("vault-07");
    screen.press("p");
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    assert_eq!(screen.press("new<Enter>"), [answer("vault-03", "new")]);
    // Asked for once more, it comes by itself again.
    screen.run.tell("vault-03", DeviceFact::SecretWanted);
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
}

#[test]
fn a_key_before_the_box_was_seen_is_no_part_of_a_secret() {
    let mut screen = waiting_for_people();
    assert_eq!(screen.press("j"), []);
    assert_eq!((&screen.ui.popup, screen.ui.cursor), (&None, 1));
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    assert_eq!(screen.press("<Enter>"), [], "nothing is never sent");
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
}

#[test]
fn a_chord_is_no_part_of_a_secret() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    // What a terminal makes of Esc and p at once, and of Ctrl-W.
    for modifiers in [KeyModifiers::ALT, KeyModifiers::CONTROL] {
        let event = KeyEvent::new(KeyCode::Char('w'), modifiers);
        assert_eq!(screen.ui.key(&event, &screen.run.fleet), []);
    }
    assert_eq!(screen.press("x<Enter>"), [answer("vault-03", "x")]);
}

#[test]
fn a_refused_secret_is_told_where_the_next_one_is_wanted() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    assert!(!screen.text(80, 24).contains("not accepted"));
    screen.press("x<Enter>");
    asks(&mut screen);
    screen.press("<Esc>");
    screen.run.start("vault-03", Stage::Login, 1);
    screen
        .run
        .stage_failed("vault-03", Stage::Login, 600, FailureKind::WrongSecret);
    screen.run.tell("vault-03", DeviceFact::SecretWanted);
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    assert!(
        screen
            .text(80, 24)
            .contains("401: the last one was not accepted")
    );
}

#[test]
fn no_box_opens_over_something_else() {
    for before in ["/", "?", "q", "l<Esc>", "<Enter><Enter>", "ll", "C"] {
        let mut screen = waiting_for_people();
        screen.press(before);
        let (popup, zoom) = (screen.ui.popup.clone(), screen.ui.zoom);
        let busy = popup.is_some() || zoom.is_some() || screen.ui.filter.editing;
        assert_eq!(asks(&mut screen).is_some(), !busy, "{before}");
    }
    let mut screen = waiting_for_people();
    screen.text(30, 5);
    assert_eq!(
        screen.ui.popup, None,
        "what cannot be seen cannot be answered"
    );
    screen.ui.size = Size::new(80, 24);
    screen.run.intend(Intent::Interrupt);
    assert_eq!(
        asks(&mut screen),
        None,
        "nothing new is asked for while stopping"
    );
}

#[test]
fn a_device_that_goes_away_takes_its_box_with_it_and_nothing_goes_to_the_next() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    screen.press("half of a pass");
    screen
        .run
        .finish("vault-03", Outcome::Cancelled(Touched::Nothing));
    assert_eq!(asks(&mut screen), None);
    let text = screen.text(80, 24);
    assert!(
        text.contains("vault-03 no longer waits for its secret"),
        "{text}"
    );
    assert_eq!(screen.press("<Enter>"), []);
    screen.press("p");
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-01"));
    assert_eq!(screen.press("whole<Enter>"), [answer("vault-01", "whole")]);
}

#[test]
fn a_waiting_device_is_cancelled_like_any_other() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    screen.press("<Esc>");
    asks(&mut screen);
    screen.press("<Esc>");
    screen.select("vault-03");
    let cancel = Effect::Intend(Intent::Cancel(DeviceId::new("vault-03")));
    assert_eq!(screen.press("cy"), [cancel]);
    screen.select("vault-02");
    let cancel = Effect::Intend(Intent::Cancel(DeviceId::new("vault-02")));
    assert_eq!(screen.press("cy"), [cancel]);
    screen.press("p");
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-01"));
}

#[test]
fn ctrl_c_stops_and_wipes() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    screen.press("half");
    assert_eq!(screen.press("<C-c>"), [Effect::Intend(Intent::Interrupt)]);
    assert_eq!(
        (&screen.ui.popup, screen.ui.secrets.typed.len()),
        (&None, 0)
    );
}

#[test]
fn the_first_line_of_what_is_pasted_is_taken() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    paste(&mut screen, "correct horse\r\nqqyy");
    assert_eq!(
        screen.press("<Enter>"),
        [answer("vault-03", "correct horse")]
    );
    let long = "x".repeat(5000);
    asks(&mut screen);
    paste(&mut screen, &long);
    assert_eq!(
        screen.press("y<Enter>"),
        [answer("vault-01", &format!("{long}y"))]
    );
}

#[test]
fn pasted_text_is_never_taken_for_keys() {
    let mut screen = running();
    let before = screen.text(80, 24);
    paste(&mut screen, "qyCy\nRR");
    assert_eq!(screen.ui.popup, None);
    screen.ui.notice = None;
    assert_eq!(screen.text(80, 24), before);
    screen.press("/");
    paste(&mut screen, "vault-05\tx\nq");
    assert_eq!(screen.ui.filter.value(), "vault-05x");
}

#[test]
fn nothing_typed_is_on_the_screen_in_an_effect_or_in_the_log() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    screen.press("hunter2-hunter2");
    for (width, height) in [(40, 10), (80, 24), (200, 50)] {
        let text = screen.text(width, height);
        assert!(!text.contains("hunter") && text.contains("•••"), "{text}");
    }
    let sent = screen.press("<Enter>");
    assert!(!format!("{sent:?}").contains("hunter"), "{sent:?}");
    assert!(!format!("{:?}", screen.run.fleet).contains("hunter"));
    screen.press("ll");
    assert!(!screen.text(200, 50).contains("hunter"));
}

#[test]
fn what_is_pasted_into_the_filter_is_cut_and_said_to_be() {
    let mut screen = running();
    screen.press("/");
    paste(&mut screen, &"x".repeat(200_000));
    assert_eq!(screen.ui.filter.value().len(), 256);
    assert_eq!(notice(&screen), "the filter is full: the rest is left out");
}

#[test]
fn what_is_longer_than_any_secret_is_not_taken_at_all() {
    let mut screen = waiting_for_people();
    asks(&mut screen);
    paste(&mut screen, &"x".repeat(200_000));
    assert_eq!(screen.ui.secrets.typed.len(), 0);
    assert_eq!(
        notice(&screen),
        "longer than any secret: nothing of it was taken"
    );
}

#[test]
fn a_second_device_that_waits_takes_nothing_that_was_typed_for_the_first() {
    let mut screen = running();
    screen.run.start("vault-03", Stage::Login, 1);
    screen.run.tell("vault-03", DeviceFact::SecretWanted);
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    screen.press("half ");
    // The second one comes while the first one's box is open, and again once it has gone.
    screen.run.start("vault-02", Stage::Login, 1);
    screen.run.tell("vault-02", DeviceFact::SecretWanted);
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    assert_eq!(
        screen.press("and half<Enter>"),
        [answer("vault-03", "half and half")]
    );
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-02"));
    assert_eq!(screen.ui.secrets.typed.len(), 0);
}

#[test]
fn nobody_is_asked_by_itself_right_after_a_box_has_closed_by_itself() {
    let mut screen = waiting_for_people();
    assert_eq!(asks(&mut screen).as_deref(), Some("vault-03"));
    // Nothing is typed yet, but somebody reads that name and is about to.
    screen
        .run
        .finish("vault-03", Outcome::Cancelled(Touched::Nothing));
    assert_eq!(asks(&mut screen), None);
    assert_eq!(screen.ui.secrets.typed.len(), 0);
    assert_eq!(notice(&screen), "vault-03 no longer waits for its secret");
}
