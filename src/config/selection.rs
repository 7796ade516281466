//! `--only`: the words of the command line that select devices. Their grammar is told in `cli::args`.

use std::collections::BTreeSet;

use glob::Pattern;

use super::diagnostic::{Diagnostic, Place, quoted};
use super::inventory::device::DevicePart;
use super::toml::single_values::{self, ValueError, ValueResult};

/// Names that a hint lists.
const NEAR: usize = 3;

/// What a label of a device is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Kind {
    Name,
    Group,
    Tag,
}

/// How a word says what it is compared with.
const PREFIXES: [(&str, Kind); 3] = [
    ("name:", Kind::Name),
    ("group:", Kind::Group),
    ("tag:", Kind::Tag),
];

/// The labels of all devices, by which words are understood.
type Known<'f> = BTreeSet<(Kind, &'f str)>;

/// Which devices the command line selects.
pub(super) struct Selection {
    words: Vec<Word>,
}

/// One word of `--only`.
struct Word {
    excludes: bool,
    /// What it is compared with; absent for whatever there is.
    kind: Option<Kind>,
    test: Test,
}

enum Test {
    Exact(String),
    Glob(Pattern),
}

impl Selection {
    /// Understands the words; complains of those that match no device, and of a selection that leaves none.
    pub(super) fn new(
        only: &[String],
        devices: &[DevicePart],
        defaults: &DevicePart,
    ) -> (Self, Vec<Diagnostic>) {
        let known: Known<'_> = devices.iter().flat_map(|d| labels(d, defaults)).collect();
        let mut faults = Vec::new();
        let mut words = Vec::new();
        for typed in only {
            let fault = match Word::parse(typed, &known) {
                Ok(word) => {
                    let fault = word.matches_nothing(typed, &known);
                    words.push(word);
                    fault
                }
                Err(fault) => Some(fault),
            };
            faults.extend(fault.map(|fault| {
                let slip = Diagnostic::new(fault.message).hint(fault.hint.unwrap_or_default());
                slip.place(Place::Argument(typed.clone()))
            }));
        }
        let selection = Self { words };
        let is_empty = !devices.iter().any(|d| selection.has(d, defaults));
        if faults.is_empty() && !devices.is_empty() && is_empty {
            let fault = Diagnostic::new("these words together leave no device")
                .place(Place::Argument(only.join(",")))
                .hint("a word with ! leaves out what it matches, whatever else selects it");
            faults.push(fault);
        }
        (selection, faults)
    }

    /// Whether it selects this device. No word at all selects every device, and so do words that only leave out.
    pub(super) fn has(&self, device: &DevicePart, defaults: &DevicePart) -> bool {
        let is_meant = |word: &Word| labels(device, defaults).any(|label| word.matches(label));
        let (out, of): (Vec<&Word>, Vec<&Word>) = self.words.iter().partition(|w| w.excludes);
        (of.is_empty() || of.into_iter().any(is_meant)) && !out.into_iter().any(is_meant)
    }
}

/// Name, group and tags of a device.
fn labels<'f>(
    device: &'f DevicePart,
    defaults: &'f DevicePart,
) -> impl Iterator<Item = (Kind, &'f str)> {
    let name = device.name.value().map(|n| (Kind::Name, n.as_str()));
    let group = device.group.or(&defaults.group).value();
    let tags = device.tags.or(&defaults.tags).value().into_iter().flatten();
    name.into_iter()
        .chain(group.map(|g| (Kind::Group, g.as_str())))
        .chain(tags.map(|t| (Kind::Tag, t.as_str())))
}

impl Word {
    /// A word that is a label as it stands means that label, whatever characters it has.
    fn parse(typed: &str, known: &Known<'_>) -> ValueResult<Self> {
        let is_label = |word: &str| known.iter().any(|(_, label)| *label == word);
        let (excludes, word) = match typed.strip_prefix('!') {
            Some(rest) if !is_label(typed) => (true, rest),
            _ => (false, typed),
        };
        let prefix = PREFIXES.iter().find(|(prefix, _)| word.starts_with(prefix));
        let (kind, word) = match prefix {
            Some((prefix, kind)) if !is_label(word) => (Some(*kind), &word[prefix.len()..]),
            _ => (None, word),
        };
        let test = if is_label(word) || !word.contains(['*', '?', '[']) {
            Test::Exact(word.to_owned())
        } else {
            Test::Glob(pattern(word)?)
        };
        Ok(Self {
            excludes,
            kind,
            test,
        })
    }

    fn matches(&self, (kind, label): (Kind, &str)) -> bool {
        self.kind.is_none_or(|wanted| wanted == kind)
            && match &self.test {
                Test::Exact(word) => word == label,
                Test::Glob(pattern) => pattern.matches(label),
            }
    }

    /// A word that matches nothing is a slip of the pen, also where it leaves out.
    fn matches_nothing(&self, typed: &str, known: &Known<'_>) -> Option<ValueError> {
        if known.iter().any(|label| self.matches(*label)) {
            return None;
        }
        let what = match self.kind {
            None => "device, group or tag",
            Some(Kind::Name) => "device",
            Some(Kind::Group) => "group",
            Some(Kind::Tag) => "tag",
        };
        let verb = match self.test {
            Test::Exact(_) => "is called",
            Test::Glob(_) => "matches",
        };
        let near = self.near(known);
        let hint = match near.split_last() {
            None => "give the name, the group or a tag of a device as the inventory spells it, or a pattern such as \
                     rack-*"
                .to_owned(),
            Some((one, [])) => format!("did you mean {one}?"),
            Some((last, others)) => format!("did you mean {} or {last}?", others.join(", ")),
        };
        let message = format!("no {what} {verb} {}", quoted(self.text(typed)));
        Some(ValueError::new(message).hint(hint))
    }

    /// What it compares with.
    fn text<'t>(&'t self, typed: &'t str) -> &'t str {
        match &self.test {
            Test::Exact(word) => word,
            Test::Glob(_) => typed.trim_start_matches('!'),
        }
    }

    /// The labels that are almost matched, quoted. Of a pattern its beginning is compared.
    fn near(&self, known: &Known<'_>) -> Vec<String> {
        let of_kind = known
            .iter()
            .filter(|(kind, _)| self.kind.is_none_or(|wanted| wanted == *kind))
            .map(|(_, label)| *label);
        let of_kind: BTreeSet<&str> = of_kind.collect();
        let near = match &self.test {
            Test::Exact(word) => single_values::near(word, of_kind),
            Test::Glob(pattern) => {
                let begin = pattern.as_str().split(['*', '?', '[']).next();
                let begin = begin.unwrap_or_default();
                let long = begin.chars().count();
                let mut near: Vec<(usize, &str)> = of_kind
                    .into_iter()
                    .map(|label| {
                        let same: String = label.chars().take(long).collect();
                        (strsim::damerau_levenshtein(begin, &same), label)
                    })
                    .filter(|(distance, _)| distance * 3 <= long && long > 0)
                    .collect();
                near.sort_unstable();
                near.into_iter().map(|(_, label)| label).collect()
            }
        };
        near.into_iter().take(NEAR).map(quoted).collect()
    }
}

fn pattern(word: &str) -> ValueResult<Pattern> {
    let mut single = word.to_owned();
    // Two stars mean something else in paths, and nothing here.
    while single.contains("**") {
        single = single.replace("**", "*");
    }
    Pattern::new(&single).map_err(|error| {
        ValueError::new(format!("{} is no pattern: {}", quoted(word), error.msg)).hint(
            "* stands for any characters, ? for one, [1-4] for one of these, [[] for a bracket",
        )
    })
}
