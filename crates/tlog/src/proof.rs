//! Inclusion and consistency proofs: building them from tiles, and checking them with code that shares nothing
//! with the building.

mod build;
mod verify;

pub use build::{ProofBuildError, TileSource, consistency_proof, inclusion_proof, root_from_tiles};
pub use verify::{ProofError, verify_consistency, verify_inclusion};
