use std::fmt;
use std::io;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::disk::{Disk, DiskEntry, DiskFile};

/// A moment at which a process ends as if it had been killed: around the n-th operation of one kind on paths of one
/// kind. Written as `WHEN-OPERATION:PATH:N`, such as `after-sync:wal/:3`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KillPoint {
    /// Before it, in the middle of it, or after it.
    pub when: When,
    /// Name of the method of [`Disk`] or [`DiskFile`]; only those that change something.
    pub operation: String,
    /// What the path contains.
    pub path: String,
    /// Which one, counting from 1.
    pub nth: u64,
}

/// Where in an operation a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Nothing of it has happened.
    Before,
    /// The first half of the bytes is written; only of operations that write bytes.
    During,
    /// All of it has happened, and nobody was told.
    After,
}

/// A text that names no [`KillPoint`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoKillPoint;

const WHENS: [(&str, When); 3] = [("before", When::Before), ("during", When::During), ("after", When::After)];
const OPERATIONS: [&str; 9] =
    ["create", "append", "sync", "write", "rename", "remove", "remove_dir", "sync_dir", "sync_all"];

impl FromStr for KillPoint {
    type Err = NoKillPoint;

    fn from_str(text: &str) -> Result<Self, NoKillPoint> {
        let (what, rest) = text.split_once(':').ok_or(NoKillPoint)?;
        let (path, nth) = rest.rsplit_once(':').ok_or(NoKillPoint)?;
        let (when, operation) = what.split_once('-').ok_or(NoKillPoint)?;
        let (_, when) = WHENS.into_iter().find(|(name, _)| *name == when).ok_or(NoKillPoint)?;
        let writes = matches!(operation, "append" | "write");
        if !OPERATIONS.contains(&operation) || when == When::During && !writes {
            return Err(NoKillPoint);
        }
        let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or(NoKillPoint)?;
        Ok(Self { when, operation: operation.to_owned(), path: path.to_owned(), nth })
    }
}

impl fmt::Display for NoKillPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "expected WHEN-OPERATION:PATH:N, when: before, during (append and write only), after; operation: {}",
            OPERATIONS.join(", ")
        )
    }
}

impl std::error::Error for NoKillPoint {}

/// A disk on which the process ends at a [`KillPoint`]: for tests of the whole program under `kill -9`.
///
/// What the process had written stays with the host, as after a kill; it is no power cut.
pub struct KillAt {
    inner: Arc<dyn Disk>,
    trap: Arc<Trap>,
}

impl KillAt {
    /// Passes everything on to `inner` until the point is reached; then calls `kill`, which ends the process:
    /// [`std::process::abort`], except in tests.
    pub fn new(inner: Arc<dyn Disk>, point: KillPoint, kill: fn()) -> Self {
        Self { inner, trap: Arc::new(Trap { point, met: AtomicU64::new(0), kill }) }
    }
}

struct Trap {
    point: KillPoint,
    met: AtomicU64,
    kill: fn(),
}

impl Trap {
    /// Whether this operation is the one.
    fn meets(&self, operation: &str, path: &str) -> bool {
        self.point.operation == operation
            && path.contains(&self.point.path)
            && self.met.fetch_add(1, Ordering::SeqCst) + 1 == self.point.nth
    }

    fn around<T>(&self, operation: &str, path: &str, run: impl FnOnce() -> T) -> T {
        let here = self.meets(operation, path);
        self.kill_if(here && self.point.when == When::Before);
        let done = run();
        self.kill_if(here && self.point.when == When::After);
        done
    }

    /// Like [`Trap::around`] for what writes bytes; `run` is given those to write.
    fn around_write(
        &self,
        operation: &str,
        path: &str,
        bytes: &[u8],
        run: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        let here = self.meets(operation, path);
        self.kill_if(here && self.point.when == When::Before);
        if here && self.point.when == When::During {
            let half = run(&bytes[..bytes.len() / 2]);
            (self.kill)();
            return half;
        }
        let done = run(bytes);
        self.kill_if(here && self.point.when == When::After);
        done
    }

    fn kill_if(&self, now: bool) {
        if now {
            (self.kill)();
        }
    }
}

impl Disk for KillAt {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let inner = self.trap.around("create", path, || self.inner.create(path))?;
        Ok(Box::new(KillAtFile { inner, path: path.to_owned(), trap: self.trap.clone() }))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        self.trap.around_write("write", path, bytes, |bytes| self.inner.write(path, bytes))
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
        self.trap.around("rename", to, || self.inner.rename(from, to))
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.trap.around("remove", path, || self.inner.remove(path))
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        self.trap.around("remove_dir", dir, || self.inner.remove_dir(dir))
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.inner.create_dir(dir)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.trap.around("sync_dir", dir, || self.inner.sync_dir(dir))
    }

    fn sync_all(&self) -> io::Result<()> {
        self.trap.around("sync_all", "", || self.inner.sync_all())
    }
}

struct KillAtFile {
    inner: Box<dyn DiskFile>,
    path: String,
    trap: Arc<Trap>,
}

impl DiskFile for KillAtFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Self { inner, path, trap } = self;
        trap.around_write("append", path, bytes, |bytes| inner.append(bytes))
    }

    fn sync(&mut self) -> io::Result<()> {
        let Self { inner, path, trap } = self;
        trap.around("sync", path, || inner.sync())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LocalDisk;

    fn killed() {
        panic!("killed");
    }

    /// Runs a few operations on a disk with this point; what is in the file then, and whether the process went on.
    fn run(point: &str) -> (Option<Vec<u8>>, bool) {
        let dir = tempfile::tempdir().unwrap();
        let local: Arc<dyn Disk> = Arc::new(LocalDisk::open(dir.path()).unwrap());
        let disk = KillAt::new(local.clone(), point.parse().unwrap(), killed);
        let went_on = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            disk.write("b", b"").unwrap();
            let mut file = disk.create("a").unwrap();
            file.append(b"one ").unwrap();
            file.append(b"two ").unwrap();
            file.sync().unwrap();
            disk.rename("a", "c").unwrap();
        }))
        .is_ok();
        let left = local.read("a").or_else(|_| local.read("c")).ok();
        (left, went_on)
    }

    #[test]
    fn ends_at_the_point_and_nowhere_else() {
        let rows: [(&str, Option<&[u8]>, bool); 10] = [
            ("before-create:a:1", None, false),
            ("after-create:a:1", Some(b""), false),
            ("before-append:a:2", Some(b"one "), false),
            ("during-append:a:2", Some(b"one tw"), false),
            ("after-append::2", Some(b"one two "), false),
            ("before-append:a:3", Some(b"one two "), true),
            ("before-append:b:1", Some(b"one two "), true),
            ("before-write:a:1", Some(b"one two "), true),
            ("after-sync:a:1", Some(b"one two "), false),
            ("after-rename:c:1", Some(b"one two "), false),
        ];
        for (point, left, went_on) in rows {
            assert_eq!(run(point), (left.map(<[u8]>::to_vec), went_on), "{point}");
        }
    }

    #[test]
    fn only_points_are_points() {
        for text in [
            "",
            "sync:a:1",
            "after-sync:a",
            "after-sync:a:0",
            "after-sync:a:x",
            "during-sync:a:1",
            "after-read:a:1",
            "later-sync:a:1",
        ] {
            assert_eq!(text.parse::<KillPoint>(), Err(NoKillPoint), "{text}");
        }
        let point =
            KillPoint { when: When::After, operation: "sync".to_owned(), path: "wal/:".to_owned(), nth: 3 };
        assert_eq!("after-sync:wal/::3".parse(), Ok(point));
    }
}
