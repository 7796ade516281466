//! `hemfleet inspect`, and reading what is rolled out: images and management apps, as far as they can be
//! judged before any device is touched. Must not: touch a device.

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use bytes::Bytes;
use jiff::Timestamp;

use crate::config::Diagnostic;
use crate::hem::file_type::{is_tar, looks_like};
use crate::hem::firmware_image::{self, ImageError};
use crate::hem::limits::MAX_UPLOAD_BYTES;
use crate::hem::management_app::{self, AppError, AppFile};
use crate::model::{
    AppFacts, AppImage, Distrust, FirmwareImage, Fwk, ImageFacts, ImageTrust, SigningMode,
    human_bytes,
};

use crate::cli::Refusal;

/// What to do with a file that could be sent all the same.
const FORCE: &str =
    "name the right file; --force-image sends this one all the same, and the device decides";
/// What to do with a file that the inventory does not trust.
const PASTE: &str = "hemfleet inspect prints the lines of [images] that would trust it; --force-image does not set [images] aside";
/// The same of a file that nobody can tell the signer of: no line would trust it.
const NO_SIGNER: &str = "name the right file; --force-image does not set [images] aside, and no line of signers would trust this one: only its hash in allow does";

/// Why a file is not sent, and what may be done about it.
#[derive(Debug)]
pub(in crate::cli) struct Unfit {
    pub(super) message: String,
    pub(in crate::cli) hint: Option<&'static str>,
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

/// `hemfleet inspect`. Exit code 2 where a run would refuse the file, after what can be told of it.
pub(in crate::cli) fn inspect(path: &Path) -> Result<ExitCode, Refusal> {
    let file = read(path).map_err(Refusal::new)?;
    let mut out = io::stdout().lock();
    let size = file.len() as u64;
    writeln!(out, "size       {size} bytes ({})", human_bytes(size))?;
    if is_tar(&file) {
        return inspect_app(path, file, &mut out);
    }
    match firmware_image::read(file.clone()) {
        Ok(image) => {
            describe(&image.facts, &mut out)?;
            match image.facts.footer {
                Some(_) => Ok(ExitCode::SUCCESS),
                None => Err(unknown(path, &file).into()),
            }
        }
        Err(error) => Err(Refusal::new(format!("image {}: {error}", path.display()))),
    }
}

/// A file without a footer that is recognised.
fn unknown(path: &Path, file: &Bytes) -> Unfit {
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
pub(in crate::cli) fn load(
    path: &Path,
    forced: bool,
    trust: &ImageTrust,
) -> Result<FirmwareImage, Unfit> {
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

fn read(path: &Path) -> Result<Bytes, String> {
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

fn inspect_app(path: &Path, file: Bytes, out: &mut impl Write) -> Result<ExitCode, Refusal> {
    let told = |e: AppError| Refusal::new(format!("management app {}: {e}", path.display()));
    let app = management_app::read(file).map_err(told)?;
    describe_app(&app, out)?;
    match app.fault {
        None => Ok(ExitCode::SUCCESS),
        Some(fault) => {
            let message = format!("management app {}: {fault}", path.display());
            let hint = Some(FORCE);
            Err(Unfit { message, hint }.into())
        }
    }
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
