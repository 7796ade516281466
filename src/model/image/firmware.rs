//! Firmware images and signatures as values (protocol page, sections 4 and 11). Files are parsed in
//! `hem::firmware_image`.

use serde::{Deserialize, Serialize};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

use crate::model::{AppFacts, AppImage, hex};

/// The largest firmware image that a device takes, in bytes of the decoded image (section 7).
pub const MAX_IMAGE_BYTES: usize = 3 * 1024 * 1024;

/// Why a text is no signature or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not base64 of {expected} bytes")]
pub struct FwsParseError {
    /// The number of bytes wanted.
    pub expected: usize,
}

fn decode<const N: usize>(text: &str) -> Result<[u8; N], FwsParseError> {
    STANDARD
        .decode(text.trim())
        .ok()
        .and_then(|v| v.try_into().ok())
        .ok_or(FwsParseError { expected: N })
}

macro_rules! base64_bytes {
    ($(#[$doc:meta])* $name:ident, $len:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(pub [u8; $len]);

        impl From<$name> for String {
            fn from(bytes: $name) -> Self {
                bytes.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = FwsParseError;

            fn try_from(text: String) -> Result<Self, FwsParseError> {
                Self::from_base64(&text)
            }
        }

        impl $name {
            /// Reads the base64 that devices report (standard alphabet, padded).
            pub fn from_base64(text: &str) -> Result<Self, FwsParseError> {
                decode(text).map(Self)
            }

            /// The first eight characters of the base64, enough to tell two apart on a screen.
            pub fn short(&self) -> String {
                let mut s = self.to_string();
                s.truncate(8);
                s
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&STANDARD.encode(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({}…)"), self.short())
            }
        }
    };
}

base64_bytes!(
    /// `fws`: the Ed25519 signature of a firmware image, unique per binary (section 4).
    Fws, 64
);
base64_bytes!(
    /// `fwk`: the Ed25519 public key that signs firmware (section 4).
    Fwk, 32
);

/// How a firmware file is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// Raw bytes, sent as `firmware.bin`.
    Binary,
    /// Intel HEX, sent as `firmware.hex`.
    IntelHex,
}

impl ImageFormat {
    /// The file name that the device expects (section 7).
    pub fn upload_name(self) -> &'static str {
        match self {
            Self::Binary => "firmware.bin",
            Self::IntelHex => "firmware.hex",
        }
    }
}

impl fmt::Display for ImageFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Binary => "binary",
            Self::IntelHex => "Intel HEX",
        })
    }
}

/// What the signature in the footer covers (section 11).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningMode {
    /// Mode 0: every byte before the signature.
    Plain,
    /// Mode 0x80: the SHA-512 of those bytes.
    Sha512,
}

impl fmt::Display for SigningMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Plain => "0",
            Self::Sha512 => "0x80",
        })
    }
}

/// What is known of an image before any device is touched (section 11).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImageFacts {
    /// Size of the file in bytes, which is what is uploaded.
    pub file_bytes: u64,
    /// Size of the decoded image in bytes; the same for binary files.
    pub image_bytes: u64,
    /// SHA-256 of the file.
    #[serde(with = "crate::model::hex_text")]
    pub sha256: [u8; 32],
    /// How the file is written.
    pub format: ImageFormat,
    /// The footer, where one was recognised; its signature has been verified then.
    pub footer: Option<ImageFooter>,
}

/// The recognised footer of a signed image (section 11).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ImageFooter {
    /// The name, such as `Encedo nGINE FW v1.2.3`; a hint, no proof.
    pub name: String,
    /// What the signature covers.
    pub mode: SigningMode,
    /// Time of signing in unix seconds (mode 0x80 only).
    pub signed_at: Option<u32>,
    /// The signer's public key.
    pub fwk: Fwk,
    /// The signature, which the device reports as `fws` while it runs this image.
    pub fws: Fws,
}

impl ImageFacts {
    /// The `fws` that a device reports once it runs this image, where the footer was recognised.
    pub fn expected_fws(&self) -> Option<Fws> {
        self.footer.as_ref().map(|f| f.fws)
    }

    /// The version for people: `1.2.3` from the footer's name, else `unknown`.
    pub fn version_label(&self) -> String {
        self.footer
            .as_ref()
            .map_or_else(|| "unknown".to_owned(), |f| version_label(&f.name))
    }

    /// The SHA-256 in hex.
    pub fn sha256_hex(&self) -> String {
        hex(&self.sha256)
    }
}

/// The short label of a firmware name: what follows the last ` v`, else the whole text.
pub(in crate::model) fn version_label(name: &str) -> String {
    match name.rsplit_once(" v") {
        Some((_, v)) if v.starts_with(|c: char| c.is_ascii_digit()) => v.to_owned(),
        _ => name.to_owned(),
    }
}

/// What of a device is upgraded.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// The management app, a web page that the device serves (section 8). Before the firmware, whose
    /// install ends in a reboot.
    Ui,
    /// The firmware (section 7).
    Firmware,
}

impl Component {
    /// The spelling on screen, in JSON and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ui => "ui",
            Self::Firmware => "firmware",
        }
    }

    /// What people call it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ui => "management app",
            Self::Firmware => "firmware",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a run installs on each device: at least one of the two.
#[derive(Clone, Debug, Default)]
pub struct Payload {
    /// The management app, which goes first.
    pub app: Option<AppImage>,
    /// The firmware.
    pub firmware: Option<FirmwareImage>,
}

impl Payload {
    /// What is known of it.
    pub fn facts(&self) -> PayloadFacts {
        PayloadFacts {
            app: self.app.as_ref().map(|a| a.facts.clone()),
            firmware: self.firmware.as_ref().map(|f| f.facts.clone()),
        }
    }
}

impl From<FirmwareImage> for Payload {
    fn from(firmware: FirmwareImage) -> Self {
        Self {
            app: None,
            firmware: Some(firmware),
        }
    }
}

/// What is known of a [`Payload`].
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct PayloadFacts {
    /// The management app.
    pub app: Option<AppFacts>,
    /// The firmware.
    pub firmware: Option<ImageFacts>,
}

impl PayloadFacts {
    /// The firmware's version for people; `app` where there is none.
    pub fn version_label(&self) -> String {
        self.firmware
            .as_ref()
            .map_or_else(|| "app".to_owned(), ImageFacts::version_label)
    }

    /// The `fws` that a device reports once it runs the firmware, where that is known.
    pub fn expected_fws(&self) -> Option<Fws> {
        self.firmware.as_ref().and_then(ImageFacts::expected_fws)
    }
}

/// An image ready for upload: the file's bytes and what is known of them.
#[derive(Clone, Debug)]
pub struct FirmwareImage {
    /// The bytes of the file, sent as they are.
    pub bytes: Bytes,
    /// What is known of them.
    pub facts: ImageFacts,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels() {
        assert_eq!(version_label("Encedo nGINE FW v1.2.3"), "1.2.3");
        assert_eq!(version_label("Encedo nGINE FW v1.2.3-DIAG"), "1.2.3-DIAG");
        assert_eq!(version_label("strange"), "strange");
    }

    #[test]
    fn signatures_are_read_strictly() {
        let fws = Fws([7; 64]);
        assert_eq!(Fws::from_base64(&fws.to_string()), Ok(fws));
        assert_eq!(
            Fwk::from_base64("AAAA"),
            Err(FwsParseError { expected: 32 })
        );
    }
}
