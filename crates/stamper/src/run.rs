//! The rounds on a thread of their own.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::rounds::Rounds;
use crate::state::{CalendarStatus, News, Status};

/// How often it is looked whether something has become due.
const LOOK: Duration = Duration::from_millis(500);
/// How long the last round may take.
const LAST: Duration = Duration::from_secs(8);

/// Runs rounds until it is stopped.
pub struct Stamper {
    stop: Arc<Stop>,
    thread: JoinHandle<()>,
    handle: Handle,
}

/// Shows how things stand; cheap to clone.
#[derive(Clone)]
pub struct Handle {
    authorities: Arc<Mutex<Vec<Status>>>,
    calendars: Arc<Mutex<Vec<CalendarStatus>>>,
}

impl Handle {
    /// Each authority and ledger.
    pub fn status(&self) -> Vec<Status> {
        self.authorities.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Each calendar and ledger.
    pub fn calendars(&self) -> Vec<CalendarStatus> {
        self.calendars.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[derive(Default)]
struct Stop {
    asked: Mutex<bool>,
    changed: Condvar,
}

impl Stop {
    fn is_asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits; true if it is time to end.
    fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Stamper {
    /// Starts to ask; `tell` hears of ledger, authority or calendar, and what came of it.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        mut rounds: Rounds,
        mut tell: impl FnMut(&str, &str, &News) + Send + 'static,
    ) -> io::Result<Self> {
        let stop = Arc::new(Stop::default());
        let handle = Handle { authorities: rounds.shown(), calendars: rounds.shown_calendars() };
        let stopping = stop.clone();
        let thread = std::thread::Builder::new().name("stamper".to_owned()).spawn(move || {
            loop {
                rounds.run_due(&|| stopping.is_asked(), &mut tell);
                if stopping.wait(LOOK) {
                    return rounds.run_last(LAST, &mut tell);
                }
            }
        })?;
        Ok(Self { stop, thread, handle })
    }

    /// What shows how things stand.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Asks once more about what is newest, then ends. The ledgers must still be able to record.
    pub fn stop(self) {
        *self.stop.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.changed.notify_all();
        drop(self.thread.join());
    }
}
