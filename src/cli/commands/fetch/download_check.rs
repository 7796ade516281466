//! Whether a download is what the backend announced, and the facts that are written beside it.

use std::io;
use std::path::PathBuf;

use bytes::Bytes;
use serde::Serialize;

use crate::cli::process::private_file;
use crate::hem::firmware_image::{self, ImageError};
use crate::hem::management_app::{self, AppError, AppFault};
use crate::model::{BrokerFault, Distrust, Fwk};

/// The facts that are written beside a download.
#[derive(Serialize)]
pub(in crate::cli) struct Facts<'a> {
    pub(in crate::cli) component: &'static str,
    pub(super) announced: &'a str,
    pub(super) fetched_at: String,
    pub(in crate::cli) broker: String,
    pub(super) offered_to: Vec<&'a str>,
    pub(in crate::cli) bytes: usize,
    pub(in crate::cli::commands) sha256: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli) name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::commands) fws: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::commands) fwk: Option<String>,
    /// Of a management app: its trailer's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::cli::commands) signer: Option<String>,
}

/// What the download turned out to be.
pub(in crate::cli) struct Identified {
    /// The beginning of its file's name.
    pub(in crate::cli) stem: String,
    pub(in crate::cli::commands) sha256: [u8; 32],
    pub(in crate::cli::commands) signer: Option<Fwk>,
}

/// Why a download is not kept.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    /// The broker did not deliver it.
    #[error(transparent)]
    Broker(#[from] BrokerFault),
    /// It is no firmware image.
    #[error("the download is no image")]
    NoImage(#[source] ImageError),
    /// It cannot be compared with the announcement.
    #[error(
        "the download's footer is not recognised, so that it cannot be compared with what was announced; \
         nothing was kept"
    )]
    NoFooter,
    /// It is another firmware.
    #[error(
        "the download is another firmware ({version}, signature {signature}…) than the one announced; nothing was kept"
    )]
    OtherFirmware {
        /// Its version.
        version: String,
        /// The beginning of its signature.
        signature: String,
    },
    /// It is no management app.
    #[error("the download is no management app: {0}; nothing was kept")]
    NoApp(AppError),
    /// It is a management app that no device takes.
    #[error("the download: {0}; nothing was kept")]
    BadApp(AppFault),
    /// It is another management app.
    #[error(
        "the download is another app (version {version}) than the one announced; nothing was kept"
    )]
    OtherApp {
        /// The beginning of its version.
        version: String,
    },
    /// The inventory does not trust its signer.
    #[error("the download is refused: {0}; nothing was kept")]
    Distrusted(Distrust),
    /// The disk does not take it.
    #[error("{} could not be written", dir.display())]
    Unwritten {
        /// The folder.
        dir: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl From<Distrust> for DownloadError {
    fn from(distrust: Distrust) -> Self {
        Self::Distrusted(distrust)
    }
}

/// A firmware is the announced one where its own signature, which verifies, is the `fws` that was
/// announced (sections 11 and 12).
pub(in crate::cli) fn firmware(
    bytes: &Bytes,
    facts: &mut Facts<'_>,
) -> Result<Identified, DownloadError> {
    let image = firmware_image::read(bytes.clone()).map_err(DownloadError::NoImage)?;
    let Some(footer) = &image.facts.footer else {
        return Err(DownloadError::NoFooter);
    };
    if footer.fws.to_string().trim_end_matches('=') != facts.announced.trim_end_matches('=') {
        return Err(DownloadError::OtherFirmware {
            version: image.facts.version_label(),
            signature: footer.fws.short(),
        });
    }
    facts.sha256 = image.facts.sha256_hex();
    facts.name = Some(footer.name.clone());
    facts.fws = Some(footer.fws.to_string());
    facts.fwk = Some(footer.fwk.to_string());
    let version = private_file::file_name(&image.facts.version_label());
    Ok(Identified {
        stem: format!("firmware-{version}"),
        sha256: image.facts.sha256,
        signer: Some(footer.fwk),
    })
}

/// A management app is the announced one where its manifest's hash is the `newuis` that was announced, and
/// all its files are as that manifest says (section 8).
pub(in crate::cli) fn app(
    bytes: &Bytes,
    facts: &mut Facts<'_>,
) -> Result<Identified, DownloadError> {
    let app = management_app::read(bytes.clone()).map_err(DownloadError::NoApp)?;
    if let Some(fault) = app.fault {
        return Err(DownloadError::BadApp(fault));
    }
    let app = app.image.facts;
    match app.version {
        Some(version) if version.is(facts.announced) => {}
        version => {
            let version = version.map_or_else(|| "none".to_owned(), |v| format!("{}…", v.short()));
            return Err(DownloadError::OtherApp { version });
        }
    }
    facts.sha256 = app.sha256_hex();
    let signer = app.verified_signer();
    facts.signer = signer.map(|key| key.to_string());
    Ok(Identified {
        stem: format!("webroot-{}", &facts.sha256[..8]),
        sha256: app.sha256,
        signer,
    })
}
