//! The filter's language: words that must all hold of a device, each of them plain text or `field:text`, and with `!`
//! in front what must not hold. `device_order` asks it; the input in which it is typed is in `ui::filter_input`.

use std::fmt;

use crate::engine::{DevicePhase, DeviceState, Person};
use crate::model::{Failure, FailureKind, Stage, Verdict};

use super::theme::Mark;

/// A filter that was understood.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Filter {
    words: Vec<Word>,
}

/// A word in front of a colon that is no field.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct UnknownField(String);

#[derive(Clone, PartialEq, Eq, Debug)]
struct Word {
    /// Whether it must not hold.
    not: bool,
    /// Where to look; anywhere if absent.
    field: Option<Field>,
    /// What to look for, in lower case.
    text: String,
}

/// What `field:` in front of a word looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Field {
    Name,
    Group,
    Tag,
    Stage,
    Outcome,
    Audit,
    Link,
    Code,
}

impl Field {
    const ALL: [Self; 8] = [
        Self::Name,
        Self::Group,
        Self::Tag,
        Self::Stage,
        Self::Outcome,
        Self::Audit,
        Self::Link,
        Self::Code,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Group => "group",
            Self::Tag => "tag",
            Self::Stage => "stage",
            Self::Outcome => "outcome",
            Self::Audit => "audit",
            Self::Link => "link",
            Self::Code => "code",
        }
    }
}

/// The names of all fields.
pub(super) fn fields() -> String {
    Field::ALL.map(Field::as_str).join(" ")
}

impl fmt::Display for UnknownField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no field {}: there are {}", self.0, fields())
    }
}

impl Filter {
    /// Understands what was typed, and says which word it does not understand: that one says nothing then. Nor do words
    /// without text, such as `stage:` while it is being typed.
    pub(super) fn parse(typed: &str) -> (Self, Option<UnknownField>) {
        let mut fault = None;
        let mut words = Vec::new();
        for word in typed.split_whitespace() {
            match Word::parse(word) {
                Ok(word) if word.text.is_empty() => {}
                Ok(word) => words.push(word),
                Err(unknown) => fault = Some(unknown),
            }
        }
        (Self { words }, fault)
    }

    /// Whether every word holds of the device.
    pub(super) fn matches(&self, device: &DeviceState) -> bool {
        self.words.iter().all(|word| word.holds(device))
    }

    /// Whether it leaves out no device.
    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }
}

impl Word {
    fn parse(word: &str) -> Result<Self, UnknownField> {
        let (not, rest) = match word.strip_prefix('!') {
            Some(rest) => (true, rest),
            None => (false, word),
        };
        let is_field = |name: &&str| !name.is_empty() && name.chars().all(char::is_alphabetic);
        let named = rest.split_once(':').filter(|(name, _)| is_field(name));
        let (field, text) = match named {
            None => (None, rest),
            Some((name, text)) => {
                let lower = name.to_lowercase();
                let field = Field::ALL.into_iter().find(|f| f.as_str() == lower);
                (Some(field.ok_or(UnknownField(lower))?), text)
            }
        };
        let text = text.to_lowercase();
        Ok(Self { not, field, text })
    }

    fn holds(&self, device: &DeviceState) -> bool {
        let found = match self.field {
            Some(field) => self.holds_in(field, device),
            None => self.holds_anywhere(device),
        };
        found != self.not
    }

    fn holds_in(&self, field: Field, device: &DeviceState) -> bool {
        let text = self.text.as_str();
        let starts = |word: &str| word.starts_with(text);
        match field {
            Field::Name => has(device.id.as_str(), text),
            Field::Group => device
                .group
                .as_deref()
                .is_some_and(|group| has(group, text)),
            Field::Tag => device.tags.iter().any(|tag| has(tag, text)),
            // A whole word means just that stage: `check` is not `checkin` as well.
            Field::Stage if Stage::ALL.iter().any(|stage| stage.as_str() == text) => {
                stage(device).is_some_and(|stage| stage.as_str() == text)
            }
            Field::Stage => stage(device).is_some_and(|stage| starts(stage.as_str())),
            Field::Outcome => states(device).any(starts),
            Field::Audit => audits(device).any(starts),
            Field::Link => starts(device.link.as_str()),
            Field::Code => reasons(device).any(|reason| {
                let status = reason.status.map(|status| status.to_string());
                has(reason.code, text) || status.is_some_and(|status| starts(&status))
            }),
        }
    }

    fn holds_anywhere(&self, device: &DeviceState) -> bool {
        let text = self.text.as_str();
        let found = |word: &str| has(word, text);
        found(device.id.as_str())
            || device.group.as_deref().is_some_and(found)
            || device.tags.iter().any(|tag| found(tag))
            || found(Mark::of_device(device).word)
            || found(device.link.as_str())
            || states(device).any(found)
            || stage(device).is_some_and(|stage| found(stage.as_str()))
            || audits(device).any(found)
            || waits_for(device).is_some_and(found)
            || reasons(device).any(|reason| found(reason.code) || found(&reason.words))
    }
}

/// Whether `text` contains `lower`, whatever the case. Devices are many and names ASCII, so nothing is copied for those.
fn has(text: &str, lower: &str) -> bool {
    if !text.is_ascii() {
        return text.to_lowercase().contains(lower);
    }
    let (text, lower) = (text.as_bytes(), lower.as_bytes());
    lower.is_empty()
        || text
            .windows(lower.len())
            .any(|part| part.eq_ignore_ascii_case(lower))
}

/// Where it is, or where it ended.
fn stage(device: &DeviceState) -> Option<Stage> {
    match &device.state {
        DevicePhase::Running(active) => Some(active.stage),
        DevicePhase::Done(outcome) => outcome.stage(),
        DevicePhase::Planned => planned_failure(device).map(|failure| failure.stage),
        DevicePhase::Waiting | DevicePhase::Starting => None,
    }
}

/// How it ended, in both spellings, or else whether it runs, waits, or what the plan does with it.
fn states(device: &DeviceState) -> impl Iterator<Item = &'static str> {
    let (one, other) = match &device.state {
        DevicePhase::Done(outcome) => (outcome.kind().as_str(), outcome.kind().words()),
        DevicePhase::Running(_) | DevicePhase::Starting => (Mark::RUNNING.word, "running"),
        DevicePhase::Planned if device.is_left_out() => ("left_out", "left out"),
        DevicePhase::Planned => {
            let verdict = device.verdict.as_ref();
            let word = verdict.map_or("", |verdict| verdict.kind().as_str());
            (word, word)
        }
        DevicePhase::Waiting => (Mark::WAITING.word, "waiting"),
    };
    [one, other].into_iter()
}

/// What its log says.
fn audits(device: &DeviceState) -> impl Iterator<Item = &'static str> {
    let report = device.audit.as_ref();
    let words = report.map(|report| [report.word().short(), report.verdict.as_str()]);
    words.into_iter().flatten()
}

fn waits_for(device: &DeviceState) -> Option<&'static str> {
    Some(match device.active()?.person.as_ref()? {
        Person::Secret => "secret",
        Person::Phone { .. } => "phone",
    })
}

/// Why it ended as it did, why it tries once more, or why the plan says what it says.
struct Reason {
    code: &'static str,
    status: Option<u16>,
    words: String,
}

impl From<&FailureKind> for Reason {
    fn from(kind: &FailureKind) -> Self {
        Self {
            code: kind.code(),
            status: kind.status(),
            words: kind.to_string(),
        }
    }
}

fn reasons(device: &DeviceState) -> impl Iterator<Item = Reason> {
    let reason = match &device.state {
        DevicePhase::Done(outcome) => Some(Reason {
            code: outcome.code(),
            status: outcome.status(),
            words: outcome.reason(),
        }),
        DevicePhase::Running(active) => active.pause.as_ref().map(|pause| (&pause.after).into()),
        DevicePhase::Planned => match planned_failure(device) {
            Some(failure) => Some((&failure.kind).into()),
            None => device.verdict.as_ref().map(|verdict| Reason {
                code: "",
                status: None,
                words: verdict.reason(),
            }),
        },
        DevicePhase::Waiting | DevicePhase::Starting => None,
    };
    reason.into_iter()
}

fn planned_failure(device: &DeviceState) -> Option<&Failure> {
    device.verdict.as_ref().and_then(Verdict::failure)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::Fleet;
    use crate::tui::fixtures::{audited, finished, plan, running, waiting_for_people};

    fn found<'f>(fleet: &'f Fleet, filter: &str) -> Vec<&'f str> {
        let (filter, fault) = Filter::parse(filter);
        assert_eq!(fault, None);
        let devices = fleet.devices().iter().filter(|d| filter.matches(d));
        devices.map(|device| device.id.as_str()).collect()
    }

    #[test]
    fn fields_look_at_one_thing_only() {
        let fleet = finished().run.fleet;
        for (filter, wanted) in [
            ("outcome:failed", &["vault-05", "vault-09"][..]),
            ("outcome:rolled_back", &["vault-03"]),
            ("code:image_refused", &["vault-05"]),
            ("code:406", &["vault-05"]),
            ("406", &["vault-05"]),
            ("expired", &["vault-09"]),
            ("group:rack", &["rack-c1"]),
            ("stage:check", &["vault-05"]),
            ("link:http", &["vault-07"]),
            ("name:vault-1", &["vault-10", "vault-11"]),
            ("NAME:VAULT-1 !outcome:upgraded", &["vault-10"]),
            ("outcome:failed !code:406", &["vault-09"]),
            ("tag:usb outcome:lost", &["vault-04"]),
            ("tag:vault", &[]),
            ("code:", &["rack-c1", "vault-01"]),
        ] {
            let found = found(&fleet, filter);
            if filter == "code:" {
                assert_eq!(found.len(), 12, "what has no text says nothing");
            } else {
                assert_eq!(found, wanted, "{filter}");
            }
        }
    }

    #[test]
    fn a_filter_finds_where_a_device_is_and_why_it_pauses() {
        let fleet = running().run.fleet;
        assert_eq!(found(&fleet, "stage:upload"), ["vault-02", "vault-06"]);
        assert_eq!(found(&fleet, "stage:reb"), ["vault-04"]);
        assert_eq!(found(&fleet, "reset"), ["vault-06"]);
        assert_eq!(found(&fleet, "code:connection_reset"), ["vault-06"]);
        assert_eq!(found(&fleet, "outcome:waiting"), ["vault-11"]);
        let fleet = waiting_for_people().run.fleet;
        assert_eq!(found(&fleet, "secret").len(), 2);
    }

    #[test]
    fn a_filter_finds_what_logs_say() {
        let fleet = audited().run.fleet;
        let contradicted = found(&fleet, "audit:contradicted");
        assert_eq!(contradicted, found(&fleet, "audit:con !audit:confirmed"));
        assert_eq!(contradicted.len(), 2);
        assert_eq!(found(&fleet, "audit:missing").len(), 1);
    }

    #[test]
    fn a_filter_finds_what_the_plan_says() {
        let fleet = plan().run.fleet;
        assert_eq!(found(&fleet, "outcome:cannot"), ["vault-09", "vault-10"]);
        assert_eq!(found(&fleet, "code:tls_expired"), ["vault-09"]);
        assert_eq!(found(&fleet, "stage:probe outcome:cannot").len(), 2);
        assert_eq!(found(&fleet, "checks in first"), ["vault-04"]);
        assert_eq!(found(&fleet, "epa"), ["rack-c1"]);
    }

    #[test]
    fn a_field_that_does_not_exist_is_said_and_an_address_is_no_field() {
        for typed in ["grop:fra", "!grop:fra", "ok grop:"] {
            let fault = Filter::parse(typed).1.unwrap().to_string();
            let wanted = "no field grop: there are name group tag stage outcome audit link code";
            assert_eq!(fault, wanted);
        }
        for typed in [
            "127.0.0.1:8443",
            ":",
            "!:",
            "!",
            "12:04",
            "[::1]:443",
            "a-b:c",
        ] {
            assert_eq!(Filter::parse(typed).1, None, "{typed}");
        }
        assert!(Filter::parse("! !stage: tag: grop:x").0.is_empty());
        assert!(!Filter::parse("x grop:x").0.is_empty());
    }

    proptest! {
        #[test]
        fn no_text_panics_and_not_means_the_others(
            typed in "(!|:|name:|tag:|stage:|code:|audit:|outcome:|link:|ż|ẞ|İ|[a-z0-9]|\\PC){0,8}",
        ) {
            let fleet = finished().run.fleet;
            let (filter, fault) = Filter::parse(&typed);
            let (not, _) = Filter::parse(&format!("!{typed}"));
            let single = !typed.contains(char::is_whitespace) && !typed.starts_with('!');
            for device in fleet.devices() {
                let holds = filter.matches(device);
                if single && fault.is_none() && !filter.is_empty() {
                    prop_assert_ne!(holds, not.matches(device));
                }
            }
        }
    }
}
