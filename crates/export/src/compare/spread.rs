//! A run of leaves and the subtrees beside it: any node of the tree that they suffice for.

use std::collections::BTreeMap;

use tlog::{Hash, empty_root, node_hash};

use crate::anchors::RangeProof;
use crate::range::{Subtree, cover};

/// The leaves of a range with the roots of all that is left of it and right of it.
#[derive(Clone, Debug)]
pub struct Spread {
    from: u64,
    leaves: Vec<Hash>,
    size: u64,
    /// By first index and index after the last.
    beside: BTreeMap<(u64, u64), Hash>,
}

impl Spread {
    /// Of a tree of `size` entries. `None` if the pieces are not those that the range needs.
    pub fn new(range: &RangeProof, leaves: Vec<Hash>, size: u64) -> Option<Self> {
        let mut beside = BTreeMap::new();
        for (covered, roots) in [(0..range.from, &range.left), (range.end..size, &range.right)] {
            let subtrees = cover(covered);
            if subtrees.len() != roots.len() {
                return None;
            }
            beside.extend(subtrees.into_iter().map(bounds).zip(roots.iter().copied()));
        }
        let fits = range.from <= range.end && range.end <= size;
        let whole = fits && leaves.len() as u64 == range.end - range.from;
        whole.then_some(Self { from: range.from, leaves, size, beside })
    }

    /// First index.
    pub fn from(&self) -> u64 {
        self.from
    }

    /// Index after the last.
    pub fn end(&self) -> u64 {
        self.from + self.leaves.len() as u64
    }

    /// Leaf hash of an entry of the range.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.leaves.get(usize::try_from(index.checked_sub(self.from)?).ok()?).copied()
    }

    /// Root of the first `size` entries; `None` if that is not between the ends of the range.
    pub fn root(&self, size: u64) -> Option<Hash> {
        match size {
            0 => Some(empty_root()),
            _ if size == self.size => self.node(0, size),
            _ => (self.from <= size && size <= self.end()).then(|| self.node(0, size)).flatten(),
        }
    }

    /// RFC 6962 section 2.1.1: from a leaf of the range to the root, the leaf's sibling first.
    pub fn inclusion(&self, index: u64) -> Option<Vec<Hash>> {
        self.leaf(index)?;
        let (mut lo, mut hi, mut proof) = (0, self.size, Vec::new());
        while hi - lo > 1 {
            let middle = lo + split(hi - lo);
            if index < middle {
                proof.push(self.node(middle, hi)?);
                hi = middle;
            } else {
                proof.push(self.node(lo, middle)?);
                lo = middle;
            }
        }
        proof.reverse();
        Some(proof)
    }

    /// RFC 6962 section 2.1.2: from the first `old` entries to the root.
    pub fn consistency(&self, old: u64) -> Option<Vec<Hash>> {
        if old == 0 || old >= self.size {
            return (old == 0 || old == self.size).then(Vec::new);
        }
        let (mut lo, mut hi, mut proof, mut whole) = (0, self.size, Vec::new(), true);
        while hi != old {
            let middle = lo + split(hi - lo);
            if old <= middle {
                proof.push(self.node(middle, hi)?);
                hi = middle;
            } else {
                proof.push(self.node(lo, middle)?);
                (lo, whole) = (middle, false);
            }
        }
        if !whole {
            proof.push(self.node(lo, hi)?);
        }
        proof.reverse();
        Some(proof)
    }

    /// Root over the entries from `lo` to before `hi`, a node of a tree.
    fn node(&self, lo: u64, hi: u64) -> Option<Hash> {
        if let Some(hash) = self.beside.get(&(lo, hi)) {
            return Some(*hash);
        }
        match hi - lo {
            1 => self.leaf(lo),
            width => {
                let middle = lo + split(width);
                Some(node_hash(&self.node(lo, middle)?, &self.node(middle, hi)?))
            }
        }
    }
}

fn bounds(subtree: Subtree) -> (u64, u64) {
    (subtree.number << subtree.level, (subtree.number + 1) << subtree.level)
}

/// The largest power of two below a width above 1.
fn split(width: u64) -> u64 {
    1 << (width - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use tlog::{Frontier, leaf_hash, verify_consistency, verify_inclusion};

    use super::*;
    use crate::range::Fold;

    fn leaves(count: u64) -> Vec<Hash> {
        (0..count).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn root(leaves: &[Hash]) -> Hash {
        let mut tree = Frontier::new();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree.root()
    }

    fn fold(leaves: &[Hash], from: u64, to: u64) -> Vec<Hash> {
        let one = |(lo, hi): (u64, u64)| {
            let mut fold = Fold::default();
            leaves[lo as usize..hi as usize].iter().for_each(|leaf| fold.leaf(*leaf));
            fold.root().unwrap()
        };
        cover(from..to).into_iter().map(bounds).map(one).collect()
    }

    /// Every range of every small tree, against a naive root and the verifiers of `tlog`.
    #[test]
    fn roots_and_proofs_of_every_small_range_hold() {
        for size in 1..=18_u64 {
            let all = leaves(size);
            let top = root(&all);
            for (from, end) in (0..=size).flat_map(|from| (from..=size).map(move |end| (from, end))) {
                let (left, right) = (fold(&all, 0, from), fold(&all, end, size));
                let range = RangeProof { from, end, left, right, before: None, after: None };
                let spread = Spread::new(&range, all[from as usize..end as usize].to_vec(), size).unwrap();
                assert_eq!(spread.root(size), Some(top), "{from}..{end} of {size}");
                for old in from.max(1)..=end {
                    let older = root(&all[..old as usize]);
                    assert_eq!(spread.root(old), Some(older), "{old} in {from}..{end} of {size}");
                    let proof = spread.consistency(old).unwrap();
                    assert_eq!(verify_consistency(old, size, &older, &top, &proof), Ok(()));
                }
                for index in from..end {
                    let proof = spread.inclusion(index).unwrap();
                    let leaf = spread.leaf(index).unwrap();
                    assert_eq!(verify_inclusion(index, size, &leaf, &proof, &top), Ok(()));
                }
                assert!(spread.leaf(end).is_none() && spread.inclusion(end).is_none());
                let short = RangeProof { left: vec![top; range.left.len() + 1], ..range };
                assert!(Spread::new(&short, Vec::new(), size).is_none());
            }
        }
    }
}
