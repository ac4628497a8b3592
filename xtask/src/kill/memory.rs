//! What clients know of a ledger, and the check that the ledger still knows it.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use record::entry::{ENTRY_LEN, Entry, Kind};
use record::receipt::Level;
use serde_json::Value;
use tlog::{Frontier, Hash, UnverifiedCheckpoint, VerifierKey, leaf_hash};

use super::clients::{Kept, text};
use crate::program::{Response, Server};

/// Whoever answers for the ledger.
pub trait Answers {
    /// The answer for a path; anything but success is an error.
    fn get(&self, path: &str) -> Result<Response, String>;
}

impl Answers for Server {
    fn get(&self, path: &str) -> Result<Response, String> {
        Server::get(self, path)
    }
}

/// Everything seen so far, of a ledger that nobody else writes to.
#[derive(Default)]
pub struct Memory {
    key: Option<(String, VerifierKey)>,
    origin: String,
    prefix: String,
    /// Receipts by index, those that were not looked for yet apart.
    kept: BTreeMap<u64, Kept>,
    unchecked: Vec<u64>,
    /// Root of every signed checkpoint by its size.
    checkpoints: BTreeMap<u64, Hash>,
    /// Size that was promised to be in a checkpoint.
    committed: u64,
    entries: Vec<[u8; ENTRY_LEN]>,
    /// Root of the tree of each size from 1, computed from `entries`.
    roots: Vec<Hash>,
    frontier: Frontier,
    /// Index by the text that is in one event only.
    messages: HashMap<String, u64>,
}

impl Memory {
    /// Adds what a round has left: receipts, and notes of checkpoints.
    ///
    /// # Errors
    /// Two receipts for one entry, or a note that was not signed by the ledger.
    pub fn remember(&mut self, receipts: Vec<Kept>, notes: Vec<String>) -> Result<(), String> {
        for kept in receipts {
            let index = kept.receipt.index;
            if kept.receipt.level >= Level::Committed {
                self.committed = self.committed.max(index + 1);
            }
            match self.kept.get(&index) {
                Some(old) if old.raw != kept.raw => return Err(format!("two receipts for entry {index}")),
                _ => self.unchecked.push(index),
            }
            self.kept.insert(index, kept);
        }
        notes.iter().try_for_each(|note| self.see(note).map(|_| ()))
    }

    /// Checks that the server still has all that was promised; with `all`, also that nothing else has changed.
    ///
    /// # Errors
    /// What is not as it was.
    pub fn check(&mut self, server: &impl Answers, all: bool) -> Result<(), String> {
        self.pin(server)?;
        let size = self.see(&server.get(&format!("{}/checkpoint", self.prefix))?.text())?;
        if size < self.committed {
            return Err(format!("the checkpoint covers {size} entries, {} were promised", self.committed));
        }
        let from = match all {
            true => 0,
            // The oldest receipt that was not looked for, or what was not read yet.
            false => self.unchecked.iter().copied().fold(self.entries.len() as u64, u64::min),
        };
        self.read(server, from)?;
        if all {
            self.unchecked = self.kept.keys().copied().collect();
        }
        for index in std::mem::take(&mut self.unchecked) {
            let kept = &self.kept[&index];
            let entry =
                self.entries.get(index as usize).ok_or(format!("entry {index} was promised and is gone"))?;
            if *entry != kept.receipt.entry {
                return Err(format!("entry {index} is not the one in its receipt"));
            }
        }
        self.check_checkpoints()
    }

    /// The ledger's verification key, once seen.
    pub fn vkey(&self) -> &str {
        self.key.as_ref().map_or("", |(text, _)| text)
    }

    /// Learns who the ledger is at first sight, and that it is the same ever after.
    fn pin(&mut self, server: &impl Answers) -> Result<(), String> {
        let known = server.get("/.well-known/ledgerstone")?.json();
        let ledger = &known["ledgers"][0];
        let vkey = text(ledger, "vkey")?;
        match &self.key {
            Some((old, _)) if old != vkey => return Err(format!("the ledger has another key: {vkey}")),
            Some(_) => {}
            None => {
                let key = VerifierKey::parse(vkey).map_err(|error| format!("{vkey}: {error}"))?;
                self.key = Some((vkey.to_owned(), key));
                self.origin = text(ledger, "origin")?.to_owned();
                self.prefix = text(ledger, "prefix")?.to_owned();
            }
        }
        Ok(())
    }

    /// Verifies a note and keeps its root; the tree's size.
    fn see(&mut self, note: &str) -> Result<u64, String> {
        let (_, key) = self.key.as_ref().ok_or("a checkpoint of an unknown ledger")?;
        let checkpoint = UnverifiedCheckpoint::parse(note.as_bytes())
            .and_then(|checkpoint| checkpoint.verify(&self.origin, std::slice::from_ref(key), &[]))
            .map_err(|error| format!("checkpoint: {error}: {note}"))?;
        let (size, root) = (checkpoint.checkpoint().size, checkpoint.checkpoint().root);
        match self.checkpoints.insert(size, root) {
            Some(old) if old != root => Err(format!("two checkpoints of size {size} with different roots")),
            _ => Ok(size),
        }
    }

    /// Reads all records from `from` on: old ones must be as they were, new ones extend the tree. Payloads must be
    /// what was sent.
    fn read(&mut self, server: &impl Answers, from: u64) -> Result<(), String> {
        let answer = server.get(&format!("/v1/ledgers/main/records?from={from}"))?;
        let mut index = from;
        for line in answer.body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let record: Value = serde_json::from_slice(line).map_err(|error| format!("records: {error}"))?;
            if text(&record, "index")? != index.to_string() {
                return Err(format!("record {index} is missing: {record}"));
            }
            let bytes = base64(text(&record, "entry")?)?;
            let entry: [u8; ENTRY_LEN] =
                bytes.try_into().map_err(|_| format!("entry {index} has another length"))?;
            match self.entries.get(index as usize) {
                Some(old) if *old != entry => return Err(format!("entry {index} has changed")),
                Some(_) => {}
                None => {
                    self.entries.push(entry);
                    self.frontier.push(leaf_hash(&entry));
                    self.roots.push(self.frontier.root());
                }
            }
            self.check_payload(index, &entry, &record)?;
            index += 1;
        }
        if index < self.entries.len() as u64 {
            return Err(format!("entries from {index} on are gone, of {}", self.entries.len()));
        }
        Ok(())
    }

    fn check_payload(&mut self, index: u64, entry: &[u8; ENTRY_LEN], record: &Value) -> Result<(), String> {
        let kind = Entry::decode(entry).map_err(|error| format!("entry {index}: {error}"))?.kind;
        if kind != Kind::Event {
            return Ok(());
        }
        let raw = base64(record["facets"][5].as_str().ok_or(format!("record {index} has no raw facet"))?)?;
        if let Some(kept) = self.kept.get(&index)
            && kept.raw.as_bytes() != raw
        {
            return Err(format!("record {index} holds other bytes than were sent"));
        }
        let event: Value =
            serde_json::from_slice(&raw).map_err(|error| format!("record {index}: {error}"))?;
        let message = text(&event, "message")?.to_owned();
        match self.messages.insert(message, index) {
            Some(other) if other != index => Err(format!("one event is recorded twice: {other} and {index}")),
            _ => Ok(()),
        }
    }

    /// Every checkpoint ever signed must be of a tree of the entries that are there.
    fn check_checkpoints(&self) -> Result<(), String> {
        for (size, root) in &self.checkpoints {
            match size.checked_sub(1).and_then(|at| self.roots.get(at as usize)) {
                Some(computed) if computed == root => {}
                Some(_) => return Err(format!("the checkpoint of size {size} is of another tree")),
                None => return Err(format!("the checkpoint of size {size} is ahead of the entries")),
            }
        }
        Ok(())
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} receipts, {} entries, {} checkpoints",
            self.kept.len(),
            self.entries.len(),
            self.checkpoints.len()
        )
    }
}

fn base64(text: &str) -> Result<Vec<u8>, String> {
    STANDARD.decode(text).map_err(|error| format!("base64: {error}"))
}
