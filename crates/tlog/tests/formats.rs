//! Hashes, tiles and bundles as text and bytes: one spelling each, and no input that panics.

mod common;

use proptest::prelude::*;
use tlog::{
    BundleError, Hash, Tile, TileError, bundle_path, bundles_for_size, decode_bundle, decode_tile,
    encode_bundle, encode_tile, full_tiles, leaf_hash, parse_bundle_path, partial_width, tiles_for_size,
};

#[test]
fn tile_paths_are_spelled_as_the_specification_does() {
    let tile = |level, index, width| Tile { level, index, width };
    for (tile, path) in [
        (tile(0, 0, 256), "tile/0/000"),
        (tile(0, 7, 1), "tile/0/007.p/1"),
        (tile(1, 999, 255), "tile/1/999.p/255"),
        (tile(2, 1000, 256), "tile/2/x001/000"),
        (tile(0, 1_234_067, 256), "tile/0/x001/x234/067"),
        (tile(0, 1_234_067, 8), "tile/0/x001/x234/067.p/8"),
        (tile(63, u64::MAX, 256), "tile/63/x018/x446/x744/x073/x709/x551/615"),
    ] {
        assert_eq!(tile.path(), path);
        assert_eq!(Tile::parse(path), Ok(tile));
        let bundle = path.replacen(&format!("tile/{}", tile.level), "tile/entries", 1);
        assert_eq!(bundle_path(tile.index, tile.width), bundle);
        assert_eq!(tile.bundle_path(), bundle);
        assert_eq!(parse_bundle_path(&bundle), Ok((tile.index, tile.width)));
    }
}

#[test]
fn other_spellings_of_a_tile_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/x001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/X001/000",
        "tile/0/x1/000",
        "tile/0/000/",
        "tile/0//000",
        "tile/0/+01",
        "tile/0/-01",
        "tile/0/ 01",
        "tile/0/٠٠١",
        "tile/00/000",
        "tile/+0/000",
        "tile/-1/000",
        "tile/64/000",
        "tile/256/000",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/+1",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.P/1",
        "/tile/0/000",
        "tile/8/0/000",
        "tile/entries/000",
        "TILE/0/000",
        "tile/0/000\n",
        "tile/0/../000",
        "tile/0/000?",
    ] {
        assert_eq!(Tile::parse(path), Err(TileError::Path), "{path:?}");
        assert_eq!(
            parse_bundle_path(&path.replacen("tile/0/", "tile/entries/", 1)).ok(),
            (path == "tile/entries/000").then_some((0, 256)),
            "{path:?}"
        );
    }
}

/// The two sizes that the specification works out, and the corners around them.
#[test]
fn tiles_implied_by_a_size() {
    let of_70_000: Vec<_> = tiles_for_size(70_000).collect();
    assert_eq!(of_70_000.len(), 273 + 1 + 1 + 1 + 1);
    assert_eq!(of_70_000[273], Tile { level: 0, index: 273, width: 112 });
    assert_eq!(of_70_000[274], Tile::full(1, 0));
    assert_eq!(of_70_000[275], Tile { level: 1, index: 1, width: 17 });
    assert_eq!(of_70_000[276], Tile { level: 2, index: 0, width: 1 });
    let of_256: Vec<_> = tiles_for_size(256).collect();
    assert_eq!(of_256, [Tile::full(0, 0), Tile { level: 1, index: 0, width: 1 }]);
    assert_eq!(tiles_for_size(0).count(), 0);
    assert_eq!(tiles_for_size(1).collect::<Vec<_>>(), [Tile { level: 0, index: 0, width: 1 }]);
    assert_eq!(bundles_for_size(0).count(), 0);
    assert_eq!(bundles_for_size(512).collect::<Vec<_>>(), [(0, 256), (1, 256)]);
    assert_eq!(bundles_for_size(513).collect::<Vec<_>>(), [(0, 256), (1, 256), (2, 1)]);
    for level in 7..=255 {
        assert_eq!(full_tiles(level, u64::MAX), 0);
        assert_eq!(partial_width(level, u64::MAX), if level == 7 { 255 } else { 0 });
    }
}

#[test]
fn bundles_are_refused_whole_and_say_where() {
    let full = vec![[7_u8; 3]; 256];
    let bundle = encode_bundle(&full).unwrap();
    assert_eq!(bundle.len(), 256 * 5);
    assert_eq!(decode_bundle(&bundle).unwrap(), full);
    assert_eq!(encode_bundle::<&[u8]>(&[]), Err(BundleError::Count { found: 0 }));
    assert_eq!(encode_bundle(&vec![[0_u8]; 257]), Err(BundleError::Count { found: 257 }));
    assert_eq!(decode_bundle(&[]), Err(BundleError::Count { found: 0 }));
    assert_eq!(decode_bundle(&[&bundle[..], &[0, 0]].concat()), Err(BundleError::Count { found: 257 }));
    assert_eq!(decode_bundle(&bundle[..6]), Err(BundleError::Truncated { position: 1, offset: 5 }));
    assert_eq!(decode_bundle(&bundle[..9]), Err(BundleError::Truncated { position: 1, offset: 5 }));

    let longest = vec![1_u8; 65_535];
    let bundle = encode_bundle(&[&longest[..], b""]).unwrap();
    assert_eq!(decode_bundle(&bundle).unwrap(), [&longest[..], b""]);
    assert_eq!(
        encode_bundle(&[&b"short"[..], &[0; 65_536]]),
        Err(BundleError::EntryTooLong { position: 1, length: 65_536 })
    );
}

#[test]
fn tile_bytes_have_exactly_their_width() {
    let hashes = common::leaves(256);
    let bytes = encode_tile(&hashes);
    assert_eq!(bytes.len(), 8192);
    assert_eq!(decode_tile(&bytes, 256).unwrap(), hashes);
    assert_eq!(decode_tile(&bytes[..64], 2).unwrap(), hashes[..2]);
    for (length, width) in [(0, 0), (32, 0), (8192, 255), (8160, 256), (33, 1), (31, 1), (8224, 257)] {
        let bytes = vec![0; length];
        let expected = usize::from(width) * 32;
        assert_eq!(decode_tile(&bytes, width), Err(TileError::Length { expected, found: length }));
    }
}

#[test]
fn hashes_have_one_base64_spelling() {
    let hash = leaf_hash(b"entry");
    let text = hash.to_base64();
    assert_eq!(Hash::from_base64(&text), Ok(hash));
    let zeros = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert_eq!(Hash::from_base64(zeros), Ok(Hash::from_bytes([0; 32])));
    for bad in [
        "",
        &zeros[..43],
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        " AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    ] {
        assert!(Hash::from_base64(bad).is_err(), "{bad:?}");
    }
}

/// Strings near the grammar of paths, so that some of them parse.
fn path_like() -> impl Strategy<Value = String> {
    prop_oneof!["tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,3}[0-9]{3}(\\.p/[0-9]{1,3})?", "[ -~]{0,40}", ".*",]
}

proptest! {
    #![proptest_config(common::cases(2_000))]

    #[test]
    fn tile_format_then_parse(level in 0..=63_u8, index: u64, shift in 0..64_u32, width in 1..=256_u16) {
        let tile = Tile { level, index: index >> shift, width };
        prop_assert_eq!(Tile::parse(&tile.path()), Ok(tile));
        prop_assert_eq!(parse_bundle_path(&tile.bundle_path()), Ok((tile.index, width)));
    }

    #[test]
    fn path_parse_then_format(path in path_like()) {
        if let Ok(tile) = Tile::parse(&path) {
            prop_assert_eq!(tile.path(), path.clone());
        }
        if let Ok((index, width)) = parse_bundle_path(&path) {
            prop_assert_eq!(bundle_path(index, width), path);
        }
    }

    #[test]
    fn bundle_encode_then_decode(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 1..=256),
    ) {
        let bundle = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bundle).unwrap(), entries);
    }

    #[test]
    fn bundle_decode_then_encode(
        bytes in prop::collection::vec(prop_oneof![3 => 0..3_u8, 1 => any::<u8>()], 0..600),
    ) {
        if let Ok(entries) = decode_bundle(&bytes) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }

    #[test]
    fn tile_decode_then_encode(bytes in prop::collection::vec(any::<u8>(), 0..200), width: u16) {
        for width in [width, (bytes.len() / 32) as u16] {
            if let Ok(hashes) = decode_tile(&bytes, width) {
                prop_assert_eq!(encode_tile(&hashes), bytes.clone());
            }
        }
    }

    #[test]
    fn hash_text(bytes: [u8; 32], text in "[A-Za-z0-9+/=]{43,45}") {
        let hash = Hash::from_bytes(bytes);
        prop_assert_eq!(Hash::from_base64(&hash.to_base64()), Ok(hash));
        let parsed = Hash::from_base64(&text);
        prop_assert!(parsed.is_err() || parsed.is_ok_and(|hash| hash.to_base64() == text));
        prop_assert_eq!(hash.to_string().len(), 64);
    }

    /// Every hash of the tree is in exactly one place, and the widths add up to the size.
    #[test]
    fn tiles_for_size_cover_the_tree(size in 0..20_000_000_u64) {
        let tiles = tiles_for_size(size).collect::<Vec<_>>();
        for level in 0..8_u8 {
            let of_level = tiles.iter().filter(|tile| tile.level == level);
            let hashes: u64 = of_level.clone().map(|tile| u64::from(tile.width)).sum();
            prop_assert_eq!(hashes, size >> (8 * level));
            prop_assert!(of_level.enumerate().all(|(index, tile)| tile.index == index as u64));
        }
        let entries: u64 = bundles_for_size(size).map(|(_, width)| u64::from(width)).sum();
        prop_assert_eq!(entries, size);
    }
}
