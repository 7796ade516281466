//! What is rolled out, as JSON lines and report files tell it.

use serde::Serialize;

use crate::model::{AppFacts, ImageFacts};

/// The firmware image.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ImageReport {
    /// The version for people.
    pub version: String,
    /// The footer's name, where one was recognised.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How the file is written.
    pub format: String,
    /// The file's size.
    pub bytes: u64,
    /// The file's SHA-256, in hex.
    pub sha256: String,
    /// The signature that a device reports once it runs the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fws: Option<String>,
    /// The signer's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fwk: Option<String>,
    /// What the signature covers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    /// When it was signed, in unix seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signed_at: Option<u32>,
}

impl From<&ImageFacts> for ImageReport {
    fn from(facts: &ImageFacts) -> Self {
        let footer = facts.footer.as_ref();
        Self {
            version: facts.version_label(),
            name: footer.map(|f| f.name.clone()),
            format: facts.format.to_string(),
            bytes: facts.file_bytes,
            sha256: facts.sha256_hex(),
            fws: footer.map(|f| f.fws.to_string()),
            fwk: footer.map(|f| f.fwk.to_string()),
            mode: footer.map(|f| f.mode.to_string()),
            signed_at: footer.and_then(|f| f.signed_at),
        }
    }
}

/// The management app.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct AppReport {
    /// The file's size.
    pub bytes: u64,
    /// The file's SHA-256, in hex.
    pub sha256: String,
    /// The hash of its manifest, which a device reports as `uis`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Who signed it, where that verifies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signer: Option<String>,
}

impl From<&AppFacts> for AppReport {
    fn from(facts: &AppFacts) -> Self {
        Self {
            bytes: facts.file_bytes,
            sha256: facts.sha256_hex(),
            version: facts.version.map(|version| version.to_string()),
            signer: facts.verified_signer().map(|key| key.to_string()),
        }
    }
}
