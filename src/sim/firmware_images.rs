//! The firmware of the simulated world: the image that is rolled out, and what devices run before it.

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey};

use crate::hem::firmware_image;
use crate::model::{Fwk, Fws, SigningMode};
use crate::sim::script::world::{ImageKind, ImageScript};

/// The seed of the key that signs firmware for simulated devices: a published one, for it protects
/// nothing. It also signed the images of the protocol's test vectors, which therefore can be installed.
const SEED: [u8; 32] = [
    0xeb, 0x25, 0x5a, 0xb9, 0xd7, 0xc1, 0xda, 0xf2, 0x78, 0x07, 0xba, 0x09, 0x6d, 0xa0, 0x28, 0xf5,
    0x38, 0xcd, 0x3f, 0x1b, 0x97, 0xeb, 0xfd, 0x57, 0x51, 0x91, 0x7c, 0x52, 0x05, 0x17, 0x28, 0xae,
];

/// The seed of a key that no device knows.
const STRANGER: [u8; 32] = [0x5c; 32];

/// Bytes of a signature.
const SIGNATURE: usize = 64;

/// When images of mode 0x80 say that they were signed; any moment will do.
const SIGNED_AT: u32 = 1_764_547_200;

/// What a device runs, as `version` reports it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Firmware {
    pub(super) fwv: String,
    pub(super) fws: Fws,
}

impl Firmware {
    /// The firmware of this version that devices had before; its image is nowhere.
    pub(super) fn earlier(version: &str) -> Self {
        let fwv = name(version);
        let fws = Fws(key().sign(fwv.as_bytes()).to_bytes());
        Self { fwv, fws }
    }

    /// Firmware that nobody asked for.
    pub(super) fn unheard_of() -> Self {
        let fws = Fws(key().sign(b"unheard of").to_bytes());
        Self {
            fwv: name("1.1.9"),
            fws,
        }
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&SEED)
}

fn name(version: &str) -> String {
    format!("Encedo nGINE FW v{version}")
}

/// What devices report as the signature of their bootloader.
pub(super) fn bootloader() -> Fws {
    Fws(key().sign(b"bootloader").to_bytes())
}

/// The key that devices accept firmware from.
pub(super) fn fwk() -> Fwk {
    Fwk(key().verifying_key().to_bytes())
}

/// Signs with that key.
pub(super) fn sign(message: &[u8]) -> [u8; SIGNATURE] {
    key().sign(message).to_bytes()
}

/// What a device finds out about a staged image: the firmware that it is, if it is valid. `version`
/// is what a layout that only devices know says of itself.
pub(super) fn verify(image: &[u8], version: &str) -> Option<Firmware> {
    match firmware_image::verify(image) {
        Ok(footer) => (footer.fwk == fwk()).then_some(Firmware {
            fwv: footer.name,
            fws: footer.fws,
        }),
        Err(firmware_image::ImageError::NoFooter) => {
            let (signed, signature) = image.split_last_chunk::<SIGNATURE>()?;
            let signed_by_us = key()
                .verifying_key()
                .verify_strict(signed, &Signature::from_bytes(signature));
            signed_by_us.is_ok().then(|| Firmware {
                fwv: name(version),
                fws: Fws(*signature),
            })
        }
        Err(_) => None,
    }
}

/// Makes the image that is rolled out.
pub(super) fn image(script: &ImageScript) -> Bytes {
    let body = noise(script.size.saturating_sub(firmware_image::FOOTER_BYTES));
    let (seed, mode) = match script.kind {
        ImageKind::Signed => (SEED, SigningMode::Plain),
        ImageKind::Mode80 => (SEED, SigningMode::Sha512),
        ImageKind::OtherKey => (STRANGER, SigningMode::Plain),
        ImageKind::NoFooter => return Bytes::from(noise(script.size)),
        ImageKind::NewLayout => {
            let mut bytes = noise(script.size - SIGNATURE);
            let signature = key().sign(&bytes).to_bytes();
            bytes.extend_from_slice(&signature);
            return Bytes::from(bytes);
        }
    };
    let name = name(&script.version);
    Bytes::from(firmware_image::sign(
        &body,
        &name,
        &seed,
        mode,
        Some(SIGNED_AT),
    ))
}

/// Bytes that do not repeat, the same each time (xorshift).
pub(super) fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        bytes.extend_from_slice(&next());
    }
    bytes.truncate(size);
    // All ones where a footer would have its mode: noise is never mistaken for a footer.
    if let Some(at) = size.checked_sub(148) {
        bytes[at] = 0xff;
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_what_it_says() {
        let made = |kind| {
            image(&ImageScript {
                size: 5_000,
                kind,
                ..ImageScript::default()
            })
        };
        for (kind, valid, recognised) in [
            (ImageKind::Signed, true, true),
            (ImageKind::Mode80, true, true),
            (ImageKind::OtherKey, false, true),
            (ImageKind::NoFooter, false, false),
            (ImageKind::NewLayout, true, false),
        ] {
            let image = made(kind);
            assert_eq!(image.len(), 5_000);
            let firmware = verify(&image, "1.2.3");
            assert_eq!(firmware.is_some(), valid, "{kind:?}");
            assert_eq!(
                firmware_image::verify(&image).is_ok(),
                recognised,
                "{kind:?}"
            );
            if let Some(firmware) = firmware {
                assert_eq!(firmware.fwv, "Encedo nGINE FW v1.2.3");
                assert_ne!(firmware, Firmware::earlier("1.2.3"));
                assert_eq!(image[4_936..], firmware.fws.0);
            }
        }
        // The key of the vectors' own images.
        assert_eq!(
            fwk().to_string(),
            "nQP5SxVgA0ue8kAzt+qN65Vor8QTOad+oCIjVP+W+N0="
        );
    }
}
