//! A proof one can hand over as a file and check offline: C2SP tlog-proof.

use core::fmt;

use crate::checkpoint::{CheckpointError, UnverifiedCheckpoint, VerifiedCheckpoint};
use crate::hash::Hash;
use crate::note::{MAX_NOTE_LEN, VerifierKey};
use crate::proof::ProofError;
use crate::text::{from_base64, parse_decimal, to_base64};

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The longest proof file, in bytes, that is read: a checkpoint, as much extra data, and the hashes.
pub const MAX_PROOF_LEN: usize = 2 * MAX_NOTE_LEN + 64 * 45;

/// An inclusion proof with the checkpoint it leads to; well formed, nothing verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// Data for the application, such as salts. *Not* authenticated by the proof.
    pub extra: Option<Vec<u8>>,
    /// The entry, counted from 0.
    pub index: u64,
    /// Leaf's sibling first, a child of the root last; at most 64.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, byte for byte.
    pub checkpoint: String,
}

impl TlogProof {
    /// Parses what [`fmt::Display`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Self, TlogProofError> {
        let bad = |line, what| TlogProofError::Malformed { line, what };
        if bytes.len() > MAX_PROOF_LEN {
            return Err(bad(1, "longer than a proof can be"));
        }
        let text = str::from_utf8(bytes).map_err(|_| bad(1, "not UTF-8"))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(bad(1, "no empty line before the checkpoint"))?;
        let mut lines = head.split('\n').enumerate().map(|(n, line)| (n + 1, line)).peekable();
        if lines.next() != Some((1, HEADER)) {
            return Err(bad(1, "not c2sp.org/tlog-proof@v1"));
        }
        let extra = match lines.peek().and_then(|(_, line)| line.strip_prefix("extra ")) {
            None => None,
            Some(encoded) => {
                lines.next();
                Some(from_base64(encoded).ok_or(bad(2, "extra data is not standard base64"))?)
            }
        };
        let (line, index) = lines.next().ok_or(bad(2, "no index line"))?;
        let index = index
            .strip_prefix("index ")
            .and_then(parse_decimal)
            .ok_or(bad(line, "not an index line with a decimal below 2^64"))?;
        let mut hashes = Vec::new();
        for (line, encoded) in lines {
            if hashes.len() == 64 {
                return Err(bad(line, "more than 64 hashes"));
            }
            hashes.push(
                Hash::from_base64(encoded).map_err(|_| bad(line, "hash is not the base64 of 32 bytes"))?,
            );
        }
        Ok(Self { extra, index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Checks checkpoint and signatures as [`UnverifiedCheckpoint::verify`] does, then that `leaf` is in that tree.
    ///
    /// Whether the cosignatures returned with the checkpoint are enough is for the caller's policy.
    pub fn verify(
        &self,
        leaf: &Hash,
        origin: &str,
        log_keys: &[VerifierKey],
        cosigners: &[VerifierKey],
    ) -> Result<VerifiedCheckpoint, TlogProofError> {
        let checkpoint = UnverifiedCheckpoint::parse(self.checkpoint.as_bytes())
            .and_then(|checkpoint| checkpoint.verify(origin, log_keys, cosigners))
            .map_err(TlogProofError::Checkpoint)?;
        checkpoint.check_inclusion(self.index, leaf, &self.hashes).map_err(TlogProofError::Inclusion)?;
        Ok(checkpoint)
    }
}

impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if let Some(extra) = &self.extra {
            writeln!(f, "extra {}", to_base64(extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        self.hashes.iter().try_for_each(|hash| writeln!(f, "{}", hash.to_base64()))?;
        write!(f, "\n{}", self.checkpoint)
    }
}

/// Why a proof file was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TlogProofError {
    /// Not a proof file.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The checkpoint in it is refused.
    Checkpoint(CheckpointError),
    /// The entry is not shown to be in the tree of the checkpoint.
    Inclusion(ProofError),
}

impl fmt::Display for TlogProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, what } => write!(f, "malformed proof: {what}, line {line}"),
            Self::Checkpoint(error) => error.fmt(f),
            Self::Inclusion(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for TlogProofError {}
