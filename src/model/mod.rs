//! The vocabulary of hemfleet as plain values, shared by every room.
//!
//! Owns: names, outcomes, failures with their hints, secrets, and what a device said of itself.
//! Must not: do IO, know tokio, or import any other room.

mod audit;
mod audit_verdict;
mod device_spec;
mod facts;
mod failure;
mod firmware;
mod fw_version;
mod hint;
mod id;
mod image_trust;
mod link_fault;
mod management_app;
mod outcome;
mod reach;
mod rollout;
mod secret;
mod settings;
mod ssh_jump;
mod stage;
mod text;
mod verdict;

pub use audit::{
    AuditEntry, AuditExtra, AuditLog, AuditResult, AuditTime, AuditType, LogEnd, LogFault, LogId,
};
pub use audit_verdict::{
    AuditLink, AuditObstacle, AuditReport, AuditVerdict, AuditWord, Contradiction, LogRead,
};
pub use device_spec::{
    AuthMethod, Credential, Credentials, Derivation, DeviceSpec, Endpoint, HostPort, KdfChoice,
    Proxy, ProxyKind, Scheme, Scope, SpkiPin, TlsTrust, WordsChoice,
};
pub use facts::{CheckinReport, DeviceMark, DeviceStatus, DeviceVersion, FlsState};
pub use failure::{Failure, FailureKind, Touched};
pub use firmware::{
    Component, FirmwareImage, Fwk, Fws, FwsParseError, ImageFacts, ImageFooter, ImageFormat,
    MAX_IMAGE_BYTES, Payload, PayloadFacts, SigningMode,
};
pub use fw_version::FwVersion;
pub use id::{DeviceId, RunId};
pub use image_trust::{Distrust, ImageTrust};
pub use link_fault::{BrokerFault, LinkFault, LocalFault, TlsFault};
pub use management_app::{
    APP_UPLOAD_NAME, AppFacts, AppImage, AppTrailer, AppVersion, MAX_APP_BYTES,
};
pub use outcome::{Doubt, Outcome, OutcomeKind, Skip, Unproven};
pub use reach::Reach;
pub use rollout::{MaxFailures, MaxFailuresError, Rollout};
pub use secret::{Secret, SecretSource};
pub use settings::{
    ApprovalPolicy, AuditMode, AuditPolicy, OnExpired, Pace, Policy, Retry, Timeouts,
};
pub use ssh_jump::{SshJump, SshJumpError, SshTrouble};
pub use stage::Stage;
pub use text::{human_bytes, human_duration, printable};
pub use verdict::{Verdict, VerdictKind};
