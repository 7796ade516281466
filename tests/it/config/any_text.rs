//! Random inventories: no text makes hemfleet panic, and no secret in one is ever shown.

use hemfleet::config::{EXAMPLE, Overrides};
use proptest::prelude::*;

use super::load_text;

/// Where a literal may stand by mistake.
const LITERAL_PLACES: [&str; 16] = [
    "auth = { kind = \"passphrase\", secret = { name = LITERAL } }",
    "auth = { kind = \"passphrase\", kdf = LITERAL }",
    "auth = { kind = \"master_words\", legacy = LITERAL, words = LITERAL }",
    "[secrets]\nx = LITERAL",
    "[secrets.x]\nvalue = LITERAL",
    "[secrets.x]\nvalue = LITERAL bad",
    "[[secrets]]\nx = { words = LITERAL }",
    "secrets.x = LITERAL bad",
    "auth = { kind = \"passphrase\", secret = LITERAL }",
    "auth = { kind = \"token\", token = LITERAL }",
    "auth = { kind = 3, secret = { valu = LITERAL } }",
    "auth = LITERAL",
    "password = LITERAL",
    "[device.auth]\nsecret = LITERAL\nkind = \"x\"",
    "secret LITERAL",
    "secret = LITERAL bad",
];

fn shows_nothing_of(literal: &str, text: &str) {
    for color in [false, true] {
        let loaded = load_text(text, &Overrides::default());
        assert!(!loaded.faults.is_empty());
        let shown = loaded.faults.render(color, 100);
        assert!(!shown.contains(literal), "{shown}");
        assert!(!format!("{loaded:?}").contains(literal));
    }
}

proptest! {
    #[test]
    fn any_text_is_answered_without_panic(text in any::<String>()) {
        load_text(&text, &Overrides::default()).faults.render(true, 80);
    }

    #[test]
    fn any_toml_like_text_is_answered_without_panic(
        text in r#"([\[\]{}=,.\n"'\\# ]|device|name|url|auth|tls|secret|"https://x"|żó|"""){0,60}"#
    ) {
        load_text(&text, &Overrides::default()).faults.render(false, 60);
    }

    #[test]
    fn a_damaged_example_is_answered_without_panic(
        at in 0..EXAMPLE.len(), cut in 0..200_usize, put in "[\\PC\n\"\\[\\]{}=]{0,8}"
    ) {
        let mut text: Vec<char> = EXAMPLE.chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, put.chars());
        let text: String = text.into_iter().collect();
        load_text(&text, &Overrides::default()).faults.render(false, 80);
    }

    #[test]
    fn a_literal_secret_is_never_shown(
        literal in "[a-zA-Z0-9!$%&@:/ ąę]{9,24}", place in 0..LITERAL_PLACES.len(), url in any::<bool>()
    ) {
        let line = if url {
            format!("proxy = \"socks5h://me:{literal}@jump:1080\"")
        } else {
            LITERAL_PLACES[place].replace("LITERAL", &format!("\"{literal}\""))
        };
        let text = format!("[[device]]\nname = \"a\"\nurl = \"https://x\"\n{line}\n");
        shows_nothing_of(&literal, &text);
    }
}
