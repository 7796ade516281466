//! `hemfleet inspect`: prints what an image or a management app is. Files are read and checked by `cli::image_file`.

mod answer;

use std::io::{self, Write};
use std::process::ExitCode;

use jiff::Timestamp;

use self::answer::InspectAnswer;
use crate::cli::CliError;
use crate::cli::args::Inspect;
use crate::cli::image_file::{fits, no_footer, read, read_app, read_image};
use crate::cli::output::plain_stdout::{plain_stdout, print_json};
use crate::hem::management_app::{self, AppFile};
use crate::hem::not_an_image;
use crate::model::{AppFacts, Fwk, ImageFacts, SigningMode, human_bytes};
use crate::report::Exit;

/// `hemfleet inspect`. Exit code 2 where a run would refuse the file, after what can be told of it.
pub(in crate::cli) fn inspect(args: &Inspect) -> Result<ExitCode, CliError> {
    let path = &args.image;
    if args.format.is_json() {
        let answer = InspectAnswer::of(path);
        print_json(&answer)?;
        return Ok(if answer.accepted {
            ExitCode::SUCCESS
        } else {
            Exit::Usage.into()
        });
    }
    let file = read(path)?;
    let mut out = plain_stdout();
    let size = file.len() as u64;
    writeln!(out, "size       {size} bytes ({})", human_bytes(size))?;
    if not_an_image::is_tar(&file) {
        let app = read_app(path, file)?;
        describe_app(&app, &mut out)?;
        fits(path, &app)?;
        return Ok(ExitCode::SUCCESS);
    }
    let facts = read_image(path, &file)?;
    describe(&facts, &mut out)?;
    match facts.footer {
        Some(_) => Ok(ExitCode::SUCCESS),
        None => Err(no_footer(path, &file).into()),
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
