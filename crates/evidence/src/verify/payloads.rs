//! Payloads against entries: every block of every segment, and every part of the write-ahead log.

use std::collections::BTreeMap;
use std::sync::Arc;

use record::control::{Control, ControlError, Cut, Genesis, KeyChange, Refusal, Sealed, Timestamp};
use record::entry::{ENTRY_LEN, Entry};
use record::facet::Facet;
use record::stored;
use sha2::{Digest, Sha256};
use tlog::tile::{TILE_WIDTH, bundle_path, decode_bundle};

use super::medium::{Medium, parallel};
use super::report::{Damage, DamageKind};
use super::tree::missing;
use crate::block::Unpacked;
use crate::keys::WrappedKey;
use crate::layout;
use crate::seal::{FileType, Key, Place, Sealer};
use crate::segment::{self, BlockError, Class, Directory};
use crate::wal::{Found, Part};

/// The keys that open payloads.
pub(crate) struct Keys {
    /// The data keys by id; `None` where a file is damaged or the wrapping key does not open it.
    pub data: BTreeMap<[u8; 16], Arc<Sealer>>,
}

impl Keys {
    /// Reads the key directory. Broken files are damage; no wrapping key means that nothing can be opened.
    pub(crate) fn read(
        keys: &dyn Medium,
        damage: &mut Vec<Damage>,
        undecided: &mut Vec<String>,
    ) -> Option<Self> {
        let file = |path: &str| format!("keys:{path}");
        let wrapping: Key = match keys.read(layout::keys::WRAPPING) {
            Err(error) => {
                undecided.push(format!("the wrapping key cannot be read: {error}"));
                return None;
            }
            Ok(bytes) => match crate::keys::parse_wrapping(&bytes) {
                Ok(key) => key,
                Err(error) => {
                    damage.push(Damage::new(DamageKind::Format, file(layout::keys::WRAPPING), error));
                    return None;
                }
            },
        };
        let mut data = BTreeMap::new();
        for (name, ..) in keys.list(layout::keys::DATA).unwrap_or_default() {
            if name.ends_with(".tmp") {
                // Was being written when the server was cut off, or is right now; nothing is encrypted under it.
                continue;
            }
            let path = format!("{}/{name}", layout::keys::DATA);
            let broken = |detail: String| Damage::new(DamageKind::Format, file(&path), detail);
            let parsed = keys.read(&path).map_err(|error| error.to_string());
            let parsed =
                parsed.and_then(|bytes| WrappedKey::parse(&bytes).map_err(|error| error.to_string()));
            match parsed {
                Err(detail) => damage.push(broken(detail)),
                Ok(wrapped) if layout::keys::data(&wrapped.id) != path => {
                    damage.push(broken("the file holds another key than its name says".to_owned()));
                }
                Ok(wrapped) => match wrapped.unwrap(&wrapping) {
                    Some(key) => drop(data.insert(wrapped.id, Arc::new(key.sealer()))),
                    None => damage.push(broken("the wrapping key does not open this data key".to_owned())),
                },
            }
        }
        Some(Self { data })
    }
}

/// What the ledger's own records say that must hold elsewhere.
#[derive(Default)]
pub(crate) struct Claims {
    pub genesis: Option<Genesis>,
    pub sealed: Vec<Sealed>,
    pub cuts: Vec<Cut>,
    /// By index.
    pub timestamps: Vec<(u64, Timestamp)>,
    /// Notes that witnesses showed against the ledger, by index.
    pub shown: Vec<(u64, String)>,
    /// By index.
    pub keys: Vec<(u64, KeyChange)>,
}

impl Claims {
    fn note(&mut self, index: u64, entry: &Entry, what: &[u8]) -> Result<(), String> {
        if !entry.kind.is_control() {
            return Ok(());
        }
        match Control::parse(entry.kind, what) {
            Ok(Control::Genesis(genesis)) if index == 0 => self.genesis = Some(genesis),
            Ok(Control::Genesis(_)) => return Err("a genesis record is not the first entry".to_owned()),
            Ok(Control::Sealed(sealed)) => self.sealed.push(sealed),
            Ok(Control::Cut(cut)) => self.cuts.push(cut),
            Ok(Control::Timestamp(stamp)) => self.timestamps.push((index, stamp)),
            Ok(Control::Refusal(Refusal { note: Some(note), .. })) => self.shown.push((index, note)),
            Ok(Control::Key(change)) => self.keys.push((index, change)),
            // A payload of a later version is what its entry commits to; what it means is not for this check.
            Ok(_) | Err(ControlError::Unknown) => {}
            Err(error) => return Err(error.to_string()),
        }
        Ok(())
    }

    fn join(&mut self, other: Self) {
        self.genesis = self.genesis.take().or(other.genesis);
        self.sealed.extend(other.sealed);
        self.cuts.extend(other.cuts);
        self.timestamps.extend(other.timestamps);
        self.shown.extend(other.shown);
        self.keys.extend(other.keys);
    }
}

/// What was found in the payloads of one ledger.
#[derive(Default)]
pub(crate) struct PayloadResult {
    pub claims: Claims,
    pub checked: u64,
    /// How many of them lie in segments.
    pub in_segments: u64,
    /// How many records the footers of the segments name, opened or not.
    pub named: u64,
    pub damage: Vec<Damage>,
    pub undecided: Vec<String>,
}

impl PayloadResult {
    pub(crate) fn join(&mut self, other: Self) {
        self.claims.join(other.claims);
        self.checked += other.checked;
        self.in_segments += other.in_segments;
        self.named += other.named;
        self.damage.extend(other.damage);
        self.undecided.extend(other.undecided);
    }

    /// Checks the records of a block against their entries and takes note of what control records say. An entry of an
    /// unknown version or kind is not looked into: the check of the tree tells that nobody can.
    fn block<'e>(
        &mut self,
        block: &Unpacked,
        ledger: &Ledger<'_>,
        file: &str,
        offset: u64,
        entry: impl Fn(u64) -> Option<&'e [u8]>,
    ) {
        for record in block.records() {
            let (index, damage) = (record.index, |kind, detail: String| {
                Damage::new(kind, file, detail).at(offset).of(ledger.name, record.index, record.index + 1)
            });
            let Some(entry) = entry(index) else {
                self.damage.push(damage(DamageKind::Contradiction, "a record has no entry".to_owned()));
                continue;
            };
            let Ok(entry) = Entry::decode(entry) else { continue };
            let checked =
                stored::check(&entry, ledger.id, &record.opening, &record.facets).map_err(|e| e.to_string());
            let what = record.facets[Facet::What as usize];
            // No record of this version erases anything, so nothing may be absent (DESIGN I13).
            let whole = Facet::ALL.into_iter().all(|facet| record.opening.has(facet));
            let checked = checked.and_then(|()| match whole {
                true => Ok(()),
                false => Err("a facet is absent and no record says that it was erased".to_owned()),
            });
            match checked.and_then(|()| self.claims.note(index, &entry, what)) {
                Ok(()) => self.checked += 1,
                Err(detail) => {
                    let first_bad_ms = Some(entry.received_ms);
                    self.damage.push(Damage { first_bad_ms, ..damage(DamageKind::Payload, detail) });
                }
            }
        }
    }
}

/// Name and id of a ledger.
pub(crate) struct Ledger<'a> {
    pub name: &'a str,
    pub id: &'a [u8; 32],
}

/// A segment file whose frame is good.
struct Whole {
    path: String,
    class: Class,
    directory: Directory,
    bytes: u64,
    sha256: [u8; 32],
}

/// Checks every segment of a ledger up to `sealed`.
pub(crate) fn check_segments(
    medium: &dyn Medium,
    ledger: &Ledger<'_>,
    sealed: u64,
    stopped: bool,
    keys: Option<&Keys>,
    threads: usize,
) -> (PayloadResult, Vec<(String, u64, [u8; 32])>) {
    let mut result = PayloadResult::default();
    let mut files = Vec::new();
    for class in [Class::Events, Class::Control] {
        let dir = layout::segment_dir(ledger.name, class);
        for (name, ..) in medium.list(&dir).unwrap_or_default() {
            match layout::parse_segment_name(class, &name) {
                Some((first, end, generation)) if end <= sealed => {
                    files.push((class, first, end, generation))
                }
                // Sealed after the register was read, or about to be; the next check sees it.
                Some(_) if !stopped => {}
                None if name.ends_with(".tmp") => {}
                _ => {
                    let damage = Damage::new(
                        DamageKind::Unexpected,
                        format!("{dir}/{name}"),
                        "not a segment that the register knows",
                    );
                    result.damage.push(damage);
                }
            }
        }
    }
    let whole = parallel(files.len(), threads, |at| check_frame(medium, ledger, files[at]));
    let (whole, broken): (Vec<_>, Vec<_>) = whole.into_iter().partition(Result::is_ok);
    result.damage.extend(broken.into_iter().filter_map(Result::err).map(|damage| *damage));
    let mut whole: Vec<Whole> = whole.into_iter().filter_map(Result::ok).collect();
    whole.sort_by_key(|segment| (segment.class, segment.directory.header.first));
    result.damage.extend(whole.windows(2).filter_map(|pair| overlap(ledger, &pair[0], &pair[1])));
    let blocks: Vec<(usize, usize)> = whole
        .iter()
        .enumerate()
        .flat_map(|(file, segment)| (0..segment.directory.blocks.len()).map(move |at| (file, at)))
        .collect();
    for part in parallel(blocks.len(), threads, |at| {
        let (file, block) = blocks[at];
        check_block(medium, ledger, &whole[file], block, keys)
    }) {
        result.join(part);
    }
    result.in_segments = result.checked;
    let rows = whole.iter().flat_map(|segment| &segment.directory.blocks);
    result.named = rows.map(|row| u64::from(row.count)).sum();
    let found = whole.into_iter().map(|whole| (whole.path, whole.bytes, whole.sha256)).collect();
    (result, found)
}

/// Damage if a segment holds entries of the one before it as well. A record that is there twice would make up for one that
/// is missing.
fn overlap(ledger: &Ledger<'_>, before: &Whole, segment: &Whole) -> Option<Damage> {
    let (before, header) = (&before.directory.header, &segment.directory.header);
    (before.class == header.class && header.first < before.end).then(|| {
        let path = layout::resource(ledger.name, &segment.path);
        let detail = "another segment holds entries of the same range";
        Damage::new(DamageKind::Contradiction, path, detail).of(ledger.name, header.first, header.end)
    })
}

fn check_frame(
    medium: &dyn Medium,
    ledger: &Ledger<'_>,
    (class, first, end, generation): (Class, u64, u64, u32),
) -> Result<Whole, Box<Damage>> {
    let file = layout::segment_file(class, first, end, generation);
    let path = layout::resource(ledger.name, &file);
    let bytes =
        medium.read(&path).map_err(|error| Box::new(missing(&path, &error).of(ledger.name, first, end)))?;
    let directory = segment::check(&bytes).map_err(|error| {
        let (first, end) = segment::entries_at(&bytes, error.offset).unwrap_or((first, end));
        let damage = Damage::new(DamageKind::Format, &path, error.reason).at(error.offset);
        Box::new(damage.of(ledger.name, first, end))
    })?;
    let header = &directory.header;
    if (header.class, header.first, header.end, header.generation) != (class, first, end, generation)
        || header.ledger != *ledger.id
    {
        let damage =
            Damage::new(DamageKind::Contradiction, &path, "the header is of another segment than the name");
        return Err(Box::new(damage.of(ledger.name, first, end)));
    }
    let sha256 = Sha256::digest(&bytes).into();
    Ok(Whole { path: file, class, directory, bytes: bytes.len() as u64, sha256 })
}

fn check_block(
    medium: &dyn Medium,
    ledger: &Ledger<'_>,
    segment: &Whole,
    at: usize,
    keys: Option<&Keys>,
) -> PayloadResult {
    let mut result = PayloadResult::default();
    let row = &segment.directory.blocks[at];
    let path = layout::resource(ledger.name, &segment.path);
    let damage = |kind, detail: &str| {
        Damage::new(kind, &path, detail).at(row.offset).of(ledger.name, row.first, row.end)
    };
    let sealer = match (segment.class, keys) {
        (Class::Control, _) => None,
        (Class::Events, None) => return result,
        (Class::Events, Some(keys)) => match keys.data.get(&segment.directory.header.key_id) {
            Some(sealer) => Some(sealer.as_ref()),
            None => {
                if at == 0 {
                    result
                        .undecided
                        .push(format!("the data key of {path} is missing: its payloads were not opened"));
                }
                return result;
            }
        },
    };
    let bytes = match medium.read_at(&path, row.offset, row.len as usize) {
        Ok(bytes) => bytes,
        Err(error) => {
            result.damage.push(missing(&path, &error));
            return result;
        }
    };
    let block = match segment.directory.open_block(at, &bytes, sealer) {
        Ok(block) => block,
        Err(BlockError::Damaged(reason)) => {
            result.damage.push(damage(DamageKind::Format, reason));
            return result;
        }
        Err(BlockError::NotAuthentic | BlockError::NoKey) => {
            result.damage.push(damage(DamageKind::Payload, "the block does not open with its key"));
            return result;
        }
    };
    let width = u64::from(TILE_WIDTH);
    let mut bundles = BTreeMap::new();
    for index in row.first / width..=(row.end - 1) / width {
        let path = layout::resource(ledger.name, &bundle_path(index, TILE_WIDTH));
        // A bundle that cannot be read is told by the check of the tree.
        let Ok(bundle) = medium.read(&path) else { continue };
        if let Ok(entries) = decode_bundle(&bundle) {
            bundles.insert(index, entries.concat());
        }
    }
    let entry = |index: u64| {
        let at = (index % width) as usize * ENTRY_LEN;
        bundles.get(&(index / width))?.get(at..at + ENTRY_LEN)
    };
    result.block(&block, ledger, &path, row.offset, entry);
    let misplaced = |entry: Entry| entry.kind.is_control() != (segment.class == Class::Control);
    if let Some(index) = first_of(&block, entry, misplaced) {
        let detail = "the record belongs into a segment of the other class";
        result.damage.push(Damage::new(DamageKind::Contradiction, &path, detail).of(
            ledger.name,
            index,
            index + 1,
        ));
    }
    result
}

/// Index of the first record of a block with such an entry.
fn first_of<'e>(
    block: &Unpacked,
    entry: impl Fn(u64) -> Option<&'e [u8]>,
    such: impl Fn(Entry) -> bool,
) -> Option<u64> {
    let of = |index: u64| entry(index).and_then(|entry| Entry::decode(entry).ok());
    block.records().map(|record| record.index).find(|index| of(*index).is_some_and(&such))
}

/// Checks the payloads of one part of a write-ahead group against its entries. Without a sealer only those in clear.
pub fn check_part(number: u64, found: &Found<'_>, part: &Part<'_>, sealer: Option<&Sealer>) -> Vec<Damage> {
    check_log_part(&Ledger { name: "", id: &part.ledger }, number, found, part, sealer).damage
}

/// Checks the payloads of one part of a write-ahead group and takes note of what its control records say.
pub(crate) fn check_log_part(
    ledger: &Ledger<'_>,
    number: u64,
    found: &Found<'_>,
    part: &Part<'_>,
    sealer: Option<&Sealer>,
) -> PayloadResult {
    let mut result = PayloadResult::default();
    let path = layout::wal_file(number);
    let damage = |kind, detail: &str| {
        Damage::new(kind, &path, detail).at(found.offset).of(ledger.name, part.first, part.end())
    };
    let entry = |index: u64| {
        let at = usize::try_from(index.checked_sub(part.first)?).ok()? * ENTRY_LEN;
        part.entries.get(at..at + ENTRY_LEN)
    };
    let mut blocks = Vec::new();
    if !part.clear.is_empty() {
        blocks.push((true, Unpacked::unpack(part.clear)));
    }
    if let (false, Some(sealer)) = (part.sealed.is_empty(), sealer) {
        let place = Place {
            ledger: part.ledger,
            file_type: FileType::Wal,
            file: number,
            generation: 0,
            block: found.group.number,
            first: part.first,
            count: part.count() as u32,
            last: false,
        };
        match sealer.open(&place.aad(), part.sealed) {
            Ok(packed) => blocks.push((false, Unpacked::unpack(&packed))),
            Err(_) => result.damage.push(damage(DamageKind::Payload, "the block does not open with its key")),
        }
    }
    let (mut in_clear, mut held) = (0, 0);
    for (clear, block) in blocks {
        match block {
            Ok(block) => {
                held += block.len() as u64;
                in_clear += if clear { block.len() as u64 } else { 0 };
                let misplaced = |entry: Entry| entry.kind.is_control() != clear;
                if first_of(&block, entry, misplaced).is_some() {
                    let detail = "an event lies in clear, or a control record encrypted";
                    result.damage.push(damage(DamageKind::Contradiction, detail));
                }
                result.block(&block, ledger, &path, found.offset, entry);
            }
            Err(error) => result.damage.push(damage(DamageKind::Format, error.reason)),
        }
    }
    // What is in clear is counted without keys too. Where an entry is of an unknown kind nobody can say how many are due.
    let entries = part.entries.chunks_exact(ENTRY_LEN).map(Entry::decode);
    let control = entries.map(|entry| Some(u64::from(entry.ok()?.kind.is_control()))).sum::<Option<u64>>();
    let whole = sealer.is_some() || part.sealed.is_empty();
    let lacking = control.is_some_and(|due| due != in_clear) || (whole && held != part.count());
    if lacking && result.damage.is_empty() {
        let detail = "the group does not hold a payload for each entry";
        result.damage.push(damage(DamageKind::Contradiction, detail));
    }
    result
}
