use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use env::Env;
use evidence::register::Registered;
use storage::{Disk, DiskObjects, DiskRegister, Held, Register};
use tlog::KeyHistory;
use tlog::note::{SigningKey, VerifierKey};

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
    pub origin: String,
    /// The key that the register names.
    registered: SigningKey,
    /// What the start has found out about its keys; nothing for a ledger without entries.
    keys: OnceLock<LedgerKeys>,
}

/// The keys of a ledger that has entries.
pub(crate) struct LedgerKeys {
    /// All of them, those of a change that this start takes up included.
    pub history: KeyHistory,
    /// The key to sign with, if it is not the register's.
    pub next: Option<SigningKey>,
}

impl LedgerIdentity {
    pub(crate) fn new(name: &str, id: [u8; 32], registered: SigningKey) -> Self {
        let origin = registered.name().to_owned();
        Self { name: name.to_owned(), id, origin, registered, keys: OnceLock::new() }
    }

    /// Says what the ledger's keys are; once, at the start, before anything is signed.
    pub(crate) fn know(&self, keys: LedgerKeys) {
        // A second call can't come from the one start there is, and would change nothing.
        let _ = self.keys.set(keys);
    }

    /// The key that signs from this start on.
    pub(crate) fn signing(&self) -> &SigningKey {
        self.keys.get().and_then(|keys| keys.next.as_ref()).unwrap_or(&self.registered)
    }

    /// The key that trees of `size` entries are signed by.
    pub(crate) fn in_force(&self, size: u64) -> &VerifierKey {
        match self.keys.get() {
            Some(keys) => keys.history.in_force(size),
            None => self.registered.verifying_key(),
        }
    }

    /// All its keys; `None` for a ledger that had no entries when the store was opened.
    pub(crate) fn history(&self) -> Option<&KeyHistory> {
        self.keys.get().map(|keys| &keys.history)
    }
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
