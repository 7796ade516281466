//! `auth` of a device: the kind of login and the keys that belong to it. Its `secret` is in `secret_sources`.

use toml::de::DeValue;

use super::keys::{AUTH, KDFS, KINDS, SOURCES};
use super::secret_sources::{SharedSecrets, WRITE_SECRET, read_secret};
use crate::config::diagnostic::quoted;
use crate::config::toml::key::names;
use crate::config::toml::reader::{Field, KeySpan, Reader, Section, choice, mismatch, text};
use crate::config::toml::single_values::{self, ValueError, ValueResult};
use crate::model::{AuthMethod, KdfChoice, SecretSource, WordsChoice};

/// The names of the kinds of login.
pub(super) fn kinds() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|(kind, _)| *kind)
}

/// A kind of login, and where the source of its secret stands.
#[derive(Clone, Debug)]
pub(in crate::config) struct AuthPart {
    pub(in crate::config) method: AuthMethod,
    pub(in crate::config) secret: KeySpan,
}

/// The `auth` of a device or of `[defaults]`.
pub(super) fn read_auth(
    reader: &mut Reader,
    device: &Section<'_>,
    shared: &mut SharedSecrets,
) -> Field<AuthPart> {
    let Some((value, spot)) = device.get("auth") else {
        return Field::Absent;
    };
    let part = |method, secret| Field::Valid(AuthPart { method, secret }, spot.clone());
    let table = match (value.get_ref(), value.get_ref().as_str()) {
        (DeValue::Table(table), _) => table,
        (_, Some("prompt")) => return part(AuthMethod::Prompt, spot.clone()),
        (other, text) => {
            let hint = match text {
                Some(kind @ ("none" | "mobile")) => {
                    format!("write auth = {{ kind = \"{kind}\" }}")
                }
                _ => "write auth = { kind = \"passphrase\", secret = { env = \"HEM_PASSPHRASE\" } }, or auth = \"prompt\"".to_owned(),
            };
            reader.report(&spot, mismatch("a table", other).hint(hint));
            return Field::Invalid;
        }
    };
    let s = Section::open(reader, table, spot.clone(), AUTH, |key| match key {
        k if names(SOURCES).any(|source| source == k) => {
            Some(format!("`{k}` belongs in secret = {{ … }}"))
        }
        "password" | "passphrase" | "words" | "token" | "value" => Some(WRITE_SECRET.to_owned()),
        _ => None,
    });
    let kind = s.take(reader, "kind", |v| kind(text(v)?));
    let secret = read_secret(reader, &s, shared);
    let kdf = s.take(reader, "kdf", |v| choice(v, &KDFS));
    let legacy = s.take(reader, "legacy", legacy);
    if kind.is_absent() {
        let known: Vec<String> = kinds().map(|k| format!("\"{k}\"")).collect();
        let hint = format!("add kind = one of {}", known.join(", "));
        reader.missing(&spot, ValueError::new("auth without a kind").hint(hint));
    }
    let Some((kind, keys)) = kind.value() else {
        return Field::Invalid;
    };
    if strangers(reader, &s, kind, keys)
        || matches!(kdf, Field::Invalid)
        || matches!(legacy, Field::Invalid)
    {
        return Field::Invalid;
    }
    if !keys.contains(&"secret") {
        let method = match *kind {
            "mobile" => AuthMethod::Mobile,
            "prompt" => AuthMethod::Prompt,
            _ => AuthMethod::None,
        };
        return part(method, spot.clone());
    }
    match secret {
        Field::Valid(source, at) => part(with_secret(kind, source, &kdf, &legacy), at),
        Field::Invalid => Field::Invalid,
        Field::Absent => {
            let error = ValueError::new(format!("auth of kind {} without a secret", quoted(kind)));
            reader.missing(&spot, error.hint(WRITE_SECRET));
            Field::Invalid
        }
    }
}

fn with_secret(
    kind: &str,
    source: SecretSource,
    kdf: &Field<KdfChoice>,
    legacy: &Field<WordsChoice>,
) -> AuthMethod {
    match kind {
        "token" => AuthMethod::Token(source),
        "master_words" => {
            AuthMethod::MasterWords(source, legacy.value().copied().unwrap_or_default())
        }
        _ => AuthMethod::Passphrase(source, kdf.value().copied().unwrap_or_default()),
    }
}

/// Reports the keys that other kinds have.
fn strangers(reader: &mut Reader, auth: &Section<'_>, kind: &str, keys: &[&str]) -> bool {
    let mut found = false;
    for key in names(AUTH).filter(|k| *k != "kind" && !keys.contains(k)) {
        let Some((_, spot)) = auth.get(key) else {
            continue;
        };
        found = true;
        let owners: Vec<String> = KINDS
            .iter()
            .filter(|(_, keys)| keys.contains(&key))
            .map(|(kind, _)| format!("\"{kind}\""))
            .collect();
        let error = ValueError::new(format!("auth of kind {} has no `{key}`", quoted(kind)));
        let hint = format!("remove it, or write kind = {}", owners.join(" or "));
        reader.report(&spot, error.hint(hint));
    }
    found
}

fn kind(text: &str) -> ValueResult<(&'static str, &'static [&'static str])> {
    if let Some(known) = KINDS.iter().find(|(kind, _)| *kind == text) {
        return Ok(*known);
    }
    let hint = match single_values::nearest(text, kinds()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("known: {}", kinds().collect::<Vec<_>>().join(", ")),
    };
    Err(ValueError::new(format!("{} is no kind of login", quoted(text))).hint(hint))
}

/// `true`, `false` or `"auto"`.
fn legacy(value: &DeValue<'_>) -> ValueResult<WordsChoice> {
    match (value.as_bool(), value.as_str()) {
        (Some(true), _) => Ok(WordsChoice::Legacy),
        (Some(false), _) => Ok(WordsChoice::Current),
        (None, Some("auto")) => Ok(WordsChoice::Auto),
        _ => Err(ValueError::new("neither true, nor false, nor \"auto\"")
            .hint("true: words of Manager 1; false: of Manager 2; \"auto\" tries both")),
    }
}
