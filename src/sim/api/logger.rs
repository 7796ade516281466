//! The audit log's endpoints ([section 9](crate::hem#9-audit-log)). The log is written and kept in
//! `device/audit_log.rs`.

use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use crate::hem::limits::MAX_LOG_IDS;
use crate::hem::path;
use crate::sim::device::audit_log::{self, FileRead};

/// `GET /api/logger/key`.
pub(in crate::sim) fn key(call: &Call<'_>) -> Answer {
    let key = call.device.state().log.key();
    Answer::object(json!({
        "key": key.key,
        "nonce": key.nonce,
        "nonce_signed": key.nonce_signed,
    }))
}

/// `GET /api/logger/list/{offset}`. An offset that is no number is 406 in the vendor's description.
pub(in crate::sim) fn list(call: &Call<'_>) -> Answer {
    let offset = call.request.uri().path().strip_prefix(path::LOG_LIST);
    let Ok(offset) = offset.unwrap_or("0").parse::<usize>() else {
        return Answer::status(406);
    };
    let state = call.device.state();
    let total = state.log.ids().count();
    if offset >= total {
        return Answer::status(404);
    }
    let ids: Vec<String> = state.log.ids().skip(offset).take(MAX_LOG_IDS).collect();
    Answer::object(json!({ "total": total, "id": ids }))
}

/// The requested id as the log's own entry has it: its bytes, little-endian, which the page leaves open. An invalid
/// id gives nothing.
pub(super) fn asked_for(call: &Call<'_>) -> Vec<u8> {
    let id = call.request.uri().path().strip_prefix(path::LOG_FILE);
    let id = id.and_then(audit_log::parse_id);
    id.map_or_else(Vec::new, |id| id.to_le_bytes().to_vec())
}

/// `GET /api/logger/{id}`.
pub(in crate::sim) fn file(call: &Call<'_>) -> Answer {
    let id = call.request.uri().path().strip_prefix(path::LOG_FILE);
    match call.device.state().log.read(id.unwrap_or_default()) {
        FileRead::Text(text) => Answer::text(text),
        FileRead::Busy => Answer::status(406),
        FileRead::Unknown => Answer::status(404),
    }
}
