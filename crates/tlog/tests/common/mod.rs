//! The reference that everything is measured against: RFC 6962 word by word, recursive, slow and plain.
#![allow(dead_code, reason = "each test program uses its own part")]

use std::cell::RefCell;
use std::collections::BTreeMap;

use proptest::test_runner::{Config, RngSeed};
use tlog::{Hash, Tile, TileSource, TileStack, empty_root, leaf_hash, node_hash, tiles_for_size};

/// Runs a property this often, always on the same inputs; PROPTEST_RNG_SEED and PROPTEST_CASES ask for others.
pub fn cases(count: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x1ed6_e757);
    }
    config
}

/// Returns leaf hashes that all differ.
pub fn leaves(size: u64) -> Vec<Hash> {
    (0..size).map(|index| leaf_hash(&entry(index))).collect()
}

/// Returns the entry whose hash [`leaves`] gives.
pub fn entry(index: u64) -> Vec<u8> {
    format!("entry {index}").into_bytes()
}

/// RFC 6962 §2.1: the root over a list of leaf hashes.
pub fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [single] => *single,
        _ => {
            let (left, right) = leaves.split_at(middle(leaves.len() as u64) as usize);
            node_hash(&root(left), &root(right))
        }
    }
}

/// RFC 6962 §2.1.1: PATH(m, D[n]).
pub fn path(m: u64, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = middle(leaves.len() as u64);
    let (left, right) = leaves.split_at(k as usize);
    let (mut proof, sibling) = if m < k { (path(m, left), right) } else { (path(m - k, right), left) };
    proof.push(root(sibling));
    proof
}

/// RFC 6962 §2.1.2: SUBPROOF(m, D[n], whole).
pub fn subproof(m: u64, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() as u64 {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = middle(leaves.len() as u64);
    let (left, right) = leaves.split_at(k as usize);
    let (mut proof, sibling) =
        if m <= k { (subproof(m, left, whole), right) } else { (subproof(m - k, right, false), left) };
    proof.push(root(sibling));
    proof
}

/// Undoes [`path`]: the root that leaf and proof lead to, if the proof has the right length.
pub fn root_by_inclusion(m: u64, n: u64, leaf: Hash, proof: &[Hash]) -> Option<Hash> {
    if n == 1 {
        return proof.is_empty().then_some(leaf);
    }
    let k = middle(n);
    let (sibling, rest) = proof.split_last()?;
    Some(if m < k {
        node_hash(&root_by_inclusion(m, k, leaf, rest)?, sibling)
    } else {
        node_hash(sibling, &root_by_inclusion(m - k, n - k, leaf, rest)?)
    })
}

/// Undoes [`subproof`]: the old and the new root that the proof leads to, if it has the right length.
pub fn roots_by_consistency(m: u64, n: u64, old_root: Option<Hash>, proof: &[Hash]) -> Option<(Hash, Hash)> {
    if m == n {
        let subtree = match (old_root, proof) {
            (Some(root), []) => root,
            (None, [single]) => *single,
            _ => return None,
        };
        return Some((subtree, subtree));
    }
    let k = middle(n);
    let (sibling, rest) = proof.split_last()?;
    if m <= k {
        let (old, new) = roots_by_consistency(m, k, old_root, rest)?;
        Some((old, node_hash(&new, sibling)))
    } else {
        let (old, new) = roots_by_consistency(m - k, n - k, None, rest)?;
        Some((node_hash(sibling, &old), node_hash(sibling, &new)))
    }
}

/// The largest power of two below n.
pub fn middle(n: u64) -> u64 {
    let mut k = 1;
    while k < n - k {
        k *= 2;
    }
    k
}

/// Every tile of one log, as its writer handed them out, and which of them were read.
pub struct Tiles {
    size: u64,
    full: BTreeMap<(u8, u64), Vec<Hash>>,
    reads: RefCell<Vec<Tile>>,
}

impl Tiles {
    /// Writes the tiles of a log with these leaves.
    pub fn new(leaves: &[Hash]) -> Self {
        let mut full = BTreeMap::new();
        let mut stack = TileStack::new();
        for leaf in leaves {
            stack.push(*leaf, &mut |tile, hashes| {
                assert!(full.insert((tile.level, tile.index), hashes.to_vec()).is_none(), "{tile:?} twice");
            });
        }
        for (tile, hashes) in stack.partials() {
            full.insert((tile.level, tile.index), hashes.to_vec());
        }
        Self { size: stack.size(), full, reads: RefCell::default() }
    }

    /// Pretends the log ends earlier: wider partial tiles remain, as on a server, but are not asked for.
    pub fn at(&mut self, size: u64) -> &Self {
        self.size = size;
        self
    }

    /// Returns what was read since the last call; asserts that nothing was read twice.
    pub fn take_reads(&self) -> Vec<Tile> {
        let mut reads = self.reads.take();
        reads.sort();
        let all = reads.len();
        reads.dedup();
        assert_eq!(reads.len(), all, "a tile was read twice");
        reads
    }

    /// Returns the hashes of a tile that the log has at its present size.
    pub fn hashes(&self, tile: Tile) -> Option<&[Hash]> {
        let implied = tiles_for_size(self.size).any(|known| known == tile);
        self.full.get(&(tile.level, tile.index)).filter(|_| implied)?.get(..usize::from(tile.width))
    }
}

impl TileSource for Tiles {
    type Error = String;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, String> {
        self.reads.borrow_mut().push(tile);
        self.hashes(tile).map(<[_]>::to_vec).ok_or(format!("no {} at size {}", tile.path(), self.size))
    }
}
