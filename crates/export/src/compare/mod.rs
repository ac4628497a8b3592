//! Several papers of one log held against each other: evidence files, receipts, proofs, checkpoints.
//!
//! Each is true by itself where its proofs lead to a note that the log has signed. Two that can't both be true are proof
//! that the log has shown two histories (equivocation), whoever holds its key: nobody needs to believe the holders of the
//! papers. Two that have nothing in common say nothing about each other, and are told to be so.

mod pair;
mod spread;

use std::collections::BTreeMap;

use evidence::verify::Verdict;
use tlog::{Checkpoint, Hash, UnverifiedCheckpoint, VerifierKey, verify_consistency, verify_inclusion};

pub use spread::Spread;

/// Most checkpoints that are held against each other.
pub const MAX_CHECKPOINTS: usize = 512;

/// What one piece of paper says; nothing of it is believed.
#[derive(Clone, Debug, Default)]
pub struct Paper {
    /// What people call it: the name of a file.
    pub label: String,
    /// The signed checkpoint.
    pub note: String,
    /// Entries: index, leaf hash, inclusion proof to the checkpoint.
    pub leaves: Vec<(u64, Hash, Vec<Hash>)>,
    /// Earlier trees: size, root, consistency proof to the checkpoint.
    pub links: Vec<(u64, Hash, Vec<Hash>)>,
    /// A run of entries.
    pub range: Option<Spread>,
}

/// A checkpoint that was signed, and all that was proven to be in its tree.
#[derive(Clone, Debug)]
struct Statement {
    labels: Vec<String>,
    checkpoint: Checkpoint,
    note: String,
    leaves: BTreeMap<u64, (Hash, Vec<Hash>)>,
    links: BTreeMap<u64, (Hash, Vec<Hash>)>,
    ranges: Vec<Spread>,
}

/// Two things that one log has signed and that can't both be true.
#[derive(Clone, Debug)]
pub struct Fork {
    /// Origin of the log.
    pub origin: String,
    /// One sentence for a person.
    pub text: String,
    /// What shows it to anybody: names and contents.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Comparison {
    /// What was compared: whose it is, origin, size, root.
    pub checkpoints: Vec<(String, Checkpoint)>,
    /// Contradictions.
    pub forks: Vec<Fork>,
    /// Papers whose own proofs do not hold.
    pub broken: Vec<String>,
    /// What can't be told.
    pub undecided: Vec<String>,
}

impl Comparison {
    /// Proven if of each log every checkpoint was proven to be a beginning of the largest.
    pub fn verdict(&self) -> Verdict {
        match (self.forks.is_empty() && self.broken.is_empty(), self.undecided.is_empty()) {
            (false, _) => Verdict::Disproven,
            (true, false) => Verdict::Undecidable,
            (true, true) => Verdict::Proven,
        }
    }
}

/// Holds papers against each other. `keys` are those of the logs; what none of them signed says nothing.
pub fn compare(papers: Vec<Paper>, keys: &[VerifierKey]) -> Comparison {
    let mut found = Comparison::default();
    let mut statements: BTreeMap<(String, u64, String), Statement> = BTreeMap::new();
    for paper in papers {
        let Some(checkpoint) = signed(&paper, keys, &mut found) else { continue };
        let Paper { label, note, leaves, links, range } = paper;
        let Checkpoint { size, root, .. } = checkpoint;
        let key = (checkpoint.origin.to_string(), size, root.to_base64());
        let statement = statements.entry(key).or_insert_with(|| Statement {
            labels: Vec::new(),
            checkpoint,
            note,
            leaves: BTreeMap::new(),
            links: BTreeMap::new(),
            ranges: Vec::new(),
        });
        for (index, leaf, proof) in leaves {
            match verify_inclusion(index, size, &leaf, &proof, &root) {
                Ok(()) => drop(statement.leaves.insert(index, (leaf, proof))),
                Err(error) => {
                    found.broken.push(format!("{label}: entry {index} is not in its checkpoint: {error}"));
                }
            }
        }
        for (old, older, proof) in links {
            match verify_consistency(old, size, &older, &root, &proof) {
                Ok(()) => drop(statement.links.insert(old, (older, proof))),
                Err(error) => {
                    found.broken.push(format!("{label}: does not begin with {old} entries: {error}"))
                }
            }
        }
        match range {
            Some(range) if range.root(size) == Some(root) => statement.ranges.push(range),
            Some(_) => found.broken.push(format!("{label}: its range does not lead to its checkpoint")),
            None => {}
        }
        if !statement.labels.contains(&label) {
            statement.labels.push(label);
        }
    }
    let statements: Vec<Statement> = statements.into_values().collect();
    found.checkpoints = statements.iter().map(|one| (one.label(), one.checkpoint.clone())).collect();
    if statements.len() > MAX_CHECKPOINTS {
        found.undecided.push(format!(
            "more than {MAX_CHECKPOINTS} checkpoints at once: {}; give fewer files",
            statements.len()
        ));
        return found;
    }
    // In order of origin and size: those of one log stand together, the largest last.
    for log in statements.chunk_by(|one, next| one.checkpoint.origin == next.checkpoint.origin) {
        pair::all(log, &mut found);
    }
    found
}

/// The checkpoint of a paper, if one of the keys has signed it.
fn signed(paper: &Paper, keys: &[VerifierKey], found: &mut Comparison) -> Option<Checkpoint> {
    let label = &paper.label;
    let note = match UnverifiedCheckpoint::parse_with_extensions(paper.note.as_bytes()) {
        Ok(note) => note,
        Err(error) => {
            found.broken.push(format!("{label}: not a checkpoint: {error}"));
            return None;
        }
    };
    let origin = note.claimed().origin.to_string();
    let keys: Vec<VerifierKey> = keys.iter().filter(|key| key.name() == origin).cloned().collect();
    if keys.is_empty() {
        found.undecided.push(format!("{label}: no key of {origin} is known: give it with --key"));
        return None;
    }
    match note.verify(&origin, &keys, &[]) {
        Ok(verified) => Some(verified.checkpoint().clone()),
        Err(error) => {
            found.broken.push(format!("{label}: not signed by the key of {origin}: {error}"));
            None
        }
    }
}

impl Statement {
    fn label(&self) -> String {
        match self.labels.as_slice() {
            [] => String::new(),
            [one] => one.clone(),
            [one, others @ ..] => format!("{one} and {} more", others.len()),
        }
    }

    fn size(&self) -> u64 {
        self.checkpoint.size
    }

    /// Root of its first entries with the proof that leads from there, if its papers suffice.
    fn root(&self, size: u64) -> Option<(Hash, Vec<Hash>)> {
        if let Some((root, proof)) = self.links.get(&size) {
            return Some((*root, proof.clone()));
        }
        self.ranges.iter().find_map(|range| Some((range.root(size)?, range.consistency(size)?)))
    }

    fn leaf(&self, index: u64) -> Option<Hash> {
        let alone = self.leaves.get(&index).map(|(leaf, _)| *leaf);
        alone.or_else(|| self.ranges.iter().find_map(|range| range.leaf(index)))
    }

    fn inclusion(&self, index: u64) -> Option<Vec<Hash>> {
        let alone = self.leaves.get(&index).map(|(_, proof)| proof.clone());
        alone.or_else(|| self.ranges.iter().find_map(|range| range.inclusion(index)))
    }
}

#[cfg(test)]
mod tests;
