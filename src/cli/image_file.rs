//! Images and management apps as files: read, and judged as far as they can be before any device is touched.
//! What `hemfleet inspect` prints of them is `commands::inspect`.

use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;

use super::Refusal;
use crate::config::Diagnostic;
use crate::hem::file_type::looks_like;
use crate::hem::firmware_image::{self, ImageError};
use crate::hem::limits::MAX_UPLOAD_BYTES;
use crate::hem::management_app;
use crate::model::{AppImage, Distrust, FirmwareImage, Fwk, ImageTrust, human_bytes};

/// What to do with a file that could be sent all the same.
pub(super) const FORCE: &str =
    "name the right file; --force-image sends this one all the same, and the device decides";
/// What to do with a file that the inventory does not trust.
const PASTE: &str = "hemfleet inspect prints the lines of [images] that would trust it; --force-image does not set [images] aside";
/// The same of a file that nobody can tell the signer of: no line would trust it.
const NO_SIGNER: &str = "name the right file; --force-image does not set [images] aside, and no line of signers would trust this one: only its hash in allow does";

/// Why a file is not sent, and what may be done about it.
#[derive(Debug)]
pub(super) struct Unfit {
    pub(super) message: String,
    pub(super) hint: Option<&'static str>,
}

impl Unfit {
    /// Adds the hint to a fault that tells the message.
    pub(super) fn on(&self, fault: Diagnostic) -> Diagnostic {
        match self.hint {
            Some(hint) => fault.hint(hint),
            None => fault,
        }
    }
}

impl From<String> for Unfit {
    fn from(message: String) -> Self {
        Self {
            message,
            hint: None,
        }
    }
}

impl From<Unfit> for Refusal {
    fn from(unfit: Unfit) -> Self {
        let refusal = Self::new(unfit.message);
        match unfit.hint {
            Some(hint) => refusal.hint(hint),
            None => refusal,
        }
    }
}

/// A file without a footer that is recognised.
pub(super) fn unknown(path: &Path, file: &Bytes) -> Unfit {
    Unfit {
        message: format!(
            "image {}: no signed footer is recognised; it looks like {}",
            path.display(),
            looks_like(file)
        ),
        hint: Some(FORCE),
    }
}

/// Reads an image; every way in which it is unusable is a message for people. With `forced` a footer that
/// is not recognised or does not verify is left to the devices.
pub(super) fn load(path: &Path, forced: bool, trust: &ImageTrust) -> Result<FirmwareImage, Unfit> {
    let bytes = read(path)?;
    let told = |e: ImageError| format!("image {}: {e}", path.display());
    let image = match firmware_image::read(bytes.clone()) {
        Ok(image) if image.facts.footer.is_none() => {
            let unfit = unknown(path, &bytes);
            if !forced {
                return Err(unfit);
            }
            warn(&unfit.message);
            image
        }
        Err(fault @ ImageError::BadSignature { .. }) if forced => {
            warn(&told(fault));
            firmware_image::read_unverified(bytes).map_err(told)?
        }
        image => image.map_err(told)?,
    };
    let signer = image.facts.footer.as_ref().map(|f| f.fwk);
    trusted(trust, "image", path, signer, image.facts.sha256)?;
    Ok(image)
}

/// Reads a management app, as [`load`] an image.
pub(super) fn load_app(path: &Path, forced: bool, trust: &ImageTrust) -> Result<AppImage, Unfit> {
    let shown = path.display();
    let bytes = read(path)?;
    let app = management_app::read(bytes).map_err(|e| format!("management app {shown}: {e}"))?;
    if let Some(fault) = &app.fault {
        let message = format!("management app {shown}: {fault}");
        if !forced {
            let hint = Some(FORCE);
            return Err(Unfit { message, hint });
        }
        warn(&message);
    }
    let facts = &app.image.facts;
    if facts.trailer.is_some_and(|t| !t.verifies) {
        let _ = writeln!(
            io::stderr(),
            "WARNING: management app {shown}: its signature does not verify over the SHA-256 of the tar, as those of \
             releases before September 2026 do not: the device decides"
        );
    }
    let signer = facts.verified_signer();
    trusted(trust, "management app", path, signer, facts.sha256)?;
    Ok(app.image)
}

/// Whether the inventory trusts signer and file; forcing changes nothing about it.
fn trusted(
    trust: &ImageTrust,
    what: &str,
    path: &Path,
    signer: Option<Fwk>,
    sha256: [u8; 32],
) -> Result<(), Unfit> {
    trust.judge(signer, sha256).map_err(|distrust| Unfit {
        message: format!("{what} {}: {distrust}", path.display()),
        hint: Some(match distrust {
            Distrust::NoSigner => NO_SIGNER,
            Distrust::OtherSigner { .. } | Distrust::OtherFile { .. } => PASTE,
        }),
    })
}

/// Standard error may be gone; what follows calls the image one without a known signature.
fn warn(message: &str) {
    let _ = writeln!(
        io::stderr(),
        "WARNING: {message}; --force-image leaves it to the devices"
    );
}

pub(super) fn read(path: &Path) -> Result<Bytes, String> {
    let shown = path.display();
    let unreadable = |e: io::Error| format!("image {shown} is not readable: {e}");
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(format!("image {shown} is no file"));
    }
    // Not to read a disk image into memory before saying that it is too large.
    if meta.len() > MAX_UPLOAD_BYTES as u64 {
        return Err(format!(
            "image {shown} is too large: {}",
            human_bytes(meta.len())
        ));
    }
    std::fs::read(path).map(Bytes::from).map_err(unreadable)
}
