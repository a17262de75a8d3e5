//! `config.example.toml` is made from the doc comments and defaults of the crates' `Config` structs.
//!
//! After a change of one: `UPDATE=1 cargo test -p hearth --test example_config`.

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

use std::{collections::HashMap, fmt::Write, fs, path::Path};

use hearth::Config;
use syn::{Attribute, Expr, Field, Fields, Item, Lit, Meta};

/// A struct's fields: name, type and doc comment.
type Structs = HashMap<String, Vec<(String, String, Vec<String>)>>;

/// Structs by the crate-qualified end of their name, as fields spell it: `room::Config` or `Memory`.
fn structs() -> Structs {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut structs = Structs::new();
    for entry in fs::read_dir(&src).unwrap() {
        let dir = entry.unwrap().path();
        let name = dir.file_name().unwrap().to_string_lossy().into_owned();
        let files = ["config.rs", "rooms.rs", "config/mod.rs", "config/sections.rs"].map(|file| dir.join(file));
        for file in files.iter().filter(|file| file.exists()) {
            for item in syn::parse_file(&fs::read_to_string(file).unwrap()).unwrap().items {
                let Item::Struct(item) = item else { continue };
                let Fields::Named(fields) = &item.fields else { continue };
                let prefix = if name == "hearth" { String::new() } else { format!("{name}::") };
                structs.insert(
                    format!("{prefix}{}", item.ident),
                    fields.named.iter().filter(|field| !is_skipped(field)).map(describe).collect(),
                );
            }
        }
    }
    structs
}

/// Whether the field cannot be set, because another section has it.
fn is_skipped(field: &Field) -> bool {
    let skip = |attribute: &Attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("serde") && list.tokens.to_string() == "skip",
        _ => false,
    };
    field.attrs.iter().any(skip)
}

fn describe(field: &Field) -> (String, String, Vec<String>) {
    let name = field.ident.as_ref().unwrap().to_string();
    let ty = &field.ty;
    let ty = quote::quote!(#ty).to_string().replace(' ', "");
    (name, ty, docs(&field.attrs))
}

fn docs(attributes: &[Attribute]) -> Vec<String> {
    let line = |attribute: &Attribute| {
        let Meta::NameValue(meta) = &attribute.meta else { return None };
        let Expr::Lit(expr) = &meta.value else { return None };
        let Lit::Str(text) = &expr.lit else { return None };
        meta.path.is_ident("doc").then(|| text.value().trim().to_owned())
    };
    attributes.iter().filter_map(line).collect()
}

fn comment(out: &mut String, lines: &[String]) {
    for line in lines {
        writeln!(out, "# {line}").unwrap();
    }
}

/// The value that an absent key has, commented out; a key that has no default gets an example of its type.
fn key(out: &mut String, (name, ty, docs): &(String, String, Vec<String>), default: Option<&toml::Value>) {
    comment(out, docs);
    let is_number = ["u32", "u64", "usize", "f64"].iter().any(|number| ty.contains(number));
    let example = || if is_number { "0".to_owned() } else { "\"\"".to_owned() };
    let value = default.map_or_else(example, ToString::to_string);
    writeln!(out, "#{name} = {value}\n").unwrap();
}

fn example() -> String {
    let structs = structs();
    let small = "server_name = 'example.org'\ndata_dir = '/var/lib/hearth'";
    let config = Config::from_table(small.parse().unwrap(), "example", std::iter::empty()).unwrap();
    let defaults = toml::Table::try_from(&config).unwrap();
    let mut out = String::from(
        "# Settings of Hearth, with their defaults: generated from the sources, checked by ./dev check.\n\
         #\n\
         # Only server_name and data_dir are needed. Every key can be overridden by an environment variable, with\n\
         # two underscores between section and key: HEARTH_REGISTRATION__MODE=open.\n\n",
    );
    let mut sections = String::new();
    for field in &structs["Config"] {
        let (name, ty, docs) = field;
        if name == "listeners" {
            comment(&mut sections, docs);
            sections += "[[listeners]]\n";
            let listener = defaults["listeners"][0].as_table().unwrap();
            for inner in &structs["Listener"] {
                // A listener without an address is an error, so this one is set.
                let start = sections.len();
                key(&mut sections, inner, listener.get(&inner.0));
                if inner.0 == "bind" {
                    sections.replace_range(start.., &sections[start..].replace("#bind", "bind"));
                }
            }
        } else if let Some(inner) = structs.get(ty) {
            comment(&mut sections, docs);
            writeln!(sections, "[{name}]").unwrap();
            for inner in inner {
                key(&mut sections, inner, defaults[name].get(&inner.0));
            }
        } else if name == "server_name" || name == "data_dir" {
            comment(&mut out, docs);
            writeln!(out, "{name} = {}\n", defaults[name]).unwrap();
        } else {
            key(&mut out, field, defaults.get(name));
        }
    }
    out + sections.trim_end() + "\n"
}

#[test]
fn the_example_is_what_the_sources_say() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config.example.toml");
    let example = example();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &example).unwrap();
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == example, "run: UPDATE=1 cargo test -p hearth --test example_config");
}

#[test]
fn the_example_is_accepted_as_it_is_and_with_every_key_set() {
    let load = |text: &str| Config::from_table(text.parse().unwrap(), "example", std::iter::empty());
    let example = example();
    load(&example).unwrap();
    // Keys without a default are left out: an empty path or token is none.
    let is_key = |line: &str| line.starts_with('#') && !line.starts_with("# ") && !line.ends_with("= \"\"");
    let set: Vec<_> = example.lines().map(|line| if is_key(line) { &line[1..] } else { line }).collect();
    load(&set.join("\n")).unwrap();
}
