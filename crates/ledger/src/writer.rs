//! Group commit: numbers what is waiting, writes it to the write-ahead log as one group, makes it durable with
//! one `fdatasync`, and only then answers. Nothing else in the engine acknowledges an event.

use std::sync::Arc;

use env::random;
use evidence::block::{BlockBuilder, BlockRecord};
use evidence::layout;
use evidence::register::WalPosition;
use evidence::seal::{FileType, Place, Sealer};
use evidence::wal::{FileHeader, Found, Group, HEADER_LEN, Part, Previous};
use record::commit;
use record::control::{Gap, GapCause, Numbering, SourceRecord};
use record::entry::{Entry, Kind};
use record::facet::{Facet, FacetDraft, Stamp};
use record::stored::Opening;
use sha2::{Digest, Sha256};
use storage::DiskFile;
use tlog::hash::Hash;

use crate::fault::{Doing, Fault};
use crate::reader::OpenPart;
use crate::request::{Batch, Carry, Entered, Opened, Outcome, Pending, Prepared, Recorded, Refusal, Request};
use crate::shared::Shared;
use crate::sources::Sources;
use crate::view::WalRef;

/// A group that is durable: what the publisher integrates.
pub(crate) struct WrittenGroup {
    /// Position after it.
    pub end: WalPosition,
    pub parts: Vec<WrittenPart>,
}

/// One ledger's part of a durable group.
pub(crate) struct WrittenPart {
    pub ledger: usize,
    pub first: u64,
    /// The entries, 58 bytes each.
    pub entries: Vec<u8>,
    pub leaves: Vec<Hash>,
    /// `received` of the last entry.
    pub received_ms: u64,
}

/// The end of a ledger as the writer sees it: durable entries, whether in a checkpoint or not.
pub(crate) struct LedgerEnd {
    pub next: u64,
    pub received_ms: u64,
    pub sources: Sources,
}

pub(crate) struct Writer {
    shared: Arc<Shared>,
    ledgers: Vec<LedgerEnd>,
    file: OpenFile,
}

/// The write-ahead file being written.
pub(crate) struct OpenFile {
    handle: Box<dyn DiskFile>,
    number: u64,
    offset: u64,
    synced: u64,
    chain: [u8; 32],
    groups: u64,
    key_id: [u8; 16],
    sealer: Arc<Sealer>,
    /// Whether it has its name.
    named: bool,
}

impl OpenFile {
    /// Begins the write-ahead file after `previous`. It has no name until the first [`OpenFile::append`], so that a
    /// crash leaves either no file or one with a good header, all groups copied into it, and a group of its own: at
    /// recovery, the one that says what was cut off.
    pub(crate) fn begin(shared: &Shared, previous: Previous) -> Result<Self, Fault> {
        let number = previous.number + 1;
        let path = layout::wal_file(number);
        let (key_id, sealer) = shared.keys.create_data_key(shared.env.as_ref(), &path)?;
        let header = FileHeader { number, created_ms: shared.env.now_ms(), previous, key_id };
        let bytes = header.encode();
        let mut handle = shared.disk.create(&format!("{path}.tmp")).doing("creating a write-ahead file")?;
        handle.append(&bytes).doing("creating a write-ahead file")?;
        let mut chain = [0; 32];
        chain.copy_from_slice(&bytes[HEADER_LEN - 32..]);
        let offset = HEADER_LEN as u64;
        Ok(Self { handle, number, offset, synced: 0, chain, groups: 0, key_id, sealer, named: false })
    }

    /// Copies a group of an older file, whose number and key are given, and returns the position after it. Its
    /// sealed blocks are sealed again for their new place.
    pub(crate) fn copy(
        &mut self,
        shared: &Shared,
        number: u64,
        found: &Found<'_>,
        key: &Sealer,
    ) -> Result<WalPosition, Fault> {
        let mut sealed = Vec::new();
        for part in &found.group.parts {
            let old = wal_place(number, found.group.number, part.ledger, part.first, part.count());
            let new = self.place(part.ledger, part.first, part.count());
            sealed.push(match part.sealed {
                [] => Vec::new(),
                block => {
                    let plain = key.open(&old.aad(), block).map_err(|_| {
                        Fault::damaged_at(layout::wal_file(number), found.offset, "a block does not open")
                    })?;
                    self.sealer.seal(random(shared.env.as_ref()), &new.aad(), &plain)
                }
            });
        }
        let parts = found.group.parts.iter().zip(&sealed);
        let parts = parts.map(|(part, sealed)| Part { sealed, ..part.clone() }).collect();
        let (offset, len) = self.write(parts)?;
        for part in &found.group.parts {
            let ledger = shared.ledgers.iter().position(|ledger| ledger.id == part.ledger);
            let (first, group) = (part.first, self.groups - 1);
            let place = (self.number, offset, len, group, self.key_id);
            ledger.into_iter().for_each(|ledger| shared.view.moved(ledger, first, place));
        }
        Ok(self.position())
    }

    pub(crate) fn position(&self) -> WalPosition {
        WalPosition { file: self.number, offset: self.offset, chain: self.chain }
    }

    /// The place of the sealed block of a part of the next group.
    fn place(&self, ledger: [u8; 32], first: u64, count: u64) -> Place {
        wal_place(self.number, self.groups, ledger, first, count)
    }

    /// Appends a group and makes it durable, with the name of the file if it has none yet. Returns its offset and
    /// length.
    fn append(&mut self, shared: &Shared, parts: Vec<Part<'_>>) -> Result<(u64, usize), Fault> {
        let written = self.write(parts)?;
        self.handle.sync().doing("syncing the write-ahead log")?;
        self.synced = self.offset;
        if !self.named {
            let path = layout::wal_file(self.number);
            shared.disk.rename(&format!("{path}.tmp"), &path).doing("creating a write-ahead file")?;
            shared.disk.sync_dir(layout::WAL).doing("creating a write-ahead file")?;
            self.named = true;
        }
        Ok(written)
    }

    fn write(&mut self, parts: Vec<Part<'_>>) -> Result<(u64, usize), Fault> {
        let (file, synced_to) = (self.key_id, self.synced);
        let group = Group { file, number: self.groups, synced_to, previous: self.chain, parts };
        let (frame, hash) = group.encode();
        self.handle.append(&frame).doing("writing to the write-ahead log")?;
        let offset = self.offset;
        self.offset += frame.len() as u64;
        self.chain = hash;
        self.groups += 1;
        Ok((offset, frame.len()))
    }

    /// What the header of the next file says of this one when all of it counts.
    fn as_previous(&self) -> Previous {
        let rest = Sha256::digest(b"").into();
        Previous { number: self.number, kept: self.offset, chain: self.chain, length: self.offset, rest }
    }
}

/// The place of a part's sealed block in a write-ahead file.
pub(crate) fn wal_place(file: u64, group: u64, ledger: [u8; 32], first: u64, count: u64) -> Place {
    let file_type = FileType::Wal;
    Place { ledger, file_type, file, generation: 0, block: group, first, count: count as u32, last: false }
}

/// The parts of a group while it is put together, one of each ledger that has something in it.
struct Assembly {
    ledger: usize,
    first: u64,
    entries: Vec<u8>,
    leaves: Vec<Hash>,
    clear: BlockBuilder,
    sealed: BlockBuilder,
    received_ms: u64,
}

/// Answers to give once the group is durable.
type Answers = Vec<Box<dyn FnOnce() + Send>>;

impl Writer {
    pub(crate) fn new(shared: Arc<Shared>, ledgers: Vec<LedgerEnd>, file: OpenFile) -> Self {
        Self { shared, ledgers, file }
    }

    /// Enters `requests` as one group: numbers them, writes them, makes them durable, answers, and returns what was
    /// written for the publisher. Refused requests are answered at once.
    ///
    /// # Errors
    /// After a fault nothing more may be written here; those who wait have been answered [`Outcome::Unknown`].
    pub(crate) fn commit(&mut self, requests: Vec<Request>) -> Result<Vec<WrittenGroup>, Fault> {
        let (mut group, mut written) = (Vec::new(), Vec::new());
        let mut answers: Answers = Vec::new();
        for request in requests {
            match request {
                Request::Carry(carry) => written.push(self.carry(carry)?),
                request => self.enter(request, &mut group, &mut answers),
            }
        }
        if !group.is_empty() {
            written.push(self.write(group)?);
        }
        for answer in answers {
            answer();
        }
        Ok(written)
    }

    /// Copies parts of old files into a group of their own. A ledger with few entries would otherwise keep every
    /// file since its last whole bundle.
    fn carry(&mut self, Carry { parts, pending }: Carry) -> Result<WrittenGroup, Fault> {
        self.rotate()?;
        let mut read = Vec::new();
        for (ledger, at) in &parts {
            read.push((*ledger, OpenPart::read(&self.shared, *ledger, at)?));
        }
        let sealed: Vec<Vec<u8>> = read
            .iter()
            .map(|(ledger, part)| match &part.sealed[..] {
                [] => Vec::new(),
                packed => {
                    let place =
                        self.file.place(self.shared.ledgers[*ledger].id, part.first, part.end() - part.first);
                    self.file.sealer.seal(random(self.shared.env.as_ref()), &place.aad(), packed)
                }
            })
            .collect();
        let group = read.iter().zip(&sealed).map(|((ledger, part), sealed)| Part {
            ledger: self.shared.ledgers[*ledger].id,
            first: part.first,
            entries: &part.entries,
            clear: &part.clear,
            sealed,
        });
        let block = self.file.groups;
        let (offset, len) = self.file.append(&self.shared, group.collect())?;
        for (ledger, at) in parts {
            self.shared.view.moved(
                ledger,
                at.first,
                (self.file.number, offset, len, block, self.file.key_id),
            );
        }
        if let Some(pending) = pending {
            pending.answer(Entered(true));
        }
        Ok(WrittenGroup { end: self.file.position(), parts: Vec::new() })
    }

    /// Writes a group without parts: it tells that everything before it was durable.
    pub(crate) fn mark_synced(&mut self) -> Result<WrittenGroup, Fault> {
        self.file.append(&self.shared, Vec::new())?;
        Ok(WrittenGroup { end: self.file.position(), parts: Vec::new() })
    }

    /// Goes on to the next file if this one is full.
    fn rotate(&mut self) -> Result<(), Fault> {
        if self.file.named && self.file.offset >= self.shared.options.wal_file_bytes {
            self.file = OpenFile::begin(&self.shared, self.file.as_previous())?;
        }
        Ok(())
    }

    /// Writes and syncs the assembled parts.
    fn write(&mut self, group: Vec<Assembly>) -> Result<WrittenGroup, Fault> {
        self.rotate()?;
        let level = self.shared.options.wal_level;
        let packed: Vec<(Vec<u8>, Vec<u8>)> = group
            .iter()
            .map(|part| {
                let clear = if part.clear.is_empty() { Vec::new() } else { part.clear.pack(level) };
                if part.sealed.is_empty() {
                    return (clear, Vec::new());
                }
                let id = self.shared.ledgers[part.ledger].id;
                let place = self.file.place(id, part.first, part.leaves.len() as u64);
                let nonce = random(self.shared.env.as_ref());
                (clear, self.file.sealer.seal(nonce, &place.aad(), &part.sealed.pack(level)))
            })
            .collect();
        let parts = group.iter().zip(&packed).map(|(part, (clear, sealed))| Part {
            ledger: self.shared.ledgers[part.ledger].id,
            first: part.first,
            entries: &part.entries,
            clear,
            sealed,
        });
        let (number, block, key_id) = (self.file.number, self.file.groups, self.file.key_id);
        let (offset, len) = self.file.append(&self.shared, parts.collect())?;
        let parts = group.into_iter().map(|part| {
            let count = part.leaves.len() as u64;
            let received_ms = part.received_ms;
            let at = WalRef {
                first: part.first,
                count,
                file: number,
                offset,
                len,
                group: block,
                key_id,
                received_ms,
            };
            self.shared.view.durable(part.ledger, at);
            WrittenPart {
                ledger: part.ledger,
                first: part.first,
                entries: part.entries,
                leaves: part.leaves,
                received_ms: part.received_ms,
            }
        });
        Ok(WrittenGroup { parts: parts.collect(), end: self.file.position() })
    }

    /// Checks a request against the ledger's end and adds it to the group, or refuses it.
    fn enter(&mut self, request: Request, group: &mut Vec<Assembly>, answers: &mut Answers) {
        match request {
            Request::Append { ledger, batch, pending } => {
                self.enter_batch(ledger, batch, pending, group, answers)
            }
            Request::Open { ledger, source, numbering, previous_last, pending } => {
                match self.open_source(ledger, source, numbering, previous_last, group) {
                    Ok(opened) => answers.push(Box::new(move || pending.answer(Ok(opened)))),
                    Err(refusal) => pending.answer(Err(refusal)),
                }
            }
            Request::Control { ledger, records, pending } => {
                for (kind, draft) in records {
                    self.enter_control(ledger, kind, draft, group);
                }
                if let Some(pending) = pending {
                    answers.push(Box::new(move || pending.answer(Entered(true))));
                }
            }
            Request::Sources { ledger, pending } => {
                let states = self.ledgers[ledger].sources.states();
                answers.push(Box::new(move || pending.answer(Ok(states))));
            }
            // Written by itself, before the group.
            Request::Carry(_) => {}
        }
    }

    fn enter_batch(
        &mut self,
        ledger: usize,
        batch: Batch,
        pending: Pending<Outcome>,
        group: &mut Vec<Assembly>,
        answers: &mut Answers,
    ) {
        let Batch { source, numbered, mut records } = batch;
        let (epoch, first, duplicates) = match self.number(ledger, source, numbered, records.len()) {
            Ok(numbers) => numbers,
            Err(refusal) => return pending.answer(Outcome::Refused(refusal)),
        };
        records.drain(..duplicates);
        let mut recorded = Vec::with_capacity(records.len());
        for (sequence, record) in (first..).zip(&records) {
            recorded.push(self.push(ledger, source, epoch, sequence, record, group));
        }
        let outcome = match duplicates {
            0 => Outcome::Durable(recorded),
            count => Outcome::Duplicate { count, recorded },
        };
        answers.push(Box::new(move || pending.answer(outcome)));
    }

    /// Decides the numbers of a batch: its epoch, the sequence of its first new record, and how many of its
    /// records come before that (DESIGN section 3, "Sequences").
    fn number(
        &self,
        ledger: usize,
        source: u32,
        numbered: Option<(u32, u64)>,
        count: usize,
    ) -> Result<(u32, u64, usize), Refusal> {
        let state = self.ledgers[ledger].sources.get(source).ok_or(Refusal::NoSuchSource)?;
        let expected = state.last_sequence + 1;
        let Some((epoch, first)) = numbered else {
            return match state.numbered_by_source {
                false => Ok((state.epoch, expected, 0)),
                true => Err(Refusal::Numbering { by_source: true }),
            };
        };
        if !state.numbered_by_source {
            return Err(Refusal::Numbering { by_source: false });
        }
        if epoch != state.epoch {
            return Err(Refusal::Epoch { current: state.epoch });
        }
        if first > expected || first == 0 {
            return Err(Refusal::Sequence { epoch, expected });
        }
        let duplicates = usize::try_from(expected - first).unwrap_or(usize::MAX).min(count);
        Ok((epoch, expected, duplicates))
    }

    /// Enters the record that opens a source or epoch, and the gap record if nobody says where the last epoch
    /// ended.
    fn open_source(
        &mut self,
        ledger: usize,
        source: Option<u32>,
        numbering: Numbering,
        previous_last_sequence: Option<u64>,
        group: &mut Vec<Assembly>,
    ) -> Result<Opened, Refusal> {
        let sources = &self.ledgers[ledger].sources;
        let before =
            source.map(|number| sources.get(number).copied().ok_or(Refusal::NoSuchSource)).transpose()?;
        let source = source.unwrap_or_else(|| sources.next_number());
        let epoch = before.map_or(1, |state| state.epoch + 1);
        let record = SourceRecord { source, epoch, numbering, previous_last_sequence };
        let index = self.enter_control(ledger, Kind::Source, record.to_draft(), group);
        if let Some(before) = before.filter(|before| before.numbered_by_source) {
            let known = before.last_sequence;
            if previous_last_sequence.is_none_or(|last| last > known) {
                let gap = Gap {
                    cause: GapCause::Sequence,
                    source: Some(source),
                    epoch: Some(before.epoch),
                    from_sequence: Some(known + 1),
                    to_sequence: previous_last_sequence,
                    from_ms: None,
                    to_ms: None,
                    clean: None,
                    detail: "the source opened a new epoch without delivering the end of the last one"
                        .to_owned(),
                };
                self.enter_control(ledger, Kind::Gap, gap.to_draft(), group);
            }
        }
        self.ledgers[ledger].sources.open(&record);
        Ok(Opened { source, epoch, index })
    }

    /// Enters a record of the ledger itself and returns its index.
    fn enter_control(
        &mut self,
        ledger: usize,
        kind: Kind,
        draft: FacetDraft,
        group: &mut Vec<Assembly>,
    ) -> u64 {
        let seed = commit::Seed(random(self.shared.env.as_ref()));
        let record = Prepared::new(kind, draft, b"", seed);
        let sequence = self.ledgers[ledger].sources.get(0).map_or(0, |state| state.last_sequence) + 1;
        self.push(ledger, 0, 1, sequence, &record, group).index
    }

    /// Gives a record its index and stamp and adds it to its ledger's part.
    fn push(
        &mut self,
        ledger: usize,
        source: u32,
        epoch: u32,
        sequence: u64,
        record: &Prepared,
        group: &mut Vec<Assembly>,
    ) -> Recorded {
        let end = &mut self.ledgers[ledger];
        let at = group.iter().position(|part| part.ledger == ledger).unwrap_or_else(|| {
            // `received` never decreases, whatever the clock does; a jump is recorded by the engine.
            end.received_ms = end.received_ms.max(self.shared.env.now_ms());
            group.push(Assembly {
                ledger,
                first: end.next,
                entries: Vec::new(),
                leaves: Vec::new(),
                clear: BlockBuilder::new(),
                sealed: BlockBuilder::new(),
                received_ms: end.received_ms,
            });
            group.len() - 1
        });
        let part = &mut group[at];
        let stamp = Stamp { received_ms: part.received_ms, source, epoch, sequence };
        let mut when = Vec::with_capacity(record.when.head.len() + record.when.tail.len() + 96);
        record.when.write_stamped(&stamp, &mut when);
        let when_digest = commit::facet_digest(Facet::When, &commit::salt(Facet::When, &record.seed), &when);
        let digests: [[u8; 32]; 6] =
            std::array::from_fn(|facet| if facet == 0 { when_digest } else { record.digests[facet - 1] });
        let id = &self.shared.ledgers[ledger].id;
        let commitment = commit::commitment(id, record::facet::TABLE_VERSION, &digests);
        let received_ms = part.received_ms;
        let entry = Entry { kind: record.kind, received_ms, source, epoch, sequence, commitment };
        let (bytes, index) = (entry.encode(), end.next);
        part.entries.extend_from_slice(&bytes);
        part.leaves.push(tlog::hash::leaf_hash(&bytes));
        let block = if record.kind.is_control() { &mut part.clear } else { &mut part.sealed };
        block.push(&BlockRecord {
            index,
            opening: Opening::Seed(record.seed.clone()),
            facets: std::array::from_fn(|facet| if facet == 0 { &when[..] } else { record.facet(facet - 1) }),
        });
        end.next += 1;
        end.sources.advance(&entry);
        Recorded {
            index,
            entry: bytes,
            salt_raw: commit::salt(Facet::Raw, &record.seed).0,
            digests: std::array::from_fn(|facet| digests[facet]),
        }
    }
}
