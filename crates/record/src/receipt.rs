//! What a producer gets back: enough to recompute its own entry from its own bytes, and need not believe the server
//! about what was recorded.

use crate::canonical;
use crate::commit::{FacetHasher, Salt, commitment};
use crate::entry::{ENTRY_LEN, Entry, EntryError};
use crate::facet::{FACETS, Facet, TABLE_VERSION};
use crate::hex;
use crate::json::{self, JsonError, Object, Value};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use tlog::{CheckpointError, Hash, ProofError, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey};

#[cfg(test)]
mod tests;

/// The member `type` of the only version there is.
pub const RECEIPT_TYPE: &str = "ledgerstone/receipt/v1";

/// The longest receipt, in bytes, that is read.
pub const MAX_RECEIPT_LEN: usize = 1 << 20;

/// A receipt: well formed, nothing verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The origin of the ledger.
    pub origin: String,
    /// The id of the ledger.
    pub ledger_id: [u8; 32],
    /// Index of the entry.
    pub index: u64,
    /// How much the server promised when it answered.
    pub level: Level,
    /// The entry, [`Entry::encode`].
    pub entry: [u8; ENTRY_LEN],
    /// Version of the facet table.
    pub table_version: u16,
    /// Salt of the raw facet.
    pub salt_5: Salt,
    /// Digests of facets 0 to 4.
    pub digests: [[u8; 32]; FACETS - 1],
    /// Where the entry is in a signed tree, once there is one.
    pub proof: Option<ReceiptProof>,
}

/// A signed checkpoint and the way to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptProof {
    /// The checkpoint note, byte for byte.
    pub checkpoint: String,
    /// The inclusion proof, leaf's sibling first (RFC 6962 section 2.1.1).
    pub hashes: Vec<Hash>,
}

/// How far a record has got; each level includes those before it (DESIGN section 1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Survives power loss.
    Durable,
    /// In a published, durable, signed checkpoint.
    Committed,
    /// Cosigned by a quorum of the policy.
    Witnessed,
    /// A write-once copy was read back and verified.
    Archived,
}

impl Level {
    /// All levels in their order.
    pub const ALL: [Level; 4] = [Level::Durable, Level::Committed, Level::Witnessed, Level::Archived];

    /// The word in receipts and settings.
    pub fn name(self) -> &'static str {
        match self {
            Level::Durable => "durable",
            Level::Committed => "committed",
            Level::Witnessed => "witnessed",
            Level::Archived => "archived",
        }
    }

    /// The level with this name.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }
}

impl Receipt {
    /// Reads what [`Receipt::to_json`] writes, in any order and with any whitespace.
    ///
    /// # Errors
    /// [`ReceiptError::Json`] or [`ReceiptError::Malformed`], also for a member that this version does not know.
    pub fn parse(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
        if bytes.len() > MAX_RECEIPT_LEN {
            return Err(ReceiptError::Malformed("longer than a receipt can be"));
        }
        let value = json::parse(bytes).map_err(ReceiptError::Json)?;
        let object = value.as_object().ok_or(ReceiptError::Malformed("not an object"))?;
        let receipt = read(object)?;
        let mut canonical = Vec::with_capacity(bytes.len());
        canonical::write(&value, &mut canonical);
        if canonical != receipt.to_json().as_bytes() {
            return Err(ReceiptError::Malformed("a member that is unknown or spelt in another way"));
        }
        Ok(receipt)
    }

    /// One line of canonical JSON without a final newline: `index` is a decimal string, `ledger_id` hexadecimal, other
    /// bytes standard base64.
    pub fn to_json(&self) -> String {
        let base64 = |bytes: &[u8]| Value::from(STANDARD.encode(bytes));
        let mut object = Object::new();
        object.push("type", RECEIPT_TYPE);
        object.push("origin", &*self.origin);
        object.push("ledger_id", hex::encode(&self.ledger_id));
        object.push("index", self.index.to_string());
        object.push("level", self.level.name());
        object.push("entry", base64(&self.entry));
        object.push("table_version", u32::from(self.table_version));
        object.push("salt_5", base64(self.salt_5.as_bytes()));
        object.push("digests", self.digests.iter().map(|digest| base64(digest)).collect::<Vec<_>>());
        if let Some(proof) = &self.proof {
            object.push("checkpoint", &*proof.checkpoint);
            object.push("proof", proof.hashes.iter().map(|hash| base64(hash.as_bytes())).collect::<Vec<_>>());
        }
        String::from_utf8_lossy(&canonical::object(&object)).into_owned()
    }

    /// The entry, read.
    ///
    /// # Errors
    /// [`ReceiptError::Entry`]; see there for what is undecidable.
    pub fn decode_entry(&self) -> Result<Entry, ReceiptError> {
        Entry::decode(&self.entry).map_err(ReceiptError::Entry)
    }

    /// The leaf that the proof starts from.
    pub fn leaf_hash(&self) -> Hash {
        tlog::leaf_hash(&self.entry)
    }

    /// Checks that the entry commits to exactly these raw bytes: raw → digest_5 → commitment → entry.
    ///
    /// # Errors
    /// [`ReceiptError::RawMismatch`] if other bytes were recorded, or [`ReceiptError::TableVersion`] and
    /// [`ReceiptError::Entry`] if this version can't tell.
    pub fn check_raw(&self, raw: &[u8]) -> Result<(), ReceiptError> {
        let mut hasher = self.raw_hasher();
        hasher.update(raw);
        self.check_raw_digest(hasher.finish())
    }

    /// Starts digest_5, for raw bytes that are read in pieces.
    pub fn raw_hasher(&self) -> FacetHasher {
        FacetHasher::new(Facet::Raw, &self.salt_5)
    }

    /// [`Receipt::check_raw`] given digest_5.
    ///
    /// # Errors
    /// As for [`Receipt::check_raw`].
    pub fn check_raw_digest(&self, digest_5: [u8; 32]) -> Result<(), ReceiptError> {
        if self.table_version != TABLE_VERSION {
            return Err(ReceiptError::TableVersion(self.table_version));
        }
        let entry = self.decode_entry()?;
        let mut digests = [digest_5; FACETS];
        digests[..FACETS - 1].copy_from_slice(&self.digests);
        if commitment(&self.ledger_id, self.table_version, &digests) != entry.commitment {
            return Err(ReceiptError::RawMismatch);
        }
        Ok(())
    }

    /// Checks that the checkpoint is of this origin, signed by `key`, and includes the entry.
    ///
    /// # Errors
    /// [`ReceiptError::NoProof`] if the receipt is too early to have one, else what is wrong with it.
    pub fn check_proof(&self, key: &VerifierKey) -> Result<VerifiedCheckpoint, ReceiptError> {
        let proof = self.proof.as_ref().ok_or(ReceiptError::NoProof)?;
        let checkpoint = UnverifiedCheckpoint::parse(proof.checkpoint.as_bytes())
            .and_then(|checkpoint| checkpoint.verify(&self.origin, std::slice::from_ref(key), &[]))
            .map_err(ReceiptError::Checkpoint)?;
        checkpoint
            .check_inclusion(self.index, &self.leaf_hash(), &proof.hashes)
            .map_err(ReceiptError::Inclusion)?;
        Ok(checkpoint)
    }
}

fn read(object: &Object<'_>) -> Result<Receipt, ReceiptError> {
    let text = |name| object.get(name).and_then(Value::str).ok_or(ReceiptError::Malformed(name));
    if text("type")? != RECEIPT_TYPE {
        return Err(ReceiptError::Malformed("type"));
    }
    let table_version = object.get("table_version").and_then(Value::as_u64);
    let digests = list(object, "digests")?.unwrap_or_default();
    Ok(Receipt {
        origin: text("origin")?.to_owned(),
        ledger_id: hex::decode(text("ledger_id")?).ok_or(ReceiptError::Malformed("ledger_id"))?,
        index: text("index")?.parse().map_err(|_| ReceiptError::Malformed("index"))?,
        level: Level::from_name(text("level")?).ok_or(ReceiptError::Malformed("level"))?,
        entry: bytes(text("entry")?).ok_or(ReceiptError::Malformed("entry"))?,
        table_version: table_version
            .and_then(|version| u16::try_from(version).ok())
            .ok_or(ReceiptError::Malformed("table_version"))?,
        salt_5: Salt(bytes(text("salt_5")?).ok_or(ReceiptError::Malformed("salt_5"))?),
        digests: digests.try_into().map_err(|_| ReceiptError::Malformed("digests"))?,
        proof: match list(object, "proof")? {
            None => None,
            Some(hashes) => Some(ReceiptProof {
                checkpoint: text("checkpoint")?.to_owned(),
                hashes: hashes.into_iter().map(Hash::from_bytes).collect(),
            }),
        },
    })
}

/// A list of at most 64 hashes, which is as long as a proof gets.
fn list(object: &Object<'_>, name: &'static str) -> Result<Option<Vec<[u8; 32]>>, ReceiptError> {
    let Some(value) = object.get(name) else { return Ok(None) };
    let hashes = value.as_array().filter(|elements| elements.len() <= 64).and_then(|elements| {
        elements.iter().map(|element| element.str().and_then(bytes)).collect::<Option<Vec<_>>>()
    });
    hashes.map(Some).ok_or(ReceiptError::Malformed(name))
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    // Room for what a text of one group too many could hold; anything longer fails for want of room.
    let mut buffer = [0; ENTRY_LEN + 4];
    let length = STANDARD.decode_slice(text, &mut buffer).ok()?;
    buffer[..length].try_into().ok()
}

/// Why a receipt was refused. [`ReceiptError::RawMismatch`], [`ReceiptError::Checkpoint`] and
/// [`ReceiptError::Inclusion`] disprove it; the others leave the question open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptError {
    /// Not strict JSON.
    Json(JsonError),
    /// Not a receipt: which member, or what is wrong.
    Malformed(&'static str),
    /// The entry is of a later version, or no entry.
    Entry(EntryError),
    /// A facet table that this version does not know.
    TableVersion(u16),
    /// The entry commits to other bytes.
    RawMismatch,
    /// The receipt was given before there was a checkpoint.
    NoProof,
    /// The checkpoint is not by this ledger.
    Checkpoint(CheckpointError),
    /// The checkpoint does not include the entry.
    Inclusion(ProofError),
}

impl ReceiptError {
    /// Whether a later version may understand what this one does not: undecidable, not damage.
    pub fn is_undecidable(&self) -> bool {
        matches!(self, Self::TableVersion(_) | Self::Entry(EntryError::Undecidable { .. }))
    }
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReceiptError::Json(error) => write!(f, "receipt: {error}"),
            ReceiptError::Malformed(what) => write!(f, "malformed receipt: {what}"),
            ReceiptError::Entry(error) => write!(f, "receipt: {error}"),
            ReceiptError::TableVersion(version) => write!(f, "facet table of an unknown version: {version}"),
            ReceiptError::RawMismatch => f.write_str("the entry does not commit to these raw bytes"),
            ReceiptError::NoProof => f.write_str("the receipt has no proof yet"),
            ReceiptError::Checkpoint(error) => write!(f, "checkpoint of the receipt: {error}"),
            ReceiptError::Inclusion(error) => write!(f, "inclusion proof of the receipt: {error}"),
        }
    }
}

impl std::error::Error for ReceiptError {}
