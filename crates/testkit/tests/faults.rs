//! Lets every operation fail in turn (issue 2, "faults at the N-th operation").

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use ledger::Fault;
use testkit::campaign::{Base, Recording, START, fail_everywhere};
use testkit::fault::{Effect, Error, Lasting};
use testkit::{DATA, Driver, Expected, KEYS, SimFs, SimHost, setting};

/// A store with both ledgers, all sources, a sealed range, and not much before the next one is due.
fn base(seed: u64) -> Base {
    let start = SimFs::new(&[DATA, KEYS]);
    let host = SimHost::boot(start.clone());
    let mut driver = Driver::new(&host, host.disks(), seed, START, Expected::default());
    driver.open().unwrap();
    for _ in 0..6 {
        let open = driver.open_source();
        driver.commit(vec![open]).unwrap();
    }
    fill(&mut driver, 300);
    driver.publish().unwrap();
    driver.seal(true).unwrap();
    fill(&mut driver, 470);
    driver.stop().unwrap();
    let recording = Recording::of(start, Expected::default(), &host, &driver);
    let mut replay = recording.replay();
    while replay.advance() {}
    Base { fs: replay.fs.clone(), expected: replay.expected.clone(), time: replay.time() }
}

/// Appends to both ledgers until the first has `size` entries.
fn fill(driver: &mut Driver, size: u64) {
    while driver.core().unwrap().reads().progress(0).durable < size {
        let batches =
            [(0, 10), (1, 2)].into_iter().filter_map(|(ledger, count)| driver.append(ledger, count));
        let batches = batches.collect();
        driver.commit(batches).unwrap();
    }
}

/// Everything the engine does, once.
fn work(driver: &mut Driver) -> Result<(), Fault> {
    driver.open()?;
    let requests: Vec<_> = [(0, 3), (1, 2)].into_iter().filter_map(|(l, n)| driver.append(l, n)).collect();
    driver.commit(requests)?;
    driver.engine()?.mark_synced()?;
    let open = driver.open_source();
    let more = driver.append(0, 60);
    driver.commit([open].into_iter().chain(more).collect())?;
    driver.publish()?;
    driver.seal(false)?;
    driver.publish()?;
    driver.retry_known()?;
    driver.seal(true)?;
    driver.stop()
}

#[test]
fn every_operation_may_fail() {
    let seed = setting("LEDGERSTONE_SEED", 1);
    let mut ways = Vec::new();
    for error in Error::ALL {
        for lasting in [Lasting::Once, Lasting::ForEver] {
            ways.extend([Effect::Failed, Effect::Stored].map(|effect| (error, lasting, effect)));
        }
    }
    let report = fail_everywhere(&base(seed), work, &ways, seed);
    println!("seed {seed}: {} states after faults at {} operations", report.states, report.points);
    report.assert_clean(&format!("LEDGERSTONE_SEED={seed}"));
    assert!(report.points > 150 && report.sealed > 500, "{report:?}");
}
