//! What a verification found.

use std::fmt;

use evidence::predecessor::Predecessor;
use evidence::verify::Verdict;
use tlog::KeyHistory;

use crate::manifest::Manifest;
use crate::text::tame;
use crate::verify::times::Times;

/// Most places told one by one.
const MAX_DAMAGE: usize = 1000;
/// Most reasons told why something could not be decided.
const MAX_UNDECIDED: usize = 100;

/// The checks of `docs/evidence-file.md` section 6, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// E1: the container.
    Container = 1,
    /// E2: the note over the manifest.
    Note,
    /// E3: the manifest and the hashes in it.
    Manifest,
    /// E4: the checkpoint.
    Checkpoint,
    /// E5: the genesis, and whose key it is.
    Genesis,
    /// E6: a record and its entry.
    Record,
    /// E7: the place of records in the tree.
    Place,
    /// E8: control records.
    Control,
    /// E9: order of time and sequences.
    Order,
    /// E10: counts, sources, gaps.
    Counts,
    /// E11: earlier checkpoints.
    Anchors,
    /// E12: cosignatures and timestamps.
    Witnesses,
    /// E13: the key that was brought from outside.
    Key,
}

impl Check {
    /// A stable word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Note => "note",
            Self::Manifest => "manifest",
            Self::Checkpoint => "checkpoint",
            Self::Genesis => "genesis",
            Self::Record => "record",
            Self::Place => "place",
            Self::Control => "control",
            Self::Order => "order",
            Self::Counts => "counts",
            Self::Anchors => "anchors",
            Self::Witnesses => "witnesses",
            Self::Key => "key",
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "E{} {}", *self as u8, self.name())
    }
}

/// One place that is not as it must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Which check found it.
    pub check: Check,
    /// Name of the member.
    pub member: String,
    /// Line of the member, from 1, where one is known.
    pub line: Option<u64>,
    /// Index of the entry, where one is known.
    pub index: Option<u64>,
    /// What is wrong, in words.
    pub detail: String,
}

impl Damage {
    /// Damage to a member as a whole.
    pub(crate) fn new(check: Check, member: &str, detail: impl fmt::Display) -> Self {
        Self { check, member: member.to_owned(), line: None, index: None, detail: detail.to_string() }
    }

    pub(crate) fn line(self, line: u64) -> Self {
        Self { line: Some(line), ..self }
    }

    pub(crate) fn index(self, index: u64) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, tame(&self.member))?;
        if let Some(line) = self.line {
            write!(f, " line {line}")?;
        }
        if let Some(index) = self.index {
            write!(f, " (index {index})")?;
        }
        write!(f, ": {}", tame(&self.detail))
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What the file says of itself; what of it was checked, `damage` tells.
    pub manifest: Option<Manifest>,
    /// What is not as it must be, the first thousand places.
    pub damage: Vec<Damage>,
    /// All places, those beyond that number too.
    pub damaged: u64,
    /// What could not be decided, and why.
    pub undecided: Vec<String>,
    /// What was not checked because something else could not be read, and because of what.
    pub unchecked: Vec<String>,
    /// Whether the key, or one that the ledger had before it, is the one that was brought from outside.
    pub pinned: bool,
    /// The keys that the ledger has had; none where they can't be told.
    pub history: Option<KeyHistory>,
    /// Records whose payloads were hashed again and led to their entries.
    pub records: u64,
    /// Signatures under the checkpoint beside the ledger's own.
    pub cosignatures: usize,
    /// Entries in the largest checkpoint of the file that a quorum of the policy has cosigned.
    pub witnessed: Option<u64>,
    /// Who of the policy has cosigned that one.
    pub witnesses: Vec<String>,
    /// Earlier checkpoints that are consistent.
    pub anchors: usize,
    /// Timestamps in the file.
    pub timestamps: usize,
    /// What the ledger continues, if its genesis names anything.
    pub predecessor: Option<Predecessor>,
    /// What came of them; only if somebody knows certificates of authorities.
    pub times: Option<Times>,
    /// Bytes of the file.
    pub bytes: u64,
}

impl Report {
    /// The answer in one word.
    pub fn verdict(&self) -> Verdict {
        if self.damaged > 0 {
            Verdict::Disproven
        } else if !self.undecided.is_empty() {
            Verdict::Undecidable
        } else {
            Verdict::Proven
        }
    }

    pub(crate) fn find(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }

    pub(crate) fn undecided(&mut self, why: String) {
        if self.undecided.len() < MAX_UNDECIDED && !self.undecided.contains(&why) {
            self.undecided.push(why);
        }
    }

    /// What rests on all of a member, which could not be read.
    pub(crate) fn unchecked(&mut self, member: &str, what: &str) {
        self.unchecked.push(format!("{what}, because of {member}"));
    }

    pub(crate) fn merge(&mut self, damaged: u64, damage: Vec<Damage>, undecided: Vec<String>) {
        let beyond = damaged - damage.len() as u64;
        damage.into_iter().for_each(|damage| self.find(damage));
        self.damaged += beyond;
        undecided.into_iter().for_each(|why| self.undecided(why));
    }
}
