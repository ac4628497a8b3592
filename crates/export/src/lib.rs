//! The evidence file: records and their proofs in one archive, for somebody who was not there.
//!
//! Bytes in, bytes out: [`Writer`] streams an archive into whatever takes bytes, [verifying] reads one from whatever gives
//! them, from several threads, and holds no more than a part of it. No file, no clock, no randomness. The format is
//! `docs/evidence-file.md`; two verifiers that share no code with this one are in `verifiers/`.
//!
//! [`zip`] is the container, [`row`] a record in it, [`range`] the proof that no index is missing, [`manifest`] what is
//! signed, [`mod@verify`] all checks, [`mod@compare`] holds
//! several files against each other.

pub mod anchors;
pub mod compare;
pub mod manifest;
pub mod note;
pub mod range;
pub mod row;
pub mod text;
pub mod verify;
pub mod zip;

mod people;
mod scan;
mod tally;
mod writer;

pub use manifest::{Counts, Manifest, Selection, SourceCount};
pub use people::utc;
pub use row::Record;
pub use verify::{Options, Report, verify};
pub use writer::{About, Finished, WriteError, Writer, is_kept};
pub use zip::Source;

/// First bytes of every evidence file: a ZIP whose first member is this one.
pub const MAGIC: &[u8] = b"PK\x03\x04";

/// Whether a file that begins with these bytes may be an evidence file; 40 of them are enough.
pub fn is_evidence(beginning: &[u8]) -> bool {
    beginning.starts_with(MAGIC) && beginning.get(30..40) == Some(b"README.txt")
}
