//! Key derivation: from a passphrase or master words to the private key that logs in ([section
//! 6](crate::hem#6-authentication)).
//!
//! Which derivation is tried when is decided in `device/http/login/derived_keys.rs`. Secrets are never echoed, not even
//! in errors.

use argon2::{Argon2, Block, Version};
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use base64::{DecodeError, Engine as _};
use bip39::Language;
use pbkdf2::{Algorithm, Params, pbkdf2_hmac, pbkdf2_hmac_with_params};
use sha2::{Digest as _, Sha256, Sha512};
use zeroize::Zeroizing;

use super::ejwt::PrivateKey;
use crate::model::Secret;

/// 600,000 iterations (section 6), which happens to be what the library recommends.
const ROUNDS: Params = Params::RECOMMENDED;
const _: () = assert!(ROUNDS.rounds() == 600_000);

/// The iterations of a BIP-39 seed.
const SEED_ROUNDS: u32 = 2_048;

/// Argon2's cost (section 6): 8,192 KiB, 10 passes, 1 lane, 32 bytes.
const ARGON2: Result<argon2::Params, argon2::Error> = argon2::Params::new(8_192, 10, 1, Some(32));

/// How many words a master key is written in.
const MASTER_WORDS: usize = 24;
/// What 24 words of 11 bits hold: 32 bytes of entropy and one of checksum.
const MASTER_BYTES: usize = MASTER_WORDS * 11 / 8;
/// No word of the list is longer than 8 letters; one more for the space.
const MAX_SENTENCE: usize = MASTER_WORDS * 9;

/// `eid` is padded base64, but a missing `=` is tolerated.
const EID: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why a device's salt cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KdfError {
    /// `eid` is not base64.
    #[error("the device's eid is not base64")]
    NotBase64(#[source] DecodeError),
    /// Argon2 refuses it, such as one of less than eight bytes.
    #[error("the device's eid is no usable salt")]
    BadSalt(#[source] argon2::Error),
}

/// Why a text is not a master key. Words are named only by their number, as the text is a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MasterWordsError {
    /// Too few or too many.
    #[error("{found} words, but a master key has {MASTER_WORDS}")]
    Count {
        /// How many there are.
        found: usize,
    },
    /// A word is not in the list.
    #[error("word {number} is not in the BIP-39 English list")]
    Unknown {
        /// Which one, counted from 1.
        number: usize,
    },
    /// Every word is in the list, but they do not belong together.
    #[error("the words do not fit each other: one of them is wrong, or two are swapped")]
    Checksum,
    /// Not UTF-8.
    #[error("the master words are not text")]
    NotText,
}

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

/// The key of a passphrase as Manager 1 derives it: Argon2d v1.3, 10 passes over 8,192 KiB.
///
/// The salt is what `eid` *decodes to*, not its text (section 6). Takes as long as [`pbkdf2()`], and 8 MiB,
/// which are wiped: never on an async thread.
///
/// # Errors
///
/// An `eid` that is no base64, or decodes to less than the eight bytes that Argon2 demands of a salt.
pub fn argon2d(passphrase: &Secret, eid: &str) -> Result<PrivateKey, KdfError> {
    let salt = argon2_salt(eid)?;
    let params = ARGON2.map_err(KdfError::BadSalt)?;
    let mut memory = Zeroizing::new(vec![Block::default(); params.block_count()]);
    let mut key = Zeroizing::new([0_u8; 32]);
    Argon2::new(argon2::Algorithm::Argon2d, Version::V0x13, params)
        .hash_password_into_with_memory(
            passphrase.expose(),
            &salt,
            key.as_mut_slice(),
            memory.as_mut_slice(),
        )
        .map_err(KdfError::BadSalt)?;
    Ok(PrivateKey::from_bytes(*key))
}

/// What `eid` decodes to, the salt of [`argon2d`] (section 6).
///
/// # Errors
///
/// An `eid` with which [`argon2d`] would fail, whatever the passphrase.
pub fn argon2_salt(eid: &str) -> Result<Vec<u8>, KdfError> {
    let salt = EID.decode(eid).map_err(KdfError::NotBase64)?;
    if salt.len() < argon2::MIN_SALT_LEN {
        return Err(KdfError::BadSalt(argon2::Error::SaltTooShort));
    }
    Ok(salt)
}

/// The key of 24 master words as Manager 2 derives it: their entropy itself (section 6).
///
/// Capitals and any white space between the words are allowed.
///
/// # Errors
///
/// Another number of words, a word that is not in the list, or a wrong checksum.
pub fn master_words(words: &Secret) -> Result<PrivateKey, MasterWordsError> {
    let bytes = entropy(&indices(words)?)?;
    let mut key = Zeroizing::new([0_u8; 32]);
    key.copy_from_slice(&bytes[..32]);
    Ok(PrivateKey::from_bytes(*key))
}

/// The key of 24 master words as Manager 1 derives it: the BIP-39 seed, written in hexadecimal and taken
/// from its second digit (section 6).
///
/// # Errors
///
/// As [`master_words`].
pub fn master_words_legacy(words: &Secret) -> Result<PrivateKey, MasterWordsError> {
    let indices = indices(words)?;
    entropy(&indices)?;
    // Enough from the start: a text that grows would leave copies behind that nobody wipes.
    let mut sentence = Zeroizing::new(String::with_capacity(MAX_SENTENCE));
    for index in indices.iter() {
        if !sentence.is_empty() {
            sentence.push(' ');
        }
        sentence.push_str(Language::English.word_list()[usize::from(*index)]);
    }
    let mut seed = Zeroizing::new([0_u8; 64]);
    pbkdf2_hmac::<Sha512>(
        sentence.as_bytes(),
        b"mnemonic",
        SEED_ROUNDS,
        seed.as_mut_slice(),
    );
    let mut key = Zeroizing::new([0_u8; 32]);
    for (n, byte) in key.iter_mut().enumerate() {
        *byte = (seed[n] << 4) | (seed[n + 1] >> 4);
    }
    Ok(PrivateKey::from_bytes(*key))
}

/// Whether a text is a master key, to be told before anything is sent.
///
/// # Errors
///
/// As [`master_words`].
pub fn check_master_words(words: &Secret) -> Result<(), MasterWordsError> {
    entropy(&indices(words)?).map(drop)
}

/// The words' places in the list.
fn indices(words: &Secret) -> Result<Zeroizing<[u16; MASTER_WORDS]>, MasterWordsError> {
    let text = std::str::from_utf8(words.expose()).map_err(|_| MasterWordsError::NotText)?;
    let found = text.split_whitespace().count();
    if found != MASTER_WORDS {
        return Err(MasterWordsError::Count { found });
    }
    let mut indices = Zeroizing::new([0_u16; MASTER_WORDS]);
    for (n, (index, word)) in indices.iter_mut().zip(text.split_whitespace()).enumerate() {
        let word = Zeroizing::new(word.to_ascii_lowercase());
        *index = Language::English
            .find_word(&word)
            .ok_or(MasterWordsError::Unknown { number: n + 1 })?;
    }
    Ok(indices)
}

/// The bits of the words, of which the last eight must be the checksum.
///
/// Done here, for the library's own reading of a mnemonic leaves the bits and the entropy on its stack.
fn entropy(
    indices: &Zeroizing<[u16; MASTER_WORDS]>,
) -> Result<Zeroizing<[u8; MASTER_BYTES]>, MasterWordsError> {
    let mut bytes = Zeroizing::new([0_u8; MASTER_BYTES]);
    for place in 0..MASTER_WORDS * 11 {
        if indices[place / 11] >> (10 - place % 11) & 1 == 1 {
            bytes[place / 8] |= 0x80 >> (place % 8);
        }
    }
    if Sha256::digest(&bytes[..32])[0] != bytes[32] {
        return Err(MasterWordsError::Checksum);
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of 32 zero bytes, a test vector of BIP-39 itself.
    fn zeros(last: &str) -> Secret {
        Secret::new(format!("{}{last}", "abandon ".repeat(23)).into_bytes())
    }

    #[test]
    fn a_wrong_word_is_named_by_its_number_and_never_echoed() {
        let text = String::from_utf8(zeros("art").expose().to_vec()).unwrap();
        let swapped = text.replacen("abandon", "hunter2", 3);
        let error = check_master_words(&Secret::new(swapped.into_bytes())).unwrap_err();
        assert_eq!(error, MasterWordsError::Unknown { number: 1 });
        assert!(!format!("{error} {error:?}").contains("hunter2"));
        let last = check_master_words(&zeros("aart")).unwrap_err();
        assert_eq!(last, MasterWordsError::Unknown { number: 24 });
    }

    #[test]
    fn number_checksum_and_text_are_told_apart() {
        assert_eq!(check_master_words(&zeros("art")), Ok(()));
        assert_eq!(
            check_master_words(&zeros("abandon")),
            Err(MasterWordsError::Checksum)
        );
        assert_eq!(
            check_master_words(&zeros("")),
            Err(MasterWordsError::Count { found: 23 })
        );
        let twelve = Secret::new(
            b"legal winner thank year wave sausage worth useful legal winner thank yellow".to_vec(),
        );
        assert_eq!(
            check_master_words(&twelve),
            Err(MasterWordsError::Count { found: 12 })
        );
        assert_eq!(
            check_master_words(&Secret::new(vec![0xff])),
            Err(MasterWordsError::NotText)
        );
        assert_eq!(
            master_words_legacy(&zeros("abandon")).err(),
            Some(MasterWordsError::Checksum)
        );
    }

    #[test]
    fn capitals_and_lines_do_not_matter() {
        let text = format!("  ABANDON\n{}\tArt\r\n", "abandon  ".repeat(22));
        assert_eq!(check_master_words(&Secret::new(text.into_bytes())), Ok(()));
    }

    #[test]
    fn a_salt_that_argon2_cannot_use_is_an_error() {
        let passphrase = Secret::new(b"x".to_vec());
        assert!(matches!(
            argon2d(&passphrase, "no base64!"),
            Err(KdfError::NotBase64(_))
        ));
        assert!(matches!(
            argon2d(&passphrase, "AAAA"),
            Err(KdfError::BadSalt(_))
        ));
    }

    /// Argon2 takes salts from eight bytes on.
    #[test]
    fn a_salt_of_eight_bytes_is_one() {
        let salt = |bytes: &[u8]| argon2_salt(&EID.encode(bytes));
        assert_eq!(salt(&[7; 8]).unwrap(), [7; 8]);
        assert!(matches!(
            salt(&[7; 7]),
            Err(KdfError::BadSalt(argon2::Error::SaltTooShort))
        ));
    }
}
