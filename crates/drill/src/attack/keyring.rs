//! A key directory in memory: what a thief has copied. Nothing of it is written to a disk.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use evidence::layout;
use storage::{Disk, DiskEntry, DiskFile};

use crate::copy::Files;

/// The files of a key directory.
#[derive(Clone, Default)]
pub(super) struct Keyring(Arc<Mutex<Files>>);

impl Keyring {
    pub(super) fn of(files: Files) -> Self {
        Self(Arc::new(Mutex::new(files)))
    }

    /// The files as they are now.
    pub(super) fn files(&self) -> Files {
        self.lock().clone()
    }

    /// The signing keys and all else but the keys of files that are there.
    pub(super) fn for_another_history(&self) -> Self {
        let mut files = self.files();
        files.0.retain(|path, _| !path.starts_with(layout::keys::DATA));
        Self::of(files)
    }

    fn lock(&self) -> MutexGuard<'_, Files> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn get(&self, path: &str) -> io::Result<Vec<u8>> {
        self.lock().0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

impl Disk for Keyring {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let mut files = self.lock();
        if files.0.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        files.0.insert(path.to_owned(), Vec::new());
        Ok(Box::new(Open { ring: self.clone(), path: path.to_owned() }))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.lock().0.insert(path.to_owned(), bytes.to_vec());
        Ok(())
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.get(path)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.get(path)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)?.get(..len));
        Ok(rest.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn read_medium(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.read_at(path, offset, len)
    }

    fn len(&self, path: &str) -> io::Result<Option<u64>> {
        Ok(self.lock().0.get(path).map(|bytes| bytes.len() as u64))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DiskEntry>> {
        use evidence::verify::Medium as _;
        let names = self.lock().list(dir)?;
        Ok(names.into_iter().map(|(name, len, dir)| DiskEntry { name, len, dir }).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut files = self.lock();
        let bytes = files.0.remove(from).ok_or(io::ErrorKind::NotFound)?;
        files.0.insert(to.to_owned(), bytes);
        Ok(())
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.lock().0.remove(path);
        Ok(())
    }

    fn remove_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn create_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_dir(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(())
    }
}

struct Open {
    ring: Keyring,
    path: String,
}

impl DiskFile for Open {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut files = self.ring.lock();
        files.0.entry(self.path.clone()).or_default().extend_from_slice(bytes);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
