//! Which characters a terminal shows, as the environment tells it, and what stands for the others in lines of text. What
//! replaces the signs in the cells of the dashboard is in `tui::theme`.

use std::borrow::Cow;

/// Which characters a terminal, or whoever reads its output, can be expected to show.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Charset {
    /// All of them.
    #[default]
    Unicode,
    /// ASCII alone.
    Ascii,
}

impl Charset {
    /// ASCII where that was asked for (`ascii`), or where the locale (`LC_ALL`, `LC_CTYPE`, `LANG`, the first that is
    /// not empty) is not UTF-8.
    pub fn of_env(ascii: bool, var: impl Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| var(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"))
            .map(|l| l.to_ascii_lowercase());
        // Windows has no such variables, and consoles there are Unicode.
        let utf8 = locale.map_or(cfg!(windows), |l| l.contains("utf-8") || l.contains("utf8"));
        if ascii || !utf8 {
            Self::Ascii
        } else {
            Self::Unicode
        }
    }

    /// `text` as it can be shown: hemfleet's own signs are replaced by what they mean, and any other character, such as
    /// a letter of a device's name, is escaped, so that no two names become one.
    pub fn text(self, text: &str) -> Cow<'_, str> {
        if self == Self::Unicode || text.is_ascii() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        for c in text.chars() {
            match c {
                '…' => out.push_str("..."),
                '→' => out.push_str("->"),
                '·' | '–' | '—' => out.push('-'),
                '×' => out.push('x'),
                c if c.is_ascii() => out.push(c),
                c => out.extend(c.escape_unicode()),
            }
        }
        Cow::Owned(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn charset(vars: &[(&str, &str)]) -> Charset {
        Charset::of_env(false, |name| {
            vars.iter()
                .find(|(n, _)| *n == name)
                .map(|(_, v)| (*v).to_owned())
        })
    }

    #[test]
    fn the_first_locale_variable_that_says_something_decides() {
        use Charset::{Ascii, Unicode};
        assert_eq!(charset(&[("LANG", "pl_PL.UTF-8")]), Unicode);
        assert_eq!(charset(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]), Unicode);
        let all = [("LC_ALL", "C"), ("LANG", "en_US.UTF-8")];
        assert_eq!(charset(&all), Ascii);
        let empty = [("LC_ALL", ""), ("LANG", "en_US.UTF-8")];
        assert_eq!(charset(&empty), Unicode);
        assert_eq!(charset(&[]) == Unicode, cfg!(windows));
        let asked = Charset::of_env(true, |_| Some("en_US.UTF-8".to_owned()));
        assert_eq!(asked, Ascii);
    }

    #[test]
    fn signs_become_what_they_mean_and_letters_stay_apart() {
        let text = "żw–1: 2× probe… · 1 → 2";
        assert_eq!(Charset::Unicode.text(text), text);
        let ascii = Charset::Ascii.text(text);
        assert_eq!(ascii, "\\u{17c}w-1: 2x probe... - 1 -> 2");
    }
}
