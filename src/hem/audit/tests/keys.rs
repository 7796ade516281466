//! The log key and the answers of the logger.

use super::*;

#[test]
fn a_key_must_sign_its_nonce() {
    let good = answer_key(&SEED, b"nonce");
    assert_eq!(prove_key(&good).unwrap().to_string(), good.key);
    let other = answer_key(&SEED, b"other");
    let mixed = KeyAnswer {
        nonce: other.nonce,
        ..good.clone()
    };
    assert_eq!(prove_key(&mixed), Err(KeyFault::NotSigned));
    assert!(matches!(
        prove_key(&answer_key(&SEED, b"")),
        Err(KeyFault::Malformed { field: "nonce", .. })
    ));
    let short = KeyAnswer {
        key: "AAAA".into(),
        ..good.clone()
    };
    assert!(matches!(
        prove_key(&short),
        Err(KeyFault::Malformed { field: "key", .. })
    ));
    // The point of order one: with it a signature of zeros fits any message.
    let mut weak = [0_u8; 32];
    weak[0] = 1;
    let weak = KeyAnswer {
        key: base64::Engine::encode(&base64::engine::general_purpose::STANDARD, weak),
        ..good.clone()
    };
    assert_eq!(prove_key(&weak), Err(KeyFault::BadKey));
    let unpadded = KeyAnswer {
        key: good.key.trim_end_matches('=').into(),
        ..good
    };
    assert!(prove_key(&unpadded).is_ok());
}

#[test]
fn answers_of_the_logger_are_read() {
    let list = parse_list(br#"{"total":7,"id":["62310b2b","2",null,"../x"],"extra":1}"#).unwrap();
    let ids: Vec<&str> = list.ids.iter().map(crate::model::LogId::as_str).collect();
    assert_eq!(
        (ids, list.unusable, list.total),
        (vec!["62310b2b", "2"], 2, Some(7))
    );
    assert_eq!(
        parse_list(br#"{"total":null,"id":[]}"#).unwrap().total,
        None
    );
    assert!(parse_list(b"{}").is_err() && parse_list(b"[]").is_err());
    assert!(parse_key_answer(br#"{"key":"a","nonce":"b","nonce_signed":null}"#).is_err());
}

#[test]
fn a_list_that_is_none_is_told_by_what_was_expected() {
    let told = parse_list(br#"{"id":5}"#).unwrap_err().to_string();
    assert!(told.contains("a list of log ids"), "{told}");
}
