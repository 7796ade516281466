//! Writes the lines of a log file, as a simulated device does ([section 9](crate::hem#9-audit-log)).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::Mac as _;

use super::log_key::KeyAnswer;
use super::log_line::{MAC_BYTES, hmac};
use crate::model::{AuditResult, AuditType};

/// What a line says, its counter and time included.
#[derive(Debug, Clone, Copy)]
pub struct NewEntry<'a> {
    /// One more than the line before.
    pub counter: u64,
    /// Seconds since boot, or unix once the clock is set.
    pub time: u64,
    /// What happened.
    pub kind: AuditType,
    /// How it went.
    pub result: AuditResult,
    /// `U`, `M`, a key id or nothing; must hold no `|` and no line ending.
    pub subject: &'a str,
    /// Raw bytes, which are written in base64url.
    pub extra: &'a [u8],
}

/// A line with its MAC, without a line ending.
pub fn sign_line(entry: &NewEntry<'_>, mac_key: &[u8; 32]) -> String {
    let mut line = format!(
        "{:x}|{:x}|{:x}|{:x}|{}|{}|",
        entry.counter,
        entry.time,
        entry.kind.0,
        entry.result.number(),
        entry.subject,
        URL_SAFE_NO_PAD.encode(entry.extra),
    );
    let mac = hmac(mac_key, line.as_bytes()).finalize().into_bytes();
    URL_SAFE_NO_PAD.encode_string(&mac[..MAC_BYTES], &mut line);
    line
}

/// The key line that makes `mac_key` known, signed by the log key, without a line ending.
pub fn key_line(counter: u64, time: u64, mac_key: &[u8; 32], log_key_seed: &[u8; 32]) -> String {
    let signature = SigningKey::from_bytes(log_key_seed).sign(mac_key);
    let entry = NewEntry {
        counter,
        time,
        kind: AuditType::KEY,
        result: AuditResult::Ok,
        subject: &URL_SAFE_NO_PAD.encode(mac_key),
        extra: &signature.to_bytes(),
    };
    sign_line(&entry, mac_key)
}

/// What `GET /api/logger/key` answers.
pub fn answer_key(log_key_seed: &[u8; 32], nonce: &[u8]) -> KeyAnswer {
    let key = SigningKey::from_bytes(log_key_seed);
    KeyAnswer {
        key: STANDARD.encode(key.verifying_key().as_bytes()),
        nonce: STANDARD.encode(nonce),
        nonce_signed: STANDARD.encode(key.sign(nonce).to_bytes()),
    }
}
