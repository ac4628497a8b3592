//! Write-ahead log: files of hash-chained groups (docs/format.md, "Write-ahead log").
//!
//! A group is what one `fdatasync` made durable. It carries the hash of the group before it and how far the
//! file was known synced when it was written, which is what tells a torn tail from corruption.

use sha2::{Digest, Sha256};

use crate::reader::{DecodeError, Reader};
use crate::register::WalPosition;

/// Length of a file header in bytes.
pub const HEADER_LEN: usize = 160;
/// Longest group in bytes: one event of the largest size with its facets, and room for its neighbours.
pub const GROUP_MAX: usize = 512 << 20;
/// Most parts in a group.
pub const PARTS_MAX: usize = 1024;
/// Most entries in a part.
pub const PART_ENTRIES_MAX: usize = 1 << 20;

const FILE_MAGIC: &[u8; 8] = b"LSTNWAL1";
const GROUP_MAGIC: &[u8; 4] = b"LSGR";
const GROUP_HEAD: usize = 4 + 4 + 16 + 8 + 8 + 32 + 2;
const HASH_LEN: usize = 32;
const ENTRY: usize = record::entry::ENTRY_LEN;

/// The head of a write-ahead file; it also fixes what of the file before it counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHeader {
    /// Number of this file, counting from 1.
    pub number: u64,
    /// When it was created, unix milliseconds.
    pub created_ms: u64,
    /// Where the file before it ends for good.
    pub previous: Previous,
    /// Which data key its sealed blocks are under.
    pub key_id: [u8; 16],
}

/// How a write-ahead file continues the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Previous {
    /// Number of the file before, 0 for none.
    pub number: u64,
    /// Its length in bytes up to which its groups count; later ones were copied into this file or were torn.
    pub kept: u64,
    /// Hash of its last group that counts, or of its header if none does.
    pub chain: [u8; 32],
    /// Its length in bytes.
    pub length: u64,
    /// SHA-256 of its bytes from `kept` to `length`.
    pub rest: [u8; 32],
}

impl FileHeader {
    /// Encodes the header; its last 32 bytes are its hash, which the first group continues.
    pub fn encode(&self) -> [u8; HEADER_LEN] {
        let mut out = Vec::with_capacity(HEADER_LEN);
        out.extend_from_slice(FILE_MAGIC);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.created_ms.to_be_bytes());
        out.extend_from_slice(&self.previous.number.to_be_bytes());
        out.extend_from_slice(&self.previous.kept.to_be_bytes());
        out.extend_from_slice(&self.previous.chain);
        out.extend_from_slice(&self.previous.length.to_be_bytes());
        out.extend_from_slice(&self.previous.rest);
        out.extend_from_slice(&self.key_id);
        let hash: [u8; 32] = Sha256::digest(&out).into();
        out.extend_from_slice(&hash);
        let mut array = [0; HEADER_LEN];
        array.copy_from_slice(&out);
        array
    }

    /// Decodes the header at the start of a file and returns it with its hash.
    pub fn decode(bytes: &[u8]) -> Result<(Self, [u8; 32]), DecodeError> {
        let mut r = Reader::new(bytes.get(..HEADER_LEN).unwrap_or(bytes));
        r.expect(FILE_MAGIC, "not a write-ahead file")?;
        let header = Self {
            number: r.u64()?,
            created_ms: r.u64()?,
            previous: Previous {
                number: r.u64()?,
                kept: r.u64()?,
                chain: r.array()?,
                length: r.u64()?,
                rest: r.array()?,
            },
            key_id: r.array()?,
        };
        let hash: [u8; 32] = Sha256::digest(&bytes[..r.at()]).into();
        r.expect(&hash, "the header's hash does not fit")?;
        r.finish()?;
        Ok((header, hash))
    }
}

/// What one group holds of one ledger: a run of entries and the blocks with their payloads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The ledger's id.
    pub ledger: [u8; 32],
    /// Index of the first entry.
    pub first: u64,
    /// The entries, 58 bytes each, at least one.
    pub entries: &'a [u8],
    /// Packed block with the payloads of the control records; empty if there are none.
    pub clear: &'a [u8],
    /// Sealed block with the payloads of the other records; empty if there are none.
    pub sealed: &'a [u8],
}

impl Part<'_> {
    /// Number of entries.
    pub fn count(&self) -> u64 {
        (self.entries.len() / ENTRY) as u64
    }

    /// Index after the last entry.
    pub fn end(&self) -> u64 {
        self.first.saturating_add(self.count())
    }
}

/// One group. A group without parts is a sync marker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group<'a> {
    /// Key id in the header of its file, which no two files share: after a power cut a block that was never written
    /// may show a group of a file that was removed.
    pub file: [u8; 16],
    /// Number within the file, counting from 0.
    pub number: u64,
    /// The file was known to be durable up to this offset when the group was written.
    pub synced_to: u64,
    /// Hash of the group before, or of the file's header.
    pub previous: [u8; 32],
    /// The parts: at most one of a ledger, unless they were carried forward from older files.
    pub parts: Vec<Part<'a>>,
}

impl<'a> Group<'a> {
    /// Encodes the group and returns it with its hash.
    pub fn encode(&self) -> (Vec<u8>, [u8; 32]) {
        let body =
            |part: &Part<'_>| 32 + 8 + 4 + 4 + 4 + part.entries.len() + part.clear.len() + part.sealed.len();
        let len = GROUP_HEAD + self.parts.iter().map(body).sum::<usize>() + HASH_LEN;
        let mut out = Vec::with_capacity(len);
        out.extend_from_slice(GROUP_MAGIC);
        out.extend_from_slice(&(len as u32).to_be_bytes());
        out.extend_from_slice(&self.file);
        out.extend_from_slice(&self.number.to_be_bytes());
        out.extend_from_slice(&self.synced_to.to_be_bytes());
        out.extend_from_slice(&self.previous);
        out.extend_from_slice(&(self.parts.len() as u16).to_be_bytes());
        for part in &self.parts {
            out.extend_from_slice(&part.ledger);
            out.extend_from_slice(&part.first.to_be_bytes());
            out.extend_from_slice(&(part.count() as u32).to_be_bytes());
            out.extend_from_slice(part.entries);
            out.extend_from_slice(&(part.clear.len() as u32).to_be_bytes());
            out.extend_from_slice(part.clear);
            out.extend_from_slice(&(part.sealed.len() as u32).to_be_bytes());
            out.extend_from_slice(part.sealed);
        }
        let hash: [u8; 32] = Sha256::digest(&out).into();
        out.extend_from_slice(&hash);
        (out, hash)
    }

    /// Decodes the group at the start of `bytes`; returns it with its length in bytes and its hash.
    pub fn decode(bytes: &'a [u8]) -> Result<(Self, usize, [u8; 32]), DecodeError> {
        let mut head = Reader::new(bytes);
        head.expect(GROUP_MAGIC, "no group starts here")?;
        let len = head.u32()? as usize;
        if !(GROUP_HEAD + HASH_LEN..=GROUP_MAX).contains(&len) {
            return Err(head.error("a group's length is beyond its limit"));
        }
        let frame = bytes.get(..len).ok_or_else(|| head.error("the group ends too early"))?;
        let (body, stored) = frame.split_at(len - HASH_LEN);
        let hash: [u8; 32] = Sha256::digest(body).into();
        if stored != hash {
            // At its start: which byte it is cannot be told, and the length may be the one that is wrong.
            return Err(DecodeError::new(0, "the group's hash does not fit"));
        }
        let mut r = Reader::new(body);
        r.take(8)?;
        let (file, number, synced_to, previous) = (r.array()?, r.u64()?, r.u64()?, r.array()?);
        let count = usize::from(r.u16()?);
        if count > PARTS_MAX {
            return Err(r.error("a group has too many parts"));
        }
        let mut parts = Vec::with_capacity(count);
        for _ in 0..count {
            let (ledger, first, entries) = (r.array()?, r.u64()?, r.u32()? as usize);
            if entries == 0 || entries > PART_ENTRIES_MAX || first.checked_add(entries as u64).is_none() {
                return Err(r.error("a part's number of entries is beyond its limit"));
            }
            let entries = r.take(entries * ENTRY)?;
            let (clear, sealed) = (r.prefixed(GROUP_MAX)?, r.prefixed(GROUP_MAX)?);
            parts.push(Part { ledger, first, entries, clear, sealed });
        }
        r.finish()?;
        Ok((Self { file, number, synced_to, previous, parts }, len, hash))
    }
}

/// A group found in a file.
#[derive(Clone, Debug)]
pub struct Found<'a> {
    /// Offset in the file.
    pub offset: u64,
    /// Length in bytes.
    pub len: usize,
    /// Its hash, which the next group must carry.
    pub hash: [u8; 32],
    /// What it holds.
    pub group: Group<'a>,
}

/// What follows the last good group of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    Clean,
    /// Bytes that were never acknowledged: set aside and recorded (DESIGN I4).
    Torn,
    /// A damaged group that was acknowledged: refuse to write and say where.
    Corrupt(DecodeError),
}

/// What a whole file holds.
#[derive(Debug)]
pub struct Scan<'a> {
    /// The file's header and its hash.
    pub header: (FileHeader, [u8; 32]),
    /// The good groups in order.
    pub groups: Vec<Found<'a>>,
    /// Offset after the last good group.
    pub end: u64,
    /// What follows.
    pub tail: Tail,
}

impl Scan<'_> {
    /// The chain hash at `offset`, if a group (or the header) ends there.
    pub fn chain_at(&self, offset: u64) -> Option<[u8; 32]> {
        if offset == HEADER_LEN as u64 {
            return Some(self.header.1);
        }
        let at = self.groups.binary_search_by_key(&offset, |found| found.offset + found.len as u64).ok()?;
        Some(self.groups[at].hash)
    }
}

/// Reads a whole file. `known` is the length up to which the file is known to have been durable from outside
/// (the register, or the header of the next file): a bad group below it is corruption.
///
/// # Errors
/// The header is damaged: a file is made durable with its header before anything refers to it.
pub fn scan(bytes: &[u8], known: u64) -> Result<Scan<'_>, DecodeError> {
    let header = FileHeader::decode(bytes)?;
    let mut scan = Scan { groups: Vec::new(), end: HEADER_LEN as u64, tail: Tail::Clean, header };
    let mut chain = scan.header.1;
    let mut at = HEADER_LEN;
    while at < bytes.len() {
        let problem = match Group::decode(&bytes[at..]) {
            Ok((group, ..)) if group.file != scan.header.0.key_id => {
                DecodeError::new(at, "a group is of another file")
            }
            Ok((group, ..)) if group.previous != chain => {
                DecodeError::new(at, "a group does not continue the chain")
            }
            Ok((group, ..)) if group.synced_to > at as u64 => {
                DecodeError::new(at, "a group calls bytes synced that come after it")
            }
            Ok((group, ..)) if group.number != scan.groups.len() as u64 => {
                DecodeError::new(at, "a group's number is out of order")
            }
            Ok((group, len, hash)) => {
                scan.groups.push(Found { offset: at as u64, len, hash, group });
                (chain, at) = (hash, at + len);
                continue;
            }
            Err(error) => error.within(at),
        };
        scan.end = at as u64;
        let acknowledged = acknowledged(bytes, at, known, &scan.header.0.key_id);
        scan.tail = if acknowledged { Tail::Corrupt(problem) } else { Tail::Torn };
        return Ok(scan);
    }
    scan.end = at as u64;
    if scan.end < known {
        scan.tail = Tail::Corrupt(DecodeError::new(at, "the file is shorter than what was durable"));
    }
    Ok(scan)
}

/// Checks file `number` of a log against the head of the next file, if there is one, and the register. Returns what
/// it holds and the length up to which its groups count.
///
/// # Errors
/// Damage of anything that was acknowledged, and where.
pub fn check<'a>(
    bytes: &'a [u8],
    number: u64,
    next: Option<&Previous>,
    register: &WalPosition,
    stopped: bool,
) -> Result<(Scan<'a>, u64), DecodeError> {
    let at = |offset: u64, reason| DecodeError { offset, reason };
    let registered = if register.file == number { register.offset } else { 0 };
    let known = next.map_or(0, |previous| previous.kept).max(registered);
    let scan = scan(bytes, known)?;
    if scan.header.0.number != number {
        return Err(at(8, "the file has another number than its name"));
    }
    if let Tail::Corrupt(error) = scan.tail {
        return Err(error);
    }
    let kept = match next {
        None => scan.end,
        Some(previous) => {
            let rest = bytes.get(previous.kept as usize..).unwrap_or(&[]);
            let rest: [u8; 32] = Sha256::digest(rest).into();
            let found = (number, scan.chain_at(previous.kept), bytes.len() as u64, rest);
            if found != (previous.number, Some(previous.chain), previous.length, previous.rest) {
                return Err(at(previous.kept, "the file is not what the next one's header says"));
            }
            previous.kept
        }
    };
    if register.file == number {
        if scan.chain_at(register.offset) != Some(register.chain) || register.offset > kept {
            return Err(at(register.offset, "the register names a group that is not there"));
        }
        if stopped && bytes.len() as u64 != register.offset {
            return Err(at(register.offset, "bytes follow the end of a log that was stopped in order"));
        }
    }
    Ok((scan, kept))
}

/// Whether a bad group at `at` was acknowledged: it lies below what was known to be durable, or a later good
/// group of this file follows it. The search looks at every offset, since a damaged length hides where the next one
/// starts.
fn acknowledged(bytes: &[u8], at: usize, known: u64, file: &[u8; 16]) -> bool {
    if (at as u64) < known {
        return true;
    }
    let mut from = at + 1;
    while let Some(found) = find(&bytes[from..], GROUP_MAGIC) {
        if Group::decode(&bytes[from + found..]).is_ok_and(|(group, ..)| group.file == *file) {
            return true;
        }
        from += found + 1;
    }
    false
}

fn find(haystack: &[u8], needle: &[u8; 4]) -> Option<usize> {
    haystack.windows(4).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(groups: usize) -> Vec<u8> {
        file_of([7; 16], groups)
    }

    fn file_of(key_id: [u8; 16], groups: usize) -> Vec<u8> {
        let header = FileHeader { number: 1, created_ms: 5, previous: Previous::default(), key_id };
        let mut bytes = header.encode().to_vec();
        let mut chain: [u8; 32] = bytes[HEADER_LEN - 32..].try_into().unwrap();
        let entries = vec![1u8; ENTRY * 3];
        for number in 0..groups as u64 {
            let part = Part {
                ledger: [9; 32],
                first: number * 3,
                entries: &entries,
                clear: b"c",
                sealed: b"sealed",
            };
            let (file, synced_to) = (key_id, bytes.len() as u64);
            let group = Group { file, number, synced_to, previous: chain, parts: vec![part] };
            let (frame, hash) = group.encode();
            assert_eq!(Group::decode(&frame).unwrap(), (group, frame.len(), hash));
            bytes.extend_from_slice(&frame);
            chain = hash;
        }
        bytes
    }

    #[test]
    fn every_truncation_is_a_torn_tail_unless_it_was_known_durable() {
        let bytes = file(3);
        let ends: Vec<u64> =
            scan(&bytes, 0).unwrap().groups.iter().map(|g| g.offset + g.len as u64).collect();
        for len in HEADER_LEN..bytes.len() {
            let scan = scan(&bytes[..len], 0).unwrap();
            let whole = ends.iter().filter(|end| **end <= len as u64).count();
            assert_eq!(scan.groups.len(), whole);
            assert_eq!(scan.tail == Tail::Clean, scan.end == len as u64);
            assert!(!matches!(scan.tail, Tail::Corrupt(_)));
            let known = super::scan(&bytes[..len], bytes.len() as u64).unwrap();
            assert!(matches!(known.tail, Tail::Corrupt(_)));
        }
    }

    #[test]
    fn every_flipped_byte_below_a_later_group_is_corruption() {
        let bytes = file(3);
        let last = scan(&bytes, 0).unwrap().groups[2].offset as usize;
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            match scan(&bad, 0) {
                Err(error) => assert!(at < HEADER_LEN, "{error}"),
                Ok(scan) if at < last => assert!(matches!(scan.tail, Tail::Corrupt(_)), "byte {at}"),
                Ok(scan) => assert_eq!(scan.tail, Tail::Torn, "byte {at}"),
            }
        }
    }

    /// Each group has a hash of its own, which anybody can make fit: what ties it to its place is checked apart.
    #[test]
    fn a_whole_group_that_is_not_the_one_that_belongs_here_is_not_taken() {
        let bytes = file(3);
        let last = scan(&bytes, 0).unwrap().groups[2].clone();
        let at = last.offset as usize;
        let other = |change: &dyn Fn(&mut Group<'_>)| {
            let mut group = last.group.clone();
            change(&mut group);
            let changed = [&bytes[..at], &group.encode().0].concat();
            (scan(&changed, 0).unwrap().groups.len(), scan(&changed, at as u64 + 1).unwrap().tail)
        };
        assert_eq!(other(&|_| {}), (3, Tail::Clean));
        let refused = |offset, reason| (2, Tail::Corrupt(DecodeError { offset, reason }));
        let at = last.offset;
        assert_eq!(
            other(&|group| group.previous[0] ^= 1),
            refused(at, "a group does not continue the chain")
        );
        assert_eq!(other(&|group| group.file[0] ^= 1), refused(at, "a group is of another file"));
        assert_eq!(other(&|group| group.number += 1), refused(at, "a group's number is out of order"));
        let synced = "a group calls bytes synced that come after it";
        assert_eq!(other(&|group| group.synced_to = at + 1), refused(at, synced));
    }

    #[test]
    fn bytes_behind_the_last_part_of_a_group_are_found() {
        let bytes = file(1);
        let mut frame = bytes[HEADER_LEN..bytes.len() - HASH_LEN].to_vec();
        frame.push(0);
        let len = (frame.len() + HASH_LEN) as u32;
        frame[4..8].copy_from_slice(&len.to_be_bytes());
        let hash: [u8; 32] = Sha256::digest(&frame).into();
        frame.extend_from_slice(&hash);
        assert_eq!(Group::decode(&frame).unwrap_err().reason, "bytes follow the end of the frame");
    }

    #[test]
    fn a_file_has_the_number_of_its_name() {
        let bytes = file(1);
        let register = WalPosition { file: 0, offset: 0, chain: [0; 32] };
        assert!(check(&bytes, 1, None, &register, false).is_ok());
        let error = check(&bytes, 2, None, &register, false).unwrap_err();
        assert_eq!(error.reason, "the file has another number than its name");
    }

    #[test]
    fn a_file_is_what_the_next_one_says_of_it() {
        let bytes = file(3);
        let groups = scan(&bytes, 0).unwrap().groups;
        let kept = groups[2].offset;
        let rest = Sha256::digest(&bytes[kept as usize..]).into();
        let next = Previous { number: 1, kept, chain: groups[1].hash, length: bytes.len() as u64, rest };
        let register = WalPosition { file: 2, offset: 0, chain: [0; 32] };
        let said = |next: &Previous| check(&bytes, 1, Some(next), &register, false).map(|(_, kept)| kept);
        assert_eq!(said(&next), Ok(kept));
        let reason = "the file is not what the next one's header says";
        for other in [
            Previous { number: 7, ..next.clone() },
            Previous { kept: groups[1].offset, ..next.clone() },
            Previous { chain: groups[0].hash, ..next.clone() },
            Previous { length: next.length + 1, ..next.clone() },
            Previous { rest: [0; 32], ..next.clone() },
        ] {
            assert_eq!(said(&other), Err(DecodeError { offset: other.kept, reason }));
        }
    }

    #[test]
    fn a_log_that_was_stopped_in_order_ends_where_the_register_says() {
        let bytes = file(3);
        let group = scan(&bytes, 0).unwrap().groups[1].clone();
        let offset = group.offset + group.len as u64;
        let register = WalPosition { file: 1, offset, chain: group.hash };
        let end =
            |len: usize, stopped| check(&bytes[..len], 1, None, &register, stopped).map(|(_, kept)| kept);
        assert_eq!(end(offset as usize, true), Ok(offset));
        let reason = "bytes follow the end of a log that was stopped in order";
        for len in [offset as usize + 9, bytes.len()] {
            assert_eq!(end(len, true), Err(DecodeError { offset, reason }));
            assert!(end(len, false).is_ok());
        }
    }

    #[test]
    fn groups_of_a_removed_file_in_a_block_that_was_never_written_are_a_torn_tail() {
        let (bytes, other) = (file(3), file_of([8; 16], 4));
        let end = scan(&bytes, 0).unwrap().groups[1].offset as usize;
        let stale = [&bytes[..end], &other[end..]].concat();
        let scan = scan(&stale, 0).unwrap();
        assert_eq!((scan.groups.len(), scan.end, scan.tail), (1, end as u64, Tail::Torn));
    }
}
