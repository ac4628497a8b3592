//! The two trees against each other and against the naive reference; tiles handed out and tiles implied.

mod common;

use std::collections::BTreeSet;

use tlog::{Frontier, Hash, RestoreError, Tile, TileStack, empty_root, leaf_hash, node_hash, tiles_for_size};

/// The leaves and roots that the authors of RFC 6962 published with their own implementation.
#[test]
fn roots_are_those_of_certificate_transparency() {
    let inputs: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    assert_eq!(empty_root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    let mut stack = TileStack::new();
    for (input, root) in inputs.iter().zip(roots) {
        stack.push(leaf_hash(input), &mut |_, _| ());
        assert_eq!(stack.root().to_string(), root);
    }
}

#[test]
fn both_trees_agree_with_the_reference_at_every_size_to_1025() {
    let leaves = common::leaves(1025);
    let (mut stack, mut frontier) = (TileStack::new(), Frontier::new());
    for size in 0..=leaves.len() {
        let naive = common::root(&leaves[..size]);
        assert_eq!(stack.root(), naive, "tiles, size {size}");
        assert_eq!(frontier.root(), naive, "frontier, size {size}");
        assert_eq!((stack.size(), frontier.size()), (size as u64, size as u64));
        if let Some(leaf) = leaves.get(size) {
            stack.push(*leaf, &mut |_, _| ());
            frontier.push(*leaf);
        }
    }
}

#[test]
fn both_trees_agree_with_the_reference_where_level_two_begins() {
    let leaves = common::leaves(65_537);
    let (mut stack, mut frontier) = (TileStack::new(), Frontier::new());
    for leaf in &leaves[..65_534] {
        stack.push(*leaf, &mut |_, _| ());
        frontier.push(*leaf);
    }
    for size in 65_535..=65_537 {
        stack.push(leaves[size - 1], &mut |_, _| ());
        frontier.push(leaves[size - 1]);
        let naive = common::root(&leaves[..size]);
        assert_eq!((stack.root(), frontier.root()), (naive, naive), "size {size}");
    }
}

/// Each tile is handed out once, when it fills up, and holds what C2SP tlog-tiles says of its level and index.
#[test]
fn tiles_hold_the_roots_that_their_level_and_index_say() {
    let leaves = common::leaves(66_000);
    let mut stack = TileStack::new();
    let mut seen = BTreeSet::new();
    let check = |tile: Tile, hashes: &[Hash]| {
        assert_eq!(hashes.len(), usize::from(tile.width));
        let span = 256_usize.pow(tile.level.into());
        for (i, hash) in hashes.iter().enumerate().step_by(51) {
            let start = (256 * tile.index as usize + i) * span;
            assert_eq!(*hash, common::root(&leaves[start..start + span]), "{tile:?}, hash {i}");
        }
    };
    for (size, leaf) in (1..).zip(&leaves) {
        stack.push(*leaf, &mut |tile, hashes| {
            check(tile, hashes);
            assert_eq!((tile.index + 1) << (8 * (tile.level + 1)), size, "{tile:?} too early or too late");
            assert!(seen.insert(tile), "{tile:?} twice");
        });
    }
    for (tile, hashes) in stack.partials() {
        check(tile, hashes);
        assert!(seen.insert(tile) && !tile.is_full());
    }
    assert_eq!(seen, tiles_for_size(66_000).collect());
}

/// Restoring at every size gives the same tree and, pushed on, the same tiles and roots.
#[test]
fn a_restored_tree_goes_on_as_if_never_stopped() {
    let leaves = common::leaves(1_300);
    let (mut stack, mut frontier) = (TileStack::new(), Frontier::new());
    let mut tiles_of_stack = Vec::new();
    for (size, leaf) in (0..).zip(&leaves) {
        let mut edge = vec![Vec::new(); 8];
        for (tile, hashes) in stack.partials() {
            edge[usize::from(tile.level)] = hashes.to_vec();
        }
        let mut restored = TileStack::restore(size, edge.clone()).unwrap();
        assert_eq!(restored.root(), stack.root());
        edge.truncate(2); // levels left out count as empty
        assert_eq!(TileStack::restore(size, edge).unwrap().root(), stack.root());
        let mut restored_frontier = Frontier::restore(size, frontier.hashes().to_vec()).unwrap();
        assert_eq!(restored_frontier, frontier);

        let mut tiles_of_restored = Vec::new();
        tiles_of_stack.clear();
        restored.push(*leaf, &mut |tile, hashes| tiles_of_restored.push((tile, hashes.to_vec())));
        stack.push(*leaf, &mut |tile, hashes| tiles_of_stack.push((tile, hashes.to_vec())));
        assert_eq!(tiles_of_restored, tiles_of_stack);
        restored_frontier.push(*leaf);
        frontier.push(*leaf);
        assert_eq!(restored_frontier, frontier);
        assert_eq!(restored.partials().collect::<Vec<_>>(), stack.partials().collect::<Vec<_>>());
        assert_eq!((restored.size(), restored.root()), (stack.size(), frontier.root()));
    }
}

#[test]
fn restoring_refuses_any_other_number_of_hashes() {
    let hash = leaf_hash(b"");
    for size in [0, 1, 2, 3, 255, 256, 257, 511, 65_535, 65_536, 70_000] {
        let right = |level| vec![hash; tlog::partial_width(level, size).into()];
        let edge: Vec<_> = (0..8).map(right).collect();
        assert!(TileStack::restore(size, edge.clone()).is_ok());
        for level in 0..8 {
            let mut more = edge.clone();
            more[level].push(hash);
            let found = more[level].len();
            let expected = found - 1;
            assert_eq!(
                TileStack::restore(size, more.clone()).err(),
                Some(RestoreError::Width { level, expected, found })
            );
            more[level].truncate(expected.saturating_sub(1));
            assert_eq!(TileStack::restore(size, more).is_err(), expected > 0);
        }
        let bits = size.count_ones() as usize;
        assert!(Frontier::restore(size, vec![hash; bits]).is_ok());
        assert_eq!(
            Frontier::restore(size, vec![hash; bits + 1]).err(),
            Some(RestoreError::Count { expected: bits, found: bits + 1 })
        );
    }
    let left_out = Some(RestoreError::Width { level: 1, expected: 1, found: 0 });
    assert_eq!(TileStack::restore(256, Vec::new()).err(), left_out);
    assert_eq!(TileStack::restore(256, vec![Vec::new()]).err(), left_out);
    let mut ninth = vec![Vec::new(); 9];
    ninth[8].push(hash);
    assert!(TileStack::restore(0, ninth).is_err());
    assert!(TileStack::restore(u64::MAX, vec![vec![hash; 255]; 8]).is_err());
    assert!(Frontier::restore(1 << 63, vec![hash]).is_err());
}

/// Trees far beyond memory: with equal leaves every perfect subtree of one height has the same root.
#[test]
fn sizes_near_the_limit_work() {
    let mut perfect = vec![leaf_hash(b"")];
    for height in 1..64 {
        perfect.push(node_hash(&perfect[height - 1], &perfect[height - 1]));
    }
    for size in [1_u64 << 40, (1 << 40) + 12_345, (1 << 56) - 1, 1 << 62, i64::MAX as u64 - 1] {
        let edge =
            (0..8).map(|level| vec![perfect[8 * level]; tlog::partial_width(level as u8, size).into()]);
        let mut stack = TileStack::restore(size, edge.collect()).unwrap();
        let bits = (0..64).rev().filter(|bit| size >> bit & 1 == 1);
        let mut frontier = Frontier::restore(size, bits.map(|bit| perfect[bit]).collect()).unwrap();
        assert_eq!(stack.root(), frontier.root(), "size {size}");
        stack.push(perfect[0], &mut |_, _| ());
        frontier.push(perfect[0]);
        assert_eq!(stack.root(), frontier.root(), "after size {size}");
    }
}
