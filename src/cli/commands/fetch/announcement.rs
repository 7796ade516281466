//! Whether a download is what the backend announced, and the facts that are written beside it.
//! Must not: fetch or keep anything (that is `fetch`).

use bytes::Bytes;
use serde::Serialize;

use crate::cli::process::private_file;
use crate::hem::{firmware_image, management_app};
use crate::model::Fwk;

/// The facts that are written beside a download.
#[derive(Serialize)]
pub(in crate::cli) struct Facts<'a> {
    pub(in crate::cli) component: &'static str,
    pub(in crate::cli) announced: &'a str,
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
pub(in crate::cli) struct Judged {
    /// The beginning of its file's name.
    pub(in crate::cli) stem: String,
    pub(in crate::cli::commands) sha256: [u8; 32],
    pub(in crate::cli::commands) signer: Option<Fwk>,
}

/// A firmware is the announced one where its own signature, which verifies, is the `fws` that was
/// announced (sections 11 and 12).
pub(in crate::cli) fn firmware(bytes: &Bytes, facts: &mut Facts<'_>) -> Result<Judged, String> {
    let image = firmware_image::read(bytes.clone())
        .map_err(|e| format!("the download is no image: {e}"))?;
    let Some(footer) = &image.facts.footer else {
        return Err(
            "the download's footer is not recognised, so that it cannot be compared with what was announced; \
             nothing was kept"
                .to_owned(),
        );
    };
    if footer.fws.to_string().trim_end_matches('=') != facts.announced.trim_end_matches('=') {
        return Err(format!(
            "the download is another firmware ({}, signature {}…) than the one announced; nothing was kept",
            image.facts.version_label(),
            footer.fws.short()
        ));
    }
    facts.sha256 = image.facts.sha256_hex();
    facts.name = Some(footer.name.clone());
    facts.fws = Some(footer.fws.to_string());
    facts.fwk = Some(footer.fwk.to_string());
    let version = private_file::file_name(&image.facts.version_label());
    Ok(Judged {
        stem: format!("firmware-{version}"),
        sha256: image.facts.sha256,
        signer: Some(footer.fwk),
    })
}

/// A management app is the announced one where its manifest's hash is the `newuis` that was announced, and
/// all its files are as that manifest says (section 8).
pub(in crate::cli) fn app(bytes: &Bytes, facts: &mut Facts<'_>) -> Result<Judged, String> {
    let app = management_app::read(bytes.clone())
        .map_err(|e| format!("the download is no management app: {e}; nothing was kept"))?;
    if let Some(fault) = app.fault {
        return Err(format!("the download: {fault}; nothing was kept"));
    }
    let app = app.image.facts;
    match app.version {
        Some(version) if version.is(facts.announced) => {}
        version => {
            let found = version.map_or_else(|| "none".to_owned(), |v| format!("{}…", v.short()));
            return Err(format!(
                "the download is another app (version {found}) than the one announced; nothing was kept"
            ));
        }
    }
    facts.sha256 = app.sha256_hex();
    let signer = app.verified_signer();
    facts.signer = signer.map(|key| key.to_string());
    Ok(Judged {
        stem: format!("webroot-{}", &facts.sha256[..8]),
        sha256: app.sha256,
        signer,
    })
}
