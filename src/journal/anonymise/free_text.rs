//! Finds in a text what tells whose run it is: names that are known, and whatever looks like a URL, a host, an address, a
//! user, a path, a key or a serial number. What stands for it is in `replacements`.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::replacements::{Kind, Replacements};

/// From how many digits or letters on a word is a number of its own, such as a serial number or a part of a key.
const LONG_HEX: usize = 16;
const LONG_BASE64: usize = 20;

/// What stands before a hash.
const HASHES: [&str; 3] = ["sha256//", "sha256:", "SHA256:"];

/// `text` with everything replaced.
pub(super) fn replaced(text: &str, names: &mut Replacements) -> String {
    if let Some(whole) = names.whole(text) {
        return whole.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Whether a word may begin here.
    let mut begins = true;
    while let Some(first) = rest.chars().next() {
        let is_word = first.is_alphanumeric();
        if (begins || !is_word)
            && let Some((len, new)) = found(rest, begins, names)
        {
            out.push_str(&new);
            rest = &rest[len..];
            begins = true;
            continue;
        }
        out.push(first);
        rest = &rest[first.len_utf8()..];
        begins = !is_word;
    }
    out
}

/// What `rest` begins with: its length, and what stands for it.
fn found(rest: &str, begins: bool, names: &mut Replacements) -> Option<(usize, String)> {
    let known = names.longest(rest);
    let at_least = known.as_ref().map_or(0, |(len, _)| *len);
    // Whatever is longer than a known name holds it, such as the host that is called like its device.
    let longer = |found: &Found| found.len > at_least;
    let looks = if begins { looks_like(rest) } else { None };
    match looks.filter(longer) {
        Some(found) => found.replaced(&rest[..found.len], names).or(known),
        None => known,
    }
}

/// Something that is to be replaced by its looks.
struct Found {
    len: usize,
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Url,
    UserAtHost,
    Host,
    Path,
    Key,
    Number,
    /// What says how the key behind it is written.
    Word,
}

impl Found {
    fn replaced(&self, text: &str, names: &mut Replacements) -> Option<(usize, String)> {
        let new = match self.what {
            What::Url => url(text, names)?,
            What::UserAtHost => {
                let (user, host) = text.split_once('@')?;
                let (user, host) = (names.name(Kind::User, user), names.name(Kind::Host, host));
                format!("{user}@{host}")
            }
            What::Host => names.name(Kind::Host, bare(text)),
            What::Path => names.name(Kind::Path, text),
            What::Key => names.key(text)?,
            What::Number => names.name(Kind::Serial, text),
            What::Word => text.to_owned(),
        };
        Some((self.len, new))
    }
}

fn looks_like(rest: &str) -> Option<Found> {
    let hash = HASHES.into_iter().find(|hash| rest.starts_with(hash));
    if let Some(hash) = hash {
        return Some(Found {
            len: hash.len(),
            what: What::Word,
        });
    }
    // A key may hold a slash, and begin with one.
    let run = run_of(rest, |c| c.is_ascii_alphanumeric() || "+/-_".contains(c));
    let padded = run + run_of(&rest[run..], |c| c == '=');
    if is_key(&rest[..padded]) {
        return Some(Found {
            len: padded,
            what: What::Key,
        });
    }
    let parts = [
        url_len(rest),
        user_at_host(rest),
        host_len(rest),
        path_len(rest),
        number(rest),
    ];
    let whats = [
        What::Url,
        What::UserAtHost,
        What::Host,
        What::Path,
        What::Number,
    ];
    let found = parts.into_iter().zip(whats);
    let found = found.filter_map(|(len, what)| Some(Found { len: len?, what }));
    // Of two that are as long the first counts.
    found.reduce(|best, next| if next.len > best.len { next } else { best })
}

/// The bytes at the start of `text` whose characters are like this.
fn run_of(text: &str, is: impl Fn(char) -> bool) -> usize {
    text.find(|c| !is(c)).unwrap_or(text.len())
}

/// Whether it may be 32 or 64 bytes.
fn is_key(text: &str) -> bool {
    let is_hex = text.bytes().all(|b| b.is_ascii_hexdigit());
    match text.len() {
        64 | 128 => is_hex,
        // Base64 of as many, padded or not.
        43 | 44 | 86 | 88 => true,
        _ => false,
    }
}

fn url_len(rest: &str) -> Option<usize> {
    let scheme = run_of(rest, |c| c.is_ascii_alphanumeric() || c == '+');
    let authority = scheme + 3;
    if scheme == 0 || rest.get(scheme..authority)? != "://" {
        return None;
    }
    let end = run_of(&rest[authority..], |c| {
        !c.is_whitespace() && !"\"'<>`,;)".contains(c)
    });
    (end > 0).then(|| authority + trimmed(&rest[authority..authority + end]))
}

fn url(text: &str, names: &mut Replacements) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let (user, at) = match authority.rsplit_once('@') {
        Some((user, at)) => (format!("{}@", names.name(Kind::User, user)), at),
        None => (String::new(), authority),
    };
    let (host, port) = split_port(at);
    let host = names.name(Kind::Host, bare(host));
    let path = match path {
        "" | "/" => path.to_owned(),
        path => names.name(Kind::Path, path),
    };
    Some(format!("{scheme}://{user}{host}{port}{path}"))
}

fn user_at_host(rest: &str) -> Option<usize> {
    let user = run_of(rest, |c| c.is_alphanumeric() || "._+-".contains(c));
    // A single letter is a word of its own elsewhere.
    if user < 2 || !rest[user..].starts_with('@') {
        return None;
    }
    let host = run_of(&rest[user + 1..], is_of_host);
    let host = trimmed(&rest[user + 1..user + 1 + host]);
    (host > 0).then_some(user + 1 + host)
}

/// A name with dots whose last part is letters, or an address.
fn host_len(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('[').map(|inner| run_of(inner, is_of_v6));
    if let Some(len) = inner
        && rest[1 + len..].starts_with(']')
        && is_v6(&rest[1..=len])
    {
        return Some(len + 2);
    }
    let v6 = run_of(rest, is_of_v6);
    let v6 = rest[..v6]
        .trim_end_matches(['.', ':'])
        .len()
        .max(if rest[..v6].ends_with("::") { v6 } else { 0 });
    if is_v6(&rest[..v6]) {
        return Some(v6);
    }
    let len = trimmed(&rest[..run_of(rest, is_of_host)]);
    let name = &rest[..len];
    if name.parse::<Ipv4Addr>().is_ok() {
        return Some(len);
    }
    let last = name.rsplit_once('.')?.1;
    let labels = name.split('.').all(|label| !label.is_empty());
    let is_name = labels && last.chars().count() > 1 && last.chars().all(char::is_alphabetic);
    is_name.then_some(len)
}

fn is_of_host(c: char) -> bool {
    c.is_alphanumeric() || "._-".contains(c)
}

fn is_of_v6(c: char) -> bool {
    c.is_ascii_hexdigit() || ":.".contains(c)
}

fn is_v6(text: &str) -> bool {
    text.len() > 2 && text.parse::<Ipv6Addr>().is_ok()
}

/// A path from the root or from a home folder; the device's own endpoints are no secret.
fn path_len(rest: &str) -> Option<usize> {
    let from = ["/", "~/"]
        .into_iter()
        .find(|from| rest.starts_with(from))?;
    if rest.starts_with("/api/")
        || !rest[from.len()..].starts_with(|c: char| c.is_alphanumeric() || "._".contains(c))
    {
        return None;
    }
    let len = run_of(rest, |c| !c.is_whitespace() && !"\"'<>`,;:)".contains(c));
    Some(trimmed(&rest[..len])).filter(|len| *len > from.len())
}

/// A serial number or the like: many hex digits, or a mixture that is no word.
fn number(rest: &str) -> Option<usize> {
    let len = run_of(rest, |c| c.is_ascii_alphanumeric() || "+/-_=".contains(c));
    let word = rest[..len].trim_end_matches('-');
    let digits = word.bytes().filter(|b| *b != b'-');
    let is_hex = digits.clone().all(|b| b.is_ascii_hexdigit()) && digits.count() >= LONG_HEX;
    let has = |is: fn(&u8) -> bool| word.bytes().any(|b| is(&b));
    let is_mixed = word.len() >= LONG_BASE64
        && has(u8::is_ascii_digit)
        && has(u8::is_ascii_uppercase)
        && has(u8::is_ascii_lowercase);
    (is_hex || is_mixed).then_some(word.len())
}

/// The length of `text` without the marks that end a sentence or a part of it.
fn trimmed(text: &str) -> usize {
    text.trim_end_matches(['.', ':', '!', '?', '…', '-']).len()
}

/// A host without the brackets of an address.
fn bare(host: &str) -> &str {
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host)
}

/// A host, and its port with the colon before it.
fn split_port(at: &str) -> (&str, &str) {
    match at.rfind(':') {
        Some(colon)
            if at[colon + 1..].bytes().all(|b| b.is_ascii_digit())
                && (at.starts_with('[') == at[..colon].ends_with(']'))
                && (at.starts_with('[') || !at[..colon].contains(':')) =>
        {
            at.split_at(colon)
        }
        _ => (at, ""),
    }
}

/// `host:port` and the like with its host replaced, where the whole text is one.
pub(super) fn host_and_port(text: &str, names: &mut Replacements) -> String {
    let (user, at) = match text.rsplit_once('@') {
        Some((user, at)) => (Some(user), at),
        None => (None, text),
    };
    let (host, port) = split_port(at);
    let host = names.name(Kind::Host, bare(host));
    match user {
        Some(user) => format!("{}@{host}{port}", names.name(Kind::User, user)),
        None => format!("{host}{port}"),
    }
}

/// The host of a URL.
pub(super) fn host_of(url: &str) -> Option<&str> {
    let (_, rest) = url.split_once("://")?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let at = authority.rsplit_once('@').map_or(authority, |(_, at)| at);
    Some(bare(split_port(at).0)).filter(|host| !host.is_empty())
}

/// The hosts that are on the way to a device: see [`Reach`](crate::model::Reach).
pub(super) fn hosts_of_reach(reach: &str) -> impl Iterator<Item = &str> {
    let parts = reach.split(" by ").map(|part| {
        let way = ["proxy ", "ssh "]
            .into_iter()
            .find_map(|how| part.strip_prefix(how));
        bare(split_port(way.unwrap_or(part)).0)
    });
    parts.filter(|host| !host.is_empty())
}
