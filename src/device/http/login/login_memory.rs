//! What is remembered of a device's logins for one run: refusals, the secret at hand, when its clock was set.
//!
//! The login itself is in `passphrase`, the keys are in `derived_keys`.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::derived_keys::{DerivedKeys, TypedDerivation};
use crate::hem::limits::MAX_LOGIN_REFUSALS;
use crate::model::{Credential, FailureKind, Scope, Secret};

/// What a device's logins need to remember for one run.
#[derive(Debug)]
pub(in crate::device::http) struct Logins {
    /// One login at a time, so that none is sent before the last one's 401 is counted.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// How often the device answered 401, for all secrets, derivations and scopes together.
    refused: AtomicU32,
    /// The secret at hand, once it is given.
    keys: Mutex<Option<Arc<DerivedKeys>>>,
    /// A typed secret that was refused in one derivation only.
    doubted: Mutex<Option<Arc<DerivedKeys>>>,
    pub(super) typed: Arc<TypedDerivation>,
    /// When a check-in last set the device's clock.
    clock_set: Mutex<Option<Instant>>,
    /// The `eid` of the device that last gave a token for an upgrade.
    upgraded: Mutex<Option<String>>,
}

impl Logins {
    /// Begins with what the inventory gives.
    pub(in crate::device::http) fn new(
        credential: &Credential,
        typed: Arc<TypedDerivation>,
    ) -> Self {
        Self {
            turn: tokio::sync::Mutex::default(),
            refused: AtomicU32::new(0),
            keys: Mutex::new(DerivedKeys::of(credential).map(Arc::new)),
            doubted: Mutex::default(),
            typed,
            clock_set: Mutex::default(),
            upgraded: Mutex::default(),
        }
    }

    /// Takes another secret: the keys of the one before are forgotten, its refusals are not. The same secret, typed
    /// again, continues with the derivation after the refused one.
    pub(in crate::device::http) fn give(&self, secret: Secret) {
        let doubted = self.doubted().take().filter(|keys| keys.is_of(&secret));
        *self.keys() =
            Some(doubted.unwrap_or_else(|| Arc::new(DerivedKeys::typed(secret, &self.typed))));
    }

    /// Whether this 401 is the first for a typed secret, which is then asked for again: a typing error is likelier
    /// than the other derivation, and trying both would leave whoever mistyped it one try in one derivation.
    pub(super) fn is_asked_for_again(&self, keys: &Arc<DerivedKeys>) -> bool {
        if self.refused.load(Ordering::Acquire) != 1 {
            return false;
        }
        *self.doubted() = Some(Arc::clone(keys));
        *self.keys() = None;
        true
    }

    fn doubted(&self) -> MutexGuard<'_, Option<Arc<DerivedKeys>>> {
        self.doubted.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A check-in has just set the device's clock.
    pub(in crate::device::http) fn clock_was_set(&self) {
        *self
            .clock_set
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Fails after the last 401 that a device may give in one run (section 6).
    pub(super) fn are_left(&self) -> Result<(), FailureKind> {
        if self.refused.load(Ordering::Acquire) < MAX_LOGIN_REFUSALS {
            Ok(())
        } else {
            Err(FailureKind::LoginsUsedUp)
        }
    }

    /// Counts 401s of a process before this one.
    pub(in crate::device::http) fn were_refused(&self, times: u32) {
        self.refused.fetch_add(times, Ordering::AcqRel);
    }

    /// Counts a 401.
    pub(super) fn count_refusal(&self) {
        self.refused.fetch_add(1, Ordering::AcqRel);
    }

    pub(super) fn keys(&self) -> MutexGuard<'_, Option<Arc<DerivedKeys>>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device with this `eid` gave a token for an upgrade.
    pub(in crate::device::http) fn upgraded_at(&self, eid: &str) {
        *self.upgraded() = Some(eid.to_owned());
    }

    /// The `eid` of the device that last did.
    pub(in crate::device::http) fn upgraded_eid(&self) -> Option<String> {
        self.upgraded().clone()
    }

    fn upgraded(&self) -> MutexGuard<'_, Option<String>> {
        self.upgraded.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fails where the log would be read from another device than the one that was upgraded.
    pub(super) fn is_same_device(&self, scope: Scope, eid: &str) -> Result<(), FailureKind> {
        match self.upgraded().as_deref() {
            Some(known) if scope == Scope::Log && known != eid => Err(FailureKind::OtherDevice {
                what: "its eid is not the one of the first login".to_owned(),
            }),
            _ => Ok(()),
        }
    }

    /// Whether a check-in set the device's clock within this time.
    pub(super) fn clock_was_set_within(&self, time: Duration) -> bool {
        let set = *self
            .clock_set
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        set.is_some_and(|at| at.elapsed() < time)
    }
}
