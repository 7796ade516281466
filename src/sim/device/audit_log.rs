//! The audit log as a device keeps it: one file for each boot, that of the running session last ([section
//! 9](crate::hem#9-audit-log)).
//!
//! Files of boots before the simulator started are not kept, but made anew whenever they are read. The endpoints are in
//! `api/logger.rs`.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

use crate::hem::audit::{KeyAnswer, NewEntry, answer_key, key_line, sign_line};
use crate::model::{AuditResult, AuditType};
use crate::sim::script::fault::Act;
use crate::sim::tokens::mac_token::random;

/// The device came up.
const STARTUP: AuditType = AuditType(0x1);
/// It was told to reboot.
pub(in crate::sim) const REBOOT: AuditType = AuditType(0x2);
/// It was told to shut down.
pub(in crate::sim) const SHUTDOWN: AuditType = AuditType(0x3);
/// It tested itself, and passed.
const SELF_TEST: AuditType = AuditType(0x7);
/// The keys were found whole.
const KEY_INTEGRITY: AuditType = AuditType(0x18);
/// Settings were changed.
pub(in crate::sim) const CONFIG_UPDATED: AuditType = AuditType(0x12);
/// A key was used.
const KEY_USED: AuditType = AuditType(0x17);
/// Somebody listed the log.
pub(in crate::sim) const LISTED: AuditType = AuditType(0x9);
/// Somebody read a file of the log.
pub(in crate::sim) const READ: AuditType = AuditType(0xb);

/// What ran in the boots before the simulator started.
const PAST_FIRMWARE: &str = "Encedo nGINE FW v1.2.1";
/// How far apart those boots were.
const DAY: u64 = 86_400;

/// An entry to be written. The log adds counter, time and MAC.
#[derive(Clone, Copy, Debug)]
pub(in crate::sim) struct Entry<'a> {
    pub(in crate::sim) kind: AuditType,
    pub(in crate::sim) result: AuditResult,
    /// `U`, `M`, or empty.
    pub(in crate::sim) subject: &'a str,
    pub(in crate::sim) extra: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Something that went well.
    pub(in crate::sim) fn ok(kind: AuditType, subject: &'a str, extra: &'a [u8]) -> Self {
        Self {
            kind,
            result: AuditResult::Ok,
            subject,
            extra,
        }
    }
}

/// A file that is being written.
struct Writer {
    text: String,
    newline: &'static str,
    counter: u64,
    mac_key: [u8; 32],
}

impl Writer {
    /// Begins the file of a boot.
    fn begin(
        firmware: &str,
        time: u64,
        mac_key: [u8; 32],
        seed: &[u8; 32],
        newline: &'static str,
    ) -> Self {
        let mut writer = Self {
            text: format!("# {firmware}{newline}"),
            newline,
            counter: 0,
            mac_key,
        };
        writer.key(time, mac_key, seed);
        for kind in [STARTUP, KEY_INTEGRITY, SELF_TEST] {
            writer.add(time, &Entry::ok(kind, "", b""));
        }
        writer
    }

    fn key(&mut self, time: u64, mac_key: [u8; 32], seed: &[u8; 32]) {
        self.mac_key = mac_key;
        self.line(&key_line(self.counter, time, &mac_key, seed));
    }

    fn add(&mut self, time: u64, note: &Entry<'_>) {
        self.line(&self.signed(time, note));
    }

    /// Adds an entry whose ERROR somebody turned into OK, so that its MAC does not fit.
    fn add_tampered(&mut self, time: u64, note: &Entry<'_>) {
        let [before, after] = [AuditResult::Error, AuditResult::Ok].map(|result| {
            let note = Entry { result, ..*note };
            self.signed(time, &note)
        });
        let mac = before.rsplit('|').next().unwrap_or_default();
        let said = after.rsplit_once('|').map_or("", |(said, _)| said);
        self.line(&format!("{said}|{mac}"));
    }

    fn signed(&self, time: u64, note: &Entry<'_>) -> String {
        let entry = NewEntry {
            counter: self.counter,
            time,
            kind: note.kind,
            result: note.result,
            subject: note.subject,
            extra: note.extra,
        };
        sign_line(&entry, &self.mac_key)
    }

    /// The text, filled up to `bytes` by repeating one more entry: readers tolerate a repeated counter, and only one
    /// line has to be signed.
    fn filled(&self, bytes: usize) -> String {
        let room = bytes.saturating_sub(self.text.len());
        let again = NewEntry {
            counter: self.counter.saturating_sub(1),
            time: 0x68b9_a540,
            kind: KEY_USED,
            result: AuditResult::Ok,
            subject: "U",
            extra: b"0123456789abcdef",
        };
        let line = sign_line(&again, &self.mac_key) + self.newline;
        [self.text.as_str(), &line.repeat(room / line.len())].concat()
    }

    fn line(&mut self, line: &str) {
        let _ = write!(self.text, "{line}{}", self.newline);
        self.counter += 1;
    }
}

/// What a reader gets of a file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) enum FileRead {
    /// Its text.
    Text(String),
    /// It is the running session's (406).
    Busy,
    /// There is none of this id (404).
    Unknown,
}

/// A device's audit log.
pub(in crate::sim) struct LogFiles {
    /// Of the device's own Ed25519 log key.
    seed: [u8; 32],
    /// How many files there were before the first boot.
    past: u16,
    /// When the first boot powered up, by the real clock; the boots of the past were before that.
    first_boot: u64,
    /// Of this boot and of those since the simulator started, with their ids.
    files: Vec<(u32, Writer)>,
    /// Up to how many bytes a closed file is filled when it is read.
    fill: usize,
}

impl LogFiles {
    /// The log of the device of this name. Nothing can be written before [`LogFiles::open`].
    pub(in crate::sim) fn new(name: &str, past: u16, first_boot: u64) -> Self {
        Self {
            seed: Sha256::new_with_prefix("log key of ")
                .chain_update(name)
                .finalize()
                .into(),
            past,
            first_boot,
            files: Vec::new(),
            fill: 0,
        }
    }

    /// Fills closed files up to this many bytes when they are read; until then they take no memory.
    pub(super) fn filled(self, bytes: usize) -> Self {
        Self {
            fill: bytes,
            ..self
        }
    }

    /// Begins the file of a boot and closes the one before. `power_up` is unix seconds where the clock was set then;
    /// otherwise the id is a small number, about which the page says no more: here it counts the files.
    pub(in crate::sim) fn open(&mut self, firmware: &str, power_up: Option<u64>) {
        let number = u64::from(self.past) + self.files.len() as u64 + 1;
        let id = u32::try_from(power_up.unwrap_or(number)).unwrap_or(u32::MAX);
        let time = power_up.unwrap_or(0);
        let writer = Writer::begin(firmware, time, random(), &self.seed, "\r\n");
        self.files.push((id, writer));
    }

    /// Writes an entry into the running session's file. `time` is seconds since boot, or unix once the clock
    /// is set; `act` is the scripted fault that strikes it.
    pub(in crate::sim) fn write(&mut self, time: u64, note: &Entry<'_>, act: Option<&Act>) {
        let Some((_, file)) = self.files.last_mut() else {
            return;
        };
        match act {
            Some(Act::LeaveOut) => {}
            Some(Act::LogError) => {
                let result = AuditResult::Error;
                file.add(time, &Entry { result, ..*note });
            }
            Some(Act::Tamper) => file.add_tampered(time, note),
            _ => file.add(time, note),
        }
    }

    /// `GET /api/logger/key`: the public key, and a nonce that it signed.
    pub(in crate::sim) fn key(&self) -> KeyAnswer {
        answer_key(&self.seed, &random())
    }

    /// All ids, oldest first, which is neither by number nor by date.
    pub(in crate::sim) fn ids(&self) -> impl Iterator<Item = String> {
        let past = (0..self.past).map(|n| self.past_id(n));
        let own = self.files.iter().map(|(id, _)| *id);
        past.chain(own).map(|id| format!("{id:08x}"))
    }

    /// The file of this id.
    pub(in crate::sim) fn read(&self, id: &str) -> FileRead {
        let Some(id) = parse_id(id) else {
            return FileRead::Unknown;
        };
        if let Some(place) = self.files.iter().position(|(own, _)| *own == id) {
            return if place + 1 == self.files.len() {
                FileRead::Busy
            } else {
                FileRead::Text(self.files[place].1.filled(self.fill))
            };
        }
        let past = (0..self.past).find(|n| self.past_id(*n) == id);
        past.map_or(FileRead::Unknown, |n| {
            FileRead::Text(self.past_file(n).filled(self.fill))
        })
    }

    /// When boot `n` of the past powered up.
    fn past_power_up(&self, n: u16) -> u64 {
        let days = u64::from(self.past - n);
        self.first_boot.saturating_sub(days * DAY)
    }

    /// The id of boot `n` of the past; in every fourth one the clock was not set at power-up.
    fn past_id(&self, n: u16) -> u32 {
        if n % 4 == 3 {
            u32::from(n) + 1
        } else {
            u32::try_from(self.past_power_up(n)).unwrap_or(u32::MAX)
        }
    }

    /// The file of boot `n` of the past, the same each time. Every second one has CRLF, every fifth changes its key
    /// in the middle, and the last one holds another run's upgrade.
    fn past_file(&self, n: u16) -> Writer {
        let mac_key = |what: &str| {
            let hash = Sha256::new_with_prefix(self.seed).chain_update(n.to_le_bytes());
            hash.chain_update(what).finalize().into()
        };
        let at = self.past_power_up(n);
        let start = if n % 4 == 3 { 0 } else { at };
        let newline = if n % 2 == 1 { "\r\n" } else { "\n" };
        let mut file = Writer::begin(PAST_FIRMWARE, start, mac_key("first"), &self.seed, newline);
        let is_last = n + 1 == self.past;
        let (scope, end): (&[u8], _) = if is_last {
            (b"system:upgrade", AuditType::UPGRADE)
        } else {
            (b"system:config", REBOOT)
        };
        let clock = u32::try_from(at + 60).unwrap_or(u32::MAX).to_le_bytes();
        file.add(at + 60, &Entry::ok(AuditType::CLOCK_SET, "", &clock));
        file.add(at + 90, &Entry::ok(AuditType::TOKEN, "U", scope));
        if n % 5 == 4 {
            file.key(at + 100, mac_key("second"), &self.seed);
        }
        file.add(at + 120, &Entry::ok(end, "U", b""));
        file
    }
}

/// The number that a file's id stands for: exactly 8 hex digits (section 9).
pub(in crate::sim) fn parse_id(id: &str) -> Option<u32> {
    let is_one = id.len() == 8 && id.bytes().all(|b| b.is_ascii_hexdigit());
    is_one.then(|| u32::from_str_radix(id, 16).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hem::audit::{Delivery, prove_key, verify};
    use crate::model::{AuditLog, LogEnd, LogFault};

    const BOOT: u64 = 0x68b9_a540;

    fn log(past: u16) -> LogFiles {
        let mut log = LogFiles::new("hem", past, BOOT);
        log.open("Encedo nGINE FW v1.2.2", None);
        log
    }

    fn verified(log: &LogFiles, id: &str) -> AuditLog {
        let FileRead::Text(text) = log.read(id) else {
            panic!("{id} is not there");
        };
        let key = prove_key(&log.key()).unwrap();
        verify(text.as_bytes(), &key, Delivery::Whole)
    }

    #[test]
    fn the_past_verifies_in_all_its_shapes() {
        let log = log(41);
        let ids: Vec<String> = log.ids().collect();
        assert_eq!(ids.len(), 42);
        assert_eq!(ids[3], "00000004");
        assert!(ids[0] > ids[3] && ids[0] < ids[1]);
        assert_eq!(log.read(&ids[41]), FileRead::Busy);
        for id in &ids[..41] {
            let file = verified(&log, id);
            assert!(file.verifies(), "{id}: {:?}", file.end);
            assert_eq!(file.firmware.as_deref(), Some(PAST_FIRMWARE));
            assert!(file.other_lines.is_empty());
            assert_eq!(log.read(id), log.read(&id.to_uppercase()));
        }
        let texts = ids[..41].iter().map(|id| log.read(id));
        let crlf = texts.filter(|t| matches!(t, FileRead::Text(t) if t.contains("\r\n")));
        assert_eq!(crlf.count(), 20);
        for id in ["", "zz", "4", "ffffffff", "123456789", "-1", "+0000004"] {
            assert_eq!(log.read(id), FileRead::Unknown, "{id}");
        }
    }

    #[test]
    fn files_are_filled_on_demand_and_verify() {
        let mut log = log(2).filled(100_000);
        log.open("Encedo nGINE FW v1.2.3", None);
        for id in log.ids().take(3) {
            let FileRead::Text(text) = log.read(&id) else {
                panic!("{id} is not there");
            };
            assert!((99_900..=100_000).contains(&text.len()), "{}", text.len());
            let file = verified(&log, &id);
            assert!(file.verifies() && file.count > 1000, "{id}: {:?}", file.end);
        }
    }

    #[test]
    fn a_tampered_entry_says_ok_and_does_not_verify() {
        let mut log = log(0);
        log.write(5, &Entry::ok(REBOOT, "U", b""), Some(&Act::LeaveOut));
        let upgrade = Entry::ok(AuditType::UPGRADE, "U", b"");
        log.write(5, &upgrade, Some(&Act::LogError));
        log.write(6, &upgrade, Some(&Act::Tamper));
        log.open("Encedo nGINE FW v1.2.3", Some(BOOT));
        assert_eq!(log.ids().collect::<Vec<_>>(), ["00000001", "68b9a540"]);
        let file = verified(&log, "00000001");
        let end = LogEnd::Failed {
            line: 7,
            counter: Some(5),
            fault: LogFault::BadMac,
        };
        assert_eq!(file.end, end);
        let last = file.entries.last().unwrap();
        assert_eq!(
            (last.kind, last.result),
            (AuditType::UPGRADE, AuditResult::Error)
        );
        let text = log.read("00000001");
        assert!(matches!(text, FileRead::Text(t) if t.contains("\n5|6|4|0|U||")));
    }
}
