//! What of a store changes while a server runs, read once: checkpoints, register, write-ahead log, partial tiles.
//! Everything else below the sizes found here never changes again.

use std::collections::BTreeMap;
use std::io;

use tlog::tile::{Tile, full_tiles, partial_width};

use super::medium::Medium;
use super::report::{Damage, DamageKind};
use crate::layout;
use crate::register::Registered;

/// A store at one moment.
pub(crate) struct Snapshot {
    pub registered: Registered,
    /// Checkpoint of each ledger, in the register's order; `None` if there is none.
    pub checkpoints: Vec<Option<Vec<u8>>>,
    /// The newest checkpoint of each ledger that witnesses cosigned, likewise.
    pub witnessed: Vec<Option<Vec<u8>>>,
    /// Write-ahead files from the floor on, in order.
    pub wal: Vec<(u64, Vec<u8>)>,
    /// Numbers of write-ahead files that the register no longer needs.
    pub released: Vec<u64>,
    /// Partial tiles and bundles of each checkpoint, by path; an unreadable one is missing here.
    pub partials: BTreeMap<String, Vec<u8>>,
}

/// Why there is no snapshot.
pub(crate) enum SnapshotError {
    /// The register does not tell what should be there.
    Damaged(Box<Damage>),
    /// The medium could not be read.
    Unreadable(String),
}

impl Snapshot {
    /// Reads the moving parts in the order in which a server writes them last, so that what is read first never
    /// knows more than what is read later.
    pub(crate) fn take(medium: &dyn Medium) -> Result<Self, SnapshotError> {
        let (mut checkpoints, mut witnessed) = (BTreeMap::new(), BTreeMap::new());
        let mut partials = BTreeMap::new();
        for (name, ..) in medium.list(layout::LEDGERS).map_err(unreadable(layout::LEDGERS))? {
            if let Some(note) = optional(medium.read(&layout::witnessed(&name)), &name)? {
                witnessed.insert(name.clone(), note);
            }
            let Some(checkpoint) = optional(medium.read(&layout::checkpoint(&name)), &name)? else {
                continue;
            };
            if let Some(size) = claimed_size(&checkpoint) {
                for path in partial_paths(&name, size) {
                    if let Some(bytes) = optional(medium.read(&path), &path)? {
                        partials.insert(path, bytes);
                    }
                }
            }
            checkpoints.insert(name, checkpoint);
        }
        let bytes = match medium.read(layout::REGISTER) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let damage = Damage::new(
                    DamageKind::Missing,
                    layout::REGISTER,
                    "there is no register: not a store, or one that lost it",
                );
                return Err(SnapshotError::Damaged(Box::new(damage)));
            }
            other => other.map_err(unreadable(layout::REGISTER))?,
        };
        let registered = Registered::parse(&bytes).map_err(|error| {
            SnapshotError::Damaged(Box::new(Damage::new(DamageKind::Format, layout::REGISTER, error)))
        })?;
        let names = medium.list(layout::WAL).map_err(unreadable(layout::WAL))?;
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|(name, ..)| layout::parse_wal_name(name)).collect();
        let released = numbers.extract_if(.., |number| *number < registered.wal_floor).collect();
        let mut wal = Vec::new();
        for number in numbers {
            let path = layout::wal_file(number);
            if let Some(bytes) = optional(medium.read(&path), &path)? {
                wal.push((number, bytes));
            }
        }
        let checkpoints = registered.ledgers.iter().map(|ledger| checkpoints.remove(&ledger.name)).collect();
        let witnessed = registered.ledgers.iter().map(|ledger| witnessed.remove(&ledger.name)).collect();
        Ok(Self { registered, checkpoints, witnessed, wal, released, partials })
    }
}

/// Paths of the partial tiles and bundle that a checkpoint of this size implies.
pub(crate) fn partial_paths(name: &str, size: u64) -> Vec<String> {
    let mut paths = Vec::new();
    for level in 0..=Tile::MAX_LEVEL {
        let tile = Tile { level, index: full_tiles(level, size), width: partial_width(level, size) };
        if tile.width > 0 {
            paths.push(layout::resource(name, &tile.path()));
            if level == 0 {
                paths.push(layout::resource(name, &tile.bundle_path()));
            }
        }
    }
    paths
}

fn claimed_size(note: &[u8]) -> Option<u64> {
    std::str::from_utf8(note).ok()?.lines().nth(1)?.parse().ok()
}

fn optional(read: io::Result<Vec<u8>>, path: &str) -> Result<Option<Vec<u8>>, SnapshotError> {
    match read {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(path)(error)),
    }
}

fn unreadable(path: &str) -> impl Fn(io::Error) -> SnapshotError {
    move |error| SnapshotError::Unreadable(format!("{path}: {error}"))
}
