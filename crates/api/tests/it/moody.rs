use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};

use storage::{Disk, DiskEntry, DiskFile, LocalDisk};

/// How a [`MoodyDisk`] takes the syncs of what is appended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Fine,
    /// They wait until the mood changes.
    Held,
    /// They fail.
    Failing,
}

/// Changes the mood from outside.
#[derive(Clone)]
pub struct Temper(Arc<(Mutex<Mood>, Condvar)>, Arc<AtomicUsize>);

impl Temper {
    pub fn new() -> Self {
        Self(Arc::new((Mutex::new(Mood::Fine), Condvar::new())), Arc::default())
    }

    pub fn set(&self, mood: Mood) {
        *self.0.0.lock().unwrap() = mood;
        self.0.1.notify_all();
    }

    /// How many syncs wait.
    pub fn waiting(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }

    fn sync(&self) -> io::Result<()> {
        let mood = self.0.0.lock().unwrap();
        self.1.fetch_add(1, Ordering::SeqCst);
        let mood = self.0.1.wait_while(mood, |mood| *mood == Mood::Held).unwrap();
        self.1.fetch_sub(1, Ordering::SeqCst);
        match *mood {
            Mood::Failing => Err(io::Error::other("the disk fails")),
            _ => Ok(()),
        }
    }
}

/// A directory whose syncs wait or fail as told.
pub struct MoodyDisk {
    pub inner: LocalDisk,
    pub temper: Temper,
}

impl MoodyDisk {
    pub fn open(dir: &Path, temper: Temper) -> Self {
        Self { inner: LocalDisk::open(dir).unwrap(), temper }
    }
}

struct MoodyFile(Box<dyn DiskFile>, Temper);

impl DiskFile for MoodyFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.1.sync()?;
        self.0.sync()
    }
}

impl Disk for MoodyDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(MoodyFile(self.inner.create(path)?, self.temper.clone())))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.inner.write(path, bytes)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.inner.read(path)
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.inner.read_at(path, offset, len)
    }

    fn read_medium(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.inner.read_medium(path, offset, len)
    }

    fn len(&self, path: &str) -> io::Result<Option<u64>> {
        self.inner.len(path)
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DiskEntry>> {
        self.inner.list(dir)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.inner.rename(from, to)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.inner.remove(path)
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.remove_dir(dir)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.create_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.sync_dir(dir)
    }

    fn sync_all(&self) -> io::Result<()> {
        self.inner.sync_all()
    }
}
