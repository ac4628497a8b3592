//! Checkpoints, the signed tree heads: C2SP tlog-checkpoint.

mod cosignature;

use core::fmt;

use crate::hash::Hash;
use crate::note::{Note, NoteError, SigningKey, VerifiedNote, VerifiedSignature, VerifierKey};
use crate::proof::{ProofError, verify_consistency, verify_inclusion};
use crate::text::parse_decimal;

pub use cosignature::{CosigningKey, MAX_TIMESTAMP, cosignature_message};

/// Which log a checkpoint speaks for: one line, not empty, no control character.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(String);

impl Origin {
    /// Takes the line without its newline.
    pub fn new(origin: &str) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.bytes().any(|byte| byte < b' ') {
            return Err(CheckpointError::Malformed {
                line: 1,
                what: "origin is empty or has a control character",
            });
        }
        Ok(Self(origin.to_owned()))
    }

    /// Returns the line.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a log commits to at one moment: this many entries, under this root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: Origin,
    /// Entries in the tree.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Returns the three lines that are signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64())
    }

    /// Parses what [`Checkpoint::to_text`] writes. Extension lines are refused.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let (checkpoint, extensions) = Self::parse_with_extensions(text)?;
        if !extensions.is_empty() {
            return Err(CheckpointError::Extension { found: extensions.len() });
        }
        Ok(checkpoint)
    }

    /// Parses a checkpoint that may carry extension lines, and returns them beside it.
    pub fn parse_with_extensions(text: &str) -> Result<(Self, Vec<String>), CheckpointError> {
        let bad = |line, what| CheckpointError::Malformed { line, what };
        let lines: Vec<&str> = text
            .strip_suffix('\n')
            .ok_or(bad(text.split('\n').count(), "does not end in a newline"))?
            .split('\n')
            .collect();
        let [origin, size, root, extensions @ ..] = lines.as_slice() else {
            return Err(bad(lines.len(), "a checkpoint has at least three lines"));
        };
        if let Some(position) = extensions.iter().position(|line| line.is_empty()) {
            return Err(bad(4 + position, "empty extension line"));
        }
        let origin = Origin::new(origin)?;
        let size = parse_decimal(size).ok_or(bad(2, "tree size is not a decimal below 2^64"))?;
        let root = Hash::from_base64(root).map_err(|_| bad(3, "root is not the base64 of 32 bytes"))?;
        Ok((Self { origin, size, root }, extensions.iter().map(|line| (*line).to_owned()).collect()))
    }
}

/// Returns the checkpoint as a note signed by the log.
pub fn sign_checkpoint(checkpoint: &Checkpoint, key: &SigningKey) -> String {
    let text = checkpoint.to_text();
    format!("{text}\n{}\n", key.sign(&text))
}

/// A checkpoint as it came from somewhere: well formed, and nothing more is known.
#[derive(Clone, Debug)]
pub struct UnverifiedCheckpoint {
    note: Note,
    claimed: Checkpoint,
    extensions: Vec<String>,
}

impl UnverifiedCheckpoint {
    /// Reads a signed checkpoint without extension lines.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let parsed = Self::parse_with_extensions(bytes)?;
        if !parsed.extensions.is_empty() {
            return Err(CheckpointError::Extension { found: parsed.extensions.len() });
        }
        Ok(parsed)
    }

    /// Reads a signed checkpoint that may carry extension lines, as a witness of foreign logs must.
    pub fn parse_with_extensions(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes).map_err(CheckpointError::Note)?;
        let (claimed, extensions) = Checkpoint::parse_with_extensions(note.text())?;
        Ok(Self { note, claimed, extensions })
    }

    /// Returns what it claims: good for choosing keys, for nothing else.
    pub fn claimed(&self) -> &Checkpoint {
        &self.claimed
    }

    /// Returns the note, with all its signatures.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Accepts it if it is of `origin` and signed by one of `log_keys`; checks each line by a key of `cosigners`.
    ///
    /// A line that claims to be by any of these keys and does not verify makes the checkpoint bad. How many
    /// cosigners are enough is for the caller to say.
    pub fn verify(
        self,
        origin: &str,
        log_keys: &[VerifierKey],
        cosigners: &[VerifierKey],
    ) -> Result<VerifiedCheckpoint, CheckpointError> {
        if self.claimed.origin.as_str() != origin {
            return Err(CheckpointError::Origin { found: self.claimed.origin });
        }
        let note = self.note.verify(&[log_keys, cosigners].concat()).map_err(CheckpointError::Note)?;
        if !log_keys.iter().any(|key| note.signed_by(key)) {
            return Err(CheckpointError::NotSignedByLog);
        }
        let (by_log, by_cosigners) =
            note.signatures().iter().cloned().partition(|signature| log_keys.contains(signature.key()));
        Ok(VerifiedCheckpoint {
            note,
            checkpoint: self.claimed,
            extensions: self.extensions,
            by_log,
            by_cosigners,
        })
    }
}

/// A checkpoint whose log signature holds. Only [`UnverifiedCheckpoint::verify`] makes one.
#[derive(Clone, Debug)]
pub struct VerifiedCheckpoint {
    note: VerifiedNote,
    checkpoint: Checkpoint,
    extensions: Vec<String>,
    by_log: Vec<VerifiedSignature>,
    by_cosigners: Vec<VerifiedSignature>,
}

impl VerifiedCheckpoint {
    /// Returns origin, size and root.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// Returns the note reduced to the signatures that were checked.
    pub fn note(&self) -> &VerifiedNote {
        &self.note
    }

    /// Returns the extension lines; none unless they were asked for on reading.
    pub fn extensions(&self) -> &[String] {
        &self.extensions
    }

    /// Returns the log's own signatures, at least one.
    pub fn log_signatures(&self) -> &[VerifiedSignature] {
        &self.by_log
    }

    /// Returns the cosignatures that hold, one for each key.
    pub fn cosignatures(&self) -> &[VerifiedSignature] {
        &self.by_cosigners
    }

    /// Checks that `leaf` is entry `index` of this tree.
    pub fn check_inclusion(&self, index: u64, leaf: &Hash, proof: &[Hash]) -> Result<(), ProofError> {
        verify_inclusion(index, self.checkpoint.size, leaf, proof, &self.checkpoint.root)
    }

    /// Checks that this tree begins with an older one of the same log, whose own trustworthiness is the caller's.
    pub fn check_extends(&self, older: &Checkpoint, proof: &[Hash]) -> Result<(), ProofError> {
        let Checkpoint { origin, size, root } = &self.checkpoint;
        if older.origin != *origin {
            return Err(ProofError::OtherLog);
        }
        verify_consistency(older.size, *size, &older.root, root, proof)
    }
}

/// Why a checkpoint was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointError {
    /// The text is not a checkpoint.
    Malformed {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// It carries extension lines, which nobody audits.
    Extension {
        /// How many.
        found: usize,
    },
    /// It is of another log.
    Origin {
        /// That log.
        found: Origin,
    },
    /// It is not a note, or a signature under it does not hold.
    Note(NoteError),
    /// Cosigners signed, the log did not.
    NotSignedByLog,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed { line, what } => write!(f, "malformed checkpoint: {what}, line {line}"),
            Self::Extension { found } => write!(f, "checkpoint has extension lines: {found}"),
            Self::Origin { found } => write!(f, "checkpoint is of another log: {found}"),
            Self::Note(error) => error.fmt(f),
            Self::NotSignedByLog => f.write_str("checkpoint is not signed by a key of the log"),
        }
    }
}

impl core::error::Error for CheckpointError {}
