//! What the simulated world signs: bearer tokens, check-ins and approvals.

pub(super) mod approval;
pub(super) mod checkin;
pub(super) mod mac_token;
