//! The device's language: bytes ↔ values (protocol page, sections 3 to 12).
//!
//! Owns: the eJWT and the key behind it, the firmware image, the audit log, and the JSON of every endpoint.
//! Must not: do IO, know tokio or HTTP clients, or decide what an answer means for an upgrade.
//!
#![doc = include_str!("protocol.md")]

pub mod approval;
pub mod audit;
pub mod ejwt;
pub mod file_type;
pub mod firmware_image;
pub mod intel_hex;
pub mod json;
pub mod kdf;
pub mod limits;
pub mod management_app;
#[cfg(test)]
mod vector_tests;
