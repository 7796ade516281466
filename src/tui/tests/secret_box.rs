//! Secrets at the keyboard: who is asked, what is sent, and that nothing of it is ever seen.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::layout::Size;
use zeroize::Zeroizing;

use crate::engine::{DeviceFact, Intent};
use crate::model::{DeviceId, FailureKind, Outcome, Secret, Stage, Touched};

use crate::tui::fixtures::{Rig, people, running};
use crate::tui::ui::{Action, Popup};

/// Draws, so that a box may open by itself, and says for whom one is open.
fn asks(rig: &mut Rig) -> Option<String> {
    rig.text(80, 24);
    match &rig.ui.popup {
        Some(Popup::Secret(id)) => Some(id.to_string()),
        _ => None,
    }
}

fn answer(device: &str, secret: &str) -> Action {
    let secret = Secret::new(secret.as_bytes().to_vec());
    Action::Intend(Intent::Answer(DeviceId::new(device), secret))
}

fn paste(rig: &mut Rig, text: &str) {
    let text = Zeroizing::new(text.to_owned());
    rig.ui.paste(&text, &rig.fleet);
}

#[test]
fn one_after_another_the_longest_waiting_first() {
    let mut rig = people();
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-03"));
    assert_eq!(
        rig.press("pass żółw?q<Back><Back><Enter>"),
        [answer("vault-03", "pass żółw")]
    );
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-01"));
    assert_eq!(rig.press("x<Enter>"), [answer("vault-01", "x")]);
    assert_eq!(asks(&mut rig), None);
    assert_eq!(rig.press("p"), []);
    assert_eq!(rig.ui.popup, None);
}

#[test]
fn what_is_put_off_is_asked_for_again_by_key_only() {
    let mut rig = people();
    asks(&mut rig);
    assert_eq!(rig.press("half<Esc>"), []);
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-01"));
    rig.press("<Esc>");
    assert_eq!(asks(&mut rig), None);
    // The selected device comes first, and nothing of what was typed before is left.
    rig.select("vault-01");
    rig.press("p");
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-01"));
    rig.press("<Esc>");
    rig.select("vault-07");
    rig.press("p");
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-03"));
    assert_eq!(rig.press("new<Enter>"), [answer("vault-03", "new")]);
    // Asked for once more, it comes by itself again.
    rig.tell("vault-03", DeviceFact::SecretWanted);
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-03"));
}

#[test]
fn a_key_before_the_box_was_seen_is_no_part_of_a_secret() {
    let mut rig = people();
    assert_eq!(rig.press("j"), []);
    assert_eq!((&rig.ui.popup, rig.ui.cursor), (&None, 1));
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-03"));
    assert_eq!(rig.press("<Enter>"), [], "nothing is never sent");
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-03"));
}

#[test]
fn a_chord_is_no_part_of_a_secret() {
    let mut rig = people();
    asks(&mut rig);
    // What a terminal makes of Esc and p at once, and of Ctrl-W.
    for modifiers in [KeyModifiers::ALT, KeyModifiers::CONTROL] {
        let event = KeyEvent::new(KeyCode::Char('w'), modifiers);
        assert_eq!(rig.ui.key(&event, &rig.fleet), []);
    }
    assert_eq!(rig.press("x<Enter>"), [answer("vault-03", "x")]);
}

#[test]
fn a_refused_secret_is_told_where_the_next_one_is_wanted() {
    let mut rig = people();
    asks(&mut rig);
    assert!(!rig.text(80, 24).contains("not accepted"));
    rig.press("x<Enter>");
    asks(&mut rig);
    rig.press("<Esc>");
    rig.fail_stage("vault-03", Stage::Login, 1, FailureKind::WrongSecret);
    rig.tell("vault-03", DeviceFact::SecretWanted);
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-03"));
    assert!(
        rig.text(80, 24)
            .contains("401: the last one was not accepted")
    );
}

#[test]
fn no_box_opens_over_something_else() {
    for before in ["/", "?", "q", "l<Esc>", "<Enter><Enter>", "ll", "C"] {
        let mut rig = people();
        rig.press(before);
        let (popup, zoom) = (rig.ui.popup.clone(), rig.ui.zoom);
        let busy = popup.is_some() || zoom.is_some() || rig.ui.editing;
        assert_eq!(asks(&mut rig).is_some(), !busy, "{before}");
    }
    let mut rig = people();
    rig.text(30, 5);
    assert_eq!(rig.ui.popup, None, "what cannot be seen cannot be answered");
    rig.ui.size = Size::new(80, 24);
    rig.intend(Intent::Interrupt);
    assert_eq!(
        asks(&mut rig),
        None,
        "nothing new is asked for while stopping"
    );
}

#[test]
fn a_device_that_goes_away_takes_its_box_with_it_and_nothing_goes_to_the_next() {
    let mut rig = people();
    asks(&mut rig);
    rig.press("half of a pass");
    rig.finish("vault-03", Outcome::Cancelled(Touched::Nothing));
    assert_eq!(asks(&mut rig), None);
    let text = rig.text(80, 24);
    assert!(
        text.contains("vault-03 no longer waits for its secret"),
        "{text}"
    );
    assert_eq!(rig.press("<Enter>"), []);
    rig.press("p");
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-01"));
    assert_eq!(rig.press("whole<Enter>"), [answer("vault-01", "whole")]);
}

#[test]
fn a_waiting_device_is_cancelled_as_ever() {
    let mut rig = people();
    asks(&mut rig);
    rig.press("<Esc>");
    asks(&mut rig);
    rig.press("<Esc>");
    rig.select("vault-03");
    let cancel = Action::Intend(Intent::Cancel(DeviceId::new("vault-03")));
    assert_eq!(rig.press("cy"), [cancel]);
    rig.select("vault-02");
    let cancel = Action::Intend(Intent::Cancel(DeviceId::new("vault-02")));
    assert_eq!(rig.press("cy"), [cancel]);
    rig.press("p");
    assert_eq!(asks(&mut rig).as_deref(), Some("vault-01"));
}

#[test]
fn ctrl_c_stops_and_wipes() {
    let mut rig = people();
    asks(&mut rig);
    rig.press("half");
    assert_eq!(rig.press("<C-c>"), [Action::Intend(Intent::Interrupt)]);
    assert_eq!((&rig.ui.popup, rig.ui.secrets.typed.len()), (&None, 0));
}

#[test]
fn the_first_line_of_what_is_pasted_is_taken() {
    let mut rig = people();
    asks(&mut rig);
    paste(&mut rig, "correct horse\r\nqqyy");
    assert_eq!(rig.press("<Enter>"), [answer("vault-03", "correct horse")]);
    let long = "x".repeat(5000);
    asks(&mut rig);
    paste(&mut rig, &long);
    assert_eq!(
        rig.press("y<Enter>"),
        [answer("vault-01", &format!("{long}y"))]
    );
}

#[test]
fn pasted_text_is_never_taken_for_keys() {
    let mut rig = running();
    let before = rig.text(80, 24);
    paste(&mut rig, "qyCy\nRR");
    assert_eq!(rig.ui.popup, None);
    rig.ui.notice = None;
    assert_eq!(rig.text(80, 24), before);
    rig.press("/");
    paste(&mut rig, "vault-05\tx\nq");
    assert_eq!(rig.ui.filter.value(), "vault-05x");
}

#[test]
fn nothing_typed_is_on_the_screen_in_an_action_or_in_the_log() {
    let mut rig = people();
    asks(&mut rig);
    rig.press("hunter2-hunter2");
    for (width, height) in [(40, 10), (80, 24), (200, 50)] {
        let text = rig.text(width, height);
        assert!(!text.contains("hunter") && text.contains("•••"), "{text}");
    }
    let sent = rig.press("<Enter>");
    assert!(!format!("{sent:?}").contains("hunter"), "{sent:?}");
    assert!(!format!("{:?}", rig.fleet).contains("hunter"));
    rig.press("ll");
    assert!(!rig.text(200, 50).contains("hunter"));
}

#[test]
fn what_is_pasted_into_the_filter_is_cut_and_said_to_be() {
    let mut rig = running();
    rig.press("/");
    paste(&mut rig, &"x".repeat(200_000));
    assert_eq!(rig.ui.filter.value().len(), 256);
    let notice = rig.ui.notice.as_ref().map(|(_, text)| text.as_str());
    assert_eq!(notice, Some("the filter is full: the rest is left out"));
}

#[test]
fn what_is_longer_than_any_secret_is_not_taken_at_all() {
    let mut rig = people();
    asks(&mut rig);
    paste(&mut rig, &"x".repeat(200_000));
    assert_eq!(rig.ui.secrets.typed.len(), 0);
    let notice = rig.ui.notice.as_ref().map(|(_, text)| text.as_str());
    assert_eq!(
        notice,
        Some("longer than any secret: nothing of it was taken")
    );
}
