//! The management app's file, `webroot.tar`: a tar, then 96 bytes of key and signature ([section
//! 8](crate::hem#8-management-app)).
//!
//! Tells what can be known of it before any device is touched. The signature of an older framing is not judged: the
//! device decides.

use std::collections::BTreeMap;
use std::io::Read as _;

use bytes::Bytes;
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use tar::EntryType;

use super::firmware_image;
pub use super::not_an_image::{BLOCK, TRAILER_BYTES};
use super::not_an_image::{is_tar, looks_like};
use crate::model::{AppFacts, AppImage, AppTrailer, AppVersion, Fwk, MAX_APP_BYTES, printable};

const KEY_BYTES: usize = 32;

/// The file in the tar that lists all others; the release's version is its hash.
pub const MANIFEST: &str = "manifest";

/// The longest name of a file that a message shows, in characters.
const SHOWN: usize = 80;

/// Why a file is no management app at all; there is no forcing these.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppError {
    /// No bytes.
    #[error("the management app is empty")]
    Empty,
    /// Over 16 MiB.
    #[error("the management app has {bytes} bytes, a device takes at most {MAX_APP_BYTES}")]
    TooLarge {
        /// Bytes of the file.
        bytes: u64,
    },
    /// A signed firmware image.
    #[error("this is a firmware image, no management app")]
    Firmware,
}

/// What speaks against a file that could be sent all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AppFault {
    /// No tar.
    #[error("this is no management app: it looks like {looks}")]
    NotTar {
        /// What it is instead.
        looks: String,
    },
    /// A tar and nothing behind it.
    #[error(
        "this is a bare tar: a release ends in 96 bytes more, the signer's key and a signature, and a device refuses it without them"
    )]
    Bare,
    /// A tar and something else behind it.
    #[error(
        "{bytes} bytes follow the last whole block of the tar, where a release has the 96 of its trailer: was the download cut short?"
    )]
    OtherEnd {
        /// How many.
        bytes: usize,
    },
    /// The tar cannot be read to its end.
    #[error("the tar is damaged: {what}")]
    Damaged {
        /// What is wrong.
        what: String,
    },
    /// No list of files.
    #[error(
        "the tar holds no file `manifest`, so that neither its files nor its version can be told"
    )]
    NoManifest,
    /// The list and the files differ.
    #[error("the manifest does not match: {what}")]
    Mismatch {
        /// Which file, and how.
        what: String,
    },
}

/// A file that could be sent, and what speaks against it.
#[derive(Debug, Clone)]
pub struct AppFile {
    /// What is sent, and what is known of it.
    pub image: AppImage,
    /// How many files its manifest lists, where they are all as it says.
    pub files: Option<usize>,
    /// What speaks against sending it, if anything does.
    pub fault: Option<AppFault>,
}

/// Reads a management app and checks all that can be checked here.
///
/// # Errors
///
/// Empty, too large, or a firmware image. All else is told as [`AppFile::fault`].
pub fn read(bytes: Bytes) -> Result<AppFile, AppError> {
    if bytes.is_empty() {
        return Err(AppError::Empty);
    }
    if bytes.len() > MAX_APP_BYTES {
        let bytes = bytes.len() as u64;
        return Err(AppError::TooLarge { bytes });
    }
    if !matches!(
        firmware_image::verify(&bytes),
        Err(firmware_image::ImageError::NoFooter)
    ) {
        return Err(AppError::Firmware);
    }
    let mut facts = AppFacts {
        file_bytes: bytes.len() as u64,
        sha256: Sha256::digest(&bytes).into(),
        trailer: None,
        version: None,
    };
    let (mut files, mut fault) = (None, None);
    if is_tar(&bytes) {
        let (tar, end) = bytes.split_at(bytes.len() - bytes.len() % BLOCK);
        facts.trailer = trailer(tar, end);
        match contents(tar) {
            Ok(contents) => {
                facts.version = contents.manifest.as_ref().map(|m| AppVersion(m.digest));
                match contents.check() {
                    Ok(checked) => files = Some(checked),
                    Err(found) => fault = Some(found),
                }
            }
            Err(found) => fault = Some(found),
        }
        // The end first: a file that was cut short is damaged elsewhere, too.
        fault = match end.len() {
            0 => Some(AppFault::Bare),
            TRAILER_BYTES => fault,
            bytes => Some(AppFault::OtherEnd { bytes }),
        };
    } else {
        let looks = looks_like(&bytes);
        fault = Some(AppFault::NotTar { looks });
    }
    Ok(AppFile {
        image: AppImage { bytes, facts },
        files,
        fault,
    })
}

fn trailer(tar: &[u8], end: &[u8]) -> Option<AppTrailer> {
    let end: &[u8; TRAILER_BYTES] = end.try_into().ok()?;
    let (key, signature) = end.split_first_chunk::<KEY_BYTES>()?;
    let signature = Signature::from_slice(signature).ok()?;
    let verifies = VerifyingKey::from_bytes(key)
        .is_ok_and(|key| key.verify_strict(&Sha256::digest(tar), &signature).is_ok());
    Some(AppTrailer {
        key: Fwk(*key),
        verifies,
    })
}

/// The list of files.
struct Manifest {
    digest: [u8; 32],
    text: Vec<u8>,
}

/// What a tar holds: each file's hash by its name, and the list that they are to match.
struct Contents {
    manifest: Option<Manifest>,
    files: BTreeMap<Vec<u8>, [u8; 32]>,
}

/// Reads all of a tar. It is a stranger's: nothing in it is believed for a size, and only plain files and
/// folders are taken, since a hash says nothing of the other kinds.
fn contents(tar: &[u8]) -> Result<Contents, AppFault> {
    let damaged = |e: std::io::Error| AppFault::Damaged {
        what: printable(&e.to_string(), 2 * SHOWN),
    };
    let mut all = Contents {
        manifest: None,
        files: BTreeMap::new(),
    };
    let mut archive = tar::Archive::new(tar);
    for entry in archive.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path_bytes().into_owned();
        let name = plain(&name).to_vec();
        match entry.header().entry_type() {
            EntryType::Regular | EntryType::Continuous => {}
            EntryType::Directory | EntryType::XGlobalHeader => continue,
            _ => {
                return Err(AppFault::Mismatch {
                    what: format!("{} is no plain file", shown(&name)),
                });
            }
        }
        let said = entry.size();
        if said > tar.len() as u64 {
            return Err(AppFault::Damaged {
                what: format!("{} is larger than the tar", shown(&name)),
            });
        }
        let mut bytes = Vec::new();
        let read = entry.read_to_end(&mut bytes).map_err(damaged)?;
        if read as u64 != said {
            return Err(AppFault::Damaged {
                what: format!("it ends within {}", shown(&name)),
            });
        }
        let digest = Sha256::digest(&bytes).into();
        let twice = if name == MANIFEST.as_bytes() {
            let text = bytes;
            all.manifest.replace(Manifest { digest, text }).is_some()
        } else {
            all.files.insert(name.clone(), digest).is_some()
        };
        if twice {
            return Err(AppFault::Mismatch {
                what: format!("{} is in the tar twice", shown(&name)),
            });
        }
    }
    Ok(all)
}

impl Contents {
    /// Whether the manifest lists all other files, and each as it is; how many those are.
    fn check(&self) -> Result<usize, AppFault> {
        let manifest = self.manifest.as_ref().ok_or(AppFault::NoManifest)?;
        let mismatch = |what: String| AppFault::Mismatch { what };
        let mut listed = BTreeMap::new();
        for (n, line) in (1..).zip(manifest.text.split(|&b| b == b'\n')) {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() {
                continue;
            }
            let (name, digest) = listing(line)
                .ok_or_else(|| mismatch(format!("its line {n} is none of sha256sum -b")))?;
            if listed.insert(name, digest).is_some() {
                return Err(mismatch(format!("it lists {} twice", shown(name))));
            }
        }
        for (name, digest) in &listed {
            match self.files.get(*name) {
                None => return Err(mismatch(format!("{} is missing", shown(name)))),
                Some(found) if found != digest => {
                    return Err(mismatch(format!("{} has another hash", shown(name))));
                }
                Some(_) => {}
            }
        }
        let extra = self
            .files
            .keys()
            .find(|f| !listed.contains_key(f.as_slice()));
        match extra {
            Some(name) => Err(mismatch(format!("{} is not listed", shown(name)))),
            None => Ok(listed.len()),
        }
    }
}

/// A line of `sha256sum`: 64 hex digits, a blank, `*` for binary or a blank, the name.
fn listing(line: &[u8]) -> Option<(&[u8], [u8; 32])> {
    let (digits, rest) = line.split_at_checked(64)?;
    let (b" *" | b"  ", name) = rest.split_at_checked(2)? else {
        return None;
    };
    let mut digest = [0; 32];
    for (byte, pair) in digest.iter_mut().zip(digits.chunks_exact(2)) {
        let nibble = |c: u8| char::from(c).to_digit(16);
        let value = nibble(pair[0])? << 4 | nibble(pair[1])?;
        *byte = u8::try_from(value).ok()?;
    }
    let name = plain(name);
    (!name.is_empty()).then_some((name, digest))
}

/// A name without the `./` that some tars put before it.
fn plain(mut name: &[u8]) -> &[u8] {
    while let Some(rest) = name.strip_prefix(b"./") {
        name = rest;
    }
    name
}

fn shown(name: &[u8]) -> String {
    printable(&String::from_utf8_lossy(name), SHOWN)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tar::{Builder, Header};

    use super::*;

    const PAGE: &[u8] = b"<title>app</title>";
    /// `sha256sum -b` of the page.
    fn listed(name: &str) -> String {
        let facts = AppFacts {
            file_bytes: 0,
            sha256: Sha256::digest(PAGE).into(),
            trailer: None,
            version: None,
        };
        format!("{} *{name}\n", facts.sha256_hex())
    }

    /// A tar of these files, with a trailer of zeros.
    fn made(files: &[(&str, &[u8], EntryType)]) -> AppFile {
        let mut tar = Builder::new(Vec::new());
        for (name, content, kind) in files {
            let mut header = Header::new_gnu();
            header.set_entry_type(*kind);
            header.set_size(content.len() as u64);
            tar.append_data(&mut header, name, *content).unwrap();
        }
        let mut bytes = tar.into_inner().unwrap();
        bytes.resize(bytes.len() + TRAILER_BYTES, 0);
        read(bytes.into()).unwrap()
    }

    #[test]
    fn the_manifest_lists_all_other_files_as_they_are() {
        const FILE: EntryType = EntryType::Regular;
        let one = listed("index.html");
        let good = made(&[
            ("manifest", one.as_bytes(), FILE),
            ("./index.html", PAGE, FILE),
            ("js/", b"", EntryType::Directory),
        ]);
        assert_eq!((good.fault, good.files), (None, Some(1)));
        // A key of zeros is none that anything verifies with.
        assert!(!good.image.facts.trailer.unwrap().verifies);
        let two = one.clone() + &listed("more.js");
        let twice = one.repeat(2);
        let page = ("index.html", PAGE, FILE);
        let manifest = |text: &'static str| ("manifest", text.as_bytes(), FILE);
        for (files, says) in [
            (vec![page], "no file `manifest`"),
            (
                vec![("manifest", two.as_bytes(), FILE), page],
                "more.js is missing",
            ),
            (
                vec![("manifest", twice.as_bytes(), FILE), page],
                "lists index.html twice",
            ),
            (vec![manifest(""), page], "index.html is not listed"),
            (vec![manifest("what\n"), page], "line 1"),
            (
                vec![
                    ("manifest", one.as_bytes(), FILE),
                    ("index.html", b"x", FILE),
                ],
                "another hash",
            ),
            (
                vec![("manifest", one.as_bytes(), FILE), page, page],
                "in the tar twice",
            ),
            (
                vec![
                    ("manifest", one.as_bytes(), FILE),
                    page,
                    ("x", b"", EntryType::Symlink),
                ],
                "x is no plain file",
            ),
            (
                vec![
                    ("manifest", one.as_bytes(), FILE),
                    page,
                    ("x", b"", EntryType::GNUSparse),
                ],
                "",
            ),
        ] {
            let fault = made(&files).fault.unwrap().to_string();
            assert!(fault.contains(says), "{fault}");
        }
    }

    #[test]
    fn a_size_that_is_not_there_is_not_believed() {
        for size in [600, u64::from(u32::MAX), 1 << 62] {
            let mut header = Header::new_gnu();
            header.set_path("manifest").unwrap();
            header.set_size(size);
            header.set_cksum();
            let mut bytes = header.as_bytes().to_vec();
            bytes.resize(2 * BLOCK + TRAILER_BYTES, b'x');
            let fault = read(bytes.into()).unwrap().fault;
            assert!(matches!(fault, Some(AppFault::Damaged { .. })), "{fault:?}");
        }
    }

    fn vector() -> Vec<u8> {
        let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/app");
        std::fs::read(dir.join("webroot.tar")).unwrap()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn a_flipped_bit_is_found(at in any::<proptest::sample::Index>(), bit in 0_u8..8) {
            let mut bytes = vector();
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            let app = read(bytes.into()).unwrap();
            let verifies = app.image.facts.trailer.is_some_and(|t| t.verifies);
            prop_assert!(!verifies || app.fault.is_some());
        }

        #[test]
        fn never_panics(
            cut in 0_usize..8000,
            put in proptest::collection::vec(any::<u8>(), 0..40),
            at in any::<proptest::sample::Index>(),
        ) {
            let mut bytes = vector();
            let at = at.index(bytes.len() - put.len());
            bytes[at..at + put.len()].copy_from_slice(&put);
            bytes.truncate(bytes.len().saturating_sub(cut));
            let _ = read(bytes.into());
        }
    }
}
