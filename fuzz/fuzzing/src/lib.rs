//! One function per parser that reads bytes from outside, and what must be true of it whatever they are.
//!
//! A fuzzer calls them from `fuzz/fuzz_targets`; the test `replay` calls them with the corpus on every run. None may
//! panic, and each asserts what its parser promises: what is read is written back the same, one spelling each.

mod evidence_formats;
mod export_formats;
mod record_formats;
pub mod seeds;
mod timestamp_formats;
mod tlog_formats;
mod wire_formats;

/// A body: takes any bytes and returns, or panics because a promise is broken.
pub type Target = fn(&[u8]);

/// Every target by the name of its corpus folder and of its file in `fuzz/fuzz_targets`.
pub const TARGETS: [(&str, Target); 26] = [
    ("json", record_formats::json),
    ("canonical", record_formats::canonical),
    ("facet", record_formats::facet),
    ("receipt", record_formats::receipt),
    ("control", record_formats::control),
    ("entry", record_formats::entry),
    ("note", tlog_formats::note),
    ("checkpoint", tlog_formats::checkpoint),
    ("proof", tlog_formats::proof),
    ("vkey", tlog_formats::vkey),
    ("tile_path", tlog_formats::tile_path),
    ("bundle", tlog_formats::bundle),
    ("token", timestamp_formats::token),
    ("ots", timestamp_formats::ots),
    ("policy", tlog_formats::policy),
    ("add_checkpoint", tlog_formats::add_checkpoint),
    ("witness_answer", tlog_formats::witness_answer),
    ("wal_scan", evidence_formats::wal_scan),
    ("wal_group", evidence_formats::wal_group),
    ("segment", evidence_formats::segment),
    ("block", evidence_formats::block),
    ("state_file", evidence_formats::state_file),
    ("file_name", evidence_formats::file_name),
    ("evidence_file", export_formats::evidence_file),
    ("split", wire_formats::split),
    ("map", wire_formats::map),
];

/// Runs the target of this name; there is none of another.
///
/// # Panics
/// If a promise is broken, or no target has this name.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    let (_, body) = target.unwrap_or_else(|| panic!("no such target: {name}"));
    body(input);
}
