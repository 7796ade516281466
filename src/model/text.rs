//! Text for people: escaping what devices say, sizes and durations.
//! Must not: know where the text is shown.

use std::time::Duration;

/// Makes text from a device (or any other stranger) safe for a screen and a log: control and
/// formatting characters are escaped, and the text is cut at `max` characters.
pub fn printable(text: &str, max: usize) -> String {
    let mut out = String::new();
    for (n, c) in text.chars().enumerate() {
        if n == max {
            out.push('…');
            break;
        }
        // Bidirectional overrides and zero-width characters can make one text look like another.
        let invisible = matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}');
        if c.is_control() || invisible {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// A number of bytes as people say it: `812 B`, `48.0 KB`, `3.0 MB` (powers of 1024, as the
/// protocol page's 3 MiB limit).
#[expect(clippy::cast_precision_loss, reason = "sizes shown with one decimal")]
pub fn human_bytes(bytes: u64) -> String {
    const KIB: f64 = 1024.0;
    let b = bytes as f64;
    if bytes < 1024 {
        format!("{bytes} B")
    } else if b < KIB * KIB {
        format!("{:.1} KB", b / KIB)
    } else {
        format!("{:.1} MB", b / KIB / KIB)
    }
}

/// A duration as people say it: `0.2 s`, `35 s`, `3:41`, `1:02:03`.
pub fn human_duration(d: Duration) -> String {
    let s = d.as_secs();
    if s < 10 {
        format!("{}.{} s", s, d.subsec_millis() / 100)
    } else if s < 60 {
        format!("{s} s")
    } else if s < 3600 {
        format!("{}:{:02}", s / 60, s % 60)
    } else {
        format!("{}:{:02}:{:02}", s / 3600, s % 3600 / 60, s % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_text_is_escaped_and_cut() {
        assert_eq!(printable("a\u{1b}[2Jb", 100), "a\\u{1b}[2Jb");
        assert_eq!(printable("x\u{202e}y", 100), "x\\u{202e}y");
        assert_eq!(printable("żółw", 2), "żó…");
    }

    #[test]
    fn sizes_and_durations() {
        assert_eq!(human_bytes(812), "812 B");
        assert_eq!(human_bytes(49152), "48.0 KB");
        assert_eq!(human_bytes(3 * 1024 * 1024), "3.0 MB");
        assert_eq!(human_duration(Duration::from_millis(240)), "0.2 s");
        assert_eq!(human_duration(Duration::from_secs(35)), "35 s");
        assert_eq!(human_duration(Duration::from_secs(221)), "3:41");
        assert_eq!(human_duration(Duration::from_secs(3723)), "1:02:03");
    }
}
