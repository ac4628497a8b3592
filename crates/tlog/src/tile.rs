//! Hash tiles of 256 and where they are found: C2SP tlog-tiles, "Merkle Tree".

mod bundle;

use core::fmt;

use crate::hash::Hash;
use crate::text::{format_index_path, parse_index_path};

pub use bundle::{
    BundleError, MAX_ENTRY_LEN, bundle_path, bundles_for_size, decode_bundle, encode_bundle,
    parse_bundle_path,
};

/// Hashes in a full tile, and entries in a full bundle.
pub const TILE_WIDTH: u16 = 256;

/// Levels that a tree of at most 2^64 − 1 entries can reach.
pub(crate) const LEVELS: u8 = 8;

/// Names one tile: hash `i` of it is the root over entries `(256·index + i)·256^level ..` of length `256^level`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tile {
    /// 0 for leaf hashes; at most 63 by the specification.
    pub level: u8,
    /// Position within the level, counted from 0.
    pub index: u64,
    /// Hashes in it: 1 to 255 for a partial tile, 256 for a full one.
    pub width: u16,
}

impl Tile {
    /// The highest level that a path may name.
    pub const MAX_LEVEL: u8 = 63;

    /// Names a full tile.
    pub const fn full(level: u8, index: u64) -> Self {
        Self { level, index, width: TILE_WIDTH }
    }

    /// Whether it holds 256 hashes, and so never changes again.
    pub const fn is_full(&self) -> bool {
        self.width == TILE_WIDTH
    }

    /// Returns `tile/<L>/<N>` or `tile/<L>/<N>.p/<W>`, such as `tile/0/x001/x234/067.p/8`.
    pub fn path(&self) -> String {
        let mut path = format!("tile/{}/", self.level);
        format_index_path(&mut path, self.index, self.width);
        path
    }

    /// Parses what [`Tile::path`] writes; no other spelling of the same tile is accepted.
    pub fn parse(path: &str) -> Result<Self, TileError> {
        let parsed = path.strip_prefix("tile/").and_then(|rest| {
            let (level, rest) = rest.split_once('/')?;
            let level = level.parse().ok().filter(|level| *level <= Self::MAX_LEVEL)?;
            let (index, width) = parse_index_path(rest)?;
            Some(Self { level, index, width })
        });
        parsed.filter(|tile| tile.path() == path).ok_or(TileError::Path)
    }
}

/// Returns the number of full tiles at `level` in a tree of `size` entries.
pub const fn full_tiles(level: u8, size: u64) -> u64 {
    if level >= LEVELS - 1 { 0 } else { size >> (8 * (level as u32 + 1)) }
}

/// Returns the width, 0 to 255, of the partial tile at `level` in a tree of `size` entries; 0 means there is none.
pub const fn partial_width(level: u8, size: u64) -> u16 {
    if level >= LEVELS { 0 } else { ((size >> (8 * level as u32)) & 0xff) as u16 }
}

/// Lists every tile that a checkpoint of `size` implies: level by level from 0, each from left to right, the
/// partial tile of a level last.
pub fn tiles_for_size(size: u64) -> impl Iterator<Item = Tile> {
    (0..LEVELS).flat_map(move |level| {
        let full = full_tiles(level, size);
        let partial = match partial_width(level, size) {
            0 => None,
            width => Some(Tile { level, index: full, width }),
        };
        (0..full).map(move |index| Tile::full(level, index)).chain(partial)
    })
}

/// Returns the tile's bytes: its hashes one after the other.
pub fn encode_tile(hashes: &[Hash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * Hash::LEN);
    hashes.iter().for_each(|hash| bytes.extend_from_slice(hash.as_bytes()));
    bytes
}

/// Reads the hashes of a tile of exactly `width` hashes.
pub fn decode_tile(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    if width == 0 || width > TILE_WIDTH || bytes.len() != usize::from(width) * Hash::LEN {
        return Err(TileError::Length { expected: usize::from(width) * Hash::LEN, found: bytes.len() });
    }
    let (hashes, _) = bytes.as_chunks::<{ Hash::LEN }>();
    Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
}

/// Why a tile was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TileError {
    /// The path names no tile, or spells it in a second way.
    Path,
    /// The bytes are not the hashes of a tile of that width.
    Length {
        /// Bytes that the width asks for.
        expected: usize,
        /// Bytes at hand.
        found: usize,
    },
}

impl fmt::Display for TileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("not the path of a tile"),
            Self::Length { expected, found } => {
                write!(f, "tile has the wrong length: {found} bytes where {expected} are due")
            }
        }
    }
}

impl core::error::Error for TileError {}
