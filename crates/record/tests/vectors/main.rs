//! The vectors published in `docs/vectors/record`: made here, compared with what is in the tree, and checked by an
//! implementation that shares no code with this one. `BLESS=1 cargo test -p record --test vectors` writes them anew.

mod canonical;
mod receipts;
mod records;
mod splits;

use record::json::{Object, Value};
use std::path::PathBuf;
use std::process::Command;

#[test]
fn facet_table() {
    published("facet-table-v1.txt", record::facet::table_text());
}

#[test]
fn canonical_json() {
    published_cases("canonical.json", canonical::cases());
}

#[test]
fn splits_of_events() {
    published_cases("splits.json", splits::cases());
}

#[test]
fn records_of_every_kind() {
    published_cases("records.json", records::cases());
}

#[test]
fn openings_of_stored_records() {
    published_cases("openings.json", records::openings());
}

#[test]
fn entries_that_are_none() {
    published_cases("entries.json", records::entries());
}

#[test]
fn receipts_good_and_bad() {
    published_cases("receipts.json", receipts::cases());
}

/// Goal: two implementations agree on every published case. Method: the other one reads the files by itself.
#[test]
fn python_agrees() {
    let script = root().join("verifiers/python/ledgerstone_vectors.py");
    let run = match Command::new("python3").arg(script).output() {
        Ok(run) => run,
        Err(error) => return println!("SKIPPED: no python3: {error}"),
    };
    let said = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{said}{}", String::from_utf8_lossy(&run.stderr));
    assert!(said.contains(", 0 failed"), "{said}");
}

/// One case a line, so that a change shows as the lines it changes.
fn published_cases(name: &str, cases: Vec<Object<'static>>) {
    let lines: Vec<_> = cases.iter().map(|case| text(&record::canonical::object(case))).collect();
    published(name, format!("[\n{}\n]\n", lines.join(",\n")));
}

fn published(name: &str, made: String) {
    let path = root().join("docs/vectors/record").join(name);
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &made).expect("vectors can be written");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(found.lines()).position(|(made, found)| made != found);
    assert!(
        made == found,
        "docs/vectors/record/{name} is not what this code makes, first in line {}; if the format was meant to change, \
         BLESS=1 writes it anew",
        differs.unwrap_or(made.lines().count().min(found.lines().count())) + 1
    );
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A case that starts with its name.
fn case(name: &str) -> Object<'static> {
    Object::from_iter([("name", name.to_owned())])
}

fn hex(bytes: &[u8]) -> Value<'static> {
    Value::from(bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn hexes<'b>(all: impl IntoIterator<Item = &'b [u8]>) -> Value<'static> {
    Value::Array(all.into_iter().map(hex).collect())
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("canonical json is utf-8")
}
