//! The write-ahead log as recovery finds it.

use std::collections::BTreeMap;

use evidence::block::Unpacked;
use evidence::layout;
use evidence::register::{LedgerState, Registered, WalPosition};
use evidence::verify::check_part;
use evidence::wal::{self, FileHeader, Found, Part, Previous, Scan};
use record::control::{Cut, Genesis, KeyChange, Sealed, SourceRecord};
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::facet::Facet;
use sha2::{Digest, Sha256};
use storage::{Disk, Objects};
use tlog::hash::leaf_hash;

use crate::fault::{Doing, Fault};
use crate::keystore::KeyStore;
use crate::rekey::KeyRecords;
use crate::shared::Shared;
use crate::sources::Sources;
use crate::view::WalRef;
use crate::writer::{LedgerEnd, OpenFile, WrittenGroup, WrittenPart};

/// All files from the floor on, read whole and checked against one another and the register.
pub(crate) struct Log {
    files: Vec<LogFile>,
}

struct LogFile {
    header: FileHeader,
    path: String,
    bytes: Vec<u8>,
    /// Length up to which its groups count.
    kept: u64,
}

/// Where a ledger's replay has got.
pub(crate) struct LedgerReplay {
    pub end: LedgerEnd,
    /// `sealed` records of ranges that the register does not yet call sealed.
    pub recorded: Vec<Sealed>,
    /// What is not sealed yet of what the ledger says about its keys.
    pub keys: KeyRecords,
    sealed: u64,
}

impl LedgerReplay {
    /// Starts from what is sealed.
    pub(crate) fn start(state: &LedgerState) -> Self {
        let received_ms = if state.sealed == state.size { state.received_ms } else { 0 };
        let sources = Sources::restore(&state.sources);
        let end = LedgerEnd { next: state.sealed, received_ms, sources };
        Self { end, recorded: Vec::new(), keys: KeyRecords::default(), sealed: state.sealed }
    }
}

impl Log {
    /// Reads all files and checks that they continue one another.
    ///
    /// # Errors
    /// A damaged group that was acknowledged is corruption: the place is told and nothing is written.
    pub(crate) fn read(disk: &dyn Disk, keys: &KeyStore, registered: &Registered) -> Result<Self, Fault> {
        let names = disk.list(layout::WAL).doing("reading the write-ahead log")?;
        let mut numbers: Vec<u64> =
            names.iter().filter_map(|entry| layout::parse_wal_name(&entry.name)).collect();
        // Files below the floor were to be removed when the server was cut off.
        for old in numbers.extract_if(.., |number| *number < registered.wal_floor) {
            let path = layout::wal_file(old);
            let header = disk.read_at(&path, 0, wal::HEADER_LEN).doing("removing an old write-ahead file")?;
            disk.remove(&path).doing("removing an old write-ahead file")?;
            if let Ok((header, _)) = FileHeader::decode(&header) {
                keys.destroy_data_key(&header.key_id)?;
            }
        }
        let missing = (registered.wal_floor..).zip(&numbers).find(|(expected, number)| expected != *number);
        let missing = missing.map(|(missing, _)| missing).or_else(|| {
            let end = registered.wal_floor + numbers.len() as u64;
            (registered.wal.file >= end).then_some(end)
        });
        if let Some(missing) = missing {
            return Err(Fault::damaged(layout::wal_file(missing), "the write-ahead file is missing"));
        }
        let mut files: Vec<LogFile> = Vec::new();
        for number in numbers {
            let path = layout::wal_file(number);
            // From the medium: after a failed sync the page cache may go on showing groups that are not on it.
            let len = disk.len(&path).doing("reading the write-ahead log")?.unwrap_or_default();
            let bytes = disk.read_medium(&path, 0, len as usize).doing("reading the write-ahead log")?;
            let header =
                FileHeader::decode(&bytes).map_err(|e| Fault::damaged_at(&path, e.offset, e.reason))?.0;
            if header.number != number {
                return Err(Fault::damaged_at(path, 8, "the file has another number than its name"));
            }
            files.push(LogFile { header, path, bytes, kept: 0 });
        }
        for at in 0..files.len() {
            let next = files.get(at + 1).map(|next| next.header.previous.clone());
            let file = &files[at];
            let checked = wal::check(
                &file.bytes,
                file.header.number,
                next.as_ref(),
                &registered.wal,
                registered.stopped,
            );
            files[at].kept = checked.map_err(|error| file.damaged(error.offset, error.reason))?.1;
        }
        Ok(Self { files })
    }

    /// The bytes after the last good group, if there are any: they were never acknowledged.
    pub(crate) fn torn(&self) -> Option<Cut> {
        let last = self.files.last()?;
        let torn = last.bytes.get(last.kept as usize..).filter(|torn| !torn.is_empty())?;
        Some(Cut {
            file: layout::set_aside(last.header.number, last.kept),
            offset: last.kept,
            length: torn.len() as u64,
            sha256: Sha256::digest(torn).into(),
        })
    }

    /// Replays all groups onto the ends of the ledgers. Returns the parts that the register covers, for restoring the
    /// trees, and the groups beyond it, for publishing.
    ///
    /// Parts are taken by index, not by place: one that was carried forward lies behind newer ones.
    pub(crate) fn replay(
        &self,
        shared: &Shared,
        registered: &Registered,
        ledgers: &mut [LedgerReplay],
    ) -> Result<(Vec<WrittenPart>, Vec<WrittenGroup>), Fault> {
        let scans = self.files.iter().map(LogFile::scan).collect::<Result<Vec<_>, _>>()?;
        let (mut beyond, mut parts) = (Vec::new(), Vec::new());
        for (file, scan) in self.files.iter().zip(&scans) {
            for found in scan.groups.iter().filter(|found| found.offset < file.kept) {
                let (number, offset) = (file.header.number, found.offset + found.len as u64);
                let past = (number, offset) > (registered.wal.file, registered.wal.offset);
                if past {
                    check_payloads(shared, file, found)?;
                }
                let at = beyond.len();
                if past {
                    let end = WalPosition { file: number, offset, chain: found.hash };
                    beyond.push(WrittenGroup { end, parts: Vec::new() });
                }
                parts.extend(found.group.parts.iter().map(|part| (part, file, found, past.then_some(at))));
            }
        }
        parts.sort_by_key(|(part, ..)| part.first);
        let mut covered = Vec::new();
        for (part, file, found, group) in parts {
            let Some(part) = replay_part(shared, file, found, part, ledgers)? else { continue };
            match group.and_then(|at| beyond.get_mut(at)) {
                Some(group) if part.first >= registered.ledgers[part.ledger].size => group.parts.push(part),
                _ => covered.push(part),
            }
        }
        for (ledger, replay) in ledgers.iter().enumerate() {
            let mut view = shared.view.ledger(ledger);
            view.end = replay.end.next;
            view.sealed = replay.sealed;
        }
        Ok((covered, beyond))
    }

    /// Opens the next file for writing and copies into it every group of the last file that the register does not
    /// cover: after a kill the page cache may show bytes that never reached the disk. Torn bytes are set aside.
    pub(crate) fn continue_in_new_file(
        &self,
        shared: &Shared,
        registered: &Registered,
        beyond: &mut [WrittenGroup],
    ) -> Result<OpenFile, Fault> {
        let Some(last) = self.files.last() else {
            return OpenFile::begin(shared, Previous::default());
        };
        if let Some(cut) = self.torn() {
            let torn = &last.bytes[last.kept as usize..];
            shared.objects.put(&cut.file, torn).doing("setting a torn tail aside")?;
        }
        let scan = last.scan()?;
        let (kept, chain) = match registered.wal.file == last.header.number {
            true => (registered.wal.offset, registered.wal.chain),
            false => (wal::HEADER_LEN as u64, scan.header.1),
        };
        let rest = Sha256::digest(&last.bytes[kept as usize..]).into();
        let number = last.header.number;
        let previous = Previous { number, kept, chain, length: last.bytes.len() as u64, rest };
        let mut file = OpenFile::begin(shared, previous)?;
        let key = shared.keys.data_key(&last.header.key_id)?;
        for found in scan.groups.iter().filter(|found| found.offset >= kept && found.offset < last.kept) {
            let end = file.copy(shared, last.header.number, found, &key)?;
            let old = (number, found.offset + found.len as u64);
            if let Some(group) = beyond.iter_mut().find(|group| (group.end.file, group.end.offset) == old) {
                group.end = end;
            }
        }
        Ok(file)
    }
}

impl LogFile {
    fn scan(&self) -> Result<Scan<'_>, Fault> {
        wal::scan(&self.bytes, 0).map_err(|error| self.damaged(error.offset, error.reason))
    }

    fn damaged(&self, offset: u64, reason: &'static str) -> Fault {
        Fault::damaged_at(&self.path, offset, reason)
    }
}

/// Replays one part; returns what of it is new, if anything.
fn replay_part(
    shared: &Shared,
    file: &LogFile,
    found: &Found<'_>,
    part: &Part<'_>,
    ledgers: &mut [LedgerReplay],
) -> Result<Option<WrittenPart>, Fault> {
    let ledger = shared.ledgers.iter().position(|ledger| ledger.id == part.ledger);
    let ledger = ledger.ok_or_else(|| {
        file.damaged(found.offset, "a group is of a ledger that the register does not name")
    })?;
    let replay = &mut ledgers[ledger];
    if part.end() <= replay.sealed {
        return Ok(None);
    }
    let at = WalRef {
        first: part.first,
        count: part.count(),
        file: file.header.number,
        offset: found.offset,
        len: found.len,
        group: found.group.number,
        key_id: file.header.key_id,
        received_ms: Entry::decode(&part.entries[..ENTRY_LEN]).map_or(0, |entry| entry.received_ms),
    };
    if part.end() <= replay.end.next {
        shared.view.moved(ledger, part.first, (at.file, at.offset, at.len, at.group, at.key_id));
        return Ok(None);
    }
    if part.first > replay.end.next || (part.first < replay.end.next && replay.end.next != replay.sealed) {
        return Err(file.damaged(found.offset, "a group does not continue its ledger"));
    }
    shared.view.ledger(ledger).wal.push_back(at);
    let first = replay.end.next;
    let entries = &part.entries[(first - part.first) as usize * ENTRY_LEN..];
    let payloads = payloads(part).map_err(|reason| file.damaged(found.offset, reason))?;
    let mut leaves = Vec::with_capacity(entries.len() / ENTRY_LEN);
    for (index, bytes) in (first..).zip(entries.chunks_exact(ENTRY_LEN)) {
        let entry = Entry::decode(bytes).map_err(|_| file.damaged(found.offset, "an entry is not one"))?;
        replay.end.received_ms = entry.received_ms;
        replay.end.sources.advance(&entry);
        match payloads.get(&index) {
            Some(Payload::Source(record)) => replay.end.sources.open(record),
            Some(Payload::Sealed(record)) if record.first >= replay.sealed => {
                replay.recorded.push(record.clone())
            }
            Some(Payload::Genesis(genesis)) if index == 0 => replay.keys.genesis = Some(genesis.clone()),
            Some(Payload::Key(change)) => replay.keys.changes.push((index, change.clone())),
            _ => {}
        }
        leaves.push(leaf_hash(bytes));
    }
    replay.end.next = part.end();
    Ok(Some(WrittenPart {
        ledger,
        first,
        entries: entries.to_vec(),
        leaves,
        received_ms: replay.end.received_ms,
    }))
}

/// Opens the payloads of a group that no signature covers yet and checks them against its entries, so that nobody
/// without the keys can add events to the end of the log and have the next start sign them.
fn check_payloads(shared: &Shared, file: &LogFile, found: &Found<'_>) -> Result<(), Fault> {
    let key = shared.keys.data_key(&file.header.key_id)?;
    for part in &found.group.parts {
        let damage = check_part(file.header.number, found, part, Some(&key));
        if let Some(damage) = damage.into_iter().next() {
            return Err(Fault::damaged_at(&file.path, found.offset, damage.detail));
        }
    }
    Ok(())
}

/// What recovery needs to know of a control record.
enum Payload {
    Source(SourceRecord),
    Sealed(Sealed),
    Genesis(Genesis),
    Key(KeyChange),
}

/// The payloads of a part that recovery needs, by index.
fn payloads(part: &Part<'_>) -> Result<BTreeMap<u64, Payload>, &'static str> {
    let kind = |entry: &[u8]| entry.get(1).copied().and_then(Kind::from_u8);
    let needed =
        |kind: Option<Kind>| matches!(kind, Some(Kind::Source | Kind::Sealed | Kind::Genesis | Kind::Key));
    let mut payloads = BTreeMap::new();
    if !part.entries.chunks_exact(ENTRY_LEN).any(|entry| needed(kind(entry))) {
        return Ok(payloads);
    }
    let block = Unpacked::unpack(part.clear).map_err(|error| error.reason)?;
    for record in block.records() {
        let entry = part.entries.chunks_exact(ENTRY_LEN).nth((record.index - part.first) as usize);
        let what = record.facets[Facet::What as usize];
        let payload = match entry.and_then(kind) {
            Some(Kind::Source) => {
                Payload::Source(SourceRecord::parse(what).map_err(|_| "a source record is not one")?)
            }
            Some(Kind::Sealed) => {
                Payload::Sealed(Sealed::parse(what).map_err(|_| "a sealed record is not one")?)
            }
            Some(Kind::Genesis) => {
                Payload::Genesis(Genesis::parse(what).map_err(|_| "a genesis record is not one")?)
            }
            Some(Kind::Key) => {
                Payload::Key(KeyChange::parse(what).map_err(|_| "a record of a new key is not one")?)
            }
            _ => continue,
        };
        payloads.insert(record.index, payload);
    }
    Ok(payloads)
}
