//! The event: what is recorded, how it is committed to, and what a producer gets back.
//!
//! Bytes in, bytes out: no file, no clock, no randomness, so that the writer, the verifier and an auditor's own tool share
//! one reading of the format. DESIGN section 3 is the source; `docs/vectors/README.md` gives the formulas to those who
//! write a reader of their own, and the vectors beside it test it.
//!
//! The way of an event: [`json`] reads what came in, [`facet`] takes it apart into [`canonical`] parts, [`mod@commit`]
//! hashes them under salts, [`entry`] is what goes into the tree, [`stored`] what is kept, and [`receipt`] what
//! goes back. [`control`] holds the records by which the ledger speaks of itself.

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
