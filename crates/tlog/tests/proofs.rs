//! Proofs for all small trees and some large ones: built from tiles, compared with the naive reference, checked by
//! the verifiers, and refused after any change.

mod common;

use common::Tiles;
use proptest::prelude::*;
use tlog::{
    Hash, ProofBuildError, ProofError, Tile, TileSource, consistency_proof, empty_root, inclusion_proof,
    leaf_hash, node_hash, root_from_tiles, verify_consistency, verify_inclusion,
};

const MAX: u64 = 257;

fn flipped(hash: &Hash) -> Hash {
    let mut bytes = *hash.as_bytes();
    bytes[31] ^= 1;
    Hash::from_bytes(bytes)
}

/// Yields the proof with each single hash changed, one missing, one doubled, one too many.
fn altered(proof: &[Hash]) -> impl Iterator<Item = Vec<Hash>> {
    let changed = (0..proof.len()).map(|i| {
        let mut proof = proof.to_vec();
        proof[i] = flipped(&proof[i]);
        proof
    });
    let missing = (0..proof.len()).map(|i| [&proof[..i], &proof[i + 1..]].concat());
    let longer = [[proof, &[leaf_hash(b"")]].concat(), [&[leaf_hash(b"")], proof].concat()];
    changed.chain(missing).chain(longer)
}

#[test]
fn every_inclusion_proof_of_small_trees_holds_and_no_altered_one() {
    let leaves = common::leaves(MAX + 1);
    let mut tiles = Tiles::new(&leaves);
    let roots: Vec<_> = (0..=leaves.len()).map(|size| common::root(&leaves[..size])).collect();
    for size in 1..=MAX {
        let (tiles, root) = (tiles.at(size), roots[size as usize]);
        for index in 0..size {
            let leaf = leaves[index as usize];
            let proof = inclusion_proof(index, size, tiles).unwrap();
            tiles.take_reads();
            assert_eq!(proof, common::path(index, &leaves[..size as usize]), "{index} of {size}");
            assert_eq!(verify_inclusion(index, size, &leaf, &proof, &root), Ok(()), "{index} of {size}");

            for bad in altered(&proof) {
                assert!(verify_inclusion(index, size, &leaf, &bad, &root).is_err(), "{index} of {size}");
            }
            assert!(verify_inclusion(index, size, &flipped(&leaf), &proof, &root).is_err());
            assert!(verify_inclusion(index, size, &leaf, &proof, &flipped(&root)).is_err());
            for other in [index + 1, index.wrapping_sub(1), index ^ 1, index ^ 2, index ^ 64, size, 0] {
                let verdict = verify_inclusion(other, size, &leaf, &proof, &root);
                assert_eq!(verdict.is_ok(), other == index, "{index} of {size} taken for {other}");
            }
            // Another size with the root of that size never passes.
            for other in [size - 1, size + 1] {
                let root = roots[other as usize];
                assert!(verify_inclusion(index, other, &leaf, &proof, &root).is_err());
            }
        }
    }
}

/// An inclusion proof binds leaf, index and root; the size only as far as it shapes the path. That is RFC 9162, and
/// why size and root are only ever taken together from one signed checkpoint. Both verdicts must agree on it.
#[test]
fn a_wrong_size_passes_only_where_the_path_has_the_same_shape() {
    let leaves = common::leaves(40);
    let tiles = Tiles::new(&leaves);
    let root = common::root(&leaves);
    let mut passed = 0;
    for index in 0..40 {
        let leaf = leaves[index as usize];
        let proof = inclusion_proof(index, 40, &tiles).unwrap();
        for size in index + 1..140 {
            let verdict = verify_inclusion(index, size, &leaf, &proof, &root).is_ok();
            let naive = common::root_by_inclusion(index, size, leaf, &proof) == Some(root);
            assert_eq!(verdict, naive, "{index} of 40 taken for {size}");
            passed += u64::from(verdict && size != 40);
        }
    }
    assert!(passed > 0, "the case this test is about did not come up");
}

#[test]
fn every_consistency_proof_of_small_trees_holds_and_no_altered_one() {
    let leaves = common::leaves(MAX + 1);
    let mut tiles = Tiles::new(&leaves);
    let roots: Vec<_> = (0..=leaves.len()).map(|size| common::root(&leaves[..size])).collect();
    for new in 1..=MAX {
        let (tiles, new_root) = (tiles.at(new), roots[new as usize]);
        for old in 0..=new {
            let old_root = roots[old as usize];
            let proof = consistency_proof(old, new, tiles).unwrap();
            tiles.take_reads();
            if old == 0 {
                assert!(proof.is_empty());
            } else {
                assert_eq!(proof, common::subproof(old, &leaves[..new as usize], true), "{old} to {new}");
            }
            assert_eq!(verify_consistency(old, new, &old_root, &new_root, &proof), Ok(()), "{old} to {new}");

            for bad in altered(&proof) {
                assert!(verify_consistency(old, new, &old_root, &new_root, &bad).is_err(), "{old} to {new}");
            }
            assert!(verify_consistency(old, new, &flipped(&old_root), &new_root, &proof).is_err());
            if old > 0 {
                assert!(verify_consistency(old, new, &old_root, &flipped(&new_root), &proof).is_err());
            }
            // Other sizes with their own roots never pass with this proof.
            for (other_old, other_new) in
                [(old + 1, new), (old.wrapping_sub(1), new), (old, new + 1), (new, old)]
            {
                let Some(root) =
                    roots.get(other_old as usize).filter(|_| (other_old, other_new) != (old, new))
                else {
                    continue;
                };
                let verdict =
                    verify_consistency(other_old, other_new, root, &roots[other_new as usize], &proof);
                // Between equal trees and from the empty tree the empty proof is right, whoever made it.
                let trivial = proof.is_empty() && (other_old == 0 || other_old == other_new);
                assert_eq!(verdict.is_ok(), trivial, "{old} to {new} taken for {other_old} to {other_new}");
            }
        }
    }
}

#[test]
fn the_consistency_verifier_agrees_with_the_reference_on_wrong_sizes() {
    let leaves = common::leaves(40);
    let tiles = Tiles::new(&leaves);
    let new_root = common::root(&leaves);
    for real_old in 1..40 {
        let old_root = common::root(&leaves[..real_old as usize]);
        let proof = consistency_proof(real_old, 40, &tiles).unwrap();
        for (old, new) in (1..70).flat_map(|new| (1..new).map(move |old| (old, new))) {
            let verdict = verify_consistency(old, new, &old_root, &new_root, &proof).is_ok();
            let naive = common::roots_by_consistency(old, new, Some(old_root), &proof);
            assert_eq!(verdict, naive == Some((old_root, new_root)), "{real_old} to 40 as {old} to {new}");
        }
    }
}

#[test]
fn trivial_and_impossible_consistency() {
    let (empty, one, two) = (empty_root(), leaf_hash(b"1"), leaf_hash(b"2"));
    assert_eq!(verify_consistency(0, 0, &empty, &empty, &[]), Ok(()));
    assert_eq!(verify_consistency(0, 9, &empty, &one, &[]), Ok(()));
    assert_eq!(verify_consistency(9, 9, &one, &one, &[]), Ok(()));
    let wrong_root = |verdict| matches!(verdict, Err(ProofError::Root { .. }));
    assert!(wrong_root(verify_consistency(0, 0, &one, &one, &[])));
    assert!(wrong_root(verify_consistency(0, 0, &empty, &one, &[])));
    assert!(wrong_root(verify_consistency(0, 9, &one, &two, &[])));
    assert!(wrong_root(verify_consistency(9, 9, &one, &two, &[])));
    assert_eq!(verify_consistency(0, 9, &empty, &one, &[two]), Err(ProofError::TooLong { found: 1 }));
    assert_eq!(verify_consistency(9, 9, &one, &one, &[two]), Err(ProofError::TooLong { found: 1 }));
    assert_eq!(verify_consistency(8, 9, &one, &one, &[]), Err(ProofError::TooShort { found: 0 }));
    assert_eq!(verify_consistency(9, 8, &one, &one, &[]), Err(ProofError::Shrinking { old: 9, new: 8 }));
    assert_eq!(verify_inclusion(0, 0, &one, &[], &one), Err(ProofError::OutOfRange { index: 0, size: 0 }));
    let tiles = Tiles::new(&[]);
    assert_eq!(root_from_tiles(0, &tiles), Ok(empty));
    assert!(matches!(inclusion_proof(0, 0, &tiles), Err(ProofBuildError::Request(_))));
    assert!(matches!(consistency_proof(1, 0, &tiles), Err(ProofBuildError::Request(_))));
    assert!(matches!(inclusion_proof(0, 2, &tiles), Err(ProofBuildError::Source { .. })));
}

#[test]
fn tiles_of_another_width_are_refused() {
    struct Off(i32);
    impl TileSource for Off {
        type Error = std::convert::Infallible;

        fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
            Ok(vec![leaf_hash(b""); (i32::from(tile.width) + self.0) as usize])
        }
    }
    assert!(inclusion_proof(5, 300, &Off(0)).is_ok());
    for off in [-1, 1] {
        let refused = |built| matches!(built, Err(ProofBuildError::Width { .. }));
        assert!(refused(inclusion_proof(5, 300, &Off(off))));
        assert!(refused(consistency_proof(5, 300, &Off(off))));
        assert!(refused(root_from_tiles(300, &Off(off)).map(|root| vec![root])));
    }
}

/// A log of any size whose leaves are all the same, so that any tile is known without storing it.
struct EqualLeaves {
    /// Root of the perfect subtree of each height.
    perfect: Vec<Hash>,
    reads: std::cell::RefCell<Vec<Tile>>,
}

impl EqualLeaves {
    fn new() -> Self {
        let mut perfect = vec![leaf_hash(b"same")];
        for height in 1..64 {
            perfect.push(node_hash(&perfect[height - 1], &perfect[height - 1]));
        }
        Self { perfect, reads: Default::default() }
    }
}

impl TileSource for EqualLeaves {
    type Error = std::convert::Infallible;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        assert!(!self.reads.borrow().contains(&tile), "{tile:?} read twice");
        self.reads.borrow_mut().push(tile);
        Ok(vec![self.perfect[usize::from(tile.level) * 8]; tile.width.into()])
    }
}

proptest! {
    #![proptest_config(common::cases(64))]

    #[test]
    fn proofs_in_larger_trees(size in 258_u64..70_000, seed: u64) {
        let leaves = common::leaves(size);
        let tiles = Tiles::new(&leaves);
        let root = common::root(&leaves);
        prop_assert_eq!(root_from_tiles(size, &tiles), Ok(root));
        tiles.take_reads();
        for index in [0, size - 1, seed % size, (seed >> 20) % size] {
            let proof = inclusion_proof(index, size, &tiles).unwrap();
            let levels = 1 + size.ilog2() as usize / 8;
            prop_assert!(tiles.take_reads().len() <= 2 * levels);
            prop_assert_eq!(&proof, &common::path(index, &leaves));
            prop_assert_eq!(verify_inclusion(index, size, &leaves[index as usize], &proof, &root), Ok(()));
        }
        let old = 1 + seed % size;
        let proof = consistency_proof(old, size, &tiles).unwrap();
        prop_assert_eq!(&proof, &common::subproof(old, &leaves, true));
        let old_root = common::root(&leaves[..old as usize]);
        prop_assert_eq!(verify_consistency(old, size, &old_root, &root, &proof), Ok(()));
    }

    #[test]
    fn proofs_in_trees_beyond_memory(size in 1..=u64::MAX, shift in 0..63_u32, seed: u64) {
        let (size, log) = ((size >> shift).max(1), EqualLeaves::new());
        let root = root_from_tiles(size, &log).unwrap();
        log.reads.take();
        let index = seed % size;
        let proof = inclusion_proof(index, size, &log).unwrap();
        prop_assert!(log.reads.take().len() <= 16);
        prop_assert_eq!(verify_inclusion(index, size, &log.perfect[0], &proof, &root), Ok(()));
        prop_assert!(verify_inclusion(index, size, &flipped(&log.perfect[0]), &proof, &root).is_err());

        let old = 1 + seed % size;
        let old_root = root_from_tiles(old, &log).unwrap();
        log.reads.take();
        let proof = consistency_proof(old, size, &log).unwrap();
        prop_assert_eq!(verify_consistency(old, size, &old_root, &root, &proof), Ok(()));
        if old < size {
            prop_assert!(verify_consistency(old, size, &flipped(&old_root), &root, &proof).is_err());
        }
    }

    /// Whatever a stranger sends as a proof is answered, with the answer of the reference.
    #[test]
    fn arbitrary_proofs(index: u64, size: u64, shift in 0..64_u32, count in 0..70_usize, pick: u64) {
        let (index, size) = (index >> shift, size >> shift);
        let hashes: Vec<_> = (0..count).map(|i| leaf_hash(&[(pick >> (i % 64)) as u8 & 1])).collect();
        let (leaf, root) = (leaf_hash(b"leaf"), leaf_hash(b"root"));
        prop_assert!(verify_inclusion(index, size, &leaf, &hashes, &root).is_err());
        if index < size && size < 1 << 60 {
            let reached = common::root_by_inclusion(index, size, leaf, &hashes);
            let verdict = reached.map(|root| verify_inclusion(index, size, &leaf, &hashes, &root));
            prop_assert!(verdict.is_none_or(|verdict| verdict.is_ok()));
        }
        let trivial = index == 0 || index == size;
        prop_assert!(trivial || verify_consistency(index, size, &leaf, &root, &hashes).is_err());
    }
}
