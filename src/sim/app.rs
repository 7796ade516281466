//! The management app of a PPA: its file and its endpoints (section 8).
//!
//! The page does not say what a valid file is, nor what `uis` is a hash of. Here any tar archive is valid, and
//! `uis` is the base64 SHA-256 of the file.
//! Must not: reboot anything; an app is in use at once.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::answer::{Answer, Gone};
use super::api::Call;
use super::firmware::noise;
use super::journal::Journal;
use super::machine::Machine;
use super::point::Point;
use super::staging::{self, Component, Slot, Staged, wrong_state};
use super::unit::World;

/// The name under which it is uploaded, and no other.
pub(super) const FILE: &str = "webroot.tar";

/// A tar archive consists of blocks of so many bytes: a header, the file, and two of zeros at the end.
const BLOCK: usize = 512;
/// The smallest archive that holds something.
pub(super) const MIN_BYTES: usize = 4 * BLOCK;
/// The server's limit for any upload (section 2).
pub(super) const MAX_BYTES: usize = 16 * 1024 * 1024;

/// The app, as a component.
pub(super) struct ManagementApp;

impl Component for ManagementApp {
    type Finding = String;
    const VERIFICATION: Point = Point::UiVerification;
    /// Slow: the vendor waits 20 to 60 s before it asks at all.
    const TAKES: Duration = Duration::from_secs(40);

    fn slot(machine: &mut Machine) -> &mut Slot<String> {
        &mut machine.staged_app
    }

    fn uploads(journal: &mut Journal) -> &mut u32 {
        &mut journal.ui_uploads
    }

    fn takes(name: &str) -> bool {
        name.rsplit_once('.').is_some_and(|(_, end)| end == "tar")
    }

    fn finds(name: &str) -> bool {
        name == FILE
    }

    fn verify(_: &World, staged: &Staged) -> Option<String> {
        is_tar(&staged.bytes).then(|| uis(&staged.bytes))
    }
}

/// What `version` reports while this app is in use.
pub(super) fn uis(app: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(app))
}

/// What it reports before any upgrade.
pub(super) fn earlier_uis() -> String {
    uis(b"the app that was there before")
}

/// Makes an archive of one file, of this size or a little less.
pub(super) fn archive(size: usize) -> Bytes {
    let content = (size / BLOCK).saturating_sub(3) * BLOCK;
    let mut header = [0_u8; BLOCK];
    for (at, text) in [
        (0, "index.html"),
        (100, "0000644\0"),
        (108, "0000000\0"),
        (116, "0000000\0"),
        (124, &format!("{content:011o}\0")),
        (136, "00000000000\0"),
        (156, "0"),
        (257, "ustar\x0000"),
    ] {
        header[at..at + text.len()].copy_from_slice(text.as_bytes());
    }
    let sum = format!("{:06o}\0 ", checksum(&header));
    header[148..156].copy_from_slice(sum.as_bytes());
    let mut archive = header.to_vec();
    archive.extend(noise(content));
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive.into()
}

/// The sum of a header's bytes, with spaces where the sum itself stands.
fn checksum(header: &[u8]) -> u32 {
    let byte = |(at, &b): (usize, &u8)| if (148..156).contains(&at) { b' ' } else { b };
    header.iter().enumerate().map(byte).map(u32::from).sum()
}

/// Whole blocks, the first of which is a header.
fn is_tar(bytes: &[u8]) -> bool {
    let Some(header) = bytes.first_chunk::<BLOCK>() else {
        return false;
    };
    let sum = std::str::from_utf8(&header[148..154]).map(|s| u32::from_str_radix(s.trim(), 8));
    bytes.len().is_multiple_of(BLOCK) && sum == Ok(Ok(checksum(header)))
}

/// `POST /api/system/upgrade/upload_ui`.
pub(super) async fn upload(call: &mut Call<'_>) -> Result<Answer, Gone> {
    let (name, length) = match staging::announced::<ManagementApp>(call) {
        Ok(announced) => announced,
        Err(answered) => return answered,
    };
    match staging::read::<ManagementApp>(call, length).await {
        Ok(bytes) => Ok(staging::stage::<ManagementApp>(
            call.unit,
            name,
            bytes.into(),
        )),
        Err(answered) => answered,
    }
}

/// `GET /api/system/upgrade/install_ui`. Its audit entry is written by `api`, as the firmware's is.
pub(super) fn install(call: &Call<'_>) -> Answer {
    if wrong_state(call.unit) {
        return Answer::status(409);
    }
    let mut machine = call.unit.machine();
    let Some(uis) = machine.staged_app.verified().cloned() else {
        return Answer::status(406);
    };
    machine.uis = uis;
    machine.staged_app = Slot::empty();
    drop(machine);
    call.unit.recorder.note(|j| j.ui_installs_executed += 1);
    Answer::status(200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_archive_is_one_and_has_its_size() {
        for size in [MIN_BYTES, 100_000, MAX_BYTES] {
            let made = archive(size);
            assert!(is_tar(&made) && made.len() <= size && made.len() + BLOCK > size);
            assert!(!is_tar(&made[1..]) && !is_tar(&made[..BLOCK - 1]));
        }
        assert_eq!(archive(100_000), archive(100_000));
        assert_ne!(uis(&archive(100_000)), earlier_uis());
        let mut damaged = archive(MIN_BYTES).to_vec();
        damaged[0] ^= 1;
        assert!(!is_tar(&damaged));
    }
}
