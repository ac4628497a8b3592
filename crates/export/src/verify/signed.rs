//! E2 and E4: what is signed, and by whom.

use sha2::{Digest, Sha256};
use tlog::{Checkpoint, UnverifiedCheckpoint, VerifierKey};

use crate::manifest::Manifest;
use crate::note;
use crate::verify::members::CHECKPOINT;
use crate::verify::{Check, Run};
use crate::zip::Source;

impl<S: Source + ?Sized> Run<'_, S> {
    /// E2 and what of E3 is in the manifest itself.
    pub(super) fn manifest(&mut self) -> Option<(Manifest, Option<VerifierKey>)> {
        let text = self.whole(self.members.manifest())?.0;
        let note = self.whole(self.members.note())?.0;
        let manifest = match Manifest::parse(&text) {
            Ok(manifest) => manifest,
            Err(error) => {
                self.find(Check::Manifest, "manifest.json", error);
                return None;
            }
        };
        let vkey = match VerifierKey::parse(&manifest.vkey) {
            Ok(vkey) => Some(vkey),
            Err(error) => {
                self.find(Check::Note, "manifest.json", format!("vkey: {error}"));
                None
            }
        };
        let sha256 = Sha256::digest(&text).into();
        let signed = vkey.as_ref().map(|vkey| note::check(&note, &manifest.origin, &sha256, vkey));
        if let Some(Err(error)) = signed {
            self.find(Check::Note, "manifest.note", error);
        }
        let rows = &self.members.rows[..self.members.manifest()];
        let fits = rows.len() == manifest.members.len()
            && rows.iter().zip(&manifest.members).all(|(row, member)| {
                row.name == member.name
                    && u64::from(row.length) == member.length
                    && u64::from(row.stored) == member.stored
            });
        if !fits {
            self.find(Check::Manifest, "manifest.json", "its members are not those of the archive");
        }
        let selection = &manifest.selection;
        let (from, end) = (selection.from, selection.end);
        let is_query = selection.query.is_some();
        if from > end || end > manifest.size || from == end && !is_query {
            self.find(
                Check::Place,
                "manifest.json",
                "the selection is empty or reaches beyond the checkpoint",
            );
        }
        if is_query == self.members.range.is_some() {
            self.find(Check::Container, "range.json", "a range has it, and a query does not");
            return None;
        }
        Some((manifest, vkey))
    }

    /// E4.
    pub(super) fn checkpoint(
        &mut self,
        manifest: &Manifest,
        vkey: Option<&VerifierKey>,
    ) -> Option<Checkpoint> {
        let (note, sha256) = self.whole(CHECKPOINT)?;
        self.hashed(CHECKPOINT, Ok(sha256), manifest);
        let keys = Vec::from_iter(vkey.cloned());
        let parsed = UnverifiedCheckpoint::parse(&note);
        let signatures = parsed.as_ref().map_or(0, |parsed| parsed.note().signatures().len());
        let checked = parsed.and_then(|parsed| parsed.verify(&manifest.origin, &keys, &[]));
        let checkpoint = match checked {
            Ok(verified) => verified.checkpoint().clone(),
            Err(error) => {
                self.find(Check::Checkpoint, "checkpoint", error);
                return None;
            }
        };
        if (checkpoint.size, checkpoint.root) != (manifest.size, manifest.root) {
            self.find(Check::Checkpoint, "checkpoint", "another size or root than the manifest says");
        }
        self.report.cosignatures = signatures.saturating_sub(1);
        self.cosigned("checkpoint", &note, manifest, &keys);
        Some(checkpoint)
    }
}
