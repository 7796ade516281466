//! Upgrades the firmware of many Encedo HEM hardware security modules at once.
//!
//! | floor | room | one sentence | may import |
//! | --- | --- | --- | --- |
//! | 0 | [`model`] | The vocabulary as plain values; no IO, no tokio. | — |
//! | 1 | [`hem`] | The device's language, bytes ↔ values. | model |
//! | 1 | [`config`] | TOML, environment and command line → one validated `Settings`. | model |
//! | 2 | [`device`] | `trait Device` and its HTTP adapter, broker included. | model, hem |
//! | 2 | [`sim`] | Simulated HEMs and a broker on loopback. | model, hem |
//! | 3 | [`engine`] | Events, commands, the reducer, one device's procedure, the pool. | model, device |
//! | 4 | [`report`] | Headless subscribers: plain lines, JSON lines, summaries. | model, engine |
//! | 4 | [`tui`] | The dashboard. | model, engine |
//! | 5 | [`cli`] | Arguments, wiring, exit code. | all |
//!
//! The walls are a test: `tests/it/layers.rs` reads every source file and holds this table as data.

pub mod cli;
pub mod config;
pub mod device;
pub mod engine;
pub mod hem;
pub mod model;
pub mod report;
pub mod sim;
pub mod tui;
