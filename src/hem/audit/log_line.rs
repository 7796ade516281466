//! One line of a log file: seven fields, their MAC, and what they mean to people ([section 9](crate::hem#9-audit-log)).
//!
//! What connects the lines, such as counters and keys, is in `verifier`.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::model::{AuditExtra, AuditTime, AuditType, LogFault, LogNumber, printable};

/// How many bytes of the HMAC end a line.
pub(super) const MAC_BYTES: usize = 16;
/// How many characters those bytes are.
pub(super) const MAC_CHARS: usize = 22;

/// A clock below this is an uptime, unless the clock is known to be set: sixteen years in seconds, or a
/// day in 1985. The page says "since boot until type 13", but its own sample, from a device whose clock
/// had outlived the boot, has dates from its first line on.
const FIRST_DATE: u64 = 500_000_000;

/// Longest text of a line that is kept for people.
const MAX_TEXT: usize = 256;

/// Subject and extra come without padding; with it they mean the same.
const FIELD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The key of the MACs, as a key line has it.
pub(super) type MacKey = [u8; 32];

/// The seven fields of a line, as they stand there.
pub(super) struct Fields<'a> {
    /// What the MAC covers: up to and including the last separator.
    pub(super) covered: &'a [u8],
    pub(super) counter: &'a [u8],
    pub(super) time: &'a [u8],
    pub(super) kind: &'a [u8],
    pub(super) result: &'a [u8],
    pub(super) subject: &'a [u8],
    pub(super) extra: &'a [u8],
    pub(super) mac: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Splits a line without its ending. `None`: of another shape, hence no entry.
    pub(super) fn split(line: &'a [u8]) -> Option<Self> {
        let mut fields = line.split(|&b| b == b'|');
        let mut next = || fields.next();
        let (counter, time, kind) = (next()?, next()?, next()?);
        let (result, subject, extra, mac) = (next()?, next()?, next()?, next()?);
        if next().is_some() {
            return None;
        }
        Some(Self {
            covered: &line[..line.len() - mac.len()],
            counter,
            time,
            kind,
            result,
            subject,
            extra,
            mac,
        })
    }

    /// The numbers, of which the page says that they are hexadecimal (the result, 0 to 2, is either way).
    pub(super) fn numbers(&self) -> Result<Numbers, LogFault> {
        Ok(Numbers {
            counter: number(self.counter, LogNumber::Counter)?,
            time: number(self.time, LogNumber::Time)?,
            kind: AuditType(number(self.kind, LogNumber::Type)?),
            result: number(self.result, LogNumber::Result)?,
        })
    }

    /// The key of a key line.
    pub(super) fn new_key(&self) -> Option<MacKey> {
        FIELD.decode(self.subject).ok()?.try_into().ok()
    }

    /// The signature of a key line.
    pub(super) fn key_signature(&self) -> Option<[u8; 64]> {
        FIELD.decode(self.extra).ok()?.try_into().ok()
    }

    /// Whether the MAC is the one of this line under `key`. Read strictly: one text for one MAC.
    pub(super) fn mac_fits(&self, key: &MacKey) -> bool {
        URL_SAFE_NO_PAD.decode(self.mac).is_ok_and(|tag| {
            tag.len() == MAC_BYTES && hmac(key, self.covered).verify_truncated_left(&tag).is_ok()
        })
    }

    /// The subject for people.
    pub(super) fn subject_text(&self) -> String {
        printable(&String::from_utf8_lossy(self.subject), MAX_TEXT)
    }

    /// The extra field for people. What is not base64url does not fail a line: its MAC covers the text.
    pub(super) fn extra_value(&self, kind: AuditType) -> AuditExtra {
        if self.extra.is_empty() {
            return AuditExtra::None;
        }
        let Ok(bytes) = FIELD.decode(self.extra) else {
            return AuditExtra::Undecoded(printable(
                &String::from_utf8_lossy(self.extra),
                MAX_TEXT,
            ));
        };
        if kind == AuditType::CLOCK_SET
            && let Ok(time) = <[u8; 4]>::try_from(bytes.as_slice())
        {
            return AuditExtra::Clock(u32::from_le_bytes(time));
        }
        match String::from_utf8(bytes) {
            Ok(text) if printable(&text, MAX_TEXT) == text => AuditExtra::Text(text),
            Ok(text) => AuditExtra::Bytes(text.len()),
            Err(e) => AuditExtra::Bytes(e.as_bytes().len()),
        }
    }
}

/// The numbers of a line.
pub(super) struct Numbers {
    pub(super) counter: u64,
    pub(super) time: u64,
    pub(super) kind: AuditType,
    pub(super) result: u64,
}

impl Numbers {
    /// A key line has type 0 and result 0.
    pub(super) fn is_key_line(&self) -> bool {
        self.kind == AuditType::KEY && self.result == 0
    }

    /// The time, as a date where it can only be one or the clock is known to be set.
    pub(super) fn time(&self, clock_set: bool) -> AuditTime {
        if clock_set || self.time >= FIRST_DATE {
            AuditTime::Unix(self.time)
        } else {
            AuditTime::SinceBoot(self.time)
        }
    }
}

/// A number in hexadecimal digits and nothing else: the library would take a sign as well.
fn number(text: &[u8], field: LogNumber) -> Result<u64, LogFault> {
    let bad = LogFault::BadNumber { field };
    if !text.iter().all(u8::is_ascii_hexdigit) {
        return Err(bad);
    }
    let text = std::str::from_utf8(text).map_err(|_| bad)?;
    u64::from_str_radix(text, 16).map_err(|_| bad)
}

/// The HMAC of a line, of which the first [`MAC_BYTES`] are written.
pub(super) fn hmac(key: &MacKey, covered: &[u8]) -> Hmac<Sha256> {
    // HMAC fills a short key up to its block with zeros anyway; done here there is no error to handle.
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256>>::new((&block).into());
    mac.update(covered);
    mac
}
