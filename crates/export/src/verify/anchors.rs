//! E11: earlier checkpoints, each the beginning of the last and by the key of its time; and that those are here which
//! key records need.

use tlog::{Checkpoint, KeyHistory, UnverifiedCheckpoint, verify_consistency};

use crate::anchors::Anchor;
use crate::manifest::Manifest;
use crate::verify::members::{ANCHORS, lines};
use crate::verify::{Check, Damage, Run};
use crate::zip::Source;

impl<S: Source + ?Sized> Run<'_, S> {
    /// E11. Without a history nothing is said of who signed.
    pub(super) fn anchors(
        &mut self,
        manifest: &Manifest,
        checkpoint: Option<&Checkpoint>,
        history: Option<&KeyHistory>,
    ) {
        let (mut size, mut found, mut good, mut timestamps) = (None, Vec::new(), Vec::new(), 0);
        let mut wanted: Vec<_> = history.iter().flat_map(|history| history.changes()).collect();
        let row = self.members.rows[ANCHORS].clone();
        let read = lines(self.source, &row, &mut |line, _, text| {
            let checked = anchor(text, history, manifest, checkpoint, &mut size);
            match checked {
                Ok((earlier, anchor)) => {
                    timestamps += anchor.timestamps.len();
                    wanted.retain(|change| change.statement.checkpoint() != earlier);
                    good.push((earlier.size, anchor.checkpoint));
                }
                Err(error) => found.push(Damage::new(Check::Anchors, &row.name, error).line(line)),
            }
        });
        if read.is_err() {
            // Told once: that it can't be read.
            (found, wanted) = (Vec::new(), Vec::new());
        }
        self.hashed(ANCHORS, read, manifest);
        for change in wanted {
            let what =
                format!("no checkpoint of {} entries, which a key record needs", change.statement.size);
            found.push(Damage::new(Check::Anchors, &row.name, what).index(change.index));
        }
        found.into_iter().for_each(|damage| self.report.find(damage));
        match &self.lost {
            _ if history.is_some() || good.is_empty() => {}
            Some(member) => self.report.unchecked(member, "who must have signed earlier checkpoints"),
            None => {
                self.report.undecided("who must have signed earlier checkpoints can't be told".to_owned());
            }
        }
        self.report.anchors = good.len();
        for (size, note) in history.iter().flat_map(|_| &good) {
            let key = history.map(|history| history.in_force(*size).clone());
            self.cosigned(&row.name, note.as_bytes(), manifest, key.as_slice());
        }
        self.report.timestamps += timestamps;
    }
}

/// One line of `anchors.ndjson`. Returns its checkpoint as well.
fn anchor(
    text: &[u8],
    history: Option<&KeyHistory>,
    manifest: &Manifest,
    checkpoint: Option<&Checkpoint>,
    size: &mut Option<u64>,
) -> Result<(Checkpoint, Anchor), String> {
    let anchor = Anchor::parse(&[text, b"\n"].concat())?;
    let parsed =
        UnverifiedCheckpoint::parse(anchor.checkpoint.as_bytes()).map_err(|error| error.to_string())?;
    let earlier = parsed.claimed().clone();
    if earlier.origin.as_str() != manifest.origin {
        return Err(format!("a checkpoint of another ledger: {}", earlier.origin));
    }
    if let Some(history) = history {
        let key = std::slice::from_ref(history.in_force(earlier.size));
        parsed.verify(&manifest.origin, key, &[]).map_err(|error| error.to_string())?;
    }
    if size.replace(earlier.size).is_some_and(|before| before >= earlier.size) {
        return Err("sizes do not rise".to_owned());
    }
    if earlier.size == manifest.size && checkpoint.is_some_and(|checkpoint| *checkpoint != earlier) {
        return Err("another root for the size of the checkpoint".to_owned());
    }
    verify_consistency(earlier.size, manifest.size, &earlier.root, &manifest.root, &anchor.consistency)
        .map_err(|error| format!("the tree of the checkpoint does not begin with it: {error}"))?;
    Ok((earlier, anchor))
}
