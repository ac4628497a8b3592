//! A copy of a log as plain files under their C2SP paths, which any web server can serve.

use std::io;

use storage::Disk;
use tlog::{UnverifiedCheckpoint, VerifierKey, full_tiles, parse_bundle_path};

use crate::source::{DiskSource, FetchError, Source};
use crate::tree::Tree;
use crate::walk::{Walked, walk};

const CHECKPOINT: &str = "checkpoint";
/// The newest checkpoint that witnesses have cosigned, in logs and in their mirrors.
pub const WITNESSED: &str = "checkpoint.witnessed";

/// A copy of a log. Its checkpoint is replaced last: what it covers is there, checked and durable.
pub struct Mirror<'d> {
    disk: &'d dyn Disk,
    name: String,
}

impl<'d> Mirror<'d> {
    /// The copy in `disk`, which is called `name` in messages; an empty directory is a copy of nothing yet.
    pub fn new(disk: &'d dyn Disk, name: impl Into<String>) -> Mirror<'d> {
        Mirror { disk, name: name.into() }
    }

    /// What is there, to be read as any log.
    pub fn source(&self) -> DiskSource<'d> {
        DiskSource::new(self.disk, self.name.clone())
    }

    /// The checkpoint that was copied last; `None` if there is none or it is not by `keys`.
    ///
    /// # Errors
    /// The directory can't be read.
    pub fn checkpoint(
        &self,
        origin: &str,
        keys: &[VerifierKey],
    ) -> Result<Option<tlog::Checkpoint>, FetchError> {
        let bytes = self.source().get(CHECKPOINT, tlog::note::MAX_NOTE_LEN as u64)?;
        let verified = bytes.and_then(|bytes| {
            UnverifiedCheckpoint::parse_with_extensions(&bytes).ok()?.verify(origin, keys, &[]).ok()
        });
        Ok(verified.map(|verified| verified.checkpoint().clone()))
    }

    /// Copies what `tree` has beyond the first `from` entries, then makes `note` the checkpoint. If something is bad,
    /// all else is copied and the checkpoint stays as it was. Can be broken off at any point and begun again.
    ///
    /// # Errors
    /// Something can't be had or written.
    pub fn sync(
        &self,
        tree: &Tree<'_>,
        from: u64,
        note: &[u8],
        progress: &(dyn Fn(u64) + Sync),
    ) -> Result<Walked, FetchError> {
        let keep = |path: &str, bytes: &[u8]| {
            // What a broken-off run has left is as good, if it is the same.
            if self.disk.len(path).ok().flatten() == Some(bytes.len() as u64)
                && self.disk.read(path).is_ok_and(|there| there == bytes)
            {
                return Ok(());
            }
            self.disk.write(path, bytes).map_err(|error| failed(path, &error))
        };
        if from == tree.size() && from > 0 {
            // Nothing but cosignatures can be new.
            let there = self.source().get(CHECKPOINT, note.len() as u64);
            if there != Ok(Some(note.to_vec())) {
                storage::replace(self.disk, CHECKPOINT, note).map_err(|error| failed(CHECKPOINT, &error))?;
            }
            return Ok(Walked::default());
        }
        let walked = walk(tree, from, &keep, progress)?;
        if walked.bad.is_empty() {
            self.disk.sync_all().map_err(|error| failed("tile", &error))?;
            storage::replace(self.disk, CHECKPOINT, note).map_err(|error| failed(CHECKPOINT, &error))?;
            self.drop_partials(from, tree.size()).map_err(|error| failed("tile", &error))?;
        }
        Ok(walked)
    }

    /// Keeps what witnesses have cosigned of `tree` beside its checkpoint, if the log shows it apart: with the signatures by
    /// `keys` and `witnesses` and no others. What does not verify or is of another tree is not kept.
    ///
    /// # Errors
    /// It can't be had or written.
    pub fn keep_witnessed(
        &self,
        log: &dyn Source,
        tree: &Tree<'_>,
        origin: &str,
        keys: &[VerifierKey],
        witnesses: &[VerifierKey],
    ) -> Result<(), FetchError> {
        let Some(note) = log.get(WITNESSED, tlog::note::MAX_NOTE_LEN as u64)? else { return Ok(()) };
        let note = UnverifiedCheckpoint::parse_with_extensions(&note).ok();
        let Some(witnessed) = note.and_then(|note| note.verify(origin, keys, witnesses).ok()) else {
            return Ok(());
        };
        let checkpoint = witnessed.checkpoint();
        let fits = checkpoint.size <= tree.size()
            && tree.root_at(checkpoint.size).is_ok_and(|root| root == checkpoint.root);
        let note = witnessed.note().to_string();
        if !fits || self.source().get(WITNESSED, note.len() as u64) == Ok(Some(note.clone().into_bytes())) {
            return Ok(());
        }
        storage::replace(self.disk, WITNESSED, note.as_bytes()).map_err(|error| failed(WITNESSED, &error))
    }

    /// Removes the partial tiles and bundles whose full one is there now (C2SP tlog-tiles, "Partial Tiles").
    fn drop_partials(&self, from: u64, size: u64) -> io::Result<()> {
        for level in 0..8 {
            let index = full_tiles(level, from);
            if index >= full_tiles(level, size) {
                continue;
            }
            self.drop_dir(&format!("{}.p", tlog::Tile::full(level, index).path()))?;
            if level == 0 {
                self.drop_dir(&format!("{}.p", tlog::bundle_path(index, tlog::TILE_WIDTH)))?;
            }
        }
        Ok(())
    }

    fn drop_dir(&self, dir: &str) -> io::Result<()> {
        for entry in self.disk.list(dir)? {
            let path = format!("{dir}/{}", entry.name);
            // Only what we could have put there.
            if tlog::Tile::parse(&path).is_ok() || parse_bundle_path(&path).is_ok() {
                self.disk.remove(&path)?;
            }
        }
        self.disk.remove_dir(dir)
    }
}

fn failed(path: &str, error: &io::Error) -> FetchError {
    FetchError::File { path: path.to_owned(), why: error.to_string() }
}
