//! The small files that people may read: settings, tokens, register.

use evidence::register::Registered;
use evidence::{layout, statefile};
use record::json;
use sha2::{Digest, Sha256};
use tlog::{Hash, SigningKey};

use super::rechain::with_register;
use super::{Aim, Mutation};
use crate::copy::Changes;
use crate::map::What;

pub(super) fn settings(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| file.what == What::Settings)?;
    let bytes = edited_settings(aim, aim.read(file)?);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn tokens(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| file.what == What::Tokens)?;
    let bytes = edited(aim, aim.read(file)?);
    Mutation::file(&file.name, Some(bytes))
}

pub(super) fn register(aim: &mut Aim<'_>) -> Option<Mutation> {
    let bytes = edited(aim, aim.copy.read(layout::REGISTER).ok()?);
    Mutation::file(layout::REGISTER, Some(bytes))
}

/// Changes what the register says of log and ledgers.
pub(super) fn register_rehashed(aim: &mut Aim<'_>) -> Option<Mutation> {
    let mut registered = aim.map.registered.clone();
    let stopped = registered.stopped;
    let mut others: Vec<String> = aim.map.files.iter().map(|file| file.name.clone()).collect();
    others.extend(registered.ledgers.iter().map(|ledger| layout::ledger_dir(&ledger.name)));
    let which = aim.ledger()?;
    let step = aim.dice.within(1, 300) as u64;
    let noise = aim.dice.bytes(32);
    let flip = |bytes: &mut [u8; 32]| bytes[usize::from(noise[0]) % 32] ^= noise[1].max(1);
    let state = &mut registered.ledgers[which];
    match aim.dice.below(12) {
        0 if stopped => state.size += step,
        1 => state.size = state.size.checked_sub(step).filter(|size| *size >= state.sealed)?,
        2 => {
            let mut root = *state.root.as_bytes();
            flip(&mut root);
            state.root = Hash::from_bytes(root);
        }
        3 => state.sealed = state.sealed.checked_add(256).filter(|sealed| *sealed <= state.size)?,
        4 => {
            let hash = state.sealed_frontier.last_mut()?;
            let mut bytes = *hash.as_bytes();
            flip(&mut bytes);
            *hash = Hash::from_bytes(bytes);
        }
        5 => flip(&mut state.id),
        6 => state.origin.push('x'),
        7 => {
            let mut seed = [0; 32];
            seed.copy_from_slice(&noise);
            state.vkey = SigningKey::from_seed(&state.origin, seed).ok()?.verifying_key().to_string();
        }
        8 => registered.wal.offset = registered.wal.offset.checked_sub(step)?,
        9 => flip(&mut registered.wal.chain),
        10 => {
            registered.wal_floor = registered.wal_floor.checked_sub(1).filter(|floor| *floor > 0)?;
            others.push(layout::wal_file(registered.wal_floor));
        }
        _ => drop(registered.ledgers.remove(which)),
    }
    rewritten(aim, &registered, others)
}

/// Changes what nothing else tells: times, counts of starts, numbering as it was when segments were sealed.
pub(super) fn register_times(aim: &mut Aim<'_>) -> Option<Mutation> {
    let mut registered = aim.map.registered.clone();
    let which = aim.ledger()?;
    let step = aim.dice.within(1, 1_000_000) as u64;
    match aim.dice.below(4) {
        0 => registered.written_ms += step,
        1 => registered.writer_epoch += step,
        2 => registered.store[0] ^= 1,
        _ => registered.ledgers[which].received_ms = step,
    }
    rewritten(aim, &registered, Vec::new())
}

pub(super) fn tokens_rehashed(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| file.what == What::Tokens)?;
    if aim.dice.below(4) == 0 {
        return Mutation::file(&file.name, None);
    }
    let text = format!(r#"{{"tokens":[{{"label":"let me in {}"}}]}}"#, aim.dice.next());
    let value = json::parse(text.as_bytes()).ok()?;
    Mutation::file(&file.name, Some(statefile::format(layout::TOKENS_NAME, &value)))
}

pub(super) fn settings_rehashed(aim: &mut Aim<'_>) -> Option<Mutation> {
    let file = aim.file(|file| file.what == What::Settings)?;
    let bytes = edited_settings(aim, aim.read(file)?);
    let mut registered = aim.map.registered.clone();
    registered.settings = Some(Sha256::digest(&bytes).into());
    let mut changes = Changes::from([(file.name.clone(), Some(bytes))]);
    with_register(aim, &registered, &mut changes);
    Mutation::of(changes)
}

fn rewritten(aim: &Aim<'_>, registered: &Registered, others: Vec<String>) -> Option<Mutation> {
    let mut changes = Changes::new();
    with_register(aim, registered, &mut changes);
    Mutation::blaming(changes, others)
}

/// One letter or digit of the second line is another.
fn edited(aim: &mut Aim<'_>, mut bytes: Vec<u8>) -> Vec<u8> {
    let line = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let places: Vec<usize> = (line..bytes.len()).filter(|at| bytes[*at].is_ascii_alphanumeric()).collect();
    if let Some(at) = aim.dice.pick(&places) {
        bytes[*at] = if bytes[*at] == b'0' { b'1' } else { b'0' };
    }
    bytes
}

fn edited_settings(aim: &mut Aim<'_>, mut bytes: Vec<u8>) -> Vec<u8> {
    match aim.dice.below(3) {
        0 => bytes.extend_from_slice(format!("# {}\n", aim.dice.next()).as_bytes()),
        1 => bytes.insert(0, b'\n'),
        _ => bytes = edited(aim, bytes),
    }
    bytes
}
