use std::collections::VecDeque;
use std::ops::Range;

use ledger::{Fault, Next, Reads, StoredRecord};
use record::entry::{Entry, Kind};
use record::json::{Object, Value};

use super::Asked;
use crate::json;
use crate::view::{self, Unsound};

/// Entries of a bundle, the smallest part that a fault is narrowed down to.
const BUNDLE: u64 = 256;
/// Bytes of hits after which an answer ends.
const MAX_BYTES: usize = 8 << 20;
/// Damaged parts after which an answer ends.
const MAX_DAMAGED: usize = 256;

/// What has been found.
#[derive(Default)]
pub(super) struct Found {
    /// Hits as JSON, in the order asked for.
    pub hits: Vec<Vec<u8>>,
    /// Parts that could not be looked at, and why.
    pub damaged: Vec<Value<'static>>,
    bytes: usize,
}

impl Found {
    pub(super) fn has_room(&self) -> bool {
        self.bytes < MAX_BYTES && self.damaged.len() < MAX_DAMAGED
    }

    pub(super) fn extend(&mut self, other: Found) {
        self.hits.extend(other.hits);
        self.bytes += other.bytes;
        self.damaged.extend(other.damaged);
    }
}

/// Looks at one window for at most `wanted` hits. Comes back with the index of the last hit if it stopped there.
pub(super) fn look(
    reads: &Reads,
    ledger: usize,
    id: &[u8; 32],
    asked: &Asked,
    window: Range<u64>,
    wanted: usize,
) -> Result<(Found, Option<u64>), Fault> {
    match look_at(reads, ledger, id, asked, window.clone(), wanted) {
        Err(Fault::Damaged(_)) => {}
        other => return other,
    }
    // Bundle by bundle, to step over no more than what is damaged.
    let mut found = Found::default();
    let mut left = window;
    while !left.is_empty() {
        let part = if asked.descending {
            ((left.end - 1) / BUNDLE * BUNDLE).max(left.start)..left.end
        } else {
            left.start..((left.start / BUNDLE + 1) * BUNDLE).min(left.end)
        };
        match look_at(reads, ledger, id, asked, part.clone(), wanted - found.hits.len()) {
            Ok((more, last)) => {
                found.extend(more);
                if last.is_some() {
                    return Ok((found, last));
                }
            }
            Err(Fault::Damaged(damaged)) => {
                found.damaged.push(damage(part.clone(), Some(damaged.file), damaged.reason));
            }
            Err(other) => return Err(other),
        }
        left = if asked.descending { left.start..part.start } else { part.end..left.end };
    }
    Ok((found, None))
}

fn look_at(
    reads: &Reads,
    ledger: usize,
    id: &[u8; 32],
    asked: &Asked,
    window: Range<u64>,
    wanted: usize,
) -> Result<(Found, Option<u64>), Fault> {
    let mut found = Found::default();
    let mut hits: VecDeque<(u64, Vec<u8>)> = VecDeque::new();
    reads.scan(ledger, window, &mut |record| {
        let index = record.index;
        match hit(id, asked, record) {
            Ok(None) => {}
            Ok(Some(line)) => hits.push_back((index, line)),
            Err(unsound) => {
                found.damaged.push(damage(index..index + 1, None, unsound.reason));
            }
        }
        match hits.len() {
            // The window is read upwards and its last hits are wanted.
            count if asked.descending && count > wanted => drop(hits.pop_front()),
            count if !asked.descending && count == wanted => return Next::Stop,
            _ => {}
        }
        Next::More
    })?;
    if asked.descending {
        hits.make_contiguous().reverse();
    }
    let last = hits.back().filter(|_| hits.len() == wanted).map(|(index, _)| *index);
    found.bytes = hits.iter().map(|(_, line)| line.len()).sum();
    found.hits = hits.into_iter().map(|(_, line)| line).collect();
    Ok((found, last))
}

/// The hit as JSON, if the record matches. Only what matches is checked against its entry, which costs more than
/// the search; a record whose facets were changed so as not to match is for `verify` to find.
fn hit(id: &[u8; 32], asked: &Asked, mut record: StoredRecord) -> Result<Option<Vec<u8>>, Unsound> {
    let kind = Entry::decode(&record.entry).ok().map(|entry| entry.kind);
    let whole = asked.withheld.then(|| record.clone());
    if whole.is_some() && !kind.is_some_and(Kind::is_control) {
        view::strip(&mut record);
    }
    if !asked.terms.match_record(kind, &record)? {
        return Ok(None);
    }
    let entry = view::checked(id, whole.as_ref().unwrap_or(&record))?;
    let mut hit = view::head(record.index, &entry);
    if whole.is_some() {
        view::withhold(&entry, &mut record, &mut hit);
    }
    for name in ["received_ms", "epoch", "sequence"] {
        hit.remove(name);
    }
    hit.insert("event", view::event(&record)?);
    let mut line = json::text(&Value::Object(hit));
    line.pop();
    Ok(Some(line))
}

fn damage(range: Range<u64>, file: Option<String>, reason: String) -> Value<'static> {
    let mut object = Object::from_iter([("from", Value::from(range.start)), ("to", Value::from(range.end))]);
    if let Some(file) = file {
        object.insert("file", file);
    }
    object.insert("reason", reason);
    Value::Object(object)
}
