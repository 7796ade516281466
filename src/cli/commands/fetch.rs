//! `hemfleet fetch`, and `--firmware latest`: asks the backend what it offers the devices, and downloads it. Whether a
//! download is what was announced is checked in `fetch::download_check`.

mod answer;
pub(in crate::cli) mod download_check;

use std::collections::BTreeMap;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio::sync::mpsc;

use crate::config::Settings;
use crate::device::Device;
use crate::device::http::{Broker, HttpDevice};
use crate::engine::StopSignal;
use crate::model::{
    CheckinReport, Component, Credential, DeviceId, FailureKind, FirmwareImage, ImageTrust, chain,
    counted, human_bytes,
};
use crate::report::Exit;

use crate::cli::args::{Cli, Components, Fetch, Selection};
use crate::cli::output::plain_stdout::{plain_stdout, print_json};
use crate::cli::output::progress_line::ProgressLine;
use crate::cli::output::show_session::OutputMode;
use crate::cli::output::{logging, stderr_and_log};
use crate::cli::process::{limits, private_file, signals};
use crate::cli::{CliError, image_file, load, runtime, wiring};
use answer::{FetchAnswer, Fetched};
use download_check::{DownloadError, Facts};

const NOTHING: &str = "nothing newer is offered";

/// `hemfleet fetch`. Exit code 0 where everything offered is here, also where that is nothing.
pub(in crate::cli) fn fetch(cli: &Cli, args: &Fetch) -> Result<Exit, CliError> {
    logging::start(cli, OutputMode::Plain)?;
    let settings = load::settings(&Selection {
        inventory: args.inventory.clone(),
        only: args.only.clone(),
        concurrency: None,
    })?;
    let dir = args
        .out
        .clone()
        .unwrap_or_else(|| load::folder_of(&args.inventory.config));
    let runtime = runtime()?;
    let exit = runtime.block_on(async {
        let mut interrupts = signals::interrupts()?;
        tokio::select! {
            done = all(&settings, args, &dir) => done,
            Some(_) = interrupts.recv() => Ok(Exit::Interrupted),
        }
    });
    runtime.shutdown_background();
    exit
}

async fn all(settings: &Settings, args: &Fetch, dir: &Path) -> Result<Exit, CliError> {
    let asked = ask(settings).await?;
    let mut exit = Exit::of_asking(&asked.complain());
    private_file::folder(dir).map_err(|source| CliError::Folder {
        path: dir.to_owned(),
        source,
    })?;
    let offers = asked.offers(args.component);
    let mut fetched = Vec::new();
    for offer in &offers {
        let got = download(&asked.broker, offer, dir, &settings.images).await;
        if let Err(why) = &got {
            exit = Exit::Failed;
            say(&format!("{}: {}", offer.title(), chain(why)));
        }
        if !args.format.is_json() {
            tell(offer, &got, &settings.images)?;
        }
        fetched.push(Fetched::new(offer, &got, &settings.images));
    }
    if args.format.is_json() {
        print_json(&FetchAnswer::new(&asked, fetched, exit))?;
    } else if offers.is_empty() && exit == Exit::Good {
        // Of the other component, perhaps.
        let also = match asked.offers(Components::Both).first() {
            Some(offer) => format!(
                " of this kind; but a {} is: --component {}",
                offer.component, offer.component
            ),
            None => String::new(),
        };
        writeln!(plain_stdout(), "{NOTHING}{also}")?;
    }
    Ok(exit)
}

/// Says what came of an offer, where something did.
fn tell(
    offer: &Offer,
    got: &Result<Downloaded, DownloadError>,
    trust: &ImageTrust,
) -> io::Result<()> {
    let Ok(got) = got else { return Ok(()) };
    let (title, path) = (offer.title(), got.path.display());
    writeln!(plain_stdout(), "{title}: {path}, as announced")?;
    if let Err(distrust) = trust.of_file(got.sha256) {
        say(&format!("{title}: a run will refuse it: {distrust}"));
    }
    Ok(())
}

/// What came of `--firmware latest`.
pub(super) struct Latest {
    /// The one firmware that is offered.
    pub(super) offer: Option<LatestFirmware>,
    /// The selected devices that could not be asked.
    pub(super) not_asked: Vec<DeviceId>,
}

/// A firmware that is offered and here.
pub(super) struct LatestFirmware {
    pub(super) image: FirmwareImage,
    /// The file that it is in.
    pub(super) path: PathBuf,
    /// To whom it is offered: nobody else is to get it.
    pub(super) devices: Vec<DeviceId>,
}

/// Fetches the one firmware that is offered to selected devices; nothing where an interrupt comes first.
///
/// # Errors
///
/// It is not the one that was announced, or different devices are offered different ones.
pub(super) async fn latest(
    settings: &Settings,
    dir: &Path,
    interrupts: &mut mpsc::Receiver<StopSignal>,
) -> Result<Option<Latest>, CliError> {
    tokio::select! {
        latest = newest(settings, dir) => latest.map(Some),
        Some(_) = interrupts.recv() => Ok(None),
    }
}

async fn newest(settings: &Settings, dir: &Path) -> Result<Latest, CliError> {
    let asked = ask(settings).await?;
    let not_asked = asked.complain();
    let offers = asked.offers(Components::Firmware);
    let [offer] = &offers[..] else {
        if offers.is_empty() {
            say(NOTHING);
            let offer = None;
            return Ok(Latest { offer, not_asked });
        }
        let lists: Vec<String> = offers.iter().map(Offer::names).collect();
        return Err(CliError::DifferentOffers(lists.join(" / ")));
    };
    let Downloaded { path, .. } = download(&asked.broker, offer, dir, &settings.images).await?;
    say(&format!(
        "{}: {}, as announced",
        offer.title(),
        path.display()
    ));
    let image = image_file::load(&path, false, &settings.images)?;
    let others = settings.devices.len() - offer.devices.len() - not_asked.len();
    if others > 0 {
        say(&format!(
            "left out, since it is not offered to them: {others} devices"
        ));
    }
    let offer = Some(LatestFirmware {
        image,
        path,
        devices: offer.devices.clone(),
    });
    Ok(Latest { offer, not_asked })
}

/// What devices were told by the backend.
struct Checkins {
    broker: Arc<Broker>,
    answers: Vec<(DeviceId, Result<CheckinReport, FailureKind>)>,
}

/// One file that is offered, and to whom.
struct Offer {
    component: Component,
    announced: String,
    devices: Vec<DeviceId>,
}

/// Checks every device in: that is how the backend says what is newer (section 5). No login, no token.
async fn ask(settings: &Settings) -> Result<Checkins, CliError> {
    limits::ensure_files(settings.concurrency, settings.devices.len())?;
    let broker = wiring::broker(settings)?;
    let devices = wiring::devices_of(settings, &broker, |_| Credential::None)?;
    say(&format!(
        "checking in {}…",
        counted(devices.len(), "device", "devices")
    ));
    let answers = futures_util::stream::iter(devices)
        .map(|(id, device): (DeviceId, HttpDevice)| async move {
            let answer = device.checkin().await;
            if let Ok(CheckinReport {
                action: Some(action),
                ..
            }) = &answer
            {
                // Never hidden (section 5).
                say(&format!("{id}: THE BACKEND ORDERS: {action}"));
            }
            (id, answer)
        })
        .buffered(settings.concurrency)
        .collect()
        .await;
    Ok(Checkins { broker, answers })
}

impl Checkins {
    /// Says which devices could not be asked, and why.
    fn complain(&self) -> Vec<DeviceId> {
        let mut not_asked = Vec::new();
        for (device, answer) in &self.answers {
            if let Err(kind) = answer {
                say(&format!("{device}: {kind}"));
                not_asked.push(device.clone());
            }
        }
        not_asked
    }

    /// Every distinct file, in the order in which devices name them.
    fn offers(&self, components: Components) -> Vec<Offer> {
        let mut offers: BTreeMap<(Component, &str), Offer> = BTreeMap::new();
        for (device, answer) in &self.answers {
            let Ok(report) = answer else { continue };
            let of = [
                (Component::Ui, &report.newuis),
                (Component::Firmware, &report.newfws),
            ];
            for (component, announced) in of {
                if let Some(announced) = announced
                    && components.has(component)
                {
                    let offer = Offer {
                        component,
                        announced: announced.clone(),
                        devices: Vec::new(),
                    };
                    let offers = offers.entry((component, announced)).or_insert(offer);
                    offers.devices.push(device.clone());
                }
            }
        }
        offers.into_values().collect()
    }
}

impl Offer {
    /// What it is and for whom.
    fn title(&self) -> String {
        format!("{} for {}", self.component.words(), self.names())
    }

    /// The devices, the first few by name.
    fn names(&self) -> String {
        let few: Vec<&str> = self.devices.iter().take(3).map(DeviceId::as_str).collect();
        match self.devices.len() - few.len() {
            0 => few.join(", "),
            more => format!("{} and {more} more", few.join(", ")),
        }
    }
}

/// A download that was kept.
struct Downloaded {
    path: PathBuf,
    sha256: [u8; 32],
}

/// Downloads an offer, makes sure that it is what was announced and by a trusted signer, and writes it.
///
/// `images.allow` is not asked: a new file's hash is known only once it has been fetched. A run asks.
async fn download(
    broker: &Broker,
    offer: &Offer,
    dir: &Path,
    trust: &ImageTrust,
) -> Result<Downloaded, DownloadError> {
    let mut line = ProgressLine::new();
    let bytes = broker
        .download(offer.component, &offer.announced, &mut |got, total| {
            line.show_sometimes(|| {
                let of = total.map_or_else(String::new, |t| format!(" of {}", human_bytes(t)));
                format!("{}: {}{of}", offer.component, human_bytes(got))
            });
        })
        .await;
    line.end();
    let bytes = bytes?;
    let mut facts = Facts {
        component: offer.component.as_str(),
        announced: &offer.announced,
        fetched_at: format!("{:.0}", Timestamp::now()),
        broker: broker.name(),
        offered_to: offer.devices.iter().map(DeviceId::as_str).collect(),
        bytes: bytes.len(),
        sha256: String::new(),
        name: None,
        fws: None,
        fwk: None,
        signer: None,
    };
    let identified = match offer.component {
        Component::Firmware => download_check::firmware(&bytes, &mut facts)?,
        Component::Ui => download_check::app(&bytes, &mut facts)?,
    };
    trust.of_signer(identified.signer, identified.sha256)?;
    let ending = match offer.component {
        Component::Firmware => "bin",
        Component::Ui => "tar",
    };
    let unwritten = |source: io::Error| DownloadError::Unwritten {
        dir: dir.to_owned(),
        source,
    };
    let (path, new) =
        private_file::persist_unique(dir, &identified.stem, ending, &bytes).map_err(unwritten)?;
    if new {
        let mut json = serde_json::to_vec_pretty(&facts).map_err(|e| unwritten(e.into()))?;
        json.push(b'\n');
        private_file::persist_unique(dir, &file_stem(&path), "json", &json).map_err(unwritten)?;
    }
    let sha256 = identified.sha256;
    Ok(Downloaded { path, sha256 })
}

fn file_stem(path: &Path) -> String {
    path.file_stem()
        .map_or_else(String::new, |stem| stem.to_string_lossy().into_owned())
}

/// Tells on standard error, which may be gone.
fn say(text: &str) {
    stderr_and_log::say(&format!("{text}\n"));
}
