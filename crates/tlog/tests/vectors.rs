//! The published vectors in `docs/vectors/tlog/`: made again and compared.
//!
//! After a change that is meant to alter them, `LEDGERSTONE_WRITE_VECTORS=1 cargo test -p tlog --test vectors`
//! writes the files; the difference is then read and committed like any other.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

mod common;

use std::path::Path;
use std::slice::from_ref;

use common::Tiles;
use serde_json::{Value, json};
use tlog::{
    Checkpoint, CosigningKey, Hash, Origin, SigningKey, Tile, TlogProof, bundle_path, bundles_for_size,
    consistency_proof, cosignature_message, encode_bundle, encode_tile, inclusion_proof, leaf_hash,
    sign_checkpoint, tiles_for_size, verify_consistency, verify_inclusion,
};

const ORIGIN: &str = "example.com/log";
const SIZE: u64 = 70_000;

fn compare(name: &str, made: Value) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/vectors/tlog").join(name);
    if std::env::var_os("LEDGERSTONE_WRITE_VECTORS").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, serde_json::to_string_pretty(&made).unwrap() + "\n").unwrap();
    }
    // As values: the order of keys depends on features that other packages may switch on.
    let published: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert!(made == published, "{name} is not what the code makes");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().map(Hash::to_string).collect()
}

fn checkpoint(leaves: &[Hash]) -> Checkpoint {
    let (size, root) = (leaves.len() as u64, common::root(leaves));
    Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root }
}

#[test]
fn leaves_and_roots() {
    let entries: [&[u8]; 4] = [b"", b"\0", b"entry 0", &[0xa5; 58]];
    let hashes: Vec<_> = entries
        .iter()
        .map(|entry| json!({"entry": hex(entry), "leaf": leaf_hash(entry).to_string()}))
        .collect();
    let leaves = common::leaves(SIZE);
    let sizes = (0..=17).chain([255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, SIZE]);
    let roots: Vec<_> = sizes
        .map(|size| json!({"size": size, "root": common::root(&leaves[..size as usize]).to_string()}))
        .collect();
    compare(
        "tree.json",
        json!({
            "about": "RFC 6962 with SHA-256. Entry i of the tree is the ASCII text 'entry i'; all bytes in hex.",
            "leaves": hashes,
            "roots": roots,
        }),
    );
}

#[test]
fn inclusion_proofs() {
    let leaves = common::leaves(SIZE);
    let mut tiles = Tiles::new(&leaves);
    let mut proofs = Vec::new();
    for size in [1, 2, 3, 7, 8, 256, 257, 300, 65_537, SIZE] {
        let root = common::root(&leaves[..size as usize]);
        let tiles = tiles.at(size);
        let mut indexes = vec![0, size / 2, size - 1];
        indexes.dedup();
        for index in indexes {
            let leaf = leaves[index as usize];
            let proof = inclusion_proof(index, size, tiles).unwrap();
            tiles.take_reads();
            verify_inclusion(index, size, &leaf, &proof, &root).unwrap();
            proofs.push(json!({
                "index": index, "size": size, "leaf": leaf.to_string(), "root": root.to_string(),
                "proof": texts(&proof),
            }));
        }
    }
    compare(
        "inclusion.json",
        json!({
            "about": "RFC 6962 section 2.1.1: leaf's sibling first. The tree is that of tree.json; all bytes in hex.",
            "proofs": proofs,
        }),
    );
}

#[test]
fn consistency_proofs() {
    let leaves = common::leaves(SIZE);
    let mut tiles = Tiles::new(&leaves);
    let mut proofs = Vec::new();
    let pairs =
        [(0, 5), (1, 1), (1, 2), (2, 3), (3, 7), (4, 7), (6, 8), (7, 7), (255, 256), (256, 257), (257, 513)];
    for (old, new) in pairs.into_iter().chain([(300, 65_536), (65_536, SIZE), (65_537, SIZE)]) {
        let (old_root, new_root) =
            (common::root(&leaves[..old as usize]), common::root(&leaves[..new as usize]));
        let tiles = tiles.at(new);
        let proof = consistency_proof(old, new, tiles).unwrap();
        tiles.take_reads();
        verify_consistency(old, new, &old_root, &new_root, &proof).unwrap();
        proofs.push(json!({
            "old": old, "new": new, "old_root": old_root.to_string(), "new_root": new_root.to_string(),
            "proof": texts(&proof),
        }));
    }
    compare(
        "consistency.json",
        json!({
            "about": "RFC 6962 section 2.1.2; empty from size 0. The tree is that of tree.json; all bytes in hex.",
            "proofs": proofs,
        }),
    );
}

#[test]
fn tiles_and_bundles() {
    let paths = [
        Tile { level: 0, index: 0, width: 256 },
        Tile { level: 0, index: 0, width: 1 },
        Tile { level: 1, index: 999, width: 255 },
        Tile { level: 2, index: 1000, width: 256 },
        Tile { level: 63, index: 1_234_067, width: 8 },
        Tile { level: 0, index: u64::MAX, width: 256 },
    ]
    .map(|tile| {
        json!({
            "level": tile.level, "index": tile.index.to_string(), "width": tile.width,
            "tile": tile.path(), "bundle": tile.bundle_path(),
        })
    });
    let refused =
        ["tile/0/0", "tile/0/x000/001", "tile/00/000", "tile/64/000", "tile/0/000.p/0", "tile/0/000.p/256"];
    assert!(refused.iter().all(|path| Tile::parse(path).is_err()));
    let implied = [0, 1, 255, 256, 257, 513].map(|size| {
        json!({
            "size": size,
            "tiles": tiles_for_size(size).map(|tile| tile.path()).collect::<Vec<_>>(),
            "bundles": bundles_for_size(size).map(|(n, width)| bundle_path(n, width)).collect::<Vec<_>>(),
        })
    });
    let entries = [common::entry(0), common::entry(1), Vec::new()];
    compare(
        "tiles.json",
        json!({
            "about": "C2SP tlog-tiles: paths (index as text, for readers with 53-bit numbers), what a size implies, contents in hex.",
            "paths": paths,
            "refused": refused,
            "implied": implied,
            "bundle": {"entries": entries.each_ref().map(|e| hex(e)), "bytes": hex(&encode_bundle(&entries).unwrap())},
            "tile": {"path": "tile/0/000.p/3", "bytes": hex(&encode_tile(&common::leaves(3)))},
        }),
    );
}

#[test]
fn notes_and_checkpoints() {
    let log = SigningKey::from_seed(ORIGIN, [1; 32]).unwrap();
    let witness = CosigningKey::from_seed("witness.example/w1", [2; 32]).unwrap();
    let leaves = common::leaves(300);
    let (checkpoint, empty) = (checkpoint(&leaves), checkpoint(&[]));
    let timestamp = 1_700_000_000;
    let cosigned =
        format!("{}{}\n", sign_checkpoint(&checkpoint, &log), witness.cosign(&checkpoint, timestamp));
    let proof = TlogProof {
        extra: Some(b"salt".to_vec()),
        index: 256,
        hashes: inclusion_proof(256, 300, &Tiles::new(&leaves)).unwrap(),
        checkpoint: cosigned.clone(),
    };
    let keys = (log.verifying_key(), witness.verifying_key());
    proof.verify(&leaves[256], ORIGIN, from_ref(keys.0), from_ref(keys.1)).unwrap();
    compare(
        "notes.json",
        json!({
            "about": "C2SP signed-note, tlog-checkpoint, tlog-cosignature v1 and tlog-proof. Seeds in hex: RFC 8032 private keys. Never use these keys.",
            "log": {"name": ORIGIN, "seed": hex(&[1; 32]), "vkey": keys.0.to_string()},
            "witness": {"name": keys.1.name(), "seed": hex(&[2; 32]), "vkey": keys.1.to_string()},
            "empty_checkpoint": sign_checkpoint(&empty, &log),
            "checkpoint": sign_checkpoint(&checkpoint, &log),
            "timestamp": timestamp,
            "cosignature_message": cosignature_message(timestamp, &checkpoint.to_text()),
            "cosigned_checkpoint": cosigned,
            "tlog_proof": {"entry": "entry 256", "text": proof.to_string()},
        }),
    );
}
