//! What `hemfleet fetch --json` prints: one object with these fields.

use serde::Serialize;

use super::download_check::DownloadError;
use super::{Checkins, Downloaded, Offer};
use crate::model::{CheckinReport, DeviceId, ImageTrust, chain, hex};
use crate::report::Exit;

/// The whole answer.
#[derive(Serialize)]
pub(super) struct FetchAnswer<'a> {
    /// Each file that is offered; none where nothing newer is.
    offers: Vec<Fetched<'a>>,
    /// The devices that could not be asked.
    not_asked: Vec<NotAsked<'a>>,
    /// What the backend ordered devices to do (section 5).
    orders: Vec<Order<'a>>,
    exit_code: u8,
}

/// One file that is offered, and what came of it.
#[derive(Serialize)]
pub(super) struct Fetched<'a> {
    component: &'static str,
    announced: &'a str,
    devices: Vec<&'a str>,
    /// Where it is now; absent where it was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    /// Why a run would refuse it all the same, by `[images]`.
    #[serde(skip_serializing_if = "Option::is_none")]
    refused: Option<String>,
    /// Why it was not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
struct NotAsked<'a> {
    device: &'a str,
    reason: String,
}

#[derive(Serialize)]
struct Order<'a> {
    device: &'a str,
    action: String,
}

impl<'a> FetchAnswer<'a> {
    pub(super) fn new(asked: &'a Checkins, offers: Vec<Fetched<'a>>, exit: Exit) -> Self {
        let mut answer = Self {
            offers,
            not_asked: Vec::new(),
            orders: Vec::new(),
            exit_code: exit.code(),
        };
        for (device, said) in &asked.answers {
            let device = device.as_str();
            match said {
                Err(kind) => answer.not_asked.push(NotAsked {
                    device,
                    reason: kind.to_string(),
                }),
                Ok(CheckinReport {
                    action: Some(action),
                    ..
                }) => answer.orders.push(Order {
                    device,
                    action: action.clone(),
                }),
                Ok(_) => {}
            }
        }
        answer
    }
}

impl<'a> Fetched<'a> {
    pub(super) fn new(
        offer: &'a Offer,
        got: &Result<Downloaded, DownloadError>,
        trust: &ImageTrust,
    ) -> Self {
        let kept = got.as_ref().ok();
        let refused = kept.and_then(|got| trust.of_file(got.sha256).err());
        Self {
            component: offer.component.as_str(),
            announced: &offer.announced,
            devices: offer.devices.iter().map(DeviceId::as_str).collect(),
            path: kept.map(|got| got.path.to_string_lossy().into_owned()),
            sha256: kept.map(|got| hex(&got.sha256)),
            refused: refused.map(|distrust| distrust.to_string()),
            reason: got.as_ref().err().map(|why| chain(why)),
        }
    }
}
