//! The crash campaign: a workload is run once and recorded; then the power is cut, or the process killed, after every
//! single operation of it, and again while the store recovers from that.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ledger::Fault;
use storage::Disk;
use tlog::checkpoint::UnverifiedCheckpoint;

use crate::check::{Checker, Violation, broken};
use crate::disk::SimHost;
use crate::driver::{Driver, Journal, LEDGERS, Time};
use crate::expected::{Expected, Happened};
use crate::fs::{Fate, Fill, Op, SimFs};
use crate::rng::Rng;

/// Root of the data disk on every simulated host.
pub const DATA: &str = "data";
/// Root of the key disk.
pub const KEYS: &str = "keys";

/// When a simulated run starts: 2026-01-01.
pub const START: Time = Time { at: 0, latest_ms: 1_767_225_600_000, up_ms: 1_767_225_600_000 };

/// A workload that ran, and all that is needed to be at any point of it again.
pub struct Recording {
    start: SimFs,
    history: Vec<Op>,
    journal: Journal,
    times: Vec<Time>,
    expected: Expected,
}

impl Recording {
    /// Records what `driver` did on `host`, which was booted from `start` when `expected` was true of it.
    pub fn of(start: SimFs, expected: Expected, host: &SimHost, driver: &Driver) -> Self {
        let (journal, times) = (driver.journal.clone(), driver.times.clone());
        Self { start, history: host.history(), journal, times, expected }
    }

    /// How many operations it has: one less than there are boundaries to crash at.
    pub fn ops(&self) -> usize {
        self.history.len()
    }

    /// Goes through it from the start.
    pub fn replay(&self) -> Replay<'_> {
        let mut replay = Replay {
            recording: self,
            at: 0,
            told: 0,
            fs: self.start.clone(),
            expected: self.expected.clone(),
        };
        replay.catch_up();
        replay
    }
}

/// A point in a recording: the file system, and what must be true.
pub struct Replay<'r> {
    recording: &'r Recording,
    /// How many operations were done.
    pub at: usize,
    told: usize,
    /// The file system then.
    pub fs: SimFs,
    /// What must be true then.
    pub expected: Expected,
}

impl Replay<'_> {
    /// Does the next operation; false at the end.
    pub fn advance(&mut self) -> bool {
        let Some(op) = self.recording.history.get(self.at) else { return false };
        if let Some((ledger, signed)) = signed(op, &self.fs) {
            self.expected.note(ledger, &signed);
        }
        self.fs.apply(op);
        self.at += 1;
        self.catch_up();
        true
    }

    /// The last operation that was done.
    pub fn last_op(&self) -> Option<&Op> {
        self.at.checked_sub(1).and_then(|last| self.recording.history.get(last))
    }

    /// What the clock had shown.
    pub fn time(&self) -> Time {
        let before = self.recording.times.iter().take_while(|time| time.at <= self.at);
        before.last().copied().unwrap_or_default()
    }

    fn catch_up(&mut self) {
        while let Some((at, ledger, happened)) = self.recording.journal.get(self.told) {
            if *at > self.at {
                break;
            }
            self.expected.note(ledger, happened);
            self.told += 1;
        }
    }
}

/// A checkpoint that this operation writes: from now on it may have left the host.
fn signed(op: &Op, fs: &SimFs) -> Option<(&'static str, Happened)> {
    let Op::Append(file, bytes) = op else { return None };
    let path = fs.created_path(*file);
    let ledger = LEDGERS.into_iter().find(|ledger| {
        path.strip_suffix(".tmp") == Some(&format!("{DATA}/{}", evidence::layout::checkpoint(ledger)))
    })?;
    let note = UnverifiedCheckpoint::parse(bytes).ok()?;
    Some((ledger, Happened::Signed(note.claimed().size, note.claimed().root)))
}

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
    if pending <= 8 && 1 << pending <= most {
        let fate = |kept: bool| if kept { Fate::Kept } else { Fate::Lost };
        let subset = |mask: u32| (0..pending).map(|bit| fate(mask >> bit & 1 == 1)).collect();
        crashes.extend((1..1u32 << pending).map(|mask| Crash::Power(subset(mask))));
    }
    while crashes.len() < most {
        crashes.push(Crash::Power(random_fates(pending, rng)));
    }
    crashes
}

fn random_fates(pending: usize, rng: &mut Rng) -> Vec<Fate> {
    let style = rng.below(5);
    let prefix = if style < 2 { rng.between(1, pending as u64) as usize } else { pending };
    let kept_of_eight = [8, 8, 4, 7, 1][style as usize];
    let torn_one_in = [u64::MAX, 3, 3, 4, 2][style as usize];
    let mut fates = vec![Fate::Lost; pending];
    for (index, fate) in fates.iter_mut().enumerate().take(prefix) {
        if rng.below(8) >= kept_of_eight {
            continue;
        }
        // What was written last is the likeliest to be torn.
        let last = index + 1 == prefix && style > 0 && rng.one_in(2);
        *fate = if last || rng.one_in(torn_one_in) { torn(rng) } else { Fate::Kept };
    }
    fates
}

fn torn(rng: &mut Rng) -> Fate {
    let sector = if rng.one_in(2) { 512 } else { 4096 };
    let fill = [Fill::Old, Fill::Zeros, Fill::Noise, Fill::Stale][rng.below(4) as usize];
    Fate::Torn { sector, fill, seed: rng.next() }
}

/// What a campaign found.
#[derive(Debug, Default)]
pub struct Report {
    /// Crash states that were recovered from and checked.
    pub states: u64,
    /// Points at which the workload was crashed.
    pub points: u64,
    /// What went wrong, with how often and the first place.
    pub failures: BTreeMap<String, (u64, String)>,
}

impl Report {
    /// Counts a failure; those that differ in numbers only are one.
    fn failed(&mut self, what: String, place: String) {
        let alike = what.replace(|c: char| c.is_ascii_hexdigit() && !c.is_ascii_lowercase(), "");
        self.failures.entry(alike).or_insert((0, format!("{what}, {place}"))).0 += 1;
    }

    /// Panics with all that went wrong, if anything did.
    pub fn assert_clean(&self, how: &str) {
        let mut text = String::new();
        for (what, (count, place)) in &self.failures {
            text += &format!("\n  {count} x {what}\n      first: {place}");
        }
        assert!(self.failures.is_empty(), "{} states at {} points, {how}:{text}", self.states, self.points);
    }
}

/// Crashes a recording at every point in at least `per_point` ways, each once more during or after recovery.
pub fn crash_everywhere(recording: &Recording, per_point: usize, seed: u64) -> Report {
    let (mut report, mut checker, mut rng) = (Report::default(), Checker::new(), Rng::new(seed));
    let mut replay = recording.replay();
    loop {
        report.points += 1;
        for (number, crash) in crashes(replay.fs.pending(), per_point, &mut rng).into_iter().enumerate() {
            let place = format!("at {} after {}, crash {number}: {crash}", replay.at, show(replay.last_op()));
            let mut trial = Trial { rng: rng.fork(number as u64), checker: &mut checker, states: 0, place };
            let fs = crash.of(&replay.fs);
            let run = || trial.recover(fs, replay.expected.clone(), replay.time(), 1);
            let outcome = catch_unwind(AssertUnwindSafe(run));
            let (states, place) = (trial.states, trial.place.clone());
            report.states += states;
            match outcome {
                Ok(Ok(())) => {}
                Ok(Err(Violation(what))) => report.failed(what, place),
                Err(panic) => report.failed(format!("panic: {}", panic_text(&panic)), place),
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
    states: u64,
    place: String,
}

impl Trial<'_> {
    /// Opens the store, checks it, goes on recording, checks again; then crashes somewhere in between and, `again`
    /// times, does the same with what is left.
    fn recover(&mut self, fs: SimFs, expected: Expected, time: Time, again: u32) -> Result<(), Violation> {
        self.states += 1;
        let host = SimHost::boot(fs.clone());
        let disks: (Arc<dyn Disk>, Arc<dyn Disk>) = (Arc::new(host.disk(DATA)), Arc::new(host.disk(KEYS)));
        let mut driver = Driver::new(&host, disks.clone(), self.rng.next(), time, expected.clone());
        driver.open().or_else(|fault| fault_is(fault, "the store does not open"))?;
        self.checker.check(disks.0.as_ref(), disks.1.as_ref(), &driver.expected)?;
        driver.check_reads()?;
        let sealing = self.rng.one_in(4);
        driver.carry_on(sealing).or_else(|fault| fault_is(fault, "the store does not go on"))?;
        self.checker.check(disks.0.as_ref(), disks.1.as_ref(), &driver.expected)?;
        driver.kill();
        if again == 0 {
            return Ok(());
        }
        let recording = Recording::of(fs, expected, &host, &driver);
        let mut replay = recording.replay();
        let point = self.rng.between(0, recording.ops() as u64);
        while (replay.at as u64) < point && replay.advance() {}
        let crash = match self.rng.below(6) {
            0 => Crash::Kill,
            1 => Crash::Power(vec![Fate::Lost; replay.fs.pending()]),
            _ if replay.fs.pending() == 0 => Crash::Power(Vec::new()),
            _ => Crash::Power(random_fates(replay.fs.pending(), &mut self.rng)),
        };
        self.place += &format!("; again at {} after {}: {crash}", replay.at, show(replay.last_op()));
        self.recover(crash.of(&replay.fs), replay.expected.clone(), replay.time(), again - 1)
    }
}

fn fault_is(fault: Fault, what: &str) -> Result<(), Violation> {
    broken(what, fault)
}

fn show(op: Option<&Op>) -> String {
    match op {
        None => "nothing".to_owned(),
        Some(Op::Append(file, bytes)) => format!("append of {} bytes to file {file}", bytes.len()),
        Some(Op::Write(path, bytes)) => format!("write of {} bytes to {path}", bytes.len()),
        Some(op) => format!("{op:?}"),
    }
}

fn panic_text(panic: &Box<dyn std::any::Any + Send>) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("of another type").to_owned()
}
