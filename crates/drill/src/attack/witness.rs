//! Witnesses as C2SP tlog-witness has them, in memory, honest or in the hands of the attacker.

use evidence::layout;
use evidence::verify::Medium;
use tlog::{
    Checkpoint, CosigningKey, Hash, Note, Policy, Tile, TileSource, UnverifiedCheckpoint, VerifiedCheckpoint,
    VerifierKey, consistency_proof, decode_tile, empty_root, full_tiles, partial_width, verify_consistency,
};

use super::site::Site;
use crate::DrillError;
use crate::claims::Attacker;

/// The owner's own witness comes first, then three foreign ones.
pub(super) const COUNT: usize = 4;

/// One witness.
#[derive(Clone)]
pub(super) struct Witness {
    seed: [u8; 32],
    name: String,
    /// The key of the log, once it was told; it knows no other.
    log: VerifierKey,
    /// Size and root that it has cosigned, and what it shows.
    last: Option<(u64, Hash, String)>,
    /// Whether the attacker has its key and its state.
    pub lies: bool,
}

/// All of them, for one log.
#[derive(Clone)]
pub(super) struct Witnesses(pub Vec<Witness>);

impl Witnesses {
    pub(super) fn new(seed: u64, log: &VerifierKey) -> Self {
        let witness = |at: usize| {
            let mut bytes = [at as u8; 32];
            bytes[..8].copy_from_slice(&seed.to_be_bytes());
            Witness {
                seed: bytes,
                name: format!("w.example/{at}"),
                log: log.clone(),
                last: None,
                lies: false,
            }
        };
        Self((0..COUNT).map(witness).collect())
    }

    /// Those that this attacker has are his.
    pub(super) fn in_the_hands_of(mut self, attacker: Attacker) -> Self {
        let held = match attacker {
            Attacker::NoKey | Attacker::Key => 0,
            Attacker::OwnWitness => 1,
            Attacker::Minority => 2,
            Attacker::Quorum => 3,
            Attacker::AllWitnesses => COUNT,
        };
        self.0.iter_mut().take(held).for_each(|witness| witness.lies = true);
        self
    }

    /// The policy of the own witness, and that of two of the three foreign ones.
    pub(super) fn policies(&self) -> Result<(Policy, Policy), DrillError> {
        let line = |witness: &Witness| -> Result<String, DrillError> {
            Ok(format!("witness {} {}\n", short(&witness.name), witness.key()?.verifying_key()))
        };
        let lines = self.0.iter().map(line).collect::<Result<Vec<_>, _>>()?;
        let log = format!("log {}\n", self.0[0].log);
        let parse = |text: &str| Policy::parse(text).map_err(|error| DrillError::Demo(error.to_string()));
        let own = parse(&format!("{log}{}quorum w0\n", lines[0]))?;
        let foreign = lines[1..].concat();
        Ok((own, parse(&format!("{log}{foreign}group two 2 w1 w2 w3\nquorum two\n"))?))
    }

    /// Asks each to cosign the newest checkpoint of a store. Gives the checkpoint with what it got; `None` if nobody would.
    pub(super) fn ask(&mut self, site: &Site, time: u64) -> Result<Option<String>, DrillError> {
        let note = site.checkpoint()?;
        let mut signed: Option<Note> = None;
        for witness in &mut self.0 {
            let Some(checkpoint) = witness.verified(&note) else { continue };
            let Some(line) = witness.add(site, &checkpoint, time)? else { continue };
            let note = match signed.take() {
                Some(note) => note,
                None => Note::parse(note.as_bytes()).map_err(told)?,
            };
            let mut signatures = note.signatures().to_vec();
            signatures.push(line);
            signed = Some(Note::new(note.text(), signatures).map_err(told)?);
        }
        Ok(signed.map(|note| note.to_string()))
    }

    /// What each shows as the newest that it has cosigned.
    pub(super) fn shown(&self) -> Vec<Option<&str>> {
        self.0.iter().map(|witness| witness.last.as_ref().map(|(.., note)| note.as_str())).collect()
    }
}

impl Witness {
    fn key(&self) -> Result<CosigningKey, DrillError> {
        CosigningKey::from_seed(&self.name, self.seed).map_err(told)
    }

    fn verified(&self, note: &str) -> Option<VerifiedCheckpoint> {
        let note = UnverifiedCheckpoint::parse(note.as_bytes()).ok()?;
        note.verify(self.log.name(), std::slice::from_ref(&self.log), &[]).ok()
    }

    /// Cosigns what extends what it has cosigned before; one that lies, anything.
    fn add(
        &mut self,
        site: &Site,
        checkpoint: &VerifiedCheckpoint,
        time: u64,
    ) -> Result<Option<tlog::Signature>, DrillError> {
        let Checkpoint { size, root, .. } = checkpoint.checkpoint().clone();
        let (old, old_root) = self.last.as_ref().map_or((0, empty_root()), |(size, root, _)| (*size, *root));
        let extends = old <= size && {
            // The log makes the proof, from whatever tree it has; the witness checks it.
            let medium = site.medium();
            let proof =
                consistency_proof(old, size, &Tiles { data: &medium, ledger: &site.ledgers[0], size });
            proof.is_ok_and(|proof| verify_consistency(old, size, &old_root, &root, &proof).is_ok())
        };
        if !extends && !self.lies {
            return Ok(None);
        }
        let line = self.key()?.cosign_verified(checkpoint, time);
        let mut note = Note::parse(checkpoint.note().to_string().as_bytes()).map_err(told)?;
        note.push(line.clone()).map_err(told)?;
        self.last = Some((size, root, note.to_string()));
        Ok(Some(line))
    }
}

fn short(name: &str) -> String {
    name.replace(".example/", "")
}

fn told(error: impl std::fmt::Display) -> DrillError {
    DrillError::Demo(error.to_string())
}

/// The tiles of a store that was stopped in order.
pub(super) struct Tiles<'a> {
    pub data: &'a dyn Medium,
    pub ledger: &'a str,
    pub size: u64,
}

impl TileSource for Tiles<'_> {
    type Error = std::io::Error;

    fn tile(&self, tile: Tile) -> Result<Vec<Hash>, Self::Error> {
        let width = match tile.index < full_tiles(tile.level, self.size) {
            true => tlog::TILE_WIDTH,
            false => partial_width(tile.level, self.size),
        };
        let bytes = self.data.read(&layout::resource(self.ledger, &Tile { width, ..tile }.path()))?;
        let mut hashes =
            decode_tile(&bytes, width).map_err(|error| std::io::Error::other(error.to_string()))?;
        hashes.truncate(usize::from(tile.width));
        Ok(hashes)
    }
}
