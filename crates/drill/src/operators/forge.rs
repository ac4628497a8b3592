//! Changes made to look right: checksums that fit, records of the right form.

use evidence::layout;
use evidence::segment::{HEADER_LEN, TRAILER_LEN};
use record::entry::ENTRY_LEN;
use sha2::{Digest, Sha256};
use tlog::{TILE_WIDTH, Tile, bundle_path};

use super::rechain::{self, Owned};
use super::{Aim, Mutation};
use crate::map::{BUNDLED, Block, File, What};

/// Bytes of a footer row, the place of the hash in it, and what stands before the first row.
const FOOTER_ROW: usize = 64;
const ROW_HASH: usize = 32;
const FOOTER_HEAD: usize = 12;

pub(super) fn extend_records(aim: &mut Aim<'_>) -> Option<Mutation> {
    if aim.dice.below(3) == 0 && aim.map.registered.stopped {
        return extend_log(aim);
    }
    let file = aim.file(|file| match file.what {
        What::Bundle { .. } | What::Tile(..) => file.limit.is_none(),
        What::Segment { .. } => true,
        _ => false,
    })?;
    let mut bytes = aim.read(file)?;
    let (ledger, beside) = match &file.what {
        What::Bundle { ledger, index, width } => {
            let last = bytes[bytes.len() - BUNDLED..].to_vec();
            bytes.extend_from_slice(&last);
            (*ledger, bundle_path(*index, (width + 1).min(TILE_WIDTH)))
        }
        What::Tile(ledger, tile) => {
            let hash = aim.dice.bytes(32);
            bytes.extend_from_slice(&hash);
            (*ledger, Tile { width: (tile.width + 1).min(TILE_WIDTH), ..*tile }.path())
        }
        What::Segment { blocks, .. } => {
            // The last block once more, with a row and a footer that say so.
            return Mutation::file(&file.name, Some(with_another_block(&bytes, blocks)));
        }
        _ => return None,
    };
    let beside = layout::resource(aim.map.ledger(ledger), &beside);
    // Appended to the file itself, or put where the file of a tree with one more entry would be.
    if aim.dice.below(2) == 0 && aim.copy.read(&beside).is_err() {
        return Mutation::file(&beside, Some(bytes));
    }
    Mutation::file(&file.name, Some(bytes))
}

/// Appends a well-formed group to the log: a sync marker, or the last records once more.
fn extend_log(aim: &mut Aim<'_>) -> Option<Mutation> {
    let mut files = rechain::load(aim)?;
    let last = files.last_mut()?;
    let again = last.groups.iter().rev().find(|group| !group.parts.is_empty()).cloned();
    last.without_tail();
    last.groups.push(again.filter(|_| aim.dice.below(2) == 0).unwrap_or_else(Owned::marker));
    let (name, bytes) = (layout::wal_file(last_number(aim)?), last.bytes());
    Mutation::file(&name, Some(bytes))
}

pub(super) fn rehash(aim: &mut Aim<'_>) -> Option<Mutation> {
    match aim.dice.below(3) {
        0 => rehash_log(aim),
        _ => rehash_segment(aim),
    }
}

/// Changes a byte of a segment, and every hash in it.
fn rehash_segment(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| matches!(file.what, What::Segment { .. }))?;
    let What::Segment { blocks, .. } = &file.what else { return None };
    let mut bytes = aim.read(file)?;
    let footer = blocks.last()?.to as usize;
    let body = bytes.len() - TRAILER_LEN;
    let at = match aim.dice.below(6) {
        0 => aim.dice.within(8, HEADER_LEN - 33),
        1 => aim.dice.within(footer + 8, body - 1),
        _ => aim.dice.within(HEADER_LEN, footer - 1),
    };
    bytes[at] ^= aim.dice.within(1, 255) as u8;
    let header: [u8; 32] = Sha256::digest(&bytes[..HEADER_LEN - 32]).into();
    bytes[HEADER_LEN - 32..HEADER_LEN].copy_from_slice(&header);
    for (row, Block { from, to, .. }) in blocks.iter().enumerate() {
        if (*from as usize..*to as usize).contains(&at) {
            let hash: [u8; 32] = Sha256::digest(&bytes[*from as usize..*to as usize]).into();
            let row = footer + FOOTER_HEAD + FOOTER_ROW * row + ROW_HASH;
            bytes[row..row + 32].copy_from_slice(&hash);
        }
    }
    seal(&mut bytes);
    Mutation::file(&file.name, Some(bytes))
}

/// Changes a byte of a group, and every hash of the log from there on, the register's too.
fn rehash_log(aim: &mut Aim<'_>) -> Option<Mutation> {
    let mut files = rechain::load(aim)?;
    let number = aim.dice.below(files.len());
    let file = &mut files[number];
    let with: Vec<usize> = (0..file.kept).filter(|at| !file.groups[*at].parts.is_empty()).collect();
    let group = &mut file.groups[*aim.dice.pick(&with)?];
    let part = aim.dice.below(group.parts.len());
    let part = &mut group.parts[part];
    let bytes = match aim.dice.below(3) {
        0 if !part.sealed.is_empty() => &mut part.sealed,
        1 if !part.clear.is_empty() => &mut part.clear,
        _ => &mut part.entries,
    };
    // The version and the kind of an entry are not what is aimed at here.
    let at = aim.dice.below(bytes.len());
    let at = if bytes.len().is_multiple_of(ENTRY_LEN) && at % ENTRY_LEN < 2 { at + 2 } else { at };
    *bytes.get_mut(at)? ^= aim.dice.within(1, 255) as u8;
    Mutation::blaming(rechain::store(aim, files), Vec::new())
}

pub(super) fn truncate_and_continue(aim: &mut Aim<'_>) -> Option<Mutation> {
    let mut files = rechain::load(aim)?;
    let last = files.last_mut()?;
    // Something that a checkpoint covers must go.
    let with = (0..last.kept).rev().find(|at| !last.groups[*at].parts.is_empty())?;
    let cut = aim.dice.below(with + 1);
    let mut forged = last.groups.split_off(cut);
    last.without_tail();
    forged.truncate(aim.dice.within(1, forged.len()));
    for part in forged.iter_mut().flat_map(|group| &mut group.parts) {
        let at = 2 + aim.dice.below(ENTRY_LEN - 2);
        part.entries[at] ^= aim.dice.within(1, 255) as u8;
    }
    forged.retain(|group| !group.parts.is_empty());
    if forged.is_empty() {
        forged.push(Owned::marker());
    }
    last.groups.extend(forged);
    last.kept = last.groups.len();
    let changes = rechain::store(aim, files);
    let ledgers = aim.map.registered.ledgers.iter();
    let others = ledgers.flat_map(|ledger| [layout::checkpoint(&ledger.name), layout::REGISTER.to_owned()]);
    Mutation::blaming(changes, others.collect())
}

fn last_number(aim: &Aim<'_>) -> Option<u64> {
    let number = |file: &File| match file.what {
        What::Wal { number, .. } => Some(number),
        _ => None,
    };
    aim.map.files.iter().filter_map(number).max()
}

fn with_another_block(bytes: &[u8], blocks: &[Block]) -> Vec<u8> {
    let Some(last) = blocks.last() else { return bytes.to_vec() };
    let footer = last.to as usize;
    let body = bytes.len() - TRAILER_LEN;
    let mut out = bytes[..footer].to_vec();
    out.extend_from_slice(&bytes[last.from as usize..last.to as usize]);
    let at = out.len() as u64;
    out.extend_from_slice(&bytes[footer..footer + 8]);
    out.extend_from_slice(&(blocks.len() as u32 + 1).to_be_bytes());
    out.extend_from_slice(&bytes[footer + FOOTER_HEAD..body]);
    let mut row = bytes[body - FOOTER_ROW..body].to_vec();
    row[..8].copy_from_slice(&last.to.to_be_bytes());
    out.extend_from_slice(&row);
    out.extend_from_slice(&at.to_be_bytes());
    out.extend_from_slice(&[0; 32]);
    seal(&mut out);
    out
}

/// Makes the hash at the end of a segment fit.
fn seal(bytes: &mut [u8]) {
    let end = bytes.len() - 32;
    let hash: [u8; 32] = Sha256::digest(&bytes[..end]).into();
    bytes[end..].copy_from_slice(&hash);
}
