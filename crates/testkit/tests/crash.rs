//! Crashes a workload at every operation and recovers from what is left (issue 2, "Crash").

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::print_stdout, reason = "a run tells its seed and its size")]

use testkit::campaign::{Effort, Recording, START, crash_at};
use testkit::check::Checker;
use testkit::{DATA, Driver, Expected, KEYS, Rng, SimFs, SimHost, setting};

/// Runs `work` on an empty host and checks the store once in good weather.
fn record(seed: u64, work: impl FnOnce(&mut Driver)) -> Recording {
    let start = SimFs::new(&[DATA, KEYS]);
    let host = SimHost::boot(start.clone());
    let (data, keys) = host.disks();
    let mut driver = Driver::new(&host, host.disks(), seed, START, Expected::default());
    work(&mut driver);
    let summary = Checker::new().check(data.as_ref(), keys.as_ref(), &driver.expected).unwrap();
    println!("seed {seed}: {} operations, {summary:?}", host.ops());
    Recording::of(start, Expected::default(), &host, &driver)
}

#[test]
fn every_crash_state_recovers() {
    let seed = setting("LEDGERSTONE_SEED", 1);
    let states = setting("LEDGERSTONE_CRASH_STATES", 5000);
    let recording = record(seed, |driver| {
        // The second ledger joins a store that is in use.
        driver.ledgers = 1;
        driver.open().unwrap();
        (0..15).for_each(|_| driver.step().unwrap());
        driver.ledgers = 2;
        driver.open().unwrap();
        (0..85).for_each(|_| driver.step().unwrap());
        driver.publish().unwrap();
    });
    let per_point = states.div_ceil(2 * (recording.ops() as u64 + 1)) as usize;
    let report = crash_at(&recording, |_| true, Effort { per_point, again: 1, seed });
    let (torn, sealed) = (report.torn, report.sealed);
    println!("seed {seed}: {} crash states at {} points", report.states, report.points);
    println!("seed {seed}: {torn} with torn tails, {sealed} with segments");
    report.assert_clean(&format!("LEDGERSTONE_SEED={seed}"));
    assert!(report.states >= states && torn > states / 50 && sealed > states / 10, "too few: {report:?}");
}

/// The first minutes of a store have few unsynced changes at a time: all their subsets can be tried.
#[test]
fn every_subset_of_what_a_young_store_has_not_synced_recovers() {
    let seed = setting("LEDGERSTONE_SEED", 1);
    let recording = record(seed, |driver| {
        driver.ledgers = 1;
        driver.open().unwrap();
        let open = driver.open_source();
        driver.commit(vec![open]).unwrap();
        let batch = driver.append(0, 2).unwrap();
        driver.commit(vec![batch]).unwrap();
        driver.stop().unwrap();
    });
    let report = crash_at(&recording, |_| true, Effort { per_point: 256, again: 0, seed });
    println!("seed {seed}: {} crash states at {} points", report.states, report.points);
    report.assert_clean(&format!("LEDGERSTONE_SEED={seed}"));
    assert!(report.states > 1000 && report.torn > 50, "too few: {report:?}");
}

/// Tiles of level 1 appear at 65,536 entries.
#[test]
fn a_store_that_grows_a_level_recovers() {
    let seed = setting("LEDGERSTONE_SEED", 1);
    let recording = record(seed, |driver| {
        driver.ledgers = 1;
        driver.open().unwrap();
        driver.enter_heartbeats(0, 65_500).unwrap();
        driver.publish().unwrap();
        while driver.engine().unwrap().seal(true).unwrap() {}
        driver.enter_heartbeats(0, 30).unwrap();
        driver.publish().unwrap();
        driver.enter_heartbeats(0, 400).unwrap();
        driver.publish().unwrap();
        driver.seal(true).unwrap();
        driver.stop().unwrap();
        driver.open().unwrap();
    });
    let mut rng = Rng::new(seed);
    let ops = recording.ops();
    let chosen: Vec<usize> = (0..5).map(|_| ops - 1 - rng.below(200) as usize).collect();
    let report = crash_at(&recording, |at| chosen.contains(&at), Effort { per_point: 1, again: 1, seed });
    println!("seed {seed}: {} crash states at {} points", report.states, report.points);
    report.assert_clean(&format!("LEDGERSTONE_SEED={seed}"));
    assert!(report.sealed == report.states && report.states >= 10, "too few: {report:?}");
}
