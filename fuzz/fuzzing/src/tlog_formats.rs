use tlog::witness::{format_cosignatures, format_size, parse_cosignatures, parse_size};
use tlog::{AddCheckpoint, Checkpoint, Note, Policy, Tile, TlogProof, UnverifiedCheckpoint, VerifierKey};

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

/// A policy may be spelled in many ways, and is the same when it was written and read again.
pub fn policy(input: &[u8]) {
    let Ok(policy) = Policy::parse_bytes(input) else { return };
    let all = policy.quorum(|_| true);
    assert!(all.met && all.missing.is_empty(), "all of them are always enough");
    assert_eq!(policy.quorum(|_| false).met, policy.is_none());
    // Octets that are not UTF-8 do not survive printing.
    if text(input).is_some() {
        assert_eq!(Policy::parse(&policy.to_string()).as_ref(), Ok(&policy));
    }
}

/// A request to a witness.
pub fn add_checkpoint(input: &[u8]) {
    if let Ok(request) = AddCheckpoint::parse(input) {
        assert_eq!(request.to_string().as_bytes(), input);
    }
}

/// What a witness answers: signature lines, or a size.
pub fn witness_answer(input: &[u8]) {
    if let Ok(cosignatures) = parse_cosignatures(input) {
        assert_eq!(format_cosignatures(&cosignatures).as_bytes(), input);
    }
    if let Ok(size) = parse_size(input) {
        assert_eq!(format_size(size).as_bytes(), input);
    }
}

fn text(input: &[u8]) -> Option<&str> {
    std::str::from_utf8(input).ok()
}
