//! The same artefacts in the hands of code nobody here wrote: the crates `tlog_tiles` and `signed_note`.

mod common;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use common::Tiles;
use signed_note::{Signer as _, StandardSigner, StandardVerifier, VerifierList};
use tlog::{
    Checkpoint, Hash, Note, Origin, SigningKey, Tile, VerifierKey, consistency_proof, encode_tile,
    inclusion_proof, sign_checkpoint, verify_consistency, verify_inclusion,
};
use tlog_tiles::{
    Error, TileHashReader, TileReader, check_record, check_tree, prove_record, prove_tree, record_hash,
};

const ORIGIN: &str = "example.com/log";

fn theirs(hash: &Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(*hash.as_bytes())
}

fn ours(hash: &tlog_tiles::Hash) -> Hash {
    Hash::from_bytes(hash.0)
}

/// Serves our tiles to the other implementation, by path: there `tile/8/<L>/<N>`, in C2SP `tile/<L>/<N>`.
struct Server<'a>(&'a Tiles);

impl TileReader for Server<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replacen("tile/8/", "tile/", 1);
            let hashes = Tile::parse(&path).ok().and_then(|tile| self.0.hashes(tile));
            hashes.map(encode_tile).ok_or(Error::BadMath)
        };
        tiles.iter().map(read).collect()
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

#[test]
fn leaf_hashes_are_the_same() {
    for length in [0, 1, 54, 55, 56, 58, 63, 64, 65, 1000] {
        let entry = vec![0xa5; length];
        assert_eq!(tlog::leaf_hash(&entry), ours(&record_hash(&entry)));
    }
}

/// The other implementation builds the same proofs from our tiles, and checks ours.
///
/// That every tile is authenticated is not left to it: `TileHashReader` 0.2.0 begins the check of full tiles at the
/// number of subtrees instead of that of tiles and so passes over some. `verify_*` look at the result.
#[test]
fn tiles_and_proofs_are_the_same() {
    let leaves = common::leaves(66_000);
    let mut all = Tiles::new(&leaves);
    let sizes = [1, 2, 3, 7, 8, 255, 256, 257, 300, 511, 512, 1000, 65_535, 65_536, 65_537, 65_793, 66_000];
    for size in sizes {
        let tiles = all.at(size);
        let root = tlog::root_from_tiles(size, tiles).unwrap();
        tiles.take_reads();
        let server = Server(tiles);
        let reader = TileHashReader::new(size, theirs(&root), &server);
        let spread = [0, 1, size / 3, size / 2, size.saturating_sub(257), size.saturating_sub(2), size - 1];
        for index in spread.into_iter().filter(|index| *index < size) {
            let leaf = leaves[index as usize];
            let proof = inclusion_proof(index, size, tiles).unwrap();
            tiles.take_reads();
            let other = prove_record(size, index, &reader).unwrap();
            assert_eq!(other.iter().map(ours).collect::<Vec<_>>(), proof, "{index} of {size}");
            check_record(&other, size, theirs(&root), index, theirs(&leaf)).unwrap();
            verify_inclusion(index, size, &leaf, &proof, &root).unwrap();

            let old = index + 1;
            let old_root = common::root(&leaves[..old as usize]);
            let proof = consistency_proof(old, size, tiles).unwrap();
            tiles.take_reads();
            if old < size {
                let other = prove_tree(size, old, &reader).unwrap();
                assert_eq!(other.iter().map(ours).collect::<Vec<_>>(), proof, "{old} to {size}");
            }
            let other = proof.iter().map(theirs).collect();
            check_tree(&other, size, theirs(&root), old, theirs(&old_root)).unwrap();
            verify_consistency(old, size, &old_root, &root, &proof).unwrap();
        }
    }
}

/// A tile with one changed bit must not pass the oracle: it does look at what it is given.
#[test]
fn the_oracle_refuses_another_root() {
    let leaves = common::leaves(600);
    let tiles = Tiles::new(&leaves);
    let server = Server(&tiles);
    let reader = TileHashReader::new(600, theirs(&leaves[0]), &server);
    assert!(prove_record(600, 5, &reader).is_err());
}

#[test]
fn paths_are_the_same() {
    for index in [0, 7, 999, 1000, 1_234_067, 999_999_999] {
        for (level, width) in [(0, 256), (1, 1), (5, 255)] {
            let path = Tile { level, index, width }.path();
            let other = tlog_tiles::Tile::new(8, level, index, width.into(), false);
            assert_eq!(other.path().replacen("tile/8/", "tile/", 1), path);
        }
    }
}

/// Their signer and our verifier, our signer and their verifier, for the same seed and name.
#[test]
fn notes_verify_both_ways() {
    for seed in 0..20 {
        let key = SigningKey::from_seed(ORIGIN, [seed; 32]).unwrap();
        let vkey = key.verifying_key().to_string();
        let secret = STANDARD.encode([&[1][..], &[seed; 32]].concat());
        let id = key.verifying_key().id();
        let signer = StandardSigner::new(&format!("PRIVATE+KEY+{ORIGIN}+{id}+{secret}")).unwrap();
        let root = tlog::leaf_hash(&[seed]);
        let checkpoint = Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size: seed.into(), root };

        let text = checkpoint.to_text();
        let mut other = signed_note::Note::new(text.as_bytes(), &[]).unwrap();
        other.add_sigs(&[&signer]).unwrap();
        let signed = sign_checkpoint(&checkpoint, &key);
        assert_eq!(other.to_bytes(), signed.as_bytes());
        assert_eq!(signer.sign(text.as_bytes()).unwrap(), key.sign(&text).bytes());
        Note::parse(&other.to_bytes()).unwrap().verify(&[VerifierKey::parse(&vkey).unwrap()]).unwrap();

        let known = VerifierList::new(vec![Box::new(StandardVerifier::new(&vkey).unwrap())]);
        let read = signed_note::Note::from_bytes(signed.as_bytes()).unwrap();
        let (verified, unverified) = read.verify(&known).unwrap();
        assert_eq!((verified.len(), unverified.len()), (1, 0));
        let read = tlog_tiles::Checkpoint::from_bytes(read.text()).unwrap();
        assert_eq!((read.origin(), read.size(), ours(read.hash())), (ORIGIN, seed.into(), root));
        assert_eq!(read.to_bytes(), text.as_bytes());
    }
}

/// Where the two read differently, ours is the stricter one, and these are all the ways known.
#[test]
fn what_we_accept_they_accept() {
    let line = SigningKey::from_seed(ORIGIN, [1; 32]).unwrap().sign("a\n").to_string();
    for (note, we, they) in [
        (format!("a\n\n{line}\n"), true, true),
        (format!("\n\n{line}\n"), true, true),
        (format!("a\n\n\n{line}\n"), true, true),
        (format!("a\n\n{line}"), false, false),
        (format!("a\n{line}\n"), false, false),
        (format!("a\n\n{line}\n{line}\n"), true, true),
        (format!("a\r\n\n{line}\n"), false, false),
        ("a\n\n— a AAAAAA==\n".to_owned(), false, false),
        ("a\n\n— a AAAAAAB=\n".to_owned(), false, false),
        ("a\n\n".to_owned(), false, false),
        (String::new(), false, false),
    ] {
        assert_eq!(Note::parse(note.as_bytes()).is_ok(), we, "{note:?}");
        assert_eq!(signed_note::Note::from_bytes(note.as_bytes()).is_ok(), they, "{note:?}");
    }
}
