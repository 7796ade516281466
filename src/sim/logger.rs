//! The audit log's endpoints (section 9).
//! Must not: write or keep the log; that is `logbook`.

use serde_json::json;

use super::answer::Answer;
use super::api::Call;
use super::logbook::Page;

/// The path of a page of the list, up to its offset.
pub(super) const LIST: &str = "/api/logger/list/";
/// The path of a file, up to its id.
pub(super) const FILE: &str = "/api/logger/";

/// Ids in one answer.
const AT_MOST: usize = 128;

/// `GET /api/logger/key`.
pub(super) fn key(call: &Call<'_>) -> Answer {
    let key = call.unit.machine().log.key();
    Answer::object(json!({
        "key": key.key,
        "nonce": key.nonce,
        "nonce_signed": key.nonce_signed,
    }))
}

/// `GET /api/logger/list/{offset}`. The page does not say what an offset that is no number gets: 400.
pub(super) fn list(call: &Call<'_>) -> Answer {
    let offset = call.request.uri().path().strip_prefix(LIST);
    let Some(offset) = offset.and_then(|o| o.parse::<usize>().ok()) else {
        return Answer::status(400);
    };
    let machine = call.unit.machine();
    let total = machine.log.ids().count();
    if offset >= total {
        return Answer::status(404);
    }
    let ids: Vec<String> = machine.log.ids().skip(offset).take(AT_MOST).collect();
    Answer::object(json!({ "total": total, "id": ids }))
}

/// `GET /api/logger/{id}`.
pub(super) fn file(call: &Call<'_>) -> Answer {
    let id = call.request.uri().path().strip_prefix(FILE);
    match call.unit.machine().log.read(id.unwrap_or_default()) {
        Page::Text(text) => Answer::text(text),
        Page::Busy => Answer::status(406),
        Page::Unknown => Answer::status(404),
    }
}
