use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use evidence::layout;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

use crate::fan::{directories, shown};
use crate::run::{Seen, Watcher};
use crate::state::{Kind, Root};

/// Watches with inotify, which does not tell who did it: only what a running server never does counts.
pub(crate) struct Ino {
    inotify: Inotify,
    roots: Vec<Root>,
    dirs: HashMap<WatchDescriptor, PathBuf>,
}

const FLAGS: AddWatchFlags = AddWatchFlags::IN_MODIFY
    .union(AddWatchFlags::IN_ATTRIB)
    .union(AddWatchFlags::IN_CLOSE_WRITE)
    .union(AddWatchFlags::IN_MOVED_FROM)
    .union(AddWatchFlags::IN_MOVED_TO)
    .union(AddWatchFlags::IN_CREATE)
    .union(AddWatchFlags::IN_DELETE)
    .union(AddWatchFlags::IN_ONLYDIR)
    .union(AddWatchFlags::IN_DONT_FOLLOW);

impl Ino {
    /// Begins to watch.
    ///
    /// # Errors
    /// The kernel can't; why, in words.
    pub(crate) fn start(roots: &[Root]) -> Result<(Ino, Vec<String>), String> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)
            .map_err(|error| format!("inotify_init: {error}"))?;
        let mut ino = Ino { inotify, roots: roots.to_vec(), dirs: HashMap::new() };
        let failed = roots.iter().flat_map(|root| ino.add(&root.path)).collect();
        match ino.dirs.is_empty() {
            true => Err(format!("inotify can't watch any directory: {failed:?}")),
            false => Ok((ino, failed)),
        }
    }

    /// Watches a directory and those below; gives those that can't be watched.
    fn add(&mut self, dir: &Path) -> Vec<String> {
        let mut failed = Vec::new();
        for dir in directories(dir) {
            match self.inotify.add_watch(&dir, FLAGS) {
                Ok(watch) => drop(self.dirs.insert(watch, dir)),
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(error) => failed.push(format!("{}: {error}", dir.display())),
            }
        }
        failed
    }
}

impl Watcher for Ino {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    fn take(&mut self) -> io::Result<Vec<Seen>> {
        let events = match self.inotify.read_events() {
            Ok(events) => events,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(Vec::new()),
            Err(error) => return Err(error.into()),
        };
        let mut out = Vec::new();
        for event in events {
            if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                out.push(Seen::Done { path: String::new(), kind: Kind::Lost, pid: None });
                continue;
            }
            if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                self.dirs.remove(&event.wd);
                continue;
            }
            let Some(dir) = self.dirs.get(&event.wd) else { continue };
            let full = event.name.as_ref().map_or_else(|| dir.clone(), |name| dir.join(name));
            let path = shown(&self.roots, &full);
            let is_dir = event.mask.contains(AddWatchFlags::IN_ISDIR);
            let done = kinds(event.mask).filter(|kind| is_foreign(&path, *kind, is_dir));
            out.extend(done.map(|kind| Seen::Done { path: path.clone(), kind, pid: None }));
            if is_dir && event.mask.intersects(AddWatchFlags::IN_CREATE | AddWatchFlags::IN_MOVED_TO) {
                out.extend(self.add(&full).into_iter().map(Seen::Unwatched));
            }
        }
        Ok(out)
    }

    fn directories(&self) -> u64 {
        self.dirs.len() as u64
    }
}

fn kinds(mask: AddWatchFlags) -> impl Iterator<Item = Kind> {
    const KINDS: [(AddWatchFlags, Kind); 7] = [
        (AddWatchFlags::IN_CREATE, Kind::Create),
        (AddWatchFlags::IN_MODIFY, Kind::Modify),
        (AddWatchFlags::IN_CLOSE_WRITE, Kind::CloseWrite),
        (AddWatchFlags::IN_ATTRIB, Kind::Attributes),
        (AddWatchFlags::IN_MOVED_FROM, Kind::MovedFrom),
        (AddWatchFlags::IN_MOVED_TO, Kind::MovedTo),
        (AddWatchFlags::IN_DELETE, Kind::Delete),
    ];
    KINDS.into_iter().filter(move |(bits, _)| mask.intersects(*bits)).map(|(_, kind)| kind)
}

/// Whether a running server never does this to this file, so that somebody else did.
fn is_foreign(path: &str, kind: Kind, is_dir: bool) -> bool {
    let arrives = matches!(kind, Kind::Create | Kind::MovedTo);
    let name = path.rsplit(['/', ':']).next().unwrap_or_default();
    // Everything the server replaces is written beside itself first.
    if is_dir || name.ends_with(".tmp") {
        return false;
    }
    if let Some(key) = path.strip_prefix("keys:") {
        return match key.starts_with(layout::keys::DATA) {
            // New data keys are moved into place, old ones may be destroyed; none is changed.
            true => matches!(kind, Kind::Modify | Kind::CloseWrite | Kind::Attributes),
            // The others are made before the watch begins.
            false => true,
        };
    }
    match path {
        layout::SETTINGS | layout::ADMIN_TOKEN => return true,
        layout::REGISTER | layout::TOKENS | layout::RESERVE | layout::LOCK | layout::SCRUB => return false,
        _ => {}
    }
    let top = path.split('/').next().unwrap_or_default();
    match top {
        layout::WAL | layout::SET_ASIDE => false,
        // A segment is written beside and moved into place, once.
        layout::LEDGERS if path.contains("/segment/") => !arrives,
        layout::LEDGERS if path.contains("/tile/") && !path.contains(".p/") => {
            matches!(kind, Kind::Attributes | Kind::Delete | Kind::MovedFrom | Kind::MovedTo)
        }
        layout::LEDGERS => false,
        // No server makes a file of any other name.
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_does_is_not_foreign_and_what_it_never_does_is() {
        let segment = "ledgers/main/segment/events/00000000000000000000-00000000000000000256.0";
        let own = [
            ("wal/0000000000000001.wal", Kind::Modify),
            ("register", Kind::MovedTo),
            ("register.tmp", Kind::Create),
            ("tokens", Kind::MovedTo),
            (segment, Kind::MovedTo),
            ("ledgers/main/checkpoint", Kind::Modify),
            ("ledgers/main/tile/0/000", Kind::CloseWrite),
            ("ledgers/main/tile/0/000.p/17", Kind::Delete),
            ("keys:data/00.key", Kind::MovedTo),
        ];
        for (path, kind) in own {
            assert!(!is_foreign(path, kind, false), "{path} {kind:?}");
        }
        let foreign = [
            (segment, Kind::Modify),
            (segment, Kind::Delete),
            (segment, Kind::Attributes),
            ("ledgerstone.toml", Kind::Modify),
            ("ledgers/main/tile/entries/000", Kind::Delete),
            ("keys:wrapping.key", Kind::MovedFrom),
            ("keys:data/00.key", Kind::Modify),
            ("note.txt", Kind::Create),
        ];
        for (path, kind) in foreign {
            assert!(is_foreign(path, kind, false), "{path} {kind:?}");
        }
    }
}
