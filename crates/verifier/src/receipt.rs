use evidence::verify::Verdict;
use record::receipt::{Receipt, ReceiptError};
use tlog::note::VerifierKey;

/// What a receipt proves.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceiptReport {
    /// Index of the entry it speaks of.
    pub index: u64,
    /// The ledger's origin.
    pub origin: String,
    /// Whether raw bytes were given and the entry was recomputed from them.
    pub raw_checked: bool,
    /// Size of the tree in which the receipt's proof places the entry, if it has a proof and a key was given.
    pub proven_in: Option<u64>,
    /// What is not as it should be.
    pub damage: Vec<String>,
    /// What could not be decided.
    pub undecided: Vec<String>,
}

impl ReceiptReport {
    /// The answer in one word.
    pub fn verdict(&self) -> Verdict {
        if !self.damage.is_empty() {
            Verdict::Disproven
        } else if !self.undecided.is_empty() {
            Verdict::Undecidable
        } else {
            Verdict::Proven
        }
    }
}

/// Verifies one receipt. With `raw`, the bytes that were sent, the sender's own entry is recomputed; with `key`
/// and a receipt that carries a proof, its place in a signed tree.
pub fn verify_receipt(receipt: &[u8], raw: Option<&[u8]>, key: Option<&VerifierKey>) -> ReceiptReport {
    let mut report = ReceiptReport::default();
    let receipt = match Receipt::parse(receipt) {
        Ok(receipt) => receipt,
        Err(error) => {
            report.damage.push(error.to_string());
            return report;
        }
    };
    report.index = receipt.index;
    report.origin.clone_from(&receipt.origin);
    match raw.map(|raw| receipt.check_raw(raw)) {
        None => report
            .undecided
            .push("no raw bytes were given, so the entry was not recomputed: use --raw FILE".to_owned()),
        Some(Ok(())) => report.raw_checked = true,
        Some(Err(error)) if error.is_undecidable() => report.undecided.push(error.to_string()),
        Some(Err(error)) => report.damage.push(error.to_string()),
    }
    match key.map(|key| receipt.check_proof(key)) {
        None | Some(Err(ReceiptError::NoProof)) => {}
        Some(Ok(checkpoint)) => report.proven_in = Some(checkpoint.checkpoint().size),
        Some(Err(error)) => report.damage.push(error.to_string()),
    }
    if raw.is_none() && report.proven_in.is_some() {
        report.undecided.clear();
    }
    report
}
