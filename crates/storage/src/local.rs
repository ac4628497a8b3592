use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Advice, OFlags};

use crate::disk::{Disk, DiskEntry, DiskFile};

/// Alignment of direct reads: every common device's logical block divides it.
const BLOCK: usize = 4096;

/// A directory of the host's file system.
#[derive(Debug)]
pub struct LocalDisk {
    root: PathBuf,
    mode: u32,
}

impl LocalDisk {
    /// Opens `root`, creating it if it does not exist; new files are readable by the owner only.
    pub fn open(root: &Path) -> io::Result<Self> {
        let missing = !root.exists();
        std::fs::create_dir_all(root)?;
        if missing && let Some(parent) = root.parent() {
            let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
            File::open(parent)?.sync_all()?;
        }
        Ok(Self { root: root.to_owned(), mode: 0o600 })
    }

    /// Like [`LocalDisk::open`], for files that everybody may read, such as those of a mirror.
    pub fn open_public(root: &Path) -> io::Result<Self> {
        Ok(Self { mode: 0o644, ..Self::open(root)? })
    }

    /// The directory on the host.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Bytes that may still be written to the file system of this directory.
    pub fn free_bytes(&self) -> io::Result<u64> {
        let stat = rustix::fs::statvfs(&self.root)?;
        Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
    }

    fn path(&self, path: &str) -> PathBuf {
        debug_assert!(!path.split('/').any(|part| part == ".."), "paths stay inside the root: {path}");
        if path.is_empty() { self.root.clone() } else { self.root.join(path) }
    }
}

impl Disk for LocalDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).create_new(true).mode(self.mode).open(self.path(path))?;
        Ok(Box::new(LocalFile(file)))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let open = || {
            OpenOptions::new().write(true).create(true).truncate(true).mode(self.mode).open(self.path(path))
        };
        let mut file = match open() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                // Tile directories appear as the tree grows; `sync_all` makes them durable with the tiles.
                if let Some(parent) = self.path(path).parent() {
                    std::fs::create_dir_all(parent)?;
                }
                open()?
            }
            other => other?,
        };
        file.write_all(bytes)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path(path))
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; len];
        File::open(self.path(path))?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn read_medium(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let path = self.path(path);
        let direct = OpenOptions::new().read(true).custom_flags(OFlags::DIRECT.bits() as i32).open(&path);
        match direct.and_then(|file| read_direct(&file, offset, len)) {
            // tmpfs and some network file systems know no direct I/O: drop the cached pages and read again.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => {
                let file = File::open(&path)?;
                rustix::fs::fadvise(&file, offset, None, Advice::DontNeed)?;
                let mut bytes = vec![0; len];
                file.read_exact_at(&mut bytes, offset)?;
                Ok(bytes)
            }
            other => other,
        }
    }

    fn len(&self, path: &str) -> io::Result<Option<u64>> {
        match std::fs::metadata(self.path(path)) {
            Ok(meta) => Ok(Some(meta.len())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DiskEntry>> {
        let entries = match std::fs::read_dir(self.path(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other?,
        };
        let mut list = Vec::new();
        for entry in entries {
            let entry = entry?;
            // A file may be removed between listing and asking for its length.
            let Ok(meta) = entry.metadata() else { continue };
            let name = entry.file_name().to_string_lossy().into_owned();
            list.push(DiskEntry {
                name,
                len: if meta.is_dir() { 0 } else { meta.len() },
                dir: meta.is_dir(),
            });
        }
        list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(list)
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        std::fs::rename(self.path(from), self.path(to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        match std::fs::remove_file(self.path(path)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        use io::ErrorKind::{DirectoryNotEmpty, NotFound};
        match std::fs::remove_dir(self.path(dir)) {
            Err(error) if matches!(error.kind(), NotFound | DirectoryNotEmpty) => Ok(()),
            other => other,
        }
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        let mut at = self.root.clone();
        for part in dir.split('/').filter(|part| !part.is_empty()) {
            let parent = at.clone();
            at.push(part);
            match std::fs::create_dir(&at) {
                Ok(()) => File::open(&parent)?.sync_all()?,
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        File::open(self.path(dir))?.sync_all()
    }

    fn sync_all(&self) -> io::Result<()> {
        Ok(rustix::fs::syncfs(File::open(&self.root)?.as_fd())?)
    }
}

struct LocalFile(File);

impl DiskFile for LocalFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all(bytes)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// Reads whole aligned blocks around the range into an aligned part of a larger buffer.
fn read_direct(mut file: &File, offset: u64, len: usize) -> io::Result<Vec<u8>> {
    let start = offset - offset % BLOCK as u64;
    let skip = (offset - start) as usize;
    let span = (skip + len).next_multiple_of(BLOCK);
    let mut buffer = vec![0; span + BLOCK];
    let align = buffer.as_ptr().align_offset(BLOCK);
    let aligned = buffer.get_mut(align..align + span).ok_or(io::ErrorKind::InvalidInput)?;
    io::Seek::seek(&mut file, io::SeekFrom::Start(start))?;
    let mut filled = 0;
    while filled < skip + len {
        match file.read(&mut aligned[filled..]) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    buffer.drain(..align + skip);
    buffer.truncate(len);
    Ok(buffer)
}
