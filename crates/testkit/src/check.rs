//! The whole-ledger checker: reads a store back with the formats alone, never with the engine, and compares it with
//! what its clients were told and with every checkpoint that was ever signed (DESIGN I1 to I4, I6).
//!
//! It expects a store that the engine has opened since the last crash and that nobody is writing to.

mod events;
mod keys;
mod log;
mod rekey;
mod segments;
mod strays;
mod tree;

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use evidence::layout;
use evidence::register::{LedgerState, Registered};
use record::commit::Seed;
use record::entry::{ENTRY_LEN, Entry};
use record::facet::FACETS;
use record::stored::{self, Opening};
use storage::Disk;

use crate::expected::Expected;
use keys::Keys;

/// A broken promise: where, and what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation(pub String);

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Violation {}

/// Makes a [`Violation`] of a place and what is wrong there.
pub(crate) fn broken<T>(place: impl fmt::Display, what: impl fmt::Display) -> Result<T, Violation> {
    Err(Violation(format!("{place}: {what}")))
}

/// A record as stored.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Stored {
    pub opening: Opening,
    pub facets: [Vec<u8>; FACETS],
}

/// A ledger put together from all files.
pub(crate) struct Contents {
    pub state: LedgerState,
    /// All durable entries.
    pub entries: Vec<[u8; ENTRY_LEN]>,
    /// Their records.
    pub records: Vec<Arc<Stored>>,
}

impl Contents {
    /// Name of a place for messages.
    pub(crate) fn at(&self, index: usize) -> String {
        format!("ledger {}, index {index}", self.state.name)
    }

    /// The entries, decoded, with their records.
    pub(crate) fn decoded(&self) -> Result<Vec<(Entry, &Stored)>, Violation> {
        let pairs = self.entries.iter().zip(&self.records).enumerate();
        let decode = pairs.map(|(index, (bytes, stored))| match Entry::decode(bytes) {
            Ok(entry) => Ok((entry, stored.as_ref())),
            Err(error) => broken(self.at(index), error),
        });
        decode.collect()
    }
}

/// What a check has seen, for tests that want to know that there was something to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Entries, sealed entries and size of the published checkpoint, by ledger name.
    pub ledgers: BTreeMap<String, (u64, u64, u64)>,
    /// Write-ahead files.
    pub wal_files: usize,
    /// Changes of signing keys, of all ledgers.
    pub changes: usize,
    /// Torn tails that were set aside.
    pub set_aside: usize,
}

/// Checks stores; remembers which records it has verified, so that thousands of states of one store are quick.
#[derive(Default)]
pub struct Checker {
    verified: HashMap<[u8; ENTRY_LEN], Arc<Stored>>,
}

impl Checker {
    /// Starts with nothing verified.
    pub fn new() -> Self {
        Self::default()
    }

    /// Checks the store in `data`, whose keys are in `keys`.
    ///
    /// # Errors
    /// The first broken promise.
    pub fn check(
        &mut self,
        data: &dyn Disk,
        keys: &dyn Disk,
        expected: &Expected,
    ) -> Result<Summary, Violation> {
        let register = read(data, layout::REGISTER)?;
        let register = Registered::parse(&register).or_else(|error| broken(layout::REGISTER, error))?;
        let keys = Keys::read(keys)?;
        let mut log = log::read_log(data, &keys, &register)?;
        let mut summary = Summary { wal_files: log.files, ..Summary::default() };
        let mut cuts = Vec::new();
        for state in &register.ledgers {
            let dir = layout::ledger_dir(&state.name);
            let from_log = log.ledgers.remove(&state.id).unwrap_or_default();
            let sealed = segments::read_segments(data, &keys, state)?;
            let contents = assemble(data, state, from_log, sealed.records)?;
            if (contents.entries.len() as u64) < state.size {
                return broken(dir, format!("{} entries of {}", contents.entries.len(), state.size));
            }
            self.verify_records(&contents)?;
            let tree = tree::Tree::of(&contents.entries);
            let history = rekey::history(&contents, &tree)?;
            let published = tree::check(data, &keys, state, (&tree, &history))?;
            cuts.extend(events::check(&contents, &sealed.files)?);
            if let Some(expected) = expected.0.get(&state.name) {
                events::compare(&contents, expected)?;
                tree::compare(&tree, &state.name, expected)?;
            }
            summary.changes += history.changes().len();
            let sizes = (contents.entries.len() as u64, state.sealed, published);
            summary.ledgers.insert(state.name.clone(), sizes);
        }
        if let Some(missing) = expected.0.keys().find(|name| !summary.ledgers.contains_key(*name)) {
            return broken(missing, "the register does not know this ledger");
        }
        summary.set_aside = strays::check_set_aside(data, &cuts, &log.torn)?;
        strays::check_names(data, &register)?;
        Ok(summary)
    }

    /// Checks every record against its entry.
    fn verify_records(&mut self, contents: &Contents) -> Result<(), Violation> {
        for (index, (bytes, stored)) in contents.entries.iter().zip(&contents.records).enumerate() {
            if self.verified.get(bytes).is_some_and(|known| known == stored) {
                continue;
            }
            let entry = Entry::decode(bytes).or_else(|error| broken(contents.at(index), error))?;
            let facets = std::array::from_fn(|facet| &stored.facets[facet][..]);
            stored::check(&entry, &contents.state.id, &stored.opening, &facets)
                .or_else(|error| broken(contents.at(index), error))?;
            if stored.opening == Opening::Seed(Seed([0; 16])) {
                return broken(contents.at(index), "the seed is all zeros");
            }
            self.verified.insert(*bytes, stored.clone());
        }
        Ok(())
    }
}

/// Puts a ledger together: what is sealed from bundles and segments, the rest from the write-ahead log. What is in both
/// must be the same.
fn assemble(
    data: &dyn Disk,
    state: &LedgerState,
    log: BTreeMap<u64, log::Logged>,
    mut sealed: BTreeMap<u64, Arc<Stored>>,
) -> Result<Contents, Violation> {
    let mut contents = Contents { state: state.clone(), entries: Vec::new(), records: Vec::new() };
    contents.entries = segments::sealed_entries(data, state)?;
    for index in 0..state.sealed {
        let Some(stored) = sealed.remove(&index) else {
            return broken(contents.at(index as usize), "no segment holds it");
        };
        let (entry, name) = (&contents.entries[index as usize], contents.at(index as usize));
        match log.get(&index) {
            Some(logged) if logged.entry != *entry => return broken(name, "bundle and log differ"),
            Some(logged) if logged.stored != stored => return broken(name, "segment and log differ"),
            _ => contents.records.push(stored),
        }
    }
    for (index, logged) in log.into_iter().skip_while(|(index, _)| *index < state.sealed) {
        if index != contents.entries.len() as u64 {
            return broken(contents.at(contents.entries.len()), "neither sealed nor in the log");
        }
        contents.entries.push(logged.entry);
        contents.records.push(logged.stored);
    }
    Ok(contents)
}

/// Reads a file that must be there.
pub(crate) fn read(disk: &dyn Disk, path: &str) -> Result<Vec<u8>, Violation> {
    disk.read(path).or_else(|error| broken(path, error))
}
