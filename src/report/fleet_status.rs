//! What each device of an inventory last proved to run (`hemfleet status`), as a table and as JSON.
//!
//! `--json` prints one object with `schema`, `image` (absent where none is known: `version`, `fws`, and `from`, which is
//! `inventory` or `journal`), `counts` (devices by `state`) and `devices`, those in doubt first. Each has `device`, `group`,
//! `state` (see [`DeviceStanding`]), `runs` (the version), `fws`, `how` (`upgraded`, `current`, or `said`: it said so of itself
//! when it was looked at, and nothing was installed), `at`, `run` (which says so), `known_as`
//! (what that run calls it), `doubt_run`, `refused_run` (the run whose install
//! of this very image its bootloader refused) and `next` (the command that finds out more). What does not fit is absent.

use std::io::{self, Write};

use jiff::Timestamp;
use serde::Serialize;

use super::phrases;
use super::run_report::milliseconds;
use super::style::LineStyle;
use super::text_table::{TableLook, TextRow, TextTable, write_below};
use crate::model::human_duration;

/// How a device stands to the image, the one that needs somebody first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DeviceStanding {
    /// An install was sent, and nobody knows what became of it.
    InDoubt,
    /// It runs something older.
    Behind,
    /// It runs something else, and which of the two is newer cannot be told.
    Other,
    /// No run ever saw what it runs.
    NeverSeen,
    /// What it runs is known, and no image to compare it with.
    Known,
    /// It runs something newer.
    Ahead,
    /// It runs the image.
    Current,
}

impl DeviceStanding {
    const ALL: [Self; 7] = [
        Self::InDoubt,
        Self::Behind,
        Self::Other,
        Self::NeverSeen,
        Self::Known,
        Self::Ahead,
        Self::Current,
    ];

    /// The word in the table.
    pub fn words(self) -> &'static str {
        match self {
            Self::InDoubt => "IN DOUBT",
            Self::Behind => "behind",
            Self::Other => "other image",
            Self::NeverSeen => "never seen",
            Self::Known => "known",
            Self::Ahead => "ahead",
            Self::Current => "current",
        }
    }

    fn style(self) -> Option<LineStyle> {
        match self {
            Self::InDoubt => Some(LineStyle::Bad),
            Self::Behind | Self::Other => Some(LineStyle::Warn),
            Self::NeverSeen => Some(LineStyle::Dull),
            Self::Known | Self::Ahead => None,
            Self::Current => Some(LineStyle::Good),
        }
    }
}

/// On what it is known what a device runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// It was upgraded to it: rebooted, with the image's signature.
    Upgraded,
    /// It was to be upgraded to it, and ran it already.
    Current,
    /// It said so when it was looked at.
    Said,
}

impl KnownBy {
    fn words(self) -> &'static str {
        match self {
            Self::Upgraded => "upgrade",
            Self::Current => "was current",
            Self::Said => "its word",
        }
    }
}

/// The image that the devices are compared with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct StatusImage {
    /// Its version.
    pub version: String,
    /// What a device reports that runs it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fws: Option<String>,
    /// `inventory` or `journal`.
    pub from: &'static str,
    /// The same in words, with the file or the run.
    #[serde(skip)]
    pub words: String,
}

/// A device of the inventory.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct DeviceStatusLine {
    /// Its name in the inventory.
    pub device: String,
    /// Its group.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How it stands.
    pub state: DeviceStanding,
    /// The version that it last proved to run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<String>,
    /// The signature of that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fws: Option<String>,
    /// On what that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how: Option<KnownBy>,
    /// Since when.
    #[serde(
        serialize_with = "milliseconds",
        skip_serializing_if = "Option::is_none"
    )]
    pub at: Option<Timestamp>,
    /// The run that says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    /// What that run calls the device, where that is another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known_as: Option<String>,
    /// The run that left it in doubt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doubt_run: Option<String>,
    /// Whether a process is at work on that run.
    #[serde(skip)]
    pub doubt_is_alive: bool,
    /// How long ago its install was about to be sent.
    #[serde(skip)]
    pub doubt_since: Option<std::time::Duration>,
    /// The run that sent it the image that the devices are compared with, where its bootloader refused that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused_run: Option<String>,
    /// The command that finds out more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// All of them.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct FleetStatus {
    /// The image that they are compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<StatusImage>,
    /// How many stand how.
    pub counts: std::collections::BTreeMap<&'static str, usize>,
    /// The devices.
    pub devices: Vec<DeviceStatusLine>,
}

impl FleetStatus {
    /// Those that need somebody first, and else in the order of the inventory.
    pub fn of(image: Option<StatusImage>, mut devices: Vec<DeviceStatusLine>) -> Self {
        devices.sort_by_key(|device| device.state);
        let mut counts = std::collections::BTreeMap::new();
        for state in DeviceStanding::ALL {
            let n = devices.iter().filter(|d| d.state == state).count();
            let name = match state {
                DeviceStanding::InDoubt => "in_doubt",
                DeviceStanding::Behind => "behind",
                DeviceStanding::Other => "other",
                DeviceStanding::NeverSeen => "never_seen",
                DeviceStanding::Known => "known",
                DeviceStanding::Ahead => "ahead",
                DeviceStanding::Current => "current",
            };
            counts.insert(name, n);
        }
        Self {
            image,
            counts,
            devices,
        }
    }

    fn counted(&self) -> String {
        let parts = DeviceStanding::ALL.into_iter().filter_map(|state| {
            let n = self.devices.iter().filter(|d| d.state == state).count();
            (n > 0).then(|| format!("{n} {}", state.words()))
        });
        let parts: Vec<String> = parts.collect();
        let devices = phrases::devices(self.devices.len());
        format!("{devices}: {}", parts.join(", "))
    }
}

const HEADS: [&str; 7] = [
    "DEVICE", "GROUP", "STATE", "RUNS", "SEEN", "KNOWN BY", "RUN",
];

/// Writes where each device stands, those in doubt first, and then the counts.
pub fn fleet_status(status: &FleetStatus, how: &TableLook, out: &mut impl Write) -> io::Result<()> {
    let image = status.image.as_ref().map_or_else(
        || {
            "no image to compare with: the inventory names none, and no run of the journal had one"
                .to_owned()
        },
        |image| format!("image {}, {}", image.version, image.words),
    );
    write_below(&[(None, image)], how, 0, out)?;
    let rows = status.devices.iter().map(|device| {
        let runs = match (device.state, &device.runs) {
            // What it ran before; what it runs now nobody knows.
            (DeviceStanding::InDoubt, Some(runs)) => format!("was {runs}"),
            (_, runs) => runs.clone().unwrap_or_default(),
        };
        TextRow {
            cells: vec![
                device.device.clone(),
                device.group.clone().unwrap_or_default(),
                device.state.words().to_owned(),
                runs,
                device.at.map(|at| how.time(at)).unwrap_or_default(),
                device
                    .how
                    .map(|how| how.words().to_owned())
                    .unwrap_or_default(),
                device.run.clone().unwrap_or_default(),
            ],
            style: device.state.style(),
            below: below(device),
        }
    });
    let table = TextTable {
        heads: &HEADS,
        rows: rows.collect(),
    };
    table.write(how, 4, out)?;
    writeln!(out, "{}", how.look.text(&status.counted()))
}

fn below(device: &DeviceStatusLine) -> Vec<(Option<LineStyle>, String)> {
    let mut lines = Vec::new();
    if let (Some(run), Some(next)) = (&device.doubt_run, &device.next) {
        let ago = device.doubt_since.map(human_duration);
        let ago = ago.map_or_else(String::new, |ago| format!(" {ago} ago"));
        let next = phrases::next_of_doubt(next, device.doubt_is_alive);
        let text = format!("install sent{ago} by run {run}, its end not seen: {next}");
        lines.push((Some(LineStyle::Bad), text));
    }
    if let Some(run) = &device.refused_run {
        let text = format!("its bootloader refused this image (run {run})");
        lines.push((Some(LineStyle::Bad), text));
    }
    if let (Some(known_as), Some(run)) = (&device.known_as, &device.run) {
        lines.push((None, format!("run {run} calls it {known_as}")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use unicode_width::UnicodeWidthStr as _;

    use super::*;
    use crate::report::LineLook;
    use jiff::tz::TimeZone;

    fn device(name: &str, state: DeviceStanding) -> DeviceStatusLine {
        let known = state != DeviceStanding::NeverSeen;
        let in_doubt = state == DeviceStanding::InDoubt;
        DeviceStatusLine {
            device: name.to_owned(),
            group: Some("warsaw".to_owned()),
            state,
            runs: known.then(|| "1.2.2".to_owned()),
            fws: None,
            how: known.then_some(KnownBy::Said),
            at: known.then(|| "2026-11-23T12:00:00Z".parse().unwrap()),
            run: known.then(|| "7f3a0001".to_owned()),
            known_as: (state == DeviceStanding::Current).then(|| "hsm-7".to_owned()),
            doubt_run: in_doubt.then(|| "7f3a0001".to_owned()),
            doubt_is_alive: false,
            doubt_since: in_doubt.then(|| std::time::Duration::from_secs(754)),
            refused_run: (state == DeviceStanding::Behind).then(|| "7f3a0002".to_owned()),
            next: in_doubt.then(|| "hemfleet resume 7f3a0001".to_owned()),
        }
    }

    fn written(devices: Vec<DeviceStatusLine>) -> String {
        let image = StatusImage {
            version: "1.2.3".to_owned(),
            fws: None,
            from: "inventory",
            words: "as the inventory names it (fw.bin)".to_owned(),
        };
        let how = TableLook {
            look: LineLook::default(),
            width: Some(80),
            zone: TimeZone::UTC,
        };
        let mut out = Vec::new();
        fleet_status(&FleetStatus::of(Some(image), devices), &how, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn those_that_need_somebody_come_first() {
        let devices = DeviceStanding::ALL.into_iter().rev().enumerate();
        let devices = devices.map(|(n, state)| device(&format!("vault-{n:02}"), state));
        insta::assert_snapshot!(written(devices.collect()));
    }

    #[test]
    fn an_install_that_a_process_watches_is_only_to_be_seen() {
        let devices = vec![DeviceStatusLine {
            doubt_is_alive: true,
            next: Some("hemfleet attach 7f3a0001".to_owned()),
            ..device("vault-01", DeviceStanding::InDoubt)
        }];
        let text = written(devices);
        assert!(
            text.contains(
                "7f3a0001 shows it
"
            ) && !text.contains("asks it"),
            "{text}"
        );
    }

    #[test]
    fn two_hundred_fit_a_terminal() {
        let devices = (0..200).map(|n| DeviceStatusLine {
            refused_run: None,
            ..device(&format!("hsm-waw-dc1-r{n:03}"), DeviceStanding::Behind)
        });
        let text = written(devices.collect());
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
        assert_eq!(text.lines().count(), 203);
        assert!(text.ends_with("200 devices: 200 behind\n"), "{text}");
    }
}
