use std::io;

use evidence::layout;
use storage::Disk;
use tlog::hash::Hash;
use tlog::proof::{ProofBuildError, TileSource};
use tlog::tile::{TILE_WIDTH, Tile, TileError, decode_tile};

use crate::fault::Fault;

/// A ledger's tiles for one tree: full ones from the disk, partial ones from memory, since narrower ones are not
/// kept.
pub(crate) struct DiskTiles<'a> {
    pub disk: &'a dyn Disk,
    pub name: &'a str,
    /// The partial tiles of the tree.
    pub edge: &'a [(Tile, Vec<Hash>)],
}

impl DiskTiles<'_> {
    /// What it means that a proof could not be built: a disk that fails is not damage.
    pub(crate) fn fault(&self, error: ProofBuildError<io::Error>) -> Fault {
        use io::ErrorKind::{InvalidData, NotFound};
        match error {
            ProofBuildError::Source { error, .. } if !matches!(error.kind(), InvalidData | NotFound) => {
                Fault::Storage { doing: "reading a tile", error }
            }
            error => Fault::damaged(layout::ledger_dir(self.name), error),
        }
    }
}

impl TileSource for DiskTiles<'_> {
    type Error = io::Error;

    fn tile(&self, tile: Tile) -> io::Result<Vec<Hash>> {
        let edge = self.edge.iter().find(|(held, _)| (held.level, held.index) == (tile.level, tile.index));
        let mut hashes = match edge {
            Some((_, hashes)) => hashes.clone(),
            None => {
                let path = layout::resource(self.name, &Tile::full(tile.level, tile.index).path());
                let invalid = |error: TileError| io::Error::new(io::ErrorKind::InvalidData, error);
                decode_tile(&self.disk.read(&path)?, TILE_WIDTH).map_err(invalid)?
            }
        };
        if hashes.len() < usize::from(tile.width) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the tile is narrower than asked for"));
        }
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }
}
