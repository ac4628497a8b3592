//! Two signed checkpoints of one log.

use tlog::{Hash, TlogProof};

use super::{Comparison, Fork, Statement};

/// What two statements say about each other.
enum Relation {
    /// The smaller tree is proven to be the beginning of the larger.
    Begins,
    /// They can't both be true.
    Contradicts(Fork),
    /// Nothing is common to them that would tell; so many entries are, and agree.
    Nothing(u64),
}

/// Holds all statements of one log against each other, the largest last.
pub(super) fn all(log: &[Statement], found: &mut Comparison) {
    let mut begins = vec![Vec::new(); log.len()];
    let mut agreeing = vec![0_u64; log.len()];
    let before = found.forks.len();
    for (at, one) in log.iter().enumerate() {
        for (other, two) in log.iter().enumerate().skip(at + 1) {
            match relate(one, two) {
                Relation::Begins => begins[other].push(at),
                Relation::Contradicts(fork) => found.forks.push(fork),
                Relation::Nothing(common) => agreeing[at] = agreeing[at].max(common),
            }
        }
    }
    if found.forks.len() > before {
        return;
    }
    // Two beginnings of a third are consistent; two that begin with a third need not be.
    let mut known = vec![false; log.len()];
    let mut next: Vec<usize> = log.len().checked_sub(1).into_iter().collect();
    while let Some(at) = next.pop() {
        if !std::mem::replace(&mut known[at], true) {
            next.extend(&begins[at]);
        }
    }
    for (at, one) in log.iter().enumerate().filter(|(at, _)| !known[*at]) {
        let common = match agreeing[at] {
            0 => "they have no entry in common".to_owned(),
            common => format!("the {common} entries in common agree"),
        };
        found.undecided.push(format!(
            "{}: nothing here proves that its {} entries are the beginning of the {} of {}; {common}: a range that reaches \
             over both sizes, or the ledger's consistency proof, would tell",
            one.label(),
            one.size(),
            log.last().map_or(0, Statement::size),
            log.last().map_or(String::new(), Statement::label),
        ));
    }
}

/// `one` is not larger than `two`, and another checkpoint.
fn relate(one: &Statement, two: &Statement) -> Relation {
    let (small, large) = (one.size(), two.size());
    let fork = |text: String, more: Vec<(&'static str, Vec<u8>)>| {
        let mut files = vec![
            ("one.checkpoint", one.note.clone().into_bytes()),
            ("other.checkpoint", two.note.clone().into_bytes()),
        ];
        files.extend(more);
        let text = format!("{text}: {} and {}", one.label(), two.label());
        Relation::Contradicts(Fork { origin: one.checkpoint.origin.to_string(), text, files })
    };
    if small == large {
        return fork(format!("two trees of {small} entries were signed"), Vec::new());
    }
    if small == 0 {
        return Relation::Begins;
    }
    if let Some((root, proof)) = two.root(small) {
        if root == one.checkpoint.root {
            return Relation::Begins;
        }
        let text = format!(
            "the tree of {large} entries does not begin with the tree of {small} that was signed too"
        );
        return fork(text, vec![("proof", proof_text(small, large, &root, &proof))]);
    }
    let mut common = 0;
    for index in indexes(one, two) {
        let (Some(ours), Some(theirs)) = (one.leaf(index), two.leaf(index)) else { continue };
        if ours == theirs {
            common += 1;
            continue;
        }
        let file = |statement: &Statement| {
            let proof = TlogProof {
                extra: None,
                index,
                hashes: statement.inclusion(index).unwrap_or_default(),
                checkpoint: statement.note.clone(),
            };
            proof.to_string().into_bytes()
        };
        let leaf = |hash: Hash| format!("{}\n", hash.to_base64()).into_bytes();
        let files = vec![
            ("one.leaf", leaf(ours)),
            ("one.tlog-proof", file(one)),
            ("other.leaf", leaf(theirs)),
            ("other.tlog-proof", file(two)),
        ];
        return fork(format!("entry {index} is one record in one tree and another in the other"), files);
    }
    // Both papers may know the root of a smaller tree than either checkpoint's.
    for size in one.ranges.iter().chain(&two.ranges).map(|range| range.from()).filter(|size| *size > 0) {
        if let (Some((ours, to_one)), Some((theirs, to_two))) = (one.root(size), two.root(size))
            && ours != theirs
        {
            let files = vec![
                ("one.proof", proof_text(size, small, &ours, &to_one)),
                ("other.proof", proof_text(size, large, &theirs, &to_two)),
            ];
            return fork(format!("they begin with different trees of {size} entries"), files);
        }
    }
    Relation::Nothing(common)
}

/// Indexes that both might know.
fn indexes(one: &Statement, two: &Statement) -> Vec<u64> {
    let mut indexes: Vec<u64> = one.leaves.keys().chain(two.leaves.keys()).copied().collect();
    for (ours, theirs) in
        one.ranges.iter().flat_map(|ours| two.ranges.iter().map(move |theirs| (ours, theirs)))
    {
        indexes.extend(ours.from().max(theirs.from())..ours.end().min(theirs.end()));
    }
    indexes.sort_unstable();
    indexes.dedup();
    indexes
}

/// A consistency proof from a root that is none of those signed (docs/format.md, section on forks).
fn proof_text(old: u64, new: u64, root: &Hash, proof: &[Hash]) -> Vec<u8> {
    let mut text = format!("ledgerstone/fork/v1\nold {old}\nnew {new}\nroot {}\n", root.to_base64());
    proof.iter().for_each(|hash| text.push_str(&format!("{}\n", hash.to_base64())));
    text.into_bytes()
}
