//! The secrets that simulated devices accept from their user and their master, and the accounts that follow from
//! them ([section 6](crate::hem#6-authentication)).
//!
//! The values are fixed and public, for they protect nothing: they stand in the lab folder, and `hemfleet sim` prints
//! them. A device knows one derivation of each, as real ones do.

use crate::hem::ejwt::{self, PrivateKey};
use crate::hem::kdf;
use crate::model::Secret;
use crate::sim::script::device::AuthScript;

/// Not ASCII on purpose; that of the protocol's test vectors.
pub(in crate::sim) const PASSPHRASE: &str = "correct horse — bateria ósma";

/// The master's, whose key may come from a passphrase too.
const MASTER_PASSPHRASE: &str = "sejf główny — kluczyk 7";

/// 24 words of the BIP-39 English list; those of the protocol's test vectors.
pub(super) const MASTER_WORDS: &str = "town argue spider federal vanish mushroom clump hurt bullet \
     nerve common bench idle uncle option region tortoise second scissors dizzy clever point zoo thumb";

/// The kind of secret that a device was initialised with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::sim) enum Credential {
    /// By PBKDF2, as SDKs and Manager 2 do.
    Passphrase,
    /// By Argon2d, as Manager 1 does.
    PassphraseArgon2,
    /// As Manager 2 does.
    MasterWords,
    /// As Manager 1 does.
    MasterWordsLegacy,
    /// The master's, by PBKDF2.
    MasterPassphrase,
    /// The master's, by Argon2d.
    MasterPassphraseArgon2,
}

impl Credential {
    /// What the device of such a script was initialised with: its user's key and its master's, by the same
    /// software (Manager 2 and the SDKs, or Manager 1), as it is with real devices. Of the master's two, by words and
    /// by a passphrase, a real device knows one; here either will do.
    pub(in crate::sim) fn of(auth: AuthScript) -> [Self; 3] {
        match auth {
            AuthScript::Argon2 | AuthScript::MasterWordsLegacy => [
                Self::PassphraseArgon2,
                Self::MasterWordsLegacy,
                Self::MasterPassphraseArgon2,
            ],
            AuthScript::Passphrase
            | AuthScript::MasterWords
            | AuthScript::MasterPassphrase
            | AuthScript::Mobile
            | AuthScript::WrongPassphrase
            | AuthScript::Token
            | AuthScript::None => [Self::Passphrase, Self::MasterWords, Self::MasterPassphrase],
        }
    }

    /// Its name for people.
    pub(in crate::sim) fn name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase (PBKDF2)",
            Self::PassphraseArgon2 => "passphrase (Argon2d)",
            Self::MasterWords => "master words",
            Self::MasterWordsLegacy => "master words (legacy)",
            Self::MasterPassphrase => "master passphrase (PBKDF2)",
            Self::MasterPassphraseArgon2 => "master passphrase (Argon2d)",
        }
    }

    /// Its file in the lab.
    pub(in crate::sim) fn file(self) -> &'static str {
        match self {
            Self::Passphrase | Self::PassphraseArgon2 => "passphrase",
            Self::MasterWords | Self::MasterWordsLegacy => "master-words",
            Self::MasterPassphrase | Self::MasterPassphraseArgon2 => "master-passphrase",
        }
    }

    /// The secret itself.
    pub(in crate::sim) fn value(self) -> &'static str {
        match self {
            Self::Passphrase | Self::PassphraseArgon2 => PASSPHRASE,
            Self::MasterWords | Self::MasterWordsLegacy => MASTER_WORDS,
            Self::MasterPassphrase | Self::MasterPassphraseArgon2 => MASTER_PASSPHRASE,
        }
    }

    /// Who logs in with it: `U` or `M` (section 6).
    pub(in crate::sim) fn role(self) -> char {
        match self {
            Self::Passphrase | Self::PassphraseArgon2 => 'U',
            Self::MasterWords
            | Self::MasterWordsLegacy
            | Self::MasterPassphrase
            | Self::MasterPassphraseArgon2 => 'M',
        }
    }

    /// The public key that the device knows its owner by. Takes as long as a client's own derivation.
    pub(super) fn public_key(self, eid: &str) -> Option<String> {
        self.private_key(eid).as_ref().map(ejwt::public_key_b64)
    }

    /// The key that it stands for on the device of this `eid`.
    pub(in crate::sim) fn private_key(self, eid: &str) -> Option<PrivateKey> {
        let secret = Secret::new(self.value().as_bytes().to_vec());
        match self {
            Self::Passphrase | Self::MasterPassphrase => Some(kdf::pbkdf2(&secret, eid)),
            Self::PassphraseArgon2 | Self::MasterPassphraseArgon2 => {
                kdf::argon2d(&secret, eid).ok()
            }
            Self::MasterWords => kdf::master_words(&secret).ok(),
            Self::MasterWordsLegacy => kdf::master_words_legacy(&secret).ok(),
        }
    }
}

/// A public key that a device lets in, and the role that comes with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(in crate::sim) struct Account {
    /// The public key.
    pub(in crate::sim) key: String,
    /// `U` or `M` (section 6).
    pub(in crate::sim) role: char,
}

impl Account {
    /// Derives the key, which takes as long as it takes a client; nothing where the `eid` is no salt.
    pub(super) fn of(credential: Credential, eid: &str) -> Option<Self> {
        Some(Self {
            key: credential.public_key(eid)?,
            role: credential.role(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_are_those_of_the_vectors() {
        let vectors = include_str!("../../../tests/vectors/ejwt.json");
        let vectors: serde_json::Value = serde_json::from_str(vectors).unwrap();
        let eid = vectors["challenge"]["eid"].as_str().unwrap();
        let kinds = [
            Credential::Passphrase,
            Credential::PassphraseArgon2,
            Credential::MasterWords,
            Credential::MasterWordsLegacy,
        ];
        for (kind, case) in kinds.iter().zip(vectors["cases"].as_array().unwrap()) {
            let key = kind.public_key(eid).unwrap();
            assert_eq!(Some(key.as_str()), case["public_key_b64"].as_str());
        }
    }
}
