//! What the files of a store are, and where in them things begin and end: what operators aim by, and what a report is
//! held against.

use std::io;

use evidence::layout;
use evidence::register::Registered;
use evidence::segment::{self, Class, Directory};
use evidence::wal::{self, FileHeader};
use record::entry::ENTRY_LEN;
use tlog::{TILE_WIDTH, Tile, decode_bundle, parse_bundle_path};

use crate::copy::{Copy, KEYS};

/// Bytes of an entry in a bundle, its length field included.
pub(crate) const BUNDLED: usize = 2 + ENTRY_LEN;
const WIDTH: u64 = TILE_WIDTH as u64;

/// The files of a store.
pub(crate) struct Map {
    pub registered: Registered,
    pub files: Vec<File>,
}

/// One file.
pub(crate) struct File {
    /// Its name, as reports have it.
    pub name: String,
    pub len: u64,
    pub what: What,
    /// Bytes from here on are covered by nothing yet: a store that was not stopped in order may have any there.
    pub limit: Option<u64>,
}

/// What a file is; ledgers by their place in the register.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    Register,
    Settings,
    Tokens,
    Reserve,
    Lock,
    Wal {
        number: u64,
        groups: Vec<(u64, u64)>,
        kept: u64,
    },
    SetAside,
    Checkpoint(usize),
    Tile(usize, Tile),
    Bundle {
        ledger: usize,
        index: u64,
        width: u16,
    },
    Segment {
        ledger: usize,
        class: Class,
        first: u64,
        end: u64,
        blocks: Vec<Block>,
    },
    Key,
    /// Nothing covers it, so nothing is aimed at it.
    Uncovered,
}

/// A block of a segment: its bytes in the file, and its entries.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Block {
    pub from: u64,
    pub to: u64,
    pub first: u64,
    pub end: u64,
}

/// Where a change begins, in the units that reports speak of.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Touched {
    /// The first byte that differs.
    pub offset: u64,
    /// The entries that this byte belongs to: ledger, first, end.
    pub entries: Option<(String, u64, u64)>,
    /// In a write-ahead file, the group (or head, or rest) that this byte belongs to.
    pub group: Option<(u64, u64)>,
}

impl Map {
    /// Reads a store that is known to be sound.
    pub(crate) fn read(copy: &Copy) -> io::Result<Self> {
        let broken = |why: String| io::Error::new(io::ErrorKind::InvalidData, why);
        let registered = copy.read(layout::REGISTER)?;
        let registered = Registered::parse(&registered).map_err(|error| broken(error.to_string()))?;
        let mut files = Vec::new();
        for (name, len) in copy.files()? {
            let what = classify(copy, &registered, &name)?;
            let limit = limit(&registered, &what);
            files.push(File { name, len, what, limit });
        }
        Ok(Self { registered, files })
    }

    pub(crate) fn find(&self, name: &str) -> Option<&File> {
        self.files.iter().find(|file| file.name == name)
    }

    pub(crate) fn ledger(&self, at: usize) -> &str {
        self.registered.ledgers.get(at).map_or("", |ledger| &ledger.name)
    }
}

impl File {
    /// Whether a change of it must be seen.
    pub(crate) fn is_covered(&self) -> bool {
        self.what != What::Uncovered && self.limit != Some(0)
    }

    /// Where a change of this file begins.
    pub(crate) fn touched(&self, map: &Map, old: &[u8], new: Option<&[u8]>) -> Touched {
        let Some(new) = new else {
            return Touched { entries: self.entries(map, None), ..Touched::default() };
        };
        let differs = old.iter().zip(new).position(|(a, b)| a != b);
        let offset = differs.unwrap_or(old.len().min(new.len())) as u64;
        let group = match &self.what {
            // A file that is whole and another's is told where it stops fitting.
            What::Wal { .. } if offset < wal::HEADER_LEN as u64 && FileHeader::decode(new).is_ok() => None,
            What::Wal { groups, kept, .. } => {
                let ends = std::iter::once((0, wal::HEADER_LEN as u64)).chain(groups.iter().copied());
                let found =
                    ends.filter(|(_, end)| end <= kept).find(|(from, to)| (*from..*to).contains(&offset));
                Some(found.unwrap_or((*kept, u64::MAX)))
            }
            _ => None,
        };
        Touched { offset, entries: self.entries(map, Some(offset)), group }
    }

    /// The entries that the byte at an offset belongs to, or the whole file.
    fn entries(&self, map: &Map, offset: Option<u64>) -> Option<(String, u64, u64)> {
        let (ledger, first, end) = match &self.what {
            What::Bundle { ledger, index, width } => {
                let (first, width) = (index * WIDTH, u64::from(*width));
                match offset.map(|offset| first + (offset / BUNDLED as u64).min(width - 1)) {
                    Some(entry) => (*ledger, entry, entry + 1),
                    None => (*ledger, first, first + width),
                }
            }
            What::Tile(ledger, tile) => {
                let span = WIDTH.pow(u32::from(tile.level));
                let (first, width) = (tile.index * WIDTH, u64::from(tile.width));
                match offset.map(|offset| first + (offset / 32).min(width - 1)) {
                    Some(hash) => (*ledger, hash * span, (hash + 1) * span),
                    None => (*ledger, first * span, (first + width) * span),
                }
            }
            What::Segment { ledger, first, end, blocks, .. } => {
                let block = |offset| blocks.iter().find(|block| (block.from..block.to).contains(&offset));
                match offset.and_then(block) {
                    Some(block) => (*ledger, block.first, block.end),
                    None => (*ledger, *first, *end),
                }
            }
            _ => return None,
        };
        Some((map.ledger(ledger).to_owned(), first, end))
    }
}

fn classify(copy: &Copy, registered: &Registered, name: &str) -> io::Result<What> {
    if name.starts_with(KEYS) {
        return Ok(if name.ends_with(".key") { What::Key } else { What::Uncovered });
    }
    let what = match name {
        layout::REGISTER => What::Register,
        layout::SETTINGS => What::Settings,
        layout::TOKENS => What::Tokens,
        layout::RESERVE => What::Reserve,
        layout::LOCK => What::Lock,
        _ => match name.split_once('/') {
            Some((layout::WAL, file)) => wal_file(copy, registered, name, file)?,
            Some((layout::SET_ASIDE, _)) if registered.stopped => What::SetAside,
            Some((layout::LEDGERS, rest)) => match rest.split_once('/') {
                Some((ledger, inside)) => in_ledger(copy, registered, name, ledger, inside)?,
                None => What::Uncovered,
            },
            _ => What::Uncovered,
        },
    };
    Ok(what)
}

fn wal_file(copy: &Copy, registered: &Registered, name: &str, file: &str) -> io::Result<What> {
    let number = layout::parse_wal_name(file).filter(|number| *number >= registered.wal_floor);
    let Some(number) = number else { return Ok(What::Uncovered) };
    let bytes = copy.read(name)?;
    let next = copy.read(&layout::wal_file(number + 1)).ok();
    let next = next.and_then(|bytes| FileHeader::decode(&bytes).ok()).map(|(header, _)| header.previous);
    Ok(match wal::check(&bytes, number, next.as_ref(), &registered.wal, registered.stopped) {
        Ok((scan, kept)) => {
            let groups = scan.groups.iter().map(|found| (found.offset, found.offset + found.len as u64));
            What::Wal { number, groups: groups.collect(), kept }
        }
        Err(_) => What::Uncovered,
    })
}

fn in_ledger(
    copy: &Copy,
    registered: &Registered,
    name: &str,
    ledger: &str,
    inside: &str,
) -> io::Result<What> {
    let Some(at) = registered.ledgers.iter().position(|state| state.name == ledger) else {
        return Ok(What::Uncovered);
    };
    if inside == "checkpoint" {
        return Ok(What::Checkpoint(at));
    }
    if let Ok((index, width)) = parse_bundle_path(inside) {
        let whole = decode_bundle(&copy.read(name)?).is_ok_and(|entries| entries.len() == usize::from(width));
        return Ok(if whole { What::Bundle { ledger: at, index, width } } else { What::Uncovered });
    }
    if let Ok(tile) = Tile::parse(inside) {
        return Ok(What::Tile(at, tile));
    }
    for class in [Class::Events, Class::Control] {
        let parsed = name
            .strip_prefix(&layout::segment_dir(ledger, class))
            .and_then(|rest| layout::parse_segment_name(class, rest.strip_prefix('/')?));
        let Some((first, end, _)) = parsed.filter(|(_, end, _)| *end <= registered.ledgers[at].sealed) else {
            continue;
        };
        let bytes = copy.read(name)?;
        if let Ok(Directory { blocks, .. }) = segment::check(&bytes) {
            let blocks = blocks.iter().map(|row| Block {
                from: row.offset,
                to: row.offset + u64::from(row.len),
                first: row.first,
                end: row.end,
            });
            return Ok(What::Segment { ledger: at, class, first, end, blocks: blocks.collect() });
        }
    }
    Ok(What::Uncovered)
}

/// Up to where the bytes of a file are covered, if not all are: a store that was not stopped in order may lack, or
/// have more of, what its last checkpoint does not need.
fn limit(registered: &Registered, what: &What) -> Option<u64> {
    if registered.stopped {
        return None;
    }
    let sealed = |ledger: usize| registered.ledgers.get(ledger).map_or(0, |state| state.sealed);
    match what {
        What::Wal { number, .. } if *number == registered.wal.file => Some(registered.wal.offset),
        What::Wal { number, .. } if *number > registered.wal.file => Some(0),
        What::Bundle { ledger, index, .. } if (index + 1) * WIDTH > sealed(*ledger) => Some(0),
        What::Tile(ledger, tile) => {
            let span = WIDTH.pow(u32::from(tile.level) + 1);
            (!tile.is_full() || (tile.index + 1) * span > sealed(*ledger)).then_some(0)
        }
        What::Checkpoint(_) | What::SetAside => Some(0).filter(|_| *what == What::SetAside),
        _ => None,
    }
}
