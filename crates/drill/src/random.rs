use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use env::{Clock, Random};

/// A small generator (splitmix64) that draws the same from the same seed. What is drilled can be drilled again.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The dice of one try of one operator, whatever else is run.
    pub(crate) fn of(seed: u64, operator: &str, number: u64) -> Self {
        let mut dice = Self::new(seed);
        for byte in operator.bytes() {
            dice.0 = dice.0.wrapping_add(u64::from(byte));
            dice.next();
        }
        dice.0 ^= number.wrapping_mul(0xd6e8_feb8_6659_fd93);
        dice.next();
        dice
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// A number below `bound`; 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.next().checked_rem(bound as u64).unwrap_or_default() as usize
    }

    /// A number from `low` to `high`, both included.
    pub(crate) fn within(&mut self, low: usize, high: usize) -> usize {
        low + self.below(high.saturating_sub(low) + 1)
    }

    pub(crate) fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }

    /// One of several, if there is one.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// Clock and randomness of a store that is made for a drill: all from one seed, so that its bytes are the same again.
pub(crate) struct SeededEnv {
    dice: Mutex<Dice>,
    ms: AtomicU64,
}

impl SeededEnv {
    pub(crate) fn new(seed: u64, start_ms: u64) -> Self {
        Self { dice: Mutex::new(Dice::new(seed)), ms: AtomicU64::new(start_ms) }
    }
}

impl Clock for SeededEnv {
    fn now_ms(&self) -> u64 {
        self.ms.fetch_add(1, Ordering::Relaxed)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_millis(self.ms.load(Ordering::Relaxed))
    }
}

impl Random for SeededEnv {
    fn fill(&self, out: &mut [u8]) {
        let mut dice = self.dice.lock().unwrap_or_else(PoisonError::into_inner);
        out.fill_with(|| dice.next() as u8);
    }
}
