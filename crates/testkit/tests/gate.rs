//! No signature leaves while a ledger's gate is held, over steps, restarts, kills and power cuts, and all that was entered
//! meanwhile is signed once it is released (DESIGN section 4, "Start-up guard").

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use evidence::layout;
use ledger::{Signing, SigningGates};
use testkit::campaign::{START, crashes};
use testkit::check::Checker;
use testkit::driver::LEDGERS;
use testkit::{DATA, Driver, Expected, KEYS, Rng, SimFs, SimHost, setting};

/// The checkpoint files, which are the only signatures that leave the engine.
fn signed(host: &SimHost) -> Vec<Option<Vec<u8>>> {
    let (data, _) = host.disks();
    LEDGERS.iter().map(|name| data.read(&layout::checkpoint(name)).ok()).collect()
}

fn held() -> SigningGates {
    SigningGates::held(LEDGERS.map(str::to_owned), 1, "no witness has answered")
}

/// Lets the driver do what it does, and looks at every signature there is after each step.
fn steps(driver: &mut Driver, host: &SimHost, count: u64, before: &[Option<Vec<u8>>]) {
    for _ in 0..count {
        driver.step().unwrap();
        assert_eq!(signed(host), before, "a signature left through a gate that is held");
        if let Some(core) = driver.core() {
            for (ledger, before) in before.iter().enumerate() {
                let published = core.reads().published(ledger).map(|at| at.note.clone().into_bytes());
                assert_eq!(published, *before, "a signature is shown that is not published");
                assert!(core.reads().signing(ledger) != Signing::Allowed);
            }
        }
        driver.check_reads_of_published().unwrap();
    }
}

#[test]
fn nothing_is_signed_while_the_gate_is_held() {
    let (runs, mut checker, mut withheld) = (setting("LEDGERSTONE_GATE_RUNS", 60), Checker::new(), 0);
    let first = setting("LEDGERSTONE_SEED", 1);
    for seed in first..first + runs {
        let mut rng = Rng::new(seed);
        let host = SimHost::boot(SimFs::new(&[DATA, KEYS]));
        let mut driver = Driver::new(&host, host.disks(), seed, START, Expected::default());
        driver.open().unwrap();
        (0..rng.below(40)).for_each(|_| driver.step().unwrap());
        driver.publish().unwrap();
        driver.kill();
        let before = signed(&host);
        assert!(before.iter().all(Option::is_some));
        driver.gates = held();
        driver.open().unwrap();
        steps(&mut driver, &host, 30, &before);
        driver.kill();

        // The machine goes down once more, in one of all possible ways.
        let fs = host.fs();
        let crash = crashes(fs.pending(), 20, &mut rng);
        let crash = &crash[rng.below(crash.len() as u64) as usize];
        let host = SimHost::boot(crash.of(&fs));
        let mut next = Driver::new(&host, host.disks(), rng.next(), driver.time(), driver.expected.clone());
        next.gates = held();
        next.open().unwrap();
        steps(&mut next, &host, 20, &before);

        LEDGERS.iter().for_each(|name| next.gates.release(name));
        next.publish().unwrap();
        let (data, keys) = host.disks();
        let summary = checker.check(data.as_ref(), keys.as_ref(), &next.expected);
        let summary = summary.unwrap_or_else(|violation| panic!("seed {seed}: {violation}"));
        for (ledger, name) in LEDGERS.iter().enumerate() {
            let (entries, _, published) = summary.ledgers[*name];
            assert_eq!(entries, published, "seed {seed}: what was withheld is signed once that is allowed");
            let note = String::from_utf8(before[ledger].clone().unwrap()).unwrap();
            let size: u64 = note.lines().nth(1).unwrap().parse().unwrap();
            withheld += published - size;
        }
    }
    println!("seeds {first} and {runs} more: {withheld} entries were withheld");
    assert!(withheld > 100 * runs);
}

/// A ledger that has never signed anything has no checkpoint until its gate is released, and is then whole.
#[test]
fn a_new_ledger_waits_for_its_first_signature() {
    let host = SimHost::boot(SimFs::new(&[DATA, KEYS]));
    let mut driver = Driver::new(&host, host.disks(), 3, START, Expected::default());
    driver.gates = held();
    driver.open().unwrap();
    steps(&mut driver, &host, 60, &[None, None]);
    driver.stop().unwrap();
    driver.gates = held();
    driver.open().unwrap();
    steps(&mut driver, &host, 60, &[None, None]);
    driver.gates.release(LEDGERS[1]);
    driver.publish().unwrap();
    assert!(signed(&host)[0].is_none() && signed(&host)[1].is_some());
    driver.gates.release(LEDGERS[0]);
    driver.publish().unwrap();
    driver.seal(true).unwrap();
    driver.publish().unwrap();
    driver.stop().unwrap();
    let (data, keys) = host.disks();
    Checker::new().check(data.as_ref(), keys.as_ref(), &driver.expected).unwrap();
}

/// A gate that is shut while the ledger runs: what was published stays, and is served whole.
#[test]
fn a_gate_that_is_shut_again_keeps_what_was_published() {
    let host = SimHost::boot(SimFs::new(&[DATA, KEYS]));
    let mut driver = Driver::new(&host, host.disks(), 5, START, Expected::default());
    driver.gates = held();
    LEDGERS.iter().for_each(|name| driver.gates.release(name));
    driver.open().unwrap();
    (0..50).for_each(|_| driver.step().unwrap());
    driver.publish().unwrap();
    LEDGERS.iter().for_each(|name| driver.gates.hold(name, 9, "a witness is ahead"));
    let before = signed(&host);
    steps(&mut driver, &host, 60, &before);
}
