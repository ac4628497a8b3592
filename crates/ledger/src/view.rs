use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use evidence::segment::Class;
use tlog::checkpoint::Checkpoint;
use tlog::hash::Hash;
use tlog::tile::Tile;

use crate::witnessed::Witnessed;

/// What readers may see of each ledger: where its records lie and its newest checkpoint.
pub(crate) struct View {
    ledgers: Vec<Mutex<LedgerView>>,
    published: Condvar,
    /// Guards the wait for a publication.
    publications: Mutex<u64>,
    waiters: Mutex<Vec<Waiter<Published>>>,
    /// Those who wait for witnesses.
    witness_waiters: Mutex<Vec<Waiter<Witnessed>>>,
}

struct Waiter<T> {
    ledger: usize,
    size: u64,
    wake: Box<dyn FnOnce(Arc<T>) + Send>,
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
    /// The newest checkpoint that a quorum of witnesses cosigned.
    pub witnessed: Option<Arc<Witnessed>>,
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
            witness_waiters: Mutex::default(),
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
        wake(&self.waiters, ledger, published.checkpoint.size, &published);
    }

    /// A checkpoint was cosigned by a quorum.
    pub(crate) fn witness(&self, ledger: usize, witnessed: Arc<Witnessed>) {
        self.ledger(ledger).witnessed = Some(witnessed.clone());
        wake(&self.witness_waiters, ledger, witnessed.checkpoint.size, &witnessed);
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

    /// Calls `wake` with the first witnessed checkpoint that covers `size` entries; never, if the engine stops before.
    pub(crate) fn when_witnessed(
        &self,
        ledger: usize,
        size: u64,
        wake: impl FnOnce(Arc<Witnessed>) + Send + 'static,
    ) {
        let mut waiters = self.witness_waiters.lock().unwrap_or_else(PoisonError::into_inner);
        match self.ledger(ledger).witnessed.clone().filter(|witnessed| witnessed.checkpoint.size >= size) {
            Some(witnessed) => {
                drop(waiters);
                wake(witnessed);
            }
            None => waiters.push(Waiter { ledger, size, wake: Box::new(wake) }),
        }
    }

    /// Forgets everyone who waits for a checkpoint: their wake function is dropped uncalled.
    pub(crate) fn abandon_waiters(&self) {
        drop(take(&self.waiters, |_| true));
        drop(take(&self.witness_waiters, |_| true));
    }

    /// Forgets those who wait for a checkpoint of one ledger.
    pub(crate) fn abandon_waiters_of(&self, ledger: usize) {
        drop(take(&self.waiters, |waiter| waiter.ledger == ledger));
        drop(take(&self.witness_waiters, |waiter| waiter.ledger == ledger));
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

/// Takes those out who are chosen. Their wake functions are dropped, or called, without the lock.
fn take<T>(waiters: &Mutex<Vec<Waiter<T>>>, mut chosen: impl FnMut(&Waiter<T>) -> bool) -> Vec<Waiter<T>> {
    let mut waiters = waiters.lock().unwrap_or_else(PoisonError::into_inner);
    waiters.extract_if(.., |waiter| chosen(waiter)).collect()
}

fn wake<T>(waiters: &Mutex<Vec<Waiter<T>>>, ledger: usize, size: u64, with: &Arc<T>) {
    for waiter in take(waiters, |waiter| waiter.ledger == ledger && waiter.size <= size) {
        (waiter.wake)(with.clone());
    }
}
