//! Finding what was recorded under the numbers that a source sends again, and comparing it.

use std::ops::Range;

use ledger::{Fault, Next, Reads, Recorded, StoredRecord};
use record::entry::{ENTRY_LEN, Entry};
use record::facet::{FACETS, Facet};
use record::stored;

use super::block::Sent;
use crate::problem::Problem;
use crate::view;

const BUNDLE: u64 = 256;
/// Entries that are looked through from the newest back before halves are tried: what is sent again is mostly what was
/// sent last, by a source that may be rare.
const RECENT: u64 = 64 * BUNDLE;

/// A number that a source gave to a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Number {
    pub epoch: u32,
    pub sequence: u64,
}

/// A run of numbers that were recorded before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Retry {
    pub ledger: usize,
    pub source: u32,
    pub first: Number,
    pub count: usize,
    /// No record of the run lies before this index.
    pub from: u64,
}

/// The records of a run, in order. Fewer than the run has is damage: the engine has counted them.
pub(super) fn find(reads: &Reads, retry: &Retry) -> Result<Vec<StoredRecord>, Fault> {
    let end = reads.progress(retry.ledger).durable;
    let entries = |range: Range<u64>| entries(reads, retry.ledger, range);
    let start = locate(retry.from..end, retry.source, retry.first, entries)?;
    let mut found = Vec::with_capacity(retry.count);
    reads.scan(retry.ledger, start..end, &mut |record| {
        let own = record.decoded().is_some_and(|entry| {
            let wanted = retry.first.sequence + found.len() as u64;
            entry.source == retry.source && entry.epoch == retry.first.epoch && entry.sequence == wanted
        });
        if own {
            found.push(record);
        }
        if found.len() == retry.count { Next::Stop } else { Next::More }
    })?;
    Ok(found)
}

/// The first index of the range from which on a source's records have this number or a later one.
///
/// Numbers of one source grow with the index, so half of what is left falls away for each bundle that holds one of
/// them; what a source that is rare among many sent long ago costs a look at every entry.
fn locate<E>(
    range: Range<u64>,
    source: u32,
    wanted: Number,
    mut entries: impl FnMut(Range<u64>) -> Result<Vec<Entry>, E>,
) -> Result<u64, E> {
    let Range { start: mut low, end: mut high } = range;
    let recent = high.saturating_sub(RECENT).max(low);
    let mut at = high;
    while at > recent {
        let part = ((at - 1) / BUNDLE * BUNDLE).max(low)..at;
        at = part.start;
        let entries = entries(part)?;
        let Some(position) = entries.iter().position(|entry| entry.source == source) else { continue };
        let (index, first) = (at + position as u64, number(&entries[position]));
        if first == wanted {
            return Ok(index);
        }
        if first < wanted {
            low = index;
            break;
        }
        high = index + 1;
        // Too far back to get there bundle by bundle.
        if first.epoch != wanted.epoch || first.sequence - wanted.sequence > RECENT {
            break;
        }
    }
    while high.saturating_sub(low) > BUNDLE {
        let middle = low + (high - low) / 2;
        // The last record of the source before the middle.
        let mut at = middle;
        let mut last = None;
        while at > low && last.is_none() {
            let part = ((at - 1) / BUNDLE * BUNDLE).max(low)..at;
            at = part.start;
            let entries = entries(part)?;
            let own = entries.iter().rposition(|entry| entry.source == source);
            last = own.map(|position| (at + position as u64, number(&entries[position])));
        }
        match last {
            Some((index, number)) if number >= wanted => high = index + 1,
            _ => low = middle,
        }
    }
    let entries = entries(low..high)?;
    let first = entries.iter().position(|entry| entry.source == source && number(entry) >= wanted);
    Ok(first.map_or(high, |position| low + position as u64))
}

fn number(entry: &Entry) -> Number {
    Number { epoch: entry.epoch, sequence: entry.sequence }
}

/// The entries of a range, from bundles where a checkpoint covers them, else from the records.
fn entries(reads: &Reads, ledger: usize, range: Range<u64>) -> Result<Vec<Entry>, Fault> {
    let mut entries = Vec::with_capacity((range.end - range.start) as usize);
    let mut at = range.start;
    while at < range.end {
        let index = at / BUNDLE;
        let end = range.end.min((index + 1) * BUNDLE);
        let width = (end - index * BUNDLE) as u16;
        match reads.bundle(ledger, index, width)? {
            Some(bundle) => {
                let skip = (at - index * BUNDLE) as usize;
                let rows = bundle.chunks_exact(2 + ENTRY_LEN).skip(skip);
                entries.extend(rows.filter_map(|row| Entry::decode(&row[2..]).ok()));
            }
            None => reads.scan(ledger, at..end, &mut |record| {
                entries.extend(record.decoded());
                Next::More
            })?,
        }
        at = end;
    }
    Ok(entries)
}

/// What a retry is found to be.
pub(super) struct Compared {
    pub index: u64,
    /// What its receipt is made of, unless that was erased.
    pub receipt: Option<Recorded>,
    /// Whether its bytes could be compared.
    pub compared: bool,
}

/// Compares what is sent again with what is stored.
///
/// # Errors
/// 409 if it differs; a stored record that is damaged.
pub(super) fn compare(
    ledger_id: &[u8; 32],
    stored: &StoredRecord,
    sent: Sent<'_>,
) -> Result<Compared, Problem> {
    let entry = view::checked(ledger_id, stored)?;
    let there = |facet: Facet| stored.opening.has(facet).then(|| &stored.facets[facet as usize][..]);
    let same = match sent {
        Sent::Raw(raw) => there(Facet::Raw).map(|stored| stored == raw),
        Sent::Oversize { size, sha256 } => {
            there(Facet::Content).map(|stored| stored == wire::oversize(size, sha256).content)
        }
    };
    if same == Some(false) {
        return Err(Problem::duplicate_differs(stored.index, entry.sequence));
    }
    Ok(Compared { index: stored.index, receipt: receipt(stored), compared: same.is_some() })
}

fn receipt(stored: &StoredRecord) -> Option<Recorded> {
    let salt = stored.opening.salt(Facet::Raw)?;
    let all = stored::digests(&stored.opening, &view::facets(stored)).ok()?;
    let digests = std::array::from_fn::<_, { FACETS - 1 }, _>(|facet| all[facet]);
    Some(Recorded { index: stored.index, entry: stored.entry, salt_raw: salt.0, digests })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use record::entry::Kind;
    use std::convert::Infallible;

    /// Entries of the sources given, in that order; where the flag is set an epoch of the source begins.
    fn log(sources: &[(u32, bool)]) -> Vec<Entry> {
        let mut numbers = [Number { epoch: 1, sequence: 0 }; 4];
        let entry = |&(source, next): &(u32, bool)| {
            let number = &mut numbers[source as usize];
            if next {
                *number = Number { epoch: number.epoch + 1, sequence: 0 };
            }
            number.sequence += 1;
            let Number { epoch, sequence } = *number;
            Entry { kind: Kind::Event, received_ms: 0, source, epoch, sequence, commitment: [0; 32] }
        };
        sources.iter().map(entry).collect()
    }

    proptest! {
        #[test]
        fn finds_what_a_walk_finds(
            sources in prop::collection::vec((0_u32..3, prop::bool::weighted(0.01)), 1..3000),
            rare in 1_usize..500,
            pick in any::<prop::sample::Index>(),
        ) {
            let spread = sources.iter().enumerate();
            let spread = spread.map(|(at, &(source, next))| (if at % rare == 0 { 3 } else { source }, next));
            let log = log(&spread.collect::<Vec<_>>());
            let target = &log[pick.index(log.len())];
            let wanted = number(target);
            let naive = log.iter().position(|entry| entry.source == target.source && number(entry) >= wanted);
            let read = |range: Range<u64>| {
                Ok::<_, Infallible>(log[range.start as usize..range.end as usize].to_vec())
            };
            let found = locate(0..log.len() as u64, target.source, wanted, read).unwrap();
            prop_assert_eq!(Some(found as usize), naive);
        }
    }

    #[test]
    fn a_busy_source_is_found_in_a_few_looks() {
        let log = log(&vec![(1, false); 1 << 17]);
        let mut looks = 0;
        let read = |range: Range<u64>| {
            looks += 1;
            Ok::<_, Infallible>(log[range.start as usize..range.end as usize].to_vec())
        };
        let wanted = Number { epoch: 1, sequence: 70_000 };
        assert_eq!(locate(0..log.len() as u64, 1, wanted, read), Ok(69_999));
        assert!(looks < 20, "{looks}");
    }

    #[test]
    fn what_a_rare_source_sent_last_is_found_in_a_few_looks() {
        let mut sources = vec![(1, false); 1 << 17];
        let last = sources.len() - 3000;
        (sources[7], sources[last]) = ((2, false), (2, false));
        let log = log(&sources);
        let mut looks = 0;
        let read = |range: Range<u64>| {
            looks += 1;
            Ok::<_, Infallible>(log[range.start as usize..range.end as usize].to_vec())
        };
        assert_eq!(locate(0..log.len() as u64, 2, Number { epoch: 1, sequence: 2 }, read), Ok(last as u64));
        assert!(looks < 20, "{looks}");
    }
}
