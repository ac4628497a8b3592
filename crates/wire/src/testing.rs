//! What property tests share.

use proptest::test_runner::{Config, RngSeed};

/// Runs a property this often, always on the same inputs; PROPTEST_RNG_SEED and PROPTEST_CASES ask for others.
pub(crate) fn cases(count: u32) -> Config {
    let mut config = Config { failure_persistence: None, ..Config::default() };
    if std::env::var_os("PROPTEST_CASES").is_none() {
        config.cases = count;
    }
    if std::env::var_os("PROPTEST_RNG_SEED").is_none() {
        config.rng_seed = RngSeed::Fixed(0x1ed6_e757);
    }
    config
}
