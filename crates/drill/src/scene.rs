//! Where a drill takes place: a folder of its own with copies of the store, another store, and its rivals.

use std::fs;
use std::path::{Path, PathBuf};

use evidence::layout;
use evidence::verify::Verdict;
use storage::LocalDisk;
use tlog::SigningKey;

use crate::campaign::signing_keys;
use crate::copy::{Copy, bytes_in};
use crate::demo::{self, Demo, Pair};
use crate::map::Map;
use crate::operators::Rival;
use crate::{DrillError, Target};

/// Bytes that must be left on the file system when all copies are made.
pub(crate) const SPARE: u64 = 64 << 20;
/// How often a store that a server is writing is copied again before it is given up.
const COPIES: usize = 5;

/// The copies, and what is known of them.
pub(crate) struct Scene {
    folder: Folder,
    demo: Option<Demo>,
    keys: Option<PathBuf>,
    /// The checkpoint of the first ledger, as somebody would have kept it.
    pub kept: Vec<u8>,
    pub map: Map,
    pub signing: Vec<Option<SigningKey>>,
    pub foreign: Copy,
    pub foreign_map: Map,
}

/// A folder that goes when it is let go of.
pub(crate) struct Folder(PathBuf);

impl Scene {
    /// Copies the store, or makes one.
    pub(crate) fn set(
        target: &Target<'_>,
        work: &Path,
        seed: u64,
        threads: usize,
    ) -> Result<Self, DrillError> {
        let folder = Folder::make(work, seed)?;
        let demo = match target {
            Target::Demo => Some(demo::build(&folder.0, seed)?),
            Target::Store { .. } => None,
        };
        let (data, keys) = match (target, &demo) {
            (Target::Store { data, keys }, _) => (data.to_path_buf(), keys.map(Path::to_path_buf)),
            (Target::Demo, Some(demo)) => (demo.store.data.clone(), Some(demo.store.keys.clone())),
            (Target::Demo, None) => return Err(DrillError::Demo("no store was made".to_owned())),
        };
        let needed = bytes_in(&data)?.saturating_mul(threads as u64 + 1).saturating_add(SPARE);
        let free = LocalDisk::open(&folder.0)?.free_bytes()?;
        if free < needed {
            return Err(DrillError::Room { needed, free });
        }
        let first = sound_copy(&data, keys.as_deref(), &folder.0.join("copy-0"))?;
        let map = Map::read(&first)?;
        let signing = signing_keys(&first, &map);
        let kept = first.read(&layout::checkpoint(map.ledger(0))).unwrap_or_default();
        let pair = demo::foreign(&folder.0, seed)?;
        let foreign = Copy::take(&pair.data, Some(&pair.keys))?;
        let foreign_map = Map::read(&foreign)?;
        Ok(Self { folder, demo, keys, kept, map, signing, foreign, foreign_map })
    }

    /// The copy of one thread; all are made of the first, which is sound.
    pub(crate) fn copy(&self, thread: usize) -> Result<Copy, DrillError> {
        let first = self.folder.0.join("copy-0");
        Ok(match thread {
            0 => Copy::take(&first, self.keys.as_deref())?,
            _ => Copy::make(&first, self.keys.as_deref(), &self.folder.0.join(format!("copy-{thread}")))?,
        })
    }

    pub(crate) fn rival(&self, rival: Rival) -> Option<&Pair> {
        let demo = self.demo.as_ref()?;
        Some(match rival {
            Rival::Older => &demo.older,
            Rival::Continued => &demo.continued,
            Rival::Rewritten => &demo.rewritten,
        })
    }
}

/// Copies a store until the copy is sound: a server may be writing it.
pub(crate) fn sound_copy(data: &Path, keys: Option<&Path>, to: &Path) -> Result<Copy, DrillError> {
    let mut said = Vec::new();
    for _ in 0..COPIES {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        let copy = Copy::make(data, keys, to)?;
        let report = copy.verify();
        if report.verdict() == Verdict::Proven {
            return Ok(copy);
        }
        said = report.damage.iter().map(ToString::to_string).chain(report.undecided).collect();
    }
    Err(DrillError::Unsound(said))
}

impl Folder {
    pub(crate) fn make(work: &Path, seed: u64) -> Result<Self, DrillError> {
        let path = work.join(format!("ledgerstone-drill-{}-{seed:x}", std::process::id()));
        fs::create_dir_all(work)?;
        fs::create_dir(&path)?;
        Ok(Self(path))
    }
}

impl Folder {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Nobody is left to tell; the folder is in the place for what may be thrown away.
        drop(fs::remove_dir_all(&self.0));
    }
}
