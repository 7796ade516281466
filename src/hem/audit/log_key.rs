//! The log key and its proof, and the list of log files ([section 9](crate::hem#9-audit-log)).

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use ed25519_dalek::{Signature, VerifyingKey};
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::hem::json::WireError;
use crate::hem::limits::MAX_LOG_IDS;
use crate::model::{LogId, printable};

/// By the page keys are padded, but a missing `=` is tolerated.
const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Longest message of the JSON parser that is kept.
const MAX_TEXT: usize = 128;

/// `GET /api/logger/key` (section 9), as text, so that it can be saved and checked by others later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyAnswer {
    /// The Ed25519 public key of the log, base64.
    pub key: String,
    /// A nonce of the device's own making, base64.
    pub nonce: String,
    /// The signature of the raw nonce, base64.
    pub nonce_signed: String,
}

/// The key that signs the keys of a device's log files. [`prove_key`] gives it.
#[derive(Clone, PartialEq, Eq)]
pub struct LogKey(VerifyingKey);

impl LogKey {
    /// Whether `signature` is this key's over `message`; malleable signatures and keys with which every
    /// signature fits are refused.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        self.0
            .verify_strict(message, &Signature::from_bytes(signature))
            .is_ok()
    }
}

#[cfg(test)]
impl LogKey {
    /// Some key, for devices in memory whose files nobody signs.
    pub(crate) fn any() -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(&[7; 32]).verifying_key())
    }
}

impl fmt::Display for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&STANDARD.encode(self.0.as_bytes()))
    }
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LogKey({self})")
    }
}

/// Why a log key is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyFault {
    /// A field is not base64, or not of the right size.
    #[error("field {field} of the log key is not base64 of {wanted}")]
    Malformed {
        /// Its name.
        field: &'static str,
        /// What it should hold.
        wanted: &'static str,
    },
    /// 32 bytes that are no point of the curve, or one of small order, whose signatures fit anything.
    #[error("the log key is no usable Ed25519 key")]
    BadKey,
    /// The signature of the nonce is not the key's.
    #[error("the log key did not sign the nonce")]
    NotSigned,
}

/// Reads the answer of `GET /api/logger/key`, or the file that it was saved in.
///
/// # Errors
///
/// Other JSON than the page's, or none.
pub fn parse_key_answer(body: &[u8]) -> Result<KeyAnswer, WireError> {
    read(body)
}

/// The log key, once its signature of the nonce fits (section 9).
///
/// The nonce is the device's own: this proves that somebody held the key, but not that it was just now.
///
/// # Errors
///
/// Fields of other sizes, a key that is none, or a signature that does not fit.
pub fn prove_key(answer: &KeyAnswer) -> Result<LogKey, KeyFault> {
    let malformed = |field, wanted| KeyFault::Malformed { field, wanted };
    let decode = |text: &str| KEY_TEXT.decode(text.trim()).ok();
    let key: [u8; 32] = decode(&answer.key)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(malformed("key", "32 bytes"))?;
    // The page has no size for it, but a signature of nothing would prove nothing.
    let nonce = decode(&answer.nonce)
        .filter(|bytes| !bytes.is_empty())
        .ok_or(malformed("nonce", "at least one byte"))?;
    let signature: [u8; 64] = decode(&answer.nonce_signed)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(malformed("nonce_signed", "64 bytes"))?;
    let key = VerifyingKey::from_bytes(&key).map_err(|_| KeyFault::BadKey)?;
    if key.is_weak() {
        return Err(KeyFault::BadKey);
    }
    let key = LogKey(key);
    if key.signed(&nonce, &signature) {
        Ok(key)
    } else {
        Err(KeyFault::NotSigned)
    }
}

/// `GET /api/logger/list/{offset}` (section 9).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogList {
    /// Directory entries of the device, which are not all log files: no number to count pages by.
    pub total: Option<u64>,
    /// The ids of this page, oldest first.
    pub ids: Vec<LogId>,
    /// How many ids were not hexadecimal digits, and are left out. They count for the next offset.
    pub unusable: usize,
    /// How many ids stand on this page in all. Over [`MAX_LOG_IDS`] it is none that a device sends, and the ids
    /// beyond that are not here.
    pub listed: usize,
}

#[derive(Deserialize)]
struct RawList {
    #[serde(default)]
    total: serde_json::Value,
    id: Ids,
}

/// The ids of a page: those that are one, and how many there were.
#[derive(Default)]
struct Ids {
    usable: Vec<LogId>,
    unusable: usize,
    listed: usize,
}

impl<'de> Deserialize<'de> for Ids {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(IdsVisitor)
    }
}

struct IdsVisitor;

impl<'de> Visitor<'de> for IdsVisitor {
    type Value = Ids;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of log ids")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Ids, A::Error> {
        let mut page = Ids::default();
        while page.listed < MAX_LOG_IDS {
            let Some(id) = seq.next_element::<serde_json::Value>()? else {
                return Ok(page);
            };
            page.listed += 1;
            match id.as_str().and_then(LogId::new) {
                Some(id) => page.usable.push(id),
                None => page.unusable += 1,
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            page.listed += 1;
        }
        Ok(page)
    }
}

/// Reads one page of the list of log files.
///
/// # Errors
///
/// No JSON object with an array `id`.
pub fn parse_list(body: &[u8]) -> Result<LogList, WireError> {
    let raw: RawList = read(body)?;
    Ok(LogList {
        total: raw.total.as_u64(),
        unusable: raw.id.unusable,
        listed: raw.id.listed,
        ids: raw.id.usable,
    })
}

fn read<T: for<'a> Deserialize<'a>>(body: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(body).map_err(|e| WireError::NotJson {
        what: printable(&e.to_string(), MAX_TEXT),
    })
}
