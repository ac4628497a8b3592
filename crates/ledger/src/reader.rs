//! Reading records back: from segments once they are sealed, from the write-ahead log before.

use std::ops::Range;
use std::sync::Arc;

use evidence::block::{BlockRecord, Unpacked};
use evidence::layout;
use evidence::seal::Sealer;
use evidence::segment::{self, BlockError, Class, Directory};
use evidence::wal::Group;
use record::entry::{ENTRY_LEN, Entry};
use record::facet::FACETS;
use record::stored::Opening;
use tlog::tile::{TILE_WIDTH, bundle_path, decode_bundle};

use crate::fault::{Doing, Fault};
use crate::shared::Shared;
use crate::view::{SegmentRef, WalRef};
use crate::writer::wal_place;

/// A record as it is stored, with its entry.
#[derive(Clone, Debug)]
pub struct StoredRecord {
    /// Index in the ledger.
    pub index: u64,
    /// The entry.
    pub entry: [u8; ENTRY_LEN],
    /// What opens its digests.
    pub opening: Opening,
    /// Its facets.
    pub facets: [Vec<u8>; FACETS],
}

impl StoredRecord {
    /// The entry, decoded.
    pub fn decoded(&self) -> Option<Entry> {
        Entry::decode(&self.entry).ok()
    }
}

/// Whether to go on with a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Go on.
    More,
    /// That was enough.
    Stop,
}

/// Returns the record of this index, `None` if there is no such durable entry.
pub(crate) fn record(shared: &Shared, ledger: usize, index: u64) -> Result<Option<StoredRecord>, Fault> {
    let mut found = None;
    scan(shared, ledger, index..index.saturating_add(1), &mut |record| {
        found = Some(record);
        Next::Stop
    })?;
    Ok(found)
}

/// Calls `each` with every durable record of the range, in index order.
pub(crate) fn scan(
    shared: &Shared,
    ledger: usize,
    range: Range<u64>,
    each: &mut dyn FnMut(StoredRecord) -> Next,
) -> Result<(), Fault> {
    let mut at = range.start;
    while at < range.end.min(shared.view.ledger(ledger).end) {
        let (stretch, next) = match stretch(shared, ledger, at, range.end) {
            // Sealing may have moved the records to a segment and removed the file meanwhile: look again.
            Err(Fault::Storage { error, .. })
                if error.kind() == std::io::ErrorKind::NotFound && {
                    at < shared.view.ledger(ledger).sealed
                } =>
            {
                stretch(shared, ledger, at, range.end)?
            }
            other => other?,
        };
        for record in stretch {
            if each(record) == Next::Stop {
                return Ok(());
            }
        }
        at = next;
    }
    Ok(())
}

/// The records from `at` on that lie together, and where to go on.
fn stretch(shared: &Shared, ledger: usize, at: u64, end: u64) -> Result<(Vec<StoredRecord>, u64), Fault> {
    let (sealed, wal, segments) = {
        let view = shared.view.ledger(ledger);
        let wal = view.wal.partition_point(|part| part.first + part.count <= at);
        let wal = view.wal.get(wal).filter(|_| at >= view.sealed).copied();
        let covers = |segment: &&SegmentRef| segment.first <= at && at < segment.end;
        let segments: Vec<SegmentRef> = view.segments.iter().filter(covers).copied().collect();
        (view.sealed, wal, segments)
    };
    match wal {
        Some(part) => {
            let records = OpenPart::read(shared, ledger, &part)?.records()?;
            let end = end.min(part.first + part.count);
            let records = records.into_iter().filter(|record| (at..end).contains(&record.index)).collect();
            Ok((records, part.first + part.count))
        }
        None => {
            // One bundle at a time keeps the memory of a scan small, whatever the range.
            let end = end.min(sealed).min((at / u64::from(TILE_WIDTH) + 1) * u64::from(TILE_WIDTH));
            Ok((segment_records(shared, ledger, &segments, at..end)?, end))
        }
    }
}

/// A part of the write-ahead log, read and opened.
pub(crate) struct OpenPart {
    path: String,
    offset: u64,
    pub first: u64,
    /// The entries, 58 bytes each.
    pub entries: Vec<u8>,
    /// The packed block of the control records; empty if there are none.
    pub clear: Vec<u8>,
    /// The packed block of the other records, decrypted; empty if there are none.
    pub sealed: Vec<u8>,
}

impl OpenPart {
    pub(crate) fn read(shared: &Shared, ledger: usize, at: &WalRef) -> Result<Self, Fault> {
        let path = layout::wal_file(at.file);
        let bytes = shared.disk.read_at(&path, at.offset, at.len).doing("reading the write-ahead log")?;
        let damaged = |reason: &str| Fault::damaged_at(&path, at.offset, reason);
        let (group, ..) = Group::decode(&bytes).map_err(|error| damaged(error.reason))?;
        let id = shared.ledgers[ledger].id;
        let part = group.parts.iter().find(|part| part.ledger == id && part.first == at.first);
        let part = part.ok_or_else(|| damaged("the group does not hold the entries it should"))?;
        let sealed = match part.sealed {
            [] => Vec::new(),
            sealed => {
                let place = wal_place(at.file, group.number, id, part.first, part.count());
                let opened = shared.keys.data_key(&at.key_id)?.open(&place.aad(), sealed);
                opened.map_err(|_| damaged("a block does not open"))?
            }
        };
        let (entries, clear) = (part.entries.to_vec(), part.clear.to_vec());
        Ok(Self { path, offset: at.offset, first: at.first, entries, clear, sealed })
    }

    /// Index after its last entry.
    pub(crate) fn end(&self) -> u64 {
        self.first + (self.entries.len() / ENTRY_LEN) as u64
    }

    /// First index, index after the last, and number of its records that are not control records.
    pub(crate) fn span_of_events(&self) -> Option<(u64, u64, u32)> {
        let is_event = |entry: &[u8]| Entry::decode(entry).is_ok_and(|entry| !entry.kind.is_control());
        let events =
            (self.first..).zip(self.entries.chunks_exact(ENTRY_LEN)).filter(|(_, entry)| is_event(entry));
        events.map(|(index, _)| index).fold(None, |span, index| match span {
            None => Some((index, index + 1, 1)),
            Some((first, _, count)) => Some((first, index + 1, count + 1)),
        })
    }

    /// Calls `each` with every control record.
    pub(crate) fn each_clear(&self, each: impl FnMut(&BlockRecord<'_>)) -> Result<(), Fault> {
        self.each(&self.clear, each)
    }

    /// Calls `each` with every other record.
    pub(crate) fn each_sealed(&self, each: impl FnMut(&BlockRecord<'_>)) -> Result<(), Fault> {
        self.each(&self.sealed, each)
    }

    fn each(&self, packed: &[u8], mut each: impl FnMut(&BlockRecord<'_>)) -> Result<(), Fault> {
        if !packed.is_empty() {
            let block = Unpacked::unpack(packed);
            let block = block.map_err(|error| Fault::damaged_at(&self.path, self.offset, error.reason))?;
            block.records().for_each(|record| each(&record));
        }
        Ok(())
    }

    /// All its records with their entries, in index order.
    fn records(&self) -> Result<Vec<StoredRecord>, Fault> {
        let mut records = Vec::with_capacity(self.entries.len() / ENTRY_LEN);
        let mut take = |record: &BlockRecord<'_>| {
            let entry = record.index.checked_sub(self.first).map(|at| at as usize * ENTRY_LEN);
            if let Some(entry) = entry.and_then(|at| self.entries.get(at..at + ENTRY_LEN)) {
                records.push(stored(record, entry));
            }
        };
        self.each_clear(&mut take)?;
        self.each_sealed(&mut take)?;
        records.sort_by_key(|record| record.index);
        Ok(records)
    }
}

/// The records of a range within one bundle, from the segments that cover it.
fn segment_records(
    shared: &Shared,
    ledger: usize,
    segments: &[SegmentRef],
    range: Range<u64>,
) -> Result<Vec<StoredRecord>, Fault> {
    let entries = bundle_entries(shared, ledger, range.start / u64::from(TILE_WIDTH))?;
    let mut records = Vec::new();
    for segment in segments {
        let open = OpenSegment::open(shared, ledger, *segment)?;
        let first = open.directory.blocks.partition_point(|row| row.end <= range.start);
        for at in first..open.directory.blocks.len() {
            if open.directory.blocks[at].first >= range.end {
                break;
            }
            let block = open.block(shared, at)?;
            for record in block.records().filter(|record| range.contains(&record.index)) {
                let entry = (record.index % u64::from(TILE_WIDTH)) as usize * ENTRY_LEN;
                records.push(stored(&record, &entries[entry..entry + ENTRY_LEN]));
            }
        }
    }
    records.sort_by_key(|record| record.index);
    Ok(records)
}

/// The 256 entries of a full bundle, 58 bytes each.
pub(crate) fn bundle_entries(shared: &Shared, ledger: usize, index: u64) -> Result<Vec<u8>, Fault> {
    let path = layout::resource(&shared.ledgers[ledger].name, &bundle_path(index, TILE_WIDTH));
    let bytes = shared.disk.read(&path).doing("reading a bundle")?;
    full_bundle(&path, &bytes)
}

/// Decodes a full bundle of our entries.
pub(crate) fn full_bundle(path: &str, bytes: &[u8]) -> Result<Vec<u8>, Fault> {
    let entries = decode_bundle(bytes).map_err(|error| Fault::damaged(path, error))?;
    if entries.len() != usize::from(TILE_WIDTH) || entries.iter().any(|entry| entry.len() != ENTRY_LEN) {
        return Err(Fault::damaged(path, "the bundle is not full of entries"));
    }
    Ok(entries.concat())
}

fn stored(record: &BlockRecord<'_>, entry: &[u8]) -> StoredRecord {
    let mut bytes = [0; ENTRY_LEN];
    bytes.copy_from_slice(entry);
    StoredRecord {
        index: record.index,
        entry: bytes,
        opening: record.opening.clone(),
        facets: record.facets.map(<[u8]>::to_vec),
    }
}

/// A segment whose directory has been read.
struct OpenSegment {
    path: String,
    directory: Directory,
    sealer: Option<Arc<Sealer>>,
}

impl OpenSegment {
    fn open(shared: &Shared, ledger: usize, at: SegmentRef) -> Result<Self, Fault> {
        let file = layout::segment_file(at.class, at.first, at.end, at.generation);
        let path = layout::resource(&shared.ledgers[ledger].name, &file);
        let read = |offset: u64, len: u64| {
            shared.disk.read_at(&path, offset, len as usize).doing("reading a segment")
        };
        let damaged = |error: evidence::DecodeError| Fault::damaged_at(&path, error.offset, error.reason);
        let len = shared.disk.len(&path).doing("reading a segment")?;
        let len = len.ok_or_else(|| Fault::damaged(&path, "the segment is missing"))?;
        let body = len.saturating_sub(segment::TRAILER_LEN as u64);
        let footer =
            Directory::footer_offset(&read(body, segment::TRAILER_LEN as u64)?, len).map_err(damaged)?;
        let header = read(0, segment::HEADER_LEN as u64)?;
        let directory = Directory::decode(&header, &read(footer, body - footer)?, footer).map_err(damaged)?;
        let sealer = match at.class {
            Class::Events => Some(shared.keys.data_key(&directory.header.key_id)?),
            Class::Control => None,
        };
        Ok(Self { path, directory, sealer })
    }

    fn block(&self, shared: &Shared, at: usize) -> Result<Unpacked, Fault> {
        let row = &self.directory.blocks[at];
        let bytes =
            shared.disk.read_at(&self.path, row.offset, row.len as usize).doing("reading a segment")?;
        self.directory.open_block(at, &bytes, self.sealer.as_deref()).map_err(|error| {
            let reason = match error {
                BlockError::Damaged(reason) => reason,
                BlockError::NotAuthentic => "the block does not open with its key",
                BlockError::NoKey => "the block is encrypted where none should be",
            };
            Fault::damaged_at(&self.path, row.offset, reason)
        })
    }
}
