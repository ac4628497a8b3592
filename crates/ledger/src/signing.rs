use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether checkpoints of a ledger are signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// They are.
    Allowed,
    /// Nothing is signed; intake, integration and reading back go on.
    Held {
        /// Since when, unix milliseconds.
        since_ms: u64,
        /// Why, and what to do about it.
        reason: String,
    },
}

impl Signing {
    /// Why nothing is signed, if nothing is.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Allowed => None,
            Self::Held { reason, .. } => Some(reason),
        }
    }

    /// For how long nothing has been signed, in milliseconds; 0 if it is.
    pub fn held_ms(&self, now_ms: u64) -> u64 {
        match self {
            Self::Allowed => 0,
            Self::Held { since_ms, .. } => now_ms.saturating_sub(*since_ms),
        }
    }
}

/// The gates before the signing keys of those ledgers whose checkpoints others must agree to first (DESIGN section 4,
/// "Start-up guard"). Clones share their state, so it outlives a store that is opened again after a fault.
///
/// A ledger that has no gate here always signs.
#[derive(Clone, Default)]
pub struct SigningGates(Arc<Gates>);

#[derive(Default)]
struct Gates {
    has: Has,
    /// What a gate is when it is first looked at.
    since_ms: u64,
    reason: String,
    states: Mutex<BTreeMap<String, Arc<Mutex<Signing>>>>,
}

/// Which ledgers have a gate.
#[derive(Debug, Default)]
enum Has {
    #[default]
    None,
    These(BTreeSet<String>),
    All,
}

impl SigningGates {
    /// A gate, held from the start, for each of these ledgers.
    pub fn held(ledgers: impl IntoIterator<Item = String>, since_ms: u64, reason: &str) -> Self {
        Self::with(Has::These(ledgers.into_iter().collect()), since_ms, reason)
    }

    /// A gate, held from the start, for every ledger that there is or will be.
    pub fn held_all(since_ms: u64, reason: &str) -> Self {
        Self::with(Has::All, since_ms, reason)
    }

    fn with(has: Has, since_ms: u64, reason: &str) -> Self {
        Self(Arc::new(Gates { has, since_ms, reason: reason.to_owned(), states: Mutex::default() }))
    }

    /// Whether a ledger has a gate.
    pub fn has(&self, ledger: &str) -> bool {
        match &self.0.has {
            Has::None => false,
            Has::These(names) => names.contains(ledger),
            Has::All => true,
        }
    }

    /// Whether a ledger signs.
    pub fn state(&self, ledger: &str) -> Signing {
        self.gate(ledger).map_or(Signing::Allowed, |gate| lock(&gate).clone())
    }

    /// Lets a ledger sign what it has.
    pub fn release(&self, ledger: &str) {
        if let Some(gate) = self.gate(ledger) {
            *lock(&gate) = Signing::Allowed;
        }
    }

    /// Keeps a ledger from signing. Once this returns no signature leaves that had not left before; one that is under way
    /// is waited for. What was held already is held since then, for the new reason.
    pub fn hold(&self, ledger: &str, now_ms: u64, why: &str) {
        let Some(gate) = self.gate(ledger) else { return };
        let mut state = lock(&gate);
        let since_ms = match *state {
            Signing::Held { since_ms, .. } => since_ms,
            Signing::Allowed => now_ms,
        };
        *state = Signing::Held { since_ms, reason: why.to_owned() };
    }

    /// Runs `sign` if the ledger may sign; the gate can't be shut until it returns.
    pub(crate) fn pass<T>(&self, ledger: &str, sign: impl FnOnce() -> T) -> Option<T> {
        let Some(gate) = self.gate(ledger) else { return Some(sign()) };
        let state = lock(&gate);
        (*state == Signing::Allowed).then(sign)
    }

    fn gate(&self, ledger: &str) -> Option<Arc<Mutex<Signing>>> {
        if !self.has(ledger) {
            return None;
        }
        let Gates { since_ms, reason, .. } = &*self.0;
        let held = || Arc::new(Mutex::new(Signing::Held { since_ms: *since_ms, reason: reason.clone() }));
        let mut states = self.0.states.lock().unwrap_or_else(PoisonError::into_inner);
        Some(states.entry(ledger.to_owned()).or_insert_with(held).clone())
    }
}

impl fmt::Debug for SigningGates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.has.fmt(f)
    }
}

fn lock(gate: &Mutex<Signing>) -> MutexGuard<'_, Signing> {
    gate.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    fn gates() -> SigningGates {
        SigningGates::held(["main".to_owned()], 5, "nobody has answered")
    }

    #[test]
    fn a_gate_is_held_until_it_is_released_and_again_when_it_is_shut() {
        let gates = gates();
        assert_eq!(gates.pass("main", || ()), None);
        assert_eq!(gates.state("main").reason(), Some("nobody has answered"));
        gates.hold("main", 7, "other words");
        assert_eq!(gates.state("main"), Signing::Held { since_ms: 5, reason: "other words".to_owned() });
        gates.clone().release("main");
        assert_eq!((gates.pass("main", || 1), gates.state("main")), (Some(1), Signing::Allowed));
        gates.hold("main", 9, "a witness is ahead");
        assert_eq!(gates.pass("main", || ()), None);
        assert_eq!(
            gates.state("main"),
            Signing::Held { since_ms: 9, reason: "a witness is ahead".to_owned() }
        );
    }

    #[test]
    fn all_ledgers_may_have_one() {
        let gates = SigningGates::held_all(5, "nobody has answered");
        gates.release("main");
        assert_eq!((gates.pass("main", || ()), gates.pass("other", || ())), (Some(()), None));
        assert!(gates.has("third") && !SigningGates::default().has("third"));
    }

    #[test]
    fn a_ledger_without_a_gate_always_signs() {
        let gates = gates();
        gates.hold("other", 1, "no gate");
        assert_eq!((gates.pass("other", || 1), gates.state("other")), (Some(1), Signing::Allowed));
    }

    #[test]
    fn who_shuts_a_gate_waits_for_the_signature_under_way() {
        let gates = gates();
        gates.release("main");
        let (inside, go_on) = (channel(), channel::<()>());
        std::thread::scope(|scope| {
            let signing = gates.clone();
            scope.spawn(move || {
                signing.pass("main", || {
                    inside.0.send(()).unwrap();
                    go_on.1.recv().unwrap();
                })
            });
            inside.1.recv().unwrap();
            let (shut, told) = channel();
            let shutting = gates.clone();
            scope.spawn(move || {
                shutting.hold("main", 1, "shut");
                shut.send(()).unwrap();
            });
            assert!(told.recv_timeout(Duration::from_millis(50)).is_err());
            go_on.0.send(()).unwrap();
            told.recv().unwrap();
        });
        assert_eq!(gates.pass("main", || ()), None);
    }
}
