//! Receipts of a ledger that could not go on, asked about at the server of the one that continues it: what of it is in the
//! tree that is continued, and what the recovery has lost.

use ::monitor::{Found, HttpSource, Promise, Source, Tree};
use evidence::predecessor::Predecessor;
use serde_json::Value;
use tlog::{UnverifiedCheckpoint, VerifierKey, leaf_hash, verify_inclusion};

use super::{Client, json, prove, remote};
use crate::failure::Failure;

/// A ledger of the server and what it continues.
pub(super) struct Heir {
    /// Its origin.
    pub origin: String,
    /// What its genesis names, which was found in the tree that it signs.
    pub old: Predecessor,
}

/// What a receipt of the old ledger is worth now.
pub(super) enum Worth {
    /// Its entry is in the tree that is continued.
    Continued,
    /// Its entry lies beyond that tree: whoever has the receipt is the only one.
    Lost,
    /// Nobody here can tell.
    Undecided(String),
}

/// The ledgers of a server that continue another. Those whose first record is not for whoever asks are passed over.
///
/// # Errors
/// The server does not answer.
pub(super) fn heirs(
    client: &Client,
    ledgers: &[Found],
    key: Option<&VerifierKey>,
    source: &dyn Fn(&Found) -> HttpSource,
) -> Result<Vec<Heir>, Failure> {
    let Ok(names) = client.get_json("/v1/ledgers") else { return Ok(Vec::new()) };
    let mut heirs = Vec::new();
    for ledger in ledgers {
        let named = names
            .as_array()
            .and_then(|list| list.iter().find(|of| json::text(of, "origin") == Some(&ledger.origin)));
        let id = |of: &Value| evidence::hex::decode(json::text(of, "id")?);
        let Some((name, id)) = named.and_then(|of| Some((json::text(of, "name")?, id(of)?))) else {
            continue;
        };
        let key = match key {
            Some(key) if key.name() == ledger.origin => key.clone(),
            Some(_) => continue,
            None => prove::parse_key(&ledger.vkey)?,
        };
        let Some((entry, genesis)) = remote::genesis_of(client, name, &id) else { continue };
        let Ok(Some(old)) = Predecessor::of(&genesis) else { continue };
        let source = source(ledger);
        let note = source.get("checkpoint", tlog::note::MAX_NOTE_LEN as u64).map_err(Failure::trouble)?;
        let note = UnverifiedCheckpoint::parse_with_extensions(&note.unwrap_or_default());
        let Ok(newest) = note.and_then(|note| note.verify(&ledger.origin, &[key], &[])) else { continue };
        let newest = newest.checkpoint();
        let first = Tree::open(&source, None, newest.size, newest.root).and_then(|tree| tree.leaf(0));
        if first.is_ok_and(|leaf| leaf == leaf_hash(&entry)) && genesis.origin == ledger.origin {
            heirs.push(Heir { origin: ledger.origin.clone(), old });
        }
    }
    Ok(heirs)
}

impl Heir {
    /// What a receipt of the ledger that is continued is worth.
    pub(super) fn worth(&self, promise: &Promise) -> Worth {
        let Predecessor { origin, size, root, .. } = &self.old;
        let index = promise.index;
        if index >= *size {
            return Worth::Lost;
        }
        if let Some((note, hashes)) = &promise.proof
            && let Ok(note) = UnverifiedCheckpoint::parse(note.as_bytes())
            && note.claimed().size == *size
        {
            let claimed = note.claimed();
            if claimed.root.to_base64() != *root {
                return Worth::Undecided(format!(
                    "entry {index}: its checkpoint and the one that {} continues are of two histories of {origin}: show both around",
                    self.origin
                ));
            }
            if verify_inclusion(index, *size, &promise.leaf, hashes, &claimed.root).is_ok() {
                return Worth::Continued;
            }
        }
        Worth::Undecided(format!(
            "entry {index} is one of the {size} of {origin} that {} continues; whether it is this one only a store of the old \
             ledger can show: ledgerstone verify OLD --kept RECEIPT",
            self.origin
        ))
    }
}
