//! A secret and the keys derived from it: which derivation comes next, and what was derived already ([section
//! 6](crate::hem#6-authentication)).
//!
//! The derivations themselves are in `hem/kdf.rs`. Neither the secret nor a key leaves this folder.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::sync::Semaphore;

use crate::hem::ejwt::PrivateKey;
use crate::hem::kdf;
use crate::model::{Credential, Derivation, FailureKind, KdfChoice, Secret, WordsChoice};

/// A secret, the derivations by which it may have become the device's key, and which of them comes next.
#[derive(Debug)]
pub(super) struct DerivedKeys {
    secret: Secret,
    /// The likeliest first; never empty.
    ways: &'static [Derivation],
    place: AtomicUsize,
    /// Whether the device accepted the key of the derivation at `place`.
    accepted: AtomicBool,
    derived: Mutex<Vec<DerivedKey>>,
}

/// How typed secrets of this run became keys: the devices of one fleet were usually set up with the same
/// software.
#[derive(Debug, Default)]
pub(in crate::device::http) struct TypedDerivation {
    argon2: AtomicBool,
}

impl TypedDerivation {
    /// A device accepted a typed secret's key of this derivation.
    pub(in crate::device::http) fn worked(&self, way: Derivation) {
        self.argon2
            .store(way == Derivation::Argon2d, Ordering::Release);
    }
}

/// A key that was derived.
#[derive(Debug)]
struct DerivedKey {
    way: Derivation,
    /// The salt; empty where there is none.
    eid: String,
    key: PrivateKey,
}

impl DerivedKeys {
    /// The keys of a credential; `None` where it holds no secret to derive from.
    pub(in crate::device::http) fn of(credential: &Credential) -> Option<Self> {
        let (secret, ways): (_, &'static [Derivation]) = match credential {
            Credential::Passphrase(secret, choice) => (secret, of_passphrase(*choice)),
            Credential::MasterWords(words, choice) => (words, of_words(*choice)),
            Credential::None | Credential::Token(_) | Credential::Prompt | Credential::Mobile => {
                return None;
            }
        };
        Some(Self::new(secret.clone(), ways))
    }

    /// The keys of a passphrase that somebody typed, of whose derivation nothing is known.
    pub(in crate::device::http) fn typed(passphrase: Secret, likely: &TypedDerivation) -> Self {
        let ways = if likely.argon2.load(Ordering::Acquire) {
            &[Derivation::Argon2d, Derivation::Pbkdf2]
        } else {
            of_passphrase(KdfChoice::Auto)
        };
        Self::new(passphrase, ways)
    }

    /// Whether they are derived from this secret.
    pub(super) fn is_of(&self, secret: &Secret) -> bool {
        self.secret == *secret
    }

    fn new(secret: Secret, ways: &'static [Derivation]) -> Self {
        Self {
            secret,
            ways,
            place: AtomicUsize::new(0),
            accepted: AtomicBool::new(false),
            derived: Mutex::default(),
        }
    }

    /// The derivation to try now: the one that worked before, else the next candidate.
    pub(super) fn way(&self) -> Derivation {
        self.ways[self.place.load(Ordering::Acquire) % self.ways.len()]
    }

    /// The device accepted the key of [`DerivedKeys::way`]; no other is tried from here on.
    pub(in crate::device::http) fn accept(&self) {
        self.accepted.store(true, Ordering::Release);
    }

    /// Whether the device accepted a key of this secret in this run.
    pub(super) fn is_accepted(&self) -> bool {
        self.accepted.load(Ordering::Acquire)
    }

    /// The device refused the key of [`DerivedKeys::way`]. Returns the derivation to try next; after the last one
    /// returns `None` and starts over.
    pub(super) fn refuse(&self, eid: &str) -> Option<Derivation> {
        if self.is_accepted() {
            return None;
        }
        let next = self.place.load(Ordering::Acquire) + 1;
        let way = self.ways.get(next).copied();
        // Nobody can have used Argon2 with an eid that cannot be its salt.
        let way = way.filter(|way| *way != Derivation::Argon2d || kdf::argon2_salt(eid).is_ok());
        let next = if way.is_some() { next } else { 0 };
        self.place.store(next, Ordering::Release);
        way
    }

    /// The key of `way`, derived on the first call of a run and remembered for this `eid`.
    ///
    /// # Errors
    ///
    /// The `eid` cannot be the salt.
    pub(in crate::device::http) async fn key(
        &self,
        way: Derivation,
        eid: &str,
    ) -> Result<PrivateKey, FailureKind> {
        let salt = match way {
            Derivation::Pbkdf2 | Derivation::Argon2d => eid,
            Derivation::MasterWords | Derivation::MasterWordsLegacy => "",
        };
        let found = self
            .derived()
            .iter()
            .find(|derived| derived.way == way && derived.eid == salt)
            .map(|derived| derived.key.clone());
        if let Some(key) = found {
            return Ok(key);
        }
        let key = derive(self.secret.clone(), way, salt.to_owned()).await?;
        self.derived().push(DerivedKey {
            way,
            eid: salt.to_owned(),
            key: key.clone(),
        });
        Ok(key)
    }

    fn derived(&self) -> MutexGuard<'_, Vec<DerivedKey>> {
        self.derived.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn of_passphrase(choice: KdfChoice) -> &'static [Derivation] {
    match choice {
        KdfChoice::Auto => &[Derivation::Pbkdf2, Derivation::Argon2d],
        KdfChoice::Pbkdf2 => &[Derivation::Pbkdf2],
        KdfChoice::Argon2 => &[Derivation::Argon2d],
    }
}

fn of_words(choice: WordsChoice) -> &'static [Derivation] {
    match choice {
        WordsChoice::Auto => &[Derivation::MasterWords, Derivation::MasterWordsLegacy],
        WordsChoice::Current => &[Derivation::MasterWords],
        WordsChoice::Legacy => &[Derivation::MasterWordsLegacy],
    }
}

/// Derives off the async threads; the whole process never derives more keys at once than it has cores.
async fn derive(secret: Secret, way: Derivation, eid: String) -> Result<PrivateKey, FailureKind> {
    static CORES: OnceLock<Arc<Semaphore>> = OnceLock::new();
    let cores = CORES.get_or_init(|| {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Arc::new(Semaphore::new(cores))
    });
    let died = |what: String| FailureKind::Panicked { what };
    let permit = Arc::clone(cores)
        .acquire_owned()
        .await
        .map_err(|e| died(e.to_string()))?;
    tokio::task::spawn_blocking(move || {
        let key = derived(&secret, way, &eid);
        drop(permit);
        key
    })
    .await
    .map_err(|e| died(format!("key derivation: {e}")))?
}

fn derived(secret: &Secret, way: Derivation, eid: &str) -> Result<PrivateKey, FailureKind> {
    // The words were checked when the device was set up, so that this is a bug in hemfleet.
    let unproven = |e: kdf::MasterWordsError| FailureKind::Panicked {
        what: e.to_string(),
    };
    match way {
        Derivation::Pbkdf2 => Ok(kdf::pbkdf2(secret, eid)),
        Derivation::Argon2d => kdf::argon2d(secret, eid).map_err(|e| FailureKind::BadAnswer {
            what: e.to_string(),
        }),
        Derivation::MasterWords => kdf::master_words(secret).map_err(unproven),
        Derivation::MasterWordsLegacy => kdf::master_words_legacy(secret).map_err(unproven),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hem::ejwt;

    const EID: &str = "8U6CL5a8HOHPgYhzOuWLj2zMTMuCW+jCWwkDNjzcJik=";

    fn secret() -> Secret {
        Secret::new("hunter2".into())
    }

    fn auto() -> DerivedKeys {
        DerivedKeys::of(&Credential::Passphrase(secret(), KdfChoice::Auto)).unwrap()
    }

    #[tokio::test]
    async fn a_key_is_derived_once_for_each_way_and_salt() {
        let keys = auto();
        let iss = |key: &PrivateKey| ejwt::public_key_b64(key);
        let first = keys.key(Derivation::Argon2d, EID).await.unwrap();
        assert_eq!(keys.derived().len(), 1);
        // What is remembered is what is used: here, another key than would be derived.
        let planted = PrivateKey::from_bytes([7; 32]);
        keys.derived()[0].key = planted.clone();
        let again = keys.key(Derivation::Argon2d, EID).await.unwrap();
        assert_eq!(iss(&again), iss(&planted));
        let other = "AAAAAAAAAAAAAAAAAAAAAA==";
        let salted = keys.key(Derivation::Argon2d, other).await.unwrap();
        assert!(![iss(&planted), iss(&first)].contains(&iss(&salted)));
        assert_eq!(keys.derived().len(), 2);
    }

    #[test]
    fn every_choice_has_its_ways() {
        use Derivation::{Argon2d, MasterWords, MasterWordsLegacy, Pbkdf2};
        let passphrase = |choice| Credential::Passphrase(secret(), choice);
        let words = |choice| Credential::MasterWords(secret(), choice);
        for (credential, ways) in [
            (passphrase(KdfChoice::Auto), vec![Pbkdf2, Argon2d]),
            (passphrase(KdfChoice::Pbkdf2), vec![Pbkdf2]),
            (passphrase(KdfChoice::Argon2), vec![Argon2d]),
            (
                words(WordsChoice::Auto),
                vec![MasterWords, MasterWordsLegacy],
            ),
            (words(WordsChoice::Current), vec![MasterWords]),
            (words(WordsChoice::Legacy), vec![MasterWordsLegacy]),
        ] {
            let keys = DerivedKeys::of(&credential).unwrap();
            let mut tried = vec![keys.way()];
            while let Some(next) = keys.refuse(EID) {
                assert_eq!(keys.way(), next);
                tried.push(next);
            }
            assert_eq!(tried, ways);
            // A person's retry begins with the likeliest again.
            assert_eq!(keys.way(), ways[0]);
        }
        assert!(DerivedKeys::of(&Credential::Mobile).is_none());
    }

    #[test]
    fn what_was_accepted_is_not_left_again() {
        let keys = auto();
        keys.refuse(EID);
        keys.accept();
        assert_eq!(keys.refuse(EID), None);
        assert_eq!(keys.way(), Derivation::Argon2d);
    }

    #[tokio::test]
    async fn an_eid_that_is_no_salt_leaves_one_way() {
        for eid in ["no base64!", "AAAA"] {
            assert_eq!(auto().refuse(eid), None);
            let failed = auto().key(Derivation::Argon2d, eid).await;
            assert!(
                matches!(failed, Err(FailureKind::BadAnswer { .. })),
                "{failed:?}"
            );
        }
    }

    #[test]
    fn nothing_of_a_keyring_is_shown() {
        let keys = auto();
        let text = format!("{keys:?}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}
