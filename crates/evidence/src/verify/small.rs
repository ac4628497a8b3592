//! The small files: settings, tokens, reserve, signing keys, set-aside tails, and files that should not be there.

use std::collections::BTreeSet;

use record::control::Cut;
use sha2::{Digest, Sha256};
use tlog::hash::leaf_hash;
use tlog::tile::{TILE_WIDTH, Tile, decode_bundle, decode_tile, parse_bundle_path};

use super::medium::Medium;
use super::report::{Damage, DamageKind, Report};
use super::snapshot::{Snapshot, partial_paths};
use super::tree::{TreeResult, missing};
use crate::layout;
use crate::predecessor::Succession;
use crate::register::{LedgerState, Registered};

/// Checks the files in the top directory.
pub(crate) fn check_small_files(data: &dyn Medium, snapshot: &Snapshot, report: &mut Report) {
    let names = match data.list("") {
        Ok(names) => names,
        Err(error) => return report.undecided.push(format!("the data directory cannot be listed: {error}")),
    };
    let pinned = snapshot.registered.settings;
    if pinned.is_some() && names.iter().all(|(name, ..)| name != layout::SETTINGS) {
        report.damage.push(Damage::new(
            DamageKind::Settings,
            layout::SETTINGS,
            "the settings file is missing",
        ));
    }
    for (name, _, dir) in names {
        let read = || data.read(&name);
        let damage = match (name.as_str(), dir) {
            (layout::REGISTER | layout::ADMIN_TOKEN, false) => None,
            (layout::WAL | layout::SET_ASIDE | layout::LEDGERS, true) => None,
            (layout::SETTINGS, false) => match read() {
                Ok(bytes) if Some(<[u8; 32]>::from(Sha256::digest(&bytes))) == pinned => None,
                Ok(_) => Some(Damage::new(
                    DamageKind::Settings,
                    &name,
                    "the settings are not those the server last started with",
                )),
                Err(error) => Some(missing(&name, &error)),
            },
            (layout::TOKENS | layout::SCRUB, false) => match read() {
                Ok(bytes) => crate::statefile::parse(state_name(&name), &bytes)
                    .err()
                    .map(|error| Damage::new(DamageKind::Format, &name, error.reason).at(error.offset)),
                Err(error) => Some(missing(&name, &error)),
            },
            (layout::RESERVE, false) => match read() {
                Ok(bytes) => bytes.iter().position(|byte| *byte != 0).map(|at| {
                    Damage::new(DamageKind::Format, &name, "the reserve holds something else than zeros")
                        .at(at as u64)
                }),
                Err(error) => Some(missing(&name, &error)),
            },
            (layout::LOCK, false) => match read() {
                Ok(bytes) if bytes.is_empty() => None,
                Ok(_) => Some(Damage::new(DamageKind::Format, &name, "the lock file is not empty")),
                Err(error) => Some(missing(&name, &error)),
            },
            (name, false) if name.ends_with(".tmp") => {
                report.notes.push(format!("{name}: was being written; the next start removes it"));
                None
            }
            _ => Some(Damage::new(DamageKind::Unexpected, &name, "nothing of a store has this name")),
        };
        report.damage.extend(damage);
    }
    for (name, ..) in data.list(layout::WAL).unwrap_or_default() {
        let path = format!("{}/{name}", layout::WAL);
        if layout::parse_wal_name(&name).is_none() && !leftover(&name, &path, report) {
            report.damage.push(Damage::new(
                DamageKind::Unexpected,
                path,
                "not the name of a write-ahead file",
            ));
        }
    }
    let known: BTreeSet<&str> =
        snapshot.registered.ledgers.iter().map(|ledger| ledger.name.as_str()).collect();
    for (name, ..) in data.list(layout::LEDGERS).unwrap_or_default() {
        if !known.contains(name.as_str()) {
            let path = layout::ledger_dir(&name);
            report.damage.push(Damage::new(
                DamageKind::Unexpected,
                path,
                "the register knows no ledger of this name",
            ));
        }
    }
}

/// What the first line of a state file of this path says.
fn state_name(path: &str) -> &'static str {
    if path == layout::SCRUB { layout::SCRUB_NAME } else { layout::TOKENS_NAME }
}

/// Whether a file was being written when the server was cut off, or is right now.
fn leftover(name: &str, path: &str, report: &mut Report) -> bool {
    let leftover = name.ends_with(".tmp");
    if leftover {
        report.notes.push(format!("{path}: was being written; the next start removes it"));
    }
    leftover
}

/// Checks that the signing keys are whole and the ones that the register names, and that nothing else lies there.
pub(crate) fn check_signing_keys(keys: &dyn Medium, registered: &Registered, report: &mut Report) {
    let file = |path: &str| format!("keys:{path}");
    for (name, _, dir) in keys.list("").unwrap_or_default() {
        if (dir && name == layout::keys::DATA) || name == layout::keys::WRAPPING {
            continue;
        }
        if let Some(ledger) =
            registered.ledgers.iter().find(|ledger| layout::keys::change(&ledger.name) == name)
        {
            let parsed = keys.read(&name).map_err(|error| error.to_string()).and_then(|bytes| {
                crate::keys::parse_change(crate::keys::CHANGE, &bytes).map_err(|error| error.to_string())
            });
            match parsed {
                Ok(_) => {
                    report.notes.push(format!("{}: the next start changes its signing key", ledger.name))
                }
                Err(detail) => report.damage.push(Damage::new(DamageKind::Settings, file(&name), detail)),
            }
            continue;
        }
        let ledger = registered.ledgers.iter().find_map(|ledger| {
            let signing = layout::keys::signing(&ledger.name) == name;
            let other = layout::keys::authority(&ledger.name) == name
                || layout::keys::signing_next(&ledger.name) == name;
            (signing || other).then_some((ledger, signing))
        });
        let Some((ledger, signing)) = ledger else {
            if name.strip_suffix(".predecessor").is_some_and(layout::is_ledger_name) {
                match keys.read(&name).map(|bytes| Succession::parse(&bytes)) {
                    Ok(Ok(_)) => report.notes.push(format!(
                        "{}: a ledger that continues another was about to be made; say `ledgerstone succeed` again",
                        file(&name)
                    )),
                    _ => {
                        let detail = "it does not tell what a ledger shall continue";
                        report.damage.push(Damage::new(DamageKind::Format, file(&name), detail));
                    }
                }
                continue;
            }
            let whole = keys.read(&name).is_ok_and(|bytes| crate::keys::parse_signing(&bytes).is_ok());
            if whole || name.ends_with(".tmp") {
                // Made when a ledger was about to be created; the next start takes it up or leaves it.
                report.notes.push(format!("{}: belongs to no ledger of this store", file(&name)));
            } else {
                let detail = "nothing of a key directory has this name";
                report.damage.push(Damage::new(DamageKind::Unexpected, file(&name), detail));
            }
            continue;
        };
        let parsed = keys.read(&name).map_err(|error| error.to_string());
        let parsed =
            parsed.and_then(|bytes| crate::keys::parse_signing(&bytes).map_err(|error| error.to_string()));
        let checked = parsed.and_then(|(origin, seed, vkey)| {
            let key = tlog::note::SigningKey::from_seed(&origin, *seed).map_err(|error| error.to_string())?;
            match key.verifying_key().to_string() == vkey {
                true => Ok(vkey),
                false => Err("the signing key is not the one that the file names".to_owned()),
            }
        });
        let checked = checked.and_then(|vkey| {
            if !signing || vkey == ledger.vkey || next_is(keys, ledger) {
                return Ok(());
            }
            // Both are whole, and one of them is of another store: nothing here tells which.
            let detail = format!("{}: the key directory holds another signing key", ledger.name);
            report.damage.push(Damage::new(DamageKind::Contradiction, layout::REGISTER, detail));
            Err("the signing key is not the one that the register names".to_owned())
        });
        if let Err(detail) = checked {
            report.damage.push(Damage::new(DamageKind::Settings, file(&name), detail));
        }
    }
    for ledger in &registered.ledgers {
        let path = layout::keys::signing(&ledger.name);
        if keys.read(&path).is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            report.undecided.push(format!("the signing key is missing: {path}"));
        }
    }
}

/// Whether the register names the next signing key of a ledger: a start was cut off in a change, and the next one goes on.
fn next_is(keys: &dyn Medium, ledger: &LedgerState) -> bool {
    let next = keys.read(&layout::keys::signing_next(&ledger.name)).ok();
    let next = next.and_then(|bytes| crate::keys::parse_signing(&bytes).ok());
    next.is_some_and(|(.., vkey)| vkey == ledger.vkey)
}

/// Checks the torn tails that were set aside against the records that say so.
pub(crate) fn check_set_aside(data: &dyn Medium, cuts: &[Cut], stopped: bool, report: &mut Report) {
    // The record that would vouch for a tail may lie where the log is damaged.
    let lost = report.damage.iter().any(|damage| damage.file.starts_with(layout::WAL));
    let mut found = BTreeSet::new();
    for (name, ..) in data.list(layout::SET_ASIDE).unwrap_or_default() {
        let path = format!("{}/{name}", layout::SET_ASIDE);
        let damage = match (data.read(&path), cuts.iter().find(|cut| cut.file == path)) {
            (Err(error), _) => Some(missing(&path, &error)),
            (Ok(_), None) if name.ends_with(".tmp") => None,
            (Ok(_), None) if !stopped => {
                // Set aside by a start that was cut off before it could say so; the next one does.
                report.notes.push(format!("{path}: set aside, and not yet on record"));
                None
            }
            (Ok(_), None) if lost => {
                report
                    .notes
                    .push(format!("{path}: the log is damaged and can't tell whether this was set aside"));
                None
            }
            (Ok(_), None) => {
                Some(Damage::new(DamageKind::Unexpected, &path, "no record says that this was set aside"))
            }
            (Ok(bytes), Some(cut)) => {
                let same = (bytes.len() as u64, <[u8; 32]>::from(Sha256::digest(&bytes)))
                    == (cut.length, cut.sha256);
                (!same).then(|| Damage::new(DamageKind::Hash, &path, "not the bytes that were set aside"))
            }
        };
        report.damage.extend(damage);
        found.insert(path);
    }
    for cut in cuts.iter().filter(|cut| !found.contains(&cut.file)) {
        report.damage.push(Damage::new(
            DamageKind::Missing,
            &cut.file,
            "the bytes that were set aside are missing",
        ));
    }
}

/// Looks for files in a ledger's directory that a checkpoint of this size does not imply. Unless the server was
/// stopped they may be its work, or the rest of it: full tiles above the size, and partial tiles of another
/// size, which must be prefixes of what the entries give.
pub(crate) fn check_tree_files(
    data: &dyn Medium,
    state: &LedgerState,
    size: u64,
    stopped: bool,
    tree: &TreeResult,
    report: &mut Report,
) {
    let root = layout::ledger_dir(&state.name);
    let expected: BTreeSet<String> = partial_paths(&state.name, size).into_iter().collect();
    let mut dirs = vec![root.clone()];
    while let Some(dir) = dirs.pop() {
        for (name, _, is_dir) in data.list(&dir).unwrap_or_default() {
            let path = format!("{dir}/{name}");
            let inside = path.strip_prefix(&root).and_then(|path| path.strip_prefix('/')).unwrap_or_default();
            if is_dir {
                // Segments are looked at where they are checked.
                if !["segment/events", "segment/control"].contains(&inside) {
                    dirs.push(path);
                }
            } else if ["checkpoint", "checkpoint.witnessed"].contains(&inside)
                || is_stamped(inside)
                || expected.contains(&path)
                || is_full(inside, size, stopped)
            {
            } else if name.ends_with(".tmp") {
                report.notes.push(format!("{path}: was being written; the next start removes it"));
            } else if stopped {
                report.damage.push(Damage::new(
                    DamageKind::Unexpected,
                    path,
                    "the checkpoint implies no such file",
                ));
            } else if let Some(detail) = other_partial(data, &path, inside, state.sealed, tree) {
                report.damage.push(Damage::new(DamageKind::Hash, path, detail));
            }
        }
    }
}

/// Whether a path is that of a checkpoint that was time-stamped, or of what stamps it.
fn is_stamped(path: &str) -> bool {
    path.strip_prefix("stamped/").is_some_and(|name| layout::parse_stamped_name(name).is_some())
}

/// Whether a path is that of a full tile or bundle that a tree of this size has, or may soon have.
fn is_full(path: &str, size: u64, stopped: bool) -> bool {
    let width = u64::from(TILE_WIDTH);
    let end = match (parse_bundle_path(path), Tile::parse(path)) {
        (Ok((index, TILE_WIDTH)), _) => (index + 1).checked_mul(width),
        (_, Ok(tile)) if tile.is_full() => {
            width.checked_pow(u32::from(tile.level) + 1).and_then(|span| (tile.index + 1).checked_mul(span))
        }
        _ => return false,
    };
    !stopped || end.is_some_and(|end| end <= size)
}

/// What is wrong with a partial tile or bundle of another size than the checkpoint's, if anything. One that does not decode
/// is what a power cut may leave of those above what is sealed; the next start removes it.
fn other_partial(
    data: &dyn Medium,
    path: &str,
    inside: &str,
    sealed: u64,
    tree: &TreeResult,
) -> Option<&'static str> {
    let bytes = match data.read(path) {
        Ok(bytes) => bytes,
        // A running server has replaced it meanwhile.
        Err(_) => return None,
    };
    let young = |level: u8, index: u64, width: u16| {
        let span = u64::from(TILE_WIDTH).checked_pow(u32::from(level));
        let end =
            index.checked_mul(u64::from(TILE_WIDTH)).and_then(|first| first.checked_add(u64::from(width)));
        span.zip(end).and_then(|(span, end)| end.checked_mul(span)).is_none_or(|end| end > sealed)
    };
    let (level, index, hashes) = match (parse_bundle_path(inside), Tile::parse(inside)) {
        (Ok((index, width)), _) => match decode_bundle(&bytes) {
            Ok(entries) if entries.len() == usize::from(width) => {
                (0, index, entries.into_iter().map(leaf_hash).collect())
            }
            _ if young(0, index, width) => return None,
            _ => return Some("a partial bundle of an older checkpoint does not decode"),
        },
        (_, Ok(tile)) => match decode_tile(&bytes, tile.width) {
            Ok(hashes) => (tile.level, tile.index, hashes),
            Err(_) if young(tile.level, tile.index, tile.width) => return None,
            Err(_) => return Some("a partial tile of an older checkpoint does not decode"),
        },
        _ => return Some("nothing of a ledger has this name"),
    };
    let first = index * u64::from(TILE_WIDTH);
    let full =
        path.split_once("/tile/").map(|(ledger, _)| format!("{ledger}/{}", Tile::full(level, index).path()));
    let full =
        full.and_then(|path| data.read(&path).ok()).and_then(|bytes| decode_tile(&bytes, TILE_WIDTH).ok());
    let known =
        |at: u64| tree.subtree(level, at).or_else(|| full.as_ref()?.get((at - first) as usize).copied());
    // What lies beyond the checkpoint has nothing to be held against yet.
    let differs = (first..).zip(&hashes).any(|(at, hash)| known(at).is_some_and(|known| known != *hash));
    differs.then_some("a partial tile of an older checkpoint is not a prefix of the tree")
}
