//! The port to a device: what the engine may ask of one, whatever the way to it.
//!
//! Here are the trait [`Device`] and the types that make an install unrepeatable. The adapter that speaks HTTP is in
//! [`http`]; what is retried, and what an answer means for the upgrade, is decided in `engine`.

pub mod http;

use std::future::Future;
use std::io;
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::hem::audit::{Found, LogKey, Search};
use crate::model::{
    AppImage, AuditLog, CheckinReport, Component, Credentials, Derivation, DeviceStatus,
    DeviceVersion, FailureKind, FirmwareImage, LinkFault, LinkTrust, LogId, Scope, Secret,
};

/// A login that the device accepted, or the absence of one for a fresh device.
///
/// It dies with the next reboot of the device (section 6).
#[derive(Clone, Debug)]
pub struct Session {
    /// The bearer token; absent where the device wants none.
    pub token: Option<Secret>,
    /// When the token dies, on this machine's monotonic clock but reckoned with the device's clock
    /// running fast; absent where that is not known (a token obtained elsewhere).
    pub expires: Option<Instant>,
    /// When the token can have been issued, on the device's own clock in unix seconds, for
    /// [`UpgradeMark::issued`](crate::hem::audit::UpgradeMark::issued); absent where that is not known.
    pub issued: Option<RangeInclusive<u64>>,
    /// How the key that the device accepted was derived, where one was.
    pub derivation: Option<Derivation>,
}

impl Session {
    /// For a device that wants no login.
    pub fn anonymous() -> Self {
        Self {
            token: None,
            expires: None,
            issued: None,
            derivation: None,
        }
    }
}

/// What is uploaded.
#[derive(Clone, Copy, Debug)]
pub enum Image<'a> {
    /// A firmware (section 7).
    Firmware(&'a FirmwareImage),
    /// A management app (section 8).
    Ui(&'a AppImage),
}

impl Image<'_> {
    /// What of the device it is for.
    pub fn component(&self) -> Component {
        match self {
            Self::Firmware(_) => Component::Firmware,
            Self::Ui(_) => Component::Ui,
        }
    }

    /// The file, as it is sent.
    pub fn bytes(&self) -> &Bytes {
        match self {
            Self::Firmware(image) => &image.bytes,
            Self::Ui(app) => &app.bytes,
        }
    }
}

/// A request for an approval that is out (section 10). It stays on the owner's phone until it is answered,
/// expires or is withdrawn.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Approval {
    /// The broker's name for it.
    pub event: String,
    /// What it is for.
    pub scope: Scope,
}

/// What the broker says of an [`Approval`] (section 10, step 4).
#[derive(Clone, Debug)]
pub enum ApprovalAnswer {
    /// 202: nobody has answered yet.
    Pending,
    /// Approved; to be handed to [`Device::redeem_approval`].
    Approved(ApprovalReply),
    /// The owner said no.
    Denied,
    /// 404: the broker knows it no more.
    Expired,
}

/// The phone's `authreply`, opaque. As good as a login until the device has taken it.
#[derive(Clone, Debug)]
pub struct ApprovalReply(pub Secret);

/// The log key of a device, proven by its signature of the nonce (section 9).
#[derive(Clone, Debug)]
pub struct ProvenKey {
    /// The key.
    pub key: LogKey,
    /// The answer of `GET /api/logger/key` as it came, to be saved.
    pub answer: Bytes,
}

/// One page of the list of log files (section 9).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogPage {
    /// The ids of this page, oldest first.
    pub ids: Vec<LogId>,
    /// How many listed names were none that a log file can have, and are left out.
    pub unusable: usize,
    /// The offset of the next page; the same as this page's where it brought nothing new.
    pub next: usize,
}

/// A log file that was read and verified. Its text is gone: it may be longer than memory for a fleet allows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LogFile {
    /// What it holds as far as it verifies; of its entries a window.
    pub log: AuditLog,
    /// What the search found in all of it, where one was asked for.
    pub found: Option<Found>,
    /// Whether its bytes could be kept, where they were to be; else why not.
    pub kept: Option<Result<(), String>>,
}

/// Where the bytes of a log file go while it is read, to be verified again later. Both methods may block.
pub trait RawLog: Send {
    /// Takes the next bytes.
    ///
    /// # Errors
    ///
    /// They cannot be kept; nothing more is written then.
    fn write(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// The file has come, `whole` or cut short. Dropped without this, nothing of it is left.
    ///
    /// # Errors
    ///
    /// It could not be kept.
    fn keep(self: Box<Self>, whole: bool) -> io::Result<()>;
}

/// What one poll of the validation said (section 7).
#[derive(Debug)]
pub enum CheckAnswer {
    /// 201: the verification was started by this call.
    Started,
    /// 202: it still runs.
    Running,
    /// 200: the staged image is valid.
    Valid(Validated),
}

/// Proof that the device found the staged image valid. It cannot be cloned, and an install
/// consumes it: one install for each validated image (section 7).
#[derive(Debug)]
pub struct Validated(Component);

impl Validated {
    /// For adapters of [`Device`] only: to be called for a `200` of `check_fw` or `check_ui` and for
    /// nothing else.
    #[must_use]
    pub fn by_device(component: Component) -> Self {
        Self(component)
    }

    /// What was found valid, and will be installed.
    pub fn component(&self) -> Component {
        self.0
    }
}

/// What became of the one install request (section 7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InstallAnswer {
    /// 200.
    Accepted,
    /// One of [`InstallAnswer::REFUSALS`]: the device refused, nothing was installed.
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The connection could not be opened, so that not one byte of the request was sent.
    NotSent(LinkFault),
    /// The request was, or may have been, sent, and no answer tells what became of it: the
    /// connection broke, or the limit passed.
    Unclear {
        /// Why.
        why: String,
    },
    /// Any other status: the page knows of none, so that something on the way may have answered for a
    /// device that did install.
    Odd {
        /// The HTTP status.
        status: u16,
    },
}

impl InstallAnswer {
    /// The statuses by which a device refuses an install (section 7).
    pub const REFUSALS: [u16; 4] = [401, 403, 406, 409];

    /// What an answer with this status means.
    #[must_use]
    pub fn of_status(status: u16) -> Self {
        match status {
            200 => Self::Accepted,
            status if Self::REFUSALS.contains(&status) => Self::Refused { status },
            status => Self::Odd { status },
        }
    }
}

/// What an upload reports while it runs; the adapter thins it (at most about ten a second).
pub trait UploadProgress: Send + Sync {
    /// `sent` bytes of the image have been handed to the socket; never decreases within one try.
    fn sent(&self, sent: u64);
}

/// One device. Implementations keep to section 2: one request at a time, a connection for each,
/// the inventory's gap between them, and a time limit on every step.
///
/// Cancelling is dropping the future: the connection is closed then. No method repeats a request
/// by itself, but for what [`Device::login`] says.
pub trait Device: Send + Sync + 'static {
    /// `GET /api/system/version` (section 4).
    fn version(&self) -> impl Future<Output = Result<DeviceVersion, FailureKind>> + Send;

    /// `GET /api/system/status` (section 4).
    fn status(&self) -> impl Future<Output = Result<DeviceStatus, FailureKind>> + Send;

    /// The three steps of a check-in (section 5).
    fn checkin(&self) -> impl Future<Output = Result<CheckinReport, FailureKind>> + Send;

    /// The same over plain HTTP, for a device whose certificate has expired; nothing secret is in it.
    ///
    /// # Errors
    ///
    /// [`FailureKind::NoPlainHttp`] where the inventory does not tell where that is reached.
    fn checkin_in_clear(&self) -> impl Future<Output = Result<CheckinReport, FailureKind>> + Send;

    /// What the inventory gives this device to be entered with.
    fn credentials(&self) -> Credentials;

    /// The link to it, on which the worth of what it says rests (section 9).
    fn link(&self) -> LinkTrust;

    /// Whether a token may travel over this link: it is encrypted, or the inventory allows it in clear.
    fn may_carry_token(&self) -> bool;

    /// Logs in for `scope` with a token that lives for `lifetime` on the device's clock (section 6).
    /// Derives the key once for each device and run, off the async threads; the second scope uses it
    /// again. A token that the inventory gives is good for [`Scope::Upgrade`] alone.
    ///
    /// One challenge and one answer; never repeated here. After the third 401 in this run, all
    /// derivations and scopes counted together, it fails with [`FailureKind::LoginsUsedUp`] without
    /// asking the device. With [`Credentials::Mobile`] it fails: that is what the approvals are for.
    ///
    /// # Errors
    ///
    /// [`LoginError::ClockUnset`] and [`LoginError::ClockApart`] ask for one check-in and one more try; the
    /// latter is not said shortly after a check-in, which has settled it. [`LoginError::OtherDerivation`]
    /// asks for one more try, [`LoginError::SecretWanted`] for [`Device::give_secret`]. A typed secret is
    /// wanted anew after its first refusal in the run: typed again unchanged, it is tried in its other way;
    /// another one is tried in every way that the three 401 leave.
    fn login(
        &self,
        scope: Scope,
        lifetime: Duration,
    ) -> impl Future<Output = Result<Session, LoginError>> + Send;

    /// Takes the secret that was asked for ([`Credentials::Prompt`]); forgets what was derived from
    /// another.
    fn give_secret(&self, secret: Secret);

    /// The `eid` of the device that gave the last token for an upgrade, where one did by a login (section 6).
    fn upgraded_eid(&self) -> Option<String>;

    /// The upgrade was one of the device with this `eid`, in an earlier process: the log of another one is not read
    /// ([`FailureKind::OtherDevice`]).
    fn expect_eid(&self, eid: &str);

    /// Steps 1 to 3 of section 10: asks the owner's phone to approve `scope`, with a note of 1 to 128
    /// characters to be shown there: a longer one is cut, an empty one left out.
    ///
    /// # Errors
    ///
    /// [`LoginError::ClockUnset`] and [`LoginError::ClockApart`] (the broker's 401, each time) ask for one
    /// check-in and one more try. Nothing is out then.
    fn request_approval(
        &self,
        scope: Scope,
        note: &str,
    ) -> impl Future<Output = Result<Approval, LoginError>> + Send;

    /// Step 4: asks the broker once.
    fn poll_approval(
        &self,
        approval: &Approval,
    ) -> impl Future<Output = Result<ApprovalAnswer, FailureKind>> + Send;

    /// Step 5: trades the phone's reply for a token, which lives for 15 minutes.
    ///
    /// # Errors
    ///
    /// [`FailureKind::ApprovalRefused`] for 401 and 406; the 401 counts among the three of a run.
    fn redeem_approval(
        &self,
        approval: &Approval,
        reply: ApprovalReply,
    ) -> impl Future<Output = Result<Session, LoginError>> + Send;

    /// Step 6: withdraws it, so that the phone stops showing it.
    fn withdraw_approval(
        &self,
        approval: &Approval,
    ) -> impl Future<Output = Result<(), FailureKind>> + Send;

    /// `POST /api/system/upgrade/upload_fw` or `…/upload_ui` (sections 7 and 8). `Ok` is 200: the image
    /// is staged.
    fn upload(
        &self,
        session: &Session,
        image: Image<'_>,
        progress: &dyn UploadProgress,
    ) -> impl Future<Output = Result<(), FailureKind>> + Send;

    /// One `GET /api/system/upgrade/check_fw` or `…/check_ui` (sections 7 and 8), answered within
    /// `limit`. Any status that is none of 200, 201 and 202 comes back as [`FailureKind::Status`].
    fn check(
        &self,
        component: Component,
        session: &Session,
        limit: Duration,
    ) -> impl Future<Output = Result<CheckAnswer, FailureKind>> + Send;

    /// The one `GET /api/system/upgrade/install_fw` or `…/install_ui` (sections 7 and 8) of what was
    /// validated. Never fails: every way it can end is an [`InstallAnswer`].
    fn install(
        &self,
        validated: Validated,
        session: &Session,
    ) -> impl Future<Output = InstallAnswer> + Send;

    /// `GET /api/logger/key` (section 9): the log key, once its proof fits.
    ///
    /// # Errors
    ///
    /// Other statuses than 200 are [`FailureKind::Status`]; a proof that does not fit is a
    /// [`FailureKind::KeyNotProven`].
    fn log_key(
        &self,
        session: &Session,
    ) -> impl Future<Output = Result<ProvenKey, FailureKind>> + Send;

    /// One page of `GET /api/logger/list/{offset}` (section 9). A 404 past the end, or of an empty list,
    /// is [`FailureKind::Status`]; a page of more than 128 ids is a [`FailureKind::LogTooLarge`].
    fn log_page(
        &self,
        session: &Session,
        offset: usize,
    ) -> impl Future<Output = Result<LogPage, FailureKind>> + Send;

    /// `GET /api/logger/{id}` (section 9), verified with `key` line by line as it comes, looked through by
    /// `search`, and handed to `raw`: a body that is cut short is no failure, but ends [`LogFile::log`].
    ///
    /// # Errors
    ///
    /// 406 (the running session's) and 404 are [`FailureKind::Status`], a file larger than is read is a
    /// [`FailureKind::LogTooLarge`]. What `raw` cannot keep is no failure of the reading.
    fn log_file(
        &self,
        session: &Session,
        id: &LogId,
        key: &LogKey,
        search: Option<Search>,
        raw: Option<Box<dyn RawLog>>,
    ) -> impl Future<Output = Result<LogFile, FailureKind>> + Send;
}

/// Why a login failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LoginError {
    /// 403: the clock is not set.
    ClockUnset,
    /// 401 while this machine's and the device's clock are this far apart (more than a minute): the
    /// requested expiry may be past on the device.
    ClockApart {
        /// How far, in seconds.
        seconds: u64,
    },
    /// 401 for a key that was derived in one way, and there is another way to try (section 6): the next
    /// login does.
    OtherDerivation {
        /// What was not accepted.
        refused: Derivation,
        /// What comes next.
        next: Derivation,
    },
    /// The secret is to be asked for first; nothing was sent.
    SecretWanted,
    /// Anything else, final for this secret where it is a 401.
    Failed(FailureKind),
}
