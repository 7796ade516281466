//! `MANIFEST.sha256`: one line for each file, sorted by name, as `sha256sum -c` reads them.

use std::collections::BTreeMap;

use super::documents::{Hash, MANIFEST_FILE, SIGNATURE_FILE};
use super::folder::Fault;
use crate::model::{hex, printable};

/// The files and their hashes.
#[derive(Debug, Default)]
pub(super) struct Manifest(BTreeMap<String, Hash>);

impl Manifest {
    pub(super) fn insert(&mut self, name: &str, hash: Hash) {
        self.0.insert(name.to_owned(), hash);
    }

    /// The file's text.
    pub(super) fn text(&self) -> String {
        let line = |(name, hash): (&String, &Hash)| format!("{}  {name}\n", hex(&hash.0));
        self.0.iter().map(line).collect()
    }

    /// Reads it. Its names lead nowhere out of the folder, for only what [`Manifest::text`] writes is taken.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let wrong = |n: usize, why: &str| Fault::line(MANIFEST_FILE, n as u64 + 1, why);
        let mut files = Self::default();
        let lines = bytes.split_inclusive(|&b| b == b'\n').enumerate();
        let mut last: Option<String> = None;
        for (n, line) in lines {
            let (hash, name) =
                read_line(line).ok_or_else(|| wrong(n, "it is no hash, two blanks and a name"))?;
            if !is_plain(&name) {
                let name = printable(&name, 100);
                return Err(wrong(n, &format!("{name} is no name of a file in here")));
            }
            match &last {
                Some(last) if *last == name => return Err(wrong(n, "it names a file twice")),
                Some(last) if *last > name => return Err(wrong(n, "it is out of order")),
                _ => {}
            }
            files.insert(&name, hash);
            last = Some(name);
        }
        Ok(files)
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(super) fn hash(&self, name: &str) -> Option<Hash> {
        self.0.get(name).copied()
    }

    /// The number of the line that names this file; 0 where none does.
    pub(super) fn line_of(&self, name: &str) -> u64 {
        let line = self.0.keys().position(|known| known == name);
        line.map_or(0, |n| n as u64 + 1)
    }
}

fn read_line(line: &[u8]) -> Option<(Hash, String)> {
    let text = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (hash, name) = text.split_once("  ")?;
    let mut bytes = [0; 32];
    if hash.len() != 64
        || hash
            .bytes()
            .any(|b| !matches!(b, b'0'..=b'9' | b'a'..=b'f'))
    {
        return None;
    }
    for (n, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hash.get(2 * n..2 * n + 2)?, 16).ok()?;
    }
    Some((Hash(bytes), name.to_owned()))
}

/// Whether a name is one that hemfleet gives: plain characters, no way up, and not the manifest's own.
fn is_plain(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'%');
    let part = |part: &str| !part.is_empty() && !part.starts_with('.') && part.bytes().all(plain);
    name.split('/').all(part) && name != MANIFEST_FILE && name != SIGNATURE_FILE
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(byte: u8) -> Hash {
        Hash([byte; 32])
    }

    #[test]
    fn what_is_written_is_read() {
        let mut manifest = Manifest::default();
        manifest.insert("run.json", hash(1));
        manifest.insert("logs/%C5%BC/62310ba5.log", hash(2));
        let text = manifest.text();
        assert!(text.starts_with("0202"), "{text}");
        let back = Manifest::parse(text.as_bytes()).unwrap();
        assert_eq!(back.text(), text);
        assert_eq!(back.hash("run.json"), Some(hash(1)));
        assert_eq!(back.line_of("run.json"), 2);
        assert_eq!(back.hash("other"), None);
    }

    #[test]
    fn nothing_else_is_taken() {
        let h = "00".repeat(32);
        let long = "0".repeat(63);
        for (text, line, why) in [
            (format!("{h}  a\n{h}  a\n"), 2, "twice"),
            (format!("{h}  b\n{h}  a\n"), 2, "order"),
            (format!("{h}  ../a\n"), 1, "no name"),
            (format!("{h}  /a\n"), 1, "no name"),
            (format!("{h}  a//b\n"), 1, "no name"),
            (format!("{h}  a/../b\n"), 1, "no name"),
            (format!("{h}  a\\b\n"), 1, "no name"),
            (format!("{h}  a\u{1b}b\n"), 1, "no name"),
            (format!("{h}  ż\n"), 1, "no name"),
            (format!("{h}  \n"), 1, "no name"),
            (format!("{h}  MANIFEST.sha256\n"), 1, "no name"),
            (format!("{h}  MANIFEST.sha256.sig\n"), 1, "no name"),
            (format!("{h}  a"), 1, "two blanks"),
            (format!("{h} *a\n"), 1, "two blanks"),
            (format!("{long}A  a\n"), 1, "two blanks"),
            (format!("{long}  a\n"), 1, "two blanks"),
            ("\n".to_owned(), 1, "two blanks"),
        ] {
            let fault = Manifest::parse(text.as_bytes()).unwrap_err().to_string();
            let place = format!("MANIFEST.sha256, line {line}: ");
            assert!(
                fault.starts_with(&place) && fault.contains(why),
                "{text}: {fault}"
            );
        }
        assert!(Manifest::parse(b"").unwrap().names().next().is_none());
    }
}
