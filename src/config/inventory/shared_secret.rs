//! `secret` of an `auth`, and the named `[secrets.NAME]` that several devices share.
//! Must not: read a secret, or repeat one that stands in the file by mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::de::DeValue;

use super::keys::path;
use crate::config::diagnostic::quoted;
use crate::config::toml::reader::{Given, Reader, Section, mismatch, text};
use crate::config::toml::value::{self, Complaint};
use crate::model::SecretSource;

/// Where a secret may come from.
pub(super) const SOURCES: &[&str] = &["env", "file", "command", "prompt"];
/// The same, and the name of one that is shared.
const SECRET: &[&str] = &["env", "file", "command", "prompt", "name"];

/// What to write instead of a secret.
pub(super) const WRITE_SECRET: &str = "write secret = { env = \"HEM_PASSPHRASE\" }, { file = \"…\" }, { command = [\"pass\", \"hem/x\"] }, { prompt = \"…\" } or { name = \"…\" } of a [secrets.NAME]";
const WRITE_SHARED: &str =
    "write a table: [secrets.NAME], with one of env, file, command and prompt in it";

/// The `[secrets]` of an inventory.
#[derive(Debug, Default)]
pub(super) struct SharedSecrets {
    known: BTreeMap<String, Given<SecretSource>>,
    used: BTreeSet<String>,
}

impl SharedSecrets {
    /// Reads all of them.
    pub(in crate::config) fn read(reader: &mut Reader, root: &Section<'_>) -> Self {
        let mut all = Self::default();
        let Some((value, spot)) = root.get("secrets") else {
            return all;
        };
        let Some(table) = value.get_ref().as_table() else {
            reader.complain(
                &spot,
                mismatch("a table", value.get_ref()).hint(WRITE_SHARED),
            );
            return all;
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let spot = spot.child(name, value.span());
            if let Err(complaint) = value::word(name) {
                reader.complain(&spot, complaint);
            }
            let source = if let Some(table) = value.get_ref().as_table() {
                let s = Section::open(reader, table, spot, SOURCES, |key| match key {
                    "name" => Some("a shared secret has a source of its own".to_owned()),
                    _ => Some(WRITE_SHARED.to_owned()),
                });
                one_source(reader, &s, table.is_empty(), WRITE_SHARED)
            } else {
                let message = match value.get_ref() {
                    DeValue::Array(_) => "a list of secrets of one name",
                    _ => "a secret in the inventory itself",
                };
                reader.complain(&spot, Complaint::new(message).hint(WRITE_SHARED));
                Given::Bad
            };
            all.known.insert(name.to_owned(), source);
        }
        all
    }

    /// Those that no `auth` names.
    pub(super) fn unused(&self) -> Vec<String> {
        let unused = |name: &&String| !self.used.contains(*name);
        self.known.keys().filter(unused).cloned().collect()
    }

    /// Where all of them come from.
    pub(super) fn sources(&self) -> impl Iterator<Item = &SecretSource> {
        self.known.values().filter_map(Given::value)
    }

    /// The source that `secret = { name = … }` means; its place is that of the source itself.
    fn find(&mut self, reader: &mut Reader, secret: &Section<'_>) -> Given<SecretSource> {
        let name = match secret.take(reader, "name", |v| text(v).map(str::to_owned)) {
            Given::Good(name, spot) => (name, spot),
            Given::Bad => return Given::Bad,
            Given::Absent => return Given::Absent,
        };
        if let Some(source) = self.known.get(&name.0) {
            self.used.insert(name.0);
            return source.clone();
        }
        // What is near to no name may be the secret itself, and is not repeated.
        let known = self.known.keys().map(String::as_str);
        let complaint = match value::nearest(&name.0, known) {
            Some(near) => Complaint::new(format!("no secret is called {}", quoted(&name.0)))
                .hint(format!("did you mean {}?", quoted(near))),
            None if self.known.is_empty() => {
                Complaint::new("the name of a secret that is not there")
                    .hint("there is no [secrets.NAME] in this inventory")
            }
            None => {
                let known: Vec<String> = self.known.keys().take(8).map(|k| quoted(k)).collect();
                Complaint::new("the name of a secret that is not there")
                    .hint(format!("known in [secrets]: {}", known.join(", ")))
            }
        };
        reader.missing(&name.1, complaint);
        Given::Bad
    }
}

/// The `secret` of an `auth`; the spot is that of the source itself.
pub(super) fn read_secret(
    reader: &mut Reader,
    auth: &Section<'_>,
    shared: &mut SharedSecrets,
) -> Given<SecretSource> {
    let Some((value, spot)) = auth.get("secret") else {
        return Given::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        let complaint = Complaint::new("a secret in the inventory itself");
        reader.complain(&spot, complaint.hint(WRITE_SECRET));
        return Given::Bad;
    };
    let s = Section::open(reader, table, spot, SECRET, |_| {
        Some(WRITE_SECRET.to_owned())
    });
    let named = shared.find(reader, &s);
    if named.is_absent() {
        return one_source(reader, &s, table.is_empty(), WRITE_SECRET);
    }
    if SOURCES.iter().any(|key| s.get(key).is_some()) {
        let complaint = Complaint::new("a shared secret with a source of its own");
        reader.complain(
            &s.spot,
            complaint.hint("keep name, and say the source in [secrets.NAME]; or keep the source"),
        );
        return Given::Bad;
    }
    named
}

/// The one source that a table names.
fn one_source(
    reader: &mut Reader,
    s: &Section<'_>,
    empty: bool,
    hint: &str,
) -> Given<SecretSource> {
    let ways = [
        s.take(reader, "env", |v| {
            value::env_name(text(v)?).map(SecretSource::Env)
        }),
        path(reader, s, "file").map(SecretSource::File),
        read_command(reader, s).map(SecretSource::Command),
        s.take(reader, "prompt", |v| {
            value::plain_text(text(v)?, "prompt").map(SecretSource::Prompt)
        }),
    ];
    let mut given = ways.into_iter().filter(|w| !w.is_absent());
    match (given.next(), given.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => {
            let complaint = Complaint::new("more than one source of a secret");
            reader.complain(
                &s.spot,
                complaint.hint("keep one of env, file, command and prompt"),
            );
            Given::Bad
        }
        (None, _) => {
            if empty {
                let complaint = Complaint::new("a secret without a source");
                reader.missing(&s.spot, complaint.hint(hint));
            }
            Given::Bad
        }
    }
}

fn read_command(reader: &mut Reader, secret: &Section<'_>) -> Given<Vec<String>> {
    const HINT: &str = "write program and arguments as a list: command = [\"pass\", \"hem/x\"]; no shell is involved";
    let Some((value, spot)) = secret.get("command") else {
        return Given::Absent;
    };
    let DeValue::Array(items) = value.get_ref() else {
        reader.complain(
            &spot,
            mismatch("a list of strings", value.get_ref()).hint(HINT),
        );
        return Given::Bad;
    };
    if items.is_empty() {
        reader.complain(&spot, Complaint::new("an empty command").hint(HINT));
        return Given::Bad;
    }
    let mut words = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let item_spot = spot.item(i, item.span());
        let checked = text(item.get_ref()).and_then(|word| match word {
            w if i == 0 && w.trim().is_empty() => {
                Err(Complaint::new("a command without a program").hint(HINT))
            }
            w if w.contains('\0') => Err(Complaint::new("a NUL character in a command").hint(HINT)),
            w => Ok(w.to_owned()),
        });
        match checked {
            Ok(word) => words.push(word),
            Err(complaint) => reader.complain(&item_spot, complaint),
        }
    }
    if words.len() < items.len() {
        return Given::Bad;
    }
    anchor(reader, &mut words);
    Given::Good(words, spot)
}

/// A program given as a relative path lies beside the inventory, as every other path in it; one
/// without a separator is looked up in `PATH`.
fn anchor(reader: &Reader, words: &mut [String]) {
    if let Some(program) = words.first_mut()
        && program.contains(std::path::MAIN_SEPARATOR)
        && Path::new(program.as_str()).is_relative()
        && let Some(anchored) = reader.path(program).to_str()
    {
        anchored.clone_into(program);
    }
}
