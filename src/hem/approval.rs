//! The JSON of a mobile approval: what device, broker and phone say to each other ([section
//! 10](crate::hem#10-mobile-approval)).
//!
//! The requests that carry it are in `device/http/login/approval.rs`.

use serde_json::Value;
use zeroize::Zeroizing;

use super::json::{WireError, not_json, object};
use super::limits::MAX_NOTE;
use crate::model::{Scope, Secret};

/// The longest accepted name of an event; the page has no limit.
const MAX_EVENT: usize = 256;

/// The body of `POST /api/auth/ext/request` (section 10, step 2): the broker's object as it stands, unknown
/// fields included, with the scope and the note put in. Of the note the first 128 characters count; an
/// empty one is left out.
///
/// # Errors
///
/// No JSON object, or one that names a scope or a note itself: those are for the owner to read on the
/// phone, and not the broker's to choose.
pub fn request_body(session: &[u8], scope: Scope, note: &str) -> Result<Vec<u8>, WireError> {
    let map = match serde_json::from_slice(session) {
        Ok(Value::Object(map)) => map,
        Ok(_) => return Err(WireError::NotObject),
        Err(e) => return Err(not_json(&e)),
    };
    for field in ["scope", "note"] {
        if map.contains_key(field) {
            let wanted = "the broker's to give";
            return Err(WireError::Wrong { field, wanted });
        }
    }
    let open = session.trim_ascii_end();
    let mut body = open.strip_suffix(b"}").unwrap_or(open).to_vec();
    if !map.is_empty() {
        body.push(b',');
    }
    body.extend_from_slice(format!(r#""scope":"{scope}""#).as_bytes());
    let note: String = note.chars().take(MAX_NOTE).collect();
    if !note.is_empty() {
        body.extend_from_slice(format!(r#","note":{}"#, Value::from(note)).as_bytes());
    }
    body.push(b'}');
    Ok(body)
}

/// Reads the broker's name for a request that is out (section 10, step 3). It becomes part of a path, and
/// is shown to people: printable ASCII, and no way up.
pub fn parse_event(body: &[u8]) -> Result<String, WireError> {
    let map = object(body)?;
    let event = match map.get("eventid") {
        None | Some(Value::Null) => return Err(WireError::Missing { field: "eventid" }),
        Some(Value::Number(n)) if n.is_u64() => n.to_string(),
        Some(event) => event.as_str().unwrap_or_default().to_owned(),
    };
    let fits = (1..=MAX_EVENT).contains(&event.len())
        && event.bytes().all(|b| b.is_ascii_graphic())
        && !matches!(event.as_str(), "." | "..");
    if fits {
        Ok(event)
    } else {
        Err(WireError::Wrong {
            field: "eventid",
            wanted: "1 to 256 printable characters",
        })
    }
}

/// What the owner answered (section 10, step 4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answered {
    /// The phone's `authreply`, as JSON, for [`reply_body`].
    Approved(Secret),
    /// `"deny": true`.
    Denied,
}

/// Reads the 200 of `GET {broker}/notify/event/check/{eventid}` (section 10, step 4). A refusal counts,
/// whatever stands beside it.
pub fn parse_answer(body: &[u8]) -> Result<Answered, WireError> {
    let mut map = object(body)?;
    if map.get("deny") == Some(&Value::Bool(true)) {
        return Ok(Answered::Denied);
    }
    let field = "authreply";
    match map.remove(field) {
        None | Some(Value::Null) => Err(WireError::Missing { field }),
        Some(Value::String(reply)) if !reply.is_empty() => {
            let reply = Zeroizing::new(reply);
            let json = serde_json::to_vec(reply.as_str()).map_err(|e| not_json(&e))?;
            Ok(Answered::Approved(Secret::new(json)))
        }
        Some(_) => Err(WireError::Wrong {
            field,
            wanted: "a text",
        }),
    }
}

/// The body of `POST /api/auth/ext/token` (section 10, step 5).
pub fn reply_body(reply: &Secret) -> Vec<u8> {
    [br#"{"authreply":"#.as_slice(), reply.expose(), b"}"].concat()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hem::json::require_object;

    #[test]
    fn an_approval_is_asked_for_with_the_brokers_object_as_it_stands() {
        let ask = |session: &str, note| {
            request_body(session.as_bytes(), Scope::Log, note)
                .map(|body| String::from_utf8(body).unwrap())
        };
        assert_eq!(
            ask(" { \"epk\": \"a}\", \"x\":1.50 }\n", "run \"7\"").unwrap(),
            r#" { "epk": "a}", "x":1.50 ,"scope":"logger:get","note":"run \"7\""}"#
        );
        assert_eq!(ask("{}", "").unwrap(), r#"{"scope":"logger:get"}"#);
        let long = "ż".repeat(129);
        let long = ask("{}", &long).unwrap();
        assert_eq!(long.matches('ż').count(), 128);
        for session in [r#"{"scope":"*"}"#, r#"{"note":null}"#] {
            assert!(
                matches!(ask(session, "n"), Err(WireError::Wrong { .. })),
                "{session}"
            );
        }
        assert_eq!(ask("[]", "n"), Err(WireError::NotObject));
        assert!(ask("{} {}", "n").is_err());
    }

    #[test]
    fn events_are_named_in_printable_ascii() {
        let event = |json: &str| parse_event(json.as_bytes());
        assert_eq!(event(r#"{"eventid":"a/b?c%"}"#), Ok("a/b?c%".into()));
        assert_eq!(event(r#"{"eventid":42,"sentcnt":null}"#), Ok("42".into()));
        for bad in [
            "\"\"", "\".\"", "\"..\"", "\"a b\"", "\"ż\"", "\"\\n\"", "-1", "true", "null",
        ] {
            assert!(event(&format!(r#"{{"eventid":{bad}}}"#)).is_err(), "{bad}");
        }
        let long = "x".repeat(257);
        assert!(event(&format!(r#"{{"eventid":"{long}"}}"#)).is_err());
    }

    #[test]
    fn a_refusal_counts_whatever_stands_beside_it() {
        let answer = |json: &str| parse_answer(json.as_bytes());
        let approved = |text: &str| Ok(Answered::Approved(Secret::new(text.into())));
        assert_eq!(
            answer(r#"{"authreply":"a\"b","deny":null}"#),
            approved(r#""a\"b""#)
        );
        assert_eq!(
            answer(r#"{"authreply":"a","deny":true}"#),
            Ok(Answered::Denied)
        );
        assert_eq!(answer(r#"{"deny":true,"x":1}"#), Ok(Answered::Denied));
        for bad in [
            r#"{"deny":false}"#,
            r#"{"authreply":null}"#,
            r#"{"authreply":""}"#,
            r#"{"authreply":{}}"#,
            "{}",
            "[]",
        ] {
            assert!(answer(bad).is_err(), "{bad}");
        }
        let body = reply_body(&Secret::new(br#""a\"b""#.to_vec()));
        assert_eq!(body, br#"{"authreply":"a\"b"}"#);
    }

    proptest! {
        #[test]
        fn parsers_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse_event(&body);
            let _ = parse_answer(&body);
            let _ = request_body(&body, Scope::Upgrade, "note");
        }

        #[test]
        fn what_is_put_into_an_object_leaves_one(
            value in r#"(null|-?[1-9][0-9]{0,4}|"[ -!#-\[\]-~]{0,20}"|\[\]|\{\})"#,
            note in ".{0,200}",
        ) {
            let body = request_body(format!(r#"{{"epk":{value}}}"#).as_bytes(), Scope::Log, &note).unwrap();
            prop_assert_eq!(require_object(&body), Ok(()));
        }
    }
}
