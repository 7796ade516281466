//! The port to a device: what the engine may ask of one, and nothing about how it travels.
//!
//! Owns: [`Device`], the types that make an install unrepeatable, and the HTTP adapter.
//! Must not: decide what is retried, what an answer means for the upgrade, or what comes next.

pub mod http;

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

use crate::model::{
    CheckinReport, Credentials, DeviceStatus, DeviceVersion, FailureKind, FirmwareImage, LinkFault,
};

/// A login that the device accepted, or the absence of one for a fresh device.
///
/// It dies with the next reboot of the device (section 6).
#[derive(Clone, Debug)]
pub struct Session {
    /// The bearer token; absent where the device wants none.
    pub token: Option<crate::model::Secret>,
    /// When the token dies, on this machine's monotonic clock but reckoned with the device's clock
    /// running fast; absent where that is not known (a token obtained elsewhere).
    pub expires: Option<Instant>,
}

impl Session {
    /// For a device that wants no login.
    pub fn anonymous() -> Self {
        Self {
            token: None,
            expires: None,
        }
    }
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
pub struct Validated(());

impl Validated {
    /// For adapters of [`Device`] only: to be called for a `200` of `check_fw` and for nothing else.
    #[must_use]
    pub fn by_device() -> Self {
        Self(())
    }
}

/// What became of the one install request (section 7).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum InstallAnswer {
    /// 200.
    Accepted,
    /// A status in 400..=499: the device refused, nothing was installed.
    Refused {
        /// The HTTP status.
        status: u16,
    },
    /// The connection could not be opened, so that not one byte of the request was sent.
    NotSent(LinkFault),
    /// The request was, or may have been, sent, and no answer tells what became of it: the
    /// connection broke, the limit passed, or the status is none that the page knows.
    Unclear {
        /// Why.
        why: String,
    },
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

    /// What the inventory gives this device to be entered with.
    fn credentials(&self) -> Credentials;

    /// Logs in for the scope `system:upgrade` with a token that lives for `lifetime` on the device's
    /// clock (section 6). Derives the key once for each device, off the async threads.
    ///
    /// One challenge and one answer; never repeated here. After the third 401 in this run it fails
    /// with [`FailureKind::LoginsUsedUp`] without asking the device.
    ///
    /// # Errors
    ///
    /// [`LoginError::ClockUnset`] and [`LoginError::ClockApart`] ask for one check-in and one more try.
    fn login(&self, lifetime: Duration)
    -> impl Future<Output = Result<Session, LoginError>> + Send;

    /// `POST /api/system/upgrade/upload_fw` (section 7). `Ok` is 200: the image is staged.
    fn upload(
        &self,
        session: &Session,
        image: &FirmwareImage,
        progress: &dyn UploadProgress,
    ) -> impl Future<Output = Result<(), FailureKind>> + Send;

    /// One `GET /api/system/upgrade/check_fw` (section 7), answered within `limit`. Any status that is
    /// none of 200, 201 and 202 comes back as [`FailureKind::Status`].
    fn check(
        &self,
        session: &Session,
        limit: Duration,
    ) -> impl Future<Output = Result<CheckAnswer, FailureKind>> + Send;

    /// The one `GET /api/system/upgrade/install_fw` (section 7). Never fails: every way it can end is
    /// an [`InstallAnswer`].
    fn install(
        &self,
        validated: Validated,
        session: &Session,
    ) -> impl Future<Output = InstallAnswer> + Send;
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
    /// Anything else, final for this secret where it is a 401.
    Failed(FailureKind),
}
