//! The operators: the ways in which a store is damaged.

mod bytes;
mod forge;
mod pieces;
mod places;
mod rechain;
mod state;
mod trees;

use tlog::SigningKey;

use crate::copy::{Changes, Copy};
use crate::map::{File, Map, What};
use crate::random::Dice;

/// What a drill is expected to show of an operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Seen every time, and located.
    Seen,
    /// Not seen by a verifier that has only the store; seen by one that holds an older checkpoint or a receipt.
    NeedsWitness,
    /// Not seen: no evidence covers these bytes.
    NotEvidence,
}

impl Expected {
    /// In words, for a table.
    pub fn word(self) -> &'static str {
        match self {
            Self::Seen => "detected",
            Self::NeedsWitness => "not detectable here: needs a witness",
            Self::NotEvidence => "not detectable here: no evidence",
        }
    }
}

/// One way to damage a store.
#[derive(Debug)]
pub struct Operator {
    /// Its name, for `--only`.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What is expected of it.
    pub expected: Expected,
    pub(crate) act: Act,
}

/// How an operator is carried out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Act {
    /// Files are changed; `None` where the draw gives nothing to change.
    Change(fn(&mut Aim<'_>) -> Option<Mutation>),
    /// The whole store is replaced by one of its rivals.
    Replace(Rival),
}

/// What may stand in the store's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rival {
    Older,
    Continued,
    Rewritten,
}

/// Files as they are to be, and what the report must name.
pub(crate) struct Mutation {
    pub changes: Changes,
    pub blame: Blame,
}

/// Which files a report must name to have located a change.
pub(crate) enum Blame {
    /// Each that was changed.
    Each,
    /// One that was changed, or one of these: where several files were made to agree, any that contradicts them.
    OneOf(Vec<String>),
}

/// What an operator has to aim by.
pub(crate) struct Aim<'a> {
    pub copy: &'a Copy,
    pub map: &'a Map,
    pub foreign: (&'a Copy, &'a Map),
    /// Signing keys of the ledgers, as far as the thief has them.
    pub signing: &'a [Option<SigningKey>],
    pub dice: Dice,
}

impl Mutation {
    fn of(changes: Changes) -> Option<Self> {
        Some(Self { changes, blame: Blame::Each })
    }

    fn file(name: &str, bytes: Option<Vec<u8>>) -> Option<Self> {
        Self::of([(name.to_owned(), bytes)].into())
    }

    fn blaming(changes: Changes, others: Vec<String>) -> Option<Self> {
        Some(Self { changes, blame: Blame::OneOf(others) })
    }
}

impl<'a> Aim<'a> {
    /// A file of some kind that must not change, each as likely as the next.
    fn file(&mut self, wanted: impl Fn(&File) -> bool) -> Option<&'a File> {
        let map = self.map;
        let files: Vec<&File> = map.files.iter().filter(|file| file.is_covered() && wanted(file)).collect();
        self.dice.pick(&files).copied()
    }

    fn read(&self, file: &File) -> Option<Vec<u8>> {
        self.copy.read(&file.name).ok()
    }

    /// A ledger that has entries.
    fn ledger(&mut self) -> Option<usize> {
        let ledgers = &self.map.registered.ledgers;
        let with: Vec<usize> = (0..ledgers.len()).filter(|at| ledgers[*at].size > 2).collect();
        self.dice.pick(&with).copied()
    }
}

/// All operators, in the order of the table.
pub const OPERATORS: &[Operator] = &[
    seen("bit", "one bit is flipped", bytes::bit),
    seen("byte", "one byte is changed", bytes::byte),
    seen("run", "a run of bytes is overwritten", bytes::run),
    seen("zero", "a run of bytes is set to zero", bytes::zero),
    seen("insert", "bytes are inserted", bytes::insert),
    seen("delete", "bytes are removed", bytes::delete),
    seen("splice-same", "bytes are copied over from elsewhere in the file", bytes::splice_same),
    seen("splice-other", "bytes, or the file, are taken from another store", bytes::splice_other),
    seen("truncate-byte", "a file is cut at a byte", bytes::truncate),
    seen("truncate-record", "a file is cut at a record", pieces::truncate_record),
    seen("truncate-segment", "the last segments are removed", places::truncate_segments),
    seen("extend-garbage", "bytes are appended", bytes::extend),
    seen("extend-records", "well-formed records, tiles or segments are appended", forge::extend_records),
    seen("swap-records", "two records change places", pieces::swap_records),
    seen("swap-segments", "two files of one kind change places", places::swap_files),
    seen("duplicate-record", "a record is there twice", pieces::duplicate_record),
    seen("duplicate-segment", "a segment is there twice, under another name", places::duplicate_segment),
    seen("drop-record", "a record is removed", pieces::drop_record),
    seen("drop-segment", "a segment is removed", places::drop_segment),
    seen("drop-derived", "a tile is removed", places::drop_tile),
    seen("drop-file", "log, bundle, checkpoint, register or settings are removed", places::drop_file),
    seen(
        "change-time",
        "only the time of a record is changed, with or without its hashes",
        trees::change_time,
    ),
    seen("change-length", "a length field is changed", pieces::change_length),
    seen("rehash", "something is changed and the checksums of its file made to fit", forge::rehash),
    seen("rehash-tree", "an entry is changed and leaf, tiles and register made to fit", trees::rehash_tree),
    seen(
        "older-checkpoint",
        "an older signed checkpoint is put in place of the newest",
        trees::older_checkpoint,
    ),
    seen("forge-signature", "the checkpoint is signed by somebody else, or not", trees::forge_signature),
    seen("re-sign", "an entry is changed and everything signed again with the stolen key", trees::re_sign),
    seen("truncate-continue", "the log is cut and goes on with forged groups", forge::truncate_and_continue),
    seen("edit-settings", "settings are changed as one would with an editor", state::settings),
    seen("edit-tokens", "tokens are changed as one would with an editor", state::tokens),
    seen("edit-register", "the register is changed as one would with an editor", state::register),
    seen("edit-register-hash", "the register is changed and its hash made to fit", state::register_rehashed),
    unseen("tokens-hash", "tokens are changed or removed, hash made to fit", state::tokens_rehashed),
    unseen(
        "settings-hash",
        "settings are changed, the register's hash of them made to fit",
        state::settings_rehashed,
    ),
    unseen(
        "register-times",
        "the register's times and counts are changed, hash made to fit",
        state::register_times,
    ),
    rival("rollback", "the whole directory is set back to an older copy", Rival::Older),
    rival("continue-older", "an older copy goes on with other events, stolen keys", Rival::Continued),
    rival("rewrite", "all history is written anew with the stolen key", Rival::Rewritten),
];

const fn seen(
    name: &'static str,
    about: &'static str,
    act: fn(&mut Aim<'_>) -> Option<Mutation>,
) -> Operator {
    Operator { name, about, expected: Expected::Seen, act: Act::Change(act) }
}

const fn unseen(
    name: &'static str,
    about: &'static str,
    act: fn(&mut Aim<'_>) -> Option<Mutation>,
) -> Operator {
    Operator { name, about, expected: Expected::NotEvidence, act: Act::Change(act) }
}

const fn rival(name: &'static str, about: &'static str, rival: Rival) -> Operator {
    Operator { name, about, expected: Expected::NeedsWitness, act: Act::Replace(rival) }
}

/// Whether a file is one of a log or tree or the evidence itself, which hold records.
fn holds_records(file: &File) -> bool {
    matches!(file.what, What::Wal { .. } | What::Bundle { .. })
}
