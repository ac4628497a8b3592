//! What a ledger continues: the checkpoint of another ledger that its genesis names, and the file in the key directory
//! that holds it until the genesis is durable (docs/format.md, sections 4 and 10).

use record::control::{Gap, GapCause, Genesis};
use tlog::checkpoint::UnverifiedCheckpoint;

use crate::fields::{Build, FieldError, Fields};
use crate::statefile;

/// Name in the first line of the file.
const NAME: &str = "ledgerstone/predecessor/v1";

/// Longest reason, in bytes.
pub const REASON_MAX: usize = 1000;

/// The tree that a ledger continues, as its genesis tells. Its signature was not checked: the key is another ledger's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Predecessor {
    /// Origin of the ledger that is continued.
    pub origin: String,
    /// Entries of it.
    pub size: u64,
    /// RFC 6962 root over them, in base64.
    pub root: String,
    /// The checkpoint note.
    pub note: String,
}

impl Predecessor {
    /// Reads what a genesis says it continues, if it continues anything.
    ///
    /// # Errors
    /// What makes it no checkpoint of another ledger.
    pub fn of(genesis: &Genesis) -> Result<Option<Self>, String> {
        genesis.predecessor.as_ref().map(|note| Self::read(note, &genesis.origin)).transpose()
    }

    /// Reads a checkpoint note that the ledger of `origin` shall continue.
    ///
    /// # Errors
    /// What makes it no checkpoint of another ledger.
    pub fn read(note: &str, origin: &str) -> Result<Self, String> {
        let wrong = |what: String| format!("what this ledger continues is not told by a checkpoint: {what}");
        let parsed =
            UnverifiedCheckpoint::parse(note.as_bytes()).map_err(|error| wrong(error.to_string()))?;
        let old = parsed.claimed();
        if old.origin.as_str() == origin {
            return Err("the ledger says that it continues itself".to_owned());
        }
        if old.size == 0 {
            return Err(wrong("it is of no entries".to_owned()));
        }
        if parsed.note().signatures().iter().all(|signature| signature.name() != old.origin.as_str()) {
            return Err(wrong(format!("{} has not signed it", old.origin)));
        }
        Ok(Self {
            origin: old.origin.to_string(),
            size: old.size,
            root: old.root.to_base64(),
            note: note.to_owned(),
        })
    }
}

/// A ledger that is about to be made: what it continues, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Succession {
    /// The checkpoint note for its genesis.
    pub checkpoint: String,
    /// Why, in one line for people.
    pub reason: String,
}

impl Succession {
    /// Whether a text can be a reason: one line that is kept for ever.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn check_reason(reason: &str) -> Result<(), String> {
        match reason.trim().len() {
            0 => Err("a reason is wanted".to_owned()),
            len if len > REASON_MAX => Err(format!("a reason has at most {REASON_MAX} bytes, not {len}")),
            _ if reason.chars().any(char::is_control) => Err("a reason is one line of text".to_owned()),
            _ => Ok(()),
        }
    }

    /// Formats the file.
    pub fn format(&self) -> Vec<u8> {
        let value = Build::default().str("checkpoint", &self.checkpoint).str("reason", &self.reason);
        statefile::format(NAME, &value.done())
    }

    /// Reads the file.
    pub fn parse(bytes: &[u8]) -> Result<Self, FieldError> {
        let value = statefile::parse(NAME, bytes).map_err(|error| FieldError(error.to_string()))?;
        let fields = Fields::of(&value)?;
        let read = Self {
            checkpoint: fields.str("checkpoint")?.to_owned(),
            reason: fields.str("reason")?.to_owned(),
        };
        fields.finish()?;
        Self::check_reason(&read.reason).map_err(FieldError)?;
        Ok(read)
    }

    /// The record that follows genesis and first source: what of the old ledger is not known to this one, and why.
    pub fn gap(&self, old: &Predecessor, now_ms: u64) -> Gap {
        Gap {
            cause: GapCause::Downtime,
            source: None,
            epoch: None,
            from_sequence: None,
            to_sequence: None,
            from_ms: None,
            to_ms: Some(now_ms),
            clean: Some(false),
            detail: format!(
                "this ledger continues {} at {} entries; what that one held beyond them is not known here: {}",
                old.origin, old.size, self.reason
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tlog::checkpoint::{Checkpoint, Origin, sign_checkpoint};
    use tlog::hash::leaf_hash;
    use tlog::note::SigningKey;

    const OLD: &str = "log.example/old";

    fn note(size: u64, signer: &str) -> String {
        let key = SigningKey::from_seed(signer, [3; 32]).unwrap();
        let origin = Origin::new(OLD).unwrap();
        sign_checkpoint(&Checkpoint { origin, size, root: leaf_hash(b"a") }, &key)
    }

    #[test]
    fn a_predecessor_is_a_signed_checkpoint_of_another_ledger() {
        let read = |note: &str| Predecessor::read(note, "log.example/new");
        let good = note(7, OLD);
        let found = read(&good).unwrap();
        assert_eq!((found.origin.as_str(), found.size, found.root), (OLD, 7, leaf_hash(b"a").to_base64()));
        assert!(read(&note(0, OLD)).unwrap_err().contains("no entries"));
        assert!(read(&note(7, "somebody.else")).unwrap_err().contains("has not signed"));
        assert!(Predecessor::read(&good, OLD).unwrap_err().contains("itself"));
        for text in ["", "log.example/old\n7\n", good.trim_end(), &good.replace("\n7\n", "\n07\n")] {
            assert!(read(text).unwrap_err().contains("not told by a checkpoint"), "{text}");
        }
        let extended = good.replacen("\n\n", "\nextension\n\n", 1);
        assert!(read(&extended).is_err());
    }

    #[test]
    fn the_file_of_a_succession_has_one_spelling() {
        let succession = Succession { checkpoint: note(7, OLD), reason: "the disk is gone".to_owned() };
        let file = succession.format();
        assert_eq!(Succession::parse(&file), Ok(succession.clone()));
        for at in 0..file.len() {
            let mut changed = file.clone();
            changed[at] ^= 1;
            assert!(Succession::parse(&changed).is_err(), "byte {at}");
        }
        for reason in ["", "  ", "a\nb", "\u{1b}[2J", &"x".repeat(REASON_MAX + 1)] {
            let bad = Succession { reason: reason.to_owned(), ..succession.clone() };
            assert!(Succession::parse(&bad.format()).is_err(), "{reason:?}");
        }
    }
}
