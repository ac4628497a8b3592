//! E11: earlier checkpoints, each the beginning of the last.

use record::control::Genesis;
use tlog::{Checkpoint, UnverifiedCheckpoint, VerifierKey, verify_consistency};

use crate::anchors::Anchor;
use crate::manifest::Manifest;
use crate::verify::members::{ANCHORS, lines};
use crate::verify::{Check, Damage, Run};
use crate::zip::Source;

impl<S: Source + ?Sized> Run<'_, S> {
    /// E11.
    pub(super) fn anchors(
        &mut self,
        manifest: &Manifest,
        checkpoint: Option<&Checkpoint>,
        genesis: Option<&Genesis>,
        vkey: Option<&VerifierKey>,
    ) {
        let mut keys = Vec::from_iter(vkey.cloned());
        keys.extend(genesis.and_then(|genesis| VerifierKey::parse(&genesis.log_vkey).ok()));
        keys.dedup();
        let (mut size, mut found, mut good, mut timestamps) = (None, Vec::new(), 0, 0);
        let row = self.members.rows[ANCHORS].clone();
        let read = lines(self.source, &row, &mut |line, _, text| {
            let checked = anchor(text, &keys, manifest, checkpoint, &mut size);
            match checked {
                Ok(tokens) => (good, timestamps) = (good + 1, timestamps + tokens),
                Err(error) => found.push(Damage::new(Check::Anchors, &row.name, error).line(line)),
            }
        });
        self.hashed(ANCHORS, read, manifest);
        found.into_iter().for_each(|damage| self.report.find(damage));
        self.report.anchors = good;
        self.report.timestamps += timestamps;
    }
}

/// One line of `anchors.ndjson`. Returns how many timestamps it has.
fn anchor(
    text: &[u8],
    keys: &[VerifierKey],
    manifest: &Manifest,
    checkpoint: Option<&Checkpoint>,
    size: &mut Option<u64>,
) -> Result<usize, String> {
    let anchor = Anchor::parse(&[text, b"\n"].concat())?;
    let parsed = UnverifiedCheckpoint::parse(anchor.checkpoint.as_bytes());
    let verified = parsed.and_then(|parsed| parsed.verify(&manifest.origin, keys, &[]));
    let verified = verified.map_err(|error| error.to_string())?;
    let earlier = verified.checkpoint();
    if size.replace(earlier.size).is_some_and(|before| before >= earlier.size) {
        return Err("sizes do not rise".to_owned());
    }
    if earlier.size == manifest.size && checkpoint.is_some_and(|checkpoint| checkpoint != earlier) {
        return Err("another root for the size of the checkpoint".to_owned());
    }
    verify_consistency(earlier.size, manifest.size, &earlier.root, &manifest.root, &anchor.consistency)
        .map_err(|error| format!("the tree of the checkpoint does not begin with it: {error}"))?;
    Ok(anchor.timestamps.len())
}
