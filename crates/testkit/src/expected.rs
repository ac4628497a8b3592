use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::Recorded;
use record::entry::ENTRY_LEN;
use record::facet::{FacetDraft, WhenDraft};
use tlog::hash::Hash;

use crate::rng::Rng;

/// An event as its sender knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its facets, but for the stamp in `when`.
    pub draft: FacetDraft,
    /// Its raw bytes, by which it is told from every other event of the run.
    pub raw: Arc<[u8]>,
}

impl Event {
    /// Makes the event of this number, with a text of about `size` bytes that compresses badly.
    pub fn make(number: u64, size: usize, rng: &mut Rng) -> Self {
        let mut noise = vec![0; size / 2];
        rng.fill(&mut noise);
        let text = evidence::hex::encode(&noise);
        let object = |text: String| text.into_bytes();
        let draft = FacetDraft {
            when: WhenDraft { head: b"{\"class_uid\":6003,".to_vec(), tail: b",\"status_id\":1}".to_vec() },
            who: object(format!("{{\"actor\":{{\"user\":{{\"name\":\"u{}\"}}}}}}", number % 7)),
            what: object(format!("{{\"api\":{{\"operation\":\"op{}\"}}}}", number % 5)),
            content: object(format!("{{\"message\":\"{text}\"}}")),
            where_: b"{}".to_vec(),
        };
        Self { draft, raw: object(format!("{{\"number\":{number},\"text\":\"{text}\"}}\n")).into() }
    }
}

/// What the sender of an event was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// Nothing, or that the outcome is unknown: it may be there, once.
    Nothing,
    /// That it was refused: it must not be there.
    Refused,
    /// That it is durable.
    Durable,
    /// That it is durable, with its index and entry.
    At(u64, [u8; ENTRY_LEN]),
}

/// A source or epoch that a client was told is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenedSource {
    /// Its number.
    pub source: u32,
    /// Its epoch.
    pub epoch: u32,
    /// Whether it numbers its events itself.
    pub numbered: bool,
    /// Sequence of the last event that was acknowledged.
    pub last: u64,
}

/// A batch of a source that numbers itself: source, epoch, first sequence, events.
pub type NumberedBatch = (u32, u32, u64, Vec<Arc<Event>>);

/// What must be true of one ledger, and what may be: the model that a store is compared with.
#[derive(Clone, Debug, Default)]
pub struct ExpectedLedger {
    /// Every event that was handed in, by its raw bytes: no other may be in the ledger.
    pub events: BTreeMap<Arc<[u8]>, (Arc<Event>, Told)>,
    /// Records that say a source or epoch is open, acknowledged, by index.
    pub opened: BTreeMap<u64, (u32, u32)>,
    /// Size and root of every checkpoint that was ever signed.
    pub notes: Vec<(u64, Hash)>,
    /// Spans of time, in unix milliseconds, in which nothing could be recorded: each must be on record.
    pub down: Vec<(u64, u64)>,
    /// The sources as the clients know them.
    pub sources: Vec<OpenedSource>,
    /// The batch of a source that numbers itself which was not answered.
    pub unanswered: Option<NumberedBatch>,
    /// The newest one that was acknowledged.
    pub last_numbered: Option<NumberedBatch>,
}

/// What must be true of a store, by ledger name.
#[derive(Clone, Debug, Default)]
pub struct Expected(pub BTreeMap<String, ExpectedLedger>);

/// Something that a client did or was told.
#[derive(Clone, Debug)]
pub enum Happened {
    /// Events were handed in; with source, epoch and first sequence if the source numbers them.
    Submitted(Vec<Arc<Event>>, Option<(u32, u32, u64)>),
    /// Events of a source are durable.
    Acked {
        /// The source.
        source: u32,
        /// Those that were durable before.
        duplicates: Vec<Arc<Event>>,
        /// The others, with their receipts.
        recorded: Vec<(Arc<Event>, Recorded)>,
        /// Source, epoch and first sequence of all, if the source numbers them.
        numbered: Option<(u32, u32, u64)>,
    },
    /// Events were refused.
    Refused(Vec<Arc<Event>>),
    /// A source or epoch is open; index of the record that says so.
    Opened(u64, OpenedSource),
    /// A checkpoint was signed.
    Signed(u64, Hash),
    /// The store was opened again after being down over this span.
    Down(u64, u64),
}

impl Expected {
    /// Takes note of what happened in a ledger.
    pub fn note(&mut self, ledger: &str, happened: &Happened) {
        if !self.0.contains_key(ledger) {
            self.0.insert(ledger.to_owned(), ExpectedLedger::default());
        }
        if let Some(ledger) = self.0.get_mut(ledger) {
            ledger.note(happened);
        }
    }
}

impl ExpectedLedger {
    fn note(&mut self, happened: &Happened) {
        match happened {
            Happened::Submitted(events, numbered) => {
                for event in events {
                    // A retry changes nothing about what is known.
                    self.events.entry(event.raw.clone()).or_insert((event.clone(), Told::Nothing));
                }
                if let Some((source, epoch, first)) = *numbered {
                    self.unanswered = Some((source, epoch, first, events.clone()));
                }
            }
            Happened::Acked { source, duplicates, recorded, numbered } => {
                for event in duplicates {
                    self.told(event, Told::Durable);
                }
                for (event, recorded) in recorded {
                    self.told(event, Told::At(recorded.index, recorded.entry));
                }
                let all = duplicates.iter().chain(recorded.iter().map(|(event, _)| event));
                let all: Vec<Arc<Event>> = all.cloned().collect();
                let state = self.sources.iter_mut().find(|state| state.source == *source);
                match (*numbered, state) {
                    (Some((source, epoch, first)), state) => {
                        let last = first + all.len() as u64 - 1;
                        if let Some(state) = state.filter(|state| state.epoch == epoch) {
                            state.last = state.last.max(last);
                        }
                        self.last_numbered = Some((source, epoch, first, all));
                        self.unanswered = None;
                    }
                    (None, Some(state)) => state.last += recorded.len() as u64,
                    (None, None) => {}
                }
            }
            Happened::Refused(events) => {
                self.unanswered = None;
                events.iter().for_each(|event| self.told(event, Told::Refused));
            }
            Happened::Opened(index, opened) => {
                self.opened.insert(*index, (opened.source, opened.epoch));
                self.sources.retain(|state| state.source != opened.source);
                self.sources.push(*opened);
            }
            Happened::Signed(size, root) => {
                if !self.notes.contains(&(*size, *root)) {
                    self.notes.push((*size, *root));
                }
            }
            Happened::Down(from, to) => self.down.push((*from, *to)),
        }
    }

    fn told(&mut self, event: &Arc<Event>, told: Told) {
        match self.events.get_mut(&event.raw) {
            // What is known with its index stays known; a retry that is refused may have been recorded before.
            Some((_, Told::At(..) | Told::Durable)) if !matches!(told, Told::At(..)) => {}
            Some((_, known)) => *known = told,
            None => drop(self.events.insert(event.raw.clone(), (event.clone(), told))),
        }
    }
}
