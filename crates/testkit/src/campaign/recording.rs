use tlog::checkpoint::UnverifiedCheckpoint;

use crate::disk::{DATA, SimHost};
use crate::driver::{Driver, Journal, LEDGERS, Time};
use crate::expected::{Expected, Happened};
use crate::fs::{Op, SimFs};

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
