//! Bytes changed without a thought for what they mean.

use super::{Aim, Mutation};
use crate::map::{File, What};

/// Longest run of bytes that is changed at once.
const RUN: usize = 64;

pub(super) fn bit(aim: &mut Aim<'_>) -> Option<Mutation> {
    in_place(aim, |aim, bytes| bytes[0] ^= 1 << aim.dice.below(8), 1)
}

pub(super) fn byte(aim: &mut Aim<'_>) -> Option<Mutation> {
    in_place(aim, |aim, bytes| bytes[0] = bytes[0].wrapping_add(aim.dice.within(1, 255) as u8), 1)
}

pub(super) fn run(aim: &mut Aim<'_>) -> Option<Mutation> {
    in_place(aim, |aim, bytes| bytes.copy_from_slice(&aim.dice.bytes(bytes.len())), RUN)
}

pub(super) fn zero(aim: &mut Aim<'_>) -> Option<Mutation> {
    in_place(aim, |_, bytes| bytes.fill(0), 8 * RUN)
}

pub(super) fn splice_same(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = target(aim, 2)?;
    let mut bytes = aim.read(file)?;
    let end = limit(file, bytes.len());
    let count = aim.dice.within(1, (4 * RUN).min(end / 2));
    let (from, to) = (aim.dice.below(bytes.len() - count + 1), aim.dice.below(end - count + 1));
    bytes.copy_within(from..from + count, to);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn splice_other(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = target(aim, 1)?;
    let (other, map) = aim.foreign;
    let alike: Vec<&File> = map
        .files
        .iter()
        .filter(|found| std::mem::discriminant(&found.what) == std::mem::discriminant(&file.what))
        .collect();
    let source = aim.dice.pick(&alike)?;
    let taken = other.read(&source.name).ok()?;
    let mut bytes = aim.read(file)?;
    if aim.dice.below(4) == 0 && file.limit.is_none() {
        return Mutation::file(&file.name, Some(taken));
    }
    let end = limit(file, bytes.len()).min(taken.len());
    let at = aim.dice.below(end);
    let count = aim.dice.within(1, (16 * RUN).min(end - at));
    bytes[at..at + count].copy_from_slice(&taken[at..at + count]);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn insert(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = target(aim, 0)?;
    let mut bytes = aim.read(file)?;
    let at = aim.dice.below(limit(file, bytes.len()).max(1));
    let count = aim.dice.within(1, RUN);
    let new = aim.dice.bytes(count);
    bytes.splice(at..at, new);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn delete(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = target(aim, 1)?;
    let mut bytes = aim.read(file)?;
    let at = aim.dice.below(limit(file, bytes.len()));
    let count = aim.dice.within(1, RUN.min(bytes.len() - at));
    bytes.drain(at..at + count);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn truncate(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = target(aim, 1)?;
    let mut bytes = aim.read(file)?;
    bytes.truncate(aim.dice.below(limit(file, bytes.len())));
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn extend(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = target(aim, 0).filter(|file| file.limit.is_none())?;
    let mut bytes = aim.read(file)?;
    let count = aim.dice.within(1, 4 * RUN);
    let new = aim.dice.bytes(count);
    bytes.extend_from_slice(&new);
    Mutation::file(&file.name, Some(bytes))
}

/// Changes up to `most` bytes somewhere, and leaves the length.
fn in_place(aim: &mut Aim<'_>, change: impl Fn(&mut Aim<'_>, &mut [u8]), most: usize) -> Option<Mutation> {
    let file = target(aim, 1)?;
    let mut bytes = aim.read(file)?;
    let end = limit(file, bytes.len());
    let at = aim.dice.below(end);
    let count = aim.dice.within(1, most.min(end - at));
    change(aim, &mut bytes[at..at + count]);
    Mutation::file(&file.name, Some(bytes))
}

/// A file of at least so many bytes that may not change: half of the time any is as likely as the next, else any byte.
fn target<'a>(aim: &mut Aim<'a>, least: u64) -> Option<&'a File> {
    let fits = |file: &File| file.len >= least;
    if aim.dice.below(2) == 0 {
        return aim.file(fits);
    }
    let map = aim.map;
    let files = || map.files.iter().filter(|file| file.is_covered() && fits(file));
    let mut at = aim.dice.below(files().map(|file| file.len as usize).sum());
    files().find(|file| {
        let found = at < file.len as usize;
        at = at.wrapping_sub(if found { 0 } else { file.len as usize });
        found
    })
}

/// Up to where a change must be seen.
fn limit(file: &File, len: usize) -> usize {
    debug_assert!(file.what != What::Uncovered, "nothing is aimed at what nothing covers");
    file.limit.map_or(len, |limit| (limit as usize).min(len))
}
