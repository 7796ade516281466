//! Small JSON web tokens under a MAC, and random texts to put in them. The eJWT of a login is in `hem/ejwt.rs`.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::Sha256;

const HEADER: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// Of a token whose key two parties agree on by X25519.
const AGREED: &str = r#"{"ecdh":"x25519","typ":"JWT","alg":"HS256"}"#;

/// A token of these claims under a MAC.
pub(in crate::sim) fn seal(key: &[u8; 32], claims: &impl Serialize) -> String {
    under(HEADER, key, claims)
}

/// The same, saying that the key is an agreed one: both objects of a check-in (section 5).
pub(super) fn seal_agreed(key: &[u8; 32], claims: &impl Serialize) -> String {
    under(AGREED, key, claims)
}

fn under(header: &str, key: &[u8; 32], claims: &impl Serialize) -> String {
    // Plain structures of texts and numbers: nothing in them can fail to become JSON.
    let claims = serde_json::to_vec(claims).unwrap_or_default();
    let mut text = URL_SAFE_NO_PAD.encode(header);
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut text);
    let tag = mac(key, &text).finalize().into_bytes();
    text.push('.');
    URL_SAFE_NO_PAD.encode_string(tag, &mut text);
    text
}

/// The claims of a token, if the MAC is right.
pub(in crate::sim) fn open<T: DeserializeOwned>(key: &[u8; 32], token: &str) -> Option<T> {
    let (signed, tag) = token.rsplit_once('.')?;
    let tag = URL_SAFE_NO_PAD.decode(tag).ok()?;
    mac(key, signed).verify_slice(&tag).ok()?;
    unverified(token)
}

/// The claims of a token, or of an eJWT, right or wrong.
pub(in crate::sim) fn unverified<T: DeserializeOwned>(token: &str) -> Option<T> {
    let body = token.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(body).ok()?).ok()
}

fn mac(key: &[u8; 32], text: &str) -> Hmac<Sha256> {
    // HMAC fills a short key up to its block with zeros anyway; done here there is no error to handle.
    let mut block = [0_u8; 64];
    block[..32].copy_from_slice(key);
    let mut mac = <Hmac<Sha256>>::new((&block).into());
    mac.update(text.as_bytes());
    mac
}

/// 32 random bytes; zeros without a source of randomness, as nothing secret is at stake here.
pub(in crate::sim) fn random() -> [u8; 32] {
    let mut bytes = [0; 32];
    let _ = getrandom::fill(&mut bytes);
    bytes
}

/// A random text for single use.
pub(in crate::sim) fn random_text() -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(random())
}
