//! The eJWT, a JSON web token whose MAC key is a Diffie-Hellman secret: made by whoever logs in, verified by the
//! device ([section 6](crate::hem#6-authentication)).
//!
//! Times are given, never read from a clock. The private key comes from `kdf`.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use x25519_dalek::{PublicKey, StaticSecret};
use zeroize::Zeroizing;

pub use super::json::{Challenge, parse_challenge};

/// The header, byte for byte.
const HEADER: &str = r#"{"ecdh":"x25519","alg":"HS256","typ":"JWT"}"#;

/// The longest scope that a device takes, in characters.
pub const MAX_SCOPE: usize = 127;

/// By the page keys are padded, but a missing `=` is tolerated.
const KEY_TEXT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The private key `k` that a secret is turned into. Its `Debug` shows nothing, and it is wiped
/// when dropped.
#[derive(Clone)]
pub struct PrivateKey(Zeroizing<[u8; 32]>);

impl PrivateKey {
    /// Takes the 32 bytes as they are; X25519 clamps them itself.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Whether these are its bytes. Tests alone may ask.
    #[cfg(test)]
    pub(super) fn is(&self, bytes: &[u8; 32]) -> bool {
        *self.0 == *bytes
    }

    fn secret(&self) -> StaticSecret {
        StaticSecret::from(*self.0)
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PrivateKey([redacted])")
    }
}

/// Why an eJWT could not be made, or is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EjwtError {
    /// The scope is longer than a device takes.
    #[error("scope of {length} characters, at most {MAX_SCOPE} are allowed")]
    ScopeTooLong {
        /// Its length in characters.
        length: usize,
    },
    /// A public key is no base64 of 32 bytes, or one with which every secret gives zero.
    #[error("{field} is not a usable X25519 key")]
    BadKey {
        /// `spk` or `iss`.
        field: &'static str,
    },
    /// Not three base64url segments, or not the header and claims of the page.
    #[error("not an eJWT: {what}")]
    Malformed {
        /// Which part is wrong.
        what: &'static str,
    },
    /// The MAC is not the one of these claims and keys.
    #[error("signature does not verify")]
    BadSignature,
    /// Made for another session key: another device, or an earlier boot.
    #[error("made for another session key")]
    OtherAudience,
}

/// What an eJWT claims, in the order sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// The challenge's nonce.
    pub jti: String,
    /// The challenge's session key, as text.
    pub aud: String,
    /// When the wanted token dies, unix seconds of the device's clock.
    pub exp: i64,
    /// When the eJWT was made, unix seconds of the device's clock.
    pub iat: i64,
    /// The public key of the one who logs in, base64.
    pub iss: String,
    /// What the token is for.
    pub scope: String,
}

/// The public key `K`, as `iss` and a device's user list have it: standard base64 with padding.
pub fn public_key_b64(key: &PrivateKey) -> String {
    STANDARD.encode(PublicKey::from(&key.secret()).as_bytes())
}

/// Answers a challenge (section 6). `iat` and `exp` are on the device's clock.
///
/// # Errors
///
/// A scope over [`MAX_SCOPE`] characters, or a challenge whose `spk` is no usable key.
pub fn issue(
    key: &PrivateKey,
    challenge: &Challenge,
    iat: i64,
    exp: i64,
    scope: &str,
) -> Result<String, EjwtError> {
    check_scope(scope)?;
    let shared = agree(&key.secret(), &challenge.spk, "spk")?;
    let claims = Claims {
        jti: challenge.jti.clone(),
        aud: challenge.spk.clone(),
        exp,
        iat,
        iss: public_key_b64(key),
        scope: scope.to_owned(),
    };
    let claims =
        serde_json::to_vec(&claims).map_err(|_| EjwtError::Malformed { what: "claims" })?;
    let mut text = URL_SAFE_NO_PAD.encode(HEADER);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut text);
    let tag = mac(&shared, text.as_bytes()).finalize().into_bytes();
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut text);
    Ok(text)
}

/// What a device does with an eJWT: everything but the clock, the nonce and the user list, which
/// are the caller's. The MAC is compared in constant time.
///
/// # Errors
///
/// Another shape, header, session key or scope than the page's, or a MAC that does not fit.
pub fn verify(ejwt: &str, session_private: &[u8; 32]) -> Result<Claims, EjwtError> {
    let malformed = |what| EjwtError::Malformed { what };
    let (signed, tag) = ejwt.rsplit_once('.').ok_or(malformed("segments"))?;
    let (header, body) = signed.split_once('.').ok_or(malformed("segments"))?;
    if body.contains('.') {
        return Err(malformed("segments"));
    }
    let decode = |text: &str, what| URL_SAFE_NO_PAD.decode(text).map_err(|_| malformed(what));
    // hemfleet issues exactly this text. The vendor's own acceptance suite has the fields in another order, and
    // devices accept it.
    let claimed: serde_json::Value =
        serde_json::from_slice(&decode(header, "header")?).map_err(|_| malformed("header"))?;
    if serde_json::from_str(HEADER).ok() != Some(claimed) {
        return Err(malformed("header"));
    }
    let claims: Claims =
        serde_json::from_slice(&decode(body, "claims")?).map_err(|_| malformed("claims"))?;
    let tag = decode(tag, "signature")?;

    let session = StaticSecret::from(*session_private);
    let shared = agree(&session, &claims.iss, "iss")?;
    mac(&shared, signed.as_bytes())
        .verify_slice(&tag)
        .map_err(|_| EjwtError::BadSignature)?;
    if claims.aud != STANDARD.encode(PublicKey::from(&session).as_bytes()) {
        return Err(EjwtError::OtherAudience);
    }
    check_scope(&claims.scope)?;
    Ok(claims)
}

fn check_scope(scope: &str) -> Result<(), EjwtError> {
    let length = scope.chars().count();
    if length > MAX_SCOPE {
        return Err(EjwtError::ScopeTooLong { length });
    }
    Ok(())
}

/// The shared secret with the holder of `their_public`. A key of small order is refused: with it the
/// secret is zero whatever the private key, so that a MAC would prove nothing.
fn agree(
    own: &StaticSecret,
    their_public: &str,
    field: &'static str,
) -> Result<Zeroizing<[u8; 32]>, EjwtError> {
    let bytes: [u8; 32] = KEY_TEXT
        .decode(their_public)
        .ok()
        .and_then(|v| v.try_into().ok())
        .ok_or(EjwtError::BadKey { field })?;
    let shared = own.diffie_hellman(&PublicKey::from(bytes));
    if !shared.was_contributory() {
        return Err(EjwtError::BadKey { field });
    }
    Ok(Zeroizing::new(shared.to_bytes()))
}

fn mac(key: &Zeroizing<[u8; 32]>, text: &[u8]) -> Hmac<Sha256> {
    // HMAC fills a short key up to its block with zeros anyway; done here there is no error to handle.
    let mut block = Zeroizing::new([0_u8; 64]);
    block[..32].copy_from_slice(key.as_slice());
    let mut mac = <Hmac<Sha256>>::new((&*block).into());
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn challenge(session: [u8; 32]) -> Challenge {
        Challenge {
            exp: Some(100),
            spk: STANDARD.encode(PublicKey::from(&StaticSecret::from(session)).as_bytes()),
            jti: "nonce \"quoted\" ż".into(),
            lbl: None,
            eid: "eid".into(),
        }
    }

    #[test]
    fn what_is_issued_verifies_and_only_for_that_session() {
        let key = PrivateKey::from_bytes([7; 32]);
        let text = issue(&key, &challenge([9; 32]), 35, 3600, "system:upgrade").unwrap();
        let claims = verify(&text, &[9; 32]).unwrap();
        assert_eq!((claims.iat, claims.exp), (35, 3600));
        assert_eq!(claims.iss, public_key_b64(&key));
        assert_eq!(claims.jti, "nonce \"quoted\" ż");
        assert_eq!(verify(&text, &[8; 32]), Err(EjwtError::BadSignature));
        assert_eq!(format!("{key:?}"), "PrivateKey([redacted])");
    }

    #[test]
    fn a_changed_claim_is_noticed() {
        let key = PrivateKey::from_bytes([7; 32]);
        let text = issue(&key, &challenge([9; 32]), 35, 3600, "logger:get").unwrap();
        let parts: Vec<&str> = text.split('.').collect();
        let body = String::from_utf8(URL_SAFE_NO_PAD.decode(parts[1]).unwrap()).unwrap();
        let forged = URL_SAFE_NO_PAD.encode(body.replace("logger:get", "system:upgrade"));
        let text = format!("{}.{forged}.{}", parts[0], parts[2]);
        assert_eq!(verify(&text, &[9; 32]), Err(EjwtError::BadSignature));
    }

    #[test]
    fn a_header_of_another_order_is_taken_and_no_other_header() {
        let session = [9; 32];
        let key = PrivateKey::from_bytes([7; 32]);
        let text = issue(&key, &challenge(session), 35, 3600, "logger:get").unwrap();
        let body = text.split('.').nth(1).unwrap();
        let shared = agree(&key.secret(), &challenge(session).spk, "spk").unwrap();
        let with = |header: &str| {
            let signed = format!("{}.{body}", URL_SAFE_NO_PAD.encode(header));
            let tag = mac(&shared, signed.as_bytes()).finalize().into_bytes();
            verify(
                &format!("{signed}.{}", URL_SAFE_NO_PAD.encode(tag)),
                &session,
            )
        };
        assert!(with(r#"{"alg":"HS256","typ":"JWT","ecdh":"x25519"}"#).is_ok());
        for header in [r#"{"alg":"HS256","typ":"JWT"}"#, r#"{"alg":"none"}"#, "x"] {
            assert_eq!(with(header), Err(EjwtError::Malformed { what: "header" }));
        }
    }

    #[test]
    fn scopes_have_a_longest() {
        let key = PrivateKey::from_bytes([7; 32]);
        let challenge = challenge([9; 32]);
        assert!(issue(&key, &challenge, 0, 1, &"ż".repeat(127)).is_ok());
        assert_eq!(
            issue(&key, &challenge, 0, 1, &"s".repeat(128)),
            Err(EjwtError::ScopeTooLong { length: 128 })
        );
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        let key = PrivateKey::from_bytes([7; 32]);
        let mut challenge = challenge([9; 32]);
        for spk in [STANDARD.encode([0; 32]), "AAAA".into(), "…".into()] {
            challenge.spk = spk;
            let made = issue(&key, &challenge, 0, 1, "s");
            assert_eq!(made, Err(EjwtError::BadKey { field: "spk" }));
        }
    }

    #[test]
    fn other_shapes_are_refused() {
        for text in ["", ".", "..", "a.b", "a.b.c.d", "....", "e30.e30.e30"] {
            assert!(
                matches!(verify(text, &[9; 32]), Err(EjwtError::Malformed { .. })),
                "{text}"
            );
        }
    }

    proptest! {
        #[test]
        fn verify_never_panics(text in ".{0,200}") {
            let _ = verify(&text, &[9; 32]);
        }
    }
}
