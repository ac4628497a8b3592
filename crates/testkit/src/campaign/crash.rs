use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::recording::Recording;
use super::report::{Report, panic_text};
use crate::check::{Checker, Violation, broken};
use crate::disk::{DATA, SimHost};
use crate::driver::{Driver, Time};
use crate::expected::Expected;
use crate::fs::{Fate, Fill, Op, SimFs};
use crate::rng::Rng;

/// How the run of a host ends.
#[derive(Clone, Debug)]
pub enum Crash {
    /// The process is killed: every write is there, and what was not durable still is not.
    Kill,
    /// The power is cut.
    Power(Vec<Fate>),
}

impl Crash {
    /// The file system that is left.
    pub fn of(&self, fs: &SimFs) -> SimFs {
        match self {
            Self::Kill => fs.clone(),
            Self::Power(fates) => fs.crash(fates),
        }
    }
}

impl fmt::Display for Crash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill => write!(f, "killed"),
            Self::Power(fates) => {
                let kept = fates.iter().filter(|fate| **fate == Fate::Kept).count();
                let lost = fates.iter().filter(|fate| **fate == Fate::Lost).count();
                let torn = fates.len() - kept - lost;
                write!(f, "power cut, of {} unsynced changes {kept} kept, {torn} torn", fates.len())
            }
        }
    }
}

/// The crashes to try at one point: a kill; the power cut that loses all that it may; then, if `most` allows, every subset
/// of what is not durable, else random ones of it, whole and torn.
pub fn crashes(pending: usize, most: usize, rng: &mut Rng) -> Vec<Crash> {
    let mut crashes = vec![Crash::Kill, Crash::Power(vec![Fate::Lost; pending])];
    if pending == 0 {
        return crashes;
    }
    let mut random = most.saturating_sub(crashes.len());
    if pending <= 8 && 1 << pending <= most {
        let fate = |kept: bool| if kept { Fate::Kept } else { Fate::Lost };
        let subset = |mask: u32| (0..pending).map(|bit| fate(mask >> bit & 1 == 1)).collect();
        crashes.extend((1..1u32 << pending).map(|mask| Crash::Power(subset(mask))));
        // All that is left to try is torn writes.
        random = random.min(4 * pending);
    }
    crashes.extend((0..random).map(|_| Crash::Power(random_fates(pending, rng))));
    crashes
}

/// Fates of some kind: in order, out of order, torn.
pub(super) fn random_fates(pending: usize, rng: &mut Rng) -> Vec<Fate> {
    if pending == 0 {
        return Vec::new();
    }
    let mut fates = vec![Fate::Lost; pending];
    let last = rng.below(pending as u64) as usize;
    match rng.below(6) {
        // In the order of writing.
        0 => fates[..=last].fill(Fate::Kept),
        1 => {
            fates[..last].fill(Fate::Kept);
            fates[last] = torn(rng);
        }
        2 => return newest_torn(pending, rng),
        style => {
            let kept_of_eight = [4, 7, 1][style as usize - 3];
            for fate in &mut fates {
                if rng.below(8) < kept_of_eight {
                    *fate = if rng.one_in(3) { torn(rng) } else { Fate::Kept };
                }
            }
        }
    }
    fates
}

/// Fates with which nothing is left of what is not durable but some of the newest write.
fn newest_torn(pending: usize, rng: &mut Rng) -> Vec<Fate> {
    let mut fates = vec![Fate::Lost; pending];
    if let Some(newest) = fates.last_mut() {
        *newest = torn(rng);
    }
    fates
}

/// Whether the operation was an append to a write-ahead file that has its name.
fn appended_to_log(op: Option<&Op>, fs: &SimFs) -> bool {
    let Some(Op::Append(file, _)) = op else { return false };
    let wal = format!("{DATA}/{}/", evidence::layout::WAL);
    fs.created_path(*file)
        .strip_suffix(".tmp")
        .is_some_and(|path| path.starts_with(&wal) && fs.file(path).is_ok_and(|named| named == *file))
}

fn torn(rng: &mut Rng) -> Fate {
    let sector = if rng.one_in(2) { 512 } else { 4096 };
    let fill = [Fill::Old, Fill::Zeros, Fill::Noise, Fill::Stale][rng.below(4) as usize];
    Fate::Torn { sector, fill, seed: rng.next() }
}

/// How hard a recording is tried.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Crashes at each point, at least. At 256 every subset of up to eight unsynced changes is among them.
    pub per_point: usize,
    /// How often each is crashed again, during recovery or after it.
    pub again: u32,
    /// What random choices follow from.
    pub seed: u64,
}

/// Crashes a recording at every point, counted in operations, that `chosen` names.
pub fn crash_at(recording: &Recording, mut chosen: impl FnMut(usize) -> bool, effort: Effort) -> Report {
    let (mut report, mut checker, mut rng) = (Report::default(), Checker::new(), Rng::new(effort.seed));
    let mut replay = recording.replay();
    loop {
        if !chosen(replay.at) {
            if !replay.advance() {
                return report;
            }
            continue;
        }
        report.points += 1;
        let per_point = effort.per_point;
        let mut tried = crashes(replay.fs.pending(), per_point, &mut rng);
        if appended_to_log(replay.last_op(), &replay.fs) {
            // The one place where half of something may be left: try it more often.
            tried
                .extend((0..3 * per_point).map(|_| Crash::Power(newest_torn(replay.fs.pending(), &mut rng))));
        }
        for (number, crash) in tried.into_iter().enumerate() {
            let place = format!("at {} after {}, crash {number}: {crash}", replay.at, show(replay.last_op()));
            let (checker, rng) = (&mut checker, rng.fork(number as u64));
            let mut trial = Trial { rng, checker, report: &mut report, place };
            let fs = crash.of(&replay.fs);
            let run = || trial.recover(fs, replay.expected.clone(), replay.time(), effort.again);
            let outcome = catch_unwind(AssertUnwindSafe(run));
            let place = trial.place.clone();
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(Violation(what))) => report.failed(what, place),
                Err(panic) => report.failed(format!("panic: {}", panic_text(panic.as_ref())), place),
            }
        }
        if !replay.advance() {
            return report;
        }
    }
}

/// One crash state and those that follow from it.
struct Trial<'c> {
    rng: Rng,
    checker: &'c mut Checker,
    report: &'c mut Report,
    place: String,
}

impl Trial<'_> {
    /// Opens the store, checks it, goes on recording, checks again; then crashes somewhere in between and, `again`
    /// times, does the same with what is left.
    fn recover(&mut self, fs: SimFs, expected: Expected, time: Time, again: u32) -> Result<(), Violation> {
        let host = SimHost::boot(fs.clone());
        let disks = host.disks();
        let mut driver = Driver::new(&host, disks.clone(), self.rng.next(), time, expected.clone());
        driver.open().or_else(|fault| broken("the store does not open", fault))?;
        let summary = self.checker.check(disks.0.as_ref(), disks.1.as_ref(), &driver.expected)?;
        driver.check_reads()?;
        let sealing = self.rng.one_in(4);
        driver.carry_on(sealing).or_else(|fault| broken("the store does not go on", fault))?;
        self.checker.check(disks.0.as_ref(), disks.1.as_ref(), &driver.expected)?;
        self.report.good(&summary);
        driver.kill();
        if again == 0 {
            return Ok(());
        }
        let recording = Recording::of(fs, expected, &host, &driver);
        let mut replay = recording.replay();
        let point = self.rng.between(0, recording.ops() as u64);
        while (replay.at as u64) < point && replay.advance() {}
        let pending = replay.fs.pending();
        let crash = match self.rng.below(6) {
            0 => Crash::Kill,
            1 => Crash::Power(vec![Fate::Lost; pending]),
            _ => Crash::Power(random_fates(pending, &mut self.rng)),
        };
        self.place += &format!("; again at {} after {}: {crash}", replay.at, show(replay.last_op()));
        self.recover(crash.of(&replay.fs), replay.expected.clone(), replay.time(), again - 1)
    }
}

/// An operation without its bytes.
fn show(op: Option<&Op>) -> String {
    match op {
        None => "nothing".to_owned(),
        Some(Op::Append(file, bytes)) => format!("append of {} bytes to file {file}", bytes.len()),
        Some(Op::Write(path, bytes)) => format!("write of {} bytes to {path}", bytes.len()),
        Some(op) => format!("{op:?}"),
    }
}
