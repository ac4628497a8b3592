//! Writes a small log as files, for verifiers that nobody here wrote (`scripts/interop`).
//!
//! `cargo run -p tlog --example write_log -- DIR SIZE OLDER_SIZE` makes in DIR:
//!
//! - `log/`: checkpoint, tiles and bundles under their C2SP paths, ready to serve
//! - `log.vkey`, `witness.vkey`: the keys that the checkpoint is to be verified with
//! - `older.checkpoint`: what the same log signed at OLDER_SIZE entries
//!
//! The seeds are constants: these keys protect nothing.

use std::error::Error;
use std::path::Path;
use std::{env, fs};

use tlog::{
    Checkpoint, CosigningKey, Frontier, Hash, Origin, SigningKey, Tile, TileStack, bundle_path,
    encode_bundle, encode_tile, leaf_hash, sign_checkpoint,
};

const ORIGIN: &str = "example.com/log";
const TIMESTAMP: u64 = 1_700_000_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [directory, size, older] = arguments.as_slice() else {
        return Err("usage: write_log DIR SIZE OLDER_SIZE".into());
    };
    let (directory, size, older) = (Path::new(directory), size.parse::<u64>()?, older.parse::<u64>()?);
    if older > size {
        return Err("OLDER_SIZE is above SIZE".into());
    }
    let log = directory.join("log");
    let (mut stack, mut frontier) = (TileStack::new(), Frontier::new());
    let mut bundle: Vec<Vec<u8>> = Vec::new();
    let mut full_tiles: Vec<(Tile, Vec<Hash>)> = Vec::new();
    let mut older_root = frontier.root();

    for index in 0..size {
        let entry = entry(index);
        let leaf = leaf_hash(&entry);
        bundle.push(entry);
        stack.push(leaf, &mut |tile, hashes| full_tiles.push((tile, hashes.to_vec())));
        frontier.push(leaf);
        for (tile, hashes) in full_tiles.drain(..) {
            write(&log.join(tile.path()), &encode_tile(&hashes))?;
            if tile.level == 0 {
                write(&log.join(tile.bundle_path()), &encode_bundle(&bundle)?)?;
                bundle.clear();
            }
        }
        if stack.size() == older {
            older_root = frontier.root();
        }
    }
    for (tile, hashes) in stack.partials() {
        write(&log.join(tile.path()), &encode_tile(hashes))?;
    }
    if !bundle.is_empty() {
        write(&log.join(bundle_path(size / 256, (size % 256) as u16)), &encode_bundle(&bundle)?)?;
    }
    if stack.root() != frontier.root() {
        return Err("the two trees disagree".into());
    }

    let key = SigningKey::from_seed(ORIGIN, [1; 32])?;
    let witness = CosigningKey::from_seed("witness.example/w1", [2; 32])?;
    let sign = |size, root| -> Result<String, Box<dyn Error>> {
        let checkpoint = Checkpoint { origin: Origin::new(ORIGIN)?, size, root };
        let cosignature = witness.cosign(&checkpoint, TIMESTAMP);
        Ok(format!("{}{cosignature}\n", sign_checkpoint(&checkpoint, &key)))
    };
    write(&log.join("checkpoint"), sign(size, stack.root())?.as_bytes())?;
    write(&directory.join("older.checkpoint"), sign(older, older_root)?.as_bytes())?;
    write(&directory.join("log.vkey"), format!("{}\n", key.verifying_key()).as_bytes())?;
    write(&directory.join("witness.vkey"), format!("{}\n", witness.verifying_key()).as_bytes())?;
    Ok(())
}

/// Returns entries of many lengths, the empty one among them.
fn entry(index: u64) -> Vec<u8> {
    let mut entry = format!("entry {index} ").into_bytes();
    entry.resize((index * 7 % 200) as usize, b'.');
    entry
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(file.parent().unwrap_or(file))?;
    Ok(fs::write(file, bytes)?)
}
