//! The ports to storage.
//!
//! [`Disk`] is the small set of file operations everything else is made of; because it is so small, recording
//! crash states and injecting faults are ordinary implementations (crate `testkit`). On top of it stand the
//! two contracts of DESIGN section 4: immutable objects ([`Objects`]) and one compare-and-swap [`Register`].

mod disk;
mod kill_at;
mod local;
mod objects;
mod register;

pub use disk::{Disk, DiskEntry, DiskFile};
pub use kill_at::{KillAt, KillPoint, NoKillPoint, When};
pub use local::LocalDisk;
pub use objects::{DiskObjects, Objects, PutError, replace};
pub use register::{DiskRegister, Held, Register, RegisterError};
