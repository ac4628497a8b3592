//! Verifies a store, an evidence file or a receipt on this machine: the I/O around the verifying crates, and nothing else. It
//! links no network code; an auditor can build and read it alone.

mod compare;
mod directory;
mod handed;
mod limits;
mod ots;
mod output;
mod predecessor;
mod receipt;
mod stamped;
mod stamps;

use std::path::Path;

use evidence::verify::{Medium, Progress, Report, Settings, verify_store};
use tlog::note::VerifierKey;

pub use compare::{Compared, compare_files, compared_json, compared_text, is_comparable};
pub use directory::Directory;
pub use evidence::verify::{Anchor, Verdict, hold_against, hold_against_policy};
pub use handed::{
    evidence_json, evidence_notes, evidence_text, is_evidence_file, verify_evidence, verify_evidence_by,
    verify_evidence_with,
};
pub use limits::{Limits, limits};
pub use ots::{OtsReport, is_ots_file, ots_json, ots_text, parse_header, verify_ots};
pub use output::{json, receipt_json, receipt_text, text};
pub use predecessor::hold_predecessor;
pub use receipt::{ReceiptReport, verify_receipt, verify_receipt_with};
pub use stamps::{TimeStampAuthorities, judge_timestamps, write_timestamps};

/// Verifies the store in a directory.
///
/// `keys` is its key directory; without one, or if it does not exist, payloads are not opened. `key` is a
/// verification key from outside the store. `progress` is told done and total entries.
pub fn verify_dir(
    data: &Path,
    keys: Option<&Path>,
    key: Option<&VerifierKey>,
    progress: Progress<'_>,
) -> Report {
    let data = Directory::new(data);
    let keys = keys.filter(|keys| keys.is_dir()).map(Directory::new);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let settings = Settings { key, threads, progress };
    let stamped = stamped::list(&data);
    let mut report = verify_store(&data, keys.as_ref().map(|keys| keys as &dyn Medium), &settings);
    stamped::check(&data, &stamped, &mut report);
    report.bytes = data.bytes_read();
    report
}

/// The key directory that belongs to a data directory unless another was chosen: beside it, with `-keys` appended.
pub fn default_keys(data: &Path) -> std::path::PathBuf {
    let data = data.canonicalize().unwrap_or_else(|_| data.to_owned());
    let mut name = data.file_name().unwrap_or_default().to_owned();
    name.push("-keys");
    data.with_file_name(name)
}
