//! The write-ahead log taken apart and put together again with all its hashes: what somebody without any key can do.

use evidence::layout;
use evidence::register::{Registered, WalPosition};
use evidence::wal::{FileHeader, Group, HEADER_LEN, Part, Previous, scan};
use sha2::{Digest, Sha256};

use super::Aim;
use crate::copy::Changes;
use crate::map::What;

/// A write-ahead file in pieces.
pub(super) struct LogFile {
    header: FileHeader,
    pub groups: Vec<Owned>,
    /// How many of the groups count.
    pub kept: usize,
    /// Bytes after the last group.
    tail: Vec<u8>,
    old: Vec<u8>,
}

/// A group without what ties it to its place.
#[derive(Clone, Debug)]
pub(super) struct Owned {
    synced_to: u64,
    pub parts: Vec<OwnedPart>,
}

/// A part with its bytes.
#[derive(Clone, Debug)]
pub(super) struct OwnedPart {
    ledger: [u8; 32],
    first: u64,
    pub entries: Vec<u8>,
    pub clear: Vec<u8>,
    pub sealed: Vec<u8>,
}

/// All files of the log, in order.
pub(super) fn load(aim: &Aim<'_>) -> Option<Vec<LogFile>> {
    let mut files = Vec::new();
    for file in &aim.map.files {
        let What::Wal { kept, .. } = &file.what else { continue };
        let old = aim.copy.read(&file.name).ok()?;
        let scan = scan(&old, 0).ok()?;
        let groups = scan.groups.iter().map(|found| Owned {
            synced_to: found.group.synced_to,
            parts: found.group.parts.iter().map(OwnedPart::of).collect(),
        });
        let (header, groups) = (scan.header.0.clone(), groups.collect());
        let counted = scan.groups.iter().filter(|found| found.offset < *kept).count();
        let tail = old[scan.end as usize..].to_vec();
        files.push(LogFile { header, groups, kept: counted, tail, old });
    }
    (!files.is_empty()).then_some(files)
}

/// The files as they are with every hash made to fit, those that changed, and the register with its new position.
pub(super) fn store(aim: &Aim<'_>, mut files: Vec<LogFile>) -> Changes {
    let mut registered = aim.map.registered.clone();
    let (mut changes, mut previous) = (Changes::new(), None::<Previous>);
    for file in &mut files {
        if let Some(previous) = previous.take() {
            file.header.previous = previous;
        }
        let (number, bytes, ends) = (file.header.number, file.bytes(), file.ends());
        let (kept, chain) = ends[file.kept.min(ends.len() - 1)];
        if registered.wal.file == number {
            registered.wal = WalPosition { file: number, offset: kept, chain };
        }
        let rest = Sha256::digest(&bytes[kept as usize..]).into();
        previous = Some(Previous { number, kept, chain, length: bytes.len() as u64, rest });
        if bytes != file.old {
            changes.insert(layout::wal_file(number), Some(bytes));
        }
    }
    with_register(aim, &registered, &mut changes);
    changes
}

/// Adds the register to the changes, if it is another.
pub(super) fn with_register(aim: &Aim<'_>, registered: &Registered, changes: &mut Changes) {
    if *registered != aim.map.registered {
        changes.insert(layout::REGISTER.to_owned(), Some(registered.format()));
    }
}

impl LogFile {
    /// The whole file.
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.header.encode().to_vec();
        self.encode(|group, _| out.extend_from_slice(group));
        out.extend_from_slice(&self.tail);
        out
    }

    /// Forgets what follows the last group.
    pub(super) fn without_tail(&mut self) {
        self.tail.clear();
    }

    /// Offset and chain hash after the header and after each group.
    fn ends(&self) -> Vec<(u64, [u8; 32])> {
        let header = self.header.encode();
        let mut chain = [0; 32];
        chain.copy_from_slice(&header[HEADER_LEN - 32..]);
        let (mut ends, mut at) = (vec![(HEADER_LEN as u64, chain)], HEADER_LEN as u64);
        self.encode(|group, hash| {
            at += group.len() as u64;
            ends.push((at, hash));
        });
        ends
    }

    fn encode(&self, mut each: impl FnMut(&[u8], [u8; 32])) {
        let header = self.header.encode();
        let (mut chain, mut at) = ([0; 32], HEADER_LEN as u64);
        chain.copy_from_slice(&header[HEADER_LEN - 32..]);
        for (number, group) in (0u64..).zip(&self.groups) {
            let parts = group.parts.iter().map(OwnedPart::part).collect();
            let synced_to = group.synced_to.min(at);
            let group = Group { file: self.header.key_id, number, synced_to, previous: chain, parts };
            let (bytes, hash) = group.encode();
            each(&bytes, hash);
            (chain, at) = (hash, at + bytes.len() as u64);
        }
    }
}

impl Owned {
    /// A group without parts, as is written when the log is idle.
    pub(super) fn marker() -> Self {
        Self { synced_to: u64::MAX, parts: Vec::new() }
    }
}

impl OwnedPart {
    fn of(part: &Part<'_>) -> Self {
        Self {
            ledger: part.ledger,
            first: part.first,
            entries: part.entries.to_vec(),
            clear: part.clear.to_vec(),
            sealed: part.sealed.to_vec(),
        }
    }

    fn part(&self) -> Part<'_> {
        Part {
            ledger: self.ledger,
            first: self.first,
            entries: &self.entries,
            clear: &self.clear,
            sealed: &self.sealed,
        }
    }
}
