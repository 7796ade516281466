//! The vectors of `tests/vectors`, which other software made: nothing in here was computed by this crate.

use std::path::Path;

use bytes::Bytes;
use serde_json::Value;

use super::management_app::AppFault;
use super::{ejwt, firmware_image, kdf, management_app};
use crate::model::{ImageFormat, Secret, SigningMode};

fn vector(name: &str) -> Vec<u8> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    std::fs::read(dir.join(name)).unwrap()
}

fn json(name: &str) -> Value {
    serde_json::from_slice(&vector(name)).unwrap()
}

fn hex32(text: &Value) -> [u8; 32] {
    let text = text.as_str().unwrap();
    std::array::from_fn(|n| u8::from_str_radix(&text[2 * n..2 * n + 2], 16).unwrap())
}

#[test]
fn every_ejwt_is_made_and_verified() {
    let all = json("ejwt.json");
    let challenge = ejwt::parse_challenge(all["challenge"].to_string().as_bytes()).unwrap();
    let session = hex32(&all["device_session_private_key_hex"]);
    let cases = all["cases"].as_array().unwrap();
    assert_eq!(cases.len(), 4);
    for case in cases {
        let kind = case["kind"].as_str().unwrap();
        let key = ejwt::PrivateKey::from_bytes(hex32(&case["private_key_hex"]));
        assert_eq!(
            ejwt::public_key_b64(&key),
            case["public_key_b64"].as_str().unwrap(),
            "{kind}"
        );
        let claims: ejwt::Claims = serde_json::from_value(case["claims"].clone()).unwrap();
        let made = ejwt::issue(&key, &challenge, claims.iat, claims.exp, &claims.scope).unwrap();
        assert_eq!(made, case["ejwt"].as_str().unwrap(), "{kind}");
        assert_eq!(ejwt::verify(&made, &session).unwrap(), claims, "{kind}");
    }
}

#[test]
fn every_kind_of_secret_gives_its_key() {
    let all = json("ejwt.json");
    let eid = all["challenge"]["eid"].as_str().unwrap();
    let secret = |case: &Value, field: &str| Secret::new(case[field].as_str().unwrap().into());
    let challenge = ejwt::parse_challenge(all["challenge"].to_string().as_bytes()).unwrap();
    for case in all["cases"].as_array().unwrap() {
        let kind = case["kind"].as_str().unwrap();
        let key = match kind {
            "passphrase-pbkdf2" => kdf::pbkdf2(&secret(case, "passphrase"), eid),
            "passphrase-argon2d" => kdf::argon2d(&secret(case, "passphrase"), eid).unwrap(),
            "master-words" => kdf::master_words(&secret(case, "words")).unwrap(),
            "master-words-legacy" => kdf::master_words_legacy(&secret(case, "words")).unwrap(),
            other => unreachable!("{other}"),
        };
        // Different private keys may have the same public one (X25519 clamps), so both are compared.
        assert!(key.is(&hex32(&case["private_key_hex"])), "{kind}");
        assert_eq!(
            ejwt::public_key_b64(&key),
            case["public_key_b64"].as_str().unwrap(),
            "{kind}"
        );
        let claims: ejwt::Claims = serde_json::from_value(case["claims"].clone()).unwrap();
        let made = ejwt::issue(&key, &challenge, claims.iat, claims.exp, &claims.scope).unwrap();
        assert_eq!(made, case["ejwt"].as_str().unwrap(), "{kind}");
    }
}

#[test]
fn signed_images_are_recognised() {
    let all = json("firmware/images.json");
    for (name, mode) in [
        ("signed-v1.2.3.bin", SigningMode::Plain),
        ("signed-v1.2.4-mode80.bin", SigningMode::Sha512),
    ] {
        let expected = &all[name];
        let image = firmware_image::read(Bytes::from(vector(&format!("firmware/{name}")))).unwrap();
        assert_eq!(image.facts.format, ImageFormat::Binary);
        assert_eq!(image.facts.file_bytes, expected["bytes"].as_u64().unwrap());
        assert_eq!(
            image.facts.sha256_hex(),
            expected["sha256"].as_str().unwrap()
        );
        let footer = image.facts.footer.unwrap();
        assert_eq!(footer.mode, mode);
        assert_eq!(footer.name, expected["version_hint"].as_str().unwrap());
        assert_eq!(footer.fwk.to_string(), expected["fwk"].as_str().unwrap());
        assert_eq!(footer.fws.to_string(), expected["fws"].as_str().unwrap());
        assert_eq!(
            footer.signed_at.map(u64::from),
            expected["signed_at_unix"].as_u64()
        );
    }
}

#[test]
fn the_hex_file_holds_the_same_image() {
    let binary = firmware_image::read(Bytes::from(vector("firmware/signed-v1.2.3.bin"))).unwrap();
    let file = vector("firmware/signed-v1.2.3.hex");
    let hex = firmware_image::read(Bytes::from(file.clone())).unwrap();
    assert_eq!(hex.facts.format, ImageFormat::IntelHex);
    assert_eq!(hex.facts.footer, binary.facts.footer);
    assert_eq!(hex.facts.image_bytes, 49152);
    assert_eq!(hex.bytes, file);
}

#[test]
fn damaged_and_unsigned_images_differ() {
    let damaged = firmware_image::read(Bytes::from(vector("firmware/damaged.bin")));
    assert!(matches!(
        damaged,
        Err(firmware_image::ImageError::BadSignature { .. })
    ));
    let plain = firmware_image::read(Bytes::from(vector("firmware/no-footer.bin"))).unwrap();
    assert_eq!(plain.facts.footer, None);
}

#[test]
fn our_own_signing_makes_the_very_same_image() {
    let all = json("firmware/images.json");
    let seed = hex32(&all["signed-v1.2.3.bin"]["signing_key_seed_hex"]);
    for (name, hint, at) in [
        ("signed-v1.2.3.bin", "Encedo nGINE FW v1.2.3", None),
        (
            "signed-v1.2.4-mode80.bin",
            "Encedo nGINE FW v1.2.4",
            Some(1_755_316_224),
        ),
    ] {
        let image = vector(&format!("firmware/{name}"));
        let body = &image[..image.len() - firmware_image::FOOTER_BYTES];
        let mode = if at.is_some() {
            SigningMode::Sha512
        } else {
            SigningMode::Plain
        };
        assert!(
            firmware_image::sign(body, hint, &seed, mode, at) == image,
            "{name}"
        );
    }
}

/// Made with GNU tar, `sha256sum -b` and OpenSSL: see `tests/vectors/app/README.md`.
#[test]
fn management_apps_are_read() {
    let app = |name: &str| {
        let bytes = Bytes::from(vector(&format!("app/{name}")));
        management_app::read(bytes).unwrap()
    };
    let version = "dAc+0obBLglENdQb3fQVg009g0iKGt45Wyl3VtsNJu8=";
    let key = "nQP5SxVgA0ue8kAzt+qN65Vor8QTOad+oCIjVP+W+N0=";
    let good = app("webroot.tar");
    assert_eq!((good.fault, good.files), (None, Some(3)));
    let facts = good.image.facts;
    let trailer = facts.trailer.unwrap();
    assert_eq!(
        (trailer.key.to_string(), trailer.verifies),
        (key.to_owned(), true)
    );
    assert!(facts.is_served_as(Some(version)) && facts.is_signer(Some(key)));
    let older = app("other-framing.tar");
    assert_eq!(older.fault, None);
    assert!(!older.image.facts.trailer.unwrap().verifies);
    let bare = app("bare.tar");
    assert_eq!(bare.fault, Some(AppFault::Bare));
    assert!(bare.image.facts.is_served_as(Some(version)));
    let mismatch = app("mismatch.tar");
    assert!(mismatch.image.facts.trailer.unwrap().verifies);
    let fault = mismatch.fault.unwrap().to_string();
    assert!(fault.contains("style.css has another hash"), "{fault}");
}
