use std::fmt;
use std::io;
use std::sync::Arc;

use crate::disk::Disk;
use crate::objects::replace;

/// One small value with compare-and-swap: the second storage contract of DESIGN section 4.
///
/// Linearizable across restarts and durable on return. A missing register is never recreated by anyone but
/// [`Register::create`], which is called for a new store only.
pub trait Register: Send + Sync {
    /// Reads the value; `None` if the register was never created.
    fn load(&self) -> io::Result<Option<Held>>;
    /// Creates the register; fails with [`RegisterError::Changed`] if there is one.
    fn create(&self, value: Vec<u8>) -> Result<Held, RegisterError>;
    /// Replaces the value that `held` shows. `held` is consumed: after an error the only way on is `load`.
    fn swap(&self, held: Held, next: Vec<u8>) -> Result<Held, RegisterError>;
}

/// A value read from or written to the register: what the next swap compares with.
#[derive(Debug)]
pub struct Held(Vec<u8>);

impl Held {
    /// The value.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Why the register was not replaced.
#[derive(Debug)]
pub enum RegisterError {
    /// Somebody else replaced it: stop writing.
    Changed,
    /// It may have been replaced or not: stop, load it, recover.
    OutcomeUnknown(io::Error),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Changed => write!(f, "the register was changed by somebody else"),
            Self::OutcomeUnknown(error) => write!(f, "the register may have been replaced or not: {error}"),
        }
    }
}

impl std::error::Error for RegisterError {}

impl From<io::Error> for RegisterError {
    fn from(error: io::Error) -> Self {
        Self::OutcomeUnknown(error)
    }
}

/// A [`Register`] in one file of a [`Disk`]. The caller holds the store's lock, so that compare and rename
/// need not be one operation.
pub struct DiskRegister {
    disk: Arc<dyn Disk>,
    path: String,
}

impl DiskRegister {
    /// Uses the file `path` of `disk`.
    pub fn new(disk: Arc<dyn Disk>, path: &str) -> Self {
        Self { disk, path: path.to_owned() }
    }
}

impl Register for DiskRegister {
    fn load(&self) -> io::Result<Option<Held>> {
        match self.disk.read(&self.path) {
            Ok(bytes) => {
                // A rename that was seen may not be durable yet: make it so before anything builds on it.
                self.disk.sync_dir("")?;
                Ok(Some(Held(bytes)))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create(&self, value: Vec<u8>) -> Result<Held, RegisterError> {
        if self.load()?.is_some() {
            return Err(RegisterError::Changed);
        }
        replace(self.disk.as_ref(), &self.path, &value)?;
        Ok(Held(value))
    }

    fn swap(&self, held: Held, next: Vec<u8>) -> Result<Held, RegisterError> {
        if self.disk.read(&self.path)? != held.0 {
            return Err(RegisterError::Changed);
        }
        replace(self.disk.as_ref(), &self.path, &next)?;
        Ok(Held(next))
    }
}
