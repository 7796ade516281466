//! The firmware image: what can be known of it before any device is touched ([section
//! 11](crate::hem#11-firmware-image)).
//!
//! Reads and verifies the footer and, for simulated devices, makes one. An image whose footer is not recognised is not
//! refused here: the device decides.

use bytes::Bytes;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256, Sha512};

use super::intel_hex::{self, HexError};
use super::limits::MAX_UPLOAD_BYTES;
use crate::model::{
    FirmwareImage, Fwk, Fws, ImageFacts, ImageFooter, ImageFormat, MAX_IMAGE_BYTES, SigningMode,
    printable,
};

/// The footer's size in bytes.
pub const FOOTER_BYTES: usize = 256;

const SIGNATURE: usize = 64;
const KEY: usize = 96;
const NAME_END: usize = 112;
const NAME: usize = 147;
const MODE: usize = 148;
const SIGNED_AT: usize = 152;

/// The mode byte of a signature over the SHA-512.
const MODE_SHA512: u8 = 0x80;

/// The longest name that fits a footer, in bytes.
pub const MAX_NAME: usize = NAME - NAME_END;

/// Why a file is no image for a device.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImageError {
    /// No bytes, or none of data.
    #[error("the image is empty")]
    Empty,
    /// Over 3 MiB: a device closes the connection without a word (section 7).
    #[error("the image has {bytes} bytes, a device takes at most {MAX_IMAGE_BYTES}")]
    TooLarge {
        /// Bytes of the decoded image.
        bytes: u64,
    },
    /// Over 16 MiB as a file.
    #[error("the file has {bytes} bytes, a device takes at most {MAX_UPLOAD_BYTES}")]
    FileTooLarge {
        /// Bytes of the file.
        bytes: u64,
    },
    /// Begins like Intel HEX and is none.
    #[error(transparent)]
    Hex(#[from] HexError),
    /// The footer is there and its signature is not the one of these bytes.
    #[error("the signature of {name:?} does not verify: the image is damaged or was changed")]
    BadSignature {
        /// The footer's name.
        name: String,
    },
    /// No footer was recognised (only [`verify`] minds).
    #[error("no signed footer was recognised")]
    NoFooter,
}

/// Reads a firmware file, binary or Intel HEX, and checks all that can be checked here.
///
/// An image whose footer is not recognised is not refused (section 11): its facts have no footer then.
///
/// # Errors
///
/// Empty, too large, unreadable as Intel HEX, or a recognised footer whose signature does not verify.
pub fn read(bytes: Bytes) -> Result<FirmwareImage, ImageError> {
    read_as(bytes, false)
}

/// [`read`], but a footer whose signature does not verify counts as one that is not recognised: nothing
/// is known of such an image, and the device decides (`--force-image`).
///
/// # Errors
///
/// As [`read`], but for the signature.
pub fn read_unverified(bytes: Bytes) -> Result<FirmwareImage, ImageError> {
    read_as(bytes, true)
}

fn read_as(bytes: Bytes, unverified: bool) -> Result<FirmwareImage, ImageError> {
    if bytes.is_empty() {
        return Err(ImageError::Empty);
    }
    let file_bytes = bytes.len() as u64;
    if bytes.len() > MAX_UPLOAD_BYTES {
        return Err(ImageError::FileTooLarge { bytes: file_bytes });
    }
    let (format, image) = if intel_hex::is_intel_hex(&bytes) {
        (
            ImageFormat::IntelHex,
            Bytes::from(intel_hex::decode(&bytes)?),
        )
    } else {
        (ImageFormat::Binary, bytes.clone())
    };
    if image.is_empty() {
        return Err(ImageError::Empty);
    }
    if image.len() > MAX_IMAGE_BYTES {
        let bytes = image.len() as u64;
        return Err(ImageError::TooLarge { bytes });
    }
    let footer = match verify(&image) {
        Ok(footer) => Some(footer),
        Err(ImageError::NoFooter) => None,
        Err(ImageError::BadSignature { .. }) if unverified => None,
        Err(e) => return Err(e),
    };
    let facts = ImageFacts {
        file_bytes,
        image_bytes: image.len() as u64,
        sha256: Sha256::digest(&bytes).into(),
        format,
        footer,
    };
    Ok(FirmwareImage { bytes, facts })
}

/// Recognises the footer of a decoded image and verifies its signature.
///
/// A signature that verifies, in either mode, is a footer whatever its name and mode byte look like: nothing
/// else ends in a key and that key's signature over all before it. One that does not verify is recognised
/// narrowly, for a wrong guess would call a good image damaged: the mode byte is 0 or 0x80, the name is at
/// least three characters of printable ASCII, begins with a letter or digit and is followed by nothing but
/// NULs, and the key is a point of the curve and none of small order. There is a body before the footer.
///
/// # Errors
///
/// [`ImageError::NoFooter`], or [`ImageError::BadSignature`] where the footer is one.
pub fn verify(image: &[u8]) -> Result<ImageFooter, ImageError> {
    if image.len() <= FOOTER_BYTES {
        return Err(ImageError::NoFooter);
    }
    let fields = Fields::of(image).ok_or(ImageError::NoFooter)?;
    match fields.mode_that_verifies(image) {
        Some(mode) => Ok(fields.footer(mode)),
        None if fields.looks_like_a_footer() => Err(ImageError::BadSignature {
            name: fields.shown_name(),
        }),
        None => Err(ImageError::NoFooter),
    }
}

/// The fields of what may be a footer, as they stand.
struct Fields<'i> {
    mode_byte: u8,
    signed_at: [u8; 4],
    name: &'i [u8],
    fwk: [u8; 32],
    fws: [u8; 64],
}

impl<'i> Fields<'i> {
    fn of(image: &'i [u8]) -> Option<Self> {
        let at = |from_end: usize| image.len().checked_sub(from_end);
        Some(Self {
            mode_byte: *image.get(at(MODE)?)?,
            signed_at: image.get(at(SIGNED_AT)?..at(MODE)?)?.try_into().ok()?,
            name: image.get(at(NAME)?..at(NAME_END)?)?,
            fwk: image.get(at(KEY)?..at(SIGNATURE)?)?.try_into().ok()?,
            fws: image.get(at(SIGNATURE)?..)?.try_into().ok()?,
        })
    }

    /// The key, where it is a point of the curve and none of small order, for which anything verifies.
    fn key(&self) -> Option<VerifyingKey> {
        let key = VerifyingKey::from_bytes(&self.fwk).ok()?;
        (!key.is_weak()).then_some(key)
    }

    fn mode_that_verifies(&self, image: &[u8]) -> Option<SigningMode> {
        let key = self.key()?;
        let signature = Signature::from_bytes(&self.fws);
        let (signed, _) = image.split_at_checked(image.len().checked_sub(SIGNATURE)?)?;
        let plain = || key.verify_strict(signed, &signature);
        let sha512 = || key.verify_strict(&Sha512::digest(signed), &signature);
        if plain().is_ok() {
            Some(SigningMode::Plain)
        } else {
            sha512().is_ok().then_some(SigningMode::Sha512)
        }
    }

    fn looks_like_a_footer(&self) -> bool {
        matches!(self.mode_byte, 0 | MODE_SHA512)
            && read_name(self.name).is_some()
            && self.key().is_some()
    }

    /// The name as a person may see it; it need not be one.
    fn shown_name(&self) -> String {
        if let Some(name) = read_name(self.name) {
            return name;
        }
        let end = self.name.iter().position(|&b| b == 0);
        let text = String::from_utf8_lossy(&self.name[..end.unwrap_or(self.name.len())]);
        match text.trim() {
            "" => "(no name)".to_owned(),
            text => printable(text, MAX_NAME),
        }
    }

    fn footer(&self, mode: SigningMode) -> ImageFooter {
        let dated = mode == SigningMode::Sha512 && self.mode_byte == MODE_SHA512;
        ImageFooter {
            name: self.shown_name(),
            mode,
            signed_at: dated.then(|| u32::from_le_bytes(self.signed_at)),
            fwk: Fwk(self.fwk),
            fws: Fws(self.fws),
        }
    }
}

fn read_name(field: &[u8]) -> Option<String> {
    let end = field.iter().position(|&b| b == 0).unwrap_or(field.len());
    let (name, padding) = field.split_at(end);
    let printable = name.iter().all(|b| (b' '..=b'~').contains(b));
    let begins = name.first().is_some_and(u8::is_ascii_alphanumeric);
    if name.len() < 3 || !printable || !begins || padding.iter().any(|&b| b != 0) {
        return None;
    }
    String::from_utf8(name.to_vec()).ok()
}

/// Appends a signed footer to a body: for simulated devices and tests. Bytes of the name that are no
/// printable ASCII become `?`, and it is cut at [`MAX_NAME`]. `signed_at` is kept in mode 0x80 only.
pub fn sign(
    body: &[u8],
    name: &str,
    seed: &[u8; 32],
    mode: SigningMode,
    signed_at: Option<u32>,
) -> Vec<u8> {
    let key = SigningKey::from_bytes(seed);
    let mut footer = [0_u8; FOOTER_BYTES];
    let at = |from_end: usize| FOOTER_BYTES - from_end;
    if mode == SigningMode::Sha512 {
        footer[at(MODE)] = MODE_SHA512;
        footer[at(SIGNED_AT)..at(MODE)].copy_from_slice(&signed_at.unwrap_or(0).to_le_bytes());
    }
    for (slot, b) in footer[at(NAME)..at(NAME_END)].iter_mut().zip(name.bytes()) {
        *slot = if (b' '..=b'~').contains(&b) { b } else { b'?' };
    }
    footer[at(KEY)..at(SIGNATURE)].copy_from_slice(key.verifying_key().as_bytes());

    let mut image = body.to_vec();
    image.extend_from_slice(&footer[..at(SIGNATURE)]);
    let signature = match mode {
        SigningMode::Plain => key.sign(&image),
        SigningMode::Sha512 => key.sign(&Sha512::digest(&image)),
    };
    image.extend_from_slice(&signature.to_bytes());
    image
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NAME: &str = "Encedo nGINE FW v9.9.9";

    fn signed() -> Vec<u8> {
        sign(&[0x5a; 700], NAME, &[3; 32], SigningMode::Plain, None)
    }

    #[test]
    fn limits() {
        assert_eq!(read(Bytes::new()).unwrap_err(), ImageError::Empty);
        assert_eq!(
            read(Bytes::from_static(b":00000001FF\n")).unwrap_err(),
            ImageError::Empty
        );
        let at = |n: usize| read(Bytes::from(vec![0xff; n])).map(|i| i.facts.image_bytes);
        assert_eq!(at(MAX_IMAGE_BYTES), Ok(MAX_IMAGE_BYTES as u64));
        let bytes = MAX_IMAGE_BYTES as u64 + 1;
        assert_eq!(at(MAX_IMAGE_BYTES + 1), Err(ImageError::TooLarge { bytes }));
        let bytes = MAX_UPLOAD_BYTES as u64 + 1;
        assert_eq!(
            at(MAX_UPLOAD_BYTES + 1),
            Err(ImageError::FileTooLarge { bytes })
        );
    }

    #[test]
    fn what_is_no_footer_is_left_to_the_device() {
        let mut other_mode = signed();
        let at = other_mode.len() - MODE;
        other_mode[at] = 1;
        let mut late_text = signed();
        let at = late_text.len() - NAME_END - 1;
        late_text[at] = b'x';
        let footer_alone = sign(&[], NAME, &[3; 32], SigningMode::Plain, None);
        for image in [
            other_mode,
            late_text,
            footer_alone,
            vec![0; 4096],
            vec![0xff; 4096],
            b"text ".repeat(99),
        ] {
            assert_eq!(read(Bytes::from(image)).unwrap().facts.footer, None);
        }
    }

    #[test]
    fn a_signature_that_verifies_is_enough_whatever_name_and_mode_look_like() {
        for (byte, name) in [(0, ""), (7, "Encedo"), (0x80, "\u{1b}[2J"), (0xff, NAME)] {
            for mode in [SigningMode::Plain, SigningMode::Sha512] {
                let mut image = sign(&[0x5a; 700], "", &[3; 32], mode, None);
                image.truncate(image.len() - SIGNATURE);
                let end = image.len() + SIGNATURE;
                image[end - MODE] = byte;
                image[end - NAME_END - 35..][..name.len()].copy_from_slice(name.as_bytes());
                let key = SigningKey::from_bytes(&[3; 32]);
                let signature = match mode {
                    SigningMode::Plain => key.sign(&image),
                    SigningMode::Sha512 => key.sign(&Sha512::digest(&image)),
                };
                image.extend_from_slice(&signature.to_bytes());
                let footer = verify(&image).unwrap();
                assert_eq!((footer.mode, footer.fws.0), (mode, signature.to_bytes()));
                assert!(!footer.name.contains('\u{1b}') && !footer.name.is_empty());
            }
        }
    }

    #[test]
    fn a_damaged_image_says_so() {
        let mut image = signed();
        image[0] ^= 1;
        let e = read(Bytes::from(image)).unwrap_err();
        assert_eq!(e, ImageError::BadSignature { name: NAME.into() });
        assert!(e.to_string().contains("damaged"), "{e}");
    }

    #[test]
    fn every_single_byte_counts() {
        let image = signed();
        for at in 0..image.len() {
            let mut changed = image.clone();
            changed[at] ^= 0x20;
            assert!(verify(&changed).is_err(), "byte {at}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn signed_is_read(
            body in proptest::collection::vec(any::<u8>(), 1..2000),
            name in "[A-Za-z0-9][ -~]{2,34}",
            seed in any::<[u8; 32]>(),
            at in proptest::option::of(any::<u32>()),
        ) {
            let mode = if at.is_some() { SigningMode::Sha512 } else { SigningMode::Plain };
            let image = sign(&body, &name, &seed, mode, at);
            let footer = verify(&image).unwrap();
            prop_assert_eq!(footer.name, name);
            prop_assert_eq!((footer.mode, footer.signed_at), (mode, at));
        }

        #[test]
        fn a_flipped_bit_is_never_verified(
            body in proptest::collection::vec(any::<u8>(), 1..400),
            at in any::<proptest::sample::Index>(),
            bit in 0_u8..8,
        ) {
            let mut image = sign(&body, NAME, &[3; 32], SigningMode::Sha512, Some(7));
            let at = at.index(image.len());
            image[at] ^= 1 << bit;
            prop_assert!(verify(&image).is_err());
        }

        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(Bytes::from(bytes));
        }
    }
}
