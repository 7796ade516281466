//! Which text is replaced by which: one by one, never two by the same. What in a text is to be replaced is found by
//! `free_text`.

use std::collections::{BTreeSet, HashMap, HashSet};

use base64::Engine as _;
use base64::engine::general_purpose::{
    GeneralPurpose, STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD,
};
use sha2::{Digest as _, Sha512};

use crate::model::hex;

/// Characters of a signature, a key or a hash that people read where there is no room for all of it.
const SHORT: usize = 8;
/// How many bytes those are.
const SHORT_HEX: usize = SHORT / 2;
const SHORT_BASE64: usize = SHORT / 4 * 3;

/// What a text names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Kind {
    Device,
    Group,
    Tag,
    User,
    Machine,
    Host,
    Path,
    Serial,
    Key,
    Text,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Group => "group",
            Self::Tag => "tag",
            Self::User => "user",
            Self::Machine => "machine",
            Self::Host => "host",
            Self::Path => "/path",
            Self::Serial => "serial",
            Self::Key => "key",
            Self::Text => "text",
        }
    }
}

/// What is replaced by what so far.
#[derive(Debug, Default)]
pub(super) struct Replacements {
    /// By the text as it is.
    known: HashMap<String, String>,
    /// Hosts once more, in lower case.
    hosts: HashMap<String, String>,
    /// How long those are that a text is searched for, in bytes.
    lengths: BTreeSet<usize>,
    host_lengths: BTreeSet<usize>,
    /// All that were given, and all texts that are replaced: none of them is given to another.
    taken: HashSet<String>,
    counts: HashMap<Kind, usize>,
    /// Digits of a device's number, so that names sort as they are counted.
    digits: usize,
    /// Keys, signatures and hashes, and what they begin with, numbered.
    bytes: HashMap<Vec<u8>, usize>,
}

impl Replacements {
    /// Replaces these, counted in this order.
    pub(super) fn of(names: Vec<(Kind, String)>) -> Self {
        let devices = names.iter().filter(|(kind, _)| *kind == Kind::Device);
        let mut this = Self {
            digits: devices.count().to_string().len().max(2),
            ..Self::default()
        };
        this.taken = names.iter().map(|(_, text)| text.to_lowercase()).collect();
        for (kind, text) in names {
            this.name(kind, &text);
        }
        this
    }

    /// What stands for `text`; the same whenever it comes again. Nothing stays nothing.
    pub(super) fn name(&mut self, kind: Kind, text: &str) -> String {
        if text.is_empty() {
            return String::new();
        }
        if let Some(known) = self.whole(text) {
            return known.to_owned();
        }
        let new = self.fresh(kind);
        self.learn(text.to_owned(), new.clone());
        if kind == Kind::Host {
            let host = text.to_lowercase();
            self.host_lengths.insert(host.len());
            self.hosts.insert(host, new.clone());
        }
        new
    }

    fn learn(&mut self, text: String, new: String) {
        self.lengths.insert(text.len());
        self.known.entry(text).or_insert(new);
    }

    fn fresh(&mut self, kind: Kind) -> String {
        loop {
            let n = self.counts.entry(kind).or_default();
            *n += 1;
            let new = match kind {
                Kind::Device => format!("{}-{n:0digits$}", kind.word(), digits = self.digits),
                kind => format!("{}-{n}", kind.word()),
            };
            if self.taken.insert(new.clone()) {
                return new;
            }
        }
    }

    /// What stands for the whole of `text`, where that is known.
    pub(super) fn whole(&self, text: &str) -> Option<&str> {
        let exact = self.known.get(text);
        let host = || self.hosts.get(&text.to_lowercase());
        exact.or_else(host).map(String::as_str)
    }

    /// The longest known text that `rest` begins with, as far as it ends where a word may end: its length, and what stands
    /// for it.
    pub(super) fn longest(&self, rest: &str) -> Option<(usize, String)> {
        let ends = |len: usize| {
            let last = rest[..len].chars().next_back();
            let next = rest[len..].chars().next();
            !(last.is_some_and(char::is_alphanumeric) && next.is_some_and(char::is_alphanumeric))
        };
        let fits = |len: &&usize| rest.is_char_boundary(**len) && ends(**len);
        let exact = self.lengths.range(..=rest.len()).rev().filter(fits);
        let exact = exact.filter_map(|&len| Some((len, self.known.get(&rest[..len])?)));
        let hosts = self.host_lengths.range(..=rest.len()).rev().filter(fits);
        let hosts =
            hosts.filter_map(|&len| Some((len, self.hosts.get(&rest[..len].to_lowercase())?)));
        let (exact, host) = (exact.into_iter().next(), hosts.into_iter().next());
        let longest = [exact, host]
            .into_iter()
            .flatten()
            .max_by_key(|(len, _)| *len);
        longest.map(|(len, new)| (len, new.clone()))
    }

    /// What stands for a key, a signature or a hash that is written as hex or as base64; nothing where it is none.
    pub(super) fn key(&mut self, text: &str) -> Option<String> {
        let (bytes, spelling) = Spelling::read(text)?;
        let new = self.new_bytes(&bytes);
        Some(spelling.write(&new))
    }

    /// Those that begin alike begin alike afterwards: people read their first characters only.
    fn new_bytes(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut new = Vec::with_capacity(bytes.len());
        for end in [SHORT_HEX, SHORT_BASE64, bytes.len()] {
            let next = self.bytes.len();
            let n = *self.bytes.entry(bytes[..end].to_owned()).or_insert(next);
            let digest = Sha512::digest(n.to_be_bytes());
            new.extend_from_slice(&digest[new.len()..end]);
        }
        for (old, new) in [
            (hex(bytes), hex(&new)),
            (STANDARD.encode(bytes), STANDARD.encode(&new)),
        ] {
            self.learn(old[..SHORT].to_owned(), new[..SHORT].to_owned());
        }
        new
    }
}

/// How bytes are written.
enum Spelling {
    LowerHex,
    UpperHex,
    Base64(&'static GeneralPurpose),
}

impl Spelling {
    /// Reads 32 or 64 bytes, as keys, hashes and signatures are.
    fn read(text: &str) -> Option<(Vec<u8>, Self)> {
        let whole = |bytes: &Vec<u8>| matches!(bytes.len(), 32 | 64);
        if matches!(text.len(), 64 | 128) && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            let digits = text.as_bytes().chunks(2).map(|two| {
                let two = std::str::from_utf8(two).ok()?;
                u8::from_str_radix(two, 16).ok()
            });
            let bytes: Vec<u8> = digits.collect::<Option<_>>()?;
            let is_upper = text.bytes().any(|b| b.is_ascii_uppercase());
            return Some((
                bytes,
                if is_upper {
                    Self::UpperHex
                } else {
                    Self::LowerHex
                },
            ));
        }
        if !(43..=88).contains(&text.len()) {
            return None;
        }
        let alphabets: [&'static GeneralPurpose; 4] =
            [&STANDARD, &STANDARD_NO_PAD, &URL_SAFE, &URL_SAFE_NO_PAD];
        alphabets.into_iter().find_map(|alphabet| {
            let bytes = alphabet.decode(text).ok().filter(whole)?;
            Some((bytes, Self::Base64(alphabet)))
        })
    }

    fn write(&self, bytes: &[u8]) -> String {
        match self {
            Self::LowerHex => hex(bytes),
            Self::UpperHex => hex(bytes).to_uppercase(),
            Self::Base64(alphabet) => alphabet.encode(bytes),
        }
    }
}
