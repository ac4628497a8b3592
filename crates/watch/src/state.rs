use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most alarms kept one by one; what goes beyond is counted.
pub(crate) const ALARMS_MAX: usize = 256;

/// A directory to watch, with everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// What stands before the paths told: empty for data, `keys:` for keys.
    pub label: &'static str,
    /// Where it is.
    pub path: PathBuf,
}

/// What was done to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// It was made.
    Create,
    /// Its bytes or its length were changed.
    Modify,
    /// It was closed after having been open for writing; changed or not.
    CloseWrite,
    /// It was removed.
    Delete,
    /// It was moved away from here.
    MovedFrom,
    /// It was moved here.
    MovedTo,
    /// Its owner, permissions, times or links were changed.
    Attributes,
    /// The kernel's queue ran over: something was done, nobody knows what.
    Lost,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 8] = [
        Self::Create,
        Self::Modify,
        Self::CloseWrite,
        Self::Delete,
        Self::MovedFrom,
        Self::MovedTo,
        Self::Attributes,
        Self::Lost,
    ];

    /// The kind of this name.
    pub fn parse(name: &str) -> Option<Kind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Modify => "modify",
            Self::CloseWrite => "close-write",
            Self::Delete => "delete",
            Self::MovedFrom => "moved-from",
            Self::MovedTo => "moved-to",
            Self::Attributes => "attributes",
            Self::Lost => "lost",
        }
    }
}

/// One thing that another process did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Foreign {
    /// Path below the data directory, or below the key directory after `keys:`. Bytes that are no UTF-8 are replaced.
    pub path: String,
    /// What was done.
    pub kind: Kind,
    /// The process, if the kernel tells.
    pub pid: Option<u32>,
    /// Its user, if it still ran when it was looked up.
    pub uid: Option<u32>,
    /// Its program, likewise.
    pub exe: Option<String>,
    /// Its command line, likewise, cut off after some hundred characters.
    pub command: Option<String>,
    /// When it was seen, unix milliseconds.
    pub at_ms: u64,
}

/// The same thing done by the same process, once or more often.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alarm {
    /// The first time.
    pub first: Foreign,
    /// The last time, unix milliseconds.
    pub last_ms: u64,
    /// How often.
    pub count: u64,
}

/// How writes are noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// fanotify, for every file; `pids` if it names the process.
    Fanotify {
        /// Whether it does.
        pids: bool,
    },
    /// inotify: only files that a server never changes, and nothing about the process.
    Inotify {
        /// Why fanotify could not be used.
        because: String,
    },
    /// Nothing is noticed.
    Blind {
        /// Why.
        because: String,
    },
}

impl Method {
    /// What is and is not noticed this way, in words.
    pub fn covers(&self) -> String {
        match self {
            Self::Fanotify { pids: true } => {
                "every file of the store, with the process that did it".to_owned()
            }
            Self::Fanotify { pids: false } => {
                "every file of the store, without the process that did it (that needs CAP_SYS_ADMIN)"
                    .to_owned()
            }
            Self::Inotify { because } => format!(
                "only files that the server itself never changes: sealed segments, settings, the first token, keys, \
                 and the removal of full tiles; not register, write-ahead log, checkpoints, tokens or the bytes of \
                 tiles; never the process that did it (fanotify can't be used: {because})"
            ),
            Self::Blind { because } => format!("nothing: {because}"),
        }
    }
}

/// What the watch knows at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchState {
    /// How it watches.
    pub method: Method,
    /// Directories watched.
    pub directories: u64,
    /// Directories that could not be watched, and why the first could not.
    pub unwatched: Option<(u64, String)>,
    /// What others did and nobody has acknowledged, over restarts if whoever runs this brings it back
    /// ([`Handle::restore`]).
    pub alarms: Vec<Alarm>,
    /// Alarms beyond those kept one by one.
    pub alarms_beyond: u64,
    /// Everything that `alarms` and `alarms_beyond` stand for, repetitions included.
    pub standing: u64,
    /// Everything others did since the start, repetitions included.
    pub seen: u64,
    /// How often the kernel's queue ran over.
    pub overflows: u64,
    /// What could not be handed on, because whoever takes it was too slow.
    pub undelivered: u64,
}

impl WatchState {
    pub(crate) fn new(method: Method) -> Self {
        Self {
            method,
            directories: 0,
            unwatched: None,
            alarms: Vec::new(),
            alarms_beyond: 0,
            standing: 0,
            seen: 0,
            overflows: 0,
            undelivered: 0,
        }
    }

    /// Takes in what another process did; true if it is not a repetition.
    pub(crate) fn note(&mut self, foreign: &Foreign) -> bool {
        self.seen += 1;
        self.overflows += u64::from(foreign.kind == Kind::Lost);
        self.raise(foreign)
    }

    /// Adds to the alarms; true if it is not a repetition.
    fn raise(&mut self, foreign: &Foreign) -> bool {
        self.standing += 1;
        let same = |alarm: &&mut Alarm| {
            let first = &alarm.first;
            (first.kind, first.pid, &first.path) == (foreign.kind, foreign.pid, &foreign.path)
        };
        if let Some(alarm) = self.alarms.iter_mut().find(same) {
            alarm.count += 1;
            let pause = foreign.at_ms.saturating_sub(alarm.last_ms);
            alarm.last_ms = foreign.at_ms;
            return pause > REPETITION_MS;
        }
        if self.alarms.len() < ALARMS_MAX {
            self.alarms.push(Alarm { first: foreign.clone(), last_ms: foreign.at_ms, count: 1 });
        } else {
            self.alarms_beyond += 1;
        }
        true
    }
}

/// The same by the same process within this time of the last is counted, and not handed on again.
const REPETITION_MS: u64 = 10_000;

/// Shows the state; cheap to clone.
#[derive(Clone)]
pub struct Handle(pub(crate) Arc<Mutex<WatchState>>);

impl Handle {
    /// The state now.
    pub fn state(&self) -> WatchState {
        self.lock().clone()
    }

    /// Brings back what an earlier run saw and nobody has acknowledged, oldest first.
    pub fn restore(&self, earlier: &[Foreign]) {
        let mut state = self.lock();
        for foreign in earlier {
            state.raise(foreign);
        }
    }

    /// Forgets the alarms, of which somebody has seen as many as `standing` says
    /// ([`WatchState::standing`]). False, and nothing is forgotten, if there are others by now.
    pub fn acknowledge(&self, standing: u64) -> bool {
        let mut state = self.lock();
        let same = state.standing == standing;
        if same {
            state.alarms.clear();
            (state.alarms_beyond, state.standing) = (0, 0);
        }
        same
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, WatchState> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn foreign(path: &str, at_ms: u64) -> Foreign {
        let (uid, exe, command) = (None, None, None);
        Foreign { path: path.to_owned(), kind: Kind::Modify, pid: None, uid, exe, command, at_ms }
    }

    #[test]
    fn alarms_stay_until_as_many_as_there_are_were_seen() {
        let handle = Handle(Arc::new(Mutex::new(WatchState::new(Method::Fanotify { pids: true }))));
        handle.restore(&[foreign("a", 1), foreign("a", 2), foreign("b", 3)]);
        let state = handle.state();
        assert_eq!((state.alarms.len(), state.standing, state.seen), (2, 3, 0), "of an earlier run");
        assert!(handle.lock().note(&foreign("c", 4)));
        assert!(!handle.acknowledge(3), "one more has come");
        assert_eq!((handle.state().alarms.len(), handle.state().seen), (3, 1));
        assert!(handle.acknowledge(4));
        let state = handle.state();
        assert_eq!((state.alarms.len(), state.standing, state.seen), (0, 0, 1));
        assert!(handle.lock().note(&foreign("c", 5)), "the same again is news");
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        assert!(Kind::ALL.into_iter().all(|kind| Kind::parse(kind.name()) == Some(kind)));
    }
}
