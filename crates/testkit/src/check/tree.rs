use evidence::layout;
use evidence::register::LedgerState;
use record::entry::ENTRY_LEN;
use storage::Disk;
use tlog::KeyHistory;
use tlog::checkpoint::UnverifiedCheckpoint;
use tlog::hash::{Hash, empty_root, leaf_hash, node_hash};
use tlog::tile::{TILE_WIDTH, Tile, parse_bundle_path, tiles_for_size};

use super::keys::Keys;
use super::{Violation, broken, read};
use crate::expected::ExpectedLedger;

/// The tree over all entries, in the plainest form: row 0 are the leaf hashes, each row above holds the hashes of
/// whole pairs of the row below.
pub(super) struct Tree {
    rows: Vec<Vec<Hash>>,
    entries: Vec<[u8; ENTRY_LEN]>,
}

impl Tree {
    pub(super) fn of(entries: &[[u8; ENTRY_LEN]]) -> Self {
        let mut rows = vec![entries.iter().map(|entry| leaf_hash(entry)).collect::<Vec<_>>()];
        while rows[rows.len() - 1].len() > 1 {
            let below = &rows[rows.len() - 1];
            rows.push(below.chunks_exact(2).map(|pair| node_hash(&pair[0], &pair[1])).collect());
        }
        Self { rows, entries: entries.to_vec() }
    }

    pub(super) fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The RFC 6962 root over the first `size` entries: the whole subtrees of its binary digits, joined from the
    /// right.
    pub(super) fn root(&self, size: u64) -> Hash {
        let mut root = None;
        for level in (0..64).filter(|level| size >> level & 1 == 1) {
            let whole = self.rows[level][(size >> level) as usize - 1];
            root = Some(root.map_or(whole, |right| node_hash(&whole, &right)));
        }
        root.unwrap_or_else(empty_root)
    }

    /// The bytes of a tile, `None` if the tree is too small for it.
    fn tile(&self, tile: Tile) -> Option<Vec<u8>> {
        let row = self.rows.get(8 * usize::from(tile.level))?;
        let first = usize::try_from(tile.index).ok()?.checked_mul(usize::from(TILE_WIDTH))?;
        let hashes = row.get(first..first + usize::from(tile.width))?;
        Some(hashes.iter().flat_map(|hash| *hash.as_bytes()).collect())
    }

    /// The bytes of a bundle, likewise.
    fn bundle(&self, index: u64, width: u16) -> Option<Vec<u8>> {
        let first = usize::try_from(index).ok()?.checked_mul(usize::from(TILE_WIDTH))?;
        let entries = self.entries.get(first..first + usize::from(width))?;
        let one = |entry: &[u8; ENTRY_LEN]| [&(ENTRY_LEN as u16).to_be_bytes()[..], entry].concat();
        Some(entries.iter().flat_map(one).collect())
    }
}

/// Checks register, checkpoint, tiles and bundles of a ledger against its tree. Returns the checkpoint's size.
pub(super) fn check(
    data: &dyn Disk,
    keys: &Keys,
    state: &LedgerState,
    (tree, history): (&Tree, &KeyHistory),
) -> Result<u64, Violation> {
    let place = format!("register, ledger {}", state.name);
    if tree.root(state.size) != state.root {
        return broken(place, "the root is not that of the entries");
    }
    if keys.vkey(&state.name) != Some(&state.vkey) {
        return broken(place, "the signing key is another one");
    }
    if keys.has_change(&state.name) {
        return broken(place, "a change of its key still waits");
    }
    let path = layout::checkpoint(&state.name);
    let note = UnverifiedCheckpoint::parse(&read(data, &path)?).or_else(|error| broken(&path, error))?;
    let key = history.in_force(note.claimed().size).clone();
    let note = note.verify(&state.origin, &[key], &[]).or_else(|error| broken(&path, error))?;
    let (size, root) = (note.checkpoint().size, note.checkpoint().root);
    if size > state.size || tree.root(size) != root {
        return broken(path, "the checkpoint is not one of this tree");
    }
    for tile in tiles_for_size(size) {
        let path = layout::resource(&state.name, &tile.path());
        if tree.tile(tile) != Some(read(data, &path)?) {
            return broken(path, "not the tile of this tree");
        }
        if tile.level == 0 {
            let path = layout::resource(&state.name, &tile.bundle_path());
            if tree.bundle(tile.index, tile.width) != Some(read(data, &path)?) {
                return broken(path, "not the bundle of this tree");
            }
        }
    }
    check_all(data, &state.name, "tile", tree)?;
    Ok(size)
}

/// Checks every tile and bundle that is there, wanted or not: it must be what its name says.
fn check_all(data: &dyn Disk, ledger: &str, dir: &str, tree: &Tree) -> Result<(), Violation> {
    let entries = data.list(&layout::resource(ledger, dir)).or_else(|error| broken(dir, error))?;
    for entry in entries {
        let name = format!("{dir}/{}", entry.name);
        if entry.dir {
            check_all(data, ledger, &name, tree)?;
            continue;
        }
        let right = match (Tile::parse(&name), parse_bundle_path(&name)) {
            (Ok(tile), _) => tree.tile(tile),
            (_, Ok((index, width))) => tree.bundle(index, width),
            _ => return broken(layout::resource(ledger, &name), "neither tile nor bundle"),
        };
        if right != Some(read(data, &layout::resource(ledger, &name))?) {
            return broken(layout::resource(ledger, &name), "not a tile or bundle of this tree");
        }
    }
    Ok(())
}

/// Checks that every checkpoint that was ever signed is one of this tree (DESIGN I2) and within what is durable (I3).
pub(super) fn compare(tree: &Tree, name: &str, expected: &ExpectedLedger) -> Result<(), Violation> {
    for (size, root) in &expected.notes {
        let place = format!("ledger {name}, checkpoint of size {size}");
        if *size > tree.size() {
            return broken(place, format!("it covers entries that are gone: {} are left", tree.size()));
        }
        if tree.root(*size) != *root {
            return broken(place, "another tree of this size was signed before");
        }
    }
    Ok(())
}
