use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage::{Disk, DiskEntry, DiskFile};

use crate::fs::{FileId, Op, SimFs};

/// Root of the data disk on every simulated host.
pub const DATA: &str = "data";
/// Root of the key disk.
pub const KEYS: &str = "keys";

/// The disks of a store: data, keys.
pub type Disks = (Arc<dyn Disk>, Arc<dyn Disk>);

/// A simulated computer: one file system, and the history of every change made to it through [`SimDisk`]s.
#[derive(Clone)]
pub struct SimHost(Arc<Mutex<State>>);

struct State {
    fs: SimFs,
    history: Vec<Op>,
}

impl SimHost {
    /// Starts from a file system: an empty one, or one that a crash left.
    pub fn boot(fs: SimFs) -> Self {
        Self(Arc::new(Mutex::new(State { fs, history: Vec::new() })))
    }

    /// The directory tree below `root`, which must exist.
    pub fn disk(&self, root: &str) -> SimDisk {
        SimDisk { host: self.clone(), root: root.to_owned() }
    }

    /// The disks of the store on it.
    pub fn disks(&self) -> Disks {
        (Arc::new(self.disk(DATA)), Arc::new(self.disk(KEYS)))
    }

    /// The file system as it is now.
    pub fn fs(&self) -> SimFs {
        self.lock().fs.clone()
    }

    /// How many operations have changed something since the host was booted.
    pub fn ops(&self) -> usize {
        self.lock().history.len()
    }

    /// These operations.
    pub fn history(&self) -> Vec<Op> {
        self.lock().history.clone()
    }

    /// Drops clean pages from the page cache, see [`SimFs::evict`].
    pub fn evict(&self) {
        let mut state = self.lock();
        state.fs.evict();
        state.history.push(Op::Evict);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Does what `op` says and records it.
    fn run(&mut self, op: Op, done: impl FnOnce(&mut SimFs) -> io::Result<()>) -> io::Result<()> {
        done(&mut self.fs)?;
        self.history.push(op);
        Ok(())
    }
}

/// A [`Disk`] on a [`SimHost`]. It is strict: what POSIX leaves open fails the test.
#[derive(Clone)]
pub struct SimDisk {
    host: SimHost,
    root: String,
}

impl SimDisk {
    /// Path within the host's file system.
    fn at(&self, path: &str) -> String {
        match (self.root.as_str(), path) {
            ("", path) => path.to_owned(),
            (root, "") => root.to_owned(),
            (root, path) => format!("{root}/{path}"),
        }
    }

    /// Creates a file, as [`Disk::create`] does, and returns it with its own type.
    pub fn create_file(&self, path: &str) -> io::Result<SimFile> {
        let (path, mut state) = (self.at(path), self.host.lock());
        let file = state.fs.create(&path)?;
        state.history.push(Op::Create(path.as_str().into()));
        Ok(SimFile { host: self.host.clone(), file })
    }

    /// Makes later syncs leave out all that is unsynced now: a sync of everything has failed.
    pub fn lose_all_unsynced(&self) {
        let mut state = self.host.lock();
        state.fs.unsynced_below(&self.root).into_iter().for_each(|file| state.lose(file));
    }
}

impl State {
    fn lose(&mut self, file: FileId) {
        self.fs.lose_unsynced(file);
        self.history.push(Op::LoseUnsynced(file));
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(self.create_file(path)?))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let (path, bytes): (String, Arc<[u8]>) = (self.at(path), bytes.into());
        let op = Op::Write(path.as_str().into(), bytes.clone());
        self.host.lock().run(op, |fs| fs.write(&path, bytes))
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.host.lock().fs.read(&self.at(path)).cloned()
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let state = self.host.lock();
        let bytes = state.fs.read(&self.at(path))?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let bytes = bytes.get(offset..offset.saturating_add(len));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn read_medium(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.host.lock().fs.read_medium(&self.at(path), offset as usize, len)
    }

    fn len(&self, path: &str) -> io::Result<Option<u64>> {
        self.host.lock().fs.len(&self.at(path))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DiskEntry>> {
        let rows = self.host.lock().fs.list(&self.at(dir))?.unwrap_or_default();
        Ok(rows.into_iter().map(|(name, len, dir)| DiskEntry { name, len, dir }).collect())
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let (from, to) = (self.at(from), self.at(to));
        let op = Op::Rename(from.as_str().into(), to.as_str().into());
        self.host.lock().run(op, |fs| fs.rename(&from, &to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let path = self.at(path);
        let removed = self.host.lock().run(Op::Remove(path.as_str().into()), |fs| fs.remove(&path));
        match removed {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        use io::ErrorKind::{DirectoryNotEmpty, NotFound};
        let path = self.at(dir);
        let removed = self.host.lock().run(Op::RemoveDir(path.as_str().into()), |fs| fs.remove_dir(&path));
        match removed {
            Err(error) if matches!(error.kind(), NotFound | DirectoryNotEmpty) => Ok(()),
            other => other,
        }
    }

    /// One directory after the other, each made durable in its parent: a kill may come between any two steps.
    fn create_dir(&self, dir: &str) -> io::Result<()> {
        let (path, mut state) = (self.at(dir), self.host.lock());
        let parts = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        for end in parts.filter(|end| *end > self.root.len()) {
            let (part, parent) =
                (&path[..end], path[..end].rsplit_once('/').map_or("", |(parent, _)| parent));
            match state.run(Op::MakeDir(part.into()), |fs| fs.make_dir(part)) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                other => other?,
            }
            state.run(Op::SyncDir(parent.into()), |fs| fs.sync_dir(parent))?;
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        let dir = self.at(dir);
        self.host.lock().run(Op::SyncDir(dir.as_str().into()), |fs| fs.sync_dir(&dir))
    }

    fn sync_all(&self) -> io::Result<()> {
        let op = Op::SyncAll(self.root.as_str().into());
        self.host.lock().run(op, |fs| {
            fs.sync_all(&self.root);
            Ok(())
        })
    }
}

/// An open file of a [`SimHost`].
pub struct SimFile {
    host: SimHost,
    file: FileId,
}

impl SimFile {
    /// Makes a later sync leave out what is unsynced now: a sync of this file has failed.
    pub fn lose_unsynced(&mut self) {
        self.host.lock().lose(self.file);
    }
}

impl DiskFile for SimFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let bytes: Arc<[u8]> = bytes.into();
        self.host.lock().run(Op::Append(self.file, bytes.clone()), |fs| {
            fs.append(self.file, bytes);
            Ok(())
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.host.lock().run(Op::Sync(self.file), |fs| {
            fs.sync(self.file);
            Ok(())
        })
    }
}
