//! OpenTimestamps: that data existed before a Bitcoin block, checked with nothing but the block's header.
//!
//! A [`DetachedFile`] (`.ots`) is a tree of operations that lead from the digest of a file to what someone attests:
//! a calendar, which promises a block for later, or a Bitcoin block, whose header holds the result as its Merkle root.
//! Nobody has to be trusted for the latter, and it takes hours. The tree is read as the reference implementation
//! reads it and written byte for byte as it writes it.
//!
//! ```
//! use timestamp::ots::{Attestation, DetachedFile, calendar};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let digest = timestamp::digest(b"the body of a checkpoint\n");
//! let mut file = DetachedFile::start(digest, [7; 16]); // in earnest: 16 random bytes
//! let commitment = file.commitment().ok_or("just started")?;
//! let request = calendar::submit("https://calendar.example", &commitment)?;
//! assert_eq!((request.method, request.path.as_str(), request.body.len()), ("POST", "/digest", 32));
//! # let answer = b"\x00\x83\xdf\xe3\x0d\x2e\xf9\x0c\x8e\x19\x18https://calendar.example";
//! file.add(&commitment, &calendar::answer(&commitment, answer)?)?;
//! assert!(matches!(file.attestations()[0].1, Attestation::Pending { .. }));
//! let written = file.to_bytes()?;
//! assert_eq!(DetachedFile::parse(&written)?, file);
//! # Ok(())
//! # }
//! ```

mod attestation;
pub mod calendar;
mod codec;
mod error;
mod file;
mod op;
mod tree;

pub use attestation::{Attestation, BlockHeader, BlockTime};
pub use error::OtsError;
pub use file::{DetachedFile, MAX_FILE_LEN};
pub use op::Op;
pub use tree::Tree;
