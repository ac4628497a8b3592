//! The files of the key directory: wrapping key, signing keys, wrapped data keys (docs/format.md, "Keys").
//!
//! A data key is wrapped under the wrapping key and lives in a file of its own, so that destroying it is
//! removing that file, and reaches every copy of what it encrypts.

use record::control::KeyChange;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::fields::{Build, FieldError, Fields};
use crate::seal::Key;
use crate::statefile;

const WRAPPING: &str = "ledgerstone/wrapping-key/v1";
const SIGNING: &str = "ledgerstone/signing-key/v1";
const DATA: &str = "ledgerstone/data-key/v1";
/// Line 1 of a signed change of a ledger's key.
pub const CHANGE: &str = "ledgerstone/key-change/v1";
/// Line 1 of a change that waits for the authority's signature: its `statement` is the text alone.
pub const CHANGE_REQUEST: &str = "ledgerstone/key-request/v1";

/// Formats the wrapping key's file.
pub fn format_wrapping(key: &Key) -> Vec<u8> {
    let value = Build::default().str("key", &crate::hex::encode(key.bytes()));
    statefile::format(WRAPPING, &value.done())
}

/// Reads the wrapping key's file.
pub fn parse_wrapping(bytes: &[u8]) -> Result<Key, FieldError> {
    let value = statefile::parse(WRAPPING, bytes).map_err(|error| FieldError(error.to_string()))?;
    let fields = Fields::of(&value)?;
    let key = Key::new(fields.hex("key")?);
    fields.finish()?;
    Ok(key)
}

/// Formats the file of an Ed25519 signing key: its name (the origin), its seed and its verification key.
pub fn format_signing(name: &str, seed: &[u8; 32], vkey: &str) -> Vec<u8> {
    let seed = Zeroizing::new(crate::hex::encode(seed));
    statefile::format(
        SIGNING,
        &Build::default().str("name", name).str("seed", &seed).str("vkey", vkey).done(),
    )
}

/// Reads the file of a signing key: name, seed, verification key.
pub fn parse_signing(bytes: &[u8]) -> Result<(String, Zeroizing<[u8; 32]>, String), FieldError> {
    let value = statefile::parse(SIGNING, bytes).map_err(|error| FieldError(error.to_string()))?;
    let fields = Fields::of(&value)?;
    let key =
        (fields.str("name")?.to_owned(), Zeroizing::new(fields.hex("seed")?), fields.str("vkey")?.to_owned());
    fields.finish()?;
    Ok(key)
}

/// Formats a change of a ledger's key as a state file of this name, [`CHANGE`] or [`CHANGE_REQUEST`].
pub fn format_change(name: &str, change: &KeyChange) -> Vec<u8> {
    let value = Build::default().str("statement", &change.statement).str("checkpoint", &change.checkpoint);
    statefile::format(name, &value.done())
}

/// Reads what [`format_change`] writes. Nothing in it is verified.
pub fn parse_change(name: &str, bytes: &[u8]) -> Result<KeyChange, FieldError> {
    let value = statefile::parse(name, bytes).map_err(|error| FieldError(error.to_string()))?;
    let fields = Fields::of(&value)?;
    let change = KeyChange {
        statement: fields.str("statement")?.to_owned(),
        checkpoint: fields.str("checkpoint")?.to_owned(),
    };
    fields.finish()?;
    Ok(change)
}

/// A data key as the key store holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrappedKey {
    /// Its random id, which the file it encrypts names.
    pub id: [u8; 16],
    /// What it encrypts, for people: a path below the data directory.
    pub file: String,
    /// Nonce, wrapped key and tag.
    pub wrapped: Vec<u8>,
}

impl WrappedKey {
    /// Wraps `key` under the wrapping key.
    pub fn wrap(wrapping: &Key, key: &Key, id: [u8; 16], file: &str, nonce: [u8; 24]) -> Self {
        let wrapped = wrapping.sealer().seal(nonce, &aad(&id, file), key.bytes());
        Self { id, file: file.to_owned(), wrapped }
    }

    /// Unwraps the key; `None` if the wrapping key is another one.
    pub fn unwrap(&self, wrapping: &Key) -> Option<Key> {
        let plain = Zeroizing::new(wrapping.sealer().open(&aad(&self.id, &self.file), &self.wrapped).ok()?);
        Some(Key::new(plain.as_slice().try_into().ok()?))
    }

    /// Formats the key's file.
    pub fn format(&self) -> Vec<u8> {
        let value = Build::default()
            .str("id", &crate::hex::encode(&self.id))
            .str("file", &self.file)
            .str("wrapped", &crate::hex::encode(&self.wrapped));
        statefile::format(DATA, &value.done())
    }

    /// Reads a key's file.
    pub fn parse(bytes: &[u8]) -> Result<Self, FieldError> {
        let value = statefile::parse(DATA, bytes).map_err(|error| FieldError(error.to_string()))?;
        let fields = Fields::of(&value)?;
        let wrapped: [u8; 24 + 32 + 16] = fields.hex("wrapped")?;
        let key =
            Self { id: fields.hex("id")?, file: fields.str("file")?.to_owned(), wrapped: wrapped.to_vec() };
        fields.finish()?;
        Ok(key)
    }
}

/// Associated data of a wrapped key; the file's name is hashed so that the width is fixed.
fn aad(id: &[u8; 16], file: &str) -> Vec<u8> {
    let mut aad = b"ledgerstone/data-key/v1".to_vec();
    aad.resize(32, 0);
    aad.extend_from_slice(id);
    aad.extend_from_slice(&Sha256::digest(file.as_bytes()));
    aad
}
