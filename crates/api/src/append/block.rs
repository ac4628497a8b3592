//! Cutting a body into records, and records into blocks that are mapped and written together.

use std::collections::VecDeque;

use env::Env;
use ledger::Prepared;
use record::commit::Seed;
use record::entry::Kind;
use tokio::sync::OwnedSemaphorePermit;
use wire::{Format, Mapped, Piece, Splitter};

/// A block is full at this many bytes.
pub(super) const BLOCK_BYTES: usize = 256 << 10;
/// Or at this many records.
pub(super) const BLOCK_RECORDS: usize = 500;

/// Records that go through mapping and writing together.
#[derive(Default)]
pub(super) struct Block {
    /// Their bytes, one after the other.
    bytes: Vec<u8>,
    pieces: Vec<Cut>,
    /// Held while a record longer than a block is in memory.
    permits: Vec<OwnedSemaphorePermit>,
}

/// One record of a block.
#[derive(Clone, Copy)]
enum Cut {
    /// It ends here in the block's bytes.
    Record { end: usize },
    /// It was too large to keep.
    Oversize { size: u64, sha256: [u8; 32] },
}

/// What was sent as one record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent<'a> {
    Raw(&'a [u8]),
    Oversize { size: u64, sha256: [u8; 32] },
}

/// A block that is ready for the engine.
pub(super) struct Mapping {
    pub records: Vec<Prepared>,
    pub quarantined: u64,
    pub incomplete: u64,
    /// Bytes it occupies while it waits.
    pub weight: usize,
}

impl Block {
    /// How many records it has.
    pub(super) fn len(&self) -> usize {
        self.pieces.len()
    }

    /// Bytes of its records.
    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Its records, in order.
    pub(super) fn sent(&self) -> impl Iterator<Item = Sent<'_>> {
        let mut start = 0;
        self.pieces.iter().map(move |piece| match *piece {
            Cut::Record { end } => {
                let raw = &self.bytes[start..end];
                start = end;
                Sent::Raw(raw)
            }
            Cut::Oversize { size, sha256 } => Sent::Oversize { size, sha256 },
        })
    }

    /// Maps and hashes its records: the costly part, and a pure function but for the seeds.
    pub(super) fn map(&self, format: Option<Format>, env: &dyn Env) -> Mapping {
        let mut seeds = vec![0; 16 * self.len()];
        env.fill(&mut seeds);
        let (seeds, _) = seeds.as_chunks::<16>();
        let (mut records, mut quarantined, mut incomplete) = (Vec::with_capacity(self.len()), 0, 0);
        for (sent, seed) in self.sent().zip(seeds) {
            let (raw, mapped) = match sent {
                Sent::Raw(raw) => (raw, wire::map(raw, format)),
                Sent::Oversize { size, sha256 } => {
                    let (draft, reason) = (wire::oversize(size, sha256), String::new());
                    (&b""[..], Mapped::Quarantine { draft, reason })
                }
            };
            let (kind, draft) = match mapped {
                Mapped::Event { draft, incomplete: missing, .. } => {
                    incomplete += u64::from(!missing.is_empty());
                    (Kind::Event, draft)
                }
                Mapped::Quarantine { draft, .. } => {
                    quarantined += 1;
                    (Kind::Quarantine, draft)
                }
            };
            records.push(Prepared::new(kind, draft, raw, Seed(*seed)));
        }
        let weight = records.iter().map(Prepared::weight).sum();
        Mapping { records, quarantined, incomplete, weight }
    }

    fn is_full(&self) -> bool {
        self.bytes.len() >= BLOCK_BYTES || self.pieces.len() >= BLOCK_RECORDS
    }
}

/// Takes chunks in, hands blocks out.
pub(super) struct Cutter {
    splitter: Splitter,
    open: Block,
    full: VecDeque<Block>,
    /// Bytes taken in since the last record ended: about what the splitter holds.
    held: usize,
}

impl Cutter {
    pub(super) fn new(record_bytes: u64) -> Self {
        let limits = wire::Limits { record: record_bytes, ..wire::Limits::default() };
        Self { splitter: Splitter::new(limits), open: Block::default(), full: VecDeque::new(), held: 0 }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) {
        self.cut(chunk.len(), |splitter, mut out| splitter.push(chunk, &mut out));
    }

    /// The body has ended.
    pub(super) fn finish(&mut self) {
        self.cut(0, |splitter, mut out| splitter.finish(&mut out));
        self.held = 0;
    }

    /// About how many bytes of an unfinished record are held.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Whether a full block waits.
    pub(super) fn has_full(&self) -> bool {
        !self.full.is_empty()
    }

    /// The oldest full block.
    pub(super) fn take_full(&mut self) -> Option<Block> {
        self.full.pop_front()
    }

    /// The block being filled, if there is anything in it.
    pub(super) fn take_open(&mut self) -> Option<Block> {
        (self.open.len() > 0).then(|| std::mem::take(&mut self.open))
    }

    /// Ties permits to the block of the newest record, which they were taken for.
    pub(super) fn tie(&mut self, permits: &mut Vec<OwnedSemaphorePermit>) {
        let block = if self.open.len() > 0 { Some(&mut self.open) } else { self.full.back_mut() };
        if let Some(block) = block {
            block.permits.append(permits);
        }
    }

    fn cut(&mut self, len: usize, work: impl FnOnce(&mut Splitter, &mut dyn FnMut(Piece<'_>))) {
        let (open, full) = (&mut self.open, &mut self.full);
        let mut came = false;
        let mut out = |piece: Piece<'_>| {
            came = true;
            match piece {
                Piece::Record(bytes) | Piece::Envelope(bytes) => {
                    open.bytes.extend_from_slice(bytes);
                    open.pieces.push(Cut::Record { end: open.bytes.len() });
                }
                Piece::Oversize { size, sha256 } => open.pieces.push(Cut::Oversize { size, sha256 }),
            }
            if open.is_full() {
                full.push_back(std::mem::take(open));
            }
        };
        work(&mut self.splitter, &mut out);
        self.held = if came { 0 } else { self.held + len };
    }
}
