//! Notices who writes to a store from outside the server: another process that appends to a sealed file, removes one,
//! moves it away or changes its permissions.
//!
//! Linux tells it in one of three ways, and [`WatchState::method`] says which:
//! fanotify with `CAP_SYS_ADMIN` names the process; fanotify without tells only that it was not this one; inotify does
//! not even tell that, so only files that a server never changes are watched. None of them sees what is written to the
//! block device, through a hard link from elsewhere, or before the watch began; a write through a memory mapping is
//! seen when the file is closed.

mod fan;
mod frame;
mod ino;
mod run;
mod state;
#[cfg(test)]
mod testing;
mod who;

pub use run::{QUEUE, Watch};
pub use state::{Alarm, Foreign, Handle, Kind, Method, Root, WatchState};
