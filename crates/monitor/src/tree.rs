//! The tree of a checkpoint, read from tiles of which none is believed.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tlog::{
    Frontier, Hash, TILE_WIDTH, Tile, TileSource, bundle_path, consistency_proof, decode_bundle, decode_tile,
    encode_bundle, full_tiles, leaf_hash, partial_width, root_from_tiles,
};

use crate::source::{FetchError, MAX_BUNDLE, Source};

const WIDTH: u64 = TILE_WIDTH as u64;
/// Levels of tiles that a tree of less than 2^64 entries has.
const LEVELS: u8 = 8;
/// Bytes that are kept of what is bad: any tile is shorter, and a log must not fill memory or disk with it.
const KEPT_BAD: usize = 256 << 10;
/// Tiles above the leaves that are kept in memory.
const KEPT: usize = 1024;

/// Full tiles above the leaves, by level and index.
type KeptTiles = BTreeMap<(u8, u64), Arc<[Hash]>>;

/// A resource that is not what the checkpoint commits to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bad {
    /// Its path; several, with commas between, where it is one of them.
    pub path: String,
    /// What is wrong with it.
    pub what: String,
    /// First entry that it concerns, and the one behind the last.
    pub entries: (u64, u64),
    /// What was served instead, its first 256 KiB; nothing, if nothing was.
    pub bytes: Option<Vec<u8>>,
}

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {}, entries {} to {}",
            self.path,
            self.what,
            self.entries.0,
            self.entries.1.saturating_sub(1)
        )
    }
}

/// Why a part of a tree can't be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TreeError {
    /// Nothing is known about it: try later.
    Fetch(FetchError),
    /// The log serves something else, or nothing.
    Bad(Box<Bad>),
}

impl From<FetchError> for TreeError {
    fn from(error: FetchError) -> TreeError {
        TreeError::Fetch(error)
    }
}

impl fmt::Display for TreeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TreeError::Fetch(error) => error.fmt(f),
            TreeError::Bad(bad) => bad.fmt(f),
        }
    }
}

impl std::error::Error for TreeError {}

/// The tree of `size` entries under `root`. Whatever it gives was shown to lead to that root.
pub struct Tree<'s> {
    source: &'s dyn Source,
    /// Asked first for what never changes, and not believed either.
    near: Option<&'s dyn Source>,
    size: u64,
    root: Hash,
    /// The partial tile of each level that has one.
    edge: BTreeMap<u8, Vec<Hash>>,
    kept: Mutex<KeptTiles>,
}

impl<'s> Tree<'s> {
    /// Reads the right edge of a tree and checks that it leads to the root.
    ///
    /// # Errors
    /// The edge can't be had, or leads elsewhere.
    pub fn open(
        source: &'s dyn Source,
        near: Option<&'s dyn Source>,
        size: u64,
        root: Hash,
    ) -> Result<Tree<'s>, TreeError> {
        let mut edge = BTreeMap::new();
        for level in 0..LEVELS {
            let width = partial_width(level, size);
            if width > 0 {
                let tile = Tile { level, index: full_tiles(level, size), width };
                edge.insert(level, partial(source, near, tile, size)?);
            }
        }
        // Every hash of every partial tile goes into the root, so all of them are shown by it at once.
        let computed = root_from_tiles(size, &Edge(&edge)).map_err(|_| missing(size))?;
        if computed != root {
            // Any of them may be the wrong one.
            let paths: Vec<String> = edge
                .keys()
                .map(|level| {
                    let index = full_tiles(*level, size);
                    Tile { level: *level, index, width: partial_width(*level, size) }.path()
                })
                .collect();
            let what = "the tiles at the right edge do not lead to the root that was signed";
            return Err(bad(paths.join(", "), what, (0, size), None));
        }
        Ok(Tree { source, near, size, root, edge, kept: Mutex::default() })
    }

    /// Entries in it.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Its root.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The root of its first `size` entries.
    ///
    /// # Errors
    /// A tile can't be had. `size` must not be above the size of the tree.
    pub fn root_at(&self, size: u64) -> Result<Hash, TreeError> {
        root_from_tiles(size, self).map_err(|error| unpack(error, size))
    }

    /// The proof that it begins with a tree of `old` entries (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// A tile can't be had. `old` must not be above the size of the tree.
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, TreeError> {
        consistency_proof(old, self.size, self).map_err(|error| unpack(error, old))
    }

    /// The proof that entry `index` is in it, leaf's sibling first (RFC 6962 section 2.1.1).
    ///
    /// # Errors
    /// A tile can't be had. `index` must be below the size of the tree.
    pub fn inclusion(&self, index: u64) -> Result<Vec<Hash>, TreeError> {
        tlog::inclusion_proof(index, self.size, self).map_err(|error| unpack(error, index))
    }

    /// The hash of entry `index`.
    ///
    /// # Errors
    /// A tile can't be had. `index` must be below the size of the tree.
    pub fn leaf(&self, index: u64) -> Result<Hash, TreeError> {
        let tile = self.leaves(index / WIDTH)?;
        tile.get((index % WIDTH) as usize).copied().ok_or_else(|| missing(self.size))
    }

    /// The partial tiles of the right edge.
    pub fn edge(&self) -> impl Iterator<Item = (Tile, &[Hash])> {
        self.edge.iter().map(|(level, hashes)| {
            let index = full_tiles(*level, self.size);
            (Tile { level: *level, index, width: partial_width(*level, self.size) }, hashes.as_slice())
        })
    }

    /// The hashes of the entries of bundle `index`.
    ///
    /// # Errors
    /// The tile can't be had.
    pub fn leaves(&self, index: u64) -> Result<Arc<[Hash]>, TreeError> {
        match self.edge.get(&0) {
            Some(hashes) if index == full_tiles(0, self.size) => Ok(hashes.as_slice().into()),
            _ => self.full(0, index),
        }
    }

    /// A full tile.
    ///
    /// # Errors
    /// The tile, or one that it is shown by, can't be had.
    pub fn full(&self, level: u8, index: u64) -> Result<Arc<[Hash]>, TreeError> {
        if let Some(kept) = self.kept().get(&(level, index)) {
            return Ok(kept.clone());
        }
        let expected = self.above(level, index)?;
        let tile = Tile::full(level, index);
        let check = |bytes: &[u8]| match decode_tile(bytes, TILE_WIDTH) {
            Ok(hashes) if root_of(&hashes) == expected => Ok(hashes),
            Ok(_) => Err("the tile does not lead to the root that was signed".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let range = span(level, index, self.size);
        let limit = u64::from(TILE_WIDTH) * Hash::LEN as u64;
        let hashes: Arc<[Hash]> = self.fetch(&tile.path(), limit, range, check)?.into();
        if level > 0 {
            let mut kept = self.kept();
            if kept.len() >= KEPT {
                kept.clear();
            }
            kept.insert((level, index), hashes.clone());
        }
        Ok(hashes)
    }

    /// The entries of bundle `index`, as bytes of exactly the width that the tree has there.
    ///
    /// # Errors
    /// The bundle, or a tile that it is shown by, can't be had.
    pub fn bundle(&self, index: u64) -> Result<Vec<u8>, TreeError> {
        let leaves = self.leaves(index)?;
        let width = leaves.len();
        let check = |bytes: &[u8]| {
            let entries = decode_bundle(bytes).map_err(|error| error.to_string())?;
            // One that is wider begins with the same entries.
            let entries =
                entries.get(..width).ok_or(format!("{} entries instead of {width}", entries.len()))?;
            match entries.iter().zip(leaves.iter()).position(|(entry, leaf)| leaf_hash(entry) != *leaf) {
                None => encode_bundle(entries).map_err(|error| error.to_string()),
                Some(at) => Err(format!("entry {} is not the one in the tree", index * WIDTH + at as u64)),
            }
        };
        let range = span(0, index, self.size);
        let full = bundle_path(index, TILE_WIDTH);
        if width == usize::from(TILE_WIDTH) {
            return self.fetch(&full, MAX_BUNDLE, range, check);
        }
        let path = bundle_path(index, width as u16);
        match self.source.get(&path, MAX_BUNDLE)? {
            Some(bytes) => check(&bytes).map_err(|what| bad(path, &what, range, Some(bytes))),
            // It may have become full since.
            None => match self.source.get(&full, MAX_BUNDLE)? {
                Some(bytes) => check(&bytes).map_err(|what| bad(full, &what, range, Some(bytes))),
                None => Err(bad(path, "it is not served", range, None)),
            },
        }
    }

    /// Gets what never changes, from near if that holds what it should.
    fn fetch<T>(
        &self,
        path: &str,
        limit: u64,
        range: (u64, u64),
        check: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<T, TreeError> {
        if let Some(Ok(Some(bytes))) = self.near.map(|near| near.get(path, limit))
            && let Ok(checked) = check(&bytes)
        {
            return Ok(checked);
        }
        match self.source.get(path, limit)? {
            None => Err(bad(path.to_owned(), "it is not served", range, None)),
            Some(bytes) => check(&bytes).map_err(|what| bad(path.to_owned(), &what, range, Some(bytes))),
        }
    }

    /// The hash that a full tile must have, from the tile above it.
    fn above(&self, level: u8, index: u64) -> Result<Hash, TreeError> {
        let (parent, at) = (level + 1, (index % WIDTH) as usize);
        let hash = if index / WIDTH < full_tiles(parent, self.size) {
            self.full(parent, index / WIDTH)?.get(at).copied()
        } else {
            self.edge.get(&parent).and_then(|edge| edge.get(at)).copied()
        };
        hash.ok_or_else(|| missing(self.size))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, KeptTiles> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl TileSource for Tree<'_> {
    type Error = TreeError;

    /// Also of smaller trees: their partial tiles are prefixes.
    fn tile(&self, t: Tile) -> Result<Vec<Hash>, TreeError> {
        let width = usize::from(t.width);
        if t.index < full_tiles(t.level, self.size) {
            return Ok(self.full(t.level, t.index)?[..width].to_vec());
        }
        let edge = self.edge.get(&t.level).and_then(|edge| edge.get(..width));
        edge.map(<[Hash]>::to_vec).ok_or_else(|| missing(self.size))
    }
}

/// The right edge by itself.
struct Edge<'e>(&'e BTreeMap<u8, Vec<Hash>>);

impl TileSource for Edge<'_> {
    type Error = ();

    fn tile(&self, t: Tile) -> Result<Vec<Hash>, ()> {
        self.0.get(&t.level).cloned().ok_or(())
    }
}

fn partial(
    source: &dyn Source,
    near: Option<&dyn Source>,
    tile: Tile,
    size: u64,
) -> Result<Vec<Hash>, TreeError> {
    let range = span(tile.level, tile.index, size);
    let limit = u64::from(TILE_WIDTH) * Hash::LEN as u64;
    let length = usize::from(tile.width) * Hash::LEN;
    let read = |path: String, bytes: Vec<u8>| match bytes
        .get(..length)
        .map(|bytes| decode_tile(bytes, tile.width))
    {
        Some(Ok(hashes)) => Ok(hashes),
        _ => Err(bad(path, "the tile is shorter than it should be", range, Some(bytes))),
    };
    if let Some(bytes) = source.get(&tile.path(), limit)? {
        if bytes.len() != length {
            let what = format!("the tile has {} bytes instead of {length}", bytes.len());
            return Err(bad(tile.path(), &what, range, Some(bytes)));
        }
        return read(tile.path(), bytes);
    }
    // It may have become full since, and a partial one may be gone then; a mirror may still have it.
    let full = Tile::full(tile.level, tile.index).path();
    if let Some(bytes) = source.get(&full, limit)? {
        return read(full, bytes);
    }
    match near.map(|near| near.get(&tile.path(), limit)) {
        Some(Ok(Some(bytes))) => read(tile.path(), bytes),
        _ => Err(bad(tile.path(), "it is not served", range, None)),
    }
}

fn root_of(hashes: &[Hash]) -> Hash {
    hashes.iter().copied().collect::<Frontier>().root()
}

/// Which entries a tile stands for.
fn span(level: u8, index: u64, size: u64) -> (u64, u64) {
    let width = 1_u64.checked_shl(8 * (u32::from(level) + 1)).unwrap_or(u64::MAX);
    let first = index.saturating_mul(width);
    (first.min(size), first.saturating_add(width).min(size))
}

fn bad(path: String, what: &str, entries: (u64, u64), bytes: Option<Vec<u8>>) -> TreeError {
    let bytes = bytes.map(|mut bytes| {
        bytes.truncate(KEPT_BAD);
        bytes
    });
    TreeError::Bad(Box::new(Bad { path, what: what.to_owned(), entries, bytes }))
}

/// Nothing that a caller within the limits named above can come to.
fn missing(size: u64) -> TreeError {
    bad("tile".to_owned(), "there is no such part of the tree", (0, size), None)
}

fn unpack(error: tlog::ProofBuildError<TreeError>, size: u64) -> TreeError {
    match error {
        tlog::ProofBuildError::Source { error, .. } => error,
        _ => missing(size),
    }
}
