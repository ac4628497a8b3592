//! Timestamps in an evidence file (E12), where the verifier was given certificates of authorities. Whose tokens they are is
//! judged by whoever brings [`Tokens`]; here it is found out whether what they are over is of the ledger's tree.

use std::collections::BTreeMap;

use record::control::{Control, Timestamp};
use tlog::{Checkpoint, Hash, Origin, UnverifiedCheckpoint};

use crate::anchors::Anchor;
use crate::manifest::Manifest;
use crate::verify::members::{ANCHORS, lines};
use crate::verify::rows::Outcome;
use crate::verify::{Check, Damage, Report, Run};
use crate::zip::Source;

/// Knows certificates of time-stamp authorities.
pub trait Tokens: Sync {
    /// Checks a token (RFC 3161, DER) over the signed text of a checkpoint.
    ///
    /// # Errors
    /// It is not good, or nobody knows.
    fn judge(&self, body: &str, token: &[u8]) -> Result<Told, Bad>;
}

/// What a good token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// When it was made, Unix milliseconds.
    pub gen_time_ms: u64,
    /// How far off that may be, milliseconds.
    pub accuracy_ms: Option<u64>,
}

/// Why a token says nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bad {
    /// It is not what it should be.
    False(String),
    /// What is needed to tell is not at hand.
    Unknown(String),
}

/// A good token over a checkpoint of the ledger's tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// Entries of the checkpoint.
    pub size: u64,
    /// When the token was made, Unix milliseconds.
    pub gen_time_ms: u64,
}

/// What came of the timestamps of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// Good tokens.
    pub good: u64,
    /// Tokens that lead to none of the given authorities.
    pub unknown: u64,
    /// Good tokens over checkpoints that this file does not show to be of the ledger's tree.
    pub loose: u64,
    /// Of those that it does show, the earliest that covers the whole selection: nothing of it is younger.
    pub covers: Option<Stamped>,
    /// The newest of them.
    pub newest: Option<Stamped>,
}

/// Takes in tokens while the file is read, and says at the end what they prove.
#[derive(Default)]
pub(super) struct Gathered {
    times: Times,
    good: Vec<(Stamped, Hash)>,
    /// Index, size and root of records of timestamps.
    claims: Vec<(u64, u64, Hash)>,
    /// Checkpoints that are shown to be of the tree.
    shown: BTreeMap<u64, Hash>,
}

impl<S: Source + ?Sized> Run<'_, S> {
    /// Takes in the timestamps on record in a member.
    pub(super) fn hear_times(&mut self, outcome: &Outcome, manifest: &Manifest) {
        let Some(tokens) = self.options.tokens else { return };
        for (index, control) in &outcome.controls {
            if let Control::Timestamp(record) = control {
                let wrong = self.gathered.record(tokens, &manifest.origin, *index, record);
                wrong.into_iter().for_each(|damage| self.report.find(damage));
            }
        }
    }

    /// Takes in those beside earlier checkpoints, whose consistency E11 checks, and says what all of them prove.
    pub(super) fn times(&mut self, manifest: &Manifest, checkpoint: Option<&Checkpoint>) {
        let Some(tokens) = self.options.tokens else { return };
        let mut gathered = std::mem::take(&mut self.gathered);
        if let Some(checkpoint) = checkpoint {
            gathered.shown(checkpoint);
        }
        let (row, mut found) = (self.members.rows[ANCHORS].clone(), Vec::new());
        // What can't be read is told by E1 and E11.
        let _ = lines(self.source, &row, &mut |line, _, text| {
            let Ok(anchor) = Anchor::parse(&[text, b"\n"].concat()) else { return };
            let Ok(note) = UnverifiedCheckpoint::parse(anchor.checkpoint.as_bytes()) else { return };
            gathered.shown(note.claimed());
            for token in &anchor.timestamps {
                if let Err(what) = gathered.take(tokens, note.claimed(), token) {
                    found.push(Damage::new(Check::Witnesses, &row.name, what).line(line));
                }
            }
        });
        found.into_iter().for_each(|damage| self.report.find(damage));
        gathered.finish(manifest.selection.end, &mut self.report);
    }
}

impl Gathered {
    /// A checkpoint of the ledger's tree.
    pub fn shown(&mut self, checkpoint: &Checkpoint) {
        self.shown.insert(checkpoint.size, checkpoint.root);
    }

    /// A record of a timestamp.
    pub fn record(
        &mut self,
        tokens: &dyn Tokens,
        origin: &str,
        index: u64,
        record: &Timestamp,
    ) -> Option<Damage> {
        let wrong =
            |what: String| Some(Damage::new(Check::Witnesses, "record of a timestamp", what).index(index));
        let root = Hash::from_bytes(record.root);
        let Ok(origin) = Origin::new(origin) else { return wrong("no origin".to_owned()) };
        if record.size > index {
            return wrong("a timestamp is of a larger tree than there was before it".to_owned());
        }
        self.claims.push((index, record.size, root));
        let checkpoint = Checkpoint { origin, size: record.size, root };
        match self.take(tokens, &checkpoint, &record.token) {
            Ok(Some(told))
                if (told.gen_time_ms, told.accuracy_ms) != (record.gen_time_ms, record.accuracy_ms) =>
            {
                wrong("the record says another time than its timestamp token".to_owned())
            }
            Ok(_) => None,
            Err(what) => wrong(what),
        }
    }

    /// A token over a checkpoint; `None` if nobody knows.
    pub fn take(
        &mut self,
        tokens: &dyn Tokens,
        checkpoint: &Checkpoint,
        token: &[u8],
    ) -> Result<Option<Told>, String> {
        match tokens.judge(&checkpoint.to_text(), token) {
            Ok(told) => {
                self.times.good += 1;
                self.good.push((
                    Stamped { size: checkpoint.size, gen_time_ms: told.gen_time_ms },
                    checkpoint.root,
                ));
                Ok(Some(told))
            }
            Err(Bad::Unknown(_)) => {
                self.times.unknown += 1;
                Ok(None)
            }
            Err(Bad::False(what)) => Err(what),
        }
    }

    /// What they prove of a selection that ends before `end`.
    pub fn finish(mut self, end: u64, report: &mut Report) {
        for (index, size, root) in &self.claims {
            if self.shown.get(size).is_some_and(|shown| shown != root) {
                let what = "a timestamp is of another tree than the ledger's";
                report.find(Damage::new(Check::Witnesses, "record of a timestamp", what).index(*index));
            }
        }
        for (stamped, root) in self.good {
            if self.shown.get(&stamped.size) != Some(&root) {
                self.times.loose += 1;
                continue;
            }
            let newest = &mut self.times.newest;
            if newest.is_none_or(|known| stamped.size > known.size) {
                *newest = Some(stamped);
            }
            let covers = &mut self.times.covers;
            if stamped.size >= end && covers.is_none_or(|known| stamped.gen_time_ms < known.gen_time_ms) {
                *covers = Some(stamped);
            }
        }
        report.times = Some(self.times);
    }
}
