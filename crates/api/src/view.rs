//! A stored record as people see it.

use ledger::StoredRecord;
use record::entry::{Entry, Kind};
use record::facet::{Facet, merge};
use record::json::{Object, Value};
use record::stored;

use crate::json;
use crate::problem::Problem;

/// The word for a kind in answers and in `kind:` terms.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Genesis => "genesis",
        Kind::Event => "event",
        Kind::Quarantine => "quarantine",
        Kind::Gap => "gap",
        Kind::Heartbeat => "heartbeat",
        Kind::Source => "source",
        Kind::BatchSignature => "batch-signature",
        Kind::Sealed => "sealed",
        Kind::Erase => "erase",
        Kind::Key => "key",
        Kind::Access => "access",
        Kind::Cut => "cut",
    }
}

/// A record whose stored bytes are not what its entry commits to, or cannot be read.
#[derive(Debug)]
pub(crate) struct Unsound {
    index: u64,
    pub reason: String,
}

impl From<Unsound> for Problem {
    fn from(unsound: Unsound) -> Self {
        Problem::damaged().with("index", unsound.index).with("reason", unsound.reason)
    }
}

/// The entry of a record whose stored bytes were found to be what the entry commits to: corruption is found before
/// use (DESIGN I5).
///
/// # Errors
/// What does not fit.
pub(crate) fn checked(ledger_id: &[u8; 32], record: &StoredRecord) -> Result<Entry, Unsound> {
    let unsound = |reason: String| Unsound { index: record.index, reason };
    let entry = Entry::decode(&record.entry).map_err(|error| unsound(error.to_string()))?;
    stored::check(&entry, ledger_id, &record.opening, &facets(record))
        .map_err(|error| unsound(error.to_string()))?;
    Ok(entry)
}

/// All facets, borrowed.
pub(crate) fn facets(record: &StoredRecord) -> [&[u8]; 6] {
    std::array::from_fn(|facet| &record.facets[facet][..])
}

/// The event put together from those facets that are there.
///
/// # Errors
/// A facet that is no JSON object; use on records that were checked.
pub(crate) fn event(record: &StoredRecord) -> Result<Value<'_>, Unsound> {
    let part = |facet: Facet| {
        let there = record.opening.has(facet);
        there.then(|| &record.facets[facet as usize][..])
    };
    merge(Facet::JSON.map(part)).map_err(|error| Unsound { index: record.index, reason: error.to_string() })
}

/// Index, kind, times and number: what the entry says.
pub(crate) fn head(index: u64, entry: &Entry) -> Object<'static> {
    Object::from_iter([
        ("index", Value::from(index)),
        ("kind", Value::from(kind_name(entry.kind))),
        ("received", Value::from(rfc3339(entry.received_ms))),
        ("received_ms", Value::from(entry.received_ms)),
        ("source", Value::from(entry.source)),
        ("epoch", Value::from(entry.epoch)),
        ("sequence", Value::from(entry.sequence)),
    ])
}

/// `raw` as a text if it is one, else `raw_base64`; `raw` is null if it was erased.
pub(crate) fn raw(record: &StoredRecord) -> (&'static str, Value<'_>) {
    let bytes = &record.facets[Facet::Raw as usize];
    match std::str::from_utf8(bytes) {
        _ if !record.opening.has(Facet::Raw) => ("raw", Value::Null),
        Ok(text) => ("raw", Value::from(text)),
        Err(_) => ("raw_base64", json::base64(bytes)),
    }
}

/// Takes `content` and `raw` out of a record that was checked, for readers who may not see them, and says so in what
/// they see. A search looks at the rest only, so that it is no way to guess at them.
pub(crate) fn withhold(entry: &Entry, record: &mut StoredRecord, head: &mut Object<'_>) {
    if !entry.kind.is_control() {
        strip(record);
        head.insert("withheld", vec![Value::from("content"), Value::from("raw")]);
    }
}

/// Empties `content` and `raw`.
pub(crate) fn strip(record: &mut StoredRecord) {
    record.facets[Facet::Content as usize] = b"{}".to_vec();
    record.facets[Facet::Raw as usize] = Vec::new();
}

/// Unix milliseconds as RFC 3339 in UTC, with milliseconds.
pub(crate) fn rfc3339(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    // Days counted from 0000-03-01, so that a leap day is the last of its year; eras of 400 years.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = era * 400 + year + carry;
    let (hour, minute) = (of_day / 3_600_000, of_day / 60_000 % 60);
    let (second, milli) = (of_day / 1_000 % 60, of_day % 1_000);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn times_of_note() {
        for (ms, text) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_001, "2000-02-29T00:00:00.001Z"),
            (1_709_251_199_999, "2024-02-29T23:59:59.999Z"),
            (1_709_251_200_000, "2024-03-01T00:00:00.000Z"),
            (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(rfc3339(ms), text);
        }
    }

    proptest! {
        #[test]
        fn times_are_read_back(ms in 0_u64..253_402_300_800_000) {
            prop_assert_eq!(wire::rfc3339_ms(&rfc3339(ms)), Some(ms as i64));
        }
    }

    #[test]
    fn kinds_have_names_of_their_own() {
        let names: std::collections::BTreeSet<_> = Kind::ALL.into_iter().map(kind_name).collect();
        assert_eq!(names.len(), Kind::ALL.len());
    }
}
