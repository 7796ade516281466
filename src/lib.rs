//! Upgrades the firmware of many Encedo HEM hardware security modules at once.
//!
//! # Rooms
//!
//! Each room stands on those below it and imports no others.
//!
//! | floor | room | one sentence | may import |
//! | --- | --- | --- | --- |
//! | 0 | [`model`] | The vocabulary as plain values; no IO, no tokio. | — |
//! | 1 | [`hem`] | The device's language, bytes ↔ values. | model |
//! | 1 | [`config`] | TOML, environment and command line → one validated `Settings`. | model |
//! | 2 | [`device`] | `trait Device` and its HTTP adapter, broker included. | model, hem |
//! | 2 | [`sim`] | Simulated HEMs and a broker on loopback. | model, hem |
//! | 3 | [`engine`] | Events, commands, the reducer, one device's procedure, the pool. | model, hem, device |
//! | 4 | [`journal`] | The durable record of runs (SQLite); implements [`engine::Recorder`]. | model, engine |
//! | 4 | [`report`] | Headless subscribers: plain lines, JSON lines, summaries, report files. | model, engine |
//! | 4 | [`tui`] | The dashboard. | model, engine |
//! | – | [`guide`] | Nothing but pages for users. | — |
//! | 5 | [`cli`] | Arguments, wiring, exit code. | all |
//!
//! A test holds these walls: `tests/it/layers.rs` has the table as data and reads every source file. [`sim`] never imports
//! [`device`], so that a mistake which both ends of the wire share cannot cancel out. A type that two rooms need goes down
//! to [`model`].
//!
//! # The way of an event
//!
//! 1. A device's task runs the straight-line code of `engine::procedure` over [`device::Device`]. When something has
//!    happened, it sends an [`engine::Event`]: a fact in the past tense, with its time, device and attempt.
//! 2. [`engine::FleetRun`] hands the event to an [`engine::Recorder`], which is [`journal::RunWriter`]: the journal is the ordered list of
//!    what the reducer takes in, and whoever reads it ([`journal::JournalledRun::fold`]) gets the same state from the same reducer.
//! 3. [`engine::Fleet::update`] takes the event in. The reducer is synchronous and has neither clock nor IO. It changes the
//!    state and returns [`engine::Command`]s; it alone decides what starts.
//! 4. [`engine::Pool`] carries the commands out: it starts and stops tasks, and gives them the permit to install.
//! 5. The same event goes to whoever shows the run: the dashboard ([`tui`]) or lines and JSON ([`report`]). They read the
//!    state and never change it. Keys and signals come back as [`engine::Intent`]s, which the reducer takes in like events.
//!
//! # The way of a secret
//!
//! 1. The inventory names a source: a variable, a file, a command or a prompt. `config::toml` overwrites whatever else may
//!    be a secret in the file before anything can quote it.
//! 2. `config::secrets` reads each source once, into a [`model::Secret`]: no `Display`, no `Serialize`, wiped when dropped.
//! 3. `device::http::login` turns the secret into a key and signs the device's challenge with it (`hem::kdf`, `hem::ejwt`).
//!    What leaves the machine is the signed answer; what the device returns is a token, a [`model::Secret`] as well.
//! 4. Events carry facts about a login, and never what it was made with.
//!
//! # The way of an image
//!
//! 1. `cli` reads the file once. [`hem::firmware_image`] and [`hem::management_app`] say what it is and who signed it;
//!    [`model::ImageTrust`] says whether it may be sent at all.
//! 2. `engine::procedure::upload_and_check` sends it and has the device verify it. Only that yields a [`device::Validated`], which
//!    cannot be cloned.
//! 3. `engine::procedure::install_permit` asks the reducer for permission, which a spent failure budget refuses.
//! 4. `engine::procedure::install` announces the install, and waits until that is on disk: should hemfleet die from here on, the next run
//!    knows of it. Then it takes a last look at the device and consumes the [`device::Validated`]: there is one
//!    install for each image that a device has verified. A retry enters at the watch, never at the install.
//! 5. `engine::procedure::reboot` watches the device go and come back. The device's own signature of what it runs decides,
//!    and `engine::procedure::log_confirmation` reads what its audit log says.
//!
//! # Where to start reading
//!
//! - The protocol: [`hem`]. Comments in the code cite its sections.
//! - One device's upgrade: `engine/procedure/until_install.rs`, from top to bottom.
//! - What starts when: `engine/fleet/reducer.rs`, with its table tests; what a dead process leaves: `engine/fleet/reopened.rs`.
//! - What users see: [`model::Outcome`] and `model/outcome/hint.rs`.
//! - What can go wrong: `tests/scenarios`, one file for each fault; the demo and the tests run the same files.

pub mod cli;
pub mod config;
pub mod device;
pub mod engine;
pub mod guide;
pub mod hem;
pub mod journal;
pub mod model;
pub mod report;
pub mod sim;
pub mod tui;
