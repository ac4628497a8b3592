//! Crashes a workload at every operation and recovers from what is left (issue 2, "Crash").

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "a run tells its seed and its size")]

use testkit::campaign::{Recording, START, crash_everywhere};
use testkit::check::Checker;
use testkit::{DATA, Driver, Expected, KEYS, SimFs, SimHost, setting};

/// Runs `steps` random steps on an empty host and checks the store once in good weather.
fn record(seed: u64, steps: usize) -> Recording {
    let start = SimFs::new(&[DATA, KEYS]);
    let host = SimHost::boot(start.clone());
    let (data, keys) = host.disks();
    let mut driver = Driver::new(&host, host.disks(), seed, START, Expected::default());
    driver.open().unwrap();
    for _ in 0..steps {
        driver.step().unwrap();
    }
    driver.publish().unwrap();
    let summary = Checker::new().check(data.as_ref(), keys.as_ref(), &driver.expected).unwrap();
    println!("seed {seed}: {} operations, {summary:?}", host.ops());
    Recording::of(start, Expected::default(), &host, &driver)
}

#[test]
fn every_crash_state_recovers() {
    let seed = setting("LEDGERSTONE_SEED", 1);
    let states = setting("LEDGERSTONE_CRASH_STATES", 5000);
    let recording = record(seed, 100);
    let per_point = states.div_ceil(2 * (recording.ops() as u64 + 1));
    let report = crash_everywhere(&recording, per_point as usize, seed);
    let (torn, sealed) = (report.torn, report.sealed);
    println!("seed {seed}: {} crash states at {} points", report.states, report.points);
    println!("seed {seed}: {torn} with torn tails, {sealed} with segments");
    report.assert_clean(&format!("LEDGERSTONE_SEED={seed}"));
    assert!(report.states >= states && torn > states / 50 && sealed > states / 10, "too few: {report:?}");
}
