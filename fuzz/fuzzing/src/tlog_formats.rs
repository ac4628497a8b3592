use tlog::{Checkpoint, Note, Tile, TlogProof, UnverifiedCheckpoint, VerifierKey};

pub fn note(input: &[u8]) {
    if let Ok(note) = Note::parse(input) {
        assert_eq!(note.to_string().as_bytes(), input);
        assert!(note.verify(&[]).is_err(), "no key, no signature");
    }
}

pub fn checkpoint(input: &[u8]) {
    if let Ok(checkpoint) = UnverifiedCheckpoint::parse(input) {
        assert_eq!(checkpoint.note().text(), checkpoint.claimed().to_text());
    }
    let _ = UnverifiedCheckpoint::parse_with_extensions(input);
    if let Some(checkpoint) = text(input).and_then(|text| Checkpoint::parse(text).ok()) {
        assert_eq!(checkpoint.to_text().as_bytes(), input);
    }
}

pub fn proof(input: &[u8]) {
    if let Ok(proof) = TlogProof::parse(input) {
        assert_eq!(proof.to_string().as_bytes(), input);
    }
}

pub fn vkey(input: &[u8]) {
    if let Some(key) = text(input).and_then(|text| VerifierKey::parse(text).ok()) {
        assert_eq!(key.to_string().as_bytes(), input);
    }
}

pub fn tile_path(input: &[u8]) {
    let Some(path) = text(input) else { return };
    if let Ok(tile) = Tile::parse(path) {
        assert_eq!(tile.path(), path);
    }
    if let Ok((index, width)) = tlog::parse_bundle_path(path) {
        assert_eq!(tlog::bundle_path(index, width), path);
    }
}

/// The first byte says how wide the tile is that the rest is also read as.
pub fn bundle(input: &[u8]) {
    if let Ok(entries) = tlog::decode_bundle(input) {
        assert_eq!(tlog::encode_bundle(&entries).as_deref(), Ok(input));
    }
    if let Some((width, tile)) = input.split_first()
        && let Ok(hashes) = tlog::decode_tile(tile, u16::from(*width))
    {
        assert_eq!(tlog::encode_tile(&hashes), tile);
    }
}

fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}
