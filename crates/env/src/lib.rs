//! Clock and randomness as arguments.
//!
//! Everything in Ledgerstone that needs the time or a random number is given an [`Env`]; clippy bans the
//! direct calls. So a test can set the clock back, and a failing run can be replayed from its seed.

use std::time::Duration;

/// Tells wall-clock and monotonic time.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01T00:00:00Z by the host's clock; may jump either way.
    fn now_ms(&self) -> u64;
    /// Time since an arbitrary start; never goes back. Compared with [`Clock::now_ms`] to notice clock jumps.
    fn monotonic(&self) -> Duration;
}

/// Gives random bytes fit for keys.
pub trait Random: Send + Sync {
    /// Fills `out`. An operating system without randomness is not one we can run on, so this does not fail.
    fn fill(&self, out: &mut [u8]);

    /// Returns `N` random bytes.
    fn bytes<const N: usize>(&self) -> [u8; N]
    where
        Self: Sized,
    {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

/// The surroundings of an engine: a clock and a source of randomness.
pub trait Env: Clock + Random + 'static {}

impl<T: Clock + Random + 'static> Env for T {}

/// Returns `N` random bytes from an environment behind a pointer.
pub fn random<const N: usize>(env: &dyn Env) -> [u8; N] {
    let mut out = [0; N];
    env.fill(&mut out);
    out
}

/// The real host.
#[derive(Debug)]
pub struct SystemEnv {
    start: std::time::Instant,
}

impl SystemEnv {
    /// Starts the monotonic clock.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the real clock")]
    pub fn new() -> Self {
        Self { start: std::time::Instant::now() }
    }
}

impl Default for SystemEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemEnv {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the real clock")]
    fn now_ms(&self) -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    fn monotonic(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Random for SystemEnv {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that asks the operating system")]
    #[expect(
        clippy::expect_used,
        reason = "without randomness no key may be made: stopping is the safe answer"
    )]
    fn fill(&self, out: &mut [u8]) {
        getrandom::fill(out).expect("the operating system gives random bytes");
    }
}
