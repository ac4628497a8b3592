//! Building proofs and roots from tiles: RFC 6962 §2.1.1 and §2.1.2 over C2SP tlog-tiles.

use core::fmt;
use core::ops::Range;

use super::ProofError;
use crate::hash::{Hash, empty_root, node_hash};
use crate::tile::{TILE_WIDTH, Tile, full_tiles, partial_width};

/// Where tiles come from. A partial tile may be answered from a wider one: it is a prefix of it.
pub trait TileSource {
    /// What goes wrong in reading.
    type Error;

    /// Returns the `t.width` hashes of the tile, in order.
    fn tile(&self, t: Tile) -> Result<Vec<Hash>, Self::Error>;
}

/// Returns the proof that entry `index` is in the tree of `size` entries, leaf's sibling first (RFC 6962 §2.1.1).
///
/// Reads each tile once: one per level on the way up, and those along the right edge of the tree.
pub fn inclusion_proof<S: TileSource>(
    index: u64,
    size: u64,
    source: &S,
) -> Result<Vec<Hash>, ProofBuildError<S::Error>> {
    if index >= size {
        return Err(ProofBuildError::Request(ProofError::OutOfRange { index, size }));
    }
    let mut tiles = Tiles { size, source, read: Vec::new() };
    let mut proof = Vec::new();
    let mut around = 0..size;
    while around.end - around.start > 1 {
        let (left, right) = split(&around);
        let (onward, sibling) = if index < left.end { (left, right) } else { (right, left) };
        proof.push(tiles.root(sibling)?);
        around = onward;
    }
    proof.reverse();
    Ok(proof)
}

/// Returns the proof that the tree of `new` entries begins with the tree of `old` entries (RFC 6962 §2.1.2).
///
/// It is empty if `old` is 0 or equal to `new`.
pub fn consistency_proof<S: TileSource>(
    old: u64,
    new: u64,
    source: &S,
) -> Result<Vec<Hash>, ProofBuildError<S::Error>> {
    if old > new {
        return Err(ProofBuildError::Request(ProofError::Shrinking { old, new }));
    }
    let mut proof = Vec::new();
    if old == 0 {
        return Ok(proof);
    }
    let mut tiles = Tiles { size: new, source, read: Vec::new() };
    let mut around = 0..new;
    while around.end != old {
        let (left, right) = split(&around);
        let (onward, sibling) = if old <= left.end { (left, right) } else { (right, left) };
        proof.push(tiles.root(sibling)?);
        around = onward;
    }
    if around.start != 0 {
        proof.push(tiles.root(around)?); // else it is the old tree itself, whose root the verifier has
    }
    proof.reverse();
    Ok(proof)
}

/// Returns the root of the tree of `size` entries, read from the tiles along its right edge.
pub fn root_from_tiles<S: TileSource>(size: u64, source: &S) -> Result<Hash, ProofBuildError<S::Error>> {
    if size == 0 {
        return Ok(empty_root());
    }
    Tiles { size, source, read: Vec::new() }.root(0..size)
}

/// Splits a range of at least two leaves as RFC 6962 does: the left part is the largest power of two below it.
fn split(range: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let middle = range.start + (1 << (range.end - range.start - 1).ilog2());
    (range.start..middle, middle..range.end)
}

/// The tiles of a tree of `size` entries, each read at most once.
struct Tiles<'a, S> {
    size: u64,
    source: &'a S,
    read: Vec<(Tile, Vec<Hash>)>,
}

impl<S: TileSource> Tiles<'_, S> {
    /// Returns the root over a range that [`split`] made.
    fn root(&mut self, mut range: Range<u64>) -> Result<Hash, ProofBuildError<S::Error>> {
        // Such a range is a row of perfect subtrees, the largest on the left; fold them from the right.
        let mut root = None;
        while range.start < range.end {
            let height = (range.end - range.start).trailing_zeros();
            range.end -= 1 << height;
            let subtree = self.subtree(height, range.end >> height)?;
            root = Some(root.map_or(subtree, |right| node_hash(&subtree, &right)));
        }
        Ok(root.unwrap_or_else(empty_root))
    }

    /// Returns the root of the perfect subtree over leaves `position·2^height ..` of length `2^height`.
    fn subtree(&mut self, height: u32, position: u64) -> Result<Hash, ProofBuildError<S::Error>> {
        let level = (height / 8) as u8;
        let length = 1_usize << (height % 8);
        let first = position << (height % 8);
        let index = first / u64::from(TILE_WIDTH);
        let offset = (first % u64::from(TILE_WIDTH)) as usize;
        let width =
            if index < full_tiles(level, self.size) { TILE_WIDTH } else { partial_width(level, self.size) };
        let hashes = self.tile(Tile { level, index, width })?;
        let mut row = hashes[offset..offset + length].to_vec();
        while row.len() > 1 {
            row = row.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect();
        }
        Ok(row[0])
    }

    fn tile(&mut self, tile: Tile) -> Result<&[Hash], ProofBuildError<S::Error>> {
        let position = match self.read.iter().position(|(known, _)| *known == tile) {
            Some(position) => position,
            None => {
                let hashes =
                    self.source.tile(tile).map_err(|error| ProofBuildError::Source { tile, error })?;
                if hashes.len() != usize::from(tile.width) {
                    return Err(ProofBuildError::Width { tile, found: hashes.len() });
                }
                self.read.push((tile, hashes));
                self.read.len() - 1
            }
        };
        Ok(&self.read[position].1)
    }
}

/// Why no proof was built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProofBuildError<E> {
    /// There is no such proof: ask for something else.
    Request(ProofError),
    /// A tile could not be read.
    Source {
        /// The tile asked for.
        tile: Tile,
        /// What its source says.
        error: E,
    },
    /// A tile has another number of hashes than its name says.
    Width {
        /// The tile asked for.
        tile: Tile,
        /// Hashes in the answer.
        found: usize,
    },
}

impl<E> fmt::Display for ProofBuildError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Source { tile, .. } => write!(f, "tile cannot be read: {}", tile.path()),
            Self::Width { tile, found } => write!(f, "tile {} holds {found} hashes", tile.path()),
        }
    }
}

impl<E: core::error::Error + 'static> core::error::Error for ProofBuildError<E> {
    fn source(&self) -> Option<&(dyn core::error::Error + 'static)> {
        match self {
            Self::Source { error, .. } => Some(error),
            _ => None,
        }
    }
}
