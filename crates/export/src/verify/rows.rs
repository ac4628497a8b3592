//! E6, E8 and the proofs of E7: each record by itself, by as many threads as there are.

use record::control::{Control, ControlError};
use record::entry::{Entry, EntryError, Kind};
use record::facet::{FACETS, Facet, TABLE_VERSION};
use record::stored::{self, Opening};
use tlog::{Hash, leaf_hash, verify_inclusion};

use crate::row::{self, Read, Reason};
use crate::verify::members::lines;
use crate::verify::report::{Check, Damage};
use crate::verify::{Failed, Given};
use crate::writer::{PART_LINES, PART_TEXT, is_kept, is_whole};
use crate::zip::{Row, Source};

/// Most places that are told of one member.
const MAX_DAMAGE: usize = 1000;
/// Most reasons told why something could not be decided.
const MAX_UNDECIDED: usize = 100;

/// What records are, and how they are to be proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Records of a range, which the range proves.
    Range,
    /// Records of a query, each with its proof.
    Query,
    /// Control records beside the selection, each with its proof.
    Control,
}

/// What is kept of a record once it was checked.
#[derive(Debug)]
pub(super) struct Head {
    pub index: u64,
    pub line: u64,
    pub leaf: Hash,
    /// `None` for an entry of an unknown version or kind.
    pub entry: Option<Entry>,
    pub reason: Option<Reason>,
    /// Whether the entry is of an unknown version or kind.
    pub is_unknown: bool,
}

/// What was found in one member.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub sha256: Option<[u8; 32]>,
    pub heads: Vec<Head>,
    pub controls: Vec<(u64, Control)>,
    /// Records whose payloads lead to their entries.
    pub good: u64,
    pub damage: Vec<Damage>,
    pub damaged: u64,
    pub undecided: Vec<String>,
    /// Whether there are records here that could not be read.
    pub lost: bool,
    /// Whether the data itself is damaged or not to be had, so that any line may be another than was written.
    pub is_broken: bool,
}

impl Outcome {
    fn find(&mut self, damage: Damage) {
        self.damaged += 1;
        if self.damage.len() < MAX_DAMAGE {
            self.damage.push(damage);
        }
    }

    /// The data of the member is damaged: of what else was found in it the first place is told, since that is where the
    /// damage is, and the rest follows from it.
    fn broke(&mut self, damage: Damage) {
        self.damage.truncate(1);
        self.damage.insert(0, damage);
        self.damaged = self.damage.len() as u64;
        self.undecided.clear();
    }

    fn undecided(&mut self, why: String) {
        if self.undecided.len() < MAX_UNDECIDED {
            self.undecided.push(why);
        }
    }
}

/// Reads and checks the records of a member.
pub(super) fn check<S: Source + ?Sized>(source: &S, row: &Row, class: Class, given: &Given<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    let mut buffers: [Vec<u8>; FACETS] = Default::default();
    let read = lines(source, row, &mut |line, begins, text| {
        if class != Class::Control && (line > PART_LINES || begins > PART_TEXT) {
            let what = "a line that belongs into the next part";
            outcome.find(Damage::new(Check::Container, &row.name, what).line(line));
        }
        if class != Class::Control && line > PART_LINES {
            outcome.lost = true;
            return;
        }
        match row::parse(text, std::mem::take(&mut buffers)) {
            Ok(read) => buffers = record(read, line, &row.name, class, given, &mut outcome),
            Err(bad) => {
                outcome.lost = true;
                let what = format!("byte {} of the line: {} is wanted there", bad.offset, bad.what);
                outcome.find(Damage::new(Check::Record, &row.name, what).line(line));
            }
        }
    });
    outcome.is_broken = read.is_err();
    outcome.lost |= outcome.is_broken;
    match read {
        Ok(sha256) => outcome.sha256 = Some(sha256),
        Err(Failed::Damaged(what)) => outcome.broke(Damage::new(Check::Container, &row.name, what)),
        Err(Failed::Io(error)) => outcome.undecided(format!("{} can't be read: {error}", row.name)),
    }
    if class != Class::Control && row.length == 0 {
        outcome.find(Damage::new(Check::Container, &row.name, "a part without records"));
    }
    outcome
}

/// Checks one record, and gives the buffers back.
fn record(
    read: Read,
    line: u64,
    member: &str,
    class: Class,
    given: &Given<'_>,
    outcome: &mut Outcome,
) -> [Vec<u8>; FACETS] {
    let index = read.index;
    let at = |check: Check, what: String| Damage::new(check, member, what).line(line).index(index);
    let leaf = leaf_hash(&read.entry);
    let place = match class {
        Class::Range => Check::Place,
        Class::Query => Check::Place,
        Class::Control => Check::Control,
    };
    match (&read.proof, class) {
        (Some(_), Class::Range) => {
            outcome.find(at(place, "a proof of its own, where the range is the proof".to_owned()));
        }
        (None, Class::Range) => {}
        (None, _) => outcome.find(at(place, "no inclusion proof".to_owned())),
        (Some(proof), _) => {
            if let Err(error) = verify_inclusion(index, given.size, &leaf, proof, &given.root) {
                outcome.find(at(place, format!("not in the tree at this index: {error}")));
            }
        }
    }
    let mut is_unknown = false;
    let entry = match Entry::decode(&read.entry) {
        Ok(entry) => Some(entry),
        Err(error @ EntryError::Undecidable { .. }) => {
            outcome.undecided(format!("{member} line {line} (index {index}): {error}"));
            is_unknown = true;
            None
        }
        Err(error) => {
            outcome.find(at(Check::Record, error.to_string()));
            None
        }
    };
    if let Some(entry) = &entry {
        let before = outcome.damaged;
        payload(&read, entry, given, outcome, &at, &format!("{member} line {line} (index {index})"));
        if class == Class::Control && !is_kept(entry.kind) {
            outcome.find(at(Check::Control, "a kind of record that does not belong here".to_owned()));
        }
        outcome.good += u64::from(outcome.damaged == before);
    }
    outcome.heads.push(Head { index, line, leaf, entry, reason: read.reason, is_unknown });
    read.facets
}

/// E6: the payload is what the entry commits to, and what is missing may be.
fn payload(
    read: &Read,
    entry: &Entry,
    given: &Given<'_>,
    outcome: &mut Outcome,
    at: &dyn Fn(Check, String) -> Damage,
    place: &str,
) {
    if read.table_version != u64::from(TABLE_VERSION) {
        return outcome.undecided(format!("{place}: facet table {} is not known", read.table_version));
    }
    let facets: [&[u8]; FACETS] = std::array::from_fn(|facet| &read.facets[facet][..]);
    if let Err(error) = stored::check(entry, given.ledger_id, &read.opening, &facets) {
        return outcome.find(at(Check::Record, error.to_string()));
    }
    let whole = is_whole(&read.opening);
    let missing = || Facet::ALL.into_iter().filter(|facet| !read.opening.has(*facet));
    let may_lack = |facet: Facet| given.withheld.contains(&facet);
    let wrong = match read.reason {
        None if !whole => Some("facets are missing without a reason".to_owned()),
        Some(_) if whole => Some("a reason for missing facets, and none is missing".to_owned()),
        _ if !whole && read.opening.has(Facet::Raw) => {
            Some("raw is here, which repeats what is missing".to_owned())
        }
        _ if entry.kind.is_control() && !matches!(read.opening, Opening::Seed(_)) => {
            Some("a control record is not whole".to_owned())
        }
        Some(Reason::Withheld) => missing()
            .find(|facet| !may_lack(*facet))
            .map(|facet| format!("{} is missing and not among what was withheld", facet.name())),
        _ => None,
    };
    if let Some(wrong) = wrong {
        return outcome.find(at(Check::Record, wrong));
    }
    if entry.kind.is_control() {
        match Control::parse(entry.kind, facets[Facet::What as usize]) {
            Ok(control) => outcome.controls.push((read.index, control)),
            Err(ControlError::Unknown) => {
                outcome.undecided(format!("{place}: {}", unknown(entry.kind)));
            }
            Err(error) => outcome.find(at(Check::Control, error.to_string())),
        }
    }
}

fn unknown(kind: Kind) -> &'static str {
    match kind {
        Kind::Key => "a key record of an unknown type: whose key it is can't be told",
        Kind::Erase => "an erase record of an unknown type: what it covers can't be told",
        _ => "a control record of an unknown type",
    }
}
