use std::collections::BTreeMap;
use std::sync::Arc;

use evidence::layout;
use evidence::register::LedgerState;
use evidence::segment::{self, Class};
use record::entry::ENTRY_LEN;
use sha2::{Digest, Sha256};
use storage::Disk;
use tlog::tile::{TILE_WIDTH, bundle_path};

use super::keys::{Keys, names};
use super::{Stored, Violation, broken, read};

/// All segments of a ledger.
pub(super) struct Segments {
    /// Records by index.
    pub records: BTreeMap<u64, Arc<Stored>>,
    /// Length and hash by the name that `sealed` records use.
    pub files: BTreeMap<String, (u64, [u8; 32])>,
}

/// Reads every segment, and refuses one beyond what the register calls sealed.
pub(super) fn read_segments(
    data: &dyn Disk,
    keys: &Keys,
    state: &LedgerState,
) -> Result<Segments, Violation> {
    let mut segments = Segments { records: BTreeMap::new(), files: BTreeMap::new() };
    for class in [Class::Events, Class::Control] {
        let dir = layout::segment_dir(&state.name, class);
        for name in names(data, &dir)? {
            let path = format!("{dir}/{name}");
            let Some((first, end, generation)) = layout::parse_segment_name(class, &name) else {
                return broken(path, "not the name of a segment");
            };
            if end > state.sealed {
                return broken(path, "a segment beyond what the register calls sealed");
            }
            let bytes = read(data, &path)?;
            let directory = segment::check(&bytes).or_else(|error| broken(&path, error))?;
            let header = &directory.header;
            let named = (state.id, class, generation, first, end);
            if (header.ledger, header.class, header.generation, header.first, header.end) != named {
                return broken(path, "the header says something else than the name");
            }
            let key = match class {
                Class::Events => Some(keys.data(&header.key_id, &path)?),
                Class::Control => None,
            };
            for (at, row) in directory.blocks.iter().enumerate() {
                let block = &bytes[row.offset as usize..][..row.len as usize];
                let Ok(block) = directory.open_block(at, block, key) else {
                    return broken(path, format!("block {at} does not open"));
                };
                for record in block.records() {
                    let facets = record.facets.map(<[u8]>::to_vec);
                    let stored = Arc::new(Stored { opening: record.opening, facets });
                    if !(first..end).contains(&record.index) {
                        return broken(path, format!("record {} is out of its range", record.index));
                    }
                    if segments.records.insert(record.index, stored).is_some() {
                        return broken(path, format!("record {} is in two segments", record.index));
                    }
                }
            }
            let file = layout::segment_file(class, first, end, generation);
            segments.files.insert(file, (bytes.len() as u64, Sha256::digest(&bytes).into()));
        }
    }
    Ok(segments)
}

/// The entries that are sealed, from their bundles.
pub(super) fn sealed_entries(
    data: &dyn Disk,
    state: &LedgerState,
) -> Result<Vec<[u8; ENTRY_LEN]>, Violation> {
    let mut entries = Vec::new();
    for index in 0..state.sealed / u64::from(TILE_WIDTH) {
        let path = layout::resource(&state.name, &bundle_path(index, TILE_WIDTH));
        let bytes = read(data, &path)?;
        // Each entry stands behind its length, two bytes.
        if bytes.len() != usize::from(TILE_WIDTH) * (2 + ENTRY_LEN) {
            return broken(path, format!("{} bytes", bytes.len()));
        }
        for entry in bytes.chunks_exact(2 + ENTRY_LEN) {
            if entry[..2] != (ENTRY_LEN as u16).to_be_bytes() {
                return broken(path, "an entry of another length");
            }
            let mut array = [0; ENTRY_LEN];
            array.copy_from_slice(&entry[2..]);
            entries.push(array);
        }
    }
    Ok(entries)
}
