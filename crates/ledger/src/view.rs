use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evidence::segment::Class;
use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::tile::Tile;

/// What readers may see of each ledger: where its records lie and its newest checkpoint.
pub(crate) struct View {
    ledgers: Vec<Mutex<LedgerView>>,
    published: Condvar,
    /// Guards the wait for a publication.
    publications: Mutex<u64>,
    waiters: Mutex<Vec<Waiter>>,
}

struct Waiter {
    ledger: usize,
    size: u64,
    wake: Box<dyn FnOnce(Arc<Published>) + Send>,
}

#[derive(Default)]
pub(crate) struct LedgerView {
    /// Durable entries.
    pub end: u64,
    /// Entries below this index are in segments.
    pub sealed: u64,
    /// Parts of the write-ahead log that hold the rest, in index order.
    pub wal: VecDeque<WalRef>,
    /// The segments, in index order per class.
    pub segments: Vec<SegmentRef>,
    /// The newest checkpoint; `None` only until the first is published.
    pub published: Option<Arc<Published>>,
}

/// Where a run of entries lies in the write-ahead log.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WalRef {
    pub first: u64,
    pub count: u64,
    pub file: u64,
    pub offset: u64,
    pub len: usize,
    /// Number of the group in the file.
    pub group: u64,
    pub key_id: [u8; 16],
    /// `received` of its first entry, unix milliseconds.
    pub received_ms: u64,
}

/// A segment on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SegmentRef {
    pub class: Class,
    pub first: u64,
    pub end: u64,
    pub generation: u32,
}

/// A published checkpoint and the right edge of the tree it commits to, which full tiles do not show.
#[derive(Debug)]
pub struct Published {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// The signed note.
    pub note: String,
    /// The partial tiles of this size.
    pub edge: Vec<(Tile, Vec<Hash>)>,
    /// The entries of the partial bundle, if there is one.
    pub bundle: Vec<u8>,
    /// When it was published, unix milliseconds.
    pub at_ms: u64,
}

impl View {
    pub(crate) fn new(ledgers: Vec<LedgerView>) -> Self {
        Self {
            ledgers: ledgers.into_iter().map(Mutex::new).collect(),
            published: Condvar::new(),
            publications: Mutex::new(0),
            waiters: Mutex::default(),
        }
    }

    pub(crate) fn ledger(&self, ledger: usize) -> MutexGuard<'_, LedgerView> {
        self.ledgers[ledger].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A part of the write-ahead log became durable.
    pub(crate) fn durable(&self, ledger: usize, at: WalRef) {
        let mut view = self.ledger(ledger);
        view.end = at.first + at.count;
        view.wal.push_back(at);
    }

    /// The part that begins at `first` was copied to another place: file, offset, length, group, key.
    pub(crate) fn moved(&self, ledger: usize, first: u64, place: (u64, u64, usize, u64, [u8; 16])) {
        let mut view = self.ledger(ledger);
        if let Ok(at) = view.wal.binary_search_by_key(&first, |at| at.first) {
            let at = &mut view.wal[at];
            (at.file, at.offset, at.len, at.group, at.key_id) = place;
        }
    }

    pub(crate) fn publish(&self, ledger: usize, published: Arc<Published>) {
        self.ledger(ledger).published = Some(published.clone());
        *self.publications.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        self.published.notify_all();
        let due: Vec<Waiter> = {
            let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
            let due =
                |waiter: &mut Waiter| waiter.ledger == ledger && waiter.size <= published.checkpoint.size;
            waiters.extract_if(.., due).collect()
        };
        for waiter in due {
            (waiter.wake)(published.clone());
        }
    }

    /// Calls `wake` with the first checkpoint that covers `size` entries; never, if the engine stops before.
    pub(crate) fn when_committed(
        &self,
        ledger: usize,
        size: u64,
        wake: impl FnOnce(Arc<Published>) + Send + 'static,
    ) {
        let mut waiters = self.waiters.lock().unwrap_or_else(PoisonError::into_inner);
        match self.ledger(ledger).published.clone().filter(|published| published.checkpoint.size >= size) {
            Some(published) => {
                drop(waiters);
                wake(published);
            }
            None => waiters.push(Waiter { ledger, size, wake: Box::new(wake) }),
        }
    }

    /// Forgets everyone who waits for a checkpoint: their wake function is dropped uncalled.
    pub(crate) fn abandon_waiters(&self) {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Waits until a checkpoint is published or the time is over.
    pub(crate) fn wait_published(&self, timeout: Duration) {
        let guard = self.publications.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.published.wait_timeout(guard, timeout));
    }

    pub(crate) fn sealed(&self, ledger: usize, sealed: u64, segments: &[SegmentRef]) {
        let mut view = self.ledger(ledger);
        view.segments.extend_from_slice(segments);
        view.sealed = sealed;
        while view.wal.front().is_some_and(|at| at.first + at.count <= sealed) {
            view.wal.pop_front();
        }
    }

    /// Number of the oldest write-ahead file that still holds unsealed entries of any ledger.
    pub(crate) fn oldest_wal_file(&self) -> Option<u64> {
        (0..self.ledgers.len())
            .filter_map(|ledger| self.ledger(ledger).wal.iter().map(|at| at.file).min())
            .min()
    }
}
