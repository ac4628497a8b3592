use std::ops::Range;
use std::sync::Arc;

use evidence::layout::{self, Stamped};
use record::entry::ENTRY_LEN;
use tlog::NoteError;
use tlog::hash::Hash;
use tlog::note::VerifierKey;
use tlog::proof::{consistency_proof, inclusion_proof, root_from_tiles};
use tlog::tile::{TILE_WIDTH, Tile, bundle_path, decode_bundle};

use crate::fault::{Doing, Fault};
use crate::publisher::sign_nothing;
use crate::reader::{self, Next, StoredRecord};
use crate::shared::Shared;
use crate::signing::Signing;
use crate::stamped;
use crate::tiles::DiskTiles;
use crate::view::Published;
use crate::witnessed::{self, Witnessed};

/// Reads an opened store; cheap to clone. It goes on working while the ledger cannot record.
#[derive(Clone)]
pub struct Reads {
    shared: Arc<Shared>,
}

/// What a ledger is.
#[derive(Clone, Debug)]
pub struct LedgerInfo {
    /// Its name on this server.
    pub name: String,
    /// Its random id.
    pub id: [u8; 32],
    /// Its origin.
    pub origin: String,
    /// Its verification key: the one that signs from now on.
    pub vkey: String,
    /// All its keys, oldest first, each with the index of the record that brought it, 0 for the first: trees that are
    /// larger are signed by it.
    pub keys: Vec<(u64, VerifierKey)>,
}

impl LedgerInfo {
    /// The key that signs trees of so many entries: docs/format.md, section 10.
    pub fn in_force(&self, size: u64) -> String {
        let mut keys = self.keys.iter().rev();
        let key = keys.find(|(index, _)| *index == 0 || *index < size);
        key.map_or_else(|| self.vkey.clone(), |(_, key)| key.to_string())
    }
}

/// How far a ledger has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Durable entries.
    pub durable: u64,
    /// Entries in the newest checkpoint.
    pub committed: u64,
    /// Entries in sealed segments.
    pub sealed: u64,
}

impl Reads {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// The ledgers; positions in this list name them in requests.
    pub fn ledgers(&self) -> Vec<LedgerInfo> {
        let info = |identity: &crate::shared::LedgerIdentity| LedgerInfo {
            name: identity.name.clone(),
            id: identity.id,
            origin: identity.origin.clone(),
            vkey: identity.signing().verifying_key().to_string(),
            keys: match identity.history() {
                Some(history) => history.keys().map(|(index, key)| (index, key.clone())).collect(),
                None => vec![(0, identity.signing().verifying_key().clone())],
            },
        };
        self.shared.ledgers.iter().map(info).collect()
    }

    /// How far a ledger has got.
    pub fn progress(&self, ledger: usize) -> Progress {
        let view = self.shared.view.ledger(ledger);
        let committed = view.published.as_ref().map_or(0, |published| published.checkpoint.size);
        Progress { durable: view.end, committed, sealed: view.sealed }
    }

    /// The newest checkpoint; `None` only before the first.
    pub fn published(&self, ledger: usize) -> Option<Arc<Published>> {
        self.shared.view.ledger(ledger).published.clone()
    }

    /// Whether a ledger signs.
    pub fn signing(&self, ledger: usize) -> Signing {
        self.shared.options.gates.state(&self.shared.ledgers[ledger].name)
    }

    /// Calls `wake` with the first checkpoint over at least `size` entries. It is dropped uncalled if the ledger
    /// stops before, or may not sign.
    pub fn when_committed(
        &self,
        ledger: usize,
        size: u64,
        wake: impl FnOnce(Arc<Published>) + Send + 'static,
    ) {
        let there = self.published(ledger).is_some_and(|published| published.checkpoint.size >= size);
        if there || self.signing(ledger) == Signing::Allowed {
            self.shared.view.when_committed(ledger, size, wake);
        }
    }

    /// The newest checkpoint that a quorum of witnesses cosigned.
    pub fn witnessed(&self, ledger: usize) -> Option<Arc<Witnessed>> {
        self.shared.view.ledger(ledger).witnessed.clone()
    }

    /// Calls `wake` with the first witnessed checkpoint over at least `size` entries. It is dropped uncalled if the ledger
    /// stops before, or may not sign.
    pub fn when_witnessed(
        &self,
        ledger: usize,
        size: u64,
        wake: impl FnOnce(Arc<Witnessed>) + Send + 'static,
    ) {
        let there = self.published(ledger).is_some_and(|published| published.checkpoint.size >= size);
        if there || self.signing(ledger) == Signing::Allowed {
            self.shared.view.when_witnessed(ledger, size, wake);
        }
    }

    /// Root of the tree of the first `size` entries of a checkpoint; `None` if it has fewer.
    pub fn root(&self, ledger: usize, size: u64, at: &Published) -> Result<Option<Hash>, Fault> {
        if size > at.checkpoint.size {
            return Ok(None);
        }
        let tiles = self.tiles(ledger, at);
        root_from_tiles(size, &tiles).map(Some).map_err(|error| tiles.fault(error))
    }

    /// The signed checkpoint of no entries at all, which every tree of this origin begins with: something to show to a
    /// witness before anything was published.
    pub fn signed_nothing(&self, ledger: usize) -> Result<String, Fault> {
        sign_nothing(&self.shared.ledgers[ledger])
    }

    pub(crate) fn keep_witnessed(&self, ledger: usize, witnessed: Witnessed) -> Result<(), Fault> {
        witnessed::keep(&self.shared, ledger, witnessed)
    }

    pub(crate) fn keep_stamped(
        &self,
        ledger: usize,
        size: u64,
        what: Stamped,
        bytes: &[u8],
    ) -> Result<(), Fault> {
        stamped::keep(&self.shared, ledger, size, what, bytes)
    }

    /// What stamps checkpoints of the ledger, by rising size.
    pub fn stamped(&self, ledger: usize) -> Result<Vec<(u64, Stamped)>, Fault> {
        stamped::list(&self.shared, ledger)
    }

    /// A file that [`Reads::stamped`] names; `None` if it is not there.
    pub fn read_stamped(&self, ledger: usize, size: u64, what: Stamped) -> Result<Option<Vec<u8>>, Fault> {
        stamped::read(&self.shared, ledger, size, what)
    }

    /// The record of this index, `None` if there is no such durable entry.
    pub fn record(&self, ledger: usize, index: u64) -> Result<Option<StoredRecord>, Fault> {
        reader::record(&self.shared, ledger, index)
    }

    /// Calls `each` with every durable record of the range, in index order.
    pub fn scan(
        &self,
        ledger: usize,
        range: Range<u64>,
        each: &mut dyn FnMut(StoredRecord) -> Next,
    ) -> Result<(), Fault> {
        reader::scan(&self.shared, ledger, range, each)
    }

    /// A tile that the newest checkpoint implies, or a prefix of one; `None` if it implies no such tile.
    pub fn tile(&self, ledger: usize, tile: Tile) -> Result<Option<Vec<Hash>>, Fault> {
        let Some(published) = self.published(ledger) else { return Ok(None) };
        let width = tlog::tile::full_tiles(tile.level, published.checkpoint.size) > tile.index;
        let edge =
            published.edge.iter().find(|(held, _)| (held.level, held.index) == (tile.level, tile.index));
        let there = width || edge.is_some_and(|(held, _)| tile.width <= held.width);
        if !there || tile.width == 0 {
            return Ok(None);
        }
        tlog::proof::TileSource::tile(&self.tiles(ledger, &published), tile).doing("reading a tile").map(Some)
    }

    /// A bundle that the newest checkpoint implies, or a prefix of one, as C2SP serves it.
    pub fn bundle(&self, ledger: usize, index: u64, width: u16) -> Result<Option<Vec<u8>>, Fault> {
        let Some(published) = self.published(ledger) else { return Ok(None) };
        let size = published.checkpoint.size;
        let held =
            size.saturating_sub(index.saturating_mul(u64::from(TILE_WIDTH))).min(u64::from(TILE_WIDTH));
        if width == 0 || u64::from(width) > held {
            return Ok(None);
        }
        let path = layout::resource(&self.shared.ledgers[ledger].name, &bundle_path(index, TILE_WIDTH));
        let mut bytes = match held == u64::from(TILE_WIDTH) {
            true => self.shared.disk.read(&path).doing("reading a bundle")?,
            false => published.bundle.clone(),
        };
        bytes.truncate(usize::from(width) * (2 + record::entry::ENTRY_LEN));
        Ok(Some(bytes))
    }

    /// Proof that `index` is in the tree of a checkpoint.
    pub fn inclusion(&self, ledger: usize, index: u64, at: &Published) -> Result<Vec<Hash>, Fault> {
        let tiles = self.tiles(ledger, at);
        inclusion_proof(index, at.checkpoint.size, &tiles).map_err(|error| tiles.fault(error))
    }

    /// Proof that `index` is in the tree of the first `size` entries of a checkpoint.
    pub fn inclusion_in(
        &self,
        ledger: usize,
        index: u64,
        size: u64,
        at: &Published,
    ) -> Result<Vec<Hash>, Fault> {
        let tiles = self.tiles(ledger, at);
        inclusion_proof(index, size, &tiles).map_err(|error| tiles.fault(error))
    }

    /// Proof that the tree of a checkpoint begins with the tree of `old` entries.
    pub fn consistency(&self, ledger: usize, old: u64, at: &Published) -> Result<Vec<Hash>, Fault> {
        let tiles = self.tiles(ledger, at);
        consistency_proof(old, at.checkpoint.size, &tiles).map_err(|error| tiles.fault(error))
    }

    /// Roots of the subtrees that cover a range in the tree of a checkpoint, see [`export::range`].
    pub fn cover(&self, ledger: usize, range: Range<u64>, at: &Published) -> Result<Vec<Hash>, Fault> {
        let tiles = self.tiles(ledger, at);
        export::range::roots(range, at.checkpoint.size, &tiles).map_err(|error| tiles.fault(error))
    }

    /// The entries of a range in the tree of a checkpoint, bundle by bundle: first index and entries of each. They are
    /// read from bundles, which any reader of the tree gets; payloads are not looked at.
    pub fn entries(
        &self,
        ledger: usize,
        range: Range<u64>,
        at: &Published,
        each: &mut dyn FnMut(u64, &[u8; ENTRY_LEN]) -> Next,
    ) -> Result<(), Fault> {
        let width = u64::from(TILE_WIDTH);
        for bundle in range.start / width..range.end.min(at.checkpoint.size).div_ceil(width) {
            let held = (at.checkpoint.size - bundle * width).min(width) as u16;
            let path = || layout::resource(&self.shared.ledgers[ledger].name, &bundle_path(bundle, held));
            let bytes =
                self.bundle(ledger, bundle, held)?.ok_or_else(|| Fault::damaged(path(), "it is missing"))?;
            let entries = decode_bundle(&bytes).map_err(|error| Fault::damaged(path(), error))?.concat();
            let (entries, _) = entries.as_chunks::<ENTRY_LEN>();
            for (index, entry) in (bundle * width..).zip(entries).filter(|(index, _)| range.contains(index)) {
                if each(index, entry) == Next::Stop {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The newest checkpoint that a quorum of witnesses cosigned, as something to make proofs from.
    pub fn published_and_witnessed(&self, ledger: usize) -> Option<Arc<Published>> {
        // Tiles of an earlier size are prefixes of what the newest has.
        let (now, seen) = (self.published(ledger)?, self.witnessed(ledger)?);
        (seen.checkpoint.size <= now.checkpoint.size).then(|| {
            Arc::new(Published {
                checkpoint: seen.checkpoint.clone(),
                note: seen.note.clone(),
                edge: now.edge.clone(),
                bundle: Vec::new(),
                at_ms: seen.at_ms,
            })
        })
    }

    /// Signs the manifest of an evidence file of a ledger: a text that can't be taken for a checkpoint, and that
    /// commits the ledger to nothing but the file. `None` if the ledger may not sign.
    pub fn sign_evidence(
        &self,
        ledger: usize,
        manifest_sha256: &[u8; 32],
    ) -> Result<Option<String>, NoteError> {
        let identity = &self.shared.ledgers[ledger];
        let (key, gates) = (identity.signing(), &self.shared.options.gates);
        gates.pass(&identity.name, || export::note::sign(key.name(), manifest_sha256, key)).transpose()
    }

    /// Proof that the tree of `new` entries begins with that of `old`, both within a checkpoint.
    pub fn consistency_between(
        &self,
        ledger: usize,
        old: u64,
        new: u64,
        at: &Published,
    ) -> Result<Vec<Hash>, Fault> {
        let tiles = self.tiles(ledger, at);
        consistency_proof(old, new, &tiles).map_err(|error| tiles.fault(error))
    }

    fn tiles<'a>(&'a self, ledger: usize, published: &'a Published) -> DiskTiles<'a> {
        DiskTiles {
            disk: self.shared.disk.as_ref(),
            name: &self.shared.ledgers[ledger].name,
            edge: &published.edge,
        }
    }
}
