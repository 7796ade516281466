//! The management app of the simulated world: the file that is rolled out, and its version ([section
//! 8](crate::hem#8-management-app)).
//!
//! A valid file is a tar with a manifest and a trailer of 96 bytes: the key that also signs firmware, and its signature
//! over the SHA-256 of the tar. The endpoints are in `api/management_app.rs`.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::hem::management_app::{self, BLOCK, MANIFEST, TRAILER_BYTES};
use crate::model::{AppVersion, hex};
use crate::sim::firmware_images::{self, noise};

/// What is in an archive.
const PAGE: &str = "index.html";
/// Blocks of an archive beside its page: two headers, the manifest, and two of zeros at the end.
const BESIDE: usize = 5;
/// The smallest archive that holds something.
pub(in crate::sim) const MIN_BYTES: usize = (BESIDE + 1) * BLOCK + TRAILER_BYTES;

/// The version of a valid file, which is what a device reports once it serves it.
pub(in crate::sim) fn verify(file: &Bytes) -> Option<String> {
    let facts = management_app::read(file.clone()).ok()?.image.facts;
    let signed = facts
        .trailer
        .is_some_and(|t| t.verifies && t.key == firmware_images::fwk());
    let version = facts.version.filter(|_| signed)?;
    Some(version.to_string())
}

/// The version of this app: the base64 SHA-256 of its manifest.
pub(in crate::sim) fn uis(app: &Bytes) -> String {
    let version = management_app::read(app.clone()).ok();
    let version = version.and_then(|app| app.image.facts.version);
    version.map_or_else(String::new, |version| version.to_string())
}

/// That of the app before any upgrade.
pub(in crate::sim) fn earlier_uis() -> String {
    AppVersion(Sha256::digest(b"the app that was there before").into()).to_string()
}

/// Makes a signed archive of one page and its manifest, of this size or a little less.
pub(in crate::sim) fn archive(size: usize) -> Bytes {
    let blocks = size.saturating_sub(TRAILER_BYTES) / BLOCK;
    let page = noise(blocks.saturating_sub(BESIDE) * BLOCK);
    let manifest = format!("{} *{PAGE}\n", hex(&Sha256::digest(&page)));
    let mut tar = Vec::with_capacity(size);
    for (name, content) in [(MANIFEST, manifest.as_bytes()), (PAGE, &page)] {
        tar.extend_from_slice(&header(name, content.len()));
        tar.extend_from_slice(content);
        tar.resize(tar.len().next_multiple_of(BLOCK), 0);
    }
    tar.resize(tar.len() + 2 * BLOCK, 0);
    let signature = firmware_images::sign(&Sha256::digest(&tar));
    tar.extend_from_slice(&firmware_images::fwk().0);
    tar.extend_from_slice(&signature);
    tar.into()
}

fn header(name: &str, size: usize) -> [u8; BLOCK] {
    let mut header = [0_u8; BLOCK];
    for (at, text) in [
        (0, name),
        (100, "0000644\0"),
        (108, "0000000\0"),
        (116, "0000000\0"),
        (124, &format!("{size:011o}\0")),
        (136, "00000000000\0"),
        (156, "0"),
        (257, "ustar\x0000"),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let sum = format!("{:06o}\0 ", checksum(&header));
    header[148..156].copy_from_slice(sum.as_bytes());
    header
}

/// The sum of a header's bytes, with spaces where the sum itself stands.
fn checksum(header: &[u8]) -> u32 {
    let byte = |(at, &b): (usize, &u8)| if (148..156).contains(&at) { b' ' } else { b };
    header.iter().enumerate().map(byte).map(u32::from).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::MAX_APP_BYTES;

    #[test]
    fn an_archive_is_valid_and_has_its_size() {
        for size in [MIN_BYTES, 100_000, MAX_APP_BYTES] {
            let made = archive(size);
            assert!(made.len() <= size && made.len() + BLOCK > size);
            let file = management_app::read(made.clone()).unwrap();
            assert_eq!((file.fault, file.files), (None, Some(1)), "{size}");
        }
        assert_eq!(archive(100_000), archive(100_000));
        assert_ne!(uis(&archive(100_000)), earlier_uis());
    }
}
