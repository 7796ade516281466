//! `auth` and `secret` of the inventory: which kind of login, and where its secret comes from.
//! Must not: read a secret, or repeat one that stands in the file by mistake.

use std::path::Path;

use toml::de::DeValue;

use super::fault::quoted;
use super::file::path;
use super::value::{self, Checked, Complaint};
use super::walk::{Given, Section, Spot, Walk, mismatch, text};
use crate::model::{AuthMethod, KdfChoice, SecretSource};

const AUTH: &[&str] = &["kind", "secret"];
const KINDS: [&str; 3] = ["passphrase", "token", "none"];
const SECRET: &[&str] = &["env", "file", "command", "prompt"];

/// What to write instead of a secret.
pub(super) const WRITE_SECRET: &str = "write secret = { env = \"HEM_PASSPHRASE\" }, { file = \"…\" }, { command = [\"pass\", \"hem/x\"] } or { prompt = \"…\" }";

/// A kind of login, and where the source of its secret stands.
#[derive(Clone, Debug)]
pub(super) struct AuthPart {
    pub(super) method: AuthMethod,
    pub(super) secret: Spot,
}

/// The `auth` of a device or of `[defaults]`.
pub(super) fn read_auth(walk: &mut Walk, device: &Section<'_>) -> Given<AuthPart> {
    let Some((value, spot)) = device.get("auth") else {
        return Given::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        let hint = match value.get_ref().as_str() {
            Some("none") => "write auth = { kind = \"none\" }",
            _ => "write auth = { kind = \"passphrase\", secret = { env = \"HEM_PASSPHRASE\" } }",
        };
        walk.complain(&spot, mismatch("a table", value.get_ref()).hint(hint));
        return Given::Bad;
    };
    let s = Section::open(walk, table, spot.clone(), AUTH, |key| match key {
        k if SECRET.contains(&k) => Some(format!("`{k}` belongs in secret = {{ … }}")),
        "password" | "passphrase" | "token" | "value" => Some(WRITE_SECRET.to_owned()),
        _ => None,
    });
    let kind = s.take(walk, "kind", |v| kind(text(v)?));
    let secret = read_secret(walk, &s);
    if kind.is_absent() {
        let complaint = Complaint::new("auth without a kind");
        walk.missing(
            &spot,
            complaint.hint("add kind = \"passphrase\", \"token\" or \"none\""),
        );
    }
    let method = match (kind.value(), secret) {
        (Some(&"none"), Given::Absent) => Some((AuthMethod::None, spot.clone())),
        (Some(&"none"), Given::Good(_, at)) => {
            let complaint = Complaint::new("a secret for a device without login");
            walk.complain(
                &at,
                complaint.hint("remove it, or write kind = \"passphrase\" or \"token\""),
            );
            None
        }
        (Some(kind), Given::Absent) => {
            let complaint =
                Complaint::new(format!("auth of kind {} without a secret", quoted(kind)));
            walk.missing(&spot, complaint.hint(WRITE_SECRET));
            None
        }
        (Some(&"token"), Given::Good(source, at)) => Some((AuthMethod::Token(source), at)),
        (Some(_), Given::Good(source, at)) => {
            Some((AuthMethod::Passphrase(source, KdfChoice::Pbkdf2), at))
        }
        (None, _) | (_, Given::Bad) => None,
    };
    method.map_or(Given::Bad, |(method, secret)| {
        Given::Good(AuthPart { method, secret }, spot)
    })
}

fn kind(text: &str) -> Checked<&'static str> {
    if let Some(known) = KINDS.iter().find(|k| **k == text) {
        return Ok(known);
    }
    let hint = match value::nearest(text, KINDS) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "known: \"passphrase\", \"token\" and \"none\"".to_owned(),
    };
    Err(Complaint::new(format!("{} is no kind of login", quoted(text))).hint(hint))
}

/// The `secret` of an `auth`; the spot is that of the source itself.
fn read_secret(walk: &mut Walk, auth: &Section<'_>) -> Given<SecretSource> {
    let Some((value, spot)) = auth.get("secret") else {
        return Given::Absent;
    };
    let Some(table) = value.get_ref().as_table() else {
        let complaint = Complaint::new("a secret in the inventory itself");
        walk.complain(&spot, complaint.hint(WRITE_SECRET));
        return Given::Bad;
    };
    let s = Section::open(walk, table, spot.clone(), SECRET, |_| {
        Some(WRITE_SECRET.to_owned())
    });
    let ways = [
        s.take(walk, "env", |v| {
            value::env_name(text(v)?).map(SecretSource::Env)
        }),
        path(walk, &s, "file").map(SecretSource::File),
        read_command(walk, &s).map(SecretSource::Command),
        s.take(walk, "prompt", |v| {
            value::plain_text(text(v)?, "prompt").map(SecretSource::Prompt)
        }),
    ];
    let mut given = ways.into_iter().filter(|w| !w.is_absent());
    match (given.next(), given.next()) {
        (Some(one), None) => one,
        (Some(_), Some(_)) => {
            let complaint = Complaint::new("more than one source of a secret");
            walk.complain(
                &spot,
                complaint.hint("keep one of env, file, command and prompt"),
            );
            Given::Bad
        }
        (None, _) => {
            if table.is_empty() {
                walk.missing(
                    &spot,
                    Complaint::new("a secret without a source").hint(WRITE_SECRET),
                );
            }
            Given::Bad
        }
    }
}

fn read_command(walk: &mut Walk, secret: &Section<'_>) -> Given<Vec<String>> {
    const HINT: &str = "write program and arguments as a list: command = [\"pass\", \"hem/x\"]; no shell is involved";
    let Some((value, spot)) = secret.get("command") else {
        return Given::Absent;
    };
    let DeValue::Array(items) = value.get_ref() else {
        walk.complain(
            &spot,
            mismatch("a list of strings", value.get_ref()).hint(HINT),
        );
        return Given::Bad;
    };
    if items.is_empty() {
        walk.complain(&spot, Complaint::new("an empty command").hint(HINT));
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
            Err(complaint) => walk.complain(&item_spot, complaint),
        }
    }
    if words.len() < items.len() {
        return Given::Bad;
    }
    anchor(walk, &mut words);
    Given::Good(words, spot)
}

/// A program given as a relative path lies beside the inventory, as every other path in it; one
/// without a separator is looked up in `PATH`.
fn anchor(walk: &Walk, words: &mut [String]) {
    if let Some(program) = words.first_mut()
        && program.contains(std::path::MAIN_SEPARATOR)
        && Path::new(program.as_str()).is_relative()
        && let Some(anchored) = walk.path(program).to_str()
    {
        anchored.clone_into(program);
    }
}
