//! What somebody was promised, held against what the log shows now.

use tlog::{
    Checkpoint, Hash, TlogProof, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey, verify_consistency,
};

use crate::finding::{Finding, Kind, damage, fork};
use crate::tree::{Tree, TreeError};

/// That an entry is in a log: what a receipt or a proof says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// The entry.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// The checkpoint that it was promised in, with the inclusion proof; receipts given at once have none.
    pub proof: Option<(String, Vec<Hash>)>,
    /// What it was given as, byte for byte.
    pub paper: Vec<u8>,
}

/// What has become of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// The entry is in the tree that the log shows now, which begins with the one it was promised in.
    Holds,
    /// The tree does not reach as far, and it was not said that it did.
    NotYet,
    /// It is broken, or was none.
    Broken(Finding),
}

impl Promise {
    /// Holds it against the newest checkpoint of the log, `note`, whose tree is `tree`.
    ///
    /// # Errors
    /// A part of the tree can't be had.
    pub fn hold(&self, keys: &[VerifierKey], note: &[u8], tree: &Tree<'_>) -> Result<Kept, TreeError> {
        if let Some((promised, proof)) = &self.proof {
            let older = match self.promised_in(keys, promised, proof) {
                Ok(older) => older,
                Err(why) => {
                    let text = format!("what was kept for entry {} never held: {why}", self.index);
                    return Ok(Kept::Broken(
                        Finding::new(Kind::Signature, text).with("receipt", self.paper.clone()),
                    ));
                }
            };
            if let Some(finding) = contradiction(older.checkpoint(), promised, note, tree)? {
                return Ok(Kept::Broken(finding.with("receipt", self.paper.clone())));
            }
        }
        if self.index >= tree.size() {
            return Ok(Kept::NotYet);
        }
        let leaf = tree.leaf(self.index)?;
        if leaf == self.leaf {
            return Ok(Kept::Holds);
        }
        let text = format!("entry {} of the log is not the one that was promised", self.index);
        let actual = TlogProof {
            extra: None,
            index: self.index,
            hashes: tree.inclusion(self.index)?,
            checkpoint: String::from_utf8_lossy(note).into_owned(),
        };
        Ok(Kept::Broken(
            Finding::new(Kind::Promise, text)
                .with("receipt", self.paper.clone())
                .with("shown.checkpoint", note)
                .with("shown.leaf", format!("{}\n", leaf.to_base64()))
                .with("shown.tlog-proof", actual.to_string()),
        ))
    }

    fn promised_in(
        &self,
        keys: &[VerifierKey],
        promised: &str,
        proof: &[Hash],
    ) -> Result<VerifiedCheckpoint, String> {
        let origin = keys.first().map_or("", VerifierKey::name);
        let older = UnverifiedCheckpoint::parse_with_extensions(promised.as_bytes())
            .and_then(|older| older.verify(origin, keys, &[]))
            .map_err(|error| error.to_string())?;
        older.check_inclusion(self.index, &self.leaf, proof).map_err(|error| error.to_string())?;
        Ok(older)
    }
}

/// What shows that the newest tree of a log, that of the checkpoint `note`, does not begin with an older one, that of the
/// checkpoint `kept`; nothing if it does. Both signatures were checked.
///
/// # Errors
/// A part of the tree can't be had.
pub fn contradiction(
    older: &Checkpoint,
    kept: &str,
    note: &[u8],
    tree: &Tree<'_>,
) -> Result<Option<Finding>, TreeError> {
    let (old, new) = (older.size, tree.size());
    if old > new {
        let text = format!("the log shows {new} entries after it has signed {old}");
        let finding = Finding::new(Kind::Rollback, text);
        return Ok(Some(finding.with("kept.checkpoint", kept).with("shown.checkpoint", note)));
    }
    let root = tree.root_at(old)?;
    let proof = if old == new || old == 0 { Vec::new() } else { tree.consistency(old)? };
    let proven = verify_consistency(old, new, &older.root, &tree.root(), &proof).is_ok();
    if root == older.root && proven {
        return Ok(None);
    }
    Ok(Some(fork((old, new), kept.as_bytes(), ("shown.checkpoint", note), &root, &proof)))
}

/// A part of the tree that is bad, as a finding; what can't be had at present is none.
pub fn finding_of(error: &TreeError) -> Option<Finding> {
    match error {
        TreeError::Bad(bad) => Some(damage(bad)),
        TreeError::Fetch(_) => None,
    }
}
