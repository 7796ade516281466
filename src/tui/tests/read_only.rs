//! A run that is only looked at: keys that look work, keys that steer say why they do not, and nothing asks.

use crate::engine::Speed;
use crate::tui::fixtures::{TestScreen, finished, plan, running, waiting_for_people};
use crate::tui::keymap::{BINDINGS, Focus};
use crate::tui::layout::Zoom;
use crate::tui::tests::halt_box::bad_image;
use crate::tui::ui::read_only::{Pace, PaceKey, ReadOnly};
use crate::tui::ui::{Board, Effect, Popup};

use super::{notice, selected};

const REPLAY: ReadOnly = ReadOnly::Replay(Pace::At {
    speed: Speed::AS_IT_WAS,
    cut_to: None,
});
const ATTACHED: ReadOnly = ReadOnly::Attached { gone: false };

fn only_looked_at(mut screen: TestScreen, read_only: ReadOnly) -> TestScreen {
    screen.ui.read_only = Some(read_only);
    screen
}

#[test]
fn no_key_of_any_page_steers_a_run_that_is_only_looked_at() {
    let screens: [fn() -> TestScreen; 5] = [plan, running, finished, waiting_for_people, bad_image];
    for make in screens {
        for read_only in [REPLAY, ATTACHED] {
            for page in ["", "f", "m", "<Enter><Enter>"] {
                let mut screen = only_looked_at(make(), read_only);
                screen.press(page);
                // All keys that mean anything anywhere, and the answers to what they might have asked.
                for key in "rRcCpb*y8\u{8}xs".chars() {
                    let effects = screen.press(&format!("{key}y<Enter>3<Enter>"));
                    let harmless = |e: &Effect| matches!(e, Effect::Copy(_) | Effect::Pace(_));
                    assert!(effects.iter().all(harmless), "{key}: {effects:?}");
                    assert!(
                        matches!(screen.ui.popup, None | Some(Popup::Help)),
                        "{key}: {:?}",
                        screen.ui.popup
                    );
                    screen.ui.zoom = None;
                }
                assert_eq!(screen.run.fleet.stop(), None);
            }
        }
    }
}

#[test]
fn a_key_that_would_steer_says_why_it_does_not() {
    let mut screen = only_looked_at(running(), REPLAY);
    for key in ["r", "R", "c", "C", "p", "b"] {
        screen.press(key);
        assert_eq!(notice(&screen), "read-only: this is a replay", "{key}");
    }
    let mut screen = only_looked_at(running(), ATTACHED);
    screen.press("c");
    assert_eq!(notice(&screen), "read-only: another process runs it");
    let mut screen = only_looked_at(plan(), ATTACHED);
    for key in ["8", "<Enter>", " ", "*", "r", "<Back>"] {
        screen.press(key);
        assert_eq!(
            notice(&screen),
            "read-only: another process runs it",
            "{key}"
        );
        assert_eq!(screen.ui.typed, "");
    }
}

/// The notice of a key stays until the next key, which whoever only looks may never press.
#[test]
fn when_the_process_is_gone_the_footer_comes_back_and_keys_say_so() {
    let mut screen = only_looked_at(running(), ATTACHED);
    screen.press("c");
    assert!(!screen.text(80, 24).contains("q leave"));
    screen.run.fleet.bury();
    let gone = Some(ReadOnly::Attached { gone: true });
    screen.ui.only_looks(gone);
    assert!(screen.text(80, 24).contains("q leave"));
    screen.press("c");
    screen.ui.only_looks(gone);
    assert_eq!(notice(&screen), "read-only: its process is gone");
}

#[test]
fn at_the_end_of_a_replay_the_footer_has_only_keys_that_do_something() {
    let over = ReadOnly::Replay(Pace::Over { goes_on: false });
    let mut screen = only_looked_at(finished(), over);
    let text = screen.text(120, 30);
    let footer = text.lines().last().unwrap();
    assert!(footer.contains("Space begin again  q leave"), "{footer}");
    for label in ["pause", "one event", "speed"] {
        assert!(!footer.contains(label), "{footer}");
    }
    screen.ui.read_only = Some(REPLAY);
    let text = screen.text(120, 30);
    let footer = text.lines().last().unwrap();
    for label in ["Space pause", "one event", "speed", "0 begin"] {
        assert!(footer.contains(label), "{footer}");
    }
}

#[test]
fn what_only_looks_works() {
    let mut screen = only_looked_at(finished(), REPLAY);
    screen.press("jj");
    assert_eq!(selected(&screen), "vault-02");
    screen.press("s");
    screen.press("/vault-03<Enter>");
    assert_eq!(selected(&screen), "vault-03");
    screen.press("<Esc>f");
    assert_eq!(screen.ui.board, Board::Failures);
    screen.press("m");
    assert_eq!(screen.ui.board, Board::Map);
    screen.press("m<Enter><Enter>");
    assert_eq!(screen.ui.zoom, Some(Zoom::Detail));
    screen.press("<Esc>n");
    assert!(matches!(screen.press("y")[..], [Effect::Copy(_)]));
    screen.press("?");
    assert_eq!(screen.ui.popup, Some(Popup::Help));
}

#[test]
fn it_is_left_at_once() {
    for make in [plan as fn() -> TestScreen, running, finished] {
        for read_only in [REPLAY, ATTACHED] {
            for key in ["q", "<C-c>"] {
                let mut screen = only_looked_at(make(), read_only);
                assert_eq!(screen.press(key), [Effect::Leave]);
            }
        }
    }
    let mut screen = only_looked_at(plan(), REPLAY);
    screen.press("<Esc>");
    assert_eq!(screen.ui.popup, None);
}

#[test]
fn a_replay_has_keys_for_its_pace_on_every_page_and_another_processes_run_has_not() {
    let keys = [
        (" ", PaceKey::Pause),
        (".", PaceKey::Step),
        (">", PaceKey::StepOver),
        ("+", PaceKey::Faster),
        ("=", PaceKey::Faster),
        ("-", PaceKey::Slower),
        ("0", PaceKey::Again),
    ];
    for (make, page) in [
        (plan as fn() -> TestScreen, ""),
        (finished, ""),
        (finished, "f"),
        (finished, "m"),
        (finished, "<Enter><Enter>"),
    ] {
        for (key, pace) in keys {
            let mut screen = only_looked_at(make(), REPLAY);
            screen.press(page);
            assert_eq!(screen.press(key), [Effect::Pace(pace)], "{key} on {page}");
            let mut screen = only_looked_at(make(), ATTACHED);
            screen.press(page);
            assert_eq!(screen.press(key), [], "{key} on {page}");
        }
    }
    // In a filter they are letters.
    let mut screen = only_looked_at(finished(), REPLAY);
    assert_eq!(screen.press("/-.0"), []);
    assert_eq!(screen.ui.filter.value(), "-.0");
}

#[test]
fn nothing_asks_by_itself() {
    for make in [waiting_for_people as fn() -> TestScreen, bad_image] {
        let mut screen = only_looked_at(make(), ATTACHED);
        screen.text(80, 24);
        assert_eq!(screen.ui.popup, None);
    }
}

#[test]
fn footer_and_help_name_only_what_works() {
    for read_only in [REPLAY, ATTACHED] {
        for focus in [Focus::Plan, Focus::Devices, Focus::Failures, Focus::Map] {
            let mut screen = only_looked_at(running(), read_only);
            screen.catch_up();
            let shown: Vec<_> = screen.ui.bindings(focus).collect();
            assert!(shown.iter().all(|b| !b.action.steers(focus)));
            for (n, one) in shown.iter().enumerate() {
                let twice = shown[n + 1..].iter().find(|b| b.shares(one));
                assert!(twice.is_none(), "{focus:?}: {}", one.shown);
            }
        }
    }
    // A run of one's own has its keys as they are.
    let screen = running();
    for focus in [Focus::Plan, Focus::Devices, Focus::Filter] {
        let all = BINDINGS.iter().filter(|b| b.focus == focus).count();
        assert_eq!(screen.ui.bindings(focus).count(), all);
    }
}
