use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};

static STARTING: Mutex<()> = Mutex::new(());

/// Keeps other tests from starting a process. Until that becomes another program it has the files of this one, and closes
/// them then, which is told as its doing.
pub(crate) fn nothing_starts() -> MutexGuard<'static, ()> {
    // A test that has failed leaves nothing half done.
    STARTING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a process.
pub(crate) fn spawn(command: &mut Command) -> Child {
    let _starting = nothing_starts();
    command.spawn().unwrap()
}
