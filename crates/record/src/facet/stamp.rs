//! The ledger's own word inside `when`: received time, source, epoch and sequence, which must equal the entry's.
//!
//! They are known only when the ledger puts the event in order, long after the facet was built, so a draft leaves
//! their place open and they are spliced in.

use crate::canonical::{MAX_INTEGER, Scanner, compare_keys, for_each_sorted, write, write_string};
use crate::entry::Entry;
use crate::json::Object;
use std::cmp::Ordering;
use std::fmt;

/// The top-level key of `when` that only the ledger writes.
pub const STAMP_KEY: &str = "ledgerstone";

/// Where the ledger put an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// When it was received, in Unix milliseconds; at most 2^53 - 1.
    pub received_ms: u64,
    /// Who sent it.
    pub source: u32,
    /// The source's epoch.
    pub epoch: u32,
    /// The number within the epoch.
    pub sequence: u64,
}

impl Stamp {
    /// The stamp that an entry's `when` facet must carry.
    pub fn of(entry: &Entry) -> Stamp {
        Stamp {
            received_ms: entry.received_ms,
            source: entry.source,
            epoch: entry.epoch,
            sequence: entry.sequence,
        }
    }
}

/// A canonical `when` object cut where its key `"ledgerstone"` goes.
///
/// `head` is `{` or ends in a comma, `tail` is `}` or starts with one: the stamp fits between them as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WhenDraft {
    /// What stands before the stamp.
    pub head: Vec<u8>,
    /// What stands after it.
    pub tail: Vec<u8>,
}

impl Default for WhenDraft {
    fn default() -> WhenDraft {
        WhenDraft { head: b"{".to_vec(), tail: b"}".to_vec() }
    }
}

impl WhenDraft {
    /// Cuts an object of our own making; a key `"ledgerstone"` in it is left out.
    pub fn from_object(object: &Object<'_>) -> WhenDraft {
        let mut draft = WhenDraft { head: b"{".to_vec(), tail: Vec::new() };
        for_each_sorted(object, |_, key, value| match compare_keys(key, STAMP_KEY) {
            Ordering::Less => {
                write_string(key, &mut draft.head);
                draft.head.push(b':');
                write(value, &mut draft.head);
                draft.head.push(b',');
            }
            Ordering::Equal => {}
            Ordering::Greater => {
                draft.tail.push(b',');
                write_string(key, &mut draft.tail);
                draft.tail.push(b':');
                write(value, &mut draft.tail);
            }
        });
        draft.tail.push(b'}');
        draft
    }

    /// Appends the whole facet: head, `"ledgerstone":{"epoch":E,"received":MS,"sequence":"SEQ","source":S}`, tail.
    pub fn write_stamped(&self, stamp: &Stamp, out: &mut Vec<u8>) {
        out.reserve(self.head.len() + self.tail.len() + 128);
        out.extend_from_slice(&self.head);
        out.extend_from_slice(b"\"ledgerstone\":{\"epoch\":");
        write_decimal(stamp.epoch.into(), out);
        out.extend_from_slice(b",\"received\":");
        write_decimal(stamp.received_ms, out);
        out.extend_from_slice(b",\"sequence\":\"");
        write_decimal(stamp.sequence, out);
        out.extend_from_slice(b"\",\"source\":");
        write_decimal(stamp.source.into(), out);
        out.push(b'}');
        out.extend_from_slice(&self.tail);
    }
}

fn write_decimal(number: u64, out: &mut Vec<u8>) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// Reads the stamp of a stored `when` facet. Only what stands before the stamp and the stamp itself are looked at:
/// whether the facet as a whole is canonical is for [`crate::canonical::check`] to say.
///
/// # Errors
/// If the top-level member `"ledgerstone"` is missing or not exactly as [`WhenDraft::write_stamped`] writes it.
pub fn read_stamp(when: &[u8]) -> Result<Stamp, StampError> {
    read(when).ok_or(StampError)
}

fn read(when: &[u8]) -> Option<Stamp> {
    let mut scanner = Scanner::new(when).ok()?;
    if scanner.peek() != Some(b'{') || scanner.open(0, b'}').ok()? {
        return None;
    }
    while scanner.key().ok()? != STAMP_KEY {
        scanner.skip_value(1).ok()?;
        if !scanner.another(b'}').ok()? {
            return None;
        }
    }
    scanner.expect(b"{\"epoch\":").ok()?;
    let epoch = u32::try_from(scanner.decimal()?).ok()?;
    scanner.expect(b",\"received\":").ok()?;
    let received_ms = scanner.decimal()?;
    scanner.expect(b",\"sequence\":\"").ok()?;
    let sequence = scanner.decimal()?;
    scanner.expect(b"\",\"source\":").ok()?;
    let source = u32::try_from(scanner.decimal()?).ok()?;
    scanner.expect(b"}").ok()?;
    (received_ms <= MAX_INTEGER).then_some(Stamp { received_ms, source, epoch, sequence })
}

/// A `when` facet without a valid stamp: the record is damaged or was not written by a ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StampError;

impl fmt::Display for StampError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("facet when has no valid ledgerstone stamp")
    }
}

impl std::error::Error for StampError {}
