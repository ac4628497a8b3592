use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};

use crate::frame::{self, Event, FileHandle, mask};
use crate::run::{Seen, Watcher};
use crate::state::{Kind, Root};

/// Room for some hundred events.
const BUFFER: usize = 64 << 10;

const MASK: u64 = mask::MODIFY
    | mask::ATTRIB
    | mask::CLOSE_WRITE
    | mask::MOVED_FROM
    | mask::MOVED_TO
    | mask::CREATE
    | mask::DELETE
    | mask::DELETE_SELF
    | mask::MOVE_SELF
    | mask::ON_DIR;

/// Watches with fanotify: each directory is marked, since a mark on the whole file system would tell of everybody
/// else's files too. Directories are told by file handle; which is which is read back from `/proc/self/fdinfo`.
pub(crate) struct Fan {
    group: Fanotify,
    events: File,
    pids: bool,
    own: i32,
    roots: Vec<Root>,
    /// Directories by inode until their handles are known, then by handle.
    by_handle: HashMap<FileHandle, PathBuf>,
    buffer: Vec<u8>,
}

impl Fan {
    /// Begins to watch.
    ///
    /// # Errors
    /// The kernel or the file system can't; why, in words.
    pub(crate) fn start(roots: &[Root]) -> Result<(Fan, Vec<String>), String> {
        let base = InitFlags::FAN_CLOEXEC
            | InitFlags::FAN_NONBLOCK
            | InitFlags::FAN_CLASS_NOTIF
            | InitFlags::from_bits_retain(frame::REPORT_DFID_NAME);
        let flags = EventFFlags::O_RDONLY | EventFFlags::O_CLOEXEC;
        // Only CAP_SYS_ADMIN may have any number of marks; it is also what shows other processes' ids.
        let (group, pids) = match Fanotify::init(base | InitFlags::FAN_UNLIMITED_MARKS, flags) {
            Ok(group) => (group, true),
            Err(Errno::EPERM) => {
                (Fanotify::init(base, flags).map_err(|error| format!("fanotify_init: {error}"))?, false)
            }
            Err(error) => return Err(format!("fanotify_init: {error}")),
        };
        let events = group.as_fd().try_clone_to_owned().map_err(|error| error.to_string())?;
        let own = i32::try_from(std::process::id()).unwrap_or(-1);
        let mut fan = Fan {
            group,
            events: File::from(events),
            pids,
            own,
            roots: roots.to_vec(),
            by_handle: HashMap::new(),
            buffer: vec![0; BUFFER],
        };
        let mut failed = Vec::new();
        for root in roots {
            fan.mark(&root.path).map_err(|error| format!("{}: {error}", root.path.display()))?;
            failed.extend(fan.mark_below(&root.path));
        }
        fan.learn(roots.iter().flat_map(|root| directories(&root.path)))?;
        if fan.by_handle.is_empty() {
            return Err("the kernel does not show the handles of directories".to_owned());
        }
        Ok((fan, failed))
    }

    pub(crate) fn tells_pids(&self) -> bool {
        self.pids
    }

    fn mark(&self, dir: &Path) -> nix::Result<()> {
        let flags = MarkFlags::FAN_MARK_ADD | MarkFlags::FAN_MARK_ONLYDIR | MarkFlags::FAN_MARK_DONT_FOLLOW;
        let mask = MaskFlags::from_bits_retain(MASK) | MaskFlags::FAN_EVENT_ON_CHILD;
        self.group.mark(flags, mask, nix::fcntl::AT_FDCWD, Some(dir))
    }

    /// Marks the directories below one; gives those that can't be marked.
    fn mark_below(&self, dir: &Path) -> Vec<String> {
        let below = directories(dir).into_iter().filter(|below| below != dir);
        below
            .filter_map(|below| match self.mark(&below) {
                // Removed meanwhile.
                Ok(()) | Err(Errno::ENOENT) => None,
                Err(error) => Some(format!("{}: {error}", below.display())),
            })
            .collect()
    }

    /// Finds out which handle is which of these directories.
    fn learn(&mut self, dirs: impl IntoIterator<Item = PathBuf>) -> Result<(), String> {
        let path = format!("/proc/self/fdinfo/{}", self.events.as_raw_fd());
        let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
        let mut handles: HashMap<u64, Vec<FileHandle>> = HashMap::new();
        for (inode, handle) in frame::marks(&text) {
            handles.entry(inode).or_default().push(handle);
        }
        for dir in dirs {
            let Ok(meta) = fs::symlink_metadata(&dir) else { continue };
            // The same inode number on two file systems: which is which can't be told, so both names stay unknown.
            if let Some([handle]) = handles.get(&meta.ino()).map(Vec::as_slice) {
                self.by_handle.insert(handle.clone(), dir);
            }
        }
        Ok(())
    }

    /// Takes in a directory that was made.
    fn add(&mut self, dir: &Path, out: &mut Vec<Seen>) {
        let mut failed = Vec::new();
        match self.mark(dir) {
            Ok(()) => failed = self.mark_below(dir),
            Err(Errno::ENOENT | Errno::ENOTDIR) => {}
            Err(error) => failed.push(format!("{}: {error}", dir.display())),
        }
        if let Err(error) = self.learn(directories(dir)) {
            failed.push(error);
        }
        out.extend(failed.into_iter().map(Seen::Unwatched));
    }

    fn path(&self, event: &Event) -> (PathBuf, String) {
        let name = std::ffi::OsString::from_vec(event.name.clone());
        match event.dir.as_ref().and_then(|dir| self.by_handle.get(dir)) {
            Some(dir) => {
                let full = if event.name.is_empty() { dir.clone() } else { dir.join(&name) };
                let shown = shown(&self.roots, &full);
                (full, shown)
            }
            None => (PathBuf::new(), format!("?/{}", name.to_string_lossy())),
        }
    }
}

impl Watcher for Fan {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.events.as_fd()
    }

    fn take(&mut self) -> io::Result<Vec<Seen>> {
        let mut buffer = std::mem::take(&mut self.buffer);
        let read = self.events.read(&mut buffer);
        let (events, whole) = match &read {
            Ok(len) => frame::parse(&buffer[..*len]),
            Err(_) => (Vec::new(), true),
        };
        self.buffer = buffer;
        match read {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
        let mut out = Vec::new();
        for event in events {
            if event.mask & mask::OVERFLOW != 0 {
                out.push(Seen::Done { path: String::new(), kind: Kind::Lost, pid: None });
                continue;
            }
            let (full, shown) = self.path(&event);
            if event.pid != self.own {
                // Zero stands for a process that this one may not know.
                let pid = u32::try_from(event.pid).ok().filter(|pid| self.pids && *pid > 0);
                let done = kinds(event.mask).map(|kind| Seen::Done { path: shown.clone(), kind, pid });
                out.extend(done);
            }
            let arrived = event.mask & (mask::CREATE | mask::MOVED_TO) != 0;
            if arrived && event.mask & mask::ON_DIR != 0 && !full.as_os_str().is_empty() {
                self.add(&full, &mut out);
            }
        }
        if !whole {
            out.push(Seen::Done { path: String::new(), kind: Kind::Lost, pid: None });
        }
        Ok(out)
    }

    fn directories(&self) -> u64 {
        self.by_handle.len() as u64
    }
}

/// What a mask says; the kernel joins what one process did to one file.
fn kinds(mask: u64) -> impl Iterator<Item = Kind> {
    const KINDS: [(u64, Kind); 7] = [
        (mask::CREATE, Kind::Create),
        (mask::MODIFY, Kind::Modify),
        (mask::CLOSE_WRITE, Kind::CloseWrite),
        (mask::ATTRIB, Kind::Attributes),
        (mask::MOVED_FROM | mask::MOVE_SELF, Kind::MovedFrom),
        (mask::MOVED_TO, Kind::MovedTo),
        (mask::DELETE | mask::DELETE_SELF, Kind::Delete),
    ];
    // Closing what was changed is no second thing.
    let mask = if mask & mask::MODIFY != 0 { mask & !mask::CLOSE_WRITE } else { mask };
    KINDS.into_iter().filter(move |(bits, _)| mask & bits != 0).map(|(_, kind)| kind)
}

/// A directory and those below it. Links are not followed.
pub(crate) fn directories(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut next = vec![dir.to_owned()];
    while let Some(dir) = next.pop() {
        let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
        next.extend(
            entries
                .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
                .map(|entry| entry.path()),
        );
        found.push(dir);
    }
    found
}

/// A path as it is told: below its root, after the root's label.
pub(crate) fn shown(roots: &[Root], path: &Path) -> String {
    let below = roots.iter().find_map(|root| Some((root.label, path.strip_prefix(&root.path).ok()?)));
    match below {
        Some((label, below)) if below.as_os_str().is_empty() => format!("{label}."),
        Some((label, below)) => format!("{label}{}", below.to_string_lossy()),
        None => path.to_string_lossy().into_owned(),
    }
}
