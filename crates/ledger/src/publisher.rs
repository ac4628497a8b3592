//! From durable groups to a published checkpoint. Recovery runs the same function over the groups it finds.

use std::collections::BTreeSet;
use std::sync::Arc;

use evidence::layout;
use evidence::register::WalPosition;
use evidence::wal::{self, FileHeader, Group};
use record::entry::ENTRY_LEN;
use tlog::checkpoint::{Checkpoint, Origin, sign_checkpoint};
use tlog::hash::{Hash, empty_root, leaf_hash};
use tlog::proof::TileSource;
use tlog::tile::{TILE_WIDTH, Tile, bundle_path, encode_tile, full_tiles, partial_width};
use tlog::tree::{Frontier, TileStack};

use crate::fault::{Doing, Fault};
use crate::shared::{LedgerIdentity, Shared};
use crate::tiles::DiskTiles;
use crate::view::Published;
use crate::writer::{WrittenGroup, WrittenPart, wal_place};

/// One ledger's tree, kept twice: as tiles, which is what gets published, and as a compact range fed only from
/// bytes read back, which must arrive at the same root before anything is signed (DESIGN I3).
pub(crate) struct Tree {
    pub tiles: TileStack,
    pub checker: Frontier,
    /// Entries of the partial bundle, as a bundle holds them.
    pub bundle: Vec<u8>,
    pub received_ms: u64,
}

pub(crate) struct Publisher {
    shared: Arc<Shared>,
    trees: Vec<Tree>,
    /// Everything before it is in the trees.
    position: WalPosition,
    /// Sizes whose partial tiles are on disk, one per ledger; 0 if none are.
    settled: Vec<u64>,
    /// Ledgers whose tree is larger than their checkpoint, since they may not sign.
    withheld: BTreeSet<usize>,
    /// Ledgers whose next key waits in the key directory until it has signed.
    changing: BTreeSet<usize>,
}

impl Publisher {
    pub(crate) fn new(shared: Arc<Shared>, trees: Vec<Tree>, position: WalPosition) -> Self {
        let settled = vec![0; trees.len()];
        Self { shared, trees, position, settled, withheld: BTreeSet::new(), changing: BTreeSet::new() }
    }

    /// Finishes a change of the ledger's key once the new one has signed.
    pub(crate) fn finish_change(&mut self, ledger: usize) {
        self.changing.insert(ledger);
    }

    /// Size and root of a ledger's tree.
    pub(crate) fn head(&self, ledger: usize) -> (u64, Hash) {
        (self.trees[ledger].tiles.size(), self.trees[ledger].tiles.root())
    }

    /// A ledger's tree.
    pub(crate) fn tree(&self, ledger: usize) -> &Tree {
        &self.trees[ledger]
    }

    /// Brings the trees to where the register says they were, from the parts that it covers.
    pub(crate) fn restore(&mut self, parts: &[WrittenPart]) -> Result<(), Fault> {
        self.integrate(parts)?;
        for part in parts {
            part.leaves.iter().for_each(|leaf| self.trees[part.ledger].checker.push(*leaf));
        }
        Ok(())
    }

    /// Takes durable groups, in order and without holes, to published checkpoints.
    ///
    /// A crash after any step is harmless: the groups are in the write-ahead log and this function runs again.
    /// The one step that must never be undone is the register's; what it holds may have been signed.
    pub(crate) fn publish(&mut self, groups: &[WrittenGroup]) -> Result<(), Fault> {
        let Some(end) = groups.last().map(|group| group.end) else { return Ok(()) };
        let changed = self.integrate(groups.iter().flat_map(|group| &group.parts))?;
        self.read_back(end)?;
        let signable = self.compare_roots(&changed)?;
        self.persist(end, &signable)?;
        signable.into_iter().try_for_each(|(ledger, checkpoint)| self.sign_if_allowed(ledger, checkpoint))
    }

    /// Publishes what was withheld of ledgers that may sign again. Both trees and the register have it already.
    pub(crate) fn publish_withheld(&mut self) -> Result<(), Fault> {
        let withheld: Vec<usize> = self.withheld.iter().copied().collect();
        for (ledger, checkpoint) in self.compare_roots(&withheld)? {
            let state = &self.shared.register.value().ledgers[ledger];
            if (state.size, state.root) != (checkpoint.size, checkpoint.root) {
                let reason = "the register does not hold what was withheld: not signed";
                return Err(Fault::damaged(layout::REGISTER, reason));
            }
            self.sign_if_allowed(ledger, checkpoint)?;
        }
        Ok(())
    }

    /// Whether a ledger waits until it may sign.
    pub(crate) fn withholds(&self) -> bool {
        !self.withheld.is_empty()
    }

    /// Signs and publishes behind the ledger's gate, or withholds the checkpoint; then nobody need wait for it.
    fn sign_if_allowed(&mut self, ledger: usize, checkpoint: Checkpoint) -> Result<(), Fault> {
        let name = &self.shared.ledgers[ledger].name;
        let gates = &self.shared.options.gates;
        match gates.pass(name, || self.sign_and_publish(ledger, checkpoint)) {
            Some(published) => {
                published?;
                self.withheld.remove(&ledger);
                if self.changing.remove(&ledger) {
                    let identity = &self.shared.ledgers[ledger];
                    self.shared.keys.finish_change(&identity.name, identity.signing().verifying_key())?;
                }
            }
            None => {
                self.withheld.insert(ledger);
                self.shared.view.abandon_waiters_of(ledger);
            }
        }
        Ok(())
    }

    /// Adds the entries to the trees and writes the tiles and bundles that became full. They need no sync: until
    /// their entries are sealed they are rebuilt from the write-ahead log.
    fn integrate<'a>(
        &mut self,
        parts: impl IntoIterator<Item = &'a WrittenPart>,
    ) -> Result<Vec<usize>, Fault> {
        let mut changed = Vec::new();
        for part in parts {
            let (tree, name) = (&mut self.trees[part.ledger], &self.shared.ledgers[part.ledger].name);
            if part.first < tree.tiles.size() {
                continue; // copied to another write-ahead file, not new
            }
            if part.first != tree.tiles.size() {
                return Err(Fault::damaged(layout::ledger_dir(name), "durable groups are out of order"));
            }
            if !changed.contains(&part.ledger) {
                changed.push(part.ledger);
            }
            tree.received_ms = part.received_ms;
            let mut failed = Ok(());
            for (entry, leaf) in part.entries.chunks_exact(ENTRY_LEN).zip(&part.leaves) {
                tree.bundle.extend_from_slice(&(ENTRY_LEN as u16).to_be_bytes());
                tree.bundle.extend_from_slice(entry);
                tree.tiles.push(*leaf, &mut |tile, hashes| {
                    let path = layout::resource(name, &tile.path());
                    let written = self.shared.disk.write(&path, &encode_tile(hashes));
                    let written = written.and_then(|()| match tile.level {
                        0 => {
                            let path = layout::resource(name, &bundle_path(tile.index, TILE_WIDTH));
                            let written = self.shared.disk.write(&path, &tree.bundle);
                            tree.bundle.clear();
                            written
                        }
                        _ => Ok(()),
                    });
                    if let Err(error) = written.doing("writing a tile") {
                        failed = Err(error);
                    }
                });
            }
            failed?;
        }
        Ok(changed)
    }

    /// Reads the groups from the last position to `end` back from the medium, authenticates every frame, and
    /// hashes the entries again into the checkers.
    fn read_back(&mut self, end: WalPosition) -> Result<(), Fault> {
        while self.position.file != end.file {
            self.read_file_back(None)?;
            self.enter_next_file()?;
        }
        self.read_file_back(Some(end.offset))?;
        if self.position != end {
            return Err(Fault::damaged(
                layout::wal_file(end.file),
                "the chain read back is not the one written",
            ));
        }
        Ok(())
    }

    /// Reads the current file back up to `end`, or to where the next file's header says that it ends.
    fn read_file_back(&mut self, end: Option<u64>) -> Result<(), Fault> {
        if self.position.file == 0 {
            return Ok(());
        }
        let path = layout::wal_file(self.position.file);
        let end = match end {
            Some(end) => end,
            None => self.header(self.position.file + 1)?.0.previous.kept,
        };
        if end <= self.position.offset {
            return Ok(());
        }
        let len = (end - self.position.offset) as usize;
        let bytes =
            self.shared.disk.read_medium(&path, self.position.offset, len).doing("reading the log back")?;
        let sealer = self.shared.keys.data_key(&self.header(self.position.file)?.0.key_id)?;
        let mut at = 0;
        while at < bytes.len() {
            let offset = self.position.offset;
            let damaged = |reason: &str| Fault::damaged_at(&path, offset, reason);
            let (group, len, hash) = Group::decode(&bytes[at..])
                .map_err(|error| Fault::damaged_at(&path, offset + error.offset, error.reason))?;
            if group.previous != self.position.chain {
                return Err(damaged("a group read back does not continue the chain"));
            }
            for part in &group.parts {
                let place =
                    wal_place(self.position.file, group.number, part.ledger, part.first, part.count());
                if !part.sealed.is_empty() && sealer.open(&place.aad(), part.sealed).is_err() {
                    return Err(damaged("a block read back does not open"));
                }
                let ledger = self.shared.ledgers.iter().position(|ledger| ledger.id == part.ledger);
                let ledger = ledger.ok_or_else(|| damaged("a group read back names an unknown ledger"))?;
                let checker = &mut self.trees[ledger].checker;
                if part.first < checker.size() {
                    continue;
                }
                if part.first != checker.size() {
                    return Err(damaged("a group read back leaves out entries"));
                }
                for entry in part.entries.chunks_exact(ENTRY_LEN) {
                    checker.push(leaf_hash(entry));
                }
            }
            self.position = WalPosition { offset: offset + len as u64, chain: hash, ..self.position };
            at += len;
        }
        Ok(())
    }

    /// Moves on to the file after the current one, whose header must continue it.
    fn enter_next_file(&mut self) -> Result<(), Fault> {
        let number = self.position.file + 1;
        let (header, hash) = self.header(number)?;
        let from = (header.previous.number, header.previous.kept, header.previous.chain);
        if from != (self.position.file, self.position.offset, self.position.chain) {
            return Err(Fault::damaged(
                layout::wal_file(number),
                "the file does not continue the one before it",
            ));
        }
        self.position = WalPosition { file: number, offset: wal::HEADER_LEN as u64, chain: hash };
        Ok(())
    }

    fn header(&self, number: u64) -> Result<(FileHeader, [u8; 32]), Fault> {
        let path = layout::wal_file(number);
        let bytes = self.shared.disk.read_at(&path, 0, wal::HEADER_LEN).doing("reading the log back")?;
        FileHeader::decode(&bytes).map_err(|error| Fault::damaged_at(path, error.offset, error.reason))
    }

    /// The checkpoints to sign: both code paths must have arrived at the same tree.
    fn compare_roots(&self, changed: &[usize]) -> Result<Vec<(usize, Checkpoint)>, Fault> {
        let checkpoint = |&ledger: &usize| {
            let (tree, identity) = (&self.trees[ledger], &self.shared.ledgers[ledger]);
            let (size, root) = (tree.tiles.size(), tree.tiles.root());
            if (tree.checker.size(), tree.checker.root()) != (size, root) {
                let reason = "the root recomputed from the bytes read back is another one: not signed";
                return Err(Fault::damaged(layout::ledger_dir(&identity.name), reason));
            }
            let origin = Origin::new(&identity.origin);
            let origin = origin.map_err(|error| Fault::damaged(layout::ledger_dir(&identity.name), error))?;
            Ok((ledger, Checkpoint { origin, size, root }))
        };
        changed.iter().map(checkpoint).collect()
    }

    /// Makes the new sizes and roots durable before any signature exists.
    fn persist(&self, end: WalPosition, signable: &[(usize, Checkpoint)]) -> Result<(), Fault> {
        let now = self.shared.env.now_ms();
        self.shared.register.change(now, |register| {
            register.wal = end;
            register.stopped = false;
            for (ledger, checkpoint) in signable {
                let state = &mut register.ledgers[*ledger];
                (state.size, state.root) = (checkpoint.size, checkpoint.root);
                state.received_ms = self.trees[*ledger].received_ms;
                state.vkey = self.shared.ledgers[*ledger].in_force(checkpoint.size).to_string();
            }
        })
    }

    /// Signs the checkpoint, publishes it durably and tells who waits. Its partial tiles are in memory from then
    /// on, which is where they are served from; [`Publisher::settle`] puts them on disk.
    fn sign_and_publish(&self, ledger: usize, checkpoint: Checkpoint) -> Result<(), Fault> {
        let (tree, identity) = (&self.trees[ledger], &self.shared.ledgers[ledger]);
        let disk = self.shared.disk.as_ref();
        let key = identity.signing();
        if identity.in_force(checkpoint.size) != key.verifying_key() {
            let reason = "another key than the one held is in force for the checkpoint: not signed";
            return Err(Fault::damaged(layout::ledger_dir(&identity.name), reason));
        }
        let published = Published {
            note: sign_checkpoint(&checkpoint, key),
            checkpoint,
            edge: tree.tiles.partials().map(|(tile, hashes)| (tile, hashes.to_vec())).collect(),
            bundle: tree.bundle.clone(),
            at_ms: self.shared.env.now_ms(),
        };
        let path = layout::checkpoint(&identity.name);
        let temporary = format!("{path}.tmp");
        disk.remove(&temporary).doing("publishing a checkpoint")?;
        let mut file = disk.create(&temporary).doing("publishing a checkpoint")?;
        file.append(published.note.as_bytes()).doing("publishing a checkpoint")?;
        file.sync().doing("publishing a checkpoint")?;
        disk.rename(&temporary, &path).doing("publishing a checkpoint")?;
        disk.sync_dir(&layout::ledger_dir(&identity.name)).doing("publishing a checkpoint")?;
        self.shared.view.publish(ledger, Arc::new(published));
        Ok(())
    }

    /// What an earlier run published, with the right edge of its tree, so that it can be served while nothing newer may be.
    pub(crate) fn published_before(
        &self,
        ledger: usize,
        checkpoint: Checkpoint,
        note: String,
        at_ms: u64,
    ) -> Result<Published, Fault> {
        let (tree, name) = (&self.trees[ledger], &self.shared.ledgers[ledger].name);
        let now: Vec<(Tile, Vec<Hash>)> =
            tree.tiles.partials().map(|(tile, hashes)| (tile, hashes.to_vec())).collect();
        let tiles = DiskTiles { disk: self.shared.disk.as_ref(), name, edge: &now };
        let size = checkpoint.size;
        let partial =
            |level| Tile { level, index: full_tiles(level, size), width: partial_width(level, size) };
        let mut edge = Vec::new();
        for tile in (0..=Tile::MAX_LEVEL).map(partial).filter(|tile| tile.width > 0) {
            edge.push((tile, tiles.tile(tile).doing("reading a tile")?));
        }
        let (index, width) = (full_tiles(0, size), partial_width(0, size));
        let mut bundle = match index == full_tiles(0, tree.tiles.size()) {
            true => tree.bundle.clone(),
            false => {
                let path = layout::resource(name, &bundle_path(index, TILE_WIDTH));
                self.shared.disk.read(&path).doing("reading a bundle")?
            }
        };
        bundle.truncate(usize::from(width) * (2 + ENTRY_LEN));
        Ok(Published { checkpoint, note, edge, bundle, at_ms })
    }

    /// Writes the partial tiles and bundle of the newest checkpoints and drops those of older ones: a partial tile
    /// is a prefix of the widest one. Not done for every checkpoint under load, since each would cost the
    /// file system four new files and four removed ones; until then the write-ahead log holds the same entries.
    pub(crate) fn settle(&mut self) -> Result<(), Fault> {
        for (ledger, identity) in self.shared.ledgers.iter().enumerate() {
            let Some(published) = self.shared.view.ledger(ledger).published.clone() else { continue };
            let (disk, size) = (self.shared.disk.as_ref(), published.checkpoint.size);
            let before = std::mem::replace(&mut self.settled[ledger], size);
            if before == size {
                continue;
            }
            for (tile, hashes) in &published.edge {
                let path = layout::resource(&identity.name, &tile.path());
                disk.write(&path, &encode_tile(hashes)).doing("writing a partial tile")?;
            }
            if let Some(path) = partial_paths(&identity.name, size).find(|path| path.contains("/entries/")) {
                disk.write(&path, &published.bundle).doing("writing a partial bundle")?;
            }
            drop_partials(&self.shared, ledger, before)?;
        }
        Ok(())
    }
}

/// Signs the checkpoint of the empty tree. It says nothing, since every tree begins with it, so no gate keeps it.
pub(crate) fn sign_nothing(identity: &LedgerIdentity) -> Result<String, Fault> {
    let origin = Origin::new(&identity.origin);
    let origin = origin.map_err(|error| Fault::damaged(layout::ledger_dir(&identity.name), error))?;
    Ok(sign_checkpoint(&Checkpoint { origin, size: 0, root: empty_root() }, identity.signing()))
}

/// Drops the partial tiles and bundle of a size, but for those that the newest checkpoint also has.
fn drop_partials(shared: &Shared, ledger: usize, size: u64) -> Result<(), Fault> {
    let name = &shared.ledgers[ledger].name;
    let kept = current_partials(shared, ledger);
    for path in partial_paths(name, size).filter(|path| !kept.contains(path)) {
        shared.disk.remove(&path).doing("dropping a partial tile")?;
        if let Some((dir, _)) = path.rsplit_once('/') {
            shared.disk.remove_dir(dir).doing("dropping a partial tile")?;
        }
    }
    Ok(())
}

/// Drops every partial tile and bundle but for those of the newest checkpoint. They were neither written nor removed
/// durably: after a crash any of them may be there, and any may be torn.
pub(crate) fn sweep_partials(shared: &Shared, ledger: usize) -> Result<(), Fault> {
    let disk = shared.disk.as_ref();
    let kept = current_partials(shared, ledger);
    let mut dirs = vec![layout::resource(&shared.ledgers[ledger].name, "tile")];
    while let Some(dir) = dirs.pop() {
        for entry in disk.list(&dir).doing("dropping a partial tile")? {
            let path = format!("{dir}/{}", entry.name);
            if entry.dir {
                dirs.push(path);
            } else if dir.ends_with(".p") && !kept.contains(&path) {
                disk.remove(&path).doing("dropping a partial tile")?;
                disk.remove_dir(&dir).doing("dropping a partial tile")?;
            }
        }
    }
    Ok(())
}

/// Paths of the partial tiles and the partial bundle of the newest checkpoint.
fn current_partials(shared: &Shared, ledger: usize) -> Vec<String> {
    let size = shared.view.ledger(ledger).published.as_ref().map_or(0, |published| published.checkpoint.size);
    partial_paths(&shared.ledgers[ledger].name, size).collect()
}

/// Paths of the partial tiles and the partial bundle that a checkpoint of this size implies.
fn partial_paths(name: &str, size: u64) -> impl Iterator<Item = String> {
    (0..=Tile::MAX_LEVEL)
        .map(move |level| Tile { level, index: full_tiles(level, size), width: partial_width(level, size) })
        .filter(|tile| tile.width > 0)
        .flat_map(|tile| {
            [Some(tile.path()), (tile.level == 0).then(|| tile.bundle_path())].into_iter().flatten()
        })
        .map(move |path| layout::resource(name, &path))
}
