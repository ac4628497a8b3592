use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ledger::Fault;
use storage::Disk;

use super::crash::random_fates;
use super::recording::Recording;
use super::report::{Report, panic_text};
use crate::check::{Checker, Violation, broken};
use crate::disk::{DATA, KEYS, SimHost};
use crate::driver::{Driver, Time};
use crate::expected::Expected;
use crate::fault::{Effect, Error, FaultDisk, FaultPlan, Lasting};
use crate::fs::{Fate, SimFs};
use crate::rng::Rng;

/// A store at rest from which every run starts.
pub struct Base {
    /// The file system.
    pub fs: SimFs,
    /// What must be true of it.
    pub expected: Expected,
    /// What the clock has shown.
    pub time: Time,
}

/// Lets operation N of a workload on `base` fail, for every N from 1 until none is left, in all the given ways. After
/// each failure the store must open again, on the same host or after a power cut, and nothing acknowledged may be
/// missing.
pub fn fail_everywhere(
    base: &Base,
    work: fn(&mut Driver) -> Result<(), Fault>,
    ways: &[(Error, Lasting, Effect)],
    seed: u64,
) -> Report {
    let (mut report, mut checker, mut rng) = (Report::default(), Checker::new(), Rng::new(seed));
    for at in 1.. {
        let mut fired = false;
        for &(error, lasting, effect) in ways {
            let plan = FaultPlan::new(at, error, lasting, effect);
            let rng = Rng::new(rng.next());
            let mut trial =
                Trial { base, plan: plan.clone(), rng, checker: &mut checker, report: &mut report };
            let outcome = catch_unwind(AssertUnwindSafe(|| trial.run(work, seed)));
            let place = format!("operation {at}: {error:?}, {lasting:?}, {effect:?}");
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(Violation(what))) => report.failed(what, place),
                Err(panic) => report.failed(format!("panic: {}", panic_text(panic.as_ref())), place),
            }
            fired |= plan.fired();
        }
        if !fired {
            return report;
        }
        report.points += 1;
    }
    report
}

struct Trial<'c> {
    base: &'c Base,
    plan: Arc<FaultPlan>,
    rng: Rng,
    checker: &'c mut Checker,
    report: &'c mut Report,
}

impl Trial<'_> {
    fn run(&mut self, work: fn(&mut Driver) -> Result<(), Fault>, seed: u64) -> Result<(), Violation> {
        let host = SimHost::boot(self.base.fs.clone());
        let disk = |root| Arc::new(FaultDisk::new(host.disk(root), self.plan.clone())) as Arc<dyn Disk>;
        let disks = (disk(DATA), disk(KEYS));
        let (expected, time) = (self.base.expected.clone(), self.base.time);
        let mut driver = Driver::new(&host, disks, seed, time, expected.clone());
        if let Err(fault) = work(&mut driver) {
            of_storage(fault)?;
            driver.kill();
            // While the fault lasts nothing may go wrong either.
            if self.plan.lasting == Lasting::ForEver {
                match driver.open() {
                    Err(fault) => of_storage(fault)?,
                    Ok(()) => return broken("the store", "it opened on a disk that fails"),
                }
            }
        }
        driver.kill();
        self.plan.repair();
        let recording = Recording::of(self.base.fs.clone(), expected, &host, &driver);
        let mut replay = recording.replay();
        while replay.advance() {}
        // The same host; the power cut that loses all it may; any other.
        let pending = replay.fs.pending();
        let fates = match self.rng.below(3) {
            0 => return self.reopen(replay.fs.clone(), replay.expected.clone(), replay.time()),
            1 => vec![Fate::Lost; pending],
            _ => random_fates(pending, &mut self.rng),
        };
        self.reopen(replay.fs.crash(&fates), replay.expected.clone(), replay.time())
    }

    /// Opens the store on disks that work, checks it and goes on.
    fn reopen(&mut self, fs: SimFs, expected: Expected, time: Time) -> Result<(), Violation> {
        let host = SimHost::boot(fs);
        let disks = host.disks();
        let mut driver = Driver::new(&host, disks.clone(), self.rng.next(), time, expected);
        driver.open().or_else(|fault| broken("the store does not open", fault))?;
        // Until now reads may have shown what a failed sync left in the page cache.
        host.evict();
        driver.check_reads()?;
        driver.carry_on(self.rng.one_in(4)).or_else(|fault| broken("the store does not go on", fault))?;
        let summary = self.checker.check(disks.0.as_ref(), disks.1.as_ref(), &driver.expected)?;
        self.report.good(&summary);
        Ok(())
    }
}

/// A disk that fails is no reason to call the store damaged: that would need a person.
fn of_storage(fault: Fault) -> Result<(), Violation> {
    match fault {
        Fault::Storage { .. } => Ok(()),
        other => broken("a failing disk is taken for something else", other),
    }
}
