//! Faults of a simulated disk: the N-th operation fails, and whether its effect is there is another question.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use storage::{Disk, DiskEntry, DiskFile};

use crate::disk::{SimDisk, SimFile};

/// What a failing operation answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Error {
    /// Input/output error.
    Eio,
    /// No space left on the device.
    Enospc,
    /// Interrupted by a signal.
    Eintr,
    /// The first half of what was to be written is stored, then there is no space left; of what was to be read, less
    /// than that is there. Operations that move no bytes answer an input/output error.
    Short,
}

impl Error {
    /// All of them.
    pub const ALL: [Error; 4] = [Error::Eio, Error::Enospc, Error::Eintr, Error::Short];

    /// The answer as the system would give it.
    fn answer(self, writes: bool, reads: bool) -> io::Error {
        match self {
            Error::Enospc => io::Error::from_raw_os_error(28),
            Error::Short if writes => io::Error::from_raw_os_error(28),
            Error::Short if reads => io::ErrorKind::UnexpectedEof.into(),
            Error::Eintr => io::Error::from_raw_os_error(4),
            Error::Eio | Error::Short => io::Error::from_raw_os_error(5),
        }
    }
}

/// How often an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// Once; the next operation works again.
    Once,
    /// From then on, until [`FaultPlan::repair`].
    ForEver,
}

/// What a failing operation does all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing. A failed sync has dropped the dirty pages: reads show them and no later sync saves them.
    Failed,
    /// Everything, and the answer is lost.
    Stored,
}

/// Which operation of a set of disks fails, counting from 1 over all of them, and how.
#[derive(Debug)]
pub struct FaultPlan {
    /// The first operation that fails; 0 for none.
    pub at: u64,
    /// What it answers.
    pub error: Error,
    /// How long.
    pub lasting: Lasting,
    /// What it does all the same.
    pub effect: Effect,
    count: AtomicU64,
    repaired: AtomicBool,
}

impl FaultPlan {
    /// Plans a fault at operation `at`.
    pub fn new(at: u64, error: Error, lasting: Lasting, effect: Effect) -> Arc<Self> {
        let (count, repaired) = (AtomicU64::new(0), AtomicBool::new(false));
        Arc::new(Self { at, error, lasting, effect, count, repaired })
    }

    /// Plans no fault, for counting operations.
    pub fn none() -> Arc<Self> {
        Self::new(0, Error::Eio, Lasting::Once, Effect::Failed)
    }

    /// Operations so far.
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether an operation has failed.
    pub fn fired(&self) -> bool {
        self.at > 0 && self.count() >= self.at
    }

    /// Ends a fault that lasts.
    pub fn repair(&self) {
        self.repaired.store(true, Ordering::SeqCst);
    }

    /// Counts an operation and says whether it fails.
    fn strikes(&self) -> bool {
        let number = self.count.fetch_add(1, Ordering::SeqCst) + 1;
        let due = match self.lasting {
            Lasting::Once => number == self.at,
            Lasting::ForEver => self.at > 0 && number >= self.at,
        };
        due && !self.repaired.load(Ordering::SeqCst)
    }

    /// An operation that changes something, and what it does when it fails.
    fn change<T>(
        &self,
        run: impl FnOnce() -> io::Result<T>,
        failed: impl FnOnce() -> io::Result<()>,
        writes: bool,
    ) -> io::Result<T> {
        if !self.strikes() {
            return run();
        }
        match self.effect {
            Effect::Stored => drop(run()?),
            Effect::Failed => failed()?,
        }
        Err(self.error.answer(writes, false))
    }

    fn read<T>(&self, run: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
        if self.strikes() { Err(self.error.answer(false, true)) } else { run() }
    }

    /// What of `bytes` is stored when writing them fails.
    fn half<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        if self.error == Error::Short { &bytes[..bytes.len() / 2] } else { &[] }
    }
}

/// A [`SimDisk`] on which operations fail as planned.
pub struct FaultDisk {
    inner: SimDisk,
    plan: Arc<FaultPlan>,
}

impl FaultDisk {
    /// Lets operations on `inner` fail as `plan` says. One plan may serve several disks.
    pub fn new(inner: SimDisk, plan: Arc<FaultPlan>) -> Self {
        Self { inner, plan }
    }
}

fn nothing() -> io::Result<()> {
    Ok(())
}

impl Disk for FaultDisk {
    fn create(&self, path: &str) -> io::Result<Box<dyn DiskFile>> {
        let file = self.plan.change(|| self.inner.create_file(path), nothing, false)?;
        Ok(Box::new(FaultFile { inner: file, plan: self.plan.clone() }))
    }

    fn write(&self, path: &str, bytes: &[u8]) -> io::Result<()> {
        let half = || match self.plan.half(bytes) {
            [] => Ok(()),
            half => self.inner.write(path, half),
        };
        self.plan.change(|| self.inner.write(path, bytes), half, true)
    }

    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.plan.read(|| self.inner.read(path))
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.plan.read(|| self.inner.read_at(path, offset, len))
    }

    fn read_medium(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        self.plan.read(|| self.inner.read_medium(path, offset, len))
    }

    fn len(&self, path: &str) -> io::Result<Option<u64>> {
        self.plan.read(|| self.inner.len(path))
    }

    fn list(&self, dir: &str) -> io::Result<Vec<DiskEntry>> {
        self.plan.read(|| self.inner.list(dir))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.plan.change(|| self.inner.rename(from, to), nothing, false)
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        self.plan.change(|| self.inner.remove(path), nothing, false)
    }

    fn remove_dir(&self, dir: &str) -> io::Result<()> {
        self.plan.change(|| self.inner.remove_dir(dir), nothing, false)
    }

    fn create_dir(&self, dir: &str) -> io::Result<()> {
        self.plan.change(|| self.inner.create_dir(dir), nothing, false)
    }

    fn sync_dir(&self, dir: &str) -> io::Result<()> {
        self.plan.change(|| self.inner.sync_dir(dir), nothing, false)
    }

    fn sync_all(&self) -> io::Result<()> {
        let failed = || {
            self.inner.lose_all_unsynced();
            Ok(())
        };
        self.plan.change(|| self.inner.sync_all(), failed, false)
    }
}

struct FaultFile {
    inner: SimFile,
    plan: Arc<FaultPlan>,
}

impl DiskFile for FaultFile {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let strikes = self.plan.strikes();
        let stored = match (strikes, self.plan.effect) {
            (false, _) | (true, Effect::Stored) => bytes,
            (true, Effect::Failed) => self.plan.half(bytes),
        };
        if !stored.is_empty() {
            self.inner.append(stored)?;
        }
        if strikes { Err(self.plan.error.answer(true, false)) } else { Ok(()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        if !self.plan.strikes() {
            return self.inner.sync();
        }
        match self.plan.effect {
            Effect::Stored => self.inner.sync()?,
            Effect::Failed => self.inner.lose_unsynced(),
        }
        Err(self.plan.error.answer(false, false))
    }
}
