//! What an evidence file says of its log, as papers that can be held against others.

use std::io;

use tlog::{Hash, UnverifiedCheckpoint, leaf_hash};

use crate::anchors::{Anchor, RangeProof};
use crate::compare::{Paper, Spread};
use crate::manifest::Manifest;
use crate::row;
use crate::verify::Failed;
use crate::verify::members::{ANCHORS, CHECKPOINT, Members, lines, whole};
use crate::zip::{Source, ZipError};

/// Reads the checkpoint of a file with what the file proves to be in its tree, and the earlier checkpoints in it. Gives the
/// key that the file names, too.
///
/// Nothing is verified here: whoever compares papers does that.
///
/// # Errors
/// It can't be read; as text, what is not as it must be.
pub fn papers<S: Source + ?Sized>(
    source: &S,
    label: &str,
) -> io::Result<Result<(String, Vec<Paper>), String>> {
    match read(source, label) {
        Ok(found) => Ok(Ok(found)),
        Err(Failed::Io(error)) => Err(error),
        Err(Failed::Damaged(what)) => Ok(Err(what.to_owned())),
    }
}

fn read<S: Source + ?Sized>(source: &S, label: &str) -> Result<(String, Vec<Paper>), Failed> {
    let members = Members::open(source).map_err(|error| match error {
        ZipError::Io(error) => Failed::Io(error),
        ZipError::Damaged(what, _) => Failed::Damaged(what),
    })?;
    let member = |at: usize| whole(source, &members.rows[at]).map(|(text, _)| text);
    let manifest = Manifest::parse(&member(members.manifest())?)
        .map_err(|_| Failed::Damaged("the manifest is not one"))?;
    let note = |bytes: Vec<u8>| String::from_utf8(bytes).map_err(|_| Failed::Damaged("a note is not UTF-8"));
    let mut paper = Paper { label: label.to_owned(), note: note(member(CHECKPOINT)?)?, ..Paper::default() };
    let mut papers = Vec::new();
    lines(source, &members.rows[ANCHORS], &mut |_, _, text| {
        let Ok(anchor) = Anchor::parse(&[text, b"\n"].concat()) else { return };
        let Ok(claimed) = UnverifiedCheckpoint::parse(anchor.checkpoint.as_bytes()) else { return };
        let older = claimed.claimed();
        if older.size < manifest.size {
            paper.links.push((older.size, older.root, anchor.consistency));
        }
        papers.push(Paper { label: label.to_owned(), note: anchor.checkpoint, ..Paper::default() });
    })?;
    let mut leaves: Vec<Hash> = Vec::new();
    let parts = members.parts.clone().chain([members.control()]);
    for at in parts {
        lines(source, &members.rows[at], &mut |_, _, text| {
            let Ok(read) = row::parse(text, Default::default()) else { return };
            let leaf = leaf_hash(&read.entry);
            match read.proof {
                Some(proof) => paper.leaves.push((read.index, leaf, proof)),
                None => leaves.push(leaf),
            }
        })?;
    }
    if let Some(at) = members.range {
        let range = RangeProof::parse(&member(at)?).map_err(|_| Failed::Damaged("the range is not one"))?;
        let spread = Spread::new(&range, leaves, manifest.size);
        paper.range =
            Some(spread.ok_or(Failed::Damaged("the range has more or fewer records than it says"))?);
    }
    papers.push(paper);
    Ok((manifest.vkey, papers))
}
