//! The keys of a ledger at a start: those that its records tell, and a change that waits to be entered
//! (docs/format.md, section 10, record `key`).
//!
//! A change is taken up as a whole by the start that enters its record: the first checkpoint that it publishes covers the
//! record, so nothing is signed in between, and every later one is signed by the new key. Cut off anywhere, the next start
//! finds the record in the log, or enters it, and arrives at the same.

use evidence::layout;
use evidence::register::LedgerState;
use evidence::segment::{self, Class};
use record::control::{Genesis, KeyChange};
use record::entry::{Entry, Kind};
use record::facet::Facet;
use tlog::hash::Hash;
use tlog::note::{SigningKey, VerifierKey};
use tlog::tile::TILE_WIDTH;
use tlog::{KeyChangeError, KeyHistory};

use crate::fault::{Doing, Fault};
use crate::keystore::{KeyStore, names};
use crate::reader::bundle_entries;
use crate::shared::{LedgerKeys, Shared};

/// What recovery found of a ledger's keys in the log.
#[derive(Default)]
pub(crate) struct KeyRecords {
    /// The genesis, while it is not sealed.
    pub genesis: Option<Genesis>,
    /// Changes that are not sealed, by index.
    pub changes: Vec<(u64, KeyChange)>,
}

/// The signing key that the register names: in its own place, or, if a start was cut off in a change, still in that of
/// the next key.
pub(crate) fn registered_key(state: &LedgerState, keys: &KeyStore) -> Result<SigningKey, Fault> {
    let path = layout::keys::signing(&state.name);
    for path in [&path, &layout::keys::signing_next(&state.name)] {
        let key = keys.signing_key_if_any(path)?;
        if let Some(key) = key.filter(|key| key.verifying_key().to_string() == state.vkey) {
            return match key.name() == state.origin {
                true => Ok(key),
                false => Err(Fault::damaged(path, "the signing key is not named like the ledger's origin")),
            };
        }
    }
    keys.signing_key(&path)?;
    Err(Fault::damaged(path, "the signing key is not the ledger's"))
}

/// Finds out what the keys of a ledger with entries are and have been, tells [`Shared`], and gives the change that is to be
/// entered at `index`, the next one, if one waits and is not in the log yet.
///
/// `root` is the root of the tree's first entries, `None` if it has fewer.
pub(crate) fn know(
    shared: &Shared,
    ledger: usize,
    state: &LedgerState,
    records: KeyRecords,
    index: u64,
    root: impl Fn(u64) -> Result<Option<Hash>, Fault>,
) -> Result<Option<KeyChange>, Fault> {
    let mut history = sealed_history(shared, ledger, state, &records)?;
    for (index, change) in &records.changes {
        enter(&mut history, *index, change, &root).map_err(|why| {
            Fault::damaged(layout::ledger_dir(&state.name), format!("entry {index}: {why}"))
        })?;
    }
    if history.in_force(state.size).to_string() != state.vkey {
        let reason = format!("{}: its records name another signing key than the register", state.name);
        return Err(Fault::damaged(layout::REGISTER, reason));
    }
    let waiting = match shared.options.enter_key_changes {
        true => shared.keys.change(&state.name)?.filter(|change| !names(change, history.newest())),
        false => None,
    };
    if let Some(change) = &waiting {
        enter(&mut history, index, change, &root).map_err(|why| {
            let file = layout::keys::change(&state.name);
            Fault::damaged(
                file,
                format!(
                    "the change of the signing key can't be entered; remove it and prepare another: {why}"
                ),
            )
        })?;
    }
    let next = signing_key(&shared.keys, &state.name, history.newest())?;
    let next = (history.newest().to_string() != state.vkey).then_some(next);
    shared.ledgers[ledger].know(LedgerKeys { history, next });
    Ok(waiting)
}

/// Whether files in the key directory still tell of a change that is through once the newest key has signed.
pub(crate) fn is_unfinished(shared: &Shared, ledger: usize) -> Result<bool, Fault> {
    let (identity, keys) = (&shared.ledgers[ledger], &shared.keys);
    let newest = identity.signing().verifying_key();
    let next = keys.signing_key_if_any(&layout::keys::signing_next(&identity.name))?;
    let waiting = keys.change(&identity.name)?;
    Ok(next.is_some_and(|next| next.verifying_key() == newest)
        || waiting.is_some_and(|change| names(&change, newest)))
}

/// Adds a change to the history, its tree held against the ledger's (K3).
fn enter(
    history: &mut KeyHistory,
    index: u64,
    change: &KeyChange,
    root: impl Fn(u64) -> Result<Option<Hash>, Fault>,
) -> Result<(), String> {
    let told = |error: KeyChangeError| error.to_string();
    let change =
        history.push(index, change.statement.as_bytes(), change.checkpoint.as_bytes()).map_err(told)?;
    match root(change.statement.size).map_err(|fault| fault.to_string())? {
        Some(root) if root == change.statement.root => Ok(()),
        _ => Err("K3: the statement is about another tree than the ledger's".to_owned()),
    }
}

/// The history up to what is sealed, from the genesis and the records of class control.
fn sealed_history(
    shared: &Shared,
    ledger: usize,
    state: &LedgerState,
    records: &KeyRecords,
) -> Result<KeyHistory, Fault> {
    let dir = layout::ledger_dir(&state.name);
    let mut genesis = records.genesis.clone();
    if genesis.is_none() {
        each_sealed(shared, ledger, state, Some(0), &mut |_, what| {
            genesis = genesis.take().or_else(|| Genesis::parse(what).ok());
        })?;
    }
    let genesis = genesis.ok_or_else(|| Fault::damaged(&dir, "the genesis record is not there"))?;
    let history = KeyHistory::new(&state.origin, &genesis.log_vkey, &genesis.authority_vkey);
    let mut history = history.map_err(|error| Fault::damaged(&dir, error))?;
    // A key never comes back, so where the first one is still in force there was no other.
    if genesis.log_vkey == state.vkey {
        return Ok(history);
    }
    let mut changes = Vec::new();
    each_sealed(shared, ledger, state, None, &mut |index, what| {
        changes.extend(KeyChange::parse(what).ok().map(|change| (index, change)));
    })?;
    changes.sort_by_key(|(index, _)| *index);
    let known = records.changes.first().map_or(u64::MAX, |(index, _)| *index);
    for (index, change) in changes.into_iter().filter(|(index, _)| *index < known) {
        let entries = bundle_entries(shared, ledger, index / u64::from(TILE_WIDTH))?;
        let at = (index % u64::from(TILE_WIDTH)) as usize;
        let entry = entries.chunks_exact(record::entry::ENTRY_LEN).nth(at).map(Entry::decode);
        if matches!(entry, Some(Ok(entry)) if entry.kind == Kind::Key) {
            let (statement, checkpoint) = (change.statement.as_bytes(), change.checkpoint.as_bytes());
            // Its tree was compared when it was entered, and has been under every signature since.
            let entered = history.push(index, statement, checkpoint);
            entered.map_err(|error| Fault::damaged(&dir, format!("entry {index}: {error}")))?;
        }
    }
    Ok(history)
}

/// Calls `each` with index and facet `what` of the sealed control records, or of those in the segment that begins at `first`.
fn each_sealed(
    shared: &Shared,
    ledger: usize,
    state: &LedgerState,
    first: Option<u64>,
    each: &mut dyn FnMut(u64, &[u8]),
) -> Result<(), Fault> {
    let dir = layout::segment_dir(&shared.ledgers[ledger].name, Class::Control);
    for file in shared.disk.list(&dir).doing("looking for changes of the signing key")? {
        let range = layout::parse_segment_name(Class::Control, &file.name);
        let Some((begins, end, _)) = range else { continue };
        if end > state.sealed || first.is_some_and(|first| first != begins) {
            continue;
        }
        let path = format!("{dir}/{}", file.name);
        let bytes = shared.disk.read(&path).doing("reading a segment")?;
        let directory = segment::check(&bytes).map_err(|e| Fault::damaged_at(&path, e.offset, e.reason))?;
        for (at, row) in directory.blocks.iter().enumerate() {
            let block = &bytes[row.offset as usize..][..row.len as usize];
            let block = directory.open_block(at, block, None);
            let block = block.map_err(|_| Fault::damaged_at(&path, row.offset, "the block does not open"))?;
            block.records().for_each(|record| each(record.index, record.facets[Facet::What as usize]));
        }
    }
    Ok(())
}

/// The signing key with this public half, wherever a change has left it.
fn signing_key(keys: &KeyStore, name: &str, vkey: &VerifierKey) -> Result<SigningKey, Fault> {
    let (next, signing) = (layout::keys::signing_next(name), layout::keys::signing(name));
    for path in [&next, &signing] {
        let key = keys.signing_key_if_any(path)?;
        if let Some(key) = key.filter(|key| key.verifying_key() == vkey) {
            return Ok(key);
        }
    }
    let reason = format!("the ledger's key changes to {vkey}, and its file is not here: put it back");
    Err(Fault::damaged(next, reason))
}
