//! `hemfleet inspect`: what an image is. Must not: touch a device.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::hem::image::{self, ImageError, MAX_FILE_BYTES};
use crate::model::{
    AppFacts, AppImage, FirmwareImage, ImageFacts, MAX_APP_BYTES, SigningMode, human_bytes,
};

use super::Refusal;

/// `hemfleet inspect`.
pub(super) fn inspect(path: &Path) -> Result<ExitCode, Refusal> {
    let file = read(path).map_err(Refusal::new)?;
    let mut out = io::stdout().lock();
    let size = file.len() as u64;
    writeln!(out, "size       {size} bytes ({})", human_bytes(size))?;
    match image::read(file) {
        Ok(image) => describe(&image.facts, &mut out)?,
        Err(error) => return Err(Refusal::new(format!("image {}: {error}", path.display()))),
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads an image; every way in which it is unusable is a message for people. With `forced` a signature
/// that does not verify is none.
pub(super) fn load(path: &Path, forced: bool) -> Result<FirmwareImage, String> {
    let bytes = read(path)?;
    let image = match image::read(bytes.clone()) {
        Err(fault @ ImageError::BadSignature { .. }) if forced => {
            // Standard error may be gone; what follows calls the image one without a known signature.
            let _ = writeln!(
                io::stderr(),
                "WARNING: image {}: {fault}; --force-image leaves it to the devices",
                path.display()
            );
            image::read_unverified(bytes)
        }
        image => image,
    };
    image.map_err(|e| format!("image {}: {e}", path.display()))
}

/// Reads a management app. It is opaque to us: what can be told is that it fits, and is no firmware.
pub(super) fn load_app(path: &Path) -> Result<AppImage, String> {
    let shown = path.display();
    let bytes = read(path)?;
    if bytes.is_empty() {
        return Err(format!("management app {shown} is empty"));
    }
    if bytes.len() > MAX_APP_BYTES {
        let size = human_bytes(bytes.len() as u64);
        return Err(format!(
            "management app {shown} has {size}, a device takes at most 16 MiB"
        ));
    }
    if image::verify(&bytes).is_ok() {
        return Err(format!("management app {shown} is a firmware image"));
    }
    Ok(app_of(bytes))
}

/// A management app, with what can be told of it.
pub(super) fn app_of(bytes: Bytes) -> AppImage {
    let facts = AppFacts {
        file_bytes: bytes.len() as u64,
        sha256: Sha256::digest(&bytes).into(),
    };
    AppImage { bytes, facts }
}

fn read(path: &Path) -> Result<Bytes, String> {
    let shown = path.display();
    let unreadable = |e: io::Error| format!("image {shown} is not readable: {e}");
    let meta = std::fs::metadata(path).map_err(unreadable)?;
    if !meta.is_file() {
        return Err(format!("image {shown} is no file"));
    }
    // Not to read a disk image into memory before saying that it is too large.
    if meta.len() > MAX_FILE_BYTES as u64 {
        return Err(format!(
            "image {shown} is too large: {}",
            human_bytes(meta.len())
        ));
    }
    std::fs::read(path).map(Bytes::from).map_err(unreadable)
}

/// Writes what is known of an image, but for its size.
fn describe(facts: &ImageFacts, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "sha256     {}", facts.sha256_hex())?;
    writeln!(out, "format     {}", facts.format)?;
    if facts.image_bytes != facts.file_bytes {
        writeln!(out, "image      {} bytes once decoded", facts.image_bytes)?;
    }
    let Some(footer) = &facts.footer else {
        writeln!(
            out,
            "footer     not recognised: the device alone decides whether it takes this image, and an"
        )?;
        return writeln!(
            out,
            "           upgrade with it can end as unproven at best"
        );
    };
    let covers = match footer.mode {
        SigningMode::Plain => "the signature covers the bytes before it",
        SigningMode::Sha512 => "the signature covers the SHA-512 of the bytes before it",
    };
    writeln!(out, "name       {}", footer.name)?;
    writeln!(out, "mode       {} ({covers})", footer.mode)?;
    if let Some(at) = footer
        .signed_at
        .and_then(|s| Timestamp::from_second(i64::from(s)).ok())
    {
        writeln!(out, "signed at  {at}")?;
    }
    writeln!(out, "key (fwk)  {}", footer.fwk)?;
    writeln!(out, "sig (fws)  {}", footer.fws)?;
    writeln!(out, "signature  verifies")
}
