//! The walls between the rooms, as data, and the tests that hold every source file to them. How paths are found
//! in a source file is in `rust_paths`.
//!
//! Must not: know exceptions by file. A type that two rooms need goes down to `model`; code that only tests use
//! obeys as well.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::rust_paths::{self, NamedPath};

/// Room, and the rooms that it may import beside itself. The same table stands in `src/lib.rs`.
const ROOMS: [(&str, &[&str]); 11] = [
    ("model", &[]),
    ("hem", &["model"]),
    ("config", &["model"]),
    ("device", &["model", "hem"]),
    ("sim", &["model", "hem"]),
    ("engine", &["model", "hem", "device"]),
    ("journal", &["model", "engine"]),
    ("report", &["model", "engine"]),
    ("tui", &["model", "engine"]),
    ("guide", &[]),
    (
        "cli",
        &[
            "model", "hem", "config", "device", "sim", "engine", "journal", "report", "tui",
            "guide",
        ],
    ),
];

/// Paths into other crates, and the rooms that they are kept in.
const KEPT: [(&[&str], &[&str], &str); 16] = [
    (
        &["rusqlite"],
        &["journal"],
        "the journal is the one file of runs",
    ),
    (&["ratatui"], &["tui"], "only the dashboard draws"),
    (
        &["crossterm"],
        &["tui"],
        "only the dashboard holds the terminal",
    ),
    (&["tui_input"], &["tui"], "only the dashboard reads keys"),
    (&["reqwest"], &["device"], "HTTP clients are the device's"),
    (
        &["hyper", "client"],
        &["device"],
        "HTTP clients are the device's",
    ),
    (
        &["hyper_util", "client"],
        &["device"],
        "HTTP clients are the device's",
    ),
    (
        &["tokio_socks"],
        &["device"],
        "ways to a device are the device's",
    ),
    (
        &["rustls_platform_verifier"],
        &["device"],
        "trust in a device is the device's",
    ),
    (
        &["hyper"],
        &["device", "sim"],
        "HTTP is for both ends of the wire",
    ),
    (
        &["hyper_util"],
        &["device", "sim"],
        "HTTP is for both ends of the wire",
    ),
    (
        &["http_body_util"],
        &["device", "sim"],
        "HTTP is for both ends of the wire",
    ),
    (
        &["rustls"],
        &["device", "sim"],
        "TLS is for both ends of the wire",
    ),
    (
        &["tokio_rustls"],
        &["device", "sim"],
        "TLS is for both ends of the wire",
    ),
    (&["tokio"], ABOVE_FLOOR_1, "no async below floor 2"),
    (&["tokio_util"], ABOVE_FLOOR_1, "no async below floor 2"),
];

const ABOVE_FLOOR_1: &[&str] = &["device", "sim", "engine", "report", "tui", "cli"];

/// What is wrong with one path that a file of `room` names.
fn broken_wall(room: &str, path: &NamedPath) -> Option<String> {
    let (_, may_import) = ROOMS.iter().find(|(name, _)| *name == room)?;
    let said = path.segments.join("::");
    if path.segments.first().is_some_and(|s| s == "crate") {
        return match path.segments.get(1).map(String::as_str) {
            None | Some("*") => Some("names the whole crate".to_owned()),
            Some(other) if other == room || may_import.contains(&other) => None,
            Some(_) => Some(format!("{room} must not import {said}")),
        };
    }
    let kept = KEPT.iter().find(|(prefix, rooms, _)| {
        let named = path.segments.iter().map(String::as_str);
        named.take(prefix.len()).eq(prefix.iter().copied()) && !rooms.contains(&room)
    });
    kept.map(|(_, rooms, why)| format!("{said} outside {}: {why}", rooms.join(", ")))
}

/// All that is wrong with one file, as `file:line: what`. `file` is relative to `src`.
fn broken_walls(file: &Path, text: &str) -> Vec<String> {
    let mut module: Vec<String> = file
        .with_extension("")
        .iter()
        .map(|part| part.to_string_lossy().into_owned())
        .collect();
    if module.last().is_some_and(|name| name == "mod") {
        module.pop();
    }
    let room = module[0].clone();
    if !ROOMS.iter().any(|(name, _)| *name == room) {
        return vec![format!("{}: no room of the table", file.display())];
    }
    rust_paths::paths(text, &module)
        .iter()
        .filter_map(|path| {
            let what = broken_wall(&room, path)?;
            Some(format!("{}:{}: {what}", file.display(), path.line))
        })
        .collect()
}

/// Every Rust file below `folder`, relative to it, except the crate's two roots.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(path.strip_prefix(folder).unwrap().to_path_buf());
            }
        }
    }
    found.retain(|path| {
        !["lib.rs", "main.rs"]
            .iter()
            .any(|root| path == Path::new(root))
    });
    found.sort();
    found
}

#[test]
fn every_file_keeps_to_its_room() {
    let files = sources(Path::new("src"));
    assert!(files.len() > 10, "the sources were not found");
    let broken: Vec<String> = files
        .iter()
        .flat_map(|file| {
            broken_walls(
                file,
                &fs::read_to_string(Path::new("src").join(file)).unwrap(),
            )
        })
        .collect();
    assert!(broken.is_empty(), "\n{}", broken.join("\n"));
}

/// A re-export of another room's names would let a third room use them unseen by the table.
#[test]
fn no_room_exports_what_another_room_owns() {
    let detours: Vec<String> = sources(Path::new("src"))
        .iter()
        .flat_map(|file| {
            let room = file.iter().next().unwrap().to_string_lossy().into_owned();
            let text = fs::read_to_string(Path::new("src").join(file)).unwrap();
            let detours = text.lines().filter_map(|line| {
                let exported = line.trim_start().strip_prefix("pub")?;
                let (_, path) = exported.split_once("use crate::")?;
                let owner = path.split("::").next()?;
                (owner != room).then(|| format!("{}: {}", file.display(), line.trim()))
            });
            detours.collect::<Vec<_>>()
        })
        .collect();
    assert!(detours.is_empty(), "\n{}", detours.join("\n"));
}

#[test]
fn every_file_says_what_it_owns() {
    // The two roots of the crate are held to it by `missing_docs`.
    let silent: Vec<PathBuf> = sources(Path::new("src"))
        .into_iter()
        .filter(|file| {
            let text = fs::read_to_string(Path::new("src").join(file)).unwrap();
            !text.starts_with("//! ")
        })
        .collect();
    assert!(silent.is_empty(), "without `//!`: {silent:?}");
}

#[test]
fn main_is_short() {
    let lines = fs::read_to_string("src/main.rs").unwrap().lines().count();
    assert!(lines < 30, "{lines} lines: wiring belongs in cli");
}

#[test]
fn the_table_of_the_crate_is_this_table() {
    let text = fs::read_to_string("src/lib.rs").unwrap();
    let rows: Vec<(String, BTreeSet<String>)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("//! |"))
        .filter_map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let room = cells[1].strip_prefix("[`")?.strip_suffix("`]")?.to_owned();
            let imports = match cells[3] {
                "—" => BTreeSet::new(),
                "all" => ROOMS
                    .iter()
                    .map(|(r, _)| (*r).to_owned())
                    .filter(|r| *r != room)
                    .collect(),
                listed => listed.split(", ").map(str::to_owned).collect(),
            };
            Some((room, imports))
        })
        .collect();
    let data: Vec<(String, BTreeSet<String>)> = ROOMS
        .iter()
        .map(|(room, imports)| {
            (
                (*room).to_owned(),
                imports.iter().map(|i| (*i).to_owned()).collect(),
            )
        })
        .collect();
    assert_eq!(rows, data);
}

#[test]
fn a_hole_in_a_wall_is_found() {
    for (file, text) in [
        ("sim/mod.rs", "use crate::device::Device;"),
        (
            "sim/broker.rs",
            "fn f() { let x = crate::device::http::dial(); }",
        ),
        ("config/mod.rs", "use crate::{model::Policy, hem::image};"),
        ("config/mod.rs", "use {crate::{model, engine as e}};"),
        ("config/a.rs", "use super::super::device;"),
        ("config/a.rs", "use super::{value, super::tui::ui};"),
        (
            "config/mod.rs",
            "#[cfg(test)] mod tests { use super::super::cli::run; }",
        ),
        (
            "config/mod.rs",
            "mod tests { mod deep { use super::super::super::cli; } }",
        ),
        ("model/text.rs", "use crate::*;"),
        ("model/text.rs", "use crate as everything;"),
        (
            "model/text.rs",
            "macro_rules! m { () => { $crate::hem::x() } }",
        ),
        ("hem/kdf.rs", "#[tokio::test] async fn f() {}"),
        ("hem/kdf.rs", "use ::tokio::time;"),
        ("hem/kdf.rs", "use {std::fmt, tokio as t};"),
        ("hem/kdf.rs", "extern crate tokio;"),
        ("engine/pool.rs", "use ratatui::Frame;"),
        ("cli/mod.rs", "use crossterm::event;"),
        ("sim/mod.rs", "use hyper::{server, client::conn};"),
        ("sim/mod.rs", "let c = reqwest::Client::new();"),
        ("tui/view/table.rs", "use crate::report::words;"),
        ("tui/view/mod.rs", "use super::super::report;"),
        ("report/mod.rs", "let url = rustls::Error::General;"),
        (
            "report/mod.rs",
            "let c = 'x'; let l: &'static str = \"\"; crate::tui::x();",
        ),
        ("report/mod.rs", "let s = r#\"\"quoted\"#; crate::tui::x();"),
        ("report/mod.rs", "#[path = \"../tui/mod.rs\"] mod tui;"),
        ("attic/mod.rs", ""),
    ] {
        let broken = broken_walls(Path::new(file), text);
        assert_eq!(broken.len(), 1, "{file}: {text}: {broken:?}");
    }
}

#[test]
fn what_is_no_import_is_no_hole() {
    for (file, text) in [
        (
            "sim/mod.rs",
            "// use crate::device::Device;\n/* crate::device /* nested */ tokio::x */",
        ),
        (
            "hem/mod.rs",
            "//! See [`crate::device`] and tokio::time.\nuse crate::model::Secret;",
        ),
        (
            "hem/mod.rs",
            "let s = \"crate::device \\\" tokio::x\"; let r = r##\"tokio::\"# x\"##;",
        ),
        (
            "hem/mod.rs",
            "let b = b\"tokio::x\"; let c = b'\\''; let d = '\"'; fn f<'a>(x: &'a str) {}",
        ),
        (
            "config/a.rs",
            "use super::value; pub(in crate::config) fn f() {} pub(crate) fn g() {}",
        ),
        (
            "config/mod.rs",
            "mod tests { use super::*; mod deep { use super::super::value; } }",
        ),
        (
            "model/mod.rs",
            "let n = x.tokio; let v = Vec::<u8>::tokio(); my::tokio::x(); let tokio = 1;",
        ),
        (
            "sim/mod.rs",
            "use hyper::server::conn; use tokio::net; use crate::{hem, model::{self, Secret}};",
        ),
        (
            "device/http.rs",
            "use hyper::client::conn::http1; use super::Device; use reqwest::Client;",
        ),
        (
            "tui/view/mod.rs",
            "use crate::tui::ui; use super::super::tui::keymap; use ratatui::Frame;",
        ),
    ] {
        let broken = broken_walls(Path::new(file), text);
        assert!(broken.is_empty(), "{file}: {broken:?}");
    }
}
