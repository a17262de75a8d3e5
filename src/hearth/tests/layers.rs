//! The crates use each other only as docs/architecture.md allows: a cycle or a short cut is a failed check.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

use std::{collections::BTreeSet, fs, path::Path};

/// A crate and what it may use. Top to bottom, so that a crate uses only crates above it.
const EDGES: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("kv", &["base"]),
    ("event", &[]),
    ("outbound", &["base"]),
    ("kv-rocksdb", &["kv", "base"]),
    ("account", &["kv", "base"]),
    ("media", &["kv", "base", "outbound"]),
    ("room", &["kv", "base", "event", "account"]),
    ("e2ee", &["kv", "base", "account"]),
    ("ephemeral", &["kv", "base", "room"]),
    ("push", &["kv", "base", "event", "room", "account", "ephemeral", "outbound"]),
    ("appservice", &["kv", "base", "room", "account", "ephemeral", "e2ee", "outbound"]),
    ("federation", &["kv", "base", "event", "room", "account", "e2ee", "ephemeral", "outbound"]),
    ("search", &["kv", "base", "room"]),
    ("sync", &["kv", "base", "event", "room", "account", "e2ee", "ephemeral", "push"]),
    ("flows", &["kv", "base", "event", "outbound", DOMAINS]),
    ("admin", &["kv", "base", "flows", DOMAINS]),
    // Never kv, nor an engine.
    ("api", &["base", "event", "flows", "admin", DOMAINS]),
    ("hearth", &[ALL]),
    ("testkit", &[ALL]),
];

/// Every domain crate.
const DOMAINS: &str = "*domains";
/// Every crate.
const ALL: &str = "*all";
const DOMAIN_CRATES: &[&str] =
    &["account", "media", "room", "e2ee", "ephemeral", "push", "appservice", "federation", "search", "sync"];

/// The crates under `src` with the workspace's crates that they use.
fn used() -> Vec<(String, BTreeSet<String>)> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut crates = Vec::new();
    for entry in fs::read_dir(src).unwrap() {
        let manifest = entry.unwrap().path().join("Cargo.toml");
        let Ok(text) = fs::read_to_string(&manifest) else { continue };
        let manifest: toml::Table = text.parse().unwrap();
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table).cloned().unwrap_or_default();
        let name = manifest["package"]["name"].as_str().unwrap().to_owned();
        crates.push((name, dependencies.keys().cloned().collect()));
    }
    crates
}

fn allows(allowed: &[&str], user: &str, used: &str) -> bool {
    user != used
        && (allowed.contains(&used)
            || allowed.contains(&ALL)
            || allowed.contains(&DOMAINS) && DOMAIN_CRATES.contains(&used))
}

#[test]
fn every_crate_uses_only_what_its_layer_may() {
    let crates = used();
    let names: BTreeSet<_> = crates.iter().map(|(name, _)| name.clone()).collect();
    let mut wrong = Vec::new();
    for (name, dependencies) in &crates {
        let Some((_, allowed)) = EDGES.iter().find(|(user, _)| user == name) else {
            wrong.push(format!("{name} is not in the list of layers"));
            continue;
        };
        for used in dependencies.intersection(&names) {
            if !allows(allowed, name, used) {
                wrong.push(format!("{name} must not use {used}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_list_itself_has_no_cycle() {
    let order: Vec<_> = EDGES.iter().map(|(name, _)| *name).collect();
    for (place, (name, allowed)) in EDGES.iter().enumerate() {
        for used in allowed.iter().filter(|used| !used.starts_with('*')) {
            let used_place = order.iter().position(|other| other == used).unwrap();
            assert!(used_place < place, "{name} is listed before {used}, which it may use");
        }
    }
}
