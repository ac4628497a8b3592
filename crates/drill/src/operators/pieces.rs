//! Records within a file: swapped, doubled, dropped, cut off, and the fields that say how long they are.

use evidence::segment::TRAILER_LEN;
use evidence::wal;

use super::{Aim, Mutation, holds_records};
use crate::map::{BUNDLED, File, What};

/// Where each record of a file begins and ends.
type Pieces = Vec<(usize, usize)>;

/// Offset of a group's length, and of its number of parts.
const GROUP_LENGTH: usize = 4;
const GROUP_PARTS: usize = 4 + 4 + 16 + 8 + 8 + 32;
/// Bytes of a footer row, and of what stands before the first.
const FOOTER_ROW: usize = 64;
const FOOTER_HEAD: usize = 12;

pub(super) fn swap_records(aim: &mut Aim<'_>) -> Option<Mutation> {
    let (file, bytes, pieces) = pieces(aim)?;
    let a = aim.dice.below(pieces.len());
    let b = aim.dice.below(pieces.len());
    let (a, b) = (a.min(b), a.max(b));
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.swap(a, b);
    Mutation::file(&file.name, Some(join(&bytes, &pieces, &order)))
}

pub(super) fn duplicate_record(aim: &mut Aim<'_>) -> Option<Mutation> {
    if aim.dice.below(8) == 0 {
        return duplicate_line(aim);
    }
    let (file, bytes, pieces) = pieces(aim)?;
    let which = aim.dice.below(pieces.len());
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    match aim.dice.below(3) {
        0 => order.insert(which, which),
        1 => order.push(which),
        // In place of its neighbour, so that the length stays.
        _ => order[(which + 1) % pieces.len()] = which,
    }
    Mutation::file(&file.name, Some(join(&bytes, &pieces, &order)))
}

pub(super) fn drop_record(aim: &mut Aim<'_>) -> Option<Mutation> {
    let (file, bytes, pieces) = pieces(aim)?;
    let mut order: Vec<usize> = (0..pieces.len()).collect();
    order.remove(aim.dice.below(pieces.len()));
    Mutation::file(&file.name, Some(join(&bytes, &pieces, &order)))
}

pub(super) fn truncate_record(aim: &mut Aim<'_>) -> Option<Mutation> {
    let (file, mut bytes, pieces) = pieces(aim)?;
    bytes.truncate(aim.dice.pick(&pieces)?.0);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn change_length(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| holds_records(file) || matches!(file.what, What::Segment { .. }))?;
    let mut bytes = aim.read(file)?;
    let (at, width) = match &file.what {
        What::Wal { groups, kept, .. } => {
            let covered = covered(file, groups, *kept);
            let (from, _) = *aim.dice.pick(&covered)?;
            let field = if aim.dice.below(3) > 0 { (GROUP_LENGTH, 4) } else { (GROUP_PARTS, 2) };
            (from as usize + field.0, field.1)
        }
        What::Bundle { width, .. } => (BUNDLED * aim.dice.below(usize::from(*width)), 2),
        What::Segment { blocks, .. } => {
            let footer = blocks.last()?.to as usize;
            match aim.dice.below(5) {
                0 => (bytes.len() - TRAILER_LEN, 8),
                1 => (footer + FOOTER_HEAD - 4, 4),
                // A block in clear begins with its length before compression.
                2 => (aim.dice.pick(blocks)?.from as usize, 4),
                _ => (footer + FOOTER_HEAD + FOOTER_ROW * aim.dice.below(blocks.len()) + 8, 4),
            }
        }
        _ => return None,
    };
    let field = bytes.get_mut(at..at + width)?;
    let old = field.iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte));
    let new = match aim.dice.below(4) {
        0 => 0,
        1 => u64::MAX,
        2 => old.wrapping_add(aim.dice.within(1, 300) as u64),
        _ => old.wrapping_sub(aim.dice.within(1, 300) as u64),
    };
    field.copy_from_slice(&new.to_be_bytes()[8 - width..]);
    Mutation::file(&file.name, Some(bytes))
}

/// A second signature line, or a line of text, in a checkpoint.
fn duplicate_line(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| matches!(file.what, What::Checkpoint(_)))?;
    let text = String::from_utf8(aim.read(file)?).ok()?;
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    let which = aim.dice.below(lines.len());
    lines.insert(which, lines[which]);
    Mutation::file(&file.name, Some(lines.concat().into_bytes()))
}

/// A file that holds records, its bytes, and where each record begins and ends.
fn pieces<'a>(aim: &mut Aim<'a>) -> Option<(&'a File, Vec<u8>, Pieces)> {
    let file = aim.file(|file| holds_records(file) || matches!(file.what, What::Tile(..)))?;
    let bytes = aim.read(file)?;
    let equal = |size: usize| (0..bytes.len() / size).map(|at| (at * size, at * size + size)).collect();
    let pieces: Pieces = match &file.what {
        What::Wal { groups, kept, .. } => {
            covered(file, groups, *kept).iter().map(|(from, to)| (*from as usize, *to as usize)).collect()
        }
        What::Bundle { .. } => equal(BUNDLED),
        What::Tile(..) => equal(32),
        _ => return None,
    };
    (!pieces.is_empty()).then_some((file, bytes, pieces))
}

/// The groups of a write-ahead file that count and that the register covers.
pub(super) fn covered(file: &File, groups: &[(u64, u64)], kept: u64) -> Vec<(u64, u64)> {
    let end = file.limit.unwrap_or(u64::MAX).min(kept);
    groups.iter().copied().filter(|(_, to)| *to <= end && *to > wal::HEADER_LEN as u64).collect()
}

/// The pieces of a file in another order, between what stands before the first and after the last.
fn join(bytes: &[u8], pieces: &[(usize, usize)], order: &[usize]) -> Vec<u8> {
    let (first, last) = (pieces[0].0, pieces[pieces.len() - 1].1);
    let mut out = bytes[..first].to_vec();
    order.iter().for_each(|at| out.extend_from_slice(&bytes[pieces[*at].0..pieces[*at].1]));
    out.extend_from_slice(&bytes[last..]);
    out
}
