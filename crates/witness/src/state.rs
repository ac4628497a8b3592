//! What is kept of each log: the checkpoint cosigned last, as the note that the monitoring path serves.

use evidence::statefile;
use record::json::{Object, Value};
use tlog::{Hash, UnverifiedCheckpoint, VerifierKey};

const NAME: &str = "ledgerstone/witness-log/v1";

/// The checkpoint of a log that was cosigned last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cosigned {
    /// Entries in its tree.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// When it was cosigned, in POSIX seconds: the largest time signed for this log.
    pub time: u64,
    /// The checkpoint with the log's signatures that were verified and our cosignature.
    pub note: String,
}

/// Formats the state of a log; `None` if nothing of it was ever cosigned.
pub(crate) fn format(origin: &str, last: Option<&Cosigned>) -> Vec<u8> {
    let mut object = Object::new();
    object.insert("note", Value::from(last.map(|last| last.note.clone()).unwrap_or_default()));
    object.insert("origin", Value::from(origin.to_owned()));
    statefile::format(NAME, &Value::Object(object))
}

/// Reads the state of the log `origin` and checks that the cosignature in it is by `own`.
///
/// The log's signature is not checked again: its key may have been replaced since, and what was cosigned stays so.
pub(crate) fn parse(bytes: &[u8], origin: &str, own: &VerifierKey) -> Result<Option<Cosigned>, String> {
    let value = statefile::parse(NAME, bytes).map_err(|error| error.to_string())?;
    let object = value.as_object().filter(|object| object.len() == 2).ok_or("not two members")?;
    let text = |name: &str| object.get(name).and_then(Value::str).ok_or(format!("no text: {name}"));
    if text("origin")? != origin {
        return Err("it is of another log".to_owned());
    }
    let note = text("note")?;
    if note.is_empty() {
        return Ok(None);
    }
    let parsed =
        UnverifiedCheckpoint::parse_with_extensions(note.as_bytes()).map_err(|error| error.to_string())?;
    let verified = parsed.note().verify(std::slice::from_ref(own)).map_err(|error| error.to_string())?;
    let claimed = parsed.claimed();
    if claimed.origin.as_str() != origin {
        return Err("its checkpoint is of another log".to_owned());
    }
    let time = verified.signatures().iter().find_map(|signature| signature.timestamp());
    Ok(Some(Cosigned {
        size: claimed.size,
        root: claimed.root,
        time: time.filter(|time| *time != 0).ok_or("its cosignature carries no time")?,
        note: note.to_owned(),
    }))
}

/// Whether this is the whole state of a log of which nothing was cosigned.
pub(crate) fn is_empty(bytes: &[u8], own: &VerifierKey) -> bool {
    let Ok(value) = statefile::parse(NAME, bytes) else { return false };
    let origin = value.as_object().and_then(|object| object.get("origin")).and_then(Value::str);
    origin.is_some_and(|origin| parse(bytes, origin, own) == Ok(None))
}

#[cfg(test)]
mod tests {
    use tlog::{Checkpoint, CosigningKey, Origin, SigningKey, leaf_hash, sign_checkpoint};

    use super::*;

    const ORIGIN: &str = "example.com/log";

    fn own() -> CosigningKey {
        CosigningKey::from_seed("witness.example/w", [2; 32]).expect("a key")
    }

    fn cosigned() -> Cosigned {
        let log = SigningKey::from_seed(ORIGIN, [1; 32]).expect("a key");
        let origin = Origin::new(ORIGIN).expect("an origin");
        let checkpoint = Checkpoint { origin, size: 7, root: leaf_hash(b"x") };
        let note = sign_checkpoint(&checkpoint, &log) + &own().cosign(&checkpoint, 99).to_string() + "\n";
        Cosigned { size: 7, root: checkpoint.root, time: 99, note }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let own = own();
        for last in [None, Some(cosigned())] {
            let bytes = format(ORIGIN, last.as_ref());
            assert_eq!(parse(&bytes, ORIGIN, own.verifying_key()), Ok(last));
            assert!(parse(&bytes, "example.com/other", own.verifying_key()).is_err());
        }
        let other = CosigningKey::from_seed("witness.example/w", [3; 32]).expect("a key");
        let bytes = format(ORIGIN, Some(&cosigned()));
        assert!(parse(&bytes, ORIGIN, other.verifying_key()).is_err(), "the key of another witness");
    }

    #[test]
    fn no_changed_byte_is_taken() {
        let own = own();
        for last in [None, Some(cosigned())] {
            let bytes = format(ORIGIN, last.as_ref());
            for at in 0..bytes.len() {
                for flip in [1, 0x20, 0x80] {
                    let mut changed = bytes.clone();
                    changed[at] ^= flip;
                    assert!(parse(&changed, ORIGIN, own.verifying_key()).is_err(), "byte {at}");
                }
                assert!(parse(&bytes[..at], ORIGIN, own.verifying_key()).is_err(), "cut at {at}");
            }
            assert!(parse(&[&bytes[..], b"\n"].concat(), ORIGIN, own.verifying_key()).is_err());
        }
    }
}
