//! Single values of the inventory: words, numbers, durations and hashes, or what is wrong with them. An error never
//! repeats a text that may be a secret.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::config::diagnostic::quoted;
use crate::model::{Fwk, printable};

/// What is wrong with a value, before its place is known.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::config) struct ValueError {
    pub(in crate::config) message: String,
    pub(in crate::config) hint: Option<String>,
}

impl ValueError {
    pub(in crate::config) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            hint: None,
        }
    }

    pub(in crate::config) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// A checked value or an error.
pub(in crate::config) type ValueResult<T> = Result<T, ValueError>;

/// The known word that is nearest to `word`, if one is near at all.
pub(in crate::config) fn nearest<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Option<&'k str> {
    near(word, known).into_iter().next()
}

/// The known words that are near to `word`, the nearest first.
pub(in crate::config) fn near<'k>(
    word: &str,
    known: impl IntoIterator<Item = &'k str>,
) -> Vec<&'k str> {
    let lower = word.to_lowercase();
    let mut near: Vec<(usize, &str)> = known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(&lower, &k.to_lowercase()), k))
        .filter(|(distance, k)| {
            let long = k.chars().count().max(lower.chars().count());
            *distance * 3 <= long || (k.starts_with(&lower) && lower.len() >= 3)
        })
        .collect();
    near.sort_by_key(|(distance, _)| *distance);
    near.into_iter().map(|(_, k)| k).collect()
}

/// Whether there are characters that cannot be seen, or that change how others are seen.
pub(in crate::config) fn is_unprintable(text: &str) -> bool {
    printable(text, usize::MAX) != text
}

/// Names, groups and tags: short visible text.
pub(in crate::config) fn word(text: &str) -> ValueResult<String> {
    const LONGEST: usize = 64;
    if text.trim().is_empty() {
        return Err(ValueError::new("empty text").hint("write at least one visible character"));
    }
    if is_unprintable(text) {
        return Err(ValueError::new("control or invisible characters in a name")
            .hint("write it with visible characters only"));
    }
    if text.trim() != text {
        return Err(ValueError::new("blanks around a name").hint("remove the blanks"));
    }
    let long = text.chars().count();
    if long > LONGEST {
        return Err(ValueError::new(format!(
            "a name of {long} characters; at most {LONGEST} are allowed"
        ))
        .hint("shorten it"));
    }
    Ok(text.to_owned())
}

/// Text such as a path or a prompt: not empty, nothing that steers a terminal.
pub(in crate::config) fn plain_text(text: &str, what: &str) -> ValueResult<String> {
    if text.trim().is_empty() {
        return Err(ValueError::new(format!("empty {what}")).hint("write it, or remove the key"));
    }
    if is_unprintable(text) {
        return Err(
            ValueError::new(format!("control or invisible characters in the {what}"))
                .hint("write it with visible characters only"),
        );
    }
    Ok(text.to_owned())
}

/// The name of an environment variable.
pub(in crate::config) fn env_name(text: &str) -> ValueResult<String> {
    if is_env_name(text) {
        Ok(text.to_owned())
    } else {
        // Not repeated: it may be the secret itself, written in the wrong place.
        Err(
            ValueError::new("not the name of an environment variable").hint(
                "letters, digits and `_` only, as in env = \"HEM_PASSPHRASE\"; never the secret itself",
            ),
        )
    }
}

pub(in crate::config) fn is_env_name(text: &str) -> bool {
    text.len() <= 128
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && !text.is_empty()
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where the lines of `[images]` come from.
const INSPECT: &str = "hemfleet inspect FILE prints the line to paste";

/// A key that signs images, as `fwk` and `hemfleet inspect` spell it.
pub(in crate::config) fn signer(text: &str) -> ValueResult<Fwk> {
    Fwk::from_base64(text)
        .ok()
        .filter(|key| key.to_string() == text)
        .ok_or_else(|| {
            ValueError::new("not a signer's key: base64 of 32 bytes is wanted").hint(INSPECT)
        })
}

/// The SHA-256 of a file, as `sha256:` and 64 hex digits.
pub(in crate::config) fn file_hash(text: &str) -> ValueResult<[u8; 32]> {
    let error = |what: &str| Err(ValueError::new(what).hint(INSPECT));
    let Some(digits) = text.strip_prefix("sha256:") else {
        return error("not a file's hash: it begins with sha256:");
    };
    if digits.len() != 64 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return error("not a SHA-256: 64 hex digits are wanted after sha256:");
    }
    let mut hash = [0; 32];
    for (n, byte) in hash.iter_mut().enumerate() {
        match u8::from_str_radix(&digits[2 * n..2 * n + 2], 16) {
            Ok(value) => *byte = value,
            Err(_) => return error("not a SHA-256: 64 hex digits are wanted after sha256:"),
        }
    }
    Ok(hash)
}

/// The hint for values out of range.
const WITHIN: &str = "choose one within the range, or leave it out for the default";

/// A whole number within bounds.
pub(in crate::config) fn number_within(n: i64, allowed: &RangeInclusive<i64>) -> ValueResult<i64> {
    if allowed.contains(&n) {
        Ok(n)
    } else {
        Err(ValueError::new(format!(
            "{n} is out of range: {} to {} are allowed",
            allowed.start(),
            allowed.end()
        ))
        .hint(WITHIN))
    }
}

/// A duration as humantime writes it, within bounds.
pub(in crate::config) fn duration(
    text: &str,
    allowed: &RangeInclusive<Duration>,
) -> ValueResult<Duration> {
    let range = || {
        format!(
            "{} to {} are allowed",
            humantime::format_duration(*allowed.start()),
            humantime::format_duration(*allowed.end())
        )
    };
    let parsed = humantime::parse_duration(text).map_err(|_| {
        let mut hint = format!(
            "write a number with its unit, such as \"5s\", \"150ms\" or \"2m\"; {}",
            range()
        );
        if !text.is_empty() && text.trim().chars().all(|c| c.is_ascii_digit()) {
            hint = format!("write the unit too: \"{}s\"; {}", text.trim(), range());
        }
        ValueError::new(format!("{} is not a duration", quoted(text))).hint(hint)
    })?;
    if allowed.contains(&parsed) {
        Ok(parsed)
    } else {
        Err(ValueError::new(format!("{} is out of range: {}", quoted(text), range())).hint(WITHIN))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_say_their_range() {
        let allowed = Duration::from_millis(10)..=Duration::from_secs(600);
        assert_eq!(duration("150ms", &allowed), Ok(Duration::from_millis(150)));
        assert_eq!(duration("2m", &allowed), Ok(Duration::from_secs(120)));
        let absurd = duration("3years", &allowed).unwrap_err();
        assert_eq!(
            absurd.message,
            "`3years` is out of range: 10ms to 10m are allowed"
        );
        let unitless = duration("5", &allowed).unwrap_err();
        assert_eq!(
            unitless.hint.unwrap(),
            "write the unit too: \"5s\"; 10ms to 10m are allowed"
        );
        assert!(duration("", &allowed).is_err());
        assert!(duration("99999999999999999999s", &allowed).is_err());
    }

    #[test]
    fn names_are_visible_text() {
        assert_eq!(word("vault-01 (żółw)"), Ok("vault-01 (żółw)".to_owned()));
        for text in ["", "  ", " a", "a\u{1b}[2J", "a\u{202e}b", &"x".repeat(65)] {
            assert!(word(text).is_err(), "{text:?}");
        }
        assert!(env_name("HEM_PASSPHRASE").is_ok());
        for text in ["", "1A", "correct horse", "a-b"] {
            assert!(env_name(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["firmware", "concurrency"];
        assert_eq!(nearest("firmwre", known), Some("firmware"));
        assert_eq!(nearest("Firmware", known), Some("firmware"));
        assert_eq!(nearest("colour", known), None);
    }
}
