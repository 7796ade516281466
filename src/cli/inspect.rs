//! `hemfleet inspect`: what an image is. Must not: touch a device.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use jiff::Timestamp;

use crate::hem::image::{self, MAX_FILE_BYTES};
use crate::model::{FirmwareImage, ImageFacts, SigningMode, human_bytes};

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

/// Reads an image; every way in which it is unusable is a message for people.
pub(super) fn load(path: &Path) -> Result<FirmwareImage, String> {
    image::read(read(path)?).map_err(|e| format!("image {}: {e}", path.display()))
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
