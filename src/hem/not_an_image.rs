//! What a file looks like that is no image: a phrase for the person who named the wrong file.

use super::intel_hex::is_intel_hex;

/// The trailer's size in bytes: the signer's Ed25519 key, then a signature.
pub const TRAILER_BYTES: usize = 96;

/// A tar consists of blocks of so many bytes.
pub const BLOCK: usize = 512;

/// How many bytes of a file are looked at to tell text from data.
const SAMPLE: usize = 4096;

/// Files that begin with bytes of their own.
const MAGIC: [(&[u8], &str); 10] = [
    (b"PK\x03\x04", "a zip archive"),
    (b"PK\x05\x06", "an empty zip archive"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a zstd file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x7fELF", "an ELF program"),
    (b"%PDF-", "a PDF document"),
    (b"-----BEGIN ", "a PEM file"),
];

/// What a file looks like, to be read after "it looks like".
pub fn looks_like(file: &[u8]) -> String {
    if let Some((_, word)) = MAGIC.iter().find(|(magic, _)| file.starts_with(magic)) {
        return (*word).to_owned();
    }
    if is_tar(file) {
        let word = if has_trailer(file) {
            "a management app (a tar with a trailer), which --component ui --app FILE sends"
        } else {
            "a tar archive, perhaps a management app without its trailer"
        };
        return word.to_owned();
    }
    if is_intel_hex(file) {
        return "Intel HEX of something that is no signed image".to_owned();
    }
    let sample = &file[..file.len().min(SAMPLE)];
    let text = text_in(sample);
    let begin = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    let begin = begin.get(..64).unwrap_or(begin).to_ascii_lowercase();
    if begin.starts_with("<!doctype html") || begin.starts_with("<html") {
        return "an HTML page: was an error page downloaded?".to_owned();
    }
    match file {
        [first, rest @ ..] if rest.iter().all(|b| b == first) => {
            format!("nothing but bytes 0x{first:02x}")
        }
        _ if is_text(text, sample.len()) => "plain text".to_owned(),
        _ => "data without a signed footer that is known".to_owned(),
    }
}

/// Whether a file begins like a tar: with a header whose sum is right.
pub fn is_tar(file: &[u8]) -> bool {
    let Some(header) = file.first_chunk::<BLOCK>() else {
        return false;
    };
    let byte = |(at, &b): (usize, &u8)| if (148..156).contains(&at) { b' ' } else { b };
    let sum: u32 = header.iter().enumerate().map(byte).map(u32::from).sum();
    let said = header[148..156].iter().copied();
    let digits: String = said.map(char::from).filter(char::is_ascii_digit).collect();
    u32::from_str_radix(&digits, 8) == Ok(sum)
}

/// Whether so many bytes follow the tar's blocks as a trailer has.
pub fn has_trailer(file: &[u8]) -> bool {
    file.len() % BLOCK == TRAILER_BYTES
}

/// The text that a sample begins with.
fn text_in(sample: &[u8]) -> &str {
    match std::str::from_utf8(sample) {
        Ok(text) => text,
        Err(e) => std::str::from_utf8(&sample[..e.valid_up_to()]).unwrap_or_default(),
    }
}

/// Whether that is all of it, but for a character cut in two, and of the kind that people write.
fn is_text(text: &str, len: usize) -> bool {
    let odd = |c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t' | '\u{c}' | '\u{1b}');
    !text.is_empty() && len - text.len() < 4 && !text.contains(odd)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_word() {
        for (file, word) in [
            (&b"\xef\xbb\xbf  <HTML>"[..], "HTML"),
            ("żółw\n".as_bytes(), "plain text"),
            (b"\xff\xff\xff", "0xff"),
            (b"\0\x01\x02", "data without"),
            (b":00000001FF\n", "Intel HEX"),
            (b"%PDF-1.7", "PDF"),
        ] {
            let said = looks_like(file);
            assert!(said.contains(word), "{said}");
        }
        // A character cut in two by the sample's end is no data.
        let long = "ż".repeat(SAMPLE);
        assert_eq!(looks_like(format!("a{long}").as_bytes()), "plain text");
        assert!(!looks_like(b"").is_empty());
    }
}
