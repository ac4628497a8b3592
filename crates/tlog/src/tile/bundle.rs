//! Entry bundles: up to 256 entries in one object, C2SP tlog-tiles, "Log entries".

use core::fmt;

use super::{TILE_WIDTH, Tile, TileError, full_tiles, partial_width};
use crate::text::{format_index_path, parse_index_path};

/// The longest entry, in bytes, that a bundle can hold.
pub const MAX_ENTRY_LEN: usize = u16::MAX as usize;

/// Returns `tile/entries/<N>` or `tile/entries/<N>.p/<W>`; `width` is 256 for a full bundle.
pub fn bundle_path(index: u64, width: u16) -> String {
    let mut path = String::from("tile/entries/");
    format_index_path(&mut path, index, width);
    path
}

/// Parses what [`bundle_path`] writes into index and width; no other spelling is accepted.
pub fn parse_bundle_path(path: &str) -> Result<(u64, u16), TileError> {
    path.strip_prefix("tile/entries/")
        .and_then(parse_index_path)
        .filter(|&(index, width)| bundle_path(index, width) == path)
        .ok_or(TileError::Path)
}

/// Lists index and width of every bundle that a checkpoint of `size` implies, from left to right.
pub fn bundles_for_size(size: u64) -> impl Iterator<Item = (u64, u16)> {
    let full = full_tiles(0, size);
    let partial = Some((full, partial_width(0, size))).filter(|(_, width)| *width != 0);
    (0..full).map(|index| (index, TILE_WIDTH)).chain(partial)
}

/// The bundle beside a level-0 tile holds the entries of that tile.
impl Tile {
    /// Returns the path of the bundle whose entries this level-0 tile hashes.
    pub fn bundle_path(&self) -> String {
        bundle_path(self.index, self.width)
    }
}

/// Returns the bytes of a bundle: each entry behind its length as two big-endian bytes.
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    if entries.is_empty() || entries.len() > usize::from(TILE_WIDTH) {
        return Err(BundleError::Count { found: entries.len() });
    }
    let mut bundle = Vec::with_capacity(entries.iter().map(|entry| 2 + entry.as_ref().len()).sum());
    for (position, entry) in entries.iter().enumerate() {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len())
            .map_err(|_| BundleError::EntryTooLong { position, length: entry.len() })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Splits a bundle into its entries, in order. The caller compares their number with the width of the path.
pub fn decode_bundle(bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bundle;
    while !rest.is_empty() {
        if entries.len() == usize::from(TILE_WIDTH) {
            return Err(BundleError::Count { found: entries.len() + 1 });
        }
        let split = rest
            .split_first_chunk::<2>()
            .and_then(|(length, rest)| rest.split_at_checked(usize::from(u16::from_be_bytes(*length))));
        let (entry, after) = split
            .ok_or(BundleError::Truncated { position: entries.len(), offset: bundle.len() - rest.len() })?;
        entries.push(entry);
        rest = after;
    }
    if entries.is_empty() {
        return Err(BundleError::Count { found: 0 });
    }
    Ok(entries)
}

/// Why a bundle was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BundleError {
    /// A bundle holds 1 to 256 entries; counting stops at 257.
    Count {
        /// Entries found.
        found: usize,
    },
    /// An entry does not fit its two-byte length.
    EntryTooLong {
        /// Position of the entry within the bundle.
        position: usize,
        /// Its length in bytes.
        length: usize,
    },
    /// The bytes end inside an entry.
    Truncated {
        /// Position of that entry within the bundle.
        position: usize,
        /// Byte at which that entry begins.
        offset: usize,
    },
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { found } => write!(f, "a bundle holds 1 to 256 entries, found {found}"),
            Self::EntryTooLong { position, length } => {
                write!(f, "entry {position} is longer than {MAX_ENTRY_LEN} bytes: {length}")
            }
            Self::Truncated { position, offset } => {
                write!(f, "bundle ends inside entry {position}, which begins at byte {offset}")
            }
        }
    }
}

impl core::error::Error for BundleError {}
