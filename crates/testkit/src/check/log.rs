use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use evidence::block::Unpacked;
use evidence::layout;
use evidence::register::Registered;
use evidence::seal::{FileType, Place};
use evidence::wal::{self, FileHeader, Found, Part, Tail};
use record::entry::{ENTRY_LEN, Entry};
use sha2::{Digest, Sha256};
use storage::Disk;

use super::keys::{Keys, names};
use super::{Stored, Violation, broken, read};

/// An entry and its record from the write-ahead log.
pub(super) struct Logged {
    pub entry: [u8; ENTRY_LEN],
    pub stored: Arc<Stored>,
}

/// What the write-ahead log holds.
pub(super) struct Log {
    pub files: usize,
    /// By ledger id and index.
    pub ledgers: HashMap<[u8; 32], BTreeMap<u64, Logged>>,
    /// Torn tails: file number, offset, bytes.
    pub torn: Vec<(u64, u64, Vec<u8>)>,
}

/// Reads all files and checks that they continue one another and lead to where the register says.
pub(super) fn read_log(data: &dyn Disk, keys: &Keys, register: &Registered) -> Result<Log, Violation> {
    let mut files = Vec::new();
    for (number, name) in (register.wal_floor..).zip(names(data, layout::WAL)?) {
        let path = layout::wal_file(number);
        if path != format!("{}/{name}", layout::WAL) {
            return broken(format!("{}/{name}", layout::WAL), format!("expected is {path}"));
        }
        let bytes = read(data, &path)?;
        files.push((path, bytes));
    }
    let mut log = Log { files: files.len(), ledgers: HashMap::new(), torn: Vec::new() };
    let mut sizes: HashMap<[u8; 32], u64> = HashMap::new();
    let mut position_seen = false;
    for (at, (path, bytes)) in files.iter().enumerate() {
        let scan = wal::scan(bytes, 0).or_else(|error| broken(path, error))?;
        let header = &scan.header.0;
        if header.number != register.wal_floor + at as u64 {
            return broken(path, "the header has another number than the name");
        }
        let kept = match files.get(at + 1) {
            Some((next, bytes)) => {
                let previous = FileHeader::decode(bytes).or_else(|error| broken(next, error))?.0.previous;
                let len = files[at].1.len() as u64;
                let rest = files[at].1.get(previous.kept as usize..).unwrap_or_default();
                let rest: [u8; 32] = Sha256::digest(rest).into();
                let found = (header.number, scan.chain_at(previous.kept), len, rest);
                if found != (previous.number, Some(previous.chain), previous.length, previous.rest) {
                    return broken(path, "it is not what the next file's header says");
                }
                previous.kept
            }
            None if scan.tail != Tail::Clean => return broken(path, "the file being written has a bad end"),
            None => scan.end,
        };
        match &scan.tail {
            Tail::Corrupt(error) => return broken(path, error),
            Tail::Torn => log.torn.push((header.number, scan.end, bytes[scan.end as usize..].to_vec())),
            Tail::Clean => {}
        }
        if register.wal.file == header.number {
            position_seen = true;
            if scan.chain_at(register.wal.offset) != Some(register.wal.chain) || register.wal.offset > kept {
                return broken(path, "the register names a group that is not there");
            }
        }
        for found in scan.groups.iter().filter(|found| found.offset < kept) {
            let position = (header.number, found.offset + found.len as u64);
            let covered = position <= (register.wal.file, register.wal.offset);
            for part in &found.group.parts {
                if covered {
                    let size = sizes.entry(part.ledger).or_default();
                    *size = part.end().max(*size);
                }
                take(path, header, found, part, keys, log.ledgers.entry(part.ledger).or_default())?;
            }
        }
    }
    if !position_seen && register.wal.file != 0 {
        return broken(layout::REGISTER, "the write-ahead file it names is not there");
    }
    for state in &register.ledgers {
        let size = sizes.get(&state.id).copied().unwrap_or_default().max(state.sealed);
        if size != state.size {
            let what = format!("size {} but the log up to its position has {size}", state.size);
            return broken(format!("register, ledger {}", state.name), what);
        }
    }
    if let Some(unknown) = log.ledgers.keys().find(|id| register.ledgers.iter().all(|l| l.id != **id)) {
        return broken("write-ahead log", format!("unknown ledger {}", evidence::hex::encode(unknown)));
    }
    Ok(log)
}

/// Takes the records of one part.
fn take(
    path: &str,
    header: &FileHeader,
    found: &Found<'_>,
    part: &Part<'_>,
    keys: &Keys,
    into: &mut BTreeMap<u64, Logged>,
) -> Result<(), Violation> {
    let place = format!("{path}, group at {}", found.offset);
    let mut records = BTreeMap::new();
    let mut unpack = |packed: &[u8], control: bool| {
        let block = Unpacked::unpack(packed).or_else(|error| broken(&place, error))?;
        for record in block.records() {
            let entry = record.index.checked_sub(part.first);
            let entry = entry.and_then(|at| part.entries.chunks_exact(ENTRY_LEN).nth(at as usize));
            let Some(Ok(entry)) = entry.map(Entry::decode) else {
                return broken(&place, format!("record {} has no entry", record.index));
            };
            if entry.kind.is_control() != control {
                return broken(&place, format!("record {} is in the wrong block", record.index));
            }
            let facets = record.facets.map(<[u8]>::to_vec);
            if records.insert(record.index, Arc::new(Stored { opening: record.opening, facets })).is_some() {
                return broken(&place, format!("record {} is there twice", record.index));
            }
        }
        Ok(())
    };
    if !part.clear.is_empty() {
        unpack(part.clear, true)?;
    }
    if !part.sealed.is_empty() {
        let aad = Place {
            ledger: part.ledger,
            file_type: FileType::Wal,
            file: header.number,
            generation: 0,
            block: found.group.number,
            first: part.first,
            count: part.count() as u32,
            last: false,
        };
        let opened = keys.data(&header.key_id, path)?.open(&aad.aad(), part.sealed);
        match opened {
            Ok(packed) => unpack(&packed, false)?,
            Err(_) => return broken(place, "the sealed block does not open"),
        }
    }
    for (index, bytes) in (part.first..).zip(part.entries.chunks_exact(ENTRY_LEN)) {
        let mut entry = [0; ENTRY_LEN];
        entry.copy_from_slice(bytes);
        let Some(stored) = records.remove(&index) else {
            return broken(place, format!("entry {index} has no record"));
        };
        // A part that was carried forward is there twice until its old file is removed.
        match into.get(&index) {
            Some(known) if known.entry != entry || known.stored != stored => {
                return broken(place, format!("entry {index} is in the log twice, and not the same"));
            }
            Some(_) => {}
            None => drop(into.insert(index, Logged { entry, stored })),
        }
    }
    Ok(())
}
