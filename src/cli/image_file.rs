//! Reads images and management apps, and checks them as far as possible before any device is contacted.
//! `commands::inspect` prints what is known of them.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::hem::firmware_image::{self, ImageError};
use crate::hem::limits::MAX_UPLOAD_BYTES;
use crate::hem::management_app::{self, AppError, AppFault, AppFile};
use crate::hem::not_an_image::looks_like;
use crate::model::{
    AppImage, Distrust, FirmwareImage, Fwk, ImageFacts, ImageTrust, chain, human_bytes,
};

/// The hint for a file that could be sent all the same.
const FORCE: &str =
    "name the right file, or send this one with --force-image and let the device decide";
/// The hint for a file that the inventory does not trust.
const PASTE: &str = "hemfleet inspect prints the lines of [images] that would trust it; --force-image does not override [images]";
/// The hint for an untrusted file without a known signer: no line of `signers` would trust it.
const NO_SIGNER: &str = "name the right file; --force-image does not override [images]. A file without a known signer is trusted only by its hash in allow";

/// Why a file is not sent.
#[derive(Debug, thiserror::Error)]
pub enum ImageFileError {
    /// It cannot be read.
    #[error("image {} is not readable", path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// It is a folder, a pipe or the like.
    #[error("image {} is no file", .0.display())]
    NoFile(PathBuf),
    /// No device takes so much.
    #[error("image {} is too large: {}", path.display(), human_bytes(*bytes))]
    TooLarge {
        /// Its path.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It is no firmware image, or a damaged one.
    #[error("image {}", path.display())]
    Image {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: ImageError,
    },
    /// It has no footer that is recognised.
    #[error("image {}: no signed footer is recognised; it looks like {looks_like}", path.display())]
    NoFooter {
        /// Its path.
        path: PathBuf,
        /// What it seems to be instead.
        looks_like: String,
    },
    /// It is no management app.
    #[error("management app {}", path.display())]
    App {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: AppError,
    },
    /// It is a management app that no device takes.
    #[error("management app {}", path.display())]
    AppFault {
        /// Its path.
        path: PathBuf,
        /// What is wrong with it.
        source: AppFault,
    },
    /// The inventory does not trust its signer, or the file.
    #[error("{what} {}", path.display())]
    Distrusted {
        /// What it is.
        what: &'static str,
        /// Its path.
        path: PathBuf,
        /// Why it is not trusted.
        source: Distrust,
    },
}

impl ImageFileError {
    /// What to do about it.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::NoFooter { .. } | Self::AppFault { .. } => Some(FORCE),
            Self::Distrusted {
                source: Distrust::NoSigner,
                ..
            } => Some(NO_SIGNER),
            Self::Distrusted { .. } => Some(PASTE),
            _ => None,
        }
    }
}

/// The error for a file whose footer is not recognised.
pub(super) fn no_footer(path: &Path, file: &Bytes) -> ImageFileError {
    ImageFileError::NoFooter {
        path: path.to_owned(),
        looks_like: looks_like(file),
    }
}

/// Reads an image. With `forced` a footer that is not recognised or does not verify is left to the devices.
pub(super) fn load(
    path: &Path,
    forced: bool,
    trust: &ImageTrust,
) -> Result<FirmwareImage, ImageFileError> {
    let bytes = read(path)?;
    let image_error = |source| ImageFileError::Image {
        path: path.to_owned(),
        source,
    };
    let image = match firmware_image::read(bytes.clone()) {
        Ok(image) if image.facts.footer.is_none() => {
            let error = no_footer(path, &bytes);
            if !forced {
                return Err(error);
            }
            warn(&chain(&error));
            image
        }
        Err(fault @ ImageError::BadSignature { .. }) if forced => {
            warn(&chain(&image_error(fault)));
            firmware_image::read_unverified(bytes).map_err(image_error)?
        }
        image => image.map_err(image_error)?,
    };
    let signer = image.facts.footer.as_ref().map(|f| f.fwk);
    trusted(trust, "image", path, signer, image.facts.sha256)?;
    Ok(image)
}

/// Reads a management app, as [`load`] reads an image.
pub(super) fn load_app(
    path: &Path,
    forced: bool,
    trust: &ImageTrust,
) -> Result<AppImage, ImageFileError> {
    let app = read_app(path, read(path)?)?;
    if let Err(error) = fits(path, &app) {
        if !forced {
            return Err(error);
        }
        warn(&chain(&error));
    }
    let facts = &app.image.facts;
    if facts.trailer.is_some_and(|t| !t.verifies) {
        let _ = writeln!(
            io::stderr(),
            "WARNING: management app {}: its signature does not verify over the SHA-256 of the tar, as those of \
             releases before September 2026 do not: the device decides",
            path.display()
        );
    }
    let signer = facts.verified_signer();
    trusted(trust, "management app", path, signer, facts.sha256)?;
    Ok(app.image)
}

/// What a file is as a firmware image.
pub(super) fn read_image(path: &Path, file: &Bytes) -> Result<ImageFacts, ImageFileError> {
    match firmware_image::read(file.clone()) {
        Ok(image) => Ok(image.facts),
        Err(source) => Err(ImageFileError::Image {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Takes a file apart as a management app.
pub(super) fn read_app(path: &Path, file: Bytes) -> Result<AppFile, ImageFileError> {
    management_app::read(file).map_err(|source| ImageFileError::App {
        path: path.to_owned(),
        source,
    })
}

/// Whether a device would take this app.
pub(super) fn fits(path: &Path, app: &AppFile) -> Result<(), ImageFileError> {
    match &app.fault {
        None => Ok(()),
        Some(fault) => Err(ImageFileError::AppFault {
            path: path.to_owned(),
            source: fault.clone(),
        }),
    }
}

/// Whether the inventory trusts signer and file. `--force-image` does not change that.
fn trusted(
    trust: &ImageTrust,
    what: &'static str,
    path: &Path,
    signer: Option<Fwk>,
    sha256: [u8; 32],
) -> Result<(), ImageFileError> {
    trust
        .judge(signer, sha256)
        .map_err(|source| ImageFileError::Distrusted {
            what,
            path: path.to_owned(),
            source,
        })
}

/// Warns on standard error. If nobody reads it, the plan still calls the image one without a known signature.
fn warn(message: &str) {
    let _ = writeln!(
        io::stderr(),
        "WARNING: {message}; --force-image leaves it to the devices"
    );
}

/// Reads a whole file, unless no device would take so much.
pub(super) fn read(path: &Path) -> Result<Bytes, ImageFileError> {
    let unreadable = |source| ImageFileError::Unreadable {
        path: path.to_owned(),
        source,
    };
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(ImageFileError::NoFile(path.to_owned()));
    }
    // The size is checked first, so that no disk image is read into memory.
    if meta.len() > MAX_UPLOAD_BYTES as u64 {
        return Err(ImageFileError::TooLarge {
            path: path.to_owned(),
            bytes: meta.len(),
        });
    }
    std::fs::read(path).map(Bytes::from).map_err(unreadable)
}
