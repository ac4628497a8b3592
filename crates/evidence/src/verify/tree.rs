//! Entries against tiles, tiles against one another, all of it against the signed root.

use record::entry::{ENTRY_LEN, Entry, EntryError};
use tlog::hash::{Hash, leaf_hash};
use tlog::tile::{TILE_WIDTH, Tile, bundle_path, decode_bundle, decode_tile, full_tiles, partial_width};
use tlog::tree::Frontier;

use super::medium::{Medium, Progress, parallel};
use super::report::{Damage, DamageKind};
use crate::layout;

const WIDTH: u64 = TILE_WIDTH as u64;

/// What the entries of a run say, kept short so that long runs can be joined.
#[derive(Clone, Debug, Default)]
pub(crate) struct RunSummary {
    pub events: u64,
    pub first_ms: u64,
    pub last_ms: u64,
    /// Index of the first entry that is older than the one before.
    pub backwards: Option<u64>,
    /// Index of the first entry of an unknown version or kind, which nobody can check.
    pub unknown: Option<u64>,
    /// Per source and epoch in order of appearance: source, epoch, first and last sequence, index of the first.
    pub runs: Vec<(u32, u32, u64, u64, u64)>,
    /// Index where a source's sequence has a hole within this run.
    pub hole: Option<u64>,
    /// Whether this run began with the ledger's first entry.
    whole: bool,
}

impl RunSummary {
    pub(crate) fn of(first: u64, entries: &[u8]) -> Self {
        let mut summary = Self::default();
        for (index, bytes) in (first..).zip(entries.chunks_exact(ENTRY_LEN)) {
            match Entry::decode(bytes) {
                Ok(entry) => summary.add(index, &entry),
                Err(EntryError::Undecidable { .. }) | Err(_) => {
                    summary.unknown.get_or_insert(index);
                }
            }
        }
        summary
    }

    fn add(&mut self, index: u64, entry: &Entry) {
        if !entry.kind.is_control() {
            self.events += 1;
        }
        if entry.received_ms < self.last_ms {
            self.backwards.get_or_insert(index);
        }
        if self.first_ms == 0 {
            self.first_ms = entry.received_ms;
        }
        self.last_ms = entry.received_ms;
        let run = (entry.source, entry.epoch, entry.sequence, entry.sequence, index);
        self.join_run(run);
    }

    fn join_run(&mut self, run: (u32, u32, u64, u64, u64)) {
        let (source, epoch, first, last, index) = run;
        match self.runs.iter_mut().rev().find(|run| run.0 == source) {
            Some(held) if held.1 == epoch && held.3 + 1 == first => held.3 = last,
            Some(held) => {
                // A new epoch starts again at 1; anything else leaves a hole.
                if held.1 >= epoch || first != 1 {
                    self.hole.get_or_insert(index);
                }
                self.runs.push(run);
            }
            None => {
                // Joined from the first entry on, this is where the source begins.
                if self.whole && first != 1 {
                    self.hole.get_or_insert(index);
                }
                self.runs.push(run);
            }
        }
    }

    /// Joins the summary of the entries that follow.
    pub(crate) fn join(&mut self, next: Self) {
        self.events += next.events;
        if next.first_ms < self.last_ms {
            self.backwards = self.backwards.or(next.runs.first().map(|run| run.4));
        }
        self.backwards = self.backwards.or(next.backwards);
        self.unknown = self.unknown.or(next.unknown);
        self.hole = self.hole.or(next.hole);
        if self.first_ms == 0 {
            self.first_ms = next.first_ms;
        }
        self.last_ms = next.last_ms.max(self.last_ms);
        next.runs.into_iter().for_each(|run| self.join_run(run));
        // Only the newest run of a source matters for what follows.
        let mut seen = Vec::new();
        self.runs = self
            .runs
            .drain(..)
            .rev()
            .filter(|run| {
                !seen.contains(&run.0) && {
                    seen.push(run.0);
                    true
                }
            })
            .collect();
        self.runs.reverse();
    }

    /// What is wrong with the order, as damage.
    pub(crate) fn damage(&self, ledger: &str) -> Vec<Damage> {
        let damage = |at: Option<u64>, detail: &str| {
            at.map(|at| {
                Damage::new(DamageKind::Order, layout::ledger_dir(ledger), detail).of(ledger, at, at + 1)
            })
        };
        let backwards = damage(self.backwards, "an entry was received before the one ahead of it");
        // An entry that nobody can read may be the one that is missed.
        let hole = self.hole.filter(|at| self.unknown.is_none_or(|unknown| *at < unknown));
        let hole = damage(hole, "a source's sequence has a hole that no record explains");
        backwards.into_iter().chain(hole).collect()
    }
}

/// Reads tiles and bundles of one ledger for a signed size.
pub(crate) struct TreeCheck<'a> {
    pub medium: &'a dyn Medium,
    pub partials: &'a std::collections::BTreeMap<String, Vec<u8>>,
    pub name: &'a str,
    pub size: u64,
    /// The signed root, if its signature holds.
    pub root: Option<Hash>,
    /// What the write-ahead log holds of this ledger.
    pub log: &'a LogEntries<'a>,
    /// Entries below this index are in synced tiles.
    pub sealed: u64,
    /// Whether tiles that are not there may be: those above what is sealed are rebuilt from the log, and a running
    /// server writes partial ones only now and then.
    pub lenient: bool,
    pub threads: usize,
    pub progress: Progress<'a>,
}

/// The runs of entries that the write-ahead log holds of one ledger, by first index.
#[derive(Default)]
pub(crate) struct LogEntries<'a>(pub std::collections::BTreeMap<u64, &'a [u8]>);

impl LogEntries<'_> {
    /// The entries of a range, if the log holds all of them.
    fn range(&self, first: u64, end: u64) -> Option<Vec<u8>> {
        let mut out = Vec::with_capacity((end - first) as usize * ENTRY_LEN);
        let mut at = first;
        let start = self.0.range(..=first).next_back().map_or(first, |(first, _)| *first);
        for (run, entries) in self.0.range(start..) {
            let offset = usize::try_from(at.checked_sub(*run)?).ok()? * ENTRY_LEN;
            let Some(rest) = entries.get(offset..).filter(|rest| !rest.is_empty()) else { continue };
            let take = ((end - at) as usize * ENTRY_LEN).min(rest.len());
            out.extend_from_slice(&rest[..take]);
            at += (take / ENTRY_LEN) as u64;
            if at == end {
                return Some(out);
            }
        }
        None
    }
}

/// What came out.
pub(crate) struct TreeResult {
    /// Roots of the full bundles, then the leaves of the partial one: enough to compute the root of any size.
    pub bundles: Vec<Hash>,
    pub rest: Vec<Hash>,
    pub summary: RunSummary,
    pub damage: Vec<Damage>,
    /// Index of the first entry whose bundle is damaged.
    pub first_bad: Option<u64>,
}

/// What one bundle and its level-0 tile say.
struct BundleResult {
    /// Root over the entries as they are.
    entries: Option<Vec<Hash>>,
    /// Hashes of the tile as they are.
    tile: Option<Vec<Hash>>,
    summary: RunSummary,
    problems: Vec<Damage>,
}

/// Bundles read before they are judged, which bounds what is held at once.
const AT_ONCE: usize = 4096;

/// A bundle beside its tile.
enum Seen {
    /// Full, and both say the same: all that is left to know is the root.
    Agreed { root: Hash, summary: RunSummary },
    /// Partial, or to be judged.
    Open(Box<BundleResult>),
}

impl BundleResult {
    fn seen(self) -> Seen {
        match &self.entries {
            Some(entries)
                if self.entries == self.tile && entries.len() as u64 == WIDTH && self.problems.is_empty() =>
            {
                Seen::Agreed { root: root_of(entries), summary: self.summary }
            }
            _ => Seen::Open(Box::new(self)),
        }
    }
}

impl TreeCheck<'_> {
    pub(crate) fn run(&self) -> TreeResult {
        let full = full_tiles(0, self.size);
        let width = partial_width(0, self.size);
        let count = full as usize + usize::from(width > 0);
        let upper = self.upper_tiles();
        let mut damage: Vec<Damage> = upper.iter().flat_map(|level| level.problems.clone()).collect();
        let claimed =
            |level: usize, at: u64| upper.get(level - 1).and_then(|tiles| tiles.hashes.get(&at).copied());
        let done = std::sync::atomic::AtomicU64::new(0);
        let mut result = TreeResult {
            bundles: Vec::with_capacity(full as usize),
            rest: Vec::new(),
            summary: RunSummary { whole: true, ..RunSummary::default() },
            damage: Vec::new(),
            first_bad: None,
        };
        for start in (0..count).step_by(AT_ONCE) {
            let seen = parallel(AT_ONCE.min(count - start), self.threads, |at| {
                let at = (start + at) as u64;
                let width = if at < full { TILE_WIDTH } else { width };
                let seen = self.bundle(at, width).seen();
                let done = done.fetch_add(u64::from(width), std::sync::atomic::Ordering::Relaxed);
                (self.progress)(done + u64::from(width), self.size);
                seen
            });
            for (at, seen) in (start as u64..).zip(seen) {
                let hashes = match seen {
                    Seen::Agreed { root, summary } => {
                        result.summary.join(summary);
                        result.bundles.push(root);
                        continue;
                    }
                    Seen::Open(bundle) => {
                        let parent = if at < full { claimed(1, at) } else { None };
                        self.judge(at, *bundle, parent, &mut result)
                    }
                };
                match at < full {
                    true => result.bundles.push(root_of(&hashes)),
                    false => result.rest = hashes,
                }
            }
        }
        self.check_upper(&upper, &result.bundles, &mut damage);
        result.damage.append(&mut damage);
        result
    }

    /// Decides which of a bundle and its tile is damaged if they differ: the one that the level above contradicts.
    fn judge(
        &self,
        at: u64,
        bundle: BundleResult,
        parent: Option<Hash>,
        result: &mut TreeResult,
    ) -> Vec<Hash> {
        let (first, BundleResult { entries, tile, summary, problems }) = (at * WIDTH, bundle);
        let width = entries.as_ref().or(tile.as_ref()).map_or(0, Vec::len) as u64;
        // The partial bundle has no hash above it; the signed root decides.
        let vouched = |hashes: &Vec<Hash>| match parent {
            Some(parent) => root_of(hashes) == parent,
            None => Some(root_with(&result.bundles, hashes)) == self.root,
        };
        let bad_entries = match (&entries, &tile) {
            (Some(entries), Some(tile)) if entries == tile => None,
            (Some(entries), Some(tile)) => {
                let differs = entries.iter().zip(tile).position(|(a, b)| a != b).unwrap_or(0) as u64;
                let index = first + differs;
                let width = entries.len() as u16;
                let (tile_path, bundle_path) = self.paths(at, width);
                let hash = |path, detail| {
                    Damage::new(DamageKind::Hash, path, detail).of(self.name, index, index + 1)
                };
                if vouched(entries) {
                    result.damage.push(hash(tile_path, "the hash is not its entry's").at(differs * 32));
                    None
                } else {
                    let offset = differs * (2 + ENTRY_LEN as u64);
                    result
                        .damage
                        .push(hash(bundle_path, "the entry does not hash to its tile's hash").at(offset));
                    Some(index)
                }
            }
            (None, _) => Some(first),
            (Some(_), None) => None,
        };
        result.damage.extend(problems);
        if let Some(index) = bad_entries {
            result.first_bad = Some(result.first_bad.map_or(index, |bad| bad.min(index)));
        } else {
            result.summary.join(summary);
        }
        let entries = entries.filter(|entries| vouched(entries) || bad_entries.is_none());
        entries.or(tile).unwrap_or_else(|| vec![tlog::hash::empty_root(); width as usize])
    }

    /// Reads and hashes one bundle and its tile.
    fn bundle(&self, at: u64, width: u16) -> BundleResult {
        let (tile_path, bundle_path) = self.paths(at, width);
        let (first, end) = (at * WIDTH, at * WIDTH + u64::from(width));
        let mut problems = Vec::new();
        // What is sealed was synced and read back: its files must be there, whatever the log still holds.
        let in_log = if self.lenient && end > self.sealed { self.log.range(first, end) } else { None };
        let mut read = |path: &str| match self.read(path) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                if in_log.is_none() {
                    problems.push(missing(path, &error).of(self.name, first, end));
                }
                None
            }
        };
        let (bundle, tile) = (read(&bundle_path), read(&tile_path));
        let tile = tile.and_then(|bytes| match decode_tile(&bytes, width) {
            Ok(hashes) => Some(hashes),
            // A power cut may leave a tile of another length above what is sealed; the next start writes it again.
            Err(_) if in_log.is_some() => None,
            Err(error) => {
                problems.push(Damage::new(DamageKind::Format, &tile_path, error).of(self.name, first, end));
                None
            }
        });
        let entries = bundle.and_then(|bytes| {
            let entries = decode_bundle(&bytes).map_err(|error| error.to_string()).and_then(|entries| {
                let whole =
                    entries.len() == usize::from(width) && entries.iter().all(|e| e.len() == ENTRY_LEN);
                if whole {
                    Ok(entries.concat())
                } else {
                    Err("the bundle does not hold the entries it should".to_owned())
                }
            });
            match entries {
                Ok(entries) => Some(entries),
                // As for the tile.
                Err(_) if in_log.is_some() => None,
                Err(detail) => {
                    problems.push(
                        Damage::new(DamageKind::Format, &bundle_path, detail).of(self.name, first, end),
                    );
                    None
                }
            }
        });
        let entries = entries.or_else(|| in_log.filter(|_| problems.is_empty()));
        let summary = entries.as_ref().map(|entries| RunSummary::of(first, entries)).unwrap_or_default();
        let entries = entries.map(|entries| entries.chunks_exact(ENTRY_LEN).map(leaf_hash).collect());
        BundleResult { entries, tile, summary, problems }
    }

    fn paths(&self, at: u64, width: u16) -> (String, String) {
        let tile = Tile { level: 0, index: at, width };
        (layout::resource(self.name, &tile.path()), layout::resource(self.name, &bundle_path(at, width)))
    }

    fn read(&self, path: &str) -> std::io::Result<Vec<u8>> {
        match self.partials.get(path) {
            Some(bytes) => Ok(bytes.clone()),
            None if path.contains(".p/") => Err(std::io::ErrorKind::NotFound.into()),
            None => self.medium.read(path),
        }
    }

    /// Whether a tile above level 0 need not be on disk as it should: not all of what is below it is sealed.
    fn may_be_unwritten(&self, tile: Tile) -> bool {
        let span = WIDTH.checked_pow(u32::from(tile.level) + 1);
        let end = span.and_then(|span| (tile.index + 1).checked_mul(span));
        !tile.is_full() || end.is_none_or(|end| end > self.sealed)
    }

    /// The tiles above level 0, as they are on disk.
    fn upper_tiles(&self) -> Vec<UpperLevel> {
        let mut levels = Vec::new();
        for level in 1..=Tile::MAX_LEVEL {
            let (full, width) = (full_tiles(level, self.size), partial_width(level, self.size));
            if full == 0 && width == 0 {
                break;
            }
            let mut tiles = UpperLevel::default();
            let partial = (width > 0).then_some(Tile { level, index: full, width });
            for tile in (0..full).map(|index| Tile::full(level, index)).chain(partial) {
                let path = layout::resource(self.name, &tile.path());
                let damage = match self.read(&path) {
                    Err(_) if self.lenient && self.may_be_unwritten(tile) => continue,
                    Err(error) => missing(&path, &error),
                    Ok(bytes) => match decode_tile(&bytes, tile.width) {
                        Ok(hashes) => {
                            tiles.hashes.extend((tile.index * WIDTH..).zip(hashes));
                            continue;
                        }
                        Err(_) if self.lenient && self.may_be_unwritten(tile) => continue,
                        Err(error) => Damage::new(DamageKind::Format, &path, error),
                    },
                };
                let span = 1u64 << (8 * u32::from(level)).min(63);
                let first = tile.index.saturating_mul(WIDTH).saturating_mul(span);
                let end = first.saturating_add(u64::from(tile.width).saturating_mul(span)).min(self.size);
                tiles.problems.push(damage.of(self.name, first, end));
            }
            levels.push(tiles);
        }
        levels
    }

    /// Compares every hash above level 0 with the one computed from below.
    fn check_upper(&self, upper: &[UpperLevel], bundles: &[Hash], damage: &mut Vec<Damage>) {
        let mut below = bundles.to_vec();
        for (level, tiles) in (1u8..).zip(upper) {
            for (at, computed) in (0u64..).zip(&below) {
                if tiles.hashes.get(&at).is_some_and(|claimed| claimed != computed) {
                    let index = at / WIDTH;
                    let full = full_tiles(level, self.size);
                    let width = if index < full { TILE_WIDTH } else { partial_width(level, self.size) };
                    let path = layout::resource(self.name, &Tile { level, index, width }.path());
                    let span = 1u64 << (8 * u32::from(level)).min(63);
                    let detail = "the hash is not the root of what is below it";
                    let place = Damage::new(DamageKind::Hash, path, detail).at(at % WIDTH * 32);
                    damage.push(place.of(self.name, at * span, (at + 1) * span));
                }
            }
            below = below.chunks_exact(WIDTH as usize).map(root_of).collect();
        }
    }
}

#[derive(Default)]
struct UpperLevel {
    hashes: std::collections::BTreeMap<u64, Hash>,
    problems: Vec<Damage>,
}

impl TreeResult {
    /// The leaves of a range of the tree: from the level-0 tiles, whose roots were computed from the entries.
    pub(crate) fn known_leaves(&self, medium: &dyn Medium, name: &str, first: u64, end: u64) -> Vec<Hash> {
        let mut leaves = Vec::new();
        let mut at = first;
        while at < end {
            let (bundle, offset) = (at / WIDTH, (at % WIDTH) as usize);
            let hashes = match self.bundles.get(bundle as usize) {
                Some(_) => {
                    let path = layout::resource(name, &Tile::full(0, bundle).path());
                    medium.read(&path).ok().and_then(|bytes| decode_tile(&bytes, TILE_WIDTH).ok())
                }
                None => Some(self.rest.clone()),
            };
            let Some(hashes) = hashes else { break };
            let until = ((end - bundle * WIDTH) as usize).min(hashes.len());
            if offset >= until {
                break;
            }
            leaves.extend_from_slice(&hashes[offset..until]);
            at = bundle * WIDTH + until as u64;
        }
        leaves
    }

    /// The hash of subtree `at` of a level, computed from the entries; `None` beyond the tree.
    pub(crate) fn subtree(&self, level: u8, at: u64) -> Option<Hash> {
        if level == 0 {
            let at = at.checked_sub(self.bundles.len() as u64 * WIDTH)?;
            return self.rest.get(at as usize).copied();
        }
        let span = usize::try_from(WIDTH.checked_pow(u32::from(level) - 1)?).ok()?;
        let first = usize::try_from(at).ok()?.checked_mul(span)?;
        Some(root_of(self.bundles.get(first..first.checked_add(span)?)?))
    }

    /// The root of the first `size` entries, any number of them; `None` if a bundle can't be read.
    pub(crate) fn root_of_first(&self, medium: &dyn Medium, name: &str, size: u64) -> Option<Hash> {
        let full = size / WIDTH;
        let leaves = self.known_leaves(medium, name, full * WIDTH, size);
        let known = leaves.len() as u64 == size % WIDTH;
        known.then(|| Some(root_with(self.bundles.get(..full as usize)?, &leaves))).flatten()
    }

    /// The compact range of the first `size` entries, which end in a bundle boundary or with the tree.
    pub(crate) fn frontier(&self, size: u64) -> Option<Frontier> {
        let (full, rest) = ((size / WIDTH) as usize, (size % WIDTH) as usize);
        let rest = if rest > 0 { self.rest.get(..rest)? } else { &[] };
        Frontier::restore(size, hashes_with(self.bundles.get(..full)?, rest)).ok()
    }
}

/// Perfect subtree roots of a tree of full bundles and the leaves after them: a bundle is a perfect subtree.
fn hashes_with(bundles: &[Hash], rest: &[Hash]) -> Vec<Hash> {
    let mut hashes = bundles.iter().copied().collect::<Frontier>().hashes().to_vec();
    hashes.extend_from_slice(rest.iter().copied().collect::<Frontier>().hashes());
    hashes
}

fn root_with(bundles: &[Hash], rest: &[Hash]) -> Hash {
    let size = bundles.len() as u64 * WIDTH + rest.len() as u64;
    Frontier::restore(size, hashes_with(bundles, rest))
        .map(|tree| tree.root())
        .unwrap_or_else(|_| root_of(rest))
}

pub(crate) fn missing(path: &str, error: &std::io::Error) -> Damage {
    Damage::new(DamageKind::Missing, path, format!("the file cannot be read: {error}"))
}

fn root_of(hashes: &[Hash]) -> Hash {
    hashes.iter().copied().collect::<Frontier>().root()
}

#[cfg(test)]
mod tests {
    use super::*;
    use record::entry::Kind;

    fn summary(entries: &[(u64, u32, u64)]) -> RunSummary {
        let entry = |(received_ms, epoch, sequence): &(u64, u32, u64)| {
            Entry {
                kind: Kind::Event,
                received_ms: *received_ms,
                source: 1,
                epoch: *epoch,
                sequence: *sequence,
                commitment: [0; 32],
            }
            .encode()
        };
        RunSummary::of(0, &entries.iter().map(entry).collect::<Vec<_>>().concat())
    }

    #[test]
    fn time_that_goes_back_and_holes_in_a_sequence_are_told_by_index() {
        let sound = summary(&[(5, 1, 1), (5, 1, 2), (6, 2, 1)]);
        assert_eq!((sound.backwards, sound.hole), (None, None));
        assert_eq!(summary(&[(5, 1, 1), (4, 1, 2)]).backwards, Some(1));
        assert_eq!(summary(&[(5, 1, 1), (5, 1, 3)]).hole, Some(1));
        assert_eq!(summary(&[(5, 1, 1), (5, 2, 1), (5, 1, 2)]).hole, Some(2));
    }

    /// What is sealed was synced, at every level.
    #[test]
    fn a_full_tile_over_what_is_sealed_must_be_there() {
        let none = std::collections::BTreeMap::new();
        let check = |sealed| {
            TreeCheck {
                medium: &Nothing,
                partials: &none,
                name: "main",
                size: 1 << 17,
                root: None,
                log: &LogEntries::default(),
                sealed,
                lenient: true,
                threads: 1,
                progress: &|_, _| {},
            }
            .may_be_unwritten(Tile::full(1, 0))
        };
        assert!(check((1 << 16) - 256));
        assert!(!check(1 << 16));
    }

    struct Nothing;

    impl Medium for Nothing {
        fn read(&self, _: &str) -> std::io::Result<Vec<u8>> {
            Err(std::io::ErrorKind::NotFound.into())
        }

        fn read_at(&self, path: &str, _: u64, _: usize) -> std::io::Result<Vec<u8>> {
            self.read(path)
        }

        fn list(&self, _: &str) -> std::io::Result<Vec<(String, u64, bool)>> {
            Ok(Vec::new())
        }
    }
}
