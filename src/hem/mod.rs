//! The device's language: bytes ↔ values.
//!
//! Tokens, keys, images, the audit log and the JSON of every endpoint, as the protocol page below has them. No IO, no
//! async and no HTTP: `device` sends the requests, and the engine decides what an answer means for an upgrade.
//!
#![doc = include_str!("protocol.md")]

pub mod approval;
pub mod audit;
pub mod ejwt;
pub mod firmware_image;
pub mod intel_hex;
pub mod json;
pub mod kdf;
pub mod limits;
pub mod management_app;
pub mod not_an_image;
pub mod path;
#[cfg(test)]
mod vector_tests;
