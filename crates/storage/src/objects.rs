use std::fmt;
use std::io;
use std::sync::Arc;

use crate::disk::Disk;

/// Immutable objects: the first of the two storage contracts of DESIGN section 4.
///
/// `Ok` of [`Objects::put`] means that the object survives power loss. Storing the same bytes again is `Ok`,
/// other bytes are a [`PutError::Conflict`]. Reads see every object whose `put` has returned.
pub trait Objects: Send + Sync {
    /// Stores an object unless one of that path exists, durably on return.
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), PutError>;
    /// Reads an object.
    fn get(&self, path: &str) -> io::Result<Vec<u8>>;
}

/// Why an object was not stored.
#[derive(Debug)]
pub enum PutError {
    /// Other bytes are stored under this path; nothing was changed.
    Conflict,
    /// It may have been stored or not; recover before writing anything that depends on it.
    OutcomeUnknown(io::Error),
}

impl fmt::Display for PutError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Conflict => write!(f, "another object is stored under this path"),
            Self::OutcomeUnknown(error) => write!(f, "the object may have been stored or not: {error}"),
        }
    }
}

impl std::error::Error for PutError {}

impl From<io::Error> for PutError {
    fn from(error: io::Error) -> Self {
        Self::OutcomeUnknown(error)
    }
}

/// [`Objects`] on a [`Disk`]: written beside, synced, renamed, directory synced.
pub struct DiskObjects {
    disk: Arc<dyn Disk>,
}

impl DiskObjects {
    /// Uses `disk` for the objects.
    pub fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk }
    }
}

impl Objects for DiskObjects {
    fn put(&self, path: &str, bytes: &[u8]) -> Result<(), PutError> {
        if self.disk.len(path)?.is_some() {
            // Durable before the answer: whoever wrote it first may have died before syncing the name.
            self.disk.sync_dir(parent(path))?;
            return if self.disk.read(path)? == bytes { Ok(()) } else { Err(PutError::Conflict) };
        }
        replace(self.disk.as_ref(), path, bytes)?;
        Ok(())
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }
}

/// Puts `bytes` at `path` so that after a crash either the old or the new content is there, durably on return.
pub fn replace(disk: &dyn Disk, path: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!("{path}.tmp");
    disk.remove(&temporary)?;
    let mut file = disk.create(&temporary)?;
    file.append(bytes)?;
    file.sync()?;
    drop(file);
    disk.rename(&temporary, path)?;
    disk.sync_dir(parent(path))
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}
