//! Finds what may be a secret in an inventory, so that no message ever shows it. When in doubt it hides too much.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

use super::address::ssh_user;
use super::auth::kinds;
use super::keys::KDFS;
use crate::config::toml::single_values::{is_env_name, nearest};

/// What the names of keys that people put secrets under have in them.
const SECRET_WORDS: [&str; 8] = [
    "secret",
    "pass",
    "token",
    "pwd",
    "credential",
    "psk",
    "bearer",
    "authorization",
];

/// What such keys are called when they are spelled right.
const SECRET_KEYS: [&str; 4] = ["secret", "password", "passphrase", "token"];

/// The keys whose values say where something is.
const PLACES: [&str; 5] = ["url", "connect", "http_connect", "proxy", "ssh"];

/// Whether a key sounds like one that people put a secret under.
fn sounds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    SECRET_WORDS.iter().any(|w| key.contains(w)) || nearest(&key, SECRET_KEYS).is_some()
}

/// The stretches of `text` to be hidden. `broken` says that the text is not TOML as a whole, so that
/// values may stand where the parser did not look for them.
pub(in crate::config) fn secrets_in(
    text: &str,
    table: &DeTable<'_>,
    broken: bool,
) -> Vec<Range<usize>> {
    let shared = table
        .iter()
        .filter(|(key, _)| key.get_ref() == "secrets")
        .filter_map(|(_, value)| value.get_ref().as_table())
        .flatten()
        .map(|(name, _)| name.get_ref().to_string());
    let mut found = Redactions {
        text,
        shared: shared.collect(),
        out: Vec::new(),
    };
    found.table(table, Inside::Plain);
    if broken {
        found.lines();
    }
    found.out
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Plain,
    Auth,
    Secret,
}

struct Redactions<'t> {
    text: &'t str,
    /// The names of `[secrets]`.
    shared: Vec<String>,
    out: Vec<Range<usize>>,
}

impl Redactions<'_> {
    fn table(&mut self, table: &DeTable<'_>, inside: Inside) {
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            let span = value.span();
            match (inside, key, value.get_ref()) {
                (Inside::Secret, "env", DeValue::String(s)) if is_env_name(s) => {}
                (Inside::Secret, "file" | "prompt" | "command", v) => self.value(v, span),
                (Inside::Secret, "name", DeValue::String(s)) if self.is_shared(s) => {}
                (Inside::Secret, _, v) => self.hide(v, span),
                (_, "auth", DeValue::Table(t)) => self.table(t, Inside::Auth),
                (_, "auth", DeValue::String(s)) if is_kind(s) => {}
                (Inside::Auth, "kind", _) | (Inside::Auth, "legacy", DeValue::Boolean(_)) => {}
                (Inside::Auth, "legacy", DeValue::String(s)) if near(s, ["auto"]) => {}
                (Inside::Auth, "kdf", DeValue::String(s)) if near(s, KDFS.map(|(k, _)| k)) => {}
                (Inside::Plain, "secrets", DeValue::Table(t)) => self.shared(t),
                (_, "secret", DeValue::Table(t)) => self.table(t, Inside::Secret),
                (Inside::Auth, _, v) | (_, "auth", v) => self.hide(v, span),
                (_, k, v) if sounds_secret(k) && !v.is_bool() => self.hide(v, span),
                (_, "url" | "connect" | "http_connect" | "proxy" | "ssh", DeValue::String(s))
                    if s.contains(['?', '#']) =>
                {
                    self.after_mark(span.clone());
                    if s.contains('@') {
                        self.before_at(span);
                    }
                }
                (_, "ssh", DeValue::String(s)) if !ssh_user(s).is_some_and(|u| u.contains(':')) => {
                }
                (_, "url" | "connect" | "http_connect" | "proxy" | "ssh", DeValue::String(s))
                    if s.contains('@') =>
                {
                    self.before_at(span);
                }
                (_, _, v) => self.value(v, span),
            }
        }
    }

    /// The tables of `[secrets]`; whatever else stands there is a secret.
    fn shared(&mut self, table: &DeTable<'_>) {
        for (_, value) in table {
            match value.get_ref() {
                DeValue::Table(t) => self.table(t, Inside::Secret),
                other => self.hide(other, value.span()),
            }
        }
    }

    /// Whether a text is the name of a shared secret, or nearly so.
    fn is_shared(&self, text: &str) -> bool {
        near(text, self.shared.iter().map(String::as_str))
    }

    /// Hides a value with all that is in it: the span of a table with a header is that header only.
    fn hide(&mut self, value: &DeValue<'_>, span: Range<usize>) {
        match value {
            DeValue::Table(t) => t.iter().for_each(|(_, v)| self.hide(v.get_ref(), v.span())),
            DeValue::Array(a) => a.iter().for_each(|v| self.hide(v.get_ref(), v.span())),
            _ => self.out.push(span),
        }
    }

    /// Looks for secrets in something that is none as a whole.
    fn value(&mut self, value: &DeValue<'_>, span: Range<usize>) {
        match value {
            DeValue::Table(t) => self.table(t, Inside::Plain),
            DeValue::Array(a) => a.iter().for_each(|v| self.value(v.get_ref(), v.span())),
            DeValue::String(s) if s.contains("://") => {
                if s.contains(['?', '#']) {
                    self.after_mark(span.clone());
                }
                if s.contains('@') {
                    self.before_at(span);
                }
            }
            _ => {}
        }
    }

    /// Hides the query and the fragment of something like a URL.
    fn after_mark(&mut self, span: Range<usize>) {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        match raw.find(['?', '#']) {
            Some(at) => self
                .out
                .push(span.start + at..span.end.max(span.start + at + 1) - 1),
            // The mark is written as an escape.
            None => self.out.push(span),
        }
    }

    /// Hides what stands before the `@` of something like a URL.
    fn before_at(&mut self, span: Range<usize>) {
        let raw = self.text.get(span.clone()).unwrap_or_default();
        match raw.rfind('@') {
            Some(at) => {
                let from = raw.find("://").filter(|n| *n < at).map_or(1, |n| n + 3);
                self.out.push(span.start + from.min(at)..span.start + at);
            }
            // The `@` is written as an escape.
            None => self.out.push(span),
        }
    }

    /// Line by line, for a text that the parser did not understand.
    fn lines(&mut self) {
        let mut start = 0;
        let mut among_secrets = false;
        for line in self.text.split_inclusive('\n') {
            if let Some(header) = line.trim_start().strip_prefix('[') {
                among_secrets = path_parts(header).any(|k| sounds_secret(k) || k == "auth");
            }
            let hidden = secret_assignment(line).or_else(|| {
                let (key, value) = line.split_once('=').filter(|_| among_secrets)?;
                let blanks = value.len() - value.trim_start().len();
                (key.trim() != "kind").then_some(key.len() + 1 + blanks)
            });
            if let Some(from) = hidden {
                let rest = line[from..].trim();
                let open = ["\"\"\"", "'''", "[", "{"]
                    .iter()
                    .any(|o| rest.starts_with(o) && !rest[o.len()..].contains(closing(o)));
                let end = start + line.trim_end().len();
                if open {
                    self.out.push(start + from..self.text.len());
                    return;
                }
                self.out.push(start + from..end.max(start + from));
            }
            for (scheme, _) in line.match_indices("://") {
                let rest = &line[scheme + 3..];
                let word = rest.find(char::is_whitespace).map_or(rest, |n| &rest[..n]);
                let word_start = start + scheme + 3;
                if let Some(at) = word.rfind('@') {
                    self.out.push(word_start..word_start + at);
                }
                if let Some(mark) = word.find(['?', '#']) {
                    self.out.push(word_start + mark..word_start + word.len());
                }
            }
            if let Some(mark) = line.find(['?', '#'])
                && PLACES.iter().any(|key| line.trim_start().starts_with(key))
            {
                self.out.push(start + mark..start + line.trim_end().len());
            }
            start += line.len();
        }
    }
}

fn is_kind(text: &str) -> bool {
    near(text, kinds())
}

fn near<'k>(text: &str, known: impl IntoIterator<Item = &'k str>) -> bool {
    nearest(text, known).is_some()
}

/// The parts of a dotted key, or of the header of a table.
fn path_parts(path: &str) -> impl Iterator<Item = &str> {
    path.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-')))
        .filter(|part| !part.is_empty())
}

fn closing(open: &str) -> &str {
    match open {
        "[" => "]",
        "{" => "}",
        quotes => quotes,
    }
}

/// Where the value begins that a line gives to a key which sounds secret.
fn secret_assignment(line: &str) -> Option<usize> {
    let mut at = 0;
    for part in line.split_inclusive('=') {
        let key = part
            .trim_end_matches('=')
            .trim_end()
            .rsplit(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\'')))
            .find(|w| !w.is_empty());
        at += part.len();
        let secret = |key: &str| {
            let of_auth = path_parts(key).any(|k| k == "auth")
                && path_parts(key).last() != Some("kind")
                && !line[at..].contains('{');
            of_auth || path_parts(key).any(sounds_secret)
        };
        if part.ends_with('=') && key.is_some_and(secret) {
            return Some(at + line[at..].len() - line[at..].trim_start().len());
        }
    }
    // A key without `=`, as in `secret "hunter2"`.
    let first = line
        .trim_start()
        .split(|c: char| !c.is_alphanumeric())
        .next()?;
    (!line.contains('=') && nearest(first, SECRET_KEYS).is_some())
        .then(|| line.len() - line.trim_start().len() + first.len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::toml::source::Source;

    /// The whole text as it may be shown.
    fn shown(text: &str) -> String {
        let (table, errors) = DeTable::parse_recoverable(text);
        let masks = secrets_in(text, table.get_ref(), !errors.is_empty());
        let source = Source::new(Path::new("f"), text, masks);
        source.excerpt(0, text.split('\n').count() - 1, &[]).0
    }

    #[test]
    fn a_literal_is_hidden_wherever_it_stands() {
        for text in [
            "secret = \"hunter2\"",
            "[[device]]\nauth = { kind = \"passphrase\", secret = \"hunter2\" }",
            "auth = { kind = \"passphrase\", passphrase = \"hunter2\" }",
            "auth = { kind = \"token\", secret = { value = \"hunter2\" } }",
            "auth = { kind = \"token\", secret = { env = \"hunter2!\" } }",
            "auth = { kind = \"token\", secret = [\"hunter2\"] }",
            "auth = { kind = \"token\", whatever = \"hunter2\" }",
            "auth = \"hunter2\"",
            "[device.auth]\nsecrt = \"hunter2\"",
            "[device.password]\nvalue = \"hunter2\"",
            "[[device.auth.secret]]\nvalue = \"hunter2\"",
            "[auth.secret.env]\nx = { y = \"hunter2\" }",
            "tokens = [{ x = 1, y = \"hunter2\" }]",
            "pasword = '''\nhunter2'''",
            "url = \"https://me:hunter2@my.ence.do\"",
            "url = \"me:hunter2@my.ence.do\"",
            "proxy = \"socks5h://me:hun@hunter2@jump:1080\"",
            "ssh = \"me:hunter2@jump\"",
            "ssh = \"ssh://me:hunter2@jump\"",
            "http_connect = \"hunter2@jump:80\"",
            "secret = { name = \"hunter2\" }",
            "auth = { kind = \"passphrase\", kdf = \"hunter2\" }",
            "auth = { kind = \"master_words\", legacy = \"hunter2\" }",
            "[secrets]\nwarsaw = \"hunter2\"",
            "[secrets.warsaw]\nvalue = \"hunter2\"",
            "[secrets.warsaw]\nenv = \"hunter2!\"",
            "[[secrets.warsaw]]\nvalue = \"hunter2\"",
            "url = \"https://my.ence.do/?token=hunter2\"",
            "url = \"https://my.ence.do/#hunter2\"",
            "url = \"https://my.ence.do?a=b@hunter2\"",
            "url = \"https://hunter2@my.ence.do/?hunter2\"",
            "url = \"my.ence.do/?hunter2\"",
            "url = \"https://my.ence.do\\u003fhunter2\"",
            "connect = '127.0.0.1:443/?hunter2'",
            "ssh = \"host7?hunter2\"",
            "tags = [\"http://x/?hunter2\"]",
            "[broker]\nurl = \"https://api.encedo.com/#hunter2\"",
            "url = https://my.ence.do/?hunter2",
            "url = my.ence.do/#hunter2",
            "firmware = \"https://hunter2\\u0040host/\"",
            "tags = [\"http://hunter2@x\"]",
            // Not TOML:
            "secret = \"hunter2\nx = 1",
            "secret = hunter2",
            "secret \"hunter2\"",
            "a b\nauth = { kind = \"token\", secret = \"hunter2",
            "a b\nauth = { kind = \"token\", secret = hunter2 }",
            "secret = \"\"\"\nhunter2\n",
            "secret = [\n\"hunter2\"\n",
            "a b\nsecret = {\n env = [ \"hunter2\"\n",
            "url = https://me:hunter2@my.ence.do",
            "auth = hunter2",
            "a b\ntoken: hunter2",
            "secrets.warsaw = hunter2",
            "[secrets.warsaw]\nwords = hunter2",
            "[device.auth]\nwords = hunter2 hunter2",
            "a b\nauth.words = hunter2",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }

    #[test]
    fn what_is_no_secret_stays_readable() {
        for text in [
            "auth = { kind = \"passphrase\", secret = { env = \"HEM_PASSPHRASE\" } }",
            "secret = { file = \"pass.txt\" }",
            "secret = { command = [\"pass\", \"hem/x\"] }",
            "auth = { kind = \"passphrse\", secret = { prompt = \"Warsaw vaults\" } }",
            "auth = \"none\"",
            "auth = \"prompt\"",
            "auth = { kind = \"passphrase\", kdf = \"argon\" }",
            "auth = { kind = \"master_words\", legacy = true }",
            "ssh = \"ssh://admin@host7\"",
            "secret = { name = \"warsav\" }\n[secrets.warsaw]\nenv = \"HEM_PASSPHRASE\"",
            "tags = [\"usb@desk\"]",
            "url = \"https://my.ence.do\"",
        ] {
            assert_eq!(shown(text), text);
        }
    }
}
