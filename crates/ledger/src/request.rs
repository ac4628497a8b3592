use std::fmt;

use evidence::register::SourceState;
use record::commit::{self, Seed};
use record::control::Numbering;
use record::entry::{ENTRY_LEN, Kind};
use record::facet::{FACETS, Facet, FacetDraft, WhenDraft};

use crate::view::WalRef;

/// A record ready to be numbered: everything about it that does not depend on its place in the ledger has been
/// hashed, by whoever submits it, so that the writer has little left to do.
pub struct Prepared {
    pub(crate) kind: Kind,
    pub(crate) when: WhenDraft,
    pub(crate) seed: Seed,
    /// Facets 1 to 5, one after the other.
    bytes: Vec<u8>,
    ends: [usize; FACETS - 1],
    pub(crate) digests: [[u8; 32]; FACETS - 1],
}

impl Prepared {
    /// Prepares a record with its raw bytes (empty for one that was not received) and a fresh random seed.
    pub fn new(kind: Kind, draft: FacetDraft, raw: &[u8], seed: Seed) -> Self {
        let parts: [&[u8]; FACETS - 1] = [&draft.who, &draft.what, &draft.content, &draft.where_, raw];
        let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
        let (mut ends, mut digests) = ([0; FACETS - 1], [[0; 32]; FACETS - 1]);
        for (at, (part, facet)) in parts.iter().zip(&Facet::ALL[1..]).enumerate() {
            bytes.extend_from_slice(part);
            ends[at] = bytes.len();
            digests[at] = commit::facet_digest(*facet, &commit::salt(*facet, &seed), part);
        }
        Self { kind, when: draft.when, seed, bytes, ends, digests }
    }

    /// Bytes it occupies while it waits.
    pub fn weight(&self) -> usize {
        self.bytes.len() + self.when.head.len() + self.when.tail.len() + 512
    }

    /// Facet `at + 1`.
    pub(crate) fn facet(&self, at: usize) -> &[u8] {
        let start = if at == 0 { 0 } else { self.ends[at - 1] };
        &self.bytes[start..self.ends[at]]
    }
}

/// Records of one source that are appended together, in order, and answered together.
pub struct Batch {
    /// The source's number.
    pub source: u32,
    /// Epoch and sequence of the first record, for a source that numbers its events itself.
    pub numbered: Option<(u32, u64)>,
    /// The records, at least one.
    pub records: Vec<Prepared>,
}

/// What is known of a record once it is durable: with its raw bytes, enough for the sender to recompute the
/// entry (DESIGN section 3, "receipt").
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Index in the ledger.
    pub index: u64,
    /// The entry.
    pub entry: [u8; ENTRY_LEN],
    /// Salt of the raw facet.
    pub salt_raw: [u8; 16],
    /// Digests of the facets before it.
    pub digests: [[u8; 32]; FACETS - 1],
}

/// The answer to a batch.
#[derive(Debug)]
pub enum Outcome {
    /// All of it is durable.
    Durable(Vec<Recorded>),
    /// The first `count` records are at or below what the source has already recorded: retries. The rest, if
    /// any, is durable. The caller compares the retries with what is stored.
    Duplicate {
        /// How many of the batch's records were recorded before.
        count: usize,
        /// The others.
        recorded: Vec<Recorded>,
    },
    /// Nothing of it was recorded, and why.
    Refused(Refusal),
    /// It may have been recorded or not: ask again under the same sequence.
    Unknown,
}

/// Why a request was refused; nothing of it was recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no ledger of this name.
    NoSuchLedger,
    /// The source was never opened in this ledger.
    NoSuchSource,
    /// The source numbers its events itself and this batch has no numbers, or the other way round.
    Numbering {
        /// Whether numbers are wanted.
        by_source: bool,
    },
    /// The epoch is not the source's current one.
    Epoch {
        /// The current epoch.
        current: u32,
    },
    /// The sequence leaves a gap (DESIGN section 3, "Sequences": 409 with the expected one).
    Sequence {
        /// The current epoch.
        epoch: u32,
        /// The number expected next.
        expected: u64,
    },
    /// Too much is waiting: ask again later.
    Busy {
        /// When.
        retry_after_ms: u64,
    },
    /// The ledger cannot record at present: ask again later.
    Unavailable {
        /// Why.
        reason: String,
        /// When.
        retry_after_ms: u64,
    },
    /// The server is stopping.
    Stopping,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSuchLedger => write!(f, "there is no ledger of this name"),
            Self::NoSuchSource => write!(f, "the source was never opened in this ledger"),
            Self::Numbering { by_source: true } => {
                write!(f, "this source numbers its events: give epoch and sequence")
            }
            Self::Numbering { by_source: false } => {
                write!(f, "the server numbers this source's events: give no sequence")
            }
            Self::Epoch { current } => write!(f, "not the source's current epoch, which is {current}"),
            Self::Sequence { epoch, expected } => {
                write!(f, "the sequence leaves a gap: expected {expected} in epoch {epoch}")
            }
            Self::Busy { retry_after_ms } => {
                write!(f, "too much is waiting to be written: retry in {retry_after_ms} ms")
            }
            Self::Unavailable { reason, .. } => write!(f, "the ledger cannot record at present: {reason}"),
            Self::Stopping => write!(f, "the server is stopping"),
        }
    }
}

/// A promise to answer: dropped unanswered, it answers [`Outcome::Unknown`], so that no path can forget.
#[must_use]
pub struct Pending<T: Unanswered>(Option<Box<dyn FnOnce(T) + Send>>);

/// What an answer is when nobody gave one.
pub trait Unanswered {
    /// The honest answer: it may have happened or not.
    fn unanswered() -> Self;
}

impl Unanswered for Outcome {
    fn unanswered() -> Self {
        Self::Unknown
    }
}

impl Unanswered for Result<Vec<SourceState>, Refusal> {
    fn unanswered() -> Self {
        Err(Refusal::Unavailable { reason: "the writer has gone".to_owned(), retry_after_ms: 1000 })
    }
}

impl Unanswered for Result<Opened, Refusal> {
    fn unanswered() -> Self {
        Err(Refusal::Unavailable { reason: "the outcome is unknown".to_owned(), retry_after_ms: 1000 })
    }
}

impl<T: Unanswered> Pending<T> {
    /// Calls `answer` once.
    pub fn new(answer: impl FnOnce(T) + Send + 'static) -> Self {
        Self(Some(Box::new(answer)))
    }

    pub(crate) fn answer(mut self, outcome: T) {
        if let Some(answer) = self.0.take() {
            answer(outcome);
        }
    }
}

impl<T: Unanswered> Drop for Pending<T> {
    fn drop(&mut self) {
        if let Some(answer) = self.0.take() {
            answer(T::unanswered());
        }
    }
}

/// A source or epoch that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The source's number.
    pub source: u32,
    /// Its epoch.
    pub epoch: u32,
    /// Index of the record that says so.
    pub index: u64,
}

/// Something to be entered. Requests of one source, and those of a ledger itself, are taken in the order of arrival.
pub enum Request {
    /// Records of a source.
    Append {
        /// Which ledger.
        ledger: usize,
        /// The records.
        batch: Batch,
        /// Who waits for the answer.
        pending: Pending<Outcome>,
    },
    /// Opens a new source, or the next epoch of one.
    Open {
        /// Which ledger.
        ledger: usize,
        /// The source; `None` for a new one.
        source: Option<u32>,
        /// Who numbers its events from now on.
        numbering: Numbering,
        /// Last sequence of the epoch before, as the source knows it; without it a gap is recorded.
        previous_last: Option<u64>,
        /// Who waits for the answer.
        pending: Pending<Result<Opened, Refusal>>,
    },
    /// Records of the ledger itself, entered together.
    Control {
        /// Which ledger.
        ledger: usize,
        /// Kinds and facets.
        records: Vec<(Kind, FacetDraft)>,
        /// Who waits for them to be durable.
        pending: Option<Pending<Entered>>,
    },
    /// Asks how far the sources of a ledger have got, when it is taken: everything that was answered
    /// before is in it.
    Sources {
        /// Which ledger.
        ledger: usize,
        /// Who waits for the answer.
        pending: Pending<Result<Vec<SourceState>, Refusal>>,
    },
    /// Copies parts of old write-ahead files to the end of the log, so that the files can go.
    #[doc(hidden)]
    Carry(Carry),
}

/// Parts to carry forward, per ledger.
pub struct Carry {
    pub(crate) parts: Vec<(usize, WalRef)>,
    pub(crate) pending: Option<Pending<Entered>>,
}

/// Whether records of the ledger itself are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entered(pub bool);

impl Unanswered for Entered {
    fn unanswered() -> Self {
        Self(false)
    }
}

impl Request {
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Append { batch, .. } => batch.records.iter().map(Prepared::weight).sum(),
            Self::Open { .. } | Self::Control { .. } | Self::Sources { .. } | Self::Carry(_) => 1024,
        }
    }

    /// Answers that nothing was recorded.
    pub(crate) fn refuse(self, refusal: Refusal) {
        match self {
            Self::Append { pending, .. } => pending.answer(Outcome::Refused(refusal)),
            Self::Open { pending, .. } => pending.answer(Err(refusal)),
            Self::Sources { pending, .. } => pending.answer(Err(refusal)),
            Self::Control { pending, .. } | Self::Carry(Carry { pending, .. }) => drop(pending),
        }
    }
}
