use std::fmt;

use super::stamps::Stamp;
use crate::predecessor::Predecessor;

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// The ledgers that were checked.
    pub ledgers: Vec<LedgerReport>,
    /// What is not as it was written.
    pub damage: Vec<Damage>,
    /// What could not be decided, and why: it lies outside the store.
    pub undecided: Vec<String>,
    /// What is worth knowing and no damage.
    pub notes: Vec<String>,
    /// Whether payloads were opened; without keys they are not.
    pub payloads_opened: bool,
    /// Bytes read.
    pub bytes: u64,
    /// Notes that witnesses showed against a ledger and that are on record in it as refusals: its name, the record's
    /// index, the note. Nothing of them was checked.
    pub shown: Vec<(String, u64, String)>,
    /// Timestamps that fit their trees; their tokens were not opened.
    pub timestamps: Vec<Stamp>,
}

/// What was checked of one ledger.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerReport {
    /// Its name on the server that wrote it; empty if unknown.
    pub name: String,
    /// Its origin.
    pub origin: String,
    /// Its verification key: the one in force.
    pub vkey: String,
    /// All its keys up to that one, oldest first. Empty where nothing tells of changes.
    pub keys: Vec<LedgerKey>,
    /// The same with the authority's statements, those of records that no checkpoint covers yet included.
    pub history: Option<tlog::KeyHistory>,
    /// Entries in the newest checkpoint.
    pub size: u64,
    /// Root of that checkpoint, in base64.
    pub root: String,
    /// Events and quarantined input below that size; the other entries are the ledger's own.
    pub events: u64,
    /// Payloads whose digests were recomputed.
    pub payloads: u64,
    /// Durable entries above that size.
    pub uncommitted: u64,
    /// What the verification key was held against.
    pub anchor: Anchor,
    /// What it continues, if its genesis names anything.
    pub predecessor: Option<Predecessor>,
    /// Entries below this index are as they were signed; equal to `size` if nothing is damaged, 0 if no signature holds.
    pub good_below: u64,
}

/// A key that a ledger signs or signed with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerKey {
    /// Index of the record that brought it, 0 for the first: larger trees are signed by it, up to the next.
    pub index: u64,
    /// The key.
    pub vkey: String,
}

/// What a verification key was held against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Anchor {
    /// Nothing from outside: the store agrees with itself, and nobody knows whose key it is.
    #[default]
    None,
    /// A verification key that the caller brought.
    Key,
    /// A checkpoint or receipt that the caller kept.
    Kept,
    /// The witnesses of a policy that the caller brought.
    Witnessed,
}

/// The answer in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Everything checked is as it was signed.
    Proven,
    /// Something is not.
    Disproven,
    /// Something outside the store was missing.
    Undecidable,
}

impl Verdict {
    /// The exit code that stands for it.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Proven => 0,
            Self::Disproven => 1,
            Self::Undecidable => 2,
        }
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Disproven => "disproven",
            Self::Undecidable => "undecidable",
        }
    }
}

/// One place that is not as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// What kind of thing is wrong.
    pub kind: DamageKind,
    /// Path below the data directory, or below the key directory after `keys:`.
    pub file: String,
    /// Offset in the file, where one is known.
    pub offset: Option<u64>,
    /// Ledger and the range of entries it touches, where one is known.
    pub entries: Option<(String, u64, u64)>,
    /// `received` of the first of them, unix milliseconds, where it is still known.
    pub first_bad_ms: Option<u64>,
    /// What is wrong, in words.
    pub detail: String,
}

/// Kinds of damage; the names are stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DamageKind {
    /// A file that must exist does not.
    Missing,
    /// A file that nothing vouches for.
    Unexpected,
    /// A file whose frame does not decode: magic, length or hash.
    Format,
    /// Bytes that do not hash to what the tree or another file says.
    Hash,
    /// A signature that does not verify.
    Signature,
    /// A payload that is not the one its entry commits to.
    Payload,
    /// Files that are whole and contradict one another.
    Contradiction,
    /// Entries out of order: time goes back, or a source's sequence has a hole.
    Order,
    /// The settings or keys are not the ones that were in use.
    Settings,
}

impl DamageKind {
    /// The stable name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Unexpected => "unexpected",
            Self::Format => "format",
            Self::Hash => "hash",
            Self::Signature => "signature",
            Self::Payload => "payload",
            Self::Contradiction => "contradiction",
            Self::Order => "order",
            Self::Settings => "settings",
        }
    }
}

impl Damage {
    /// Damage to a file as a whole.
    pub fn new(kind: DamageKind, file: impl Into<String>, detail: impl fmt::Display) -> Self {
        let detail = detail.to_string();
        Self { kind, file: file.into(), offset: None, entries: None, first_bad_ms: None, detail }
    }

    /// Adds the offset.
    pub fn at(self, offset: u64) -> Self {
        Self { offset: Some(offset), ..self }
    }

    /// Adds the entries it touches.
    pub fn of(self, ledger: &str, first: u64, end: u64) -> Self {
        Self { entries: Some((ledger.to_owned(), first, end)), ..self }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind.name(), self.file)?;
        if let Some(offset) = self.offset {
            write!(f, " byte {offset}")?;
        }
        if let Some((ledger, first, end)) = &self.entries {
            write!(f, " ({ledger} entries {first} to {})", end.saturating_sub(1))?;
        }
        write!(f, ": {}", self.detail)
    }
}

impl Report {
    /// The answer in one word.
    pub fn verdict(&self) -> Verdict {
        if !self.damage.is_empty() {
            Verdict::Disproven
        } else if !self.undecided.is_empty() {
            Verdict::Undecidable
        } else {
            Verdict::Proven
        }
    }
}
