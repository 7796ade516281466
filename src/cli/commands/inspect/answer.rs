//! What `hemfleet inspect --json` prints: one object with these fields, which are named as those of `run_started`.

use std::path::Path;

use serde::Serialize;

use crate::cli::image_file::{ImageFileError, fits, no_footer, read, read_app, read_image};
use crate::hem::management_app::AppFile;
use crate::hem::not_an_image;
use crate::model::{Component, ImageFacts, chain};

/// The whole answer. What is not known is absent.
#[derive(Serialize, Default)]
pub(super) struct InspectAnswer {
    file: String,
    /// Whether a run would send it, as far as `[images]` allows.
    pub(super) accepted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    component: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    /// Of firmware: its size once decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mode: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_at: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fwk: Option<String>,
    /// The key that has verifiably signed it, as `[images] signers` has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    signer: Option<String>,
    /// Of a management app: how many files its manifest lists, and each is as it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<usize>,
    /// Why a run would refuse it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'static str>,
}

impl InspectAnswer {
    /// What can be told of a file.
    pub(super) fn of(path: &Path) -> Self {
        let mut answer = Self {
            file: path.to_string_lossy().into_owned(),
            ..Self::default()
        };
        match answer.look_at(path) {
            Ok(()) => answer.accepted = true,
            Err(error) => {
                answer.reason = Some(chain(&error));
                answer.hint = error.hint();
            }
        }
        answer
    }

    fn look_at(&mut self, path: &Path) -> Result<(), ImageFileError> {
        let file = read(path)?;
        self.bytes = Some(file.len() as u64);
        if not_an_image::is_tar(&file) {
            self.component = Some(Component::Ui.as_str());
            let app = read_app(path, file)?;
            self.tell_app(&app);
            return fits(path, &app);
        }
        self.component = Some(Component::Firmware.as_str());
        let facts = read_image(path, &file)?;
        self.tell_image(&facts);
        match facts.footer {
            Some(_) => Ok(()),
            None => Err(no_footer(path, &file)),
        }
    }

    fn tell_image(&mut self, facts: &ImageFacts) {
        self.sha256 = Some(facts.sha256_hex());
        self.format = Some(facts.format.to_string());
        self.image_bytes = Some(facts.image_bytes);
        if let Some(footer) = &facts.footer {
            self.version = Some(facts.version_label());
            self.name = Some(footer.name.clone());
            self.mode = Some(footer.mode.to_string());
            self.signed_at = footer.signed_at;
            self.fws = Some(footer.fws.to_string());
            self.fwk = Some(footer.fwk.to_string());
            self.signer = self.fwk.clone();
        }
    }

    fn tell_app(&mut self, app: &AppFile) {
        let facts = &app.image.facts;
        self.sha256 = Some(facts.sha256_hex());
        self.format = Some("tar".to_owned());
        self.version = facts.version.map(|version| version.to_string());
        self.signer = facts.verified_signer().map(|key| key.to_string());
        self.files = app.files;
    }
}
