//! Entries changed together with tiles, register and checkpoint.

use evidence::layout;
use record::entry::ENTRY_LEN;
use tlog::{
    Checkpoint, Frontier, Hash, Origin, SigningKey, TILE_WIDTH, Tile, TileStack, UnverifiedCheckpoint,
    bundle_path, decode_bundle, encode_bundle, encode_tile, leaf_hash, partial_width, sign_checkpoint,
};

use super::rechain::with_register;
use super::{Aim, Blame, Mutation};
use crate::copy::Changes;
use crate::map::What;

/// How much of what hangs on an entry is made to fit.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Fit {
    Bundle,
    Leaf,
    Tiles,
    Register,
}

pub(super) fn change_time(aim: &mut Aim<'_>) -> Option<Mutation> {
    let fit = *aim.dice.pick(&[Fit::Bundle, Fit::Leaf, Fit::Tiles])?;
    let ledger = aim.ledger()?;
    change_entry(aim, ledger, fit, |aim, entry| {
        let old = u64::from_be_bytes(entry[2..10].try_into().unwrap_or_default());
        let delta = aim.dice.within(1, 100_000) as u64;
        let new = if aim.dice.below(2) == 0 { old + delta } else { old - delta };
        entry[2..10].copy_from_slice(&new.to_be_bytes());
    })
}

pub(super) fn rehash_tree(aim: &mut Aim<'_>) -> Option<Mutation> {
    let fit = *aim.dice.pick(&[Fit::Leaf, Fit::Tiles, Fit::Register])?;
    let ledger = aim.ledger()?;
    change_entry(aim, ledger, fit, any_byte)
}

pub(super) fn re_sign(aim: &mut Aim<'_>) -> Option<Mutation> {
    let ledger = aim.ledger()?;
    let signing = aim.signing;
    let key = signing.get(ledger)?.as_ref()?;
    let mut mutation = change_entry(aim, ledger, Fit::Register, any_byte)?;
    let registered = mutation.changes.get(layout::REGISTER)?.as_ref()?;
    let state = evidence::register::Registered::parse(registered).ok()?.ledgers.swap_remove(ledger);
    let note = sign(&state.origin, state.size, state.root, key)?;
    mutation.changes.insert(layout::checkpoint(&state.name), Some(note));
    // Everything agrees but the payload with its entry.
    let payloads = aim.map.files.iter().filter(|file| match file.what {
        What::Wal { .. } => true,
        What::Segment { ledger: of, .. } => of == ledger,
        _ => false,
    });
    mutation.blame = Blame::OneOf(payloads.map(|file| file.name.clone()).collect());
    Some(mutation)
}

pub(super) fn older_checkpoint(aim: &mut Aim<'_>) -> Option<Mutation> {
    let ledger = aim.ledger()?;
    let signing = aim.signing;
    let key = signing.get(ledger)?.as_ref()?;
    let entries = entries(aim, ledger)?;
    let state = &aim.map.registered.ledgers[ledger];
    // In a store that was cut off, the register may rightly be ahead of the checkpoint, down to what is sealed.
    let below = if aim.map.registered.stopped { state.size } else { state.sealed };
    let size = aim.dice.within(1, (below as usize).checked_sub(1).filter(|most| *most > 0)?);
    let mut changes = Changes::new();
    let root = if aim.dice.below(2) == 0 {
        tree(aim, ledger, &entries[..size], &mut changes).root()
    } else {
        tree(aim, ledger, &entries[..size], &mut Changes::new()).root()
    };
    let path = layout::checkpoint(&state.name);
    changes.insert(path.clone(), Some(sign(&state.origin, size as u64, root, key)?));
    // The files that such a checkpoint implies, and does not.
    let mut others: Vec<String> = vec![layout::REGISTER.to_owned()];
    others.extend(
        aim.map
            .files
            .iter()
            .filter(|file| matches!(file.what, What::Tile(..) | What::Bundle { .. }))
            .map(|file| file.name.clone()),
    );
    Mutation::blaming(changes, others)
}

pub(super) fn forge_signature(aim: &mut Aim<'_>) -> Option<Mutation> {
    let ledger = aim.ledger()?;
    let state = &aim.map.registered.ledgers[ledger];
    let path = layout::checkpoint(&state.name);
    let old = String::from_utf8(aim.copy.read(&path).ok()?).ok()?;
    let claimed = UnverifiedCheckpoint::parse(old.as_bytes()).ok()?.claimed().clone();
    let mut seed = [0; 32];
    seed.copy_from_slice(&aim.dice.bytes(32));
    let thief = SigningKey::from_seed(&state.origin, seed).ok()?;
    let (text, signature) = old.split_once("\n\n")?;
    let other = |size, root| Checkpoint { origin: claimed.origin.clone(), size, root }.to_text();
    let note = match aim.dice.below(5) {
        // Somebody else's key under the same name.
        0 => sign_checkpoint(&claimed, &thief),
        // The signature of another tree.
        1 => match aim.signing.get(ledger)? {
            Some(key) => {
                let note = sign_checkpoint(&Checkpoint { root: leaf_hash(&seed), ..claimed.clone() }, key);
                format!("{text}\n\n{}", note.split_once("\n\n")?.1)
            }
            None => format!("{text}\n\n"),
        },
        2 => format!("{}\n{signature}", other(claimed.size, leaf_hash(&seed))),
        3 => format!("{}\n{signature}", other(claimed.size + 1, claimed.root)),
        // Somebody else's key, and a register that names it.
        _ => {
            let mut registered = aim.map.registered.clone();
            registered.ledgers[ledger].vkey = thief.verifying_key().to_string();
            let mut changes = Changes::from([(path, Some(sign_checkpoint(&claimed, &thief).into_bytes()))]);
            with_register(aim, &registered, &mut changes);
            return Mutation::blaming(changes, Vec::new());
        }
    };
    Mutation::file(&path, Some(note.into_bytes()))
}

/// Any byte of an entry but its version and kind, which say how it is to be read.
fn any_byte(aim: &mut Aim<'_>, entry: &mut [u8]) {
    let at = aim.dice.within(2, ENTRY_LEN - 1);
    entry[at] ^= aim.dice.within(1, 255) as u8;
}

fn change_entry(
    aim: &mut Aim<'_>,
    ledger: usize,
    fit: Fit,
    change: impl Fn(&mut Aim<'_>, &mut [u8]),
) -> Option<Mutation> {
    let mut entries = entries(aim, ledger)?;
    // Where nothing covers the youngest bundles yet, an older one is taken.
    let sealed = aim.map.registered.ledgers[ledger].sealed as usize;
    let below = if aim.map.registered.stopped { entries.len() } else { sealed };
    let index = aim.dice.below(below);
    change(aim, entries.get_mut(index)?);
    let mut all = Changes::new();
    let stack = tree(aim, ledger, &entries, &mut all);
    let name = aim.map.ledger(ledger);
    let at = index as u64 / u64::from(TILE_WIDTH);
    let width = match entries.len() as u64 / u64::from(TILE_WIDTH) {
        full if at < full => TILE_WIDTH,
        _ => partial_width(0, entries.len() as u64),
    };
    let bundle = layout::resource(name, &bundle_path(at, width));
    let leaf = layout::resource(name, &Tile { level: 0, index: at, width }.path());
    let mut others = vec![layout::checkpoint(name)];
    others.extend(all.keys().cloned());
    match fit {
        Fit::Bundle => all.retain(|path, _| *path == bundle),
        Fit::Leaf => all.retain(|path, _| *path == bundle || *path == leaf),
        Fit::Tiles => {}
        Fit::Register => {
            let mut registered = aim.map.registered.clone();
            let state = &mut registered.ledgers[ledger];
            state.root = stack.root();
            let sealed = entries.iter().take(state.sealed as usize).map(|entry| leaf_hash(entry));
            state.sealed_frontier = sealed.collect::<Frontier>().hashes().to_vec();
            with_register(aim, &registered, &mut all);
        }
    }
    match fit {
        Fit::Bundle => Mutation::of(all),
        _ => Mutation::blaming(all, others),
    }
}

/// The entries of a ledger, from its bundles.
fn entries(aim: &Aim<'_>, ledger: usize) -> Option<Vec<Vec<u8>>> {
    let size = aim.map.registered.ledgers[ledger].size;
    let mut entries = Vec::new();
    for (index, width) in tlog::bundles_for_size(size) {
        let path = layout::resource(aim.map.ledger(ledger), &bundle_path(index, width));
        let bytes = aim.copy.read(&path).ok()?;
        entries.extend(decode_bundle(&bytes).ok()?.into_iter().map(<[u8]>::to_vec));
    }
    Some(entries)
}

/// Adds to `changes` what differs between the tiles and bundles there are and those of other entries.
fn tree(aim: &Aim<'_>, ledger: usize, entries: &[Vec<u8>], changes: &mut Changes) -> TileStack {
    let path = |resource: &str| layout::resource(aim.map.ledger(ledger), resource);
    let mut files = Changes::new();
    let mut stack = TileStack::new();
    for entry in entries {
        stack.push(leaf_hash(entry), &mut |tile, hashes| {
            files.insert(path(&tile.path()), Some(encode_tile(hashes)));
        });
    }
    for (tile, hashes) in stack.partials() {
        files.insert(path(&tile.path()), Some(encode_tile(hashes)));
    }
    for (index, bundle) in entries.chunks(usize::from(TILE_WIDTH)).enumerate() {
        let bytes = encode_bundle(bundle).unwrap_or_default();
        files.insert(path(&bundle_path(index as u64, bundle.len() as u16)), Some(bytes));
    }
    let old = aim.map.files.iter().filter(|file| match file.what {
        What::Tile(of, _) | What::Bundle { ledger: of, .. } => of == ledger,
        _ => false,
    });
    for file in old {
        files.entry(file.name.clone()).or_insert(None);
    }
    files.retain(|name, bytes| aim.copy.read(name).ok() != *bytes);
    changes.extend(files);
    stack
}

fn sign(origin: &str, size: u64, root: Hash, key: &SigningKey) -> Option<Vec<u8>> {
    let checkpoint = Checkpoint { origin: Origin::new(origin).ok()?, size, root };
    Some(sign_checkpoint(&checkpoint, key).into_bytes())
}
