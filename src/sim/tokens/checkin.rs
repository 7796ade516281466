//! The check-in's two objects: the device's question and the backend's reply ([section 5](crate::hem#5-check-in)).
//!
//! The page leaves open what they hold, as clients forward them unread. Here each is a JSON web token whose MAC key the
//! device and the backend agree on by X25519, so that a reply that was made up, altered or meant for another device or
//! question does not verify.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use x25519_dalek::{PublicKey, StaticSecret};

use super::mac_token::random_text;
use super::mac_token::{open, seal_agreed, unverified};
use crate::sim::firmware_images;

/// The simulated backend's private key: fixed, for it protects nothing.
const BACKEND: [u8; 32] = [0xb0; 32];

/// What a device asks.
#[derive(Serialize, Deserialize)]
pub(in crate::sim) struct Question {
    /// Single use.
    pub(in crate::sim) jti: String,
    /// The device's identity, base64.
    pub(in crate::sim) iss: String,
    /// The backend's public key, base64: whom it asks.
    aud: String,
    /// The question's own id.
    qid: String,
    /// What it runs.
    pub(in crate::sim) fws: String,
    /// Its bootloader.
    bls: String,
    /// The management app that it serves, where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::sim) uis: Option<String>,
    /// The serial number of the certificate that it serves, base64.
    pub(in crate::sim) csn: String,
}

/// What the backend replies.
#[derive(Serialize, Deserialize)]
pub(in crate::sim) struct Reply {
    /// The question's.
    pub(in crate::sim) jti: String,
    /// The time, unix seconds.
    pub(in crate::sim) iat: i64,
    /// An ordered action; none is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::sim) order: Option<char>,
    /// A renewed certificate, base64 of DER.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::sim) newcrt: Option<String>,
    /// A newer firmware.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::sim) newfws: Option<String>,
    /// A newer management app.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::sim) newuis: Option<String>,
}

/// A device's identity: `eid` is its public half.
pub(in crate::sim) struct Identity(StaticSecret);

impl Identity {
    pub(in crate::sim) fn new(seed: [u8; 32]) -> Self {
        Self(StaticSecret::from(seed))
    }

    /// Base64 of the public key.
    pub(in crate::sim) fn eid(&self) -> String {
        STANDARD.encode(PublicKey::from(&self.0).as_bytes())
    }

    pub(in crate::sim) fn ask(&self, jti: &str, fws: &str, uis: Option<&str>, csn: &str) -> String {
        let backend = PublicKey::from(&StaticSecret::from(BACKEND));
        let question = Question {
            jti: jti.to_owned(),
            iss: self.eid(),
            aud: STANDARD.encode(backend.as_bytes()),
            qid: random_text(),
            fws: fws.to_owned(),
            bls: firmware_images::bootloader().to_string(),
            uis: uis.map(str::to_owned),
            csn: csn.to_owned(),
        };
        seal_agreed(&self.key(), &question)
    }

    /// The reply, if it is the backend's and to this device.
    pub(in crate::sim) fn hear(&self, checked: &str) -> Option<Reply> {
        open(&self.key(), checked)
    }

    /// The key that this device shares with the backend.
    pub(in crate::sim) fn key(&self) -> [u8; 32] {
        let backend = PublicKey::from(&StaticSecret::from(BACKEND));
        self.0.diffie_hellman(&backend).to_bytes()
    }
}

/// The backend reads a question, if it comes from the device that it claims.
pub(in crate::sim) fn hear(check: &str) -> Option<Question> {
    let claimed: Question = unverified(check)?;
    open(&backend_key(&claimed.iss)?, check)
}

/// The backend's reply to a question.
pub(in crate::sim) fn reply(question: &Question, reply: &Reply) -> Option<String> {
    Some(seal_agreed(&backend_key(&question.iss)?, reply))
}

/// The key that the backend shares with the device of this identity.
pub(super) fn backend_key(eid: &str) -> Option<[u8; 32]> {
    let eid: [u8; 32] = STANDARD.decode(eid).ok()?.try_into().ok()?;
    let shared = StaticSecret::from(BACKEND).diffie_hellman(&PublicKey::from(eid));
    shared.was_contributory().then(|| shared.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_backends_own_reply_to_this_device_verifies() {
        let (one, two) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let question = hear(&one.ask("nonce", "fws", None, "csn")).unwrap();
        assert_eq!(
            (question.jti.as_str(), question.iss.clone()),
            ("nonce", one.eid())
        );
        let text = reply(
            &question,
            &Reply {
                jti: question.jti.clone(),
                iat: 7,
                order: None,
                newcrt: None,
                newfws: None,
                newuis: None,
            },
        )
        .unwrap();
        assert_eq!(one.hear(&text).unwrap().iat, 7);
        assert!(two.hear(&text).is_none());
        assert!(one.hear(&text.replace('.', "")).is_none());
        let mut altered = text.clone();
        let at = text.find('.').unwrap() + 5;
        let other = if &text[at..=at] == "A" { "B" } else { "A" };
        altered.replace_range(at..=at, other);
        assert!(one.hear(&altered).is_none());
        // Somebody who says that he is this device.
        let forged = Question {
            jti: "n".into(),
            ..question
        };
        assert!(hear(&seal_agreed(&[9; 32], &forged)).is_none());
        assert!(hear("..").is_none() && hear("").is_none());
    }
}
