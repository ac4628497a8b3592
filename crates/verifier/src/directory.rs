use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use evidence::verify::Medium;

/// A directory to verify; opened for reading only.
#[derive(Debug)]
pub struct Directory {
    root: PathBuf,
    read: AtomicU64,
}

impl Directory {
    /// Reads below `root`.
    pub fn new(root: &Path) -> Self {
        Self { root: root.to_owned(), read: AtomicU64::new(0) }
    }

    /// Bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    fn path(&self, path: &str) -> PathBuf {
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Medium for Directory {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        let bytes = std::fs::read(self.path(path))?;
        self.read.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        File::open(self.path(path))?.read_exact_at(&mut bytes, offset)?;
        self.read.fetch_add(len as u64, Ordering::Relaxed);
        Ok(bytes)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64, bool)>> {
        let entries = match std::fs::read_dir(self.path(dir)) {
            // A store without a directory has nothing in it; no store at all is another matter.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !dir.is_empty() => return Ok(Vec::new()),
            other => other?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(meta) = entry.metadata() else { continue };
            names.push((entry.file_name().to_string_lossy().into_owned(), meta.len(), meta.is_dir()));
        }
        names.sort();
        Ok(names)
    }
}
