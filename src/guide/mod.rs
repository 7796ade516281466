//! The reference for users, page by page. The README has the first five minutes.
//!
//! The pages are Markdown files of this folder, so that a forge shows them as well.

#![expect(
    clippy::doc_markdown,
    reason = "names of keys and products are read by people, on a forge too, and are no code"
)]

#[doc = include_str!("upgrade.md")]
pub mod upgrade {}

#[doc = include_str!("journal.md")]
pub mod journal {}

#[doc = include_str!("inventory.md")]
pub mod inventory {}

#[doc = include_str!("verdicts.md")]
pub mod verdicts {}

#[doc = include_str!("dashboard.md")]
pub mod dashboard {}

#[doc = include_str!("output.md")]
pub mod output {}

#[doc = include_str!("simulator.md")]
pub mod simulator {}

#[doc = include_str!("security.md")]
pub mod security {}

#[doc = include_str!("glossary.md")]
pub mod glossary {}
