//! `hemfleet inspect`: prints what an image or a management app is. Files are read and checked by `cli::image_file`.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use jiff::Timestamp;

use crate::cli::CliError;
use crate::cli::image_file::{ImageFileError, fits, no_footer, read, read_app};
use crate::hem::firmware_image;
use crate::hem::management_app::{self, AppFile};
use crate::model::{AppFacts, Fwk, ImageFacts, SigningMode, human_bytes};

/// `hemfleet inspect`. Exit code 2 where a run would refuse the file, after what can be told of it.
pub(in crate::cli) fn inspect(path: &Path) -> Result<ExitCode, CliError> {
    let file = read(path)?;
    let mut out = io::stdout().lock();
    let size = file.len() as u64;
    writeln!(out, "size       {size} bytes ({})", human_bytes(size))?;
    if crate::hem::not_an_image::is_tar(&file) {
        return inspect_app(path, file, &mut out);
    }
    match firmware_image::read(file.clone()) {
        Ok(image) => {
            describe(&image.facts, &mut out)?;
            match image.facts.footer {
                Some(_) => Ok(ExitCode::SUCCESS),
                None => Err(no_footer(path, &file).into()),
            }
        }
        Err(source) => {
            let path = path.to_owned();
            Err(ImageFileError::Image { path, source }.into())
        }
    }
}

/// Writes what is known of an image, but for its size.
fn describe(facts: &ImageFacts, out: &mut impl Write) -> io::Result<()> {
    let sha256 = facts.sha256_hex();
    writeln!(out, "sha256     {sha256}")?;
    writeln!(out, "format     {}", facts.format)?;
    if facts.image_bytes != facts.file_bytes {
        writeln!(out, "image      {} bytes once decoded", facts.image_bytes)?;
    }
    let Some(footer) = &facts.footer else {
        return writeln!(
            out,
            "footer     not recognised: an upgrade with this file can end as unproven at best"
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
    writeln!(out, "signature  verifies")?;
    to_paste(Some(footer.fwk), &sha256, out)
}

fn inspect_app(path: &Path, file: Bytes, out: &mut impl Write) -> Result<ExitCode, CliError> {
    let app = read_app(path, file)?;
    describe_app(&app, out)?;
    fits(path, &app)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes what is known of a management app, but for its size.
fn describe_app(app: &AppFile, out: &mut impl Write) -> io::Result<()> {
    let AppFacts {
        trailer, version, ..
    } = &app.image.facts;
    let sha256 = app.image.facts.sha256_hex();
    writeln!(out, "sha256     {sha256}")?;
    writeln!(out, "format     management app (tar)")?;
    match (version, app.files) {
        (Some(_), Some(1)) => writeln!(out, "manifest   lists 1 file, and it is as it says")?,
        (Some(_), Some(files)) => writeln!(
            out,
            "manifest   lists {files} files, and each is as it says"
        )?,
        (Some(_), None) => writeln!(out, "manifest   does not match the files")?,
        (None, _) => writeln!(out, "manifest   none that can be read")?,
    }
    if let Some(version) = version {
        writeln!(out, "version    {version} (uis, once it is installed)")?;
    }
    let Some(trailer) = trailer else {
        return writeln!(out, "trailer    none");
    };
    writeln!(out, "trailer    {} bytes", management_app::TRAILER_BYTES)?;
    writeln!(out, "key        {}", trailer.key)?;
    if trailer.verifies {
        writeln!(out, "signature  verifies over the SHA-256 of the tar")?;
    } else {
        writeln!(
            out,
            "signature  does not verify over the SHA-256 of the tar. Releases before September 2026 were framed"
        )?;
        writeln!(
            out,
            "           otherwise and cannot be verified here: the device decides"
        )?;
    }
    if app.fault.is_some() {
        return Ok(());
    }
    // A key that nothing was verified with is only what the file says.
    to_paste(trailer.verifies.then_some(trailer.key), &sha256, out)
}

/// The lines of the inventory that trust this signer, and this file alone.
fn to_paste(signer: Option<Fwk>, sha256: &str, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "to trust   [images]")?;
    if let Some(key) = signer {
        writeln!(out, "           signers = [\"{key}\"]")?;
    }
    writeln!(out, "           allow = [\"sha256:{sha256}\"]")
}
