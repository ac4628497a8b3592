use evidence::verify::{Verdict, cosigned};
use record::receipt::{Receipt, ReceiptError};
use tlog::note::VerifierKey;
use tlog::policy::Policy;

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
    /// Who of a policy has cosigned that tree, if a quorum has.
    pub witnesses: Vec<String>,
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

impl ReceiptReport {
    /// Holds the checkpoint of the receipt or proof against a policy: a quorum must have cosigned it.
    pub fn hold_against_policy(
        &mut self,
        checkpoint: Option<&str>,
        key: Option<&VerifierKey>,
        policy: &Policy,
    ) {
        let (note, key) = match (checkpoint, key) {
            (Some(note), Some(key)) => (note, key),
            (None, _) => {
                let why = "there is no checkpoint in it, so no witness has cosigned anything".to_owned();
                return self.undecided.push(why);
            }
            (_, None) => {
                let why =
                    "cosignatures are checked together with the ledger's signature: use --key".to_owned();
                return self.undecided.push(why);
            }
        };
        match cosigned(note.as_bytes(), &self.origin, std::slice::from_ref(key), policy) {
            // What is wrong with the ledger's own signature was said before.
            Err(_) if self.proven_in.is_none() => {}
            Err(error) => self.damage.push(error.to_string()),
            Ok(found) if found.met => self.witnesses = found.names,
            Ok(found) => self.undecided.push(format!(
                "{} of the policy's witnesses have cosigned {} entries, which is no quorum",
                found.names.len(),
                found.checkpoint.size
            )),
        }
    }
}

/// The same as [`verify_receipt`], and the receipt's checkpoint held against a policy.
pub fn verify_receipt_with(
    receipt: &[u8],
    raw: Option<&[u8]>,
    key: Option<&VerifierKey>,
    policy: &Policy,
) -> ReceiptReport {
    let mut report = verify_receipt(receipt, raw, key);
    if let Ok(receipt) = Receipt::parse(receipt) {
        let note = receipt.proof.as_ref().map(|proof| proof.checkpoint.as_str());
        report.hold_against_policy(note, key, policy);
    }
    report
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
