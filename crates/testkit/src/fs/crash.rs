use std::collections::BTreeMap;
use std::sync::Arc;

use super::{FileId, Inode, SimFs, Write};
use crate::rng::Rng;

/// What a power cut does to one thing that was not durable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It never happened.
    Lost,
    /// It is there.
    Kept,
    /// Of a write, some sectors are there; names are never torn, so for them this is [`Fate::Kept`].
    Torn {
        /// Length of what is written in one piece: 512 or 4096.
        sector: usize,
        /// What the other sectors show.
        fill: Fill,
        /// Decides which sectors, and whether the file has its new length.
        seed: u64,
    },
}

/// What a sector shows that was allocated and not written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// What was at this place of the file before, zeros beyond its end.
    Old,
    /// Zeros: the file has its length without its data.
    Zeros,
    /// Random bytes.
    Noise,
    /// What a removed file once held at the same place, or any of its blocks.
    Stale,
}

/// Something that is not durable.
enum Item {
    Name(usize),
    Data(FileId, usize),
}

impl SimFs {
    /// How many writes and name changes are not durable: how many fates [`SimFs::crash`] takes.
    pub fn pending(&self) -> usize {
        self.items().len()
    }

    /// The file system that a power cut leaves, everything in it durable. `fates` go with what is not durable now, in
    /// the order in which it was done.
    pub fn crash(&self, fates: &[Fate]) -> SimFs {
        let mut names = self.durable.clone();
        let mut writes: BTreeMap<FileId, Vec<(&Write, &Fate)>> = BTreeMap::new();
        for (item, fate) in self.items().into_iter().zip(fates) {
            match item {
                _ if *fate == Fate::Lost => {}
                Item::Name(at) => names.apply(&self.changes[at].1),
                Item::Data(file, at) => {
                    writes.entry(file).or_default().push((&self.files[file].writes[at], fate));
                }
            }
        }
        names.drop_orphans();
        let mut files = Vec::new();
        let mut numbers = BTreeMap::new();
        for (path, file) in names.files() {
            let inode = &self.files[file];
            let data = match writes.get(&file) {
                None => inode.durable.clone(),
                Some(writes) => {
                    let mut bytes = inode.durable.as_ref().clone();
                    writes.iter().for_each(|(write, fate)| self.settle(write, fate, &mut bytes));
                    Arc::new(bytes)
                }
            };
            numbers.insert(file, files.len());
            let (path, durable) = (path.to_string(), data.clone());
            files.push(Arc::new(Inode { path, data, durable, writes: Vec::new() }));
        }
        names.renumber(|file| numbers[&file]);
        SimFs { files, durable: names.clone(), names, changes: Vec::new(), stale: self.stale.clone(), ops: 0 }
    }

    /// Everything not durable that can still be seen or come back, in the order in which it was done.
    fn items(&self) -> Vec<Item> {
        let mut seen = vec![false; self.files.len()];
        let linked = |file: FileId, seen: &mut Vec<bool>| seen[file] = true;
        self.names.files().chain(self.durable.files()).for_each(|(_, file)| linked(file, &mut seen));
        let mut items: Vec<((u64, bool), Item)> = Vec::new();
        for (index, (at, change)) in self.changes.iter().enumerate() {
            if let super::Change::Link(_, file) | super::Change::Rename(_, _, file) = change {
                linked(*file, &mut seen);
            }
            items.push(((*at, false), Item::Name(index)));
        }
        for (file, inode) in self.files.iter().enumerate().filter(|(file, _)| seen[*file]) {
            let writes = inode.writes.iter().enumerate().filter(|(_, write)| !write.lost);
            items.extend(writes.map(|(index, write)| ((write.at, true), Item::Data(file, index))));
        }
        items.sort_by_key(|(at, _)| *at);
        items.into_iter().map(|(_, item)| item).collect()
    }

    fn settle(&self, write: &Write, fate: &Fate, bytes: &mut Vec<u8>) {
        match (fate, &write.data) {
            (Fate::Torn { sector, fill, seed }, Some((offset, data))) => {
                self.tear(bytes, *offset, data, *sector, *fill, &mut Rng::new(*seed));
            }
            _ => write.apply(bytes),
        }
    }

    /// Writes some of the sectors that `data` covers at `offset`.
    fn tear(
        &self,
        bytes: &mut Vec<u8>,
        offset: usize,
        data: &[u8],
        sector: usize,
        fill: Fill,
        rng: &mut Rng,
    ) {
        let (before, end) = (bytes.len(), offset + data.len());
        bytes.resize(before.max(end), 0);
        let kept = rng.between(0, 3);
        let mut at = offset;
        while at < end {
            let next = ((at / sector + 1) * sector).min(end);
            let place = &mut bytes[at..next];
            if rng.below(4) < kept {
                place.copy_from_slice(&data[at - offset..next - offset]);
            } else {
                match fill {
                    Fill::Old => {}
                    Fill::Zeros => place.fill(0),
                    Fill::Noise => rng.fill(place),
                    Fill::Stale => self.exhume(place, at, rng),
                }
            }
            at = next;
        }
        // The length is written apart from the data: often all of it, else up to some sector.
        if end > before && rng.one_in(3) {
            let sectors = (end - offset).div_ceil(sector) as u64;
            let len = (offset / sector + rng.between(0, sectors) as usize) * sector;
            bytes.truncate(len.clamp(offset.min(end), end).max(before));
        }
    }

    /// Shows what some removed file held.
    fn exhume(&self, place: &mut [u8], at: usize, rng: &mut Rng) {
        place.fill(0);
        if self.stale.is_empty() {
            return;
        }
        let (_, old) = &self.stale[rng.below(self.stale.len() as u64) as usize];
        let blocks = old.len().div_ceil(512) as u64;
        let from = if rng.one_in(2) { at } else { rng.below(blocks) as usize * 512 + at % 512 };
        let old = old.get(from..).unwrap_or_default();
        let len = old.len().min(place.len());
        place[..len].copy_from_slice(&old[..len]);
    }
}
