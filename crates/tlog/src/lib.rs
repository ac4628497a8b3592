//! The transparency-log formats of C2SP, and nothing else.
//!
//! Bytes in, bytes out: hashes, trees, tiles, proofs, signed notes, checkpoints and cosignatures. No file, no
//! clock, no randomness, so the same code serves the writer, the verifier and an auditor who reads it in an
//! afternoon.
//!
//! Two rules shape the crate. What is *made* and what is *checked* never share code: [`TileStack`] and
//! [`Frontier`] compute the same root along different paths, and [`verify_inclusion`] knows nothing of
//! [`inclusion_proof`]. And every text has one spelling: a parser accepts exactly what the formatter writes.
//!
//! ```
//! use tlog::{Checkpoint, Origin, SigningKey, TileStack, UnverifiedCheckpoint, leaf_hash, sign_checkpoint};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut tree = TileStack::new();
//! for entry in ["first", "second", "third"] {
//!     tree.push(leaf_hash(entry.as_bytes()), &mut |tile, hashes| { /* store the full tile */ });
//! }
//! let key = SigningKey::from_seed("example.com/log", [7; 32])?; // in earnest: 32 random bytes
//! let checkpoint = Checkpoint { origin: Origin::new(key.name())?, size: tree.size(), root: tree.root() };
//! let note = sign_checkpoint(&checkpoint, &key);
//!
//! let vkey = key.verifying_key().clone(); // from outside the log, for whoever verifies
//! let verified = UnverifiedCheckpoint::parse(note.as_bytes())?.verify("example.com/log", &[vkey], &[])?;
//! assert_eq!(verified.checkpoint(), &checkpoint);
//! # Ok(())
//! # }
//! ```
//!
//! Sources: RFC 6962 and RFC 9162 for the tree and its proofs; C2SP `signed-note`, `tlog-checkpoint`,
//! `tlog-cosignature`, `tlog-tiles`, `tlog-proof`, `tlog-witness` and `tlog-policy` for the rest, but for changes of a log's key, which are ours: `docs/format.md`, section 10.

pub mod hash;
pub mod tree;

pub mod proof;
pub mod tile;

pub mod checkpoint;
pub mod key_change;
pub mod note;
pub mod tlog_proof;

pub mod policy;
pub mod witness;

mod text;

pub use checkpoint::{
    Checkpoint, CheckpointError, CosigningKey, Origin, UnverifiedCheckpoint, VerifiedCheckpoint,
    cosignature_message, sign_checkpoint,
};
pub use hash::{Hash, ParseHashError, empty_root, leaf_hash, node_hash};
pub use key_change::{KeyChange, KeyChangeError, KeyHistory, KeyStatement};
pub use note::{
    Algorithm, KeyError, KeyId, Note, NoteError, Signature, SigningKey, VerifiedNote, VerifiedSignature,
    VerifierKey,
};
pub use policy::{Policy, PolicyError, PolicyLog, PolicyMistake, PolicyWitness, Quorum};
pub use proof::{
    ProofBuildError, ProofError, TileSource, consistency_proof, inclusion_proof, root_from_tiles,
    verify_consistency, verify_inclusion,
};
pub use tile::{
    BundleError, MAX_ENTRY_LEN, TILE_WIDTH, Tile, TileError, bundle_path, bundles_for_size, decode_bundle,
    decode_tile, encode_bundle, encode_tile, full_tiles, parse_bundle_path, partial_width, tiles_for_size,
};
pub use tlog_proof::{TlogProof, TlogProofError};
pub use tree::{Frontier, RestoreError, TileStack};
pub use witness::{AddCheckpoint, WitnessError, check_cosignatures, origin_hash};
