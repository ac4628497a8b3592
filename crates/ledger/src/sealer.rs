//! Sealing: payloads move from the write-ahead log into segments, and only what has been synced, read back and
//! verified down to the payload digests lets a write-ahead file go (DESIGN section 4).

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use env::random;
use evidence::layout;
use evidence::register::Registered;
use evidence::segment::{self, ALIGN, Class, Header, PackedBlock, SegmentWriter};
use evidence::wal::{self, FileHeader};
use record::control::Sealed;
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::facet::{Facet, FacetDraft};
use record::stored;
use sha2::{Digest, Sha256};
use storage::Objects;
use tlog::hash::leaf_hash;
use tlog::tile::{TILE_WIDTH, Tile, bundle_path, decode_tile, full_tiles};
use tlog::tree::Frontier;

use crate::fault::{Doing, Fault};
use crate::reader::{OpenPart, full_bundle};
use crate::shared::Shared;
use crate::sources::Sources;
use crate::view::{SegmentRef, WalRef};

/// Compressed bytes after which a segment is closed, so that it fits in memory and in one upload.
const SEGMENT_BYTES: u64 = 32 << 20;

/// Packed bytes from which a block of the write-ahead log goes into a segment without being packed again.
const MOVED_BLOCK: usize = 48 << 10;

/// Write-ahead files after which unsealed entries are copied forward instead of keeping the file.
const CARRY_AFTER: u64 = 3;
/// Ledgers with more unsealed entries than this are sealed soon, so nothing of them is copied.
const CARRY_BELOW: u64 = 4 * ALIGN;

/// Seals ranges of each ledger, in order.
pub(crate) struct Sealer {
    shared: Arc<Shared>,
    ledgers: Vec<SealedEnd>,
    /// Segments that were prepared and whose records may not have been entered.
    unentered: Option<Prepared>,
}

/// What is known as of the end of the sealed range.
struct SealedEnd {
    frontier: Frontier,
    sources: Sources,
}

/// Segments that are written, synced and verified, but not yet on record.
pub(crate) struct Prepared {
    ledger: usize,
    range: Range<u64>,
    segments: Vec<SegmentRef>,
    end: SealedEnd,
    /// The records to enter before [`Sealer::finish`].
    pub records: Vec<(Kind, FacetDraft)>,
}

impl Prepared {
    /// Which ledger.
    pub(crate) fn ledger(&self) -> usize {
        self.ledger
    }
}

impl Sealer {
    /// Takes up what the register says is sealed. Segments beyond it were being written when the server was cut
    /// off: those on record (`recorded`, by ledger) are verified and taken over, others are dropped, since the
    /// write-ahead log still holds all they do.
    pub(crate) fn restore(
        shared: Arc<Shared>,
        registered: &Registered,
        recorded: &[Vec<Sealed>],
    ) -> Result<Self, Fault> {
        let mut sealer = Self { shared, ledgers: Vec::new(), unentered: None };
        for (ledger, state) in registered.ledgers.iter().enumerate() {
            let frontier = Frontier::restore(state.sealed, state.sealed_frontier.clone());
            let frontier = frontier.map_err(|error| Fault::damaged(layout::REGISTER, error))?;
            sealer.ledgers.push(SealedEnd { frontier, sources: Sources::restore(&state.sources) });
            let mut live = Vec::new();
            for class in [Class::Events, Class::Control] {
                let dir = layout::segment_dir(&state.name, class);
                for file in sealer.shared.disk.list(&dir).doing("looking for segments")? {
                    let path = format!("{dir}/{}", file.name);
                    let (first, end, generation) = layout::parse_segment_name(class, &file.name)
                        .ok_or_else(|| Fault::damaged(&path, "not the name of a segment"))?;
                    let known = |sealed: &Sealed| layout::resource(&state.name, &sealed.file) == path;
                    if end <= state.sealed {
                        live.push(SegmentRef { class, first, end, generation });
                    } else if !recorded[ledger].iter().any(known) {
                        sealer.drop_segment(&path)?;
                    }
                }
            }
            live.sort_by_key(|segment| (segment.first, segment.class));
            sealer.shared.view.sealed(ledger, state.sealed, &live);
            sealer.take_over(ledger, &recorded[ledger])?;
        }
        Ok(sealer)
    }

    /// Finishes the sealing of ranges whose records were durable when the server was cut off.
    fn take_over(&mut self, ledger: usize, recorded: &[Sealed]) -> Result<(), Fault> {
        let mut ranges: Vec<Range<u64>> = recorded.iter().map(|sealed| sealed.first..sealed.end).collect();
        ranges.dedup();
        for range in ranges {
            let of_range = recorded.iter().filter(|sealed| sealed.first == range.start);
            let segments = of_range.map(|sealed| {
                let class = match sealed.class {
                    record::control::SealedClass::Events => Class::Events,
                    record::control::SealedClass::Control => Class::Control,
                };
                SegmentRef { class, first: sealed.first, end: sealed.end, generation: sealed.generation }
            });
            let segments: Vec<SegmentRef> = segments.collect();
            self.shared.disk.sync_all().doing("syncing tiles and bundles")?;
            let end = self.verify(ledger, &range, &segments)?;
            self.finish(Prepared { ledger, range, segments, end, records: Vec::new() })?;
        }
        Ok(())
    }

    /// Writes and verifies the next segments, if any are due. `all` seals every whole bundle at once.
    pub(crate) fn prepare(&self, all: bool) -> Result<Option<Prepared>, Fault> {
        for ledger in 0..self.ledgers.len() {
            if let Some(range) = self.due(ledger, all) {
                return self.prepare_range(ledger, range).map(Some);
            }
        }
        Ok(None)
    }

    /// The range to seal next in a ledger, if it is large or old enough.
    fn due(&self, ledger: usize, all: bool) -> Option<Range<u64>> {
        let options = &self.shared.options;
        let view = self.shared.view.ledger(ledger);
        let committed = view.published.as_ref()?.checkpoint.size;
        let first = view.sealed;
        let limit = first + options.seal_entries.max(ALIGN) / ALIGN * ALIGN;
        let (mut end, mut bytes) = (first, 0);
        for part in &view.wal {
            if bytes >= SEGMENT_BYTES || end >= limit {
                break;
            }
            bytes += part.len as u64;
            end = part.first + part.count;
        }
        let full = bytes >= SEGMENT_BYTES || end.min(committed) >= limit;
        let end = end.min(committed).min(limit) / ALIGN * ALIGN;
        let age = self.shared.env.now_ms().saturating_sub(view.wal.front()?.received_ms);
        let old = u128::from(age) >= options.seal_age.as_millis();
        (end > first && (full || old || all)).then_some(first..end)
    }

    fn prepare_range(&self, ledger: usize, range: Range<u64>) -> Result<Prepared, Fault> {
        let identity = &self.shared.ledgers[ledger];
        let generation = 0;
        let file = |class| layout::segment_file(class, range.start, range.end, generation);
        let path = |class| layout::resource(&identity.name, &file(class));
        let (key_id, key) =
            self.shared.keys.create_data_key(self.shared.env.as_ref(), &path(Class::Events))?;
        let header = |class, key_id| Header {
            ledger: identity.id,
            class,
            generation,
            first: range.start,
            end: range.end,
            key_id,
        };
        let level = self.shared.options.segment_level;
        let mut events = SegmentWriter::new(header(Class::Events, key_id), Some(&key), level);
        let mut control = SegmentWriter::new(header(Class::Control, [0; 16]), None, level);
        let nonce = || random(self.shared.env.as_ref());
        let parts: Vec<_> = {
            let view = self.shared.view.ledger(ledger);
            view.wal.iter().take_while(|part| part.first < range.end).copied().collect()
        };
        for part in parts {
            let part = OpenPart::read(&self.shared, ledger, &part)?;
            // A large block inside the range moves as it is: only its encryption is of another place.
            if part.sealed.len() >= MOVED_BLOCK && range.contains(&part.first) && part.end() <= range.end {
                if let Some((first, end, count)) = part.span_of_events() {
                    let bytes = part.sealed.clone();
                    events.push_packed(PackedBlock { first, end, count, bytes }, nonce);
                }
            } else {
                part.each_sealed(|record| {
                    if range.contains(&record.index) {
                        events.push(record, nonce);
                    }
                })?;
            }
            part.each_clear(|record| {
                if range.contains(&record.index) {
                    control.push(record, nonce);
                }
            })?;
        }
        let (mut segments, mut records) = (Vec::new(), Vec::new());
        for (class, bytes) in [(Class::Events, events.finish(nonce)), (Class::Control, control.finish(nonce))]
        {
            let Some(bytes) = bytes else {
                if class == Class::Events {
                    self.shared.keys.destroy_data_key(&key_id)?;
                }
                continue;
            };
            self.shared.objects.put(&path(class), &bytes).doing("storing a segment")?;
            let (first, end) = (range.start, range.end);
            segments.push(SegmentRef { class, first, end, generation });
            let sealed = Sealed {
                file: file(class),
                class: match class {
                    Class::Events => record::control::SealedClass::Events,
                    Class::Control => record::control::SealedClass::Control,
                },
                generation,
                first,
                end,
                length: bytes.len() as u64,
                sha256: Sha256::digest(&bytes).into(),
                supersedes: None,
            };
            records.push((Kind::Sealed, sealed.to_draft()));
        }
        self.shared.disk.sync_all().doing("syncing tiles and bundles")?;
        let end = self.verify(ledger, &range, &segments)?;
        Ok(Prepared { ledger, range, segments, end, records })
    }

    /// Reads segments, bundles and tiles of a range back from the medium and checks every payload against its
    /// entry and every entry against the tree. That facets are canonical was seen when they were entered, and bytes
    /// with the same digests are the same bytes.
    fn verify(&self, ledger: usize, range: &Range<u64>, segments: &[SegmentRef]) -> Result<SealedEnd, Fault> {
        let (name, id) = (&self.shared.ledgers[ledger].name, &self.shared.ledgers[ledger].id);
        let before = &self.ledgers[ledger];
        let mut end = SealedEnd { frontier: before.frontier.clone(), sources: before.sources.clone() };
        let mut entries = Vec::with_capacity((range.end - range.start) as usize * ENTRY_LEN);
        for index in range.start / ALIGN..range.end / ALIGN {
            let path = layout::resource(name, &bundle_path(index, TILE_WIDTH));
            let bundle = full_bundle(&path, &self.read_medium(&path)?)?;
            let path = layout::resource(name, &Tile::full(0, index).path());
            let tile =
                decode_tile(&self.read_medium(&path)?, TILE_WIDTH).map_err(|e| Fault::damaged(&path, e))?;
            for (entry, leaf) in bundle.chunks_exact(ENTRY_LEN).zip(tile) {
                if leaf_hash(entry) != leaf {
                    return Err(Fault::damaged(path, "a leaf hash is not its entry's"));
                }
                end.frontier.push(leaf);
            }
            entries.extend_from_slice(&bundle);
        }
        self.verify_upper_tiles(name, range)?;
        let (mut seen, mut opened) = (0, BTreeMap::new());
        for at in segments {
            let path =
                layout::resource(name, &layout::segment_file(at.class, at.first, at.end, at.generation));
            let bytes = self.read_medium(&path)?;
            let damaged = |offset, reason: &'static str| Fault::damaged_at(&path, offset, reason);
            let directory = segment::check(&bytes).map_err(|error| damaged(error.offset, error.reason))?;
            let key = match at.class {
                Class::Events => Some(self.shared.keys.data_key(&directory.header.key_id)?),
                Class::Control => None,
            };
            for (number, row) in directory.blocks.iter().enumerate() {
                let block = &bytes[row.offset as usize..][..row.len as usize];
                let block = directory.open_block(number, block, key.as_deref());
                let block = block.map_err(|_| damaged(row.offset, "a block just written does not open"))?;
                for record in block.records() {
                    let entry = (record.index - range.start) as usize * ENTRY_LEN;
                    let entry =
                        entries.get(entry..entry + ENTRY_LEN).and_then(|entry| Entry::decode(entry).ok());
                    let entry = entry.ok_or_else(|| damaged(row.offset, "a record has no entry"))?;
                    stored::check_commitment(&entry, id, &record.opening, &record.facets)
                        .map_err(|error| Fault::damaged_at(&path, row.offset, error))?;
                    if entry.kind == Kind::Source {
                        let source =
                            record::control::SourceRecord::parse(record.facets[Facet::What as usize]);
                        let source = source.map_err(|_| damaged(row.offset, "a source record is not one"))?;
                        opened.insert(record.index, source);
                    }
                    seen += 1;
                }
            }
        }
        if seen != range.end - range.start {
            let reason = format!("the segments hold {seen} records of {}", range.end - range.start);
            return Err(Fault::damaged(layout::ledger_dir(name), reason));
        }
        for (index, entry) in (range.start..).zip(entries.chunks_exact(ENTRY_LEN)) {
            if let Ok(entry) = Entry::decode(entry) {
                end.sources.advance(&entry);
            }
            if let Some(record) = opened.get(&index) {
                end.sources.open(record);
            }
        }
        Ok(end)
    }

    /// Checks the tiles above level 0 that the range completed: each hash is the root of the tile below.
    fn verify_upper_tiles(&self, name: &str, range: &Range<u64>) -> Result<(), Fault> {
        for level in 1..=Tile::MAX_LEVEL {
            let (from, to) = (full_tiles(level, range.start), full_tiles(level, range.end));
            if full_tiles(level, range.end) == 0 {
                break;
            }
            for index in from..to {
                let path = layout::resource(name, &Tile::full(level, index).path());
                let tile = decode_tile(&self.read_medium(&path)?, TILE_WIDTH)
                    .map_err(|e| Fault::damaged(&path, e))?;
                for (child, hash) in (index * ALIGN..).zip(&tile) {
                    let below = layout::resource(name, &Tile::full(level - 1, child).path());
                    let bytes = self.shared.disk.read(&below).doing("reading a tile")?;
                    let mut root = Frontier::new();
                    let hashes = decode_tile(&bytes, TILE_WIDTH).map_err(|e| Fault::damaged(&below, e))?;
                    hashes.into_iter().for_each(|hash| root.push(hash));
                    if root.root() != *hash {
                        return Err(Fault::damaged(path, "a hash is not the root of the tile below"));
                    }
                }
            }
        }
        Ok(())
    }

    /// Keeps in mind segments whose records were not entered, as far as is known here: a fault leaves that open, and
    /// then it is for the next start to look; only [`Sealer::drop_unentered`] is told that there was none.
    pub(crate) fn keep_unentered(&mut self, prepared: Prepared) {
        self.unentered = Some(prepared);
    }

    /// Removes segments that never came on record. A store stopped in order holds none.
    pub(crate) fn drop_unentered(&mut self) -> Result<(), Fault> {
        let Some(Prepared { ledger, segments, .. }) = self.unentered.take() else { return Ok(()) };
        for at in segments {
            let file = layout::segment_file(at.class, at.first, at.end, at.generation);
            self.drop_segment(&layout::resource(&self.shared.ledgers[ledger].name, &file))?;
        }
        Ok(())
    }

    /// Puts verified segments, whose records are durable, into the register, and lets go of the write-ahead files
    /// that nothing needs any more.
    pub(crate) fn finish(&mut self, prepared: Prepared) -> Result<(), Fault> {
        let Prepared { ledger, range, segments, end, .. } = prepared;
        let now = self.shared.env.now_ms();
        self.shared.register.change(now, |register| {
            let state = &mut register.ledgers[ledger];
            state.sealed = range.end;
            state.sealed_frontier = end.frontier.hashes().to_vec();
            state.sources = end.sources.states();
        })?;
        self.ledgers[ledger] = end;
        self.shared.view.sealed(ledger, range.end, &segments);
        self.release_wal()
    }

    /// The parts to carry forward, if ledgers with little in them keep old write-ahead files: everything unsealed that
    /// lies in files from which the log has moved on by [`CARRY_AFTER`].
    pub(crate) fn carry_due(&self) -> Option<Vec<(usize, WalRef)>> {
        let newest = self.shared.register.value().wal.file;
        let limit = newest.checked_sub(CARRY_AFTER)?;
        let mut parts = Vec::new();
        for ledger in 0..self.ledgers.len() {
            let view = self.shared.view.ledger(ledger);
            let old = view.wal.iter().filter(|part| part.file < limit);
            // What is about to be sealed need not be copied first.
            if view.end - view.sealed < CARRY_BELOW {
                parts.extend(old.map(|part| (ledger, *part)));
            }
        }
        parts.truncate(evidence::wal::PARTS_MAX);
        (!parts.is_empty()).then_some(parts)
    }

    /// Removes the write-ahead files before the oldest that is needed: first the register's floor, then the files,
    /// then their keys.
    pub(crate) fn release_wal(&self) -> Result<(), Fault> {
        let register = self.shared.register.value();
        let floor = self.shared.view.oldest_wal_file().unwrap_or(u64::MAX).min(register.wal.file);
        if floor <= register.wal_floor {
            return Ok(());
        }
        self.shared.register.change(self.shared.env.now_ms(), |register| register.wal_floor = floor)?;
        for number in register.wal_floor..floor {
            let path = layout::wal_file(number);
            let header =
                self.shared.disk.read_at(&path, 0, wal::HEADER_LEN).doing("removing a write-ahead file")?;
            self.shared.disk.remove(&path).doing("removing a write-ahead file")?;
            if let Ok((header, _)) = FileHeader::decode(&header) {
                self.shared.keys.destroy_data_key(&header.key_id)?;
            }
        }
        Ok(())
    }

    fn drop_segment(&self, path: &str) -> Result<(), Fault> {
        let header = self.shared.disk.read_at(path, 0, segment::HEADER_LEN).doing("dropping a segment")?;
        self.shared.disk.remove(path).doing("dropping a segment")?;
        match Header::decode(&header) {
            Ok(header) if header.class == Class::Events => self.shared.keys.destroy_data_key(&header.key_id),
            _ => Ok(()),
        }
    }

    fn read_medium(&self, path: &str) -> Result<Vec<u8>, Fault> {
        let len = self.shared.disk.len(path).doing("reading back what was sealed")?;
        let len = len.ok_or_else(|| Fault::damaged(path, "the file is missing"))?;
        self.shared.disk.read_medium(path, 0, len as usize).doing("reading back what was sealed")
    }
}
