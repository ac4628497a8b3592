//! A file system in memory that knows, of every byte and every name, whether it would survive a power cut.
//!
//! The rules are POSIX's, read strictly, so what passes here needs no favour of a particular file system:
//!
//! - Written bytes are durable after a sync of their file or of everything. Until then any of them may be missing,
//!   in any combination, whatever the order of writing.
//! - A name that was created, renamed or removed is durable after a sync of its directory or of everything. Syncing
//!   the file does not help its name (ext4 would).
//! - A rename is one change: after a power cut the file is under its old name or under its new one, never under
//!   both; under neither only if the creation of the old name was not durable. What was at the new name before is
//!   there until the rename is.
//! - A directory that is lost takes everything in it with it, synced or not.
//! - Bytes already durable are not damaged by a write beside them in the same sector. (SQLite calls this
//!   power-safe overwrite; without it no file could ever be appended to.)
//! - After a failed sync the kernel may consider the pages clean: reads go on showing them, later syncs succeed,
//!   and the medium never gets them ([`SimFs::lose_unsynced`]).

mod crash;
mod names;

use std::io;
use std::sync::Arc;

pub use crash::{Fate, Fill};
use names::{Change, Names, Node};

/// A change of the file system, as the history of a simulated host records it.
#[derive(Clone, Debug)]
pub enum Op {
    /// Create a file that must not exist.
    Create(Arc<str>),
    /// Append to an open file.
    Append(FileId, Arc<[u8]>),
    /// Create or replace a file with its parent directories, nothing of it durably.
    Write(Arc<str>, Arc<[u8]>),
    /// Rename a file over whatever is at the new name.
    Rename(Arc<str>, Arc<str>),
    /// Remove a file.
    Remove(Arc<str>),
    /// Create a directory in one that exists.
    MakeDir(Arc<str>),
    /// Remove an empty directory.
    RemoveDir(Arc<str>),
    /// Make the bytes of a file durable.
    Sync(FileId),
    /// Make the names in a directory durable.
    SyncDir(Arc<str>),
    /// Make everything at and below a directory durable.
    SyncAll(Arc<str>),
    /// A sync of this file failed and its unsynced pages will never reach the medium.
    LoseUnsynced(FileId),
    /// The kernel drops clean pages; from now on reads show what the medium holds.
    Evict,
}

/// Names an open file; the same history always gives the same numbers.
pub type FileId = usize;

/// The state of all files, as processes see it and as the medium holds it.
#[derive(Clone, Default)]
pub struct SimFs {
    files: Vec<Arc<Inode>>,
    /// What processes see.
    names: Names,
    /// What survives a power cut for sure.
    durable: Names,
    /// What may survive: the way from `durable` to `names`.
    changes: Vec<(u64, Change)>,
    /// Directory and content of files that were removed: an unsynced block may show them again.
    stale: Vec<(String, Arc<Vec<u8>>)>,
    ops: u64,
}

#[derive(Clone, Default)]
struct Inode {
    /// Path it was created under, for messages.
    path: String,
    /// What processes read.
    data: Arc<Vec<u8>>,
    /// What the medium holds for sure.
    durable: Arc<Vec<u8>>,
    /// What it may hold: the way from `durable` to `data`.
    writes: Vec<Write>,
}

#[derive(Clone)]
struct Write {
    at: u64,
    /// `None` cuts the file to nothing.
    data: Option<(usize, Arc<[u8]>)>,
    /// A failed sync has dropped it: the medium never gets it.
    lost: bool,
}

impl SimFs {
    /// An empty file system with these directories in its root.
    pub fn new(roots: &[&str]) -> Self {
        let mut fs = Self::default();
        for root in roots {
            fs.names.insert(root, Node::Dir);
        }
        fs.durable = fs.names.clone();
        fs
    }

    /// Applies an operation of a history; the history was possible, so this cannot fail.
    ///
    /// # Panics
    /// If the operation is not possible here: this is not the state it was recorded in.
    pub fn apply(&mut self, op: &Op) {
        let fits = |done: io::Result<()>| {
            if let Err(error) = done {
                panic!("the history does not fit this state: {op:?}: {error}");
            }
        };
        match op {
            Op::Create(path) => fits(self.create(path).map(drop)),
            Op::Append(file, bytes) => self.append(*file, bytes.clone()),
            Op::Write(path, bytes) => fits(self.write(path, bytes.clone())),
            Op::Rename(from, to) => fits(self.rename(from, to)),
            Op::Remove(path) => fits(self.remove(path)),
            Op::MakeDir(path) => fits(self.make_dir(path)),
            Op::RemoveDir(path) => fits(self.remove_dir(path)),
            Op::Sync(file) => self.sync(*file),
            Op::SyncDir(dir) => fits(self.sync_dir(dir)),
            Op::SyncAll(root) => self.sync_all(root),
            Op::LoseUnsynced(file) => self.lose_unsynced(*file),
            Op::Evict => self.evict(),
        }
    }

    /// Creates a file that must not exist, in a directory that must.
    pub fn create(&mut self, path: &str) -> io::Result<FileId> {
        self.names.check_parent(path)?;
        if self.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.ops += 1;
        let file = self.files.len();
        self.files.push(Arc::new(Inode { path: path.to_owned(), ..Inode::default() }));
        self.change(Change::Link(path.into(), file));
        Ok(file)
    }

    /// Appends to an open file, which may have lost its name since.
    pub fn append(&mut self, file: FileId, bytes: Arc<[u8]>) {
        self.ops += 1;
        let (at, inode) = (self.ops, Arc::make_mut(&mut self.files[file]));
        let offset = inode.data.len();
        Arc::make_mut(&mut inode.data).extend_from_slice(&bytes);
        inode.writes.push(Write { at, data: Some((offset, bytes)), lost: false });
    }

    /// Creates or replaces a file and its parent directories.
    pub fn write(&mut self, path: &str, bytes: Arc<[u8]>) -> io::Result<()> {
        let parents: Vec<&str> = path.match_indices('/').map(|(at, _)| &path[..at]).collect();
        for parent in parents {
            if self.names.get(parent).is_none() {
                self.make_dir(parent)?;
            }
        }
        let file = match self.names.get(path) {
            Some(Node::File(file)) => file,
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            None => self.create(path)?,
        };
        self.ops += 1;
        let (at, inode) = (self.ops, Arc::make_mut(&mut self.files[file]));
        if !inode.data.is_empty() {
            inode.writes.push(Write { at, data: None, lost: false });
        }
        inode.data = Arc::new(bytes.to_vec());
        inode.writes.push(Write { at, data: Some((0, bytes)), lost: false });
        Ok(())
    }

    /// Renames a file within its directory, over whatever file is at `to`.
    pub fn rename(&mut self, from: &str, to: &str) -> io::Result<()> {
        let file = self.file(from)?;
        self.names.check_parent(to)?;
        if parent(from) != parent(to) {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "not simulated: another directory"));
        }
        match self.names.get(to) {
            Some(Node::Dir) => return Err(io::ErrorKind::IsADirectory.into()),
            Some(Node::File(old)) => self.bury(old),
            None => {}
        }
        self.ops += 1;
        self.change(Change::Rename(from.into(), to.into(), file));
        Ok(())
    }

    /// Removes a file that must exist.
    pub fn remove(&mut self, path: &str) -> io::Result<()> {
        let file = self.file(path)?;
        self.bury(file);
        self.ops += 1;
        self.change(Change::Unlink(path.into()));
        Ok(())
    }

    /// Creates a directory in one that exists.
    pub fn make_dir(&mut self, path: &str) -> io::Result<()> {
        self.names.check_parent(path)?;
        if self.names.get(path).is_some() {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.ops += 1;
        self.change(Change::MakeDir(path.into()));
        Ok(())
    }

    /// Removes a directory that must exist and be empty.
    pub fn remove_dir(&mut self, path: &str) -> io::Result<()> {
        match self.names.get(path) {
            None => return Err(io::ErrorKind::NotFound.into()),
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            Some(Node::Dir) if self.names.children(path).next().is_some() => {
                return Err(io::ErrorKind::DirectoryNotEmpty.into());
            }
            Some(Node::Dir) => {}
        }
        self.ops += 1;
        self.change(Change::RemoveDir(path.into()));
        Ok(())
    }

    /// Makes the bytes of a file durable, but not those that an earlier failed sync dropped.
    pub fn sync(&mut self, file: FileId) {
        self.ops += 1;
        let inode = Arc::make_mut(&mut self.files[file]);
        if inode.writes.iter().all(|write| !write.lost) {
            inode.durable = inode.data.clone();
        } else {
            let mut durable = inode.durable.as_ref().clone();
            inode.writes.iter().filter(|write| !write.lost).for_each(|write| write.apply(&mut durable));
            durable.resize(inode.data.len(), 0);
            inode.durable = Arc::new(durable);
        }
        inode.writes.clear();
    }

    /// Makes the names in a directory durable.
    pub fn sync_dir(&mut self, dir: &str) -> io::Result<()> {
        self.names.check_dir(dir)?;
        self.ops += 1;
        let durable = &mut self.durable;
        self.changes.retain(|(_, change)| {
            let here = parent(change.path()) == dir;
            if here {
                durable.apply(change);
            }
            !here
        });
        Ok(())
    }

    /// Makes everything at and below a directory durable.
    pub fn sync_all(&mut self, root: &str) {
        self.unsynced_below(root).into_iter().for_each(|file| self.sync(file));
        self.ops += 1;
        let durable = &mut self.durable;
        self.changes.retain(|(_, change)| {
            let here = is_below(change.path(), root);
            if here {
                durable.apply(change);
            }
            !here
        });
    }

    /// Files at and below a directory with bytes that are not durable.
    pub fn unsynced_below(&self, root: &str) -> Vec<FileId> {
        let unsynced = |inode: &Inode| !inode.writes.is_empty() && is_below(&inode.path, root);
        (0..self.files.len()).filter(|file| unsynced(&self.files[*file])).collect()
    }

    /// What a failed sync may do: the unsynced bytes stay readable and never reach the medium.
    pub fn lose_unsynced(&mut self, file: FileId) {
        self.ops += 1;
        Arc::make_mut(&mut self.files[file]).writes.iter_mut().for_each(|write| write.lost = true);
    }

    /// What memory pressure may do at any time: clean pages are dropped, those that a failed sync left as well.
    pub fn evict(&mut self) {
        self.ops += 1;
        for inode in self.files.iter_mut().filter(|inode| inode.writes.is_empty()) {
            if inode.data != inode.durable {
                let inode = Arc::make_mut(inode);
                inode.data = inode.durable.clone();
            }
        }
    }

    /// What a process reads.
    pub fn read(&self, path: &str) -> io::Result<&Vec<u8>> {
        Ok(&self.files[self.file(path)?].data)
    }

    /// What the medium holds of a range.
    ///
    /// # Panics
    /// If any of it is not durable, its name included: nobody may build on such bytes (DESIGN I3).
    pub fn read_medium(&self, path: &str, offset: usize, len: usize) -> io::Result<Vec<u8>> {
        let file = self.file(path)?;
        assert!(
            self.durable.reaches(path, file),
            "bytes taken for durable, but a power cut may take the name: {path}"
        );
        let inode = &self.files[file];
        for write in inode.writes.iter().filter(|write| !write.lost) {
            let (from, to) = write.data.as_ref().map_or((0, usize::MAX), |(at, data)| (*at, at + data.len()));
            assert!(
                to <= offset || offset + len <= from,
                "bytes taken for durable that were never synced: {path}, {offset}..{}, written at {from}..{to}",
                offset + len
            );
        }
        let bytes = inode.durable.get(offset..offset.saturating_add(len));
        bytes.map(<[u8]>::to_vec).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    /// Length of a file, `None` if there is none.
    pub fn len(&self, path: &str) -> io::Result<Option<u64>> {
        match self.names.get(path) {
            None => Ok(None),
            Some(Node::File(file)) => Ok(Some(self.files[file].data.len() as u64)),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
        }
    }

    /// Names, lengths and kinds in a directory, sorted; `None` if there is no such directory.
    pub fn list(&self, dir: &str) -> io::Result<Option<Vec<(String, u64, bool)>>> {
        match self.names.get(dir) {
            None => return Ok(None),
            Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
            Some(Node::Dir) => {}
        }
        let row = |(name, node): (&str, Node)| match node {
            Node::Dir => (name.to_owned(), 0, true),
            Node::File(file) => (name.to_owned(), self.files[file].data.len() as u64, false),
        };
        Ok(Some(self.names.children(dir).map(row).collect()))
    }

    /// Path that an open file was created under.
    pub fn created_path(&self, file: FileId) -> &str {
        &self.files[file].path
    }

    /// The file that a path names now.
    pub fn file(&self, path: &str) -> io::Result<FileId> {
        match self.names.get(path) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Dir) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn change(&mut self, change: Change) {
        self.names.apply(&change);
        self.changes.push((self.ops, change));
    }

    /// Remembers what a removed file held, the newest few of each directory.
    fn bury(&mut self, file: FileId) {
        const GRAVES: usize = 3;
        let inode = &self.files[file];
        if inode.data.len() < 512 {
            return;
        }
        let dir = parent(&inode.path).to_owned();
        let same = |(_, (old, _)): &(usize, &(String, _))| *old == dir;
        let full = self.stale.iter().filter(|(old, _)| *old == dir).count() >= GRAVES;
        if full && let Some((oldest, _)) = self.stale.iter().enumerate().find(same) {
            self.stale.remove(oldest);
        }
        self.stale.push((dir, inode.data.clone()));
    }
}

impl Write {
    fn apply(&self, bytes: &mut Vec<u8>) {
        let Some((offset, data)) = &self.data else { return bytes.clear() };
        // A hole before it reads as zeros.
        bytes.resize(bytes.len().max(offset + data.len()), 0);
        bytes[*offset..offset + data.len()].copy_from_slice(data);
    }
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn is_below(path: &str, root: &str) -> bool {
    root.is_empty() || path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
