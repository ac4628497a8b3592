//! Going through all that a checkpoint commits to: every tile and every entry.

use std::num::NonZero;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use tlog::{TILE_WIDTH, Tile, bundle_path, encode_tile, full_tiles};

use crate::source::FetchError;
use crate::tree::{Bad, Tree, TreeError};

const WIDTH: u64 = TILE_WIDTH as u64;
/// Requests that are under way at a time.
const THREADS: usize = 8;
/// Bad resources that are told one by one.
const MAX_BAD: usize = 200;

/// Takes path and bytes of what is as it should be.
pub type Keep<'k> = dyn Fn(&str, &[u8]) -> Result<(), FetchError> + Sync + 'k;

/// What was found on the way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Walked {
    /// Tiles that are what they should be.
    pub tiles: u64,
    /// Entries that are what they should be.
    pub entries: u64,
    /// Resources that are not, in the order of their entries, those above before those below; the first two hundred.
    pub bad: Vec<Bad>,
}

/// Goes through a tree from entry `from` on, which must be a size that was gone through before, or 0.
///
/// Full tiles and bundles that are as they should be go to `keep`, parents before children; the partial ones at the
/// end come last. `progress` hears how many entries are done.
///
/// # Errors
/// Something is not to be had at all, or `keep` fails. What is bad is no error.
pub fn walk(
    tree: &Tree<'_>,
    from: u64,
    keep: &Keep<'_>,
    progress: &(dyn Fn(u64) + Sync),
) -> Result<Walked, FetchError> {
    let size = tree.size();
    let found = Found::default();
    for level in (1..8).rev() {
        for index in full_tiles(level, from)..full_tiles(level, size) {
            let tile = || {
                let hashes = tree.full(level, index)?;
                keep(&Tile::full(level, index).path(), &encode_tile(&hashes))?;
                Ok(0)
            };
            found.take(tile())?;
        }
    }
    let (first, end) = (full_tiles(0, from), full_tiles(0, size));
    let next = AtomicU64::new(first);
    let threads = thread::available_parallelism().map_or(1, NonZero::get).max(THREADS);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !found.is_over() {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= end {
                        break;
                    }
                    let both = || {
                        let hashes = tree.full(0, index)?;
                        keep(&Tile::full(0, index).path(), &encode_tile(&hashes))?;
                        found.tile();
                        keep(&bundle_path(index, TILE_WIDTH), &tree.bundle(index)?)?;
                        Ok(WIDTH)
                    };
                    // An error is told below, once all threads are done.
                    drop(found.take_entries(both()));
                    progress(found.entries.load(Ordering::Relaxed));
                }
            });
        }
    });
    found.error()?;
    for (tile, hashes) in tree.edge() {
        keep(&tile.path(), &encode_tile(hashes))?;
        found.tile();
    }
    let width = (size % WIDTH) as u16;
    if width > 0 {
        let last = || {
            keep(&bundle_path(end, width), &tree.bundle(end)?)?;
            Ok(u64::from(width))
        };
        found.take_entries(last())?;
        progress(found.entries.load(Ordering::Relaxed));
    }
    Ok(found.into_walked())
}

/// Gathers what several threads find.
#[derive(Default)]
struct Found {
    tiles: AtomicU64,
    entries: AtomicU64,
    bad: Mutex<Vec<Bad>>,
    error: Mutex<Option<FetchError>>,
    over: AtomicBool,
}

impl Found {
    fn tile(&self) {
        self.tiles.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self, result: Result<u64, TreeError>) -> Result<(), FetchError> {
        if result.is_ok() {
            self.tile();
        }
        self.take_entries(result)
    }

    fn take_entries(&self, result: Result<u64, TreeError>) -> Result<(), FetchError> {
        match result {
            Ok(entries) => {
                self.entries.fetch_add(entries, Ordering::Relaxed);
                Ok(())
            }
            Err(TreeError::Bad(bad)) => {
                let mut list = self.bad.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                // A bad tile is in the way of all that it stands for, and told once.
                if list.len() < MAX_BAD && !list.iter().any(|known| known.path == bad.path) {
                    list.push(*bad);
                }
                Ok(())
            }
            // Something of a length that it can't have is bad, not absent.
            Err(TreeError::Fetch(FetchError::TooLong { path, limit })) => {
                let what = format!("it is longer than {limit} bytes");
                self.take_entries(Err(TreeError::Bad(Box::new(Bad {
                    path,
                    what,
                    entries: (0, 0),
                    bytes: None,
                }))))
            }
            Err(TreeError::Fetch(error)) => {
                self.over.store(true, Ordering::Relaxed);
                let mut first = self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                Err(first.get_or_insert(error).clone())
            }
        }
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    fn error(&self) -> Result<(), FetchError> {
        let error = self.error.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
        error.map_or(Ok(()), Err)
    }

    fn into_walked(self) -> Walked {
        let mut bad = self.bad.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        bad.sort_by_key(|bad| bad.entries.0);
        Walked { tiles: self.tiles.into_inner(), entries: self.entries.into_inner(), bad }
    }
}
