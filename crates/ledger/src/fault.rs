use std::fmt;
use std::io;

use storage::{PutError, RegisterError};

/// Why the engine had to stop what it was doing; each kind is a different thing to do next.
#[derive(Debug)]
pub enum Fault {
    /// Storage failed. What was being written may be there or not: recover as after a crash (DESIGN I11).
    Storage {
        /// What was being done.
        doing: &'static str,
        /// What the system answered.
        error: io::Error,
    },
    /// Stored bytes contradict what was signed or acknowledged: refuse to write, show a person.
    Damaged(Damaged),
    /// Another process has written to this store: stop.
    Fenced,
}

/// Bytes that are not what they must be, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damaged {
    /// Path below the data or key directory.
    pub file: String,
    /// Offset in the file, where one is known.
    pub offset: Option<u64>,
    /// What is wrong.
    pub reason: String,
}

impl fmt::Display for Damaged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file, self.reason)?;
        match self.offset {
            Some(offset) => write!(f, " (byte {offset})"),
            None => Ok(()),
        }
    }
}

impl Fault {
    pub(crate) fn damaged(file: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Damaged(Damaged { file: file.into(), offset: None, reason: reason.to_string() })
    }

    pub(crate) fn damaged_at(file: impl Into<String>, offset: u64, reason: impl fmt::Display) -> Self {
        Self::Damaged(Damaged { file: file.into(), offset: Some(offset), reason: reason.to_string() })
    }

    /// Whether the cause is that the disk is full.
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Storage { error, .. } if matches!(
            error.kind(),
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded
        ))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage { doing, error } => write!(f, "storage failed while {doing}: {error}"),
            Self::Damaged(damaged) => write!(f, "damaged: {damaged}"),
            Self::Fenced => write!(f, "another process has written to this store"),
        }
    }
}

impl std::error::Error for Fault {}

/// Names what was being done when storage failed.
pub(crate) trait Doing<T> {
    fn doing(self, doing: &'static str) -> Result<T, Fault>;
}

impl<T> Doing<T> for io::Result<T> {
    fn doing(self, doing: &'static str) -> Result<T, Fault> {
        self.map_err(|error| Fault::Storage { doing, error })
    }
}

impl<T> Doing<T> for Result<T, PutError> {
    fn doing(self, doing: &'static str) -> Result<T, Fault> {
        self.map_err(|error| match error {
            PutError::Conflict => Fault::damaged(doing, "other bytes are stored there"),
            PutError::OutcomeUnknown(error) => Fault::Storage { doing, error },
        })
    }
}

impl<T> Doing<T> for Result<T, RegisterError> {
    fn doing(self, doing: &'static str) -> Result<T, Fault> {
        self.map_err(|error| match error {
            RegisterError::Changed => Fault::Fenced,
            RegisterError::OutcomeUnknown(error) => Fault::Storage { doing, error },
        })
    }
}
