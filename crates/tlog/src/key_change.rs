//! How a log's signing key changes: docs/format.md, section 10, record `key`.
//!
//! An authority key, which the log names in its first entry and never changes, signs a statement that names a tree
//! of the log and the new key. The entry that holds the statement also holds a checkpoint of that tree by the key
//! before, so whoever knows any earlier key gets to the one in force.

use core::fmt;

use crate::checkpoint::{Checkpoint, CheckpointError, Origin, UnverifiedCheckpoint};
use crate::hash::Hash;
use crate::note::{Algorithm, KeyError, Note, NoteError, SigningKey, VerifierKey};
use crate::text::parse_decimal;

/// First line of the text of a statement.
pub const STATEMENT_MAGIC: &str = "ledgerstone/key-change/v1";

/// What an authority says: from a history that begins with this tree on, the log may sign with this key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatement {
    /// Which log.
    pub origin: Origin,
    /// Entries in the tree that the change is bound to.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
    /// The new key: type 0x01, named like the origin.
    pub key: VerifierKey,
}

impl KeyStatement {
    /// Returns the five lines that are signed. The second is no number, so they are never taken for a checkpoint.
    pub fn to_text(&self) -> String {
        let Self { origin, size, root, key } = self;
        format!("{STATEMENT_MAGIC}\n{origin}\n{size}\n{}\n{key}\n", root.to_base64())
    }

    /// Parses what [`KeyStatement::to_text`] writes, and nothing else.
    ///
    /// # Errors
    /// [`KeyChangeError::Statement`] says which line is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyChangeError> {
        let bad = |line, what| KeyChangeError::Statement { line, what };
        let lines = text.strip_suffix('\n').ok_or(bad(1, "the text does not end in a newline"))?;
        let lines: Vec<&str> = lines.split('\n').collect();
        let [magic, origin, size, root, key] = lines.as_slice() else {
            return Err(bad(lines.len(), "a statement has five lines"));
        };
        if *magic != STATEMENT_MAGIC {
            return Err(bad(1, "not a statement about a key"));
        }
        let origin = Origin::new(origin).map_err(|_| bad(2, "not an origin"))?;
        let size = parse_decimal(size).ok_or(bad(3, "tree size is not a decimal below 2^64"))?;
        let root = Hash::from_base64(root).map_err(|_| bad(4, "root is not the base64 of 32 bytes"))?;
        let key = VerifierKey::parse(key).map_err(|_| bad(5, "not a verification key"))?;
        if !may_sign_for(&key, origin.as_str()) {
            return Err(bad(5, "the key is not of type 0x01 or not named like the origin"));
        }
        Ok(Self { origin, size, root, key })
    }

    /// Returns the statement as a note signed by the authority.
    pub fn sign(&self, authority: &SigningKey) -> String {
        let text = self.to_text();
        format!("{text}\n{}\n", authority.sign(&text))
    }

    /// Reads a signed statement and checks its one signature.
    ///
    /// # Errors
    /// What is wrong with it, all of rule K1.
    pub fn verify(note: &[u8], authority: &VerifierKey) -> Result<Self, KeyChangeError> {
        let note = Note::parse(note).map_err(KeyChangeError::StatementNote)?;
        let statement = Self::parse(note.text())?;
        if note.signatures().len() != 1 {
            return Err(KeyChangeError::Signatures { of: "statement", found: note.signatures().len() });
        }
        note.verify(core::slice::from_ref(authority)).map_err(KeyChangeError::StatementNote)?;
        Ok(statement)
    }

    /// Returns what the checkpoint beside this statement must say.
    pub fn checkpoint(&self) -> Checkpoint {
        Checkpoint { origin: self.origin.clone(), size: self.size, root: self.root }
    }
}

/// A change of a log's key that holds, as far as it can be told without the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyChange {
    /// Index of its entry: trees that are larger are signed by the new key.
    pub index: u64,
    /// What the authority said. Rule K3 wants the log's tree of [`KeyStatement::size`] entries to have
    /// [`KeyStatement::root`], which is for the caller to check.
    pub statement: KeyStatement,
}

/// The keys that a log has had, from the first on.
///
/// ```
/// use tlog::{KeyHistory, KeyStatement, Checkpoint, Origin, SigningKey, leaf_hash, sign_checkpoint};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let origin = "example.com/log";
/// let [old, new] = [[1; 32], [2; 32]].map(|seed| SigningKey::from_seed(origin, seed));
/// let (old, new) = (old?, new?);
/// let authority = SigningKey::from_seed("example.com/log/authority", [3; 32])?;
/// let vkey = |key: &SigningKey| key.verifying_key().to_string();
///
/// let head = Checkpoint { origin: Origin::new(origin)?, size: 1, root: leaf_hash(b"genesis") };
/// let key = new.verifying_key().clone();
/// let statement = KeyStatement { origin: head.origin.clone(), size: 1, root: head.root, key };
/// let (statement, checkpoint) = (statement.sign(&authority), sign_checkpoint(&head, &old));
///
/// let mut history = KeyHistory::new(origin, &vkey(&old), &vkey(&authority))?;
/// history.push(5, statement.as_bytes(), checkpoint.as_bytes())?; // K3, the root of 1 entry, is left to check
/// assert_eq!(history.in_force(5), old.verifying_key());
/// assert_eq!(history.in_force(6), new.verifying_key());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyHistory {
    origin: String,
    first: VerifierKey,
    /// Not looked at before a change needs it: a log whose key never changes may name anything.
    authority: Result<VerifierKey, KeyError>,
    changes: Vec<KeyChange>,
}

impl KeyHistory {
    /// Begins with what the first entry of the log says.
    ///
    /// # Errors
    /// [`KeyChangeError::FirstKey`] if the log's own key is not one.
    pub fn new(origin: &str, log_vkey: &str, authority_vkey: &str) -> Result<Self, KeyChangeError> {
        let first = VerifierKey::parse(log_vkey).map_err(KeyChangeError::FirstKey)?;
        if !may_sign_for(&first, origin) {
            let what = "the key is not of type 0x01 or not named like the origin";
            return Err(KeyChangeError::FirstKey(KeyError::Malformed(what)));
        }
        let authority = VerifierKey::parse(authority_vkey);
        Ok(Self { origin: origin.to_owned(), first, authority, changes: Vec::new() })
    }

    /// Adds the change that entry `index` holds, after checking K1, K2 and K4, and of K3 that checkpoint and
    /// statement are of one tree. That the log has that tree is for the caller to check.
    ///
    /// # Errors
    /// What does not hold; the history is as before.
    pub fn push(
        &mut self,
        index: u64,
        statement: &[u8],
        checkpoint: &[u8],
    ) -> Result<&KeyChange, KeyChangeError> {
        let change = self.check(index, statement, checkpoint)?;
        self.changes.push(change);
        Ok(&self.changes[self.changes.len() - 1])
    }

    fn check(&self, index: u64, statement: &[u8], checkpoint: &[u8]) -> Result<KeyChange, KeyChangeError> {
        let authority = self.authority.as_ref().map_err(|error| KeyChangeError::Authority(*error))?;
        let statement = KeyStatement::verify(statement, authority)?;
        if statement.origin.as_str() != self.origin {
            return Err(KeyChangeError::OtherLog { of: "statement", found: statement.origin });
        }
        let after = self.changes.last().map_or(0, |change| change.index.saturating_add(1));
        let KeyStatement { size, .. } = statement;
        if size == 0 || size > index || size < after {
            return Err(KeyChangeError::Size { size, index, after });
        }
        let note = UnverifiedCheckpoint::parse(checkpoint).map_err(KeyChangeError::Checkpoint)?;
        if note.note().signatures().len() != 1 {
            let found = note.note().signatures().len();
            return Err(KeyChangeError::Signatures { of: "checkpoint", found });
        }
        // K2 leaves no change between this tree and the end of the history: its key is the newest.
        let before = core::slice::from_ref(self.newest());
        let note = note.verify(&self.origin, before, &[]).map_err(KeyChangeError::Checkpoint)?;
        if *note.checkpoint() != statement.checkpoint() {
            return Err(KeyChangeError::OtherTree { statement: size, checkpoint: note.checkpoint().size });
        }
        let new = statement.key.public_bytes();
        if self.keys().any(|(_, key)| key.public_bytes() == new) {
            return Err(KeyChangeError::Returning);
        }
        if authority.public_bytes() == new {
            return Err(KeyChangeError::IsAuthority);
        }
        Ok(KeyChange { index, statement })
    }

    /// Returns the origin of the log.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Returns the key that signs changes, if the log names one.
    pub fn authority(&self) -> Option<&VerifierKey> {
        self.authority.as_ref().ok()
    }

    /// Returns the key that signs trees of `size` entries.
    pub fn in_force(&self, size: u64) -> &VerifierKey {
        let before = self.changes.iter().rev().find(|change| change.index < size);
        before.map_or(&self.first, |change| &change.statement.key)
    }

    /// Returns the key that signs from now on.
    pub fn newest(&self) -> &VerifierKey {
        self.in_force(u64::MAX)
    }

    /// Returns the changes, oldest first.
    pub fn changes(&self) -> &[KeyChange] {
        &self.changes
    }

    /// Returns every key, oldest first, and beside it the index of the entry that brought it (0 for the first).
    pub fn keys(&self) -> impl Iterator<Item = (u64, &VerifierKey)> {
        let later = self.changes.iter().map(|change| (change.index, &change.statement.key));
        core::iter::once((0, &self.first)).chain(later)
    }
}

/// Whether a key may sign checkpoints of this origin: type 0x01 and named like it.
fn may_sign_for(key: &VerifierKey, origin: &str) -> bool {
    key.algorithm() == Algorithm::Ed25519 && key.name() == origin
}

/// Why a change of a key does not hold. The message begins with the rule of docs/format.md, section 10.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyChangeError {
    /// The log's first key is not one that signs for it.
    FirstKey(KeyError),
    /// K1: the log names an authority key that is none.
    Authority(KeyError),
    /// K1: the text is no statement.
    Statement {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// K1: the statement is no note, or not signed by the authority.
    StatementNote(NoteError),
    /// K1: the checkpoint is none, or not signed by the key before.
    Checkpoint(CheckpointError),
    /// K1: there is not exactly one signature.
    Signatures {
        /// Under what.
        of: &'static str,
        /// How many there are.
        found: usize,
    },
    /// K1: it is of another log.
    OtherLog {
        /// What is.
        of: &'static str,
        /// That log.
        found: Origin,
    },
    /// K2: the tree is empty, reaches beyond the entry, or does not cover the change before.
    Size {
        /// Entries in the tree.
        size: u64,
        /// Index of the entry.
        index: u64,
        /// The least size that covers the change before.
        after: u64,
    },
    /// K3: statement and checkpoint are of different trees.
    OtherTree {
        /// Size that the statement names.
        statement: u64,
        /// Size that the checkpoint names.
        checkpoint: u64,
    },
    /// K4: the new key was one of the log's before.
    Returning,
    /// K4: the new key is the authority's.
    IsAuthority,
}

impl fmt::Display for KeyChangeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstKey(error) => write!(f, "the log's first key: {error}"),
            Self::Authority(error) => write!(f, "K1: the log's authority key: {error}"),
            Self::Statement { line, what } => {
                write!(f, "K1: malformed statement of a new key: {what}, line {line}")
            }
            Self::StatementNote(error) => write!(f, "K1: statement of a new key: {error}"),
            Self::Checkpoint(error) => write!(f, "K1: checkpoint beside a new key: {error}"),
            Self::Signatures { of, found } => write!(f, "K1: {of} does not have one signature: {found}"),
            Self::OtherLog { of, found } => write!(f, "K1: {of} is of another log: {found}"),
            Self::Size { size, index, after } => write!(
                f,
                "K2: the statement's tree is not between the change before and this one: size {size}, entry {index}, least {after}"
            ),
            Self::OtherTree { statement, checkpoint } => write!(
                f,
                "K3: statement and checkpoint are of different trees: sizes {statement}, {checkpoint}"
            ),
            Self::Returning => f.write_str("K4: the new key was a key of this log before"),
            Self::IsAuthority => f.write_str("K4: the new key is the authority's"),
        }
    }
}

impl core::error::Error for KeyChangeError {}
