use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use evidence::layout;
use evidence::verify::Medium;
use storage::Disk;

use crate::budget::Budget;

/// How much of a file is read between two looks at the budget.
const PIECE: usize = 1 << 20;

/// A directory read within a budget, and from the medium: a check of the page cache would say nothing about the disk.
pub(crate) struct Slow<'a> {
    pub disk: Arc<dyn Disk>,
    pub budget: &'a Budget,
    pub read: &'a AtomicU64,
}

impl Slow<'_> {
    fn book(&self, bytes: usize) {
        self.read.fetch_add(bytes as u64, Ordering::Relaxed);
        self.budget.book(bytes as u64);
    }
}

impl Medium for Slow<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        if moves(path) {
            // All of these must be of one moment, so they are read without a pause and paid for later.
            let bytes = self.disk.read(path)?;
            self.book(bytes.len());
            return Ok(bytes);
        }
        let len = self.disk.len(path)?.ok_or(io::ErrorKind::NotFound)?;
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(len)?;
        while bytes.len() < len {
            let piece = PIECE.min(len - bytes.len());
            bytes.extend(self.read_at(path, bytes.len() as u64, piece)?);
        }
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.budget.wait()?;
        let bytes = self.disk.read_medium(path, offset, len)?;
        self.book(bytes.len());
        Ok(bytes)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64, bool)>> {
        Ok(self.disk.list(dir)?.into_iter().map(|entry| (entry.name, entry.len, entry.dir)).collect())
    }
}

/// The key directory: small files, read as they are.
pub(crate) struct Plain(pub Arc<dyn Disk>);

impl Medium for Plain {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.read(path)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.0.read_at(path, offset, len)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64, bool)>> {
        Ok(self.0.list(dir)?.into_iter().map(|entry| (entry.name, entry.len, entry.dir)).collect())
    }
}

/// Whether a running server changes, replaces or removes this file. Segments, full tiles and full bundles it never
/// touches again.
pub(crate) fn moves(path: &str) -> bool {
    let Some(inside) = path.strip_prefix(layout::LEDGERS) else { return true };
    let segment = inside.contains("/segment/");
    let full = inside.contains("/tile/") && !inside.contains(".p/");
    !(segment || full) || inside.ends_with(".tmp")
}

#[cfg(test)]
mod tests {
    use super::*;
    use evidence::segment::Class;

    #[test]
    fn sealed_files_do_not_move() {
        let segment = layout::segment_file(Class::Events, 0, 256, 0);
        for path in [segment.as_str(), "tile/0/000", "tile/entries/000", "tile/0/x001/000"] {
            assert!(!moves(&layout::resource("main", path)), "{path}");
        }
        for path in ["tile/0/000.p/7", "tile/entries/x001/000.p/255", "checkpoint"] {
            assert!(moves(&layout::resource("main", path)), "{path}");
        }
        for path in [layout::REGISTER, layout::TOKENS, "wal/0000000000000001.wal", "keys:wrapping.key"] {
            assert!(moves(path), "{path}");
        }
    }
}
