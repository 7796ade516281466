//! `faults = […]` of a scenario: what goes wrong, where, and how often. Where faults strike is in `fault_point`; the
//! reference of all words is in [`super::scenario`].

use std::time::Duration;

use serde::Deserialize;

use super::fault_point::FaultPoint;
use super::values::ScriptDuration;

/// What goes wrong there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Act {
    /// Answers with this status and an empty body, without doing what was asked.
    Status {
        /// 100 to 999: statuses outside the HTTP range have been seen (section 13).
        status: u16,
        /// Bytes of the body that are read first; 0 answers before the body.
        after: u64,
    },
    /// Resets the connection (RST).
    Reset {
        /// Bytes of the body that are read first.
        after: u64,
    },
    /// Closes the connection without a response.
    Close {
        /// Bytes of the body that are read first.
        after: u64,
    },
    /// Stands still.
    Stall {
        /// Bytes of the body that are read first.
        after: u64,
        /// How long; for ever where absent.
        lasts: Option<Duration>,
    },
    /// Answers as it should, but late.
    Slow {
        /// How late.
        lasts: Duration,
    },
    /// Nothing listens from the start on.
    Refuse {
        /// How long; for ever where absent.
        lasts: Option<Duration>,
    },
    /// Promises a longer body than it sends.
    Short,
    /// Answers 200 with something that is not JSON.
    Garbled,
    /// Adds unknown fields, and `null` for what is absent.
    Odd,
    /// Leaves one field out.
    Omit {
        /// Its name.
        field: String,
    },
    /// Resets the connection instead of answering.
    LoseAnswer {
        /// Whether what was asked was done all the same.
        happened: bool,
    },
    /// Does what was asked, and something on the way (a proxy, a tunnel) answers with this status instead.
    Misreport {
        /// 200 to 999.
        status: u16,
    },
    /// The verification ends in 406, whatever the image.
    Fail,
    /// The verification never ends.
    Endless,
    /// The backend orders an action (section 5): L, W, R, B or U.
    Order {
        /// The letter that the device reports as `status`.
        order: char,
    },
    /// The bootloader refuses the image: the old firmware boots.
    Rollback,
    /// Does not come back.
    Never,
    /// Comes back with an `fws` that is neither the old nor the image's.
    OtherFws,
    /// After the boot accepts TCP, but does not answer.
    Hang {
        /// How long.
        lasts: Duration,
    },
    /// Comes up, and vanishes again for another reboot.
    Vanish {
        /// How long it is up before.
        lasts: Duration,
    },
    /// Answers as before until the reboot really begins.
    Linger {
        /// How long.
        lasts: Duration,
    },
    /// Writes the entry, and somebody turns its ERROR into OK: its MAC fits no more.
    Tamper,
    /// Writes ERROR into the entry, whatever happened.
    LogError,
    /// Writes no entry.
    LeaveOut,
}

/// The words for [`Act`] in scenario files.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Deed {
    Status,
    Reset,
    Close,
    Stall,
    Slow,
    Refuse,
    Short,
    Garbled,
    Odd,
    Omit,
    LoseAnswer,
    Misreport,
    Fail,
    Endless,
    Order,
    Rollback,
    Never,
    OtherFws,
    Hang,
    Vanish,
    Linger,
    Tamper,
    LogError,
    LeaveOut,
}

/// One line of `faults = […]`.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(try_from = "RawFault")]
pub struct ScriptedFault {
    /// Where.
    pub at: FaultPoint,
    /// What.
    pub act: Act,
    /// How many occasions pass unharmed first.
    pub skip: u32,
    /// How often it strikes; every time where absent.
    pub times: Option<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFault {
    at: FaultPoint,
    #[serde(rename = "do")]
    deed: Deed,
    status: Option<u16>,
    after: Option<u64>,
    #[serde(rename = "for")]
    lasts: Option<ScriptDuration>,
    field: Option<String>,
    happened: Option<bool>,
    order: Option<char>,
    #[serde(default)]
    skip: u32,
    times: Option<u32>,
    #[serde(default)]
    always: bool,
}

impl TryFrom<RawFault> for ScriptedFault {
    type Error = String;

    fn try_from(raw: RawFault) -> Result<Self, String> {
        let times = match (raw.times, raw.always) {
            (Some(_), true) => return Err("say either times or always".into()),
            (Some(0), false) => return Err("times = 0 would never strike".into()),
            (times, false) => Some(times.unwrap_or(1)),
            (None, true) => None,
        };
        let (at, skip) = (raw.at, raw.skip);
        let act = Parameters {
            status: raw.status,
            after: raw.after,
            lasts: raw.lasts.map(|p| p.0),
            field: raw.field,
            happened: raw.happened,
            order: raw.order,
        }
        .act(raw.deed)?;
        if !act.fits(at) {
            return Err(format!("this cannot happen at {at:?}: {act:?}"));
        }
        Ok(Self {
            at,
            act,
            skip,
            times,
        })
    }
}

/// What a line of `faults` says besides where and how often; each deed takes what it needs, and
/// what is left then means nothing.
struct Parameters {
    status: Option<u16>,
    after: Option<u64>,
    lasts: Option<Duration>,
    field: Option<String>,
    happened: Option<bool>,
    order: Option<char>,
}

impl Parameters {
    fn act(mut self, deed: Deed) -> Result<Act, String> {
        let act = match deed {
            Deed::Status => Act::Status {
                status: self.status()?,
                after: self.after(),
            },
            Deed::Reset => Act::Reset {
                after: self.after(),
            },
            Deed::Close => Act::Close {
                after: self.after(),
            },
            Deed::Stall => Act::Stall {
                after: self.after(),
                lasts: self.lasts.take(),
            },
            Deed::Slow => Act::Slow {
                lasts: self.lasts()?,
            },
            Deed::Refuse => Act::Refuse {
                lasts: self.lasts.take(),
            },
            Deed::Short => Act::Short,
            Deed::Garbled => Act::Garbled,
            Deed::Odd => Act::Odd,
            Deed::Omit => Act::Omit {
                field: self.field.take().ok_or("omit wants field = \"…\"")?,
            },
            Deed::LoseAnswer => Act::LoseAnswer {
                happened: self
                    .happened
                    .take()
                    .ok_or("lose-answer wants happened = true or false")?,
            },
            Deed::Misreport => Act::Misreport {
                status: self.status()?,
            },
            Deed::Fail => Act::Fail,
            Deed::Endless => Act::Endless,
            Deed::Order => Act::Order {
                order: self.order()?,
            },
            Deed::Rollback => Act::Rollback,
            Deed::Never => Act::Never,
            Deed::OtherFws => Act::OtherFws,
            Deed::Hang => Act::Hang {
                lasts: self.lasts()?,
            },
            Deed::Vanish => Act::Vanish {
                lasts: self.lasts()?,
            },
            Deed::Linger => Act::Linger {
                lasts: self.lasts()?,
            },
            Deed::Tamper => Act::Tamper,
            Deed::LogError => Act::LogError,
            Deed::LeaveOut => Act::LeaveOut,
        };
        match self.left() {
            Some(name) => Err(format!("`{name}` means nothing for this fault")),
            None => Ok(act),
        }
    }

    fn after(&mut self) -> u64 {
        self.after.take().unwrap_or(0)
    }

    fn lasts(&mut self) -> Result<Duration, &'static str> {
        self.lasts.take().ok_or("this fault wants for = \"…\"")
    }

    fn status(&mut self) -> Result<u16, &'static str> {
        self.status
            .take()
            .filter(|s| (200..1000).contains(s))
            .ok_or("a status fault wants status = 200 to 999")
    }

    fn order(&mut self) -> Result<char, &'static str> {
        self.order
            .take()
            .filter(|c| "LWRBU".contains(*c))
            .ok_or("an order is one of L, W, R, B, U")
    }

    fn left(&self) -> Option<&'static str> {
        [
            (self.status.is_some(), "status"),
            (self.after.is_some(), "after"),
            (self.lasts.is_some(), "for"),
            (self.field.is_some(), "field"),
            (self.happened.is_some(), "happened"),
            (self.order.is_some(), "order"),
        ]
        .into_iter()
        .find_map(|(given, name)| given.then_some(name))
    }
}

impl Act {
    fn fits(&self, at: FaultPoint) -> bool {
        let requests = at.is_request();
        match self {
            Self::Status { after: 0, .. }
            | Self::Slow { .. }
            | Self::Garbled
            | Self::Short
            | Self::Odd
            | Self::Omit { .. } => requests,
            Self::Status { .. } => at.takes_a_file(),
            Self::Reset { after } | Self::Close { after } | Self::Stall { after, .. } => {
                (requests || at == FaultPoint::Connect) && (*after == 0 || at.takes_a_file())
            }
            Self::Refuse { .. } => at == FaultPoint::Connect,
            Self::LoseAnswer { .. } | Self::Misreport { .. } => requests && at != FaultPoint::Relay,
            Self::Fail | Self::Endless => {
                matches!(at, FaultPoint::Verification | FaultPoint::UiVerification)
            }
            Self::Order { .. } => at == FaultPoint::Relay,
            Self::Rollback
            | Self::Never
            | Self::OtherFws
            | Self::Hang { .. }
            | Self::Vanish { .. }
            | Self::Linger { .. } => at == FaultPoint::Boot,
            Self::Tamper | Self::LogError | Self::LeaveOut => at == FaultPoint::UpgradeEntry,
        }
    }
}

#[cfg(test)]
pub(in crate::sim) mod tests {
    use super::*;

    pub(in crate::sim) fn read(text: &str) -> Result<Vec<ScriptedFault>, String> {
        #[derive(Deserialize)]
        struct Lines {
            faults: Vec<ScriptedFault>,
        }
        toml::from_str::<Lines>(&format!("faults = [{text}]"))
            .map(|l| l.faults)
            .map_err(|e| e.to_string())
    }

    #[test]
    fn nonsense_is_refused_and_named() {
        for (text, says) in [
            (r#"{ at = "upload", do = "reset", afterr = 1 }"#, "afterr"),
            (r#"{ at = "boot", do = "rollback", after = 1 }"#, "`after`"),
            (r#"{ at = "check", do = "rollback" }"#, "cannot happen"),
            (
                r#"{ at = "login", do = "reset", after = 9 }"#,
                "cannot happen",
            ),
            (r#"{ at = "login", do = "status" }"#, "200 to 999"),
            (
                r#"{ at = "login", do = "status", status = 7 }"#,
                "200 to 999",
            ),
            (r#"{ at = "boot", do = "hang" }"#, "for ="),
            (
                r#"{ at = "boot", do = "hang", for = "soon" }"#,
                "no duration",
            ),
            (r#"{ at = "relay", do = "order", order = "Q" }"#, "one of L"),
            (r#"{ at = "login", do = "odd", times = 0 }"#, "never strike"),
            (
                r#"{ at = "login", do = "odd", times = 1, always = true }"#,
                "either",
            ),
            (r#"{ at = "moon", do = "odd" }"#, "moon"),
            (r#"{ at = "log-file", do = "tamper" }"#, "cannot happen"),
            (r#"{ at = "upgrade-entry", do = "odd" }"#, "cannot happen"),
            (r#"{ at = "notify", do = "refuse" }"#, "cannot happen"),
            (r#"{ at = "install-ui", do = "fail" }"#, "cannot happen"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
