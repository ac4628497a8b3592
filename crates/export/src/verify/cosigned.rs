//! E12: whether a quorum of a policy has cosigned what was selected.

use tlog::VerifierKey;

use crate::manifest::Manifest;
use crate::verify::{Check, Run};
use crate::zip::Source;

impl<S: Source + ?Sized> Run<'_, S> {
    /// Holds the cosignatures on a checkpoint of the file against the policy, if there is one. `keys` sign for the ledger.
    pub(super) fn cosigned(&mut self, member: &str, note: &[u8], manifest: &Manifest, keys: &[VerifierKey]) {
        let Some(policy) = self.options.policy else { return };
        let found = match evidence::verify::cosigned(note, &manifest.origin, keys, policy) {
            Ok(found) => found,
            Err(error) => return self.find(Check::Witnesses, member, error),
        };
        let size = found.checkpoint.size;
        if found.met && self.report.witnessed.is_none_or(|witnessed| size > witnessed) {
            (self.report.witnessed, self.report.witnesses) = (Some(size), found.names);
        }
    }

    /// A quorum must have cosigned all of what was selected: the checkpoint, or an earlier one that covers it.
    pub(super) fn policy(&mut self, manifest: &Manifest) {
        if self.options.policy.is_none() {
            return;
        }
        let end = manifest.selection.end;
        match self.report.witnessed {
            Some(size) if size >= end => {}
            Some(size) => self.report.undecided(format!(
                "a quorum of the policy's witnesses has cosigned {size} entries, and the selection ends with {end}"
            )),
            None => self.report.undecided(
                "no checkpoint of the file is cosigned by a quorum of the policy's witnesses".to_owned(),
            ),
        }
    }
}
