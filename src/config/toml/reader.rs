//! Reads typed values from the parsed document and collects what is wrong with them. The inventory's keys are in
//! `inventory`.

use std::collections::HashSet;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::key::{Key, Value, names};
use super::single_values::{self, ValueError, ValueResult};
use super::source::{Location, Source};
use crate::config::diagnostic::{Diagnostic, Diagnostics, quoted};

/// Where a value stands: in the file, in the tree of keys, and in which device.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct KeySpan {
    pub(in crate::config) span: Range<usize>,
    pub(in crate::config) key: String,
    pub(in crate::config) device: Option<String>,
}

impl KeySpan {
    pub(in crate::config) fn child(&self, key: &str, span: Range<usize>) -> Self {
        let bare = !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let key = if bare {
            key.to_owned()
        } else {
            format!("{key:?}")
        };
        Self {
            span,
            key: if self.key.is_empty() {
                key
            } else {
                format!("{}.{key}", self.key)
            },
            device: self.device.clone(),
        }
    }

    pub(in crate::config) fn item(&self, index: usize, span: Range<usize>) -> Self {
        Self {
            span,
            key: format!("{}[{index}]", self.key),
            device: self.device.clone(),
        }
    }
}

/// A value of the file: not there, there but wrong (and reported), or valid.
#[derive(Clone, Debug, Default)]
pub(in crate::config) enum Field<T> {
    #[default]
    Absent,
    Invalid,
    Valid(T, KeySpan),
}

impl<T> Field<T> {
    /// This one, or `other` where this one is not there.
    pub(in crate::config) fn or<'a>(&'a self, other: &'a Self) -> &'a Self {
        match self {
            Self::Absent => other,
            _ => self,
        }
    }

    pub(in crate::config) fn map<U>(self, f: impl FnOnce(T) -> U) -> Field<U> {
        match self {
            Self::Absent => Field::Absent,
            Self::Invalid => Field::Invalid,
            Self::Valid(v, spot) => Field::Valid(f(v), spot),
        }
    }

    pub(in crate::config) fn valid(&self) -> Option<(&T, &KeySpan)> {
        match self {
            Self::Valid(v, s) => Some((v, s)),
            _ => None,
        }
    }

    pub(in crate::config) fn value(&self) -> Option<&T> {
        self.valid().map(|(v, _)| v)
    }

    pub(in crate::config) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

/// Reads values, and collects what is wrong with them.
pub(in crate::config) struct Reader {
    source: Arc<Source>,
    /// The folder that relative paths of the file start from.
    base: PathBuf,
    faults: Diagnostics,
    /// Lines with syntax errors. What the parser guessed of them is not checked.
    bad_lines: HashSet<usize>,
    /// From this byte on, the parser only guesses.
    lost_from: usize,
}

impl Reader {
    pub(in crate::config) fn new(source: Arc<Source>, base: &Path) -> Self {
        Self {
            source,
            base: base.to_path_buf(),
            faults: Diagnostics::default(),
            bad_lines: HashSet::new(),
            lost_from: usize::MAX,
        }
    }

    /// Reports a syntax error, if it is the first one. Its line is not checked any further, and nothing is called
    /// missing any more.
    pub(super) fn syntax_error(&mut self, span: Range<usize>, message: &str, hint: &str) {
        let at = Location::new(&self.source, span);
        let is_first = self.bad_lines.is_empty();
        self.bad_lines.insert(at.line());
        if is_first {
            self.faults.push(Diagnostic::new(message).at(at).hint(hint));
        }
    }

    /// From this byte on, nothing is checked.
    pub(super) fn lost_from(&mut self, byte: usize) {
        self.lost_from = self.lost_from.min(byte);
    }

    pub(in crate::config) fn location(&self, spot: &KeySpan) -> Location {
        Location::new(&self.source, spot.span.clone())
    }

    pub(in crate::config) fn fault(&self, spot: &KeySpan, error: ValueError) -> Diagnostic {
        let mut fault = Diagnostic::new(error.message).at(self.location(spot));
        if let Some(hint) = error.hint {
            fault = fault.hint(hint);
        }
        if !spot.key.is_empty() {
            fault = fault.key(&spot.key);
        }
        if let Some(device) = &spot.device {
            fault = fault.device(device);
        }
        fault
    }

    /// Reports what is wrong at `spot`.
    pub(in crate::config) fn report(&mut self, spot: &KeySpan, error: ValueError) {
        self.push(self.fault(spot, error));
    }

    pub(in crate::config) fn push(&mut self, fault: Diagnostic) {
        let is_checked = fault.location().is_none_or(|at| {
            at.span().start < self.lost_from && !self.bad_lines.contains(&at.line())
        });
        if is_checked {
            self.faults.push(fault);
        }
    }

    /// The number of faults so far.
    pub(in crate::config) fn faults(&self) -> usize {
        self.faults.len()
    }

    /// Whether something that is not there can be called missing.
    pub(in crate::config) fn read_all(&self) -> bool {
        self.bad_lines.is_empty()
    }

    pub(in crate::config) fn missing(&mut self, spot: &KeySpan, error: ValueError) {
        if self.read_all() {
            self.report(spot, error);
        }
    }

    /// A path of the file, as seen from the folder of the file.
    pub(in crate::config) fn path(&self, path: &str) -> PathBuf {
        self.base.join(path)
    }

    pub(in crate::config) fn into_diagnostics(self) -> Diagnostics {
        self.faults
    }
}

/// One table of the file.
pub(in crate::config) struct Section<'d> {
    table: &'d DeTable<'d>,
    keys: &'static [Key],
    pub(in crate::config) spot: KeySpan,
}

impl<'d> Section<'d> {
    /// Opens a table and complains of the keys that are not among `known`. `elsewhere` finds a better
    /// hint for an unknown key than the nearest known one.
    pub(in crate::config) fn open(
        reader: &mut Reader,
        table: &'d DeTable<'d>,
        spot: KeySpan,
        known: &'static [Key],
        elsewhere: impl Fn(&str) -> Option<String>,
    ) -> Self {
        for (key, _) in table {
            let name = key.get_ref().as_ref();
            if names(known).any(|key| key == name) {
                continue;
            }
            let hint = single_values::nearest(name, names(known))
                .map(|near| format!("did you mean `{near}`?"))
                .or_else(|| elsewhere(name))
                .unwrap_or_else(|| {
                    let known: Vec<&str> = names(known).collect();
                    format!("known here: {}", known.join(", "))
                });
            reader.report(
                &spot.child(name, key.span()),
                ValueError::new(format!("unknown key {}", quoted(name))).hint(hint),
            );
        }
        let keys = known;
        Self { table, keys, spot }
    }

    pub(in crate::config) fn get(&self, key: &str) -> Option<(&'d Spanned<DeValue<'d>>, KeySpan)> {
        self.table
            .iter()
            .find(|(k, _)| k.get_ref().as_ref() == key)
            .map(|(_, v)| (v, self.spot.child(key, v.span())))
    }

    /// Reads the value of `key`, if it is there, and complains if it is wrong.
    pub(in crate::config) fn take<T>(
        &self,
        reader: &mut Reader,
        key: &str,
        read: impl FnOnce(&'d DeValue<'d>) -> ValueResult<T>,
    ) -> Field<T> {
        let Some((value, spot)) = self.get(key) else {
            return Field::Absent;
        };
        match read(value.get_ref()) {
            Ok(v) => Field::Valid(v, spot),
            Err(error) => {
                reader.report(&spot, error);
                Field::Invalid
            }
        }
    }
}

impl Section<'_> {
    /// Reads a whole number within the bounds of its key.
    pub(in crate::config) fn number(&self, reader: &mut Reader, key: &str) -> Field<i64> {
        let Some(Value::Number(bounds)) = self.value_of(key) else {
            return Field::Absent;
        };
        self.take(reader, key, |v| {
            single_values::number_within(number(v)?, bounds)
        })
    }

    /// Reads a duration within the bounds of its key.
    pub(in crate::config) fn duration(&self, reader: &mut Reader, key: &str) -> Field<Duration> {
        let Some(Value::Duration(bounds)) = self.value_of(key) else {
            return Field::Absent;
        };
        self.take(reader, key, |v| duration(v, bounds))
    }

    fn value_of(&self, key: &str) -> Option<&'static Value> {
        let found = self.keys.iter().find(|known| known.name == key);
        debug_assert!(found.is_some(), "{key} is in no table of keys");
        found.map(|key| &key.value)
    }
}

/// "expected a string, found an integer".
pub(in crate::config) fn mismatch(wanted: &str, found: &DeValue<'_>) -> ValueError {
    let kind = found.type_str();
    let article = if kind.starts_with(['a', 'i']) {
        "an"
    } else {
        "a"
    };
    ValueError::new(format!("expected {wanted}, found {article} {kind}"))
}

pub(in crate::config) fn text<'d>(value: &'d DeValue<'d>) -> ValueResult<&'d str> {
    value
        .as_str()
        .ok_or_else(|| mismatch("a string", value).hint("write it in quotes"))
}

pub(in crate::config) fn number(value: &DeValue<'_>) -> ValueResult<i64> {
    let integer = value.as_integer().ok_or_else(|| {
        mismatch("a whole number", value).hint("write it without quotes and without a fraction")
    })?;
    i64::from_str_radix(integer.as_str(), integer.radix())
        .map_err(|_| ValueError::new("a number that is too large").hint("write a smaller one"))
}

pub(in crate::config) fn flag(value: &DeValue<'_>) -> ValueResult<bool> {
    value
        .as_bool()
        .ok_or_else(|| mismatch("true or false", value).hint("write it without quotes"))
}

/// One of a few words. Any other word is not repeated: it may be a secret.
pub(in crate::config) fn choice<T: Copy>(
    value: &DeValue<'_>,
    known: &[(&'static str, T)],
) -> ValueResult<T> {
    let word = text(value)?;
    if let Some((_, meant)) = known.iter().find(|(k, _)| *k == word) {
        return Ok(*meant);
    }
    let words = known.iter().map(|(k, _)| *k);
    let all: Vec<String> = words.clone().map(|k| format!("\"{k}\"")).collect();
    let hint = single_values::nearest(word, words).map_or_else(
        || format!("known: {}", all.join(", ")),
        |near| format!("did you mean \"{near}\"?"),
    );
    Err(ValueError::new("a word that is not known here").hint(hint))
}

fn duration(
    value: &DeValue<'_>,
    allowed: &std::ops::RangeInclusive<Duration>,
) -> ValueResult<Duration> {
    match value {
        DeValue::Integer(n) => Err(mismatch("a duration in quotes", value).hint(format!(
            "write the unit too: \"{n}s\", \"{n}ms\" or \"{n}m\""
        ))),
        _ => {
            match value.as_str() {
                Some(text) => single_values::duration(text, allowed),
                None => Err(mismatch("a duration in quotes", value)
                    .hint("such as \"5s\", \"150ms\" or \"2m\"")),
            }
        }
    }
}
