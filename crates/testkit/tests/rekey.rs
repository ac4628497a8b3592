//! A ledger's signing key changes, and the machine goes down at every operation of that (docs/format.md, section 10).

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use evidence::layout;
use ledger::SigningGates;
use testkit::campaign::{Effort, Recording, START, crash_at};
use testkit::check::Checker;
use testkit::driver::LEDGERS;
use testkit::fs::Op;
use testkit::{DATA, Driver, Expected, KEYS, SimFs, SimHost, setting};
use tlog::UnverifiedCheckpoint;

/// A host with a store whose ledger has changed its key `changes` times.
fn changed(seed: u64, changes: usize) -> (SimFs, SimHost, Driver) {
    let start = SimFs::new(&[DATA, KEYS]);
    let host = SimHost::boot(start.clone());
    let mut driver = Driver::new(&host, host.disks(), seed, START, Expected::default());
    driver.ledgers = 1;
    driver.open().unwrap();
    for round in 0..changes {
        (0..6).for_each(|_| driver.step().unwrap());
        driver.publish().unwrap();
        assert!(driver.change_key(0).unwrap());
        if round % 2 == 0 {
            driver.stop().unwrap();
        }
        driver.open().unwrap();
    }
    (start, host, driver)
}

#[test]
fn a_change_is_whole_whenever_the_machine_goes_down() {
    let seed = setting("LEDGERSTONE_SEED", 1);
    let (start, host, mut driver) = changed(seed, 2);
    driver.publish().unwrap();
    let (data, keys) = host.disks();
    let summary = Checker::new().check(data.as_ref(), keys.as_ref(), &driver.expected).unwrap();
    assert_eq!(summary.changes, 2);
    let recording = Recording::of(start, Expected::default(), &host, &driver);
    let per_point = setting("LEDGERSTONE_CRASHES", 12) as usize;
    let report = crash_at(&recording, |_| true, Effort { per_point, again: 2, seed });
    println!("seed {seed}: {} crash states at {} points", report.states, report.points);
    report.assert_clean(&format!("LEDGERSTONE_SEED={seed}"));
    assert!(report.states > 500, "too few: {report:?}");
}

#[test]
fn every_checkpoint_is_signed_by_the_key_in_force_and_by_no_other() {
    let (start, host, mut driver) = changed(7, 4);
    // Sealed, the records of changes are read from segments.
    driver.enter_heartbeats(0, 300).unwrap();
    driver.publish().unwrap();
    while driver.engine().unwrap().seal(true).unwrap() {}
    driver.publish().unwrap();
    assert!(driver.change_key(0).unwrap());
    driver.open().unwrap();
    driver.publish().unwrap();
    driver.stop().unwrap();
    driver.open().unwrap();
    let (data, keys) = host.disks();
    let summary = Checker::new().check(data.as_ref(), keys.as_ref(), &driver.expected).unwrap();
    assert_eq!((summary.changes, summary.ledgers[LEDGERS[0]].1 > 0), (5, true));
    let known = driver.core().unwrap().reads().ledgers().remove(0).keys;
    assert_eq!(known.len(), 6);

    let (mut fs, mut by_key) = (start, vec![0; known.len()]);
    for op in host.history() {
        if let Op::Append(file, bytes) = &op
            && fs.created_path(*file).ends_with("/checkpoint.tmp")
        {
            let note = UnverifiedCheckpoint::parse(bytes).unwrap();
            let (size, origin) = (note.claimed().size, note.claimed().origin.to_string());
            let at = known.iter().rposition(|(index, _)| *index < size || *index == 0).unwrap();
            note.verify(&origin, std::slice::from_ref(&known[at].1), &[]).unwrap();
            by_key[at] += 1;
        }
        fs.apply(&op);
    }
    assert!(by_key.iter().all(|signed| *signed > 0), "{by_key:?}");
}

#[test]
fn a_ledger_that_may_not_sign_changes_its_key_and_signs_later() {
    let (_, host, mut driver) = changed(9, 1);
    driver.publish().unwrap();
    let (data, keys) = host.disks();
    let there = |path: String| keys.read(&path).is_ok();
    let note = || data.read(&layout::checkpoint(LEDGERS[0])).unwrap();
    assert!(driver.change_key(0).unwrap());
    let before = note();
    for _ in 0..3 {
        driver.gates = SigningGates::held(LEDGERS.map(str::to_owned), 1, "nobody has answered");
        driver.open().unwrap();
        (0..5).for_each(|_| driver.step().unwrap());
        assert_eq!(note(), before);
        assert!(there(layout::keys::signing_next(LEDGERS[0])), "the key before signs what is published");
        driver.kill();
    }
    driver.open().unwrap();
    driver.gates.release(LEDGERS[0]);
    driver.publish().unwrap();
    assert!(note() != before && !there(layout::keys::signing_next(LEDGERS[0])));
    assert!(!there(layout::keys::change(LEDGERS[0])));
    let summary = Checker::new().check(data.as_ref(), keys.as_ref(), &driver.expected).unwrap();
    assert_eq!(summary.changes, 2);
}
