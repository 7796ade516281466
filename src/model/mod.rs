//! The vocabulary of hemfleet as plain values, shared by every room: devices, images, settings, audit logs, outcomes and
//! failures with their hints, and secrets. No IO, no tokio.

mod audit;
mod charset;
mod device;
pub(crate) mod hex_text;
pub(super) mod ids;
mod image;
mod outcome;
mod secret;
mod settings;
mod text;

pub use audit::log::{
    AuditEntry, AuditExtra, AuditLog, AuditResult, AuditTime, AuditType, LogEnd, LogFault, LogId,
    LogNumber,
};
pub use audit::report::{AuditReport, AuditWord, LogRead};
pub use audit::verdict::{AuditObstacle, AuditVerdict, Contradiction};
pub use charset::Charset;
pub use device::facts::{CheckinReport, DeviceMark, DeviceStatus, DeviceVersion, FlsState};
pub use device::link_trust::LinkTrust;
pub use device::reach::Reach;
pub use device::spec::{
    AuthMethod, Credential, Credentials, Derivation, DeviceSpec, Endpoint, HostPort, KdfChoice,
    Proxy, ProxyKind, Scheme, Scope, SpkiPin, TlsTrust, WordsChoice,
};
pub use device::ssh_jump::{SshJump, SshJumpError, SshTrouble};
pub use ids::{DeviceId, RunId};
pub use image::allowed_images::{Distrust, ImageTrust};
pub use image::firmware::{
    Component, FirmwareImage, Fwk, Fws, FwsParseError, ImageFacts, ImageFooter, ImageFormat,
    MAX_IMAGE_BYTES, Payload, PayloadFacts, SigningMode,
};
pub use image::firmware_version::FwVersion;
pub use image::management_app::{
    APP_UPLOAD_NAME, AppFacts, AppImage, AppTrailer, AppVersion, MAX_APP_BYTES,
};
pub use outcome::device_outcome::{Outcome, OutcomeKind, Skip};
pub use outcome::doubt::{Doubt, Unproven};
pub use outcome::failure::{Failure, FailureKind, Touched, UnknownSigner};
pub use outcome::link_fault::{BrokerFault, LinkFault, LocalFault, TlsFault};
pub use outcome::plan_verdict::{Verdict, VerdictKind};
pub use outcome::stage::Stage;
pub use secret::{Secret, SecretSource};
pub use settings::policy::{
    ApprovalPolicy, AuditMode, AuditPolicy, OnExpired, Pace, Policy, Retry, Timeouts,
};
pub use settings::rollout::{MaxFailures, MaxFailuresError, Rollout};
pub use settings::run::OnHangUp;
pub use settings::screen::{Notify, ScreenSettings};
pub use text::{
    chain, counted, hex, human_bytes, human_duration, padded, printable, shared_words,
    spelled_duration,
};
