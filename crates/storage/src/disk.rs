use std::io;

/// One name in a directory listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskEntry {
    /// The last component of the path.
    pub name: String,
    /// Length in bytes; 0 for a directory.
    pub len: u64,
    /// Whether this is a directory.
    pub dir: bool,
}

/// A directory tree with explicit durability.
///
/// Paths are relative, `/`-separated and never contain `..`. What is written is durable only after the sync
/// that covers it: [`DiskFile::sync`] for a file's bytes, [`Disk::sync_dir`] for the names in a directory,
/// [`Disk::sync_all`] for everything. An error of any sync means that nothing is known about what it covered:
/// the caller must stop writing and recover (DESIGN I11), never sync the same file again.
pub trait Disk: Send + Sync {
    /// Creates a file that must not exist and opens it for appending.
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>>;
    /// Creates or replaces a file, neither atomically nor durably: only for what can be rebuilt.
    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()>;
    /// Reads a whole file.
    fn read(&self, path: &str) -> io::Result<Vec<u8>>;
    /// Reads `len` bytes at `offset`; fewer are an `UnexpectedEof` error.
    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Like [`Disk::read_at`], but from the medium, not from the page cache (DESIGN I3).
    fn read_medium(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>>;
    /// Length of a file, or `None` if there is none.
    fn len(&self, path: &str) -> io::Result<Option<u64>>;
    /// The names in a directory, sorted; empty if there is no such directory.
    fn list(&self, dir: &str) -> io::Result<Vec<DiskEntry>>;
    /// Renames a file over whatever is at `to`.
    fn rename(&self, from: &str, to: &str) -> io::Result<()>;
    /// Removes a file; one that is not there is no error.
    fn remove(&self, path: &str) -> io::Result<()>;
    /// Removes a directory if it is there and empty.
    fn remove_dir(&self, dir: &str) -> io::Result<()>;
    /// Creates a directory and its parents and makes their names durable.
    fn create_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes the names in a directory durable.
    fn sync_dir(&self, dir: &str) -> io::Result<()>;
    /// Makes everything written through this disk so far durable, names included.
    fn sync_all(&self) -> io::Result<()>;
}

/// An open file that only grows.
pub trait DiskFile: Send {
    /// Appends all of `bytes`. After an error the length of the file is unknown.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Makes every appended byte durable (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}
