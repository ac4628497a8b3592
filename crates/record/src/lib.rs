//! The event: what is recorded, how it is committed to, and what a producer gets back.
//!
//! Bytes in, bytes out: no file, no clock, no randomness, so that the writer, the verifier and an auditor's own tool share
//! one reading of the format. DESIGN section 3 is the source; `docs/vectors/README.md` gives the formulas to those who
//! write a reader of their own, and the vectors beside it test it.
//!
//! The way of an event: [`json`] reads what came in, [`facet`] takes it apart into [`canonical`] parts, [`mod@commit`]
//! hashes them under salts, [`entry`] is what goes into the tree, [`stored`] what is kept, and [`receipt`] what
//! goes back. [`control`] holds the records by which the ledger speaks of itself.
//!
//! ```
//! use record::commit::{Seed, commitment, facet_digest, salts};
//! use record::entry::{Entry, Kind};
//! use record::facet::{Facet, Stamp, TABLE_VERSION, split};
//! use record::stored::{self, Opening};
//!
//! let raw = br#"{"time":1767225600123,"actor":{"user":{"uid":"u1"}},"api":{"operation":"Get"}}"#;
//! let draft = split(&record::json::parse(raw)?);
//!
//! // The ledger puts the event in order and says so inside `when`.
//! let stamp = Stamp { received_ms: 1_767_225_600_456, source: 1, epoch: 1, sequence: 1 };
//! let mut when = Vec::new();
//! draft.when.write_stamped(&stamp, &mut when);
//!
//! let (ledger_id, seed) = ([7; 32], Seed::from_bytes([9; 16]));
//! let salts = salts(&seed);
//! let facets: [&[u8]; 6] = [&when, &draft.who, &draft.what, &draft.content, &draft.where_, raw];
//! let digests = Facet::ALL.map(|f| facet_digest(f, &salts[f as usize], facets[f as usize]));
//! let entry = Entry {
//!     kind: Kind::Event,
//!     received_ms: stamp.received_ms,
//!     source: stamp.source,
//!     epoch: stamp.epoch,
//!     sequence: stamp.sequence,
//!     commitment: commitment(&ledger_id, TABLE_VERSION, &digests),
//! };
//! assert_eq!(entry.encode().len(), 58);
//! assert_eq!(stored::check(&entry, &ledger_id, &Opening::Seed(seed), &facets), Ok(()));
//! # Ok::<(), record::json::JsonError>(())
//! ```

pub mod canonical;
pub mod json;

pub mod commit;
pub mod entry;
pub mod facet;

pub mod control;
pub mod receipt;
pub mod stored;

mod hex;

#[cfg(test)]
mod testing;
