//! That a run of entries is all there is between two indexes: the subtrees beside it, and the root they make together
//! (`docs/evidence-file.md` section 3). RFC 6962 trees and nothing new: an inclusion proof for a range.

use std::ops::Range;

use tlog::{Hash, ProofBuildError, TILE_WIDTH, Tile, TileSource, full_tiles, node_hash, partial_width};

/// A complete subtree: `number · 2^level .. (number + 1) · 2^level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// Its height.
    pub level: u32,
    /// How many of its size lie to the left of it.
    pub number: u64,
}

/// The complete subtrees that cover a range, from left to right, each the largest that begins there and does not reach
/// beyond the end.
pub fn cover(range: Range<u64>) -> Vec<Subtree> {
    let (mut at, mut found) = (range.start, Vec::new());
    while at < range.end {
        let fits = (range.end - at).ilog2();
        let level = if at == 0 { fits } else { fits.min(at.trailing_zeros()) };
        found.push(Subtree { level, number: at >> level });
        at += 1 << level;
    }
    found
}

/// The roots of the subtrees that [`cover`] the range, read from the tiles of a tree of `size` entries.
///
/// # Errors
/// A tile that cannot be read.
pub fn roots<S: TileSource>(
    range: Range<u64>,
    size: u64,
    source: &S,
) -> Result<Vec<Hash>, ProofBuildError<S::Error>> {
    cover(range).into_iter().map(|subtree| root_of(subtree, size, source)).collect()
}

fn root_of<S: TileSource>(
    subtree: Subtree,
    size: u64,
    source: &S,
) -> Result<Hash, ProofBuildError<S::Error>> {
    // Tiles are eight levels high: the subtree is a row of 1, 2, 4 … 128 hashes of one tile.
    let level = (subtree.level / 8) as u8;
    let length = 1_usize << (subtree.level % 8);
    let first = subtree.number << (subtree.level % 8);
    let (index, from) = (first / u64::from(TILE_WIDTH), (first % u64::from(TILE_WIDTH)) as usize);
    let width = match index < full_tiles(level, size) {
        true => TILE_WIDTH,
        false => partial_width(level, size),
    };
    let tile = Tile { level, index, width };
    let hashes = source.tile(tile).map_err(|error| ProofBuildError::Source { tile, error })?;
    let found = hashes.len();
    let mut row = hashes.get(from..from + length).ok_or(ProofBuildError::Width { tile, found })?.to_vec();
    while row.len() > 1 {
        row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
    }
    Ok(row[0])
}

/// Puts subtrees in a row from index 0 on, and merges neighbours into the tree's own.
#[derive(Clone, Debug, Default)]
pub struct Fold {
    size: u64,
    row: Vec<(Subtree, Hash)>,
}

impl Fold {
    /// Adds the subtree that begins where the last one ended; false if it does not.
    pub fn push(&mut self, mut subtree: Subtree, mut hash: Hash) -> bool {
        if subtree.level > 63 || subtree.number.checked_shl(subtree.level) != Some(self.size) {
            return false;
        }
        let Some(size) = self.size.checked_add(1 << subtree.level) else { return false };
        self.size = size;
        while let Some((left, root)) = self.row.last()
            && left.level == subtree.level
            && left.number % 2 == 0
        {
            hash = node_hash(root, &hash);
            subtree = Subtree { level: subtree.level + 1, number: left.number / 2 };
            self.row.pop();
        }
        self.row.push((subtree, hash));
        true
    }

    /// Adds a leaf.
    pub fn leaf(&mut self, hash: Hash) {
        self.push(Subtree { level: 0, number: self.size }, hash);
    }

    /// Entries so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// RFC 6962 section 2.1: folded from the right. `None` for no entries.
    pub fn root(&self) -> Option<Hash> {
        self.row.iter().rev().map(|(_, hash)| *hash).reduce(|right, left| node_hash(&left, &right))
    }
}
