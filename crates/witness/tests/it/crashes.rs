//! Power cuts at every operation, in every combination of what may be lost; faults of the disk at every operation.
//!
//! What must hold: a size that was answered with 200 is never forgotten, and nothing is cosigned that does not extend
//! it. What may be lost is a request that was not answered.

use std::sync::Arc;

use testkit::fault::{Effect, Error, Lasting};
use testkit::fs::{Fate, Fill};
use testkit::{FaultDisk, FaultPlan, Rng, SimFs, SimHost, setting};

use crate::logs::{Log, ORIGIN, Site};

const STEPS: [(u64, u64); 5] = [(0, 3), (3, 8), (8, 8), (8, 21), (21, 40)];

/// States that a power cut could leave: all lost, all kept, and random ones in between.
fn crashes(fs: &SimFs, rng: &mut Rng) -> Vec<SimFs> {
    let pending = fs.pending();
    let mut states = vec![fs.crash(&vec![Fate::Lost; pending]), fs.crash(&vec![Fate::Kept; pending])];
    for _ in 0..8 {
        let fates: Vec<Fate> = (0..pending)
            .map(|_| match rng.below(4) {
                0 => Fate::Lost,
                1 => Fate::Kept,
                n => {
                    let fill = [Fill::Old, Fill::Zeros, Fill::Noise, Fill::Stale][rng.below(4) as usize];
                    Fate::Torn { sector: if n == 2 { 512 } else { 4096 }, fill, seed: rng.next() }
                }
            })
            .collect();
        states.push(fs.crash(&fates));
    }
    states
}

#[test]
fn a_power_cut_at_any_operation_loses_nothing_that_was_answered() {
    let log = Log::new(ORIGIN, 64);
    let other = log.forked(1);
    let site = Site::new(&[log.vkey()]);
    // After how many operations was which size answered.
    let mut answered = vec![(0, 0)];
    let vkey_from = site.host.ops();
    let vkey = site.witness.vkey().clone();
    for (old, new) in STEPS {
        site.env.advance(1000);
        site.cosigned(&log, old, new);
        answered.push((site.host.ops(), new));
    }
    let history = site.host.history();
    let mut rng = Rng::new(setting("WITNESS_SEED", 11));
    let mut fs = SimFs::new(&["w"]);
    let mut states = 0;
    for done in 0..=history.len() {
        for state in crashes(&fs, &mut rng) {
            states += 1;
            let site = Site::on(SimHost::boot(state), &[log.vkey()])
                .unwrap_or_else(|error| panic!("after {done} operations: {error}"));
            if done >= vkey_from {
                assert_eq!(site.witness.vkey(), &vkey, "after {done} operations it is another witness");
            }
            let promised = answered.iter().rev().find(|(ops, _)| *ops <= done).map_or(0, |(_, size)| *size);
            let next = STEPS.iter().map(|(_, new)| *new).find(|new| *new > promised).unwrap_or(promised);
            let size = site.size(ORIGIN).unwrap_or(0);
            assert!(size == promised || size == next, "after {done} operations: {size}, promised {promised}");
            // What does not extend it is refused; what does is cosigned.
            if size > 0 {
                assert_eq!(site.add(&other.request(size, 64)).status(), 422, "after {done} operations");
                assert_eq!(site.add(&other.request(0, 64)).status(), 409);
            }
            site.cosigned(&log, size, 64);
        }
        if let Some(op) = history.get(done) {
            fs.apply(op);
        }
    }
    println!("{states} states after {} operations", history.len());
}

/// Runs the steps on a disk with faults. A refused request is tried again as a client would: with the size the witness
/// tells, and without regard to whether it was cosigned.
fn run(plan: &Arc<FaultPlan>, log: &Log) -> Option<(SimHost, u64)> {
    let host = SimHost::boot(SimFs::new(&["w"]));
    let disk = Arc::new(FaultDisk::new(host.disk("w"), plan.clone()));
    let site = Site::with_disk(host.clone(), disk, &[log.vkey()]).ok()?;
    let mut answered = 0;
    for (_, new) in STEPS {
        site.env.advance(1000);
        for _ in 0..3 {
            let request = log.request(answered, new);
            match site.add(&request) {
                witness::Answer::Cosigned(_) => {
                    answered = new;
                    break;
                }
                // Persisted, and the answer was lost: the client is told by the size.
                witness::Answer::Conflict(size) => {
                    assert!(size >= answered, "{size} after {answered}");
                    answered = size;
                }
                witness::Answer::Unavailable(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
    Some((host, answered))
}

#[test]
fn a_fault_at_any_operation_is_recovered_from() {
    let log = Log::new(ORIGIN, 64);
    let none = FaultPlan::none();
    let (_, all) = run(&none, &log).unwrap();
    assert_eq!(all, 40);
    let mut rng = Rng::new(setting("WITNESS_SEED", 12));
    for at in 1..=none.count() {
        for error in Error::ALL {
            for lasting in [Lasting::Once, Lasting::ForEver] {
                for effect in [Effect::Failed, Effect::Stored] {
                    let plan = FaultPlan::new(at, error, lasting, effect);
                    let Some((host, answered)) = run(&plan, &log) else { continue };
                    if lasting == Lasting::Once {
                        assert_eq!(answered, 40, "operation {at}: {error:?} {effect:?}");
                    }
                    // Then the power is cut, on whatever the fault left.
                    for state in crashes(&host.fs(), &mut rng) {
                        let site = Site::on(SimHost::boot(state), &[log.vkey()]).unwrap_or_else(|failed| {
                            panic!("operation {at}: {error:?} {effect:?}: {failed}")
                        });
                        let size = site.size(ORIGIN).unwrap_or(0);
                        assert!(size >= answered, "operation {at}: {error:?} {lasting:?} {effect:?}: {size}");
                        site.cosigned(&log, size, 64);
                    }
                }
            }
        }
    }
}

/// sunlight, 2026-06: what was in memory stayed after the swap had failed, and was served and built upon.
#[test]
fn after_a_failed_write_the_disk_is_asked_and_not_the_memory() {
    let log = Log::new(ORIGIN, 64);
    let other = log.forked(5);
    let plan = FaultPlan::none();
    let host = SimHost::boot(SimFs::new(&["w"]));
    let disk = Arc::new(FaultDisk::new(host.disk("w"), plan.clone()));
    let site = Site::with_disk(host.clone(), disk, &[log.vkey()]).unwrap();
    site.cosigned(&log, 0, 3);
    let (start, hash) = (plan.count(), tlog::origin_hash(ORIGIN));
    site.cosigned(&log, 3, 8);
    let operations = plan.count() - start;
    for at in 1..=operations {
        for effect in [Effect::Failed, Effect::Stored] {
            let plan = FaultPlan::new(start + at, Error::Eio, Lasting::Once, effect);
            let host = SimHost::boot(SimFs::new(&["w"]));
            let disk = Arc::new(FaultDisk::new(host.disk("w"), plan));
            let site = Site::with_disk(host.clone(), disk, &[log.vkey()]).unwrap();
            site.cosigned(&log, 0, 3);
            assert_eq!(site.add(&log.request(3, 8)).status(), 503, "operation {at} of {operations}");
            // The unknown is not served, and not called healthy.
            assert_eq!(site.witness.latest(&hash), None);
            assert!(site.witness.logs()[0].2.is_none());
            // Whichever it was: either the tree of 3 or that of 8 is what the next one must extend.
            let fork = site.add(&other.request(8, 64));
            let size = match fork.status() {
                409 => 3,
                422 => 8,
                status => panic!("{status}"),
            };
            assert!(site.words().contains(&"recovered"));
            site.cosigned(&log, size, 64);
        }
    }
}
