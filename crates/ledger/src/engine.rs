//! Runs an opened store: one thread each for writer, publisher and sealer, and a supervisor that reopens the
//! store after a storage fault, as after a crash, and records the outage (DESIGN I6, I11).

use std::sync::atomic::{AtomicBool, Ordering};

use std::sync::{Arc, Condvar, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;
use std::time::Duration;

use env::Env;
use evidence::layout::{self, Stamped};
use record::control::{Gap, GapCause};
use record::entry::Kind;
use storage::{Disk, DiskObjects, Objects};

use crate::core::Core;
use crate::fault::{Doing, Fault};
use crate::intake::{Gate, Intake};
use crate::options::Options;
use crate::reads::Reads;
use crate::request::{Refusal, Request};
use crate::threads;
use crate::witnessed::Witnessed;

/// How long the supervisor waits before it tries to reopen a store that failed.
const REOPEN: Duration = Duration::from_secs(1);

/// What the engine is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Recording.
    Running,
    /// Storage failed: nothing is acknowledged until the store opens again.
    Suspended {
        /// Since when, unix milliseconds.
        since_ms: u64,
        /// Why.
        reason: String,
    },
    /// Stored bytes contradict what was promised: nothing is written until a person has looked.
    Damaged {
        /// What and where.
        reason: String,
    },
    /// Stopped in order.
    Stopped,
}

/// A running ledger server.
pub struct Engine {
    inner: Arc<Inner>,
    supervisor: Option<JoinHandle<()>>,
}

struct Inner {
    data: Arc<dyn Disk>,
    keys: Arc<dyn Disk>,
    env: Arc<dyn Env>,
    options: Options,
    intake: Intake,
    stopping: AtomicBool,
    status: Mutex<Status>,
    changed: Condvar,
    reads: RwLock<Reads>,
}

impl Engine {
    /// Opens the store and starts recording. The caller holds the store's lock.
    ///
    /// # Errors
    /// The store cannot be opened now; later faults are told by [`Engine::status`].
    pub fn start(
        data: Arc<dyn Disk>,
        keys: Arc<dyn Disk>,
        env: Arc<dyn Env>,
        options: Options,
    ) -> Result<Self, Fault> {
        // A reserve given back in an outage stays away until there is room for it again.
        let reserved = hold_reserve(&data, options.reserve_bytes);
        let core = Core::open(data.clone(), keys.clone(), env.clone(), options.clone())?;
        let options = Options { enter_key_changes: false, ..options };
        let intake = Intake::new(options.queue_bytes);
        let inner = Arc::new(Inner {
            data,
            keys,
            env,
            intake,
            stopping: AtomicBool::new(false),
            status: Mutex::new(Status::Running),
            changed: Condvar::new(),
            reads: RwLock::new(core.reads()),
            options,
        });
        let full = reserved.err();
        if full.is_none() {
            inner.intake.set(Gate::Open);
        }
        let supervised = inner.clone();
        let supervisor = std::thread::Builder::new()
            .name("supervisor".to_owned())
            .spawn(move || supervised.supervise(core, full))
            .doing("starting a thread")?;
        Ok(Self { inner, supervisor: Some(supervisor) })
    }

    /// Hands a request to the writer; the answer comes through the request.
    pub fn submit(&self, request: Request) {
        self.inner.intake.submit(request);
    }

    /// Reads what is durable. Taken anew for each use: after a fault the store is another one.
    pub fn reads(&self) -> Reads {
        self.inner.reads.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores a checkpoint that a quorum of witnesses cosigned, durably, and shows it to readers. The caller has verified
    /// it.
    ///
    /// # Errors
    /// Storage failed: what was stored before is still there.
    pub fn keep_witnessed(&self, ledger: usize, witnessed: Witnessed) -> Result<(), Fault> {
        self.reads().keep_witnessed(ledger, witnessed)
    }

    /// Stores a checkpoint that was time-stamped, or what stamps it, durably beside the others of its size.
    ///
    /// # Errors
    /// Storage failed: a file that was there before still is.
    pub fn keep_stamped(&self, ledger: usize, size: u64, what: Stamped, bytes: &[u8]) -> Result<(), Fault> {
        self.reads().keep_stamped(ledger, size, what, bytes)
    }

    /// What the engine is doing.
    pub fn status(&self) -> Status {
        self.inner.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Finishes what is waiting, publishes it, and marks the store as stopped in order.
    pub fn stop(mut self) {
        self.shut_down();
    }

    fn shut_down(&mut self) {
        self.inner.stopping.store(true, Ordering::SeqCst);
        self.inner.intake.set(Gate::Closed);
        self.inner.changed.notify_all();
        if let Some(supervisor) = self.supervisor.take() {
            drop(supervisor.join());
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.shut_down();
    }
}

impl Inner {
    /// Runs the store until it is stopped, reopening it after each storage fault.
    fn supervise(&self, core: Core, full: Option<Fault>) {
        let mut next = match full {
            Some(fault) => self.recover(fault, Some(core)),
            None => Some(core),
        };
        while let Some(core) = next {
            match threads::run(core, &self.intake, &self.stopping) {
                Ok(core) => {
                    let stopped = core.stop();
                    self.set_status(match stopped {
                        Ok(()) => Status::Stopped,
                        Err(fault) => Status::Damaged { reason: fault.to_string() },
                    });
                    break;
                }
                Err(fault) => next = self.recover(fault, None),
            }
        }
        self.intake.set(Gate::Closed);
        self.intake.refuse_waiting(&Refusal::Stopping);
    }

    /// From a fault to a store that records again, with the outage on record. `None` if the engine is stopped or
    /// must not go on.
    fn recover(&self, fault: Fault, mut open: Option<Core>) -> Option<Core> {
        let since_ms = self.env.now_ms();
        let mut fault = fault;
        let mut told = open.is_none();
        loop {
            let reason = fault.to_string();
            let retry_after_ms = REOPEN.as_millis() as u64;
            let refusal = Refusal::Unavailable { reason: reason.clone(), retry_after_ms };
            self.intake.set(Gate::Suspended(refusal.clone()));
            self.intake.refuse_waiting(&refusal);
            if !matches!(fault, Fault::Storage { .. }) {
                self.set_status(Status::Damaged { reason });
                return None;
            }
            self.set_status(Status::Suspended { since_ms, reason: reason.clone() });
            match self.resume(&mut open, &mut told, since_ms, &fault) {
                Ok(core) => {
                    self.set_status(Status::Running);
                    self.intake.set(if self.stopping.load(Ordering::SeqCst) {
                        Gate::Closed
                    } else {
                        Gate::Open
                    });
                    return Some(core);
                }
                Err(again) => fault = again,
            }
            if self.wait_or_stop() {
                if let Some(core) = open {
                    drop(core.stop());
                }
                return None;
            }
        }
    }

    /// One attempt: reopen as after a crash, record the outage with the help of the reserve, and go on only once
    /// the reserve is held again.
    fn resume(
        &self,
        open: &mut Option<Core>,
        told: &mut bool,
        since: u64,
        fault: &Fault,
    ) -> Result<Core, Fault> {
        if open.is_none() {
            if fault.is_full() {
                self.data.remove(layout::RESERVE).doing("giving the reserve back")?;
            }
            let core =
                Core::open(self.data.clone(), self.keys.clone(), self.env.clone(), self.options.clone())?;
            *self.reads.write().unwrap_or_else(PoisonError::into_inner) = core.reads();
            *open = Some(core);
        }
        let mut core = open.take().ok_or(Fault::Fenced)?;
        if *told {
            record_outage(&mut core, since, None, fault)?;
            *told = false;
        }
        match hold_reserve(&self.data, self.options.reserve_bytes) {
            Ok(()) => record_outage(&mut core, since, Some(self.env.now_ms()), fault).map(|()| core),
            Err(fault) => {
                // Still no room: keep the store open, so that it can be read, and ask again.
                *open = Some(core);
                Err(fault)
            }
        }
    }

    /// Waits before the next attempt; true if the engine is to stop.
    fn wait_or_stop(&self) -> bool {
        let status = self.status.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.stopping.load(Ordering::SeqCst) {
            drop(self.changed.wait_timeout(status, REOPEN));
        }
        self.stopping.load(Ordering::SeqCst)
    }

    fn set_status(&self, status: Status) {
        *self.status.lock().unwrap_or_else(PoisonError::into_inner) = status;
    }
}

/// Writes the reserve if it is not there: zeros, so that every byte of it can be checked.
fn hold_reserve(data: &Arc<dyn Disk>, bytes: usize) -> Result<(), Fault> {
    if data.len(layout::RESERVE).doing("looking for the reserve")? == Some(bytes as u64) {
        return Ok(());
    }
    data.remove(layout::RESERVE).doing("renewing the reserve")?;
    let put = DiskObjects::new(data.clone()).put(layout::RESERVE, &vec![0; bytes]).doing("holding a reserve");
    if put.is_err() {
        // What was written of it would take the very space that is missing.
        drop(data.remove(&format!("{}.tmp", layout::RESERVE)));
    }
    put
}

/// Enters in every ledger that it could not record, from when, why and, once it is over, until when.
fn record_outage(core: &mut Core, from: u64, to: Option<u64>, fault: &Fault) -> Result<(), Fault> {
    let gap = Gap {
        cause: GapCause::Suspended,
        source: None,
        epoch: None,
        from_sequence: None,
        to_sequence: None,
        from_ms: Some(from),
        to_ms: to.map(|to| to.max(from)),
        clean: None,
        detail: fault.to_string(),
    };
    let control =
        |ledger| Request::Control { ledger, records: vec![(Kind::Gap, gap.to_draft())], pending: None };
    core.commit((0..core.shared.ledgers.len()).map(control).collect())?;
    core.publish()
}
