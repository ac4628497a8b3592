//! E7, the side of the tree: where a range lies in it, and what stands beside it.

use record::entry::Entry;
use tlog::{leaf_hash, verify_inclusion};

use crate::anchors::{Neighbour, RangeProof};
use crate::manifest::Manifest;
use crate::verify::order::Beside;
use crate::verify::{Check, Run};
use crate::zip::Source;

impl<S: Source + ?Sized> Run<'_, S> {
    pub(super) fn range(&mut self, manifest: &Manifest) -> Option<RangeProof> {
        let at = self.members.range?;
        let (text, sha256) = self.whole(at)?;
        self.hashed(at, Ok(sha256), manifest);
        match RangeProof::parse(&text) {
            Ok(range) if (range.from, range.end) == (manifest.selection.from, manifest.selection.end) => {
                Some(range)
            }
            Ok(_) => {
                self.find(Check::Place, "range.json", "another range than the manifest says");
                None
            }
            Err(error) => {
                self.find(Check::Place, "range.json", error);
                None
            }
        }
    }

    /// The entries beside a range: there, in the tree, and not of the time that was asked for.
    pub(super) fn neighbours(&mut self, manifest: &Manifest, range: Option<&RangeProof>) -> Vec<Beside> {
        let Some(range) = range else { return Vec::new() };
        let selection = &manifest.selection;
        let mut found = Vec::new();
        let sides: [(&str, Option<u64>, &Option<Neighbour>); 2] = [
            ("before", range.from.checked_sub(1), &range.before),
            ("after", (range.end < manifest.size).then_some(range.end), &range.after),
        ];
        for (name, index, neighbour) in sides {
            let (index, neighbour) = match (index, neighbour) {
                (None, None) => continue,
                (Some(index), Some(neighbour)) => (index, neighbour),
                _ => {
                    self.find(
                        Check::Place,
                        "range.json",
                        format!("{name} is missing, or should not be here"),
                    );
                    continue;
                }
            };
            let leaf = leaf_hash(&neighbour.entry);
            if let Err(error) =
                verify_inclusion(index, manifest.size, &leaf, &neighbour.proof, &manifest.root)
            {
                self.find(
                    Check::Place,
                    "range.json",
                    format!("{name} is not in the tree at its index: {error}"),
                );
                continue;
            }
            let Ok(entry) = Entry::decode(&neighbour.entry) else {
                self.report
                    .undecided(format!("range.json: {name} is an entry of an unknown version or kind"));
                continue;
            };
            let received = entry.received_ms;
            let within = match name {
                "before" => selection.from_ms.is_some_and(|from| received >= from),
                _ => selection.to_ms.is_some_and(|to| received < to),
            };
            if within {
                let what = format!("{name} was received within the time of the selection, and is not in it");
                self.find(Check::Place, "range.json", what);
            }
            found.push(Beside { index, received_ms: Some(received), neighbour: true });
        }
        found
    }
}
