//! One `[[device]]` of a scenario. The reference of all keys is in [`super::scenario`].

use std::fmt;

use serde::Deserialize;
use serde::de::{IntoDeserializer as _, SeqAccess, Visitor};

use super::expect::Expect;
use super::fault::ScriptedFault;
use super::values::{LinkScheme, Runs, ScriptDuration, stage};
use crate::model::Stage;

/// `[[device]]`.
#[derive(Clone, PartialEq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceScript {
    /// Its unique name.
    pub name: String,
    /// A word to group by.
    pub group: Option<String>,
    /// Words to filter by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Section 1.
    #[serde(default)]
    pub model: Model,
    /// The host that its certificate and its URL name.
    pub host: Option<String>,
    /// Factory state.
    #[serde(default)]
    pub fresh: bool,
    /// The clock at start.
    #[serde(default)]
    pub clock: ClockState,
    /// Seconds that a set clock is ahead of the real one.
    #[serde(default)]
    pub clock_offset: i64,
    /// Device seconds in a real second.
    #[serde(default = "gaining")]
    pub clock_rate: f64,
    /// The trusted-time option; off, logins work without a clock.
    #[serde(default = "on")]
    pub trusted_time: bool,
    /// How it is spoken to.
    #[serde(default)]
    pub scheme: LinkScheme,
    /// Whether the inventory allows a login over plain HTTP.
    #[serde(default = "on")]
    pub allow_plain_login: bool,
    /// Its certificate.
    #[serde(default)]
    pub tls: Certificate,
    /// What becomes of an expired certificate once the device has checked in; dropped, where nothing is said.
    pub renews: Option<Renewal>,
    /// What the inventory says of the login.
    #[serde(default)]
    pub auth: AuthScript,
    /// What the owner of its paired phone does with requests.
    #[serde(default)]
    pub phone: PhoneScript,
    /// What it runs at start.
    #[serde(default)]
    pub runs: Runs,
    /// Which management app it serves at start.
    #[serde(default)]
    pub runs_ui: Runs,
    /// What it reports of the app that it serves.
    #[serde(default)]
    pub uis: UisScript,
    /// Version of the old firmware.
    #[serde(default = "old_version")]
    pub version: String,
    /// Latched faults, as bits (section 4).
    #[serde(default)]
    pub fls_state: u32,
    /// Time since boot at start.
    #[serde(default = "rested")]
    pub uptime: ScriptDuration,
    /// Bytes a second of an upload.
    pub upload_rate: Option<u64>,
    /// How often the verification answers 202.
    pub check_polls: Option<u32>,
    /// How long the verification takes, where it is not counted by polls.
    pub check: Option<ScriptDuration>,
    /// How long it is gone in a reboot.
    pub reboot: Option<ScriptDuration>,
    /// The harness makes its client panic when this device reaches this stage.
    #[serde(default, deserialize_with = "stage")]
    pub panic_at: Option<Stage>,
    /// Files of the audit log from before.
    #[serde(default)]
    pub log_files: u16,
    /// How large a closed file of it is at least, in bytes.
    #[serde(default)]
    pub log_bytes: usize,
    /// What goes wrong.
    #[serde(default)]
    pub faults: Vec<ScriptedFault>,
    /// What is to become of it.
    #[serde(default)]
    pub expect: Expect,
}

fn gaining() -> f64 {
    1.08
}

fn on() -> bool {
    true
}

fn old_version() -> String {
    "1.2.2".to_owned()
}

fn rested() -> ScriptDuration {
    ScriptDuration::millis(72 * 3_600_000)
}

/// PPA or EPA (section 1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
pub enum Model {
    /// Personal, USB.
    #[default]
    #[serde(rename = "PPA")]
    Ppa,
    /// Rack appliance: no upgrade endpoints.
    #[serde(rename = "EPA")]
    Epa,
}

/// The clock at start.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockState {
    /// Checked in since the last boot.
    #[default]
    Set,
    /// As after every power-up.
    Unset,
}

/// A device's certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certificate {
    /// By the simulator's CA, for the device's host.
    #[default]
    Good,
    /// The same, lapsed.
    Expired,
    /// For another host.
    WrongName,
    /// By another CA.
    UnknownCa,
    /// By itself.
    SelfSigned,
}

/// When a certificate that a check-in delivered is served (section 5: devices of 1.2.2 drop it).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Renewal {
    /// From the next connection on.
    AtOnce,
    /// From the next boot on.
    AtReboot,
    /// Not at all.
    Never,
}

/// `phone = { … }`: what the owner does.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhoneScript {
    /// The answers to the first request, the second and so on; the last one goes on for all that follow.
    #[serde(deserialize_with = "one_or_more")]
    pub answer: Vec<PhoneAnswer>,
    /// How often the client asks in vain before.
    pub after: u32,
}

impl PhoneScript {
    /// What the owner decides on a request, after this many earlier ones.
    pub(in crate::sim) fn decision(&self, before: usize) -> PhoneAnswer {
        let last = self.answer.last();
        let decision = self.answer.get(before).or(last);
        decision.copied().unwrap_or(PhoneAnswer::Approve)
    }
}

impl Default for PhoneScript {
    fn default() -> Self {
        Self {
            answer: vec![PhoneAnswer::Approve],
            after: 1,
        }
    }
}

/// One answer, or a list of them that is not empty.
fn one_or_more<'de, D: serde::Deserializer<'de>>(de: D) -> Result<Vec<PhoneAnswer>, D::Error> {
    struct Answers;
    impl<'de> Visitor<'de> for Answers {
        type Value = Vec<PhoneAnswer>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an answer such as \"deny\", or a list of answers")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
            PhoneAnswer::deserialize(text.into_deserializer()).map(|answer| vec![answer])
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
            let mut answers = Vec::new();
            while let Some(answer) = seq.next_element()? {
                answers.push(answer);
            }
            if answers.is_empty() {
                return Err(serde::de::Error::custom("a phone wants an answer at least"));
            }
            Ok(answers)
        }
    }
    de.deserialize_any(Answers)
}

/// What comes of a request to a phone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PhoneAnswer {
    /// It is approved.
    Approve,
    /// It is refused.
    Deny,
    /// Nobody looks, and the broker gives up.
    Expire,
    /// Nobody looks, for as long as the client waits.
    Never,
}

/// What the inventory says of the login, and by that which key the device knows; where it says nothing of
/// use, the device knows its passphrase.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AuthScript {
    /// The device's passphrase.
    #[default]
    Passphrase,
    /// The device's passphrase, by Manager 1's derivation.
    Argon2,
    /// The device's master words.
    MasterWords,
    /// The device's master words, by Manager 1's derivation.
    MasterWordsLegacy,
    /// The master's passphrase, which the device knows beside the words.
    MasterPassphrase,
    /// Approval on the paired phone.
    Mobile,
    /// Another passphrase than the device's.
    WrongPassphrase,
    /// A bearer token, valid until the device reboots.
    Token,
    /// Nothing.
    None,
}

/// What `uis` is: section 8 has two possibilities.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UisScript {
    /// The hash of the manifest.
    #[default]
    Version,
    /// The key in the trailer, the same for all releases.
    SignerKey,
}

impl DeviceScript {
    /// A healthy device that says nothing special.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            group: None,
            tags: Vec::new(),
            model: Model::default(),
            host: None,
            fresh: false,
            clock: ClockState::default(),
            clock_offset: 0,
            clock_rate: gaining(),
            trusted_time: true,
            scheme: LinkScheme::default(),
            allow_plain_login: true,
            tls: Certificate::default(),
            renews: None,
            auth: AuthScript::default(),
            phone: PhoneScript::default(),
            runs: Runs::default(),
            runs_ui: Runs::default(),
            uis: UisScript::default(),
            version: old_version(),
            fls_state: 0,
            uptime: rested(),
            upload_rate: None,
            check_polls: None,
            check: None,
            reboot: None,
            panic_at: None,
            log_files: 0,
            log_bytes: 0,
            faults: Vec::new(),
            expect: Expect::default(),
        }
    }

    /// The host that the device's URL names.
    pub fn host(&self) -> &str {
        self.host.as_deref().unwrap_or(match self.model {
            Model::Ppa => "my.ence.do",
            Model::Epa => "c1.rack.cloud.ence.do",
        })
    }

    /// What makes no sense about it.
    pub(super) fn nonsense(&self) -> impl Iterator<Item = String> {
        [
            (self.name.is_empty(), "a device wants a name"),
            (self.upload_rate == Some(0), "upload_rate = 0 never ends"),
            (
                !(0.5..=2.0).contains(&self.clock_rate),
                "clock_rate is between 0.5 and 2",
            ),
            (
                self.check_polls.is_some() && self.check.is_some(),
                "say either check_polls or check",
            ),
            (
                self.runs == Runs::Other || self.runs_ui == Runs::Other,
                "runs = \"other\" is for expect only",
            ),
            (
                self.fresh && matches!(self.auth, AuthScript::Token | AuthScript::Mobile),
                "a fresh device has issued no token, and is paired with no phone",
            ),
            (
                self.renews.is_some() && self.tls != Certificate::Expired,
                "renews is for tls = \"expired\"",
            ),
        ]
        .into_iter()
        .filter(|(bad, _)| *bad)
        .map(|(_, what)| what.to_owned())
    }
}
