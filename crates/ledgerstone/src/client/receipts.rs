//! Verifying what `append --receipts` wrote against the file that was appended: the sender's own check, for which
//! no server is asked and none is believed.

use std::fs::File;
use std::path::Path;

use evidence::verify::Verdict;
use record::receipt::{Receipt, ReceiptError};
use serde_json::{Value, json};
use tlog::VerifierKey;

use super::feed::{Fed, Feed};
use super::json;
use crate::failure::{About, Failure};

/// How many mistakes are told one by one.
const SHOWN: usize = 20;

/// What came of all receipts of a file.
#[derive(Debug, Default)]
pub(super) struct Summary {
    /// Receipts from whose record the entry was recomputed.
    checked: u64,
    /// Those of them that a signed checkpoint includes.
    proven: u64,
    /// Records of the file that no receipt is for.
    without: u64,
    first: Option<u64>,
    last: Option<u64>,
    damage: Vec<String>,
    undecided: Vec<String>,
}

/// Whether this is a file of receipts and not a single one.
pub(super) fn is_receipts_file(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    serde_json::from_slice::<Value>(line).is_ok_and(|line| line.get("receipt").is_some_and(Value::is_object))
}

/// Recomputes the entry of each receipt from its record in `file`; with `key`, also checks the proofs that are there.
///
/// # Errors
/// The file can't be read.
pub(super) fn verify(receipts: &[u8], file: &Path, key: Option<&VerifierKey>) -> Result<Summary, Failure> {
    let mut summary = Summary::default();
    let mut lines = receipts.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    let mut next = read_line(&mut lines, &mut summary);
    let mut feed = Feed::new(File::open(file).about("read", file)?, 0);
    let mut record = 0;
    while let Fed::Body(body, _) = feed.next().about("read", file)? {
        for raw in body.records() {
            record += 1;
            if next.as_ref().is_none_or(|(of, _)| *of != record) {
                summary.without += 1;
            }
            while let Some((_, receipt)) = next.take_if(|(of, _)| *of == record) {
                summary.check(record, &receipt, raw, key);
                next = read_line(&mut lines, &mut summary);
            }
        }
    }
    while let Some((of, _)) = next {
        summary.damage.push(format!(
            "a receipt is for record {of}, which the file does not have after those before it"
        ));
        next = read_line(&mut lines, &mut summary);
    }
    Ok(summary)
}

/// The next receipt and the number of its record. Lines that hold none are damage.
fn read_line<'a>(
    lines: &mut impl Iterator<Item = (usize, &'a [u8])>,
    summary: &mut Summary,
) -> Option<(u64, Receipt)> {
    for (at, line) in lines {
        let value: Value = serde_json::from_slice(line).unwrap_or_default();
        let receipt = value.get("receipt").map(|receipt| Receipt::parse(receipt.to_string().as_bytes()));
        match (json::number(&value, "record"), receipt) {
            (Some(record), Some(Ok(receipt))) => return Some((record, receipt)),
            (_, Some(Err(error))) => summary.damage.push(format!("line {}: {error}", at + 1)),
            _ => summary.damage.push(format!("line {}: not a receipt with the number of its record", at + 1)),
        }
    }
    None
}

impl Summary {
    fn check(&mut self, record: u64, receipt: &Receipt, raw: &[u8], key: Option<&VerifierKey>) {
        let about = |error: ReceiptError| format!("record {record}, entry {}: {error}", receipt.index);
        match receipt.check_raw(raw) {
            Ok(()) => self.checked += 1,
            Err(error @ ReceiptError::TableVersion(_)) => self.undecided.push(about(error)),
            Err(error) => self.damage.push(about(error)),
        }
        match key.map(|key| receipt.check_proof(key)) {
            None | Some(Err(ReceiptError::NoProof)) => {}
            Some(Ok(_)) => self.proven += 1,
            Some(Err(error)) => self.damage.push(about(error)),
        }
        self.first = Some(self.first.map_or(receipt.index, |first| first.min(receipt.index)));
        self.last = Some(self.last.map_or(receipt.index, |last| last.max(receipt.index)));
    }

    pub(super) fn verdict(&self) -> Verdict {
        match (self.damage.is_empty(), self.undecided.is_empty() && self.checked > 0) {
            (false, _) => Verdict::Disproven,
            (true, true) => Verdict::Proven,
            (true, false) => Verdict::Undecidable,
        }
    }

    pub(super) fn json(&self, verdict: Verdict) -> String {
        json!({
            "verdict": verdict.word(), "receipts": self.checked, "proven": self.proven,
            "records_without_receipt": self.without, "first": self.first, "last": self.last,
            "damage": self.damage, "undecided": self.undecided,
        })
        .to_string()
    }

    pub(super) fn text(&self, verdict: Verdict) -> String {
        let mut out =
            format!("{}\n\n{} receipts, each recomputed from its record\n", verdict.word(), self.checked);
        if let (Some(first), Some(last)) = (self.first, self.last) {
            out.push_str(&format!(
                "  entries {first} to {last}, {} of them shown to be in a signed tree\n",
                self.proven
            ));
        }
        if self.without > 0 {
            out.push_str(&format!("  {} records of the file have no receipt\n", self.without));
        }
        for (word, list) in [("damage", &self.damage), ("undecided", &self.undecided)] {
            for line in list.iter().take(SHOWN) {
                out.push_str(&format!("  {word}: {line}\n"));
            }
            if list.len() > SHOWN {
                out.push_str(&format!("  and {} more; --json tells all\n", list.len() - SHOWN));
            }
        }
        out
    }
}
