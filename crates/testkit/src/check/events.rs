use std::collections::{BTreeMap, BTreeSet};

use evidence::hex;
use record::control::{Control, Cut, Gap, GapCause, Numbering};
use record::entry::{Entry, Kind};
use record::facet::{Facet, Stamp};

use super::{Contents, Stored, Violation, broken};
use crate::expected::{Event, ExpectedLedger, Told};

/// How far a source has got.
struct Source {
    epoch: u32,
    numbered: bool,
    last: u64,
}

/// Checks what the entries of a ledger say about one another: genesis, order of time, contiguous sequences, sources
/// opened before use, a `sealed` record of every segment. Returns the cuts on record.
pub(super) fn check(
    contents: &Contents,
    segments: &BTreeMap<String, (u64, [u8; 32])>,
) -> Result<Vec<Cut>, Violation> {
    let (mut cuts, mut sealed) = (Vec::new(), BTreeMap::new());
    let mut sources = BTreeMap::from([(0, Source { epoch: 1, numbered: false, last: 0 })]);
    let mut received = 0;
    for (index, (entry, stored)) in contents.decoded()?.into_iter().enumerate() {
        let place = contents.at(index);
        if entry.received_ms < received {
            return broken(place, "received before the entry before it");
        }
        received = entry.received_ms;
        match sources.get_mut(&entry.source) {
            None => return broken(place, format!("source {} was never opened", entry.source)),
            Some(source) if (source.epoch, source.last + 1) != (entry.epoch, entry.sequence) => {
                let (epoch, last) = (source.epoch, source.last);
                let what = format!("{}.{} follows {epoch}.{last}", entry.epoch, entry.sequence);
                return broken(place, format!("source {}: {what}", entry.source));
            }
            Some(source) => source.last += 1,
        }
        if !entry.kind.is_control() {
            if index == 0 || entry.source == 0 {
                return broken(place, format!("kind {:?} does not belong here", entry.kind));
            }
            continue;
        }
        if entry.source != 0 || (entry.kind == Kind::Genesis) != (index == 0) {
            return broken(place, format!("kind {:?} does not belong here", entry.kind));
        }
        let what = &stored.facets[Facet::What as usize];
        match Control::parse(entry.kind, what).or_else(|error| broken(&place, error))? {
            Control::Genesis(genesis) => {
                let state = &contents.state;
                if (&genesis.ledger_id, &genesis.origin) != (&state.id, &state.origin) {
                    return broken(place, "the genesis is of another ledger");
                }
            }
            Control::Source(opened) => {
                let before = sources.get(&opened.source);
                let highest = sources.keys().next_back().copied().unwrap_or_default();
                let fits = match before {
                    Some(before) => opened.epoch == before.epoch + 1,
                    None => opened.epoch == 1 && opened.source > highest,
                };
                let said = |before: &Source| opened.previous_last_sequence == Some(before.last);
                let gap = before.filter(|before| before.numbered && !said(before));
                if !fits || opened.source == 0 {
                    return broken(place, format!("source {}.{}", opened.source, opened.epoch));
                }
                if let Some(gap) = gap {
                    check_gap(contents, index + 1, opened.source, gap)?;
                }
                let numbered = opened.numbering == Numbering::Source;
                sources.insert(opened.source, Source { epoch: opened.epoch, numbered, last: 0 });
            }
            Control::Sealed(record) => drop(sealed.insert(record.file, (record.length, record.sha256))),
            Control::Cut(cut) => cuts.push(cut),
            Control::Gap(_)
            | Control::Heartbeat(_)
            | Control::Clock(_)
            | Control::Refusal(_)
            | Control::Timestamp(_)
            | Control::Key(_) => {}
        }
    }
    for (file, held) in segments {
        if sealed.get(file) != Some(held) {
            return broken(format!("{}/{file}", contents.state.name), "its sealed record does not fit");
        }
    }
    if let Some(missing) = sealed.keys().find(|file| !segments.contains_key(*file)) {
        return broken(format!("{}/{missing}", contents.state.name), "on record as sealed and not there");
    }
    Ok(cuts)
}

/// Checks that the record at `index` says what is missing from the epoch that ended.
fn check_gap(contents: &Contents, index: usize, source: u32, before: &Source) -> Result<(), Violation> {
    let gap = contents.records.get(index).map(|stored| Gap::parse(&stored.facets[Facet::What as usize]));
    match gap {
        Some(Ok(gap))
            if gap.cause == GapCause::Sequence
                && (gap.source, gap.epoch) == (Some(source), Some(before.epoch))
                && gap.from_sequence == Some(before.last + 1) =>
        {
            Ok(())
        }
        _ => broken(contents.at(index), "an epoch ended in the dark and no gap is on record"),
    }
}

/// Compares a ledger with what its clients were told.
pub(super) fn compare(contents: &Contents, expected: &ExpectedLedger) -> Result<(), Violation> {
    let mut seen: BTreeSet<&[u8]> = BTreeSet::new();
    for (index, (entry, stored)) in contents.decoded()?.into_iter().enumerate() {
        if entry.kind.is_control() {
            continue;
        }
        let (place, raw) = (contents.at(index), &stored.facets[Facet::Raw as usize]);
        let Some((event, told)) = expected.events.get(raw.as_slice()) else {
            return broken(place, format!("nobody handed this in: {}", show(raw)));
        };
        if !seen.insert(raw) {
            return broken(place, format!("recorded twice: {}", show(raw)));
        }
        if !is_event(&entry, stored, event) {
            return broken(place, format!("not as it was handed in: {}", show(raw)));
        }
        match told {
            Told::Refused => return broken(place, format!("it was refused: {}", show(raw))),
            Told::At(at, bytes) if (*at, bytes) != (index as u64, &contents.entries[index]) => {
                return broken(place, format!("its receipt says index {at} or another entry: {}", show(raw)));
            }
            _ => {}
        }
    }
    for (raw, (_, told)) in &expected.events {
        if matches!(told, Told::Durable | Told::At(..)) && !seen.contains(raw.as_ref()) {
            return broken(format!("ledger {}", contents.state.name), format!("lost: {}", show(raw)));
        }
    }
    for (index, opened) in &expected.opened {
        let what = contents.records.get(*index as usize).map(|stored| &stored.facets[Facet::What as usize]);
        let found = what.map(|what| Control::parse(Kind::Source, what));
        let same = matches!(&found, Some(Ok(Control::Source(at))) if (at.source, at.epoch) == *opened);
        if !same {
            return broken(contents.at(*index as usize), format!("lost: source {opened:?} was opened here"));
        }
    }
    compare_downtime(contents, expected)
}

/// Checks that every span without recording is on record (DESIGN I6).
fn compare_downtime(contents: &Contents, expected: &ExpectedLedger) -> Result<(), Violation> {
    if expected.down.is_empty() {
        return Ok(());
    }
    let (mut spans, mut born) = (Vec::new(), 0);
    for (bytes, stored) in contents.entries.iter().zip(&contents.records) {
        let what = &stored.facets[Facet::What as usize];
        match Kind::from_u8(bytes[1]).map(|kind| Control::parse(kind, what)) {
            Some(Ok(Control::Genesis(genesis))) => born = genesis.created_ms,
            Some(Ok(Control::Gap(Gap {
                cause: GapCause::Downtime,
                from_ms: Some(from),
                to_ms: Some(to),
                ..
            }))) => spans.push((from, to)),
            _ => {}
        }
    }
    spans.sort_unstable();
    for (from, to) in &expected.down {
        // What one record does not cover another may: each attempt to start records its own.
        let from = *from.max(&born);
        let covered = spans.iter().fold(from, |at, span| if span.0 <= at { at.max(span.1) } else { at });
        if covered < *to {
            let what = format!("it was down from {from} to {to} and no record says so: {spans:?}");
            return broken(format!("ledger {}", contents.state.name), what);
        }
    }
    Ok(())
}

/// Whether a stored record is this event under the stamp of its entry.
fn is_event(entry: &Entry, stored: &Stored, event: &Event) -> bool {
    let mut when = Vec::new();
    event.draft.when.write_stamped(&Stamp::of(entry), &mut when);
    let draft = &event.draft;
    let facets: [&[u8]; 6] = [&when, &draft.who, &draft.what, &draft.content, &draft.where_, &event.raw];
    entry.kind == Kind::Event && stored.facets.iter().zip(facets).all(|(stored, facet)| stored == facet)
}

/// The beginning of an event, for messages.
fn show(raw: &[u8]) -> String {
    let start = raw.get(..24).unwrap_or(raw);
    match std::str::from_utf8(start) {
        Ok(text) => format!("{text}…"),
        Err(_) => hex::encode(start),
    }
}
