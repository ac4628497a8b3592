use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use env::Env;

/// Asks a thread to end, and wakes it from waiting.
#[derive(Default)]
pub(crate) struct Stop {
    asked: Mutex<bool>,
    woken: Condvar,
}

impl Stop {
    pub(crate) fn ask(&self) {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.woken.notify_all();
    }

    pub(crate) fn is_asked(&self) -> bool {
        *self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for at most `time`; true if asked to stop.
    pub(crate) fn wait(&self, time: Duration) -> bool {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.woken.wait_timeout_while(asked, time, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

/// Bytes per second that may be read. What is read is booked; whoever reads next waits until it is paid for.
pub(crate) struct Budget {
    bytes_per_s: u64,
    env: Arc<dyn Env>,
    stop: Arc<Stop>,
    paid_at: Mutex<Duration>,
}

impl Budget {
    pub(crate) fn new(bytes_per_s: u64, env: Arc<dyn Env>, stop: Arc<Stop>) -> Self {
        let paid_at = Mutex::new(env.monotonic());
        Self { bytes_per_s: bytes_per_s.max(1), env, stop, paid_at }
    }

    /// Books bytes that were read.
    pub(crate) fn book(&self, bytes: u64) {
        let now = self.env.monotonic();
        let nanos = u128::from(bytes) * 1_000_000_000 / u128::from(self.bytes_per_s);
        let mut paid_at = self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        *paid_at = (*paid_at).max(now) + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX / 2));
    }

    /// Waits until everything booked is paid for.
    ///
    /// # Errors
    /// The thread is to end.
    pub(crate) fn wait(&self) -> io::Result<()> {
        let paid_at = *self.paid_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.env.monotonic();
        if self.stop.wait(paid_at.saturating_sub(now)) {
            return Err(io::Error::new(io::ErrorKind::Interrupted, "the server is stopping"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use env::{Clock, SystemEnv};

    #[test]
    fn reading_takes_as_long_as_the_budget_says() {
        let env = Arc::new(SystemEnv::new());
        let budget = Budget::new(1 << 20, env.clone(), Arc::default());
        let start = env.monotonic();
        for _ in 0..4 {
            budget.wait().unwrap();
            budget.book(100 << 10);
        }
        budget.wait().unwrap();
        let took = env.monotonic() - start;
        assert!(took >= Duration::from_millis(390), "{took:?}");
    }

    #[test]
    fn whoever_waits_for_long_is_woken_to_stop() {
        let env = Arc::new(SystemEnv::new());
        let stop = Arc::new(Stop::default());
        let budget = Budget::new(1, env.clone(), stop.clone());
        budget.book(3600);
        let start = env.monotonic();
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| budget.wait());
            stop.ask();
            assert!(waiting.join().unwrap().is_err());
        });
        assert!(env.monotonic() - start < Duration::from_secs(60));
    }
}
