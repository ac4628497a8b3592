//! Makes the file: one pass over the selection, one over the entries of the ledger for its control records.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use export::anchors::{Anchor, Neighbour, RangeProof};
use export::{About, Finished, Record, WriteError, Writer, is_kept};
use ledger::{Fault, Next, Published, Reads, Stamped, StoredRecord};
use record::control::{Control, KeyChange};
use record::entry::{Entry, Kind};
use record::facet::Facet;
use tlog::{Hash, UnverifiedCheckpoint, VerifierKey};

use super::pipe::Pipe;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::search::Terms;
use crate::server::Server;
use crate::view;

/// How many records are written between two looks at whether to go on.
const LOOK: u64 = 256;

/// A file to be made.
pub(super) struct Job {
    pub server: Arc<Server>,
    pub ledger: usize,
    pub about: About,
    pub at: Arc<Published>,
    /// The ledger's keys, each with the index of the record that named it.
    pub keys: Vec<(u64, VerifierKey)>,
    /// Whether a query may look at `content` and `raw`.
    pub sees_all: bool,
}

/// Why there is no file.
pub(super) struct Failed {
    pub why: String,
    problem: Box<Problem>,
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        Self { why: fault.to_string(), problem: Box::new(Problem::from(fault)) }
    }
}

impl From<Problem> for Failed {
    fn from(problem: Problem) -> Self {
        Self { why: problem.words(), problem: Box::new(problem) }
    }
}

impl From<WriteError> for Failed {
    fn from(error: WriteError) -> Self {
        let why = error.to_string();
        let problem = match error {
            WriteError::Unsound(index, reason) => {
                Problem::damaged().with("index", index).with("reason", reason)
            }
            WriteError::Io(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                Problem::bad_body("an evidence file is below 4 GiB: ask for less at once")
            }
            WriteError::Io(_) => Problem::internal("nobody reads the file any more"),
            WriteError::Request(why) => Problem::bad_body(why),
        };
        Self { why, problem: Box::new(problem) }
    }
}

impl Job {
    /// Writes the file into `pipe`, but for the bytes that it holds back.
    pub(super) fn run(self, mut pipe: Pipe, caller: &Caller) -> Result<(Pipe, Finished), Failed> {
        let reads = self.server.engine.reads();
        match self.write(&reads, &mut pipe, caller) {
            Ok(finished) => Ok((pipe, finished)),
            Err(failed) => {
                pipe.begin(Err(Problem::clone(&failed.problem)));
                Err(failed)
            }
        }
    }

    fn write(&self, reads: &Reads, pipe: &mut Pipe, caller: &Caller) -> Result<Finished, Failed> {
        let selection = &self.about.selection;
        let range = match selection.query {
            None => Some(self.range(reads)?),
            Some(_) => None,
        };
        let terms = selection.query.as_deref().map(Terms::parse).transpose()?;
        let mut writer = Writer::begin(pipe, self.about.clone(), &self.anchors(reads)?, range.as_ref())?;
        let mut taken = Vec::new();
        let mut failed = None;
        reads.scan(self.ledger, selection.from..selection.end, &mut |record| {
            let index = record.index;
            let written = self.record(reads, &mut writer, &record, terms.as_ref(), &mut taken);
            let written = match index % LOOK {
                0 => written.and_then(|()| self.may_go_on(caller)),
                _ => written,
            };
            match written {
                Ok(()) => Next::More,
                Err(error) => {
                    failed = Some(error);
                    Next::Stop
                }
            }
        })?;
        if let Some(failed) = failed {
            return Err(failed);
        }
        for index in self.kept(reads, &taken)? {
            self.may_go_on(caller)?;
            let record = reads.record(self.ledger, index)?;
            let record = record.ok_or_else(|| Problem::internal("a committed record is missing"))?;
            writer.control(&borrowed(&record), &reads.inclusion(self.ledger, index, &self.at)?)?;
        }
        let (_, finished) = writer.finish(|sha256| match reads.sign_evidence(self.ledger, sha256) {
            Ok(Some(note)) => Ok(note),
            Ok(None) => Err("the ledger may not sign at present".to_owned()),
            Err(error) => Err(error.to_string()),
        })?;
        Ok(finished)
    }

    fn record(
        &self,
        reads: &Reads,
        writer: &mut Writer<&mut Pipe>,
        record: &StoredRecord,
        terms: Option<&Terms>,
        taken: &mut Vec<u64>,
    ) -> Result<(), Failed> {
        let Some(terms) = terms else { return Ok(writer.record(&borrowed(record), None)?) };
        let kind = Entry::decode(&record.entry).ok().map(|entry| entry.kind);
        let control = kind.is_some_and(|kind| kind.is_control());
        let matches = match self.sees_all || control {
            true => terms.match_record(kind, record),
            false => {
                let mut shown = record.clone();
                view::strip(&mut shown);
                terms.match_record(kind, &shown)
            }
        };
        if matches.map_err(Problem::from)? {
            let proof = reads.inclusion(self.ledger, record.index, &self.at)?;
            writer.record(&borrowed(record), Some(&proof))?;
            if control {
                taken.push(record.index);
            }
        }
        Ok(())
    }

    /// The control records that stand beside the selection.
    fn kept(&self, reads: &Reads, taken: &[u64]) -> Result<Vec<u64>, Failed> {
        let selection = &self.about.selection;
        let selected = |index: u64| match selection.query {
            None => (selection.from..selection.end).contains(&index),
            Some(_) => taken.binary_search(&index).is_ok(),
        };
        let mut kept = Vec::new();
        reads.entries(self.ledger, 0..self.at.checkpoint.size, &self.at, &mut |index, entry| {
            if Entry::decode(entry).is_ok_and(|entry| is_kept(entry.kind)) && !selected(index) {
                kept.push(index);
            }
            Next::More
        })?;
        Ok(kept)
    }

    fn range(&self, reads: &Reads) -> Result<RangeProof, Failed> {
        let (from, end, size) =
            (self.about.selection.from, self.about.selection.end, self.at.checkpoint.size);
        let cover = |range| -> Result<Vec<Hash>, Fault> { reads.cover(self.ledger, range, &self.at) };
        let neighbour = |index: u64| -> Result<Neighbour, Fault> {
            let mut found = Vec::new();
            reads.entries(self.ledger, index..index + 1, &self.at, &mut |_, entry| {
                found = entry.to_vec();
                Next::Stop
            })?;
            Ok(Neighbour { entry: found, proof: reads.inclusion(self.ledger, index, &self.at)? })
        };
        Ok(RangeProof {
            from,
            end,
            left: cover(0..from)?,
            right: cover(end..size)?,
            before: from.checked_sub(1).map(neighbour).transpose()?,
            after: (end < size).then(|| neighbour(end)).transpose()?,
        })
    }

    /// Earlier checkpoints: those that changes of the key are bound to, one that somebody else has signed too, and some that
    /// were time-stamped.
    fn anchors(&self, reads: &Reads) -> Result<Vec<Anchor>, Failed> {
        let size = self.at.checkpoint.size;
        let mut notes = BTreeMap::new();
        for (index, _) in self.keys.iter().filter(|(index, _)| (1..size).contains(index)) {
            let change = self.change(reads, *index)?;
            let checkpoint = UnverifiedCheckpoint::parse(change.checkpoint.as_bytes());
            let checkpoint = checkpoint.map_err(|_| Problem::damaged().with("index", *index))?;
            notes.insert(checkpoint.claimed().size, change.checkpoint);
        }
        notes.extend(self.stamped(reads)?);
        // In the place of one of the same size: its cosignatures are more.
        let seen = reads.witnessed(self.ledger);
        let seen = seen.filter(|seen| (1..size).contains(&seen.checkpoint.size));
        notes.extend(seen.map(|seen| (seen.checkpoint.size, seen.note.clone())));
        let anchor = |(size, checkpoint)| {
            let consistency = reads.consistency(self.ledger, size, &self.at)?;
            Ok(Anchor { checkpoint, consistency, timestamps: Vec::new() })
        };
        notes.into_iter().map(anchor).collect()
    }

    /// Of the time-stamped checkpoints the newest, the first that covers the whole selection, and the last before it: their
    /// tokens are among the control records.
    fn stamped(&self, reads: &Reads) -> Result<BTreeMap<u64, String>, Failed> {
        let (selection, size) = (&self.about.selection, self.at.checkpoint.size);
        let stamped = reads.stamped(self.ledger)?;
        let notes =
            stamped.iter().filter(|(of, what)| *what == Stamped::Checkpoint && (1..size).contains(of));
        let sizes: Vec<u64> = notes.map(|(of, _)| *of).collect();
        let wanted = [
            sizes.iter().rev().find(|of| **of <= selection.from),
            sizes.iter().find(|of| **of >= selection.end),
            sizes.last(),
        ];
        let mut notes = BTreeMap::new();
        for of in wanted.into_iter().flatten() {
            let note = reads.read_stamped(self.ledger, *of, Stamped::Checkpoint)?;
            let note = note.and_then(|note| String::from_utf8(note).ok()).unwrap_or_default();
            // One that somebody has altered is for the verification of the store to tell of, and spoils nothing here.
            let root = reads.root(self.ledger, *of, &self.at)?;
            let claimed = UnverifiedCheckpoint::parse(note.as_bytes());
            if claimed.is_ok_and(|note| (note.claimed().size, Some(note.claimed().root)) == (*of, root)) {
                notes.insert(*of, note);
            }
        }
        Ok(notes)
    }

    /// What the record of a change of the key says.
    fn change(&self, reads: &Reads, index: u64) -> Result<KeyChange, Failed> {
        let record = reads.record(self.ledger, index)?;
        let record = record.ok_or_else(|| Problem::internal("a committed record is missing"))?;
        match Control::parse(Kind::Key, borrowed(&record).facets[Facet::What as usize]) {
            Ok(Control::Key(change)) => Ok(change),
            _ => Err(Problem::damaged().with("index", index).into()),
        }
    }

    fn may_go_on(&self, caller: &Caller) -> Result<(), Failed> {
        match self.server.is_current(caller) && !self.server.is_stopping() {
            true => Ok(()),
            false => {
                Err(Problem::unavailable("the server stops, or the token is no longer good", 1000).into())
            }
        }
    }
}

fn borrowed(record: &StoredRecord) -> Record<'_> {
    let facets = view::facets(record);
    Record { index: record.index, entry: &record.entry, opening: &record.opening, facets }
}
