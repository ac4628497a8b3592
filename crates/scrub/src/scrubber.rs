use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use env::Env;
use evidence::verify::{Damage, Verdict};
use storage::Disk;

use crate::budget::{Budget, Stop};
use crate::cycle::{self, percent, stored_bytes};
use crate::keep;
use crate::state::{Alarm, Cycle, Running, ScrubState};

/// Segments are read once whole and once block by block, bundles for the tree and for each block.
const FIRST_FACTOR: f64 = 2.0;

/// How verification runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Most MiB read per second; 0 switches it off.
    pub mib_per_s: u64,
    /// Pause between two cycles.
    pub pause: Duration,
}

/// What whoever runs the server should be told.
#[derive(Debug)]
pub enum News<'a> {
    /// Damage that was not known before, or that came back.
    Damage(&'a Alarm),
    /// A full cycle ended.
    Ended(&'a Cycle, &'a ScrubState),
    /// The first good cycle after alarms: the next start forgets them.
    Good(&'a ScrubState),
    /// The state could not be kept on disk; it is tried again after the next cycle.
    Unkept(&'a str),
}

/// Shows the state; cheap to clone.
#[derive(Clone)]
pub struct Handle(Arc<Shared>);

struct Shared {
    state: Mutex<ScrubState>,
    read: AtomicU64,
    /// Bytes stored at the beginning of the present cycle.
    stored: AtomicU64,
    /// How often a byte is read in a cycle, in thousandths.
    factor: AtomicU64,
}

impl Handle {
    /// The state now.
    pub fn state(&self) -> ScrubState {
        let mut state = self.0.lock().clone();
        if let Some(running) = &mut state.running {
            let factor = self.0.factor.load(Ordering::Relaxed) as f64 / 1000.0;
            running.percent = percent(&self.0.read, self.0.stored.load(Ordering::Relaxed), factor);
        }
        state
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, ScrubState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Verification as it runs, on a thread of its own.
pub struct Scrub {
    handle: Handle,
    stop: Arc<Stop>,
    thread: Option<JoinHandle<()>>,
}

impl Scrub {
    /// Starts it, with what an earlier run has kept. `tell` is called from its thread.
    ///
    /// # Errors
    /// No thread can be started.
    pub fn start(
        options: Options,
        data: Arc<dyn Disk>,
        keys: Option<Arc<dyn Disk>>,
        env: Arc<dyn Env>,
        tell: impl FnMut(News<'_>) + Send + 'static,
    ) -> io::Result<Scrub> {
        let mut state = keep::load(&data, env.now_ms());
        state.acknowledge();
        state.mib_per_s = options.mib_per_s;
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            read: AtomicU64::new(0),
            stored: AtomicU64::new(0),
            factor: AtomicU64::new((FIRST_FACTOR * 1000.0) as u64),
        });
        let stop = Arc::new(Stop::default());
        let handle = Handle(shared.clone());
        let mut thread = None;
        if options.mib_per_s > 0 {
            let runner = Runner { options, data, keys, env, shared, stop: stop.clone(), tell };
            thread = Some(std::thread::Builder::new().name("scrub".to_owned()).spawn(move || runner.run())?);
        }
        Ok(Scrub { handle, stop, thread })
    }

    /// What shows the state.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Ends it. Waits for at most `patience`: a thread in the midst of a large computation holds nothing that must be
    /// put in order, and ends with the process.
    pub fn stop(mut self, patience: Duration) {
        self.stop.ask();
        let Some(thread) = self.thread.take() else { return };
        let step = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        while !thread.is_finished() && waited < patience {
            std::thread::sleep(step);
            waited += step;
        }
        if thread.is_finished() {
            drop(thread.join());
        }
    }
}

impl Drop for Scrub {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

struct Runner<F> {
    options: Options,
    data: Arc<dyn Disk>,
    keys: Option<Arc<dyn Disk>>,
    env: Arc<dyn Env>,
    shared: Arc<Shared>,
    stop: Arc<Stop>,
    tell: F,
}

impl<F: FnMut(News<'_>)> Runner<F> {
    fn run(mut self) {
        let loaded = self.shared.lock().alarms.clone();
        loaded.iter().for_each(|alarm| (self.tell)(News::Damage(alarm)));
        while !self.stop.is_asked() {
            self.cycle();
            if self.stop.wait(self.options.pause) {
                return;
            }
        }
    }

    fn cycle(&mut self) {
        let (began_ms, began) = (self.env.now_ms(), self.env.monotonic());
        let stored = stored_bytes(&self.data, &self.stop);
        self.shared.read.store(0, Ordering::Relaxed);
        self.shared.stored.store(stored, Ordering::Relaxed);
        self.shared.lock().running = Some(Running { began_ms, percent: 0 });
        let (shared, stop) = (self.shared.clone(), self.stop.clone());
        let budget = Budget::new(self.options.mib_per_s << 20, self.env.clone(), stop.clone());
        let cycle = cycle::Cycle {
            data: self.data.clone(),
            keys: self.keys.clone(),
            budget: &budget,
            stop: &stop,
            read: &shared.read,
        };
        let report = cycle.run(&mut |damage| self.found(damage));
        shared.lock().running = None;
        let Some(report) = report else { return };
        let now_ms = self.env.now_ms();
        let bytes = shared.read.load(Ordering::Relaxed);
        if let Some(factor) = bytes.saturating_mul(1000).checked_div(stored) {
            shared.factor.store(factor.max(1), Ordering::Relaxed);
        }
        let ended = Cycle {
            began_ms,
            ended_ms: now_ms,
            took_ms: u64::try_from((self.env.monotonic() - began).as_millis()).unwrap_or(u64::MAX),
            verdict: report.verdict(),
            bytes,
            entries: report.ledgers.iter().map(|ledger| ledger.size + ledger.uncommitted).sum(),
            payloads_opened: report.payloads_opened,
        };
        let (state, good) = {
            let mut state = shared.lock();
            // Without the payloads nothing says that what was wrong with one is right again.
            let all = report.payloads_opened || self.keys.is_none();
            let good = ended.verdict == Verdict::Proven && all && state.good(now_ms);
            state.undecided = report.undecided.iter().take(16).cloned().collect();
            state.last = Some(ended.clone());
            state.cycles += 1;
            (state.clone(), good)
        };
        (self.tell)(News::Ended(&ended, &state));
        if good {
            (self.tell)(News::Good(&state));
        }
        self.keep();
    }

    fn found(&mut self, damage: &[Damage]) {
        let now_ms = self.env.now_ms();
        let mut news = false;
        for damage in damage {
            let alarm = {
                let mut state = self.shared.lock();
                let raised = state.raise(damage, now_ms);
                let kind = damage.kind.name();
                let alarm = state.alarms.iter().find(|a| a.file == damage.file && a.kind == kind);
                alarm.filter(|_| raised).cloned()
            };
            if let Some(alarm) = alarm {
                (self.tell)(News::Damage(&alarm));
                news = true;
            }
        }
        // At once: the next end of a cycle may be hours away.
        if news {
            self.keep();
        }
    }

    /// Keeps the state on disk. That it fails is told once, and shown as long as it does.
    fn keep(&mut self) {
        let state = self.shared.lock().clone();
        let unkept = keep::save(&self.data, &state).err();
        if let (Some(reason), None) = (&unkept, &state.unkept) {
            (self.tell)(News::Unkept(reason));
        }
        self.shared.lock().unkept = unkept;
    }
}
