//! Whole files removed, copied, or put in one another's place.

use evidence::layout;
use evidence::segment::Class;
use tlog::Tile;

use super::{Aim, Mutation};
use crate::copy::Changes;
use crate::map::What;

pub(super) fn drop_segment(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| matches!(file.what, What::Segment { .. }))?;
    Mutation::file(&file.name, None)
}

pub(super) fn drop_tile(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| matches!(file.what, What::Tile(..)))?;
    Mutation::file(&file.name, None)
}

pub(super) fn drop_file(aim: &mut Aim<'_>) -> Option<Mutation> {
    let registered = &aim.map.registered;
    // A store that was cut off before its first publication has no checkpoint; before sealing nobody can tell.
    let published = |ledger: usize| registered.stopped || registered.ledgers[ledger].sealed > 0;
    let file = aim.file(|file| match file.what {
        What::Register | What::Wal { .. } | What::SetAside | What::Bundle { .. } => true,
        What::Checkpoint(ledger) => published(ledger),
        What::Settings => registered.settings.is_some(),
        _ => false,
    })?;
    Mutation::file(&file.name, None)
}

/// Removes every segment of a ledger from some index on.
pub(super) fn truncate_segments(aim: &mut Aim<'_>) -> Option<Mutation> {
    let What::Segment { ledger: at, first: from, .. } =
        aim.file(|file| matches!(file.what, What::Segment { .. }))?.what
    else {
        return None;
    };
    let later = aim.map.files.iter().filter(
        |file| matches!(&file.what, What::Segment { ledger, first, .. } if *ledger == at && *first >= from),
    );
    Mutation::of(later.map(|file| (file.name.clone(), None)).collect())
}

/// Puts two files of one kind in each other's place, segments for the most part.
pub(super) fn swap_files(aim: &mut Aim<'_>) -> Option<Mutation> {
    let segments = aim.dice.below(3) > 0;
    let one = aim.file(|file| match file.what {
        What::Segment { .. } => segments,
        What::Wal { .. } | What::Bundle { .. } | What::Tile(..) | What::Checkpoint(_) => !segments,
        _ => false,
    })?;
    let kind = std::mem::discriminant(&one.what);
    let other = aim.file(|file| std::mem::discriminant(&file.what) == kind && file.name != one.name)?;
    let (first, second) = (aim.read(one)?, aim.read(other)?);
    Mutation::of(Changes::from([(one.name.clone(), Some(second)), (other.name.clone(), Some(first))]))
}

/// Puts a copy of a segment, or of a file of the log or tree, where there was none.
pub(super) fn duplicate_segment(aim: &mut Aim<'_>) -> Option<Mutation> {
    let stopped = aim.map.registered.stopped;
    let file = aim.file(|file| match file.what {
        What::Segment { .. } => true,
        What::Wal { .. } | What::Bundle { .. } | What::Tile(..) => stopped,
        _ => false,
    })?;
    let bytes = aim.read(file)?;
    let name = match &file.what {
        What::Segment { ledger, class, first, end, .. } => {
            let path = match aim.dice.below(3) {
                0 => layout::segment_file(*class, *first, *end, 1),
                1 if stopped => layout::segment_file(*class, *end, 2 * end - first, 0),
                1 | 2 if end - first > 256 => layout::segment_file(*class, first + 256, *end, 0),
                _ => layout::segment_file(other(*class), *first, *end, 2),
            };
            layout::resource(aim.map.ledger(*ledger), &path)
        }
        What::Wal { .. } => {
            let last = aim.map.files.iter().filter_map(|file| match file.what {
                What::Wal { number, .. } => Some(number),
                _ => None,
            });
            layout::wal_file(last.max()? + 1)
        }
        What::Bundle { ledger, index, width } => {
            let index = index + aim.dice.within(1, 9) as u64;
            layout::resource(aim.map.ledger(*ledger), &tlog::bundle_path(index, *width))
        }
        What::Tile(ledger, tile) => {
            let tile = Tile { index: tile.index + aim.dice.within(1, 9) as u64, ..*tile };
            layout::resource(aim.map.ledger(*ledger), &tile.path())
        }
        _ => return None,
    };
    if aim.copy.read(&name).is_ok() {
        return None;
    }
    Mutation::file(&name, Some(bytes))
}

fn other(class: Class) -> Class {
    match class {
        Class::Events => Class::Control,
        Class::Control => Class::Events,
    }
}
