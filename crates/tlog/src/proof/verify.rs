//! Checking proofs, written from RFC 9162 §2.1.3.2 and §2.1.4.2 alone: nothing here is shared with the code that
//! builds them.

use core::fmt;

use crate::hash::{Hash, empty_root, node_hash};

/// Checks that `leaf` is entry `index` of the tree of `size` entries with this `root` (RFC 9162 §2.1.3.2).
///
/// `proof` begins with the leaf's sibling and ends with a child of the root.
pub fn verify_inclusion(
    index: u64,
    size: u64,
    leaf: &Hash,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange { index, size });
    }
    let (mut fnode, mut snode) = (index, size - 1);
    let mut computed = *leaf;
    for sibling in proof {
        if snode == 0 {
            return Err(ProofError::TooLong { found: proof.len() });
        }
        if is_odd(fnode) || fnode == snode {
            computed = node_hash(sibling, &computed);
            while !is_odd(fnode) && fnode != 0 {
                (fnode, snode) = (fnode >> 1, snode >> 1);
            }
        } else {
            computed = node_hash(&computed, sibling);
        }
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    if snode != 0 {
        return Err(ProofError::TooShort { found: proof.len() });
    }
    if computed != *root {
        return Err(ProofError::Root { size, computed });
    }
    Ok(())
}

/// Checks that the tree of `new` entries begins with the tree of `old` entries (RFC 9162 §2.1.4.2).
///
/// From an empty tree and between equal sizes the proof is empty, as C2SP tlog-witness has it. The root of an
/// empty tree must be [`empty_root`].
pub fn verify_consistency(
    old: u64,
    new: u64,
    old_root: &Hash,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::Shrinking { old, new });
    }
    if old == 0 && *old_root != empty_root() {
        return Err(ProofError::Root { size: 0, computed: empty_root() });
    }
    if old == 0 || old == new {
        return match proof {
            [] if old == new && old_root != new_root => {
                Err(ProofError::Root { size: new, computed: *old_root })
            }
            [] => Ok(()),
            _ => Err(ProofError::TooLong { found: proof.len() }),
        };
    }
    // A perfect old tree is its own first node, so the proof leaves it out.
    let (start, rest) = match proof.split_first() {
        None => return Err(ProofError::TooShort { found: 0 }),
        Some(_) if old.is_power_of_two() => (old_root, proof),
        Some((first, rest)) => (first, rest),
    };
    let (mut fnode, mut snode) = (old - 1, new - 1);
    while is_odd(fnode) {
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    let (mut old_computed, mut new_computed) = (*start, *start);
    for node in rest {
        if snode == 0 {
            return Err(ProofError::TooLong { found: proof.len() });
        }
        if is_odd(fnode) || fnode == snode {
            old_computed = node_hash(node, &old_computed);
            new_computed = node_hash(node, &new_computed);
            while !is_odd(fnode) && fnode != 0 {
                (fnode, snode) = (fnode >> 1, snode >> 1);
            }
        } else {
            new_computed = node_hash(&new_computed, node);
        }
        (fnode, snode) = (fnode >> 1, snode >> 1);
    }
    if snode != 0 {
        return Err(ProofError::TooShort { found: proof.len() });
    }
    if old_computed != *old_root {
        return Err(ProofError::Root { size: old, computed: old_computed });
    }
    if new_computed != *new_root {
        return Err(ProofError::Root { size: new, computed: new_computed });
    }
    Ok(())
}

const fn is_odd(number: u64) -> bool {
    number & 1 == 1
}

/// Why a proof proves nothing. To the caller all of these mean the same: not shown to be so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofError {
    /// The entry is not in a tree of that size at all.
    OutOfRange {
        /// The entry asked for.
        index: u64,
        /// Entries in the tree.
        size: u64,
    },
    /// The tree that should be the newer one is smaller.
    Shrinking {
        /// Entries in the older tree.
        old: u64,
        /// Entries in the newer tree.
        new: u64,
    },
    /// The two trees are of different logs.
    OtherLog,
    /// The proof has fewer hashes than the tree asks for.
    TooShort {
        /// Hashes in the proof.
        found: usize,
    },
    /// The proof has more hashes than the tree asks for.
    TooLong {
        /// Hashes in the proof.
        found: usize,
    },
    /// The hashes lead to another root than the one given.
    Root {
        /// The tree whose root was missed.
        size: u64,
        /// The root that the proof leads to.
        computed: Hash,
    },
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OutOfRange { index, size } => write!(f, "entry {index} is not in a tree of {size} entries"),
            Self::Shrinking { old, new } => write!(f, "tree shrinks from {old} to {new} entries"),
            Self::OtherLog => f.write_str("the trees are of different logs"),
            Self::TooShort { found } => write!(f, "proof is too short: {found} hashes"),
            Self::TooLong { found } => write!(f, "proof is too long: {found} hashes"),
            Self::Root { size, computed } => {
                write!(f, "proof leads to another root of the tree of {size} entries: {computed}")
            }
        }
    }
}

impl core::error::Error for ProofError {}
