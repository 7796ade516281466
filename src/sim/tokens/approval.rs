//! Mobile approval's two objects: the device's request and the phone's reply ([section
//! 10](crate::hem#10-mobile-approval)).
//!
//! The page leaves open what they hold, as clients forward them unread. Here each is a JSON web token: the request
//! under the key that device and backend agree on, as in a check-in; the reply under one that the device shares with
//! its paired phone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::checkin::{Identity, backend_key};
use super::mac_token::{open, seal, unverified};

/// How long a device waits for the reply to its request, in seconds of its clock.
pub(in crate::sim) const REQUEST_LIFE: i64 = 3_600;

/// What a device asks its paired phone, by way of the broker.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct ApprovalRequest {
    /// Single use.
    pub(in crate::sim) jti: String,
    /// The device's identity, base64.
    pub(in crate::sim) iss: String,
    /// When it was made, by the device's clock.
    pub(in crate::sim) iat: i64,
    /// The broker's session key, which it must have handed out.
    pub(in crate::sim) epk: String,
    /// What is asked for.
    pub(in crate::sim) scope: String,
    /// What the phone shows of it.
    pub(in crate::sim) note: Option<String>,
    /// The unknown field that came with the session, if one came: it must be forwarded.
    pub(in crate::sim) future: Option<Value>,
    /// Whether the answer that carries this request has an unknown field itself.
    pub(in crate::sim) is_odd: bool,
}

impl ApprovalRequest {
    pub(in crate::sim) fn seal(&self, identity: &Identity) -> String {
        seal(&identity.key(), self)
    }

    /// The backend reads a request, if it comes from the device that it claims.
    pub(in crate::sim) fn open(authreq: &str) -> Option<Self> {
        let claimed: Self = unverified(authreq)?;
        open(&backend_key(&claimed.iss)?, authreq)
    }
}

/// What the phone approves of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(in crate::sim) struct Approval {
    /// The request's.
    pub(in crate::sim) jti: String,
    /// The phone that approves: its key id.
    pub(super) pid: String,
    /// The request's.
    pub(in crate::sim) scope: String,
}

/// A phone that is paired with one device.
pub(in crate::sim) struct Phone([u8; 32]);

impl Phone {
    pub(in crate::sim) fn of(identity: &Identity) -> Self {
        let hash = Sha256::new_with_prefix("the phone of ").chain_update(identity.key());
        Self(hash.finalize().into())
    }

    /// Its key id in the device's repository, raw.
    pub(in crate::sim) fn kid(&self) -> [u8; 16] {
        let mut kid = [0; 16];
        kid.copy_from_slice(&Sha256::digest(self.0)[..16]);
        kid
    }

    /// The same as tokens and the log have it.
    pub(in crate::sim) fn name(&self) -> String {
        STANDARD.encode(self.kid())
    }

    /// Approves of a request.
    pub(in crate::sim) fn approve(&self, request: &ApprovalRequest) -> String {
        let approval = Approval {
            jti: request.jti.clone(),
            pid: self.name(),
            scope: request.scope.clone(),
        };
        seal(&self.0, &approval)
    }

    /// What it approved of; or the status that section 10 has for a reply that is not accepted: 406 for a
    /// phone that is not this one, 401 for anything else.
    pub(in crate::sim) fn read(&self, authreply: &str) -> Result<Approval, u16> {
        let claimed: Approval = unverified(authreply).ok_or(401_u16)?;
        if claimed.pid != self.name() {
            return Err(406);
        }
        open(&self.0, authreply).ok_or(401)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_devices_phone_can_approve() {
        let (one, two) = (Identity::new([1; 32]), Identity::new([2; 32]));
        let request = ApprovalRequest {
            jti: "nonce".into(),
            iss: one.eid(),
            iat: 7,
            epk: "epk".into(),
            scope: "logger:get".into(),
            note: None,
            future: None,
            is_odd: false,
        };
        let authreq = request.seal(&one);
        assert_eq!(ApprovalRequest::open(&authreq), Some(request.clone()));
        // Somebody else's request in this device's name.
        assert_eq!(ApprovalRequest::open(&request.seal(&two)), None);
        assert_eq!(ApprovalRequest::open("a.b.c"), None);
        let (phone, other) = (Phone::of(&one), Phone::of(&two));
        let reply = phone.approve(&request);
        assert_eq!(phone.read(&reply).unwrap().scope, "logger:get");
        assert_eq!(phone.read(&other.approve(&request)), Err(406));
        let mut forged = phone.read(&reply).unwrap();
        forged.scope = "system:upgrade".into();
        assert_eq!(phone.read(&seal(&other.0, &forged)), Err(401));
        assert_eq!(phone.read("a.b.c"), Err(401));
    }
}
