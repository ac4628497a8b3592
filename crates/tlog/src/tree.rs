//! Two ways to the same root. They share the node hash and nothing else, so that a mistake in one shows.
//!
//! [`TileStack`] is the writer's: it keeps the rightmost tiles and hands out each tile that fills up.
//! [`Frontier`] is the checker's: the roots of the perfect subtrees along the right edge, RFC 6962 §2.1.

use core::fmt;

use crate::hash::{Hash, empty_root, node_hash};
use crate::tile::{LEVELS, TILE_WIDTH, Tile, partial_width};

const WIDTH: usize = TILE_WIDTH as usize;

/// The largest tree that can be restored; no running log reaches what is left above it.
pub const MAX_RESTORED_SIZE: u64 = i64::MAX as u64;

/// The rightmost tile of each level, from which the root and every new tile follow.
#[derive(Clone, Debug, Default)]
pub struct TileStack {
    size: u64,
    /// `edge[l]` holds the partial tile at level l: always `partial_width(l, size)` hashes, never 256.
    edge: Vec<Vec<Hash>>,
}

impl TileStack {
    /// Returns the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree of `size` entries where `edge[l]` holds the hashes of the partial tile at level l.
    ///
    /// Each width must be exactly what the size implies; levels left out count as empty.
    pub fn restore(size: u64, edge: Vec<Vec<Hash>>) -> Result<Self, RestoreError> {
        if size > MAX_RESTORED_SIZE {
            return Err(RestoreError::TooLarge { size });
        }
        for level in 0..edge.len().max(usize::from(LEVELS)) {
            let found = edge.get(level).map_or(0, Vec::len);
            let expected = u8::try_from(level).map_or(0, |level| usize::from(partial_width(level, size)));
            if found != expected {
                return Err(RestoreError::Width { level, expected, found });
            }
        }
        Ok(Self { size, edge })
    }

    /// Appends a leaf. Calls `full` with each tile that this leaf completes, lowest level first.
    pub fn push(&mut self, leaf: Hash, full: &mut impl FnMut(Tile, &[Hash])) {
        self.size += 1;
        let mut carried = leaf;
        for level in 0..LEVELS {
            let depth = usize::from(level);
            if self.edge.len() == depth {
                self.edge.push(Vec::with_capacity(WIDTH));
            }
            let tile = &mut self.edge[depth];
            tile.push(carried);
            if tile.len() < WIDTH {
                return;
            }
            full(Tile::full(level, (self.size >> (8 * (u32::from(level) + 1))) - 1), tile);
            carried = tile_root(tile);
            tile.clear();
        }
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the RFC 6962 root over all leaves.
    pub fn root(&self) -> Hash {
        let mut root = None;
        for tile in &self.edge {
            // A partial tile is a row of perfect subtrees, the largest on the left: the bits of its width.
            let mut end = tile.len();
            while end > 0 {
                let length = 1 << end.trailing_zeros();
                let subtree = tile_root(&tile[end - length..end]);
                root = Some(root.map_or(subtree, |right| node_hash(&subtree, &right)));
                end -= length;
            }
        }
        root.unwrap_or_else(empty_root)
    }

    /// Lists the partial tiles that a checkpoint at this size implies, lowest level first; empty ones left out.
    pub fn partials(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        (0..LEVELS).zip(&self.edge).filter(|(_, hashes)| !hashes.is_empty()).map(|(level, hashes)| {
            let index = self.size.checked_shr(8 * (u32::from(level) + 1)).unwrap_or(0);
            (Tile { level, index, width: partial_width(level, self.size) }, hashes.as_slice())
        })
    }
}

/// Returns the root over 1, 2, 4 … 256 hashes, combining neighbours row by row.
fn tile_root(hashes: &[Hash]) -> Hash {
    debug_assert!(hashes.len().is_power_of_two() && hashes.len() <= WIDTH);
    let [single] = hashes else {
        let mut row = [hashes[0]; WIDTH / 2];
        let mut length = hashes.len() / 2;
        for (parent, pair) in row.iter_mut().zip(hashes.chunks_exact(2)) {
            *parent = node_hash(&pair[0], &pair[1]);
        }
        while length > 1 {
            length /= 2;
            for position in 0..length {
                row[position] = node_hash(&row[2 * position], &row[2 * position + 1]);
            }
        }
        return row[0];
    };
    *single
}

/// The roots of the perfect subtrees that make up a tree, largest and leftmost first: one per set bit of the size.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    hashes: Vec<Hash>,
}

impl Frontier {
    /// Returns the empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes up a tree of `size` leaves from what [`Frontier::hashes`] gave.
    pub fn restore(size: u64, hashes: Vec<Hash>) -> Result<Self, RestoreError> {
        if size > MAX_RESTORED_SIZE {
            return Err(RestoreError::TooLarge { size });
        }
        let (expected, found) = (size.count_ones() as usize, hashes.len());
        if found != expected {
            return Err(RestoreError::Count { expected, found });
        }
        Ok(Self { size, hashes })
    }

    /// Appends a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut subtree = leaf;
        // Each trailing one bit is a subtree as large as the one at hand: the two become one.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                subtree = node_hash(&left, &subtree);
            }
        }
        self.hashes.push(subtree);
        self.size += 1;
    }

    /// Returns the number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Returns the RFC 6962 root over all leaves.
    pub fn root(&self) -> Hash {
        self.hashes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| node_hash(&left, &right))
            .unwrap_or_else(empty_root)
    }

    /// Returns the subtree roots, leftmost first.
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }
}

impl Extend<Hash> for Frontier {
    fn extend<I: IntoIterator<Item = Hash>>(&mut self, leaves: I) {
        leaves.into_iter().for_each(|leaf| self.push(leaf));
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut frontier = Self::new();
        frontier.extend(leaves);
        frontier
    }
}

/// Why stored hashes do not make a tree of the stated size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RestoreError {
    /// The size is above 2^63 − 1.
    TooLarge {
        /// The size asked for.
        size: u64,
    },
    /// A partial tile has another width than the size implies.
    Width {
        /// Level of the tile.
        level: usize,
        /// Hashes that the size implies.
        expected: usize,
        /// Hashes at hand.
        found: usize,
    },
    /// There is not one subtree root for each set bit of the size.
    Count {
        /// Hashes that the size implies.
        expected: usize,
        /// Hashes at hand.
        found: usize,
    },
}

impl fmt::Display for RestoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { size } => write!(f, "tree size is above {MAX_RESTORED_SIZE}: {size}"),
            Self::Width { level, expected, found } => {
                write!(f, "partial tile at level {level} should hold {expected} hashes, found {found}")
            }
            Self::Count { expected, found } => {
                write!(f, "right edge should hold {expected} hashes, found {found}")
            }
        }
    }
}

impl core::error::Error for RestoreError {}
