use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use env::Env;
use evidence::register::Registered;
use storage::{Disk, DiskObjects, DiskRegister, Held, Register};
use tlog::note::SigningKey;

use crate::fault::{Doing, Fault};
use crate::keystore::KeyStore;
use crate::options::Options;
use crate::view::View;

/// What every part of an opened engine uses.
pub(crate) struct Shared {
    pub disk: Arc<dyn Disk>,
    pub objects: DiskObjects,
    pub env: Arc<dyn Env>,
    pub options: Options,
    pub keys: KeyStore,
    pub ledgers: Vec<LedgerIdentity>,
    pub register: RegisterCell,
    pub view: View,
}

/// What never changes about a ledger while the engine is open.
pub(crate) struct LedgerIdentity {
    pub name: String,
    pub id: [u8; 32],
    pub signing: SigningKey,
}

/// The register as last written. Publisher and sealer both change it, each its own part.
pub(crate) struct RegisterCell {
    register: DiskRegister,
    state: Mutex<CellState>,
}

struct CellState {
    held: Option<Held>,
    value: Registered,
    /// Whether the time it was written is written too, see [`RegisterCell::start_clock`].
    recording: bool,
}

impl RegisterCell {
    pub(crate) fn new(register: DiskRegister, held: Held, value: Registered) -> Self {
        Self { register, state: Mutex::new(CellState { held: Some(held), value, recording: false }) }
    }

    pub(crate) fn value(&self) -> Registered {
        self.lock().value.clone()
    }

    /// Lets changes say when they were made. Until the downtime is on record they must not: a start that is cut off
    /// would hide since when nothing could be recorded (DESIGN I6).
    pub(crate) fn start_clock(&self) {
        self.lock().recording = true;
    }

    /// Changes the register; durable on return. After a fault every further change is refused, since nobody
    /// knows what the register holds.
    pub(crate) fn change(&self, now_ms: u64, change: impl FnOnce(&mut Registered)) -> Result<(), Fault> {
        let mut state = self.lock();
        let held = state.held.take().ok_or(Fault::Fenced)?;
        let mut next = state.value.clone();
        change(&mut next);
        if state.recording {
            next.written_ms = next.written_ms.max(now_ms);
        }
        state.held = Some(self.register.swap(held, next.format()).doing("writing the register")?);
        state.value = next;
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, CellState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
