//! Pure crates: no I/O, no clock, no randomness of their own, no async.

use std::collections::BTreeSet;

use super::Report;
use super::boundaries::PURE;
use super::manifests::Package;
use super::source::{Source, words};
use super::tree::Tree;

/// Modules of `std` that reach the world.
const MODULES: [&str; 4] = ["env", "fs", "os", "process"];

/// What else a pure crate does not say, with what it does instead.
const CODE: [(&str, &str); 14] = [
    ("TcpStream", "sockets belong to the edges; addresses are values and welcome"),
    ("TcpListener", "sockets belong to the edges; addresses are values and welcome"),
    ("UdpSocket", "sockets belong to the edges; addresses are values and welcome"),
    ("ToSocketAddrs", "sockets belong to the edges; addresses are values and welcome"),
    ("SystemTime", "take the time as an argument"),
    ("Instant", "take the time as an argument"),
    ("tokio", "async lives at the edges"),
    ("async", "async lives at the edges"),
    (".await", "async lives at the edges"),
    ("thread::spawn", "threads belong to engines; `thread::scope` may compute"),
    ("thread::sleep", "time belongs to `env`"),
    ("println!", "return what there is to say"),
    ("eprintln!", "return what there is to say"),
    ("stdout", "return what there is to say"),
];

/// Crates that reach the world.
const CRATES: [&str; 15] = [
    "async-compression",
    "axum",
    "crossbeam-channel",
    "futures",
    "getrandom",
    "hyper",
    "indicatif",
    "libc",
    "mio",
    "rand",
    "rayon",
    "reqwest",
    "rustix",
    "tokio",
    "ureq",
];

pub fn check(tree: &Tree, packages: &[Package], report: &mut Report) {
    for package in packages.iter().filter(|package| PURE.contains(&package.name.as_str())) {
        for dependency in package.dependencies.iter().filter(|d| !d.dev) {
            if CRATES.contains(&dependency.name.as_str()) {
                let message = format!(
                    "{} reaches the world, and {} is pure: do that in a port or an engine",
                    dependency.name, package.name
                );
                report.find("pure", &package.manifest(), dependency.line, message);
            }
        }
        let folder = format!("{}/src/", package.folder);
        let tests = test_files(tree, &folder);
        for (path, source) in tree.sources().filter(|(path, _)| path.starts_with(&folder)) {
            if !tests.iter().any(|test| path == format!("{test}.rs") || path.starts_with(&format!("{test}/")))
            {
                check_source(path, source, report);
            }
        }
    }
}

fn check_source(path: &str, source: &Source, report: &mut Report) {
    let mut find = |line: usize, what: &str, instead: &str| {
        let message = format!("`{what}` in a pure crate (no I/O, no clock, no async): {instead}");
        report.find("pure", path, line + 1, message);
    };
    let mut group = None::<String>;
    for (at, line) in source.lines.iter().enumerate().filter(|(_, line)| !line.test) {
        for module in MODULES {
            if words(&line.code, &format!("std::{module}")).next().is_some() {
                find(at, &format!("std::{module}"), "take bytes and values as arguments");
            }
        }
        for (what, instead) in CODE {
            if words(&line.code, what).next().is_some() {
                find(at, what, instead);
            }
        }
        // `use std::{fs, io};` over one line or more.
        if let Some(start) = line.code.find("use std::{") {
            group = Some(String::new());
            scan_group(&line.code[start + "use std::{".len()..], &mut group);
        } else if group.is_some() {
            scan_group(&line.code, &mut group);
        }
        if let Some(names) = &group {
            for module in names.split(',').map(|name| name.split("::").next().unwrap_or_default().trim()) {
                if MODULES.contains(&module) {
                    find(at, &format!("std::{module}"), "take bytes and values as arguments");
                }
            }
            group = match names.ends_with('}') {
                true => None,
                false => Some(String::new()),
            };
        }
    }
}

/// Adds to `group` what of `code` is in it, with the brace if it ends there.
fn scan_group(code: &str, group: &mut Option<String>) {
    let Some(names) = group else { return };
    let mut depth = 0usize;
    for c in code.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return names.push('}'),
            '}' => depth -= 1,
            _ if depth > 0 => {}
            c => names.push(c),
        }
    }
}

/// Paths, without `.rs`, of the modules below `folder` that are declared for tests only.
fn test_files(tree: &Tree, folder: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (path, source) in tree.sources().filter(|(path, _)| path.starts_with(folder)) {
        let stem = path.trim_end_matches(".rs");
        let inside = match stem.rsplit_once('/') {
            Some((parent, "lib" | "main" | "mod")) => parent,
            _ => stem,
        };
        found.extend(source.test_modules.iter().map(|name| format!("{inside}/{name}")));
    }
    found
}
