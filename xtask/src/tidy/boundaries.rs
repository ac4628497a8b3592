//! Who may know whom: the table of ARCHITECTURE.md.

use std::collections::BTreeSet;

use super::Report;
use super::manifests::Package;

/// From top to bottom: a crate may use the rows below its own. Within a row nobody knows anybody, except where
/// `ordered` lets a crate use those written before it.
const ROWS: [Row; 8] = [
    Row { name: "support", crates: &["testkit", "fuzzing", "bench", "xtask"], ordered: true },
    Row { name: "binary", crates: &["ledgerstone"], ordered: false },
    Row { name: "edges", crates: &["collector", "gateway", "api", "witness"], ordered: false },
    Row { name: "drill", crates: &["drill"], ordered: false },
    Row {
        name: "engines",
        crates: &["ledger", "search", "alert", "access", "scrub", "watch", "anchor", "stamper", "monitor"],
        ordered: false,
    },
    Row { name: "ports", crates: &["storage", "env", "net"], ordered: false },
    Row { name: "verifier", crates: &["verifier"], ordered: false },
    Row { name: "pure", crates: PURE, ordered: true },
];

/// Crates that do no I/O, have no clock and are not async. Later ones may use earlier ones.
pub const PURE: &[&str] = &["tlog", "timestamp", "record", "wire", "evidence", "export"];

/// What an auditor reads: these and nothing else of ours, and few crates of others.
const VERIFYING: [&str; 5] = ["tlog", "record", "evidence", "export", "verifier"];
const VERIFYING_DEPENDENCIES_MAX: usize = 10;

struct Row {
    name: &'static str,
    crates: &'static [&'static str],
    ordered: bool,
}

pub fn check(packages: &[Package], report: &mut Report) {
    let ours: BTreeSet<&str> = packages.iter().map(|package| package.name.as_str()).collect();
    for package in packages {
        let manifest = package.manifest();
        let Some(from) = place(&package.name) else {
            let message = format!(
                "{}: in no row of the table of who may know whom; give it one in ARCHITECTURE.md and in \
                 xtask/src/tidy/boundaries.rs",
                package.name
            );
            report.find("boundary", &manifest, 0, message);
            continue;
        };
        for dependency in package.dependencies.iter().filter(|d| ours.contains(d.name.as_str())) {
            let to = place(&dependency.name);
            if to.is_some_and(|to| !may_use(&package.name, from, &dependency.name, to, dependency.dev)) {
                let message = explain(&package.name, from, &dependency.name, dependency.dev);
                report.find("boundary", &manifest, dependency.line, message);
            }
        }
    }
    count_verifying(packages, &ours, report);
}

fn place(name: &str) -> Option<(usize, usize)> {
    ROWS.iter().enumerate().find_map(|(row, r)| Some((row, r.crates.iter().position(|c| *c == name)?)))
}

fn may_use(from: &str, (row, column): (usize, usize), to: &str, target: (usize, usize), dev: bool) -> bool {
    if dev && to == "testkit" {
        return true;
    }
    // The verifier's tests have to make what it verifies.
    if dev && from == "verifier" {
        return ROWS[target.0].name != "binary" && ROWS[target.0].name != "edges";
    }
    // A protocol engine or a certificate library beneath the evidence would be one more crate for an auditor to read. Only
    // the program around it judges timestamps, where it is given certificates.
    if VERIFYING.contains(&from)
        && ["wire", "timestamp"].contains(&to)
        && (from, to) != ("verifier", "timestamp")
    {
        return false;
    }
    target.0 > row || target.0 == row && ROWS[row].ordered && target.1 < column
}

fn explain(from: &str, (row, _): (usize, usize), to: &str, dev: bool) -> String {
    let row = &ROWS[row];
    let kind = if dev { "for tests " } else { "" };
    let order = match row.ordered {
        true => format!(", and in its own row ({}) those before it", row.crates.join(", ")),
        false => format!(", and none beside it ({})", row.crates.join(", ")),
    };
    let hint = match () {
        () if VERIFYING.contains(&from) => {
            "; the verifying crates know tlog, record, evidence and export only, the program also timestamp"
        }
        () if place(to).is_some_and(|(row, _)| ROWS[row].name == "support") => {
            "; support crates are never shipped"
        }
        () => "; move what both need down a row, or pass it in as an argument",
    };
    format!("{from} ({}) may not use {to} {kind}: a crate uses the rows below its own{order}{hint}", row.name)
        .replace(" :", ":")
}

fn count_verifying(packages: &[Package], ours: &BTreeSet<&str>, report: &mut Report) {
    let verifying = packages.iter().filter(|package| VERIFYING.contains(&package.name.as_str()));
    let needed: BTreeSet<&str> = verifying
        .flat_map(|package| &package.dependencies)
        .filter(|dependency| !dependency.dev && !ours.contains(dependency.name.as_str()))
        .map(|dependency| dependency.name.as_str())
        .collect();
    let list = Vec::from_iter(needed.iter().copied()).join(", ");
    let counted =
        format!("the verifying crates ({}) use {} others: {list}", VERIFYING.join(", "), needed.len());
    if needed.len() > VERIFYING_DEPENDENCIES_MAX {
        report.find("boundary", "Cargo.toml", 0, format!("{counted}; at most {VERIFYING_DEPENDENCIES_MAX}"));
    } else {
        report.note(counted);
    }
}
