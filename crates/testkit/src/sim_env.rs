use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use env::{Clock, Random};

use crate::rng::Rng;

/// An environment whose clocks are set by hand and whose randomness comes from a seed.
#[derive(Debug)]
pub struct SimEnv {
    now_ms: AtomicU64,
    monotonic_ms: AtomicU64,
    rng: Mutex<Rng>,
}

impl SimEnv {
    /// Starts with the wall clock at `now_ms`.
    pub fn new(seed: u64, now_ms: u64) -> Self {
        Self {
            now_ms: AtomicU64::new(now_ms),
            monotonic_ms: AtomicU64::new(0),
            rng: Mutex::new(Rng::new(seed)),
        }
    }

    /// Lets time pass on both clocks.
    pub fn advance(&self, ms: u64) {
        self.now_ms.fetch_add(ms, Ordering::SeqCst);
        self.monotonic_ms.fetch_add(ms, Ordering::SeqCst);
    }

    /// Sets the wall clock forward or back; the monotonic clock does not notice.
    pub fn jump(&self, ms: i64) {
        let now = self.now_ms.load(Ordering::SeqCst);
        self.now_ms.store(now.saturating_add_signed(ms), Ordering::SeqCst);
    }
}

impl Clock for SimEnv {
    fn now_ms(&self) -> u64 {
        self.now_ms.load(Ordering::SeqCst)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.monotonic_ms.load(Ordering::SeqCst))
    }
}

impl Random for SimEnv {
    fn fill(&self, out: &mut [u8]) {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).fill(out);
    }
}
