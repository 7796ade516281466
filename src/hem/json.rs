//! The JSON of the endpoints (sections [4](crate::hem#4-version-and-status) to [6](crate::hem#6-authentication)). The
//! audit log's are in `audit`, the approvals' in `approval`.
//!
//! Devices send extra fields, `null` for absent ones and stale values ([section 13](crate::hem#13-known-misbehaviour)),
//! so only what an upgrade needs is required. All text of a device becomes [`printable`] here, at the border.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::model::{
    CheckinReport, DeviceStatus, DeviceVersion, FlsState, Fwk, Fws, Scope, Secret, printable,
};

/// The scope of a whole upgrade (section 6).
pub const SCOPE_UPGRADE: &str = Scope::Upgrade.as_str();

/// Longest text of a device that is kept for people.
const MAX_TEXT: usize = 128;
/// Longest text of a challenge: three such fields and the rest stay far below
/// [`MAX_JSON_BODY`](super::limits::MAX_JSON_BODY).
const MAX_CHALLENGE_TEXT: usize = 1_000;

/// Why an answer could not be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not JSON at all, such as a web page of something in between.
    #[error("not JSON ({what})")]
    NotJson {
        /// What the parser said.
        what: String,
    },
    /// JSON, but no object.
    #[error("not a JSON object")]
    NotObject,
    /// A field that is needed is absent or `null`.
    #[error("field {field} is missing")]
    Missing {
        /// Its name.
        field: &'static str,
    },
    /// A field that is needed cannot be read.
    #[error("field {field} is not {wanted}")]
    Wrong {
        /// Its name.
        field: &'static str,
        /// What it should be.
        wanted: &'static str,
    },
}

/// `GET /api/auth/token` (section 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The deadline on the device's clock; one vendor mock leaves it out.
    pub exp: Option<i64>,
    /// The device's session key of this boot, base64, echoed as it is.
    pub spk: String,
    /// Single-use nonce, echoed as it is.
    pub jti: String,
    /// The user's label, made printable.
    pub lbl: Option<String>,
    /// The device's identity; its text is the salt of the key derivation.
    pub eid: String,
}

/// Reads a login's challenge (section 6).
pub fn parse_challenge(body: &[u8]) -> Result<Challenge, WireError> {
    let map = object(body)?;
    Ok(Challenge {
        exp: integer(&map, "exp"),
        spk: echoed(&map, "spk")?,
        jti: echoed(&map, "jti")?,
        lbl: text(&map, "lbl"),
        eid: echoed(&map, "eid")?,
    })
}

/// Reads `GET /api/system/version` (section 4). An `fws` or `fwk` that cannot be read counts as absent.
pub fn parse_version(body: &[u8]) -> Result<DeviceVersion, WireError> {
    let map = object(body)?;
    let bytes = |field| map.get(field).and_then(Value::as_str);
    Ok(DeviceVersion {
        hwv: needed_text(&map, "hwv")?,
        fwv: needed_text(&map, "fwv")?,
        fwk: bytes("fwk").and_then(|s| Fwk::from_base64(s).ok()),
        fws: bytes("fws").and_then(|s| Fws::from_base64(s).ok()),
        uis: text(&map, "uis").filter(|uis| !uis.is_empty()),
        sd_cid: text(&map, "sd_cid").filter(|cid| !cid.is_empty()),
    })
}

/// Reads `GET /api/system/status` (section 4).
///
/// The clock is `time`, or `ts` where only that is there. A clock at or before 1970 is not set.
pub fn parse_status(body: &[u8]) -> Result<DeviceStatus, WireError> {
    let map = object(body)?;
    let uptime = needed_integer(&map, "uptime", "a number of seconds")?;
    let fls_state = needed_integer(&map, "fls_state", "a set of bits")?;
    Ok(DeviceStatus {
        uptime: Duration::from_secs(uptime),
        clock: clock(&map).filter(|&t| t > 0),
        // `inited` is there, and false, only where the device is NOT initialised; a `null` or a `true`
        // must not make a personalised device look fresh.
        initialised: map.get("inited") != Some(&Value::Bool(false)),
        fls_state: FlsState(u32::try_from(fls_state).map_err(|_| WireError::Wrong {
            field: "fls_state",
            wanted: "a set of bits",
        })?),
        trusted_time: map.get("tts") != Some(&Value::Bool(false)),
        fw_upgrade: map.get("fw_upgrade") == Some(&Value::Bool(true)),
    })
}

/// Reads the device's answer to the last step of a check-in (section 5). Not everybody spells `OK` in capitals.
pub fn parse_checkin_report(body: &[u8]) -> Result<CheckinReport, WireError> {
    let map = object(body)?;
    let status = needed_text(&map, "status")?;
    Ok(CheckinReport {
        action: (!status.eq_ignore_ascii_case("OK")).then_some(status),
        newcrt: text(&map, "newcrt"),
        newfws: text(&map, "newfws"),
        newuis: text(&map, "newuis"),
    })
}

/// Reads the bearer token (section 6).
pub fn parse_token(body: &[u8]) -> Result<Secret, WireError> {
    let mut map = object(body)?;
    match map.remove("token") {
        None | Some(Value::Null) => Err(WireError::Missing { field: "token" }),
        Some(Value::String(token)) if !token.is_empty() => Ok(Secret::new(token.into_bytes())),
        Some(_) => Err(WireError::Wrong {
            field: "token",
            wanted: "a text",
        }),
    }
}

/// The body of `POST /api/auth/token` (section 6).
pub fn auth_body(ejwt: &str) -> Vec<u8> {
    // An eJWT is base64url and dots: nothing in it wants escaping.
    format!(r#"{{"auth":"{ejwt}"}}"#).into_bytes()
}

/// Makes sure that a body which is forwarded as it stands is a JSON object: check-in's steps pass
/// objects on verbatim, unknown fields included (section 5), but never a stranger's error page.
pub fn require_object(body: &[u8]) -> Result<(), WireError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(_)) => Ok(()),
        Ok(_) => Err(WireError::NotObject),
        Err(e) => Err(not_json(&e)),
    }
}

/// An error of the parser, whose message may quote what it read.
pub(super) fn not_json(e: &serde_json::Error) -> WireError {
    WireError::NotJson {
        what: printable(&e.to_string(), MAX_TEXT),
    }
}

/// The fields of a JSON object. Bytes that are no UTF-8 may stand in a field that nobody needs (a stale `hostname`, section 13):
/// they become replacement characters rather than a reason to refuse the whole answer.
pub(super) fn object(body: &[u8]) -> Result<Map<String, Value>, WireError> {
    match serde_json::from_str(&String::from_utf8_lossy(body)) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(WireError::NotObject),
        Err(e) => Err(not_json(&e)),
    }
}

fn text(map: &Map<String, Value>, field: &str) -> Option<String> {
    map.get(field)
        .and_then(Value::as_str)
        .map(|s| printable(s, MAX_TEXT))
}

fn needed_text(map: &Map<String, Value>, field: &'static str) -> Result<String, WireError> {
    match map.get(field) {
        None | Some(Value::Null) => Err(WireError::Missing { field }),
        Some(Value::String(s)) => Ok(printable(s, MAX_TEXT)),
        Some(_) => Err(WireError::Wrong {
            field,
            wanted: "a text",
        }),
    }
}

/// Text that goes back to the device, or into the key, untouched; never shown.
fn echoed(map: &Map<String, Value>, field: &'static str) -> Result<String, WireError> {
    match map.get(field) {
        None | Some(Value::Null) => Err(WireError::Missing { field }),
        Some(Value::String(s)) if !s.is_empty() && s.chars().count() <= MAX_CHALLENGE_TEXT => {
            Ok(s.clone())
        }
        Some(_) => Err(WireError::Wrong {
            field,
            wanted: "a text of 1 to 1000 characters",
        }),
    }
}

/// A whole number; one written with a fraction (`12.0`) is cut.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the range is checked, and the fraction is meant to go"
)]
fn integer(map: &Map<String, Value>, field: &str) -> Option<i64> {
    let value = map.get(field)?;
    value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|f| f.abs() < 9.0e15)
            .map(|f| f.trunc() as i64)
    })
}

fn needed_integer(
    map: &Map<String, Value>,
    field: &'static str,
    wanted: &'static str,
) -> Result<u64, WireError> {
    match map.get(field) {
        None | Some(Value::Null) => Err(WireError::Missing { field }),
        Some(_) => integer(map, field)
            .and_then(|n| u64::try_from(n).ok())
            .ok_or(WireError::Wrong { field, wanted }),
    }
}

fn clock(map: &Map<String, Value>) -> Option<i64> {
    integer(map, "time").or_else(|| {
        let ts: jiff::Timestamp = map.get("ts")?.as_str()?.trim().parse().ok()?;
        Some(ts.as_second())
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn status(json: &str) -> Result<DeviceStatus, WireError> {
        parse_status(json.as_bytes())
    }

    #[test]
    fn a_status_as_the_page_has_it() {
        let s = status(
            r#"{"ctx":1,"uptime":77,"temp":31,"fls_state":10,"ts":"2026-01-09T23:06:40Z","time":1768000000,
                "fw_upgrade":true,"storage":["1:rw"],"hostname":null,"extra":{"a":[1]}}"#,
        )
        .unwrap();
        assert_eq!(s.uptime, Duration::from_secs(77));
        assert_eq!(s.clock, Some(1_768_000_000));
        assert!(s.initialised && s.fw_upgrade);
        assert_eq!(s.fls_state, FlsState(10));
    }

    #[test]
    fn only_an_explicit_false_means_fresh() {
        for (inited, initialised) in [
            ("false", false),
            ("true", true),
            ("null", true),
            ("0", true),
        ] {
            let s = status(&format!(
                r#"{{"uptime":1,"fls_state":0,"inited":{inited}}}"#
            ))
            .unwrap();
            assert_eq!(s.initialised, initialised, "{inited}");
        }
        assert!(status(r#"{"uptime":1,"fls_state":0}"#).unwrap().initialised);
    }

    #[test]
    fn the_clock_may_be_absent_or_text() {
        for (json, clock) in [
            (r#""a":1"#, None),
            (r#""time":null,"ts":null"#, None),
            (r#""time":0"#, None),
            (r#""ts":"nonsense""#, None),
            (r#""ts":"2026-01-09T23:06:40Z""#, Some(1_768_000_000)),
            (r#""ts":"2026-01-10T00:06:40+01:00""#, Some(1_768_000_000)),
            (r#""time":1768000000.5"#, Some(1_768_000_000)),
            (
                r#""time":"soon","ts":"2026-01-09T23:06:40Z""#,
                Some(1_768_000_000),
            ),
        ] {
            let s = status(&format!(r#"{{"uptime":1,"fls_state":0,{json}}}"#)).unwrap();
            assert_eq!(s.clock, clock, "{json}");
        }
    }

    #[test]
    fn what_is_needed_is_named() {
        let missing = |field| Err(WireError::Missing { field });
        assert_eq!(status(r#"{"fls_state":0}"#), missing("uptime"));
        assert_eq!(
            status(r#"{"uptime":1,"fls_state":null}"#),
            missing("fls_state")
        );
        assert!(matches!(
            status(r#"{"uptime":-1,"fls_state":0}"#),
            Err(WireError::Wrong {
                field: "uptime",
                ..
            })
        ));
        assert!(matches!(
            status(r#"{"uptime":1,"fls_state":1e12}"#),
            Err(WireError::Wrong { .. })
        ));
        assert!(matches!(status("<html>"), Err(WireError::NotJson { .. })));
        assert_eq!(status("[]"), Err(WireError::NotObject));
        assert_eq!(
            parse_version(b"{}").unwrap_err().to_string(),
            "field hwv is missing"
        );
        assert_eq!(
            parse_token(b"{}").err(),
            Some(WireError::Missing { field: "token" })
        );
        assert_eq!(
            parse_challenge(br#"{"spk":"a","jti":"b"}"#),
            missing_challenge("eid")
        );
    }

    fn missing_challenge(field: &'static str) -> Result<Challenge, WireError> {
        Err(WireError::Missing { field })
    }

    #[test]
    fn a_version_is_escaped_and_its_keys_are_optional() {
        let v = parse_version(b"{\"hwv\":\"PPA\\u001b[2J\",\"fwv\":\"Encedo nGINE FW v1.2.2\",\"fws\":\"AAAA\",\"fwk\":null,\"uis\":7}")
            .unwrap();
        assert_eq!(v.hwv, "PPA\\u{1b}[2J");
        assert_eq!((v.fws, v.fwk), (None, None));
    }

    #[test]
    fn bytes_that_are_no_text_spoil_only_their_own_field() {
        let v =
            parse_version(b"{\"hwv\":\"PPA\",\"fwv\":\"v1\",\"hostname\":\"\xff\xfe\"}").unwrap();
        assert_eq!(v.hwv, "PPA");
    }

    #[test]
    fn an_ordered_action_is_shown() {
        let r = parse_checkin_report(br#"{"status":"L","newcrt":"ERROR","newuis":"x"}"#).unwrap();
        assert_eq!(r.action.as_deref(), Some("L"));
        assert_eq!(r.newcrt.as_deref(), Some("ERROR"));
        for ok in ["OK", "ok", "Ok"] {
            let json = format!(r#"{{"status":"{ok}"}}"#);
            let report = parse_checkin_report(json.as_bytes()).unwrap();
            assert_eq!(report, CheckinReport::default(), "{ok}");
        }
        // What only begins like it is no OK.
        for action in ["OKAY", "l", "", " OK"] {
            let json = format!(r#"{{"status":"{action}"}}"#);
            let report = parse_checkin_report(json.as_bytes()).unwrap();
            assert_eq!(report.action.as_deref(), Some(action));
        }
    }

    #[test]
    fn only_objects_are_forwarded() {
        assert_eq!(require_object(br#" {"check":"x","new":1} "#), Ok(()));
        assert_eq!(require_object(b"\"x\""), Err(WireError::NotObject));
        assert!(require_object(b"").is_err());
        assert!(require_object(b"{} trailing").is_err());
    }

    proptest! {
        #[test]
        fn parsers_never_panic(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            all(&body);
        }

        #[test]
        fn parsers_never_panic_on_likely_shapes(
            field in "(uptime|fls_state|time|ts|inited|exp|spk|status|token|hwv|fws)",
            value in r#"(null|true|-?[0-9]{1,25}(\.[0-9]{1,3})?(e[0-9]{1,3})?|"[ -!#-\[\]-~]{0,20}"|\[\]|\{\})"#,
        ) {
            all(format!(r#"{{"uptime":1,"fls_state":0,"{field}":{value}}}"#).as_bytes());
        }
    }

    fn all(body: &[u8]) {
        let _ = parse_version(body);
        let _ = parse_status(body);
        let _ = parse_checkin_report(body);
        let _ = parse_challenge(body);
        let _ = parse_token(body);
        let _ = require_object(body);
    }
}
