/// A seeded generator of numbers for tests: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014). The same seed gives
/// the same run on every machine; never fit for keys.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts from a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A generator of its own for one part of a run, so that a change in another part does not change this one.
    pub fn fork(&mut self, part: u64) -> Self {
        Self(self.next() ^ part.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    /// The next 64 bits.
    #[expect(clippy::should_implement_trait, reason = "a generator that ends is not meant")]
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is at least 1. Slightly uneven for huge ranges, which no test has.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    /// A number of the range `from..=to`.
    pub fn between(&mut self, from: u64, to: u64) -> u64 {
        from + self.below(to - from + 1)
    }

    /// True once in `of` times.
    pub fn one_in(&mut self, of: u64) -> bool {
        self.below(of) == 0
    }

    /// Fills a buffer.
    pub fn fill(&mut self, out: &mut [u8]) {
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A number from the environment, such as `LEDGERSTONE_SEED`; `default` if it is not set.
///
/// # Panics
/// If it is set to something else than a number: a long run with a mistyped seed would be a wasted one.
pub fn setting(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
        Err(_) => default,
    }
}
