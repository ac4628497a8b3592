//! How one signed tree relates to another.

use tlog::verify_consistency;

use crate::finding::{Finding, Kind, both, damage, fork, proof_text};
use crate::source::FetchError;
use crate::tree::TreeError;
use crate::watch::{LookError, Signed, Step, Watch};

impl Watch<'_> {
    /// How the checkpoint that is shown relates to the one that was kept; `None` if it can't be accepted.
    pub(super) fn compare(
        &self,
        kept: Option<&Signed>,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Step>, LookError> {
        let Some(kept) = kept else {
            // Nothing to compare with, but what is signed must be there.
            return match self.tree(shown.checkpoint()) {
                Ok(_) => Ok(Some(Step::First)),
                Err(error) => self.bad_tree(error, findings).map(|()| None),
            };
        };
        let (old, new) = (kept.checkpoint(), shown.checkpoint());
        if new.size < old.size {
            return self.went_back(kept, shown, findings).map(|()| None);
        }
        if !self.extends(kept, shown, "shown.checkpoint", findings)? {
            return Ok(None);
        }
        Ok(Some(if new.size == old.size { Step::Same } else { Step::Grown(old.size) }))
    }

    /// Whether `newer` is shown to begin with `older`. `name` is what the one that is not ours is called in evidence.
    pub(super) fn extends(
        &self,
        older: &Signed,
        newer: &Signed,
        name: &'static str,
        findings: &mut Vec<Finding>,
    ) -> Result<bool, LookError> {
        let (old, new) = (older.checkpoint(), newer.checkpoint());
        let (ours, theirs) = if name == "shown.checkpoint" { (older, newer) } else { (newer, older) };
        if old.size == new.size {
            if old.root != new.root {
                let text = format!("two different trees of {} entries are signed", old.size);
                findings.push(both(Kind::Fork, text, &ours.bytes, name, &theirs.bytes));
            }
            return Ok(old.root == new.root);
        }
        let shown = self.tree(new).and_then(|tree| {
            Ok((
                tree.root_at(old.size)?,
                if old.size == 0 { Vec::new() } else { tree.consistency(old.size)? },
            ))
        });
        let (root, proof) = match shown {
            Ok(shown) => shown,
            Err(error) => return self.bad_tree(error, findings).map(|()| false),
        };
        // Twice, by code that shares nothing: from the tiles, and by the proof.
        let proven = verify_consistency(old.size, new.size, &old.root, &new.root, &proof).is_ok();
        if root == old.root && proven {
            return Ok(true);
        }
        findings.push(fork((old.size, new.size), &ours.bytes, (name, &theirs.bytes), &root, &proof));
        Ok(false)
    }

    pub(super) fn went_back(
        &self,
        kept: &Signed,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<(), LookError> {
        let (old, new) = (kept.checkpoint(), shown.checkpoint());
        let back = format!("the log shows {} entries after it has shown {}", new.size, old.size);
        let another = self.state.notes()?.into_iter().find(|note| {
            self.verify(note)
                .is_ok_and(|seen| seen.checkpoint().size == new.size && seen.checkpoint().root != new.root)
        });
        if let Some(another) = another {
            let text = format!("{back}, and they are others than before");
            findings.push(both(Kind::Fork, text, &another, "shown.checkpoint", &shown.bytes));
            return Ok(());
        }
        // With a mirror, or if the log still serves its tiles, it can be told whether that is an older state or
        // another one.
        let before =
            self.tree(old).and_then(|tree| Ok((tree.root_at(new.size)?, tree.consistency(new.size)?)));
        let finding = match before {
            Ok((root, _)) if root == new.root => both(
                Kind::Rollback,
                format!("{back}; they are the first of those"),
                &kept.bytes,
                "shown.checkpoint",
                &shown.bytes,
            ),
            Ok((root, proof)) => {
                let text = format!("{back}, and they are others than before");
                both(Kind::Fork, text, &kept.bytes, "shown.checkpoint", &shown.bytes)
                    .with("proof", proof_text(new.size, old.size, &root, &proof))
            }
            Err(_) => {
                let text = format!("{back}; whether they are the same is not shown");
                both(Kind::Rollback, text, &kept.bytes, "shown.checkpoint", &shown.bytes)
            }
        };
        findings.push(finding);
        Ok(())
    }

    /// A tree that can't be had now is no answer; one that is wrong is a finding.
    pub(super) fn bad_tree(&self, error: TreeError, findings: &mut Vec<Finding>) -> Result<(), LookError> {
        match error {
            TreeError::Fetch(error @ FetchError::TooLong { .. }) => {
                findings.push(Finding::new(Kind::Damage, error.to_string()));
                Ok(())
            }
            TreeError::Fetch(error) => Err(error.into()),
            TreeError::Bad(bad) => {
                findings.push(damage(&bad));
                Ok(())
            }
        }
    }
}
