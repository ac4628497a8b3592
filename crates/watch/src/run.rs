use std::io;
use std::os::fd::BorrowedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use env::Env;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::fan::Fan;
use crate::ino::Ino;
use crate::state::{Foreign, Handle, Kind, Method, Root, WatchState};
use crate::who::{self, Who};

/// Most that may wait for the sink; what goes beyond is counted in [`WatchState::undelivered`].
pub const QUEUE: usize = 1024;

/// How often the thread looks whether it is to end, in milliseconds.
const LOOK_MS: u16 = 200;

/// What a way of watching tells.
pub(crate) enum Seen {
    /// Another process did something.
    Done { path: String, kind: Kind, pid: Option<u32> },
    /// A directory can't be watched, and why.
    Unwatched(String),
}

/// A way of watching.
pub(crate) trait Watcher: Send {
    /// Ready to read when there is something to take.
    fn descriptor(&self) -> BorrowedFd<'_>;
    /// Takes what there is, without waiting.
    fn take(&mut self) -> io::Result<Vec<Seen>>;
    /// How many directories are watched.
    fn directories(&self) -> u64;
}

/// A watch as it runs, on two threads of its own.
pub struct Watch {
    handle: Handle,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Watch {
    /// Begins to watch `roots` (full paths) in the best way there is; [`WatchState::method`] says which. What other
    /// processes do is handed to `sink`, on a thread of its own: it may take its time, and misses what [`QUEUE`] does
    /// not hold. Repetitions by the same process within seconds are counted and not handed on.
    ///
    /// # Errors
    /// No thread can be started. That nothing can be watched is no error but a state.
    pub fn start(
        roots: &[Root],
        env: Arc<dyn Env>,
        sink: impl FnMut(Foreign) + Send + 'static,
    ) -> io::Result<Watch> {
        Self::start_with(best(roots), env, sink)
    }

    fn start_with(
        (watcher, method, failed): (Option<Box<dyn Watcher>>, Method, Vec<String>),
        env: Arc<dyn Env>,
        mut sink: impl FnMut(Foreign) + Send + 'static,
    ) -> io::Result<Watch> {
        let handle = Handle(Arc::new(Mutex::new(WatchState::new(method))));
        failed.into_iter().for_each(|failed| unwatched(&mut handle.lock(), failed));
        let stop = Arc::new(AtomicBool::new(false));
        let mut threads = Vec::new();
        if let Some(watcher) = watcher {
            handle.lock().directories = watcher.directories();
            let (send, receive): (SyncSender<Foreign>, Receiver<Foreign>) = mpsc::sync_channel(QUEUE);
            let thread = |name: &str| std::thread::Builder::new().name(name.to_owned());
            threads.push(thread("foreign").spawn(move || receive.into_iter().for_each(&mut sink))?);
            let (handle, stop) = (handle.clone(), stop.clone());
            threads.push(thread("watcher").spawn(move || run(watcher, &handle, env.as_ref(), &send, &stop))?);
        }
        Ok(Watch { handle, stop, threads })
    }

    /// What shows the state.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends it; what was seen is handed on first.
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::SeqCst);
        self.threads.drain(..).rev().for_each(|thread| drop(thread.join()));
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

type Chosen = (Option<Box<dyn Watcher>>, Method, Vec<String>);

fn best(roots: &[Root]) -> Chosen {
    match with_fanotify(roots) {
        Ok(chosen) => chosen,
        Err(because) => with_inotify(roots, because),
    }
}

fn with_fanotify(roots: &[Root]) -> Result<Chosen, String> {
    let (fan, failed) = Fan::start(roots)?;
    let method = Method::Fanotify { pids: fan.tells_pids() };
    Ok((Some(Box::new(fan)), method, failed))
}

fn with_inotify(roots: &[Root], because: String) -> Chosen {
    match Ino::start(roots) {
        Ok((ino, failed)) => (Some(Box::new(ino)), Method::Inotify { because }, failed),
        Err(error) => (None, Method::Blind { because: format!("{because}; {error}") }, Vec::new()),
    }
}

fn run(
    mut watcher: Box<dyn Watcher>,
    handle: &Handle,
    env: &dyn Env,
    sink: &SyncSender<Foreign>,
    stop: &AtomicBool,
) {
    let mut last = false;
    loop {
        // Asked first, so that what was done before the stop is still taken.
        last |= stop.load(Ordering::SeqCst);
        let timeout = if last { PollTimeout::ZERO } else { PollTimeout::from(LOOK_MS) };
        let ready = poll(&mut [PollFd::new(watcher.descriptor(), PollFlags::POLLIN)], timeout);
        let taken = match ready {
            Ok(0) if last => return,
            Ok(0) | Err(Errno::EINTR) => continue,
            Ok(_) => watcher.take(),
            Err(error) => Err(error.into()),
        };
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) => {
                let because = format!("watching ended: {error}");
                handle.lock().method = Method::Blind { because };
                tell(handle, env, sink, String::new(), Kind::Lost, None);
                return;
            }
        };
        for seen in taken {
            match seen {
                Seen::Unwatched(what) => unwatched(&mut handle.lock(), what),
                Seen::Done { path, kind, pid } => tell(handle, env, sink, path, kind, pid),
            }
        }
        handle.lock().directories = watcher.directories();
    }
}

fn tell(
    handle: &Handle,
    env: &dyn Env,
    sink: &SyncSender<Foreign>,
    path: String,
    kind: Kind,
    pid: Option<u32>,
) {
    let Who { uid, exe, command } = pid.map(who::look_up).unwrap_or_default();
    let foreign = Foreign { path, kind, pid, uid, exe, command, at_ms: env.now_ms() };
    let mut state = handle.lock();
    if state.note(&foreign) && sink.try_send(foreign).is_err() {
        state.undelivered += 1;
    }
}

fn unwatched(state: &mut WatchState, what: String) {
    match &mut state.unwatched {
        Some((count, _)) => *count += 1,
        None => state.unwatched = Some((1, what)),
    }
}

#[cfg(test)]
mod tests;
