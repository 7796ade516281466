//! From what a person knows to the private key that logs in (section 6).
//! Must not: keep a secret longer than the call, or choose between the kinds of derivation.

use pbkdf2::{Algorithm, Params, pbkdf2_hmac_with_params};
use zeroize::Zeroizing;

use super::ejwt::PrivateKey;
use crate::model::Secret;

/// 600,000 iterations (section 6), which happens to be what the library recommends.
const ROUNDS: Params = Params::RECOMMENDED;
const _: () = assert!(ROUNDS.rounds() == 600_000);

/// The key of a passphrase as SDKs and Manager 2 derive it: PBKDF2-HMAC-SHA256, 600,000 rounds.
///
/// The salt is the *text* of `eid`, not what it decodes to (section 6). Takes about 0.1 to 0.3 s of
/// a core: never on an async thread.
pub fn pbkdf2(passphrase: &Secret, eid: &str) -> PrivateKey {
    let mut key = Zeroizing::new([0_u8; 32]);
    // Not the generic function: that one would be compiled with this crate's settings, which in
    // development means unoptimised, twenty times slower.
    pbkdf2_hmac_with_params(
        passphrase.expose(),
        eid.as_bytes(),
        Algorithm::Pbkdf2Sha256,
        ROUNDS,
        key.as_mut_slice(),
    );
    PrivateKey::from_bytes(*key)
}
