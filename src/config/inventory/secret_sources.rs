//! `secret` of an `auth`, and the `[secrets.NAME]` that several devices share. The secrets themselves are read by
//! `secrets::secret_store`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use toml::de::DeValue;

use super::keys::{SECRET, SOURCES, path};
use crate::config::diagnostic::quoted;
use crate::config::toml::key::names;
use crate::config::toml::reader::{Field, Reader, Section, mismatch, text};
use crate::config::toml::single_values::{self, ValueError};
use crate::model::SecretSource;

/// What to write instead of a secret.
pub(super) const WRITE_SECRET: &str = "write secret = { env = \"HEM_PASSPHRASE\" }, { file = \"…\" }, { command = [\"pass\", \"hem/x\"] }, { prompt = \"…\" } or { name = \"…\" } of a [secrets.NAME]";
const WRITE_SHARED: &str =
    "write a table: [secrets.NAME], with one of env, file, command and prompt in it";

/// The `[secrets]` of an inventory.
#[derive(Debug, Default)]
pub(super) struct SharedSecrets {
    known: BTreeMap<String, Field<SecretSource>>,
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
            reader.report(
                &spot,
                mismatch("a table", value.get_ref()).hint(WRITE_SHARED),
            );
            return all;
        };
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let spot = spot.child(name, value.span());
            if let Err(error) = single_values::word(name) {
                reader.report(&spot, error);
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
                reader.report(&spot, ValueError::new(message).hint(WRITE_SHARED));
                Field::Invalid
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
        self.known.values().filter_map(Field::value)
    }

    /// The source that `secret = { name = … }` means; its place is that of the source itself.
    fn find(&mut self, reader: &mut Reader, secret: &Section<'_>) -> Field<SecretSource> {
        let name = match secret.take(reader, "name", |v| text(v).map(str::to_owned)) {
            Field::Valid(name, spot) => (name, spot),
            Field::Invalid => return Field::Invalid,
            Field::Absent => return Field::Absent,
        };
        if let Some(source) = self.known.get(&name.0) {
            self.used.insert(name.0);
            return source.clone();
        }
        // What is near to no name may be the secret itself, and is not repeated.
        let known = self.known.keys().map(String::as_str);
        let error = match single_values::nearest(&name.0, known) {
            Some(near) => ValueError::new(format!("no secret is called {}", quoted(&name.0)))
                .hint(format!("did you mean {}?", quoted(near))),
            None if self.known.is_empty() => {
                ValueError::new("the name of a secret that is not there")
                    .hint("there is no [secrets.NAME] in this inventory")
            }
            None => {
                let known: Vec<String> = self.known.keys().take(8).map(|k| quoted(k)).collect();
                ValueError::new("the name of a secret that is not there")
                    .hint(format!("known in [secrets]: {}", known.join(", ")))
            }
        };
        reader.missing(&name.1, error);
        Field::Invalid
    }
}

/// The `secret` of an `auth`; the spot is that of the source itself.
pub(super) fn read_secret(
    reader: &mut Reader,
    auth: &Section<'_>,
    shared: &mut SharedSecrets,
) -> Field<SecretSource> {
    let Some((value, spot)) = auth.get("secret") else {
        return Field::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        let error = ValueError::new("a secret in the inventory itself");
        reader.report(&spot, error.hint(WRITE_SECRET));
        return Field::Invalid;
    };
    let s = Section::open(reader, table, spot, SECRET, |_| {
        Some(WRITE_SECRET.to_owned())
    });
    let named = shared.find(reader, &s);
    if named.is_absent() {
        return one_source(reader, &s, table.is_empty(), WRITE_SECRET);
    }
    if names(SOURCES).any(|key| s.get(key).is_some()) {
        let error = ValueError::new("a shared secret with a source of its own");
        reader.report(
            &s.spot,
            error.hint("keep name, and say the source in [secrets.NAME]; or keep the source"),
        );
        return Field::Invalid;
    }
    named
}

/// The one source that a table names.
fn one_source(
    reader: &mut Reader,
    s: &Section<'_>,
    empty: bool,
    hint: &str,
) -> Field<SecretSource> {
    let ways = [
        s.take(reader, "env", |v| {
            single_values::env_name(text(v)?).map(SecretSource::Env)
        }),
        path(reader, s, "file").map(SecretSource::File),
        read_command(reader, s).map(SecretSource::Command),
        s.take(reader, "prompt", |v| {
            single_values::plain_text(text(v)?, "prompt").map(SecretSource::Prompt)
        }),
    ];
    let mut given = ways.into_iter().filter(|w| !w.is_absent());
    match (given.next(), given.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => {
            let error = ValueError::new("more than one source of a secret");
            reader.report(
                &s.spot,
                error.hint("keep one of env, file, command and prompt"),
            );
            Field::Invalid
        }
        (None, _) => {
            if empty {
                let error = ValueError::new("a secret without a source");
                reader.missing(&s.spot, error.hint(hint));
            }
            Field::Invalid
        }
    }
}

fn read_command(reader: &mut Reader, secret: &Section<'_>) -> Field<Vec<String>> {
    const HINT: &str = "write program and arguments as a list: command = [\"pass\", \"hem/x\"]; no shell is involved";
    let Some((value, spot)) = secret.get("command") else {
        return Field::Absent;
    };
    let DeValue::Array(items) = value.get_ref() else {
        reader.report(
            &spot,
            mismatch("a list of strings", value.get_ref()).hint(HINT),
        );
        return Field::Invalid;
    };
    if items.is_empty() {
        reader.report(&spot, ValueError::new("an empty command").hint(HINT));
        return Field::Invalid;
    }
    let mut words = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let item_spot = spot.item(i, item.span());
        let checked = text(item.get_ref()).and_then(|word| match word {
            w if i == 0 && w.trim().is_empty() => {
                Err(ValueError::new("a command without a program").hint(HINT))
            }
            w if w.contains('\0') => {
                Err(ValueError::new("a NUL character in a command").hint(HINT))
            }
            w => Ok(w.to_owned()),
        });
        match checked {
            Ok(word) => words.push(word),
            Err(error) => reader.report(&item_spot, error),
        }
    }
    if words.len() < items.len() {
        return Field::Invalid;
    }
    resolve_program(reader, &mut words);
    Field::Valid(words, spot)
}

/// A program given as a relative path lies beside the inventory, as every other path in it; one
/// without a separator is looked up in `PATH`.
fn resolve_program(reader: &Reader, words: &mut [String]) {
    if let Some(program) = words.first_mut()
        && program.contains(std::path::MAIN_SEPARATOR)
        && Path::new(program.as_str()).is_relative()
        && let Some(anchored) = reader.path(program).to_str()
    {
        anchored.clone_into(program);
    }
}
