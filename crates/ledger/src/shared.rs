use std::sync::{Arc, Mutex, PoisonError};

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
    state: Mutex<(Option<Held>, Registered)>,
}

impl RegisterCell {
    pub(crate) fn new(register: DiskRegister, held: Held, value: Registered) -> Self {
        Self { register, state: Mutex::new((Some(held), value)) }
    }

    pub(crate) fn value(&self) -> Registered {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// Changes the register; durable on return. After a fault every further change is refused, since nobody
    /// knows what the register holds.
    pub(crate) fn change(&self, now_ms: u64, change: impl FnOnce(&mut Registered)) -> Result<(), Fault> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let held = state.0.take().ok_or(Fault::Fenced)?;
        let mut next = state.1.clone();
        change(&mut next);
        next.written_ms = next.written_ms.max(now_ms);
        let held = self.register.swap(held, next.format()).doing("writing the register")?;
        *state = (Some(held), next);
        Ok(())
    }
}
