//! A ledger that continues another, held against what is left of that one: its store, an evidence file, a checkpoint.

use std::path::Path;

use evidence::layout;
use evidence::predecessor::Predecessor;
use evidence::verify::{Damage, DamageKind, Progress, Report, Verdict, hold_against};
use tlog::checkpoint::UnverifiedCheckpoint;
use tlog::{KeyHistory, VerifierKey};

use crate::{Directory, is_evidence_file, verify_dir, verify_evidence};

/// What somebody has of the old ledger.
struct Old<'a> {
    /// Where it lies, for people.
    place: String,
    /// The old ledger's key, if it is known: from outside, else as the old store or evidence file names it.
    key: Option<VerifierKey>,
    /// All keys that the ledger has had, where that is told.
    history: Option<KeyHistory>,
    /// Its newest checkpoint there.
    size: u64,
    root: String,
    /// The store that it is in, which gives the trees of all smaller sizes.
    store: Option<(&'a Path, Report)>,
    /// Durable entries of that store in no checkpoint.
    uncommitted: u64,
}

impl Old<'_> {
    /// The key that signs a tree of this size. From a key that is known the history leads to all later ones.
    fn key_for(&self, size: u64) -> Option<&VerifierKey> {
        let known = |history: &&KeyHistory| {
            self.key.as_ref().is_none_or(|key| history.keys().any(|(_, other)| other == key))
        };
        self.history.as_ref().filter(known).map(|history| history.in_force(size)).or(self.key.as_ref())
    }
}

/// Holds the ledgers in `report` that continue another against what is left of that one at `old`: a data directory, an
/// evidence file, or a file with a checkpoint. `key` is the old ledger's verification key, known from elsewhere.
///
/// The signature on what a genesis names must be the old ledger's. The old store must begin with that tree, or be it;
/// what it holds beyond, or lacks, is told.
///
/// # Errors
/// `old` can't be read, or is none of these.
pub fn hold_predecessor(
    report: &mut Report,
    old: &Path,
    key: Option<&VerifierKey>,
    progress: Progress<'_>,
) -> Result<(), String> {
    let heirs: Vec<(String, Predecessor)> = report
        .ledgers
        .iter()
        .filter_map(|ledger| Some((ledger.name.clone(), ledger.predecessor.clone()?)))
        .collect();
    if heirs.is_empty() {
        report.undecided.push("no ledger here says that it continues another".to_owned());
        return Ok(());
    }
    let mut held = false;
    let found = find(old, key, progress)?;
    for (name, predecessor) in heirs {
        for (origin, old) in &found {
            if *origin == predecessor.origin {
                held = true;
                hold(report, &name, &predecessor, old);
            }
        }
    }
    if !held {
        let place = old.display();
        report.undecided.push(format!("{place} is of no ledger that is continued here"));
    }
    Ok(())
}

/// What `old` holds, by origin.
fn find<'a>(
    old: &'a Path,
    key: Option<&VerifierKey>,
    progress: Progress<'_>,
) -> Result<Vec<(String, Old<'a>)>, String> {
    let told = |error: &dyn std::fmt::Display| format!("{}: {error}", old.display());
    let place = old.display().to_string();
    let pinned = |vkey: &str, origin: &str| match key {
        Some(key) if key.name() == origin => Some(key.clone()),
        _ => VerifierKey::parse(vkey).ok(),
    };
    if old.is_dir() {
        let report = verify_dir(old, None, None, progress);
        let of = |ledger: &evidence::verify::LedgerReport| {
            let held = Old {
                place: place.clone(),
                key: pinned(&ledger.vkey, &ledger.origin),
                history: ledger.history.clone(),
                size: ledger.size,
                root: ledger.root.clone(),
                store: Some((old, report.clone())),
                uncommitted: ledger.uncommitted,
            };
            (ledger.origin.clone(), held)
        };
        return match report.ledgers.is_empty() {
            true => Err(told(&"there is no store")),
            false => Ok(report.ledgers.iter().map(of).collect()),
        };
    }
    if is_evidence_file(old).map_err(|error| told(&error))? {
        let report = verify_evidence(old, None, &|_, _| {}).map_err(|error| told(&error))?;
        let Some(manifest) = report.manifest.as_ref().filter(|_| report.verdict() == Verdict::Proven) else {
            return Err(told(&"this evidence file is not proven itself"));
        };
        let held = Old {
            place,
            key: pinned(&manifest.vkey, &manifest.origin),
            history: report.history.clone(),
            size: manifest.size,
            root: manifest.root.to_base64(),
            store: None,
            uncommitted: 0,
        };
        return Ok(vec![(manifest.origin.clone(), held)]);
    }
    let note = std::fs::read(old).map_err(|error| told(&error))?;
    let note = UnverifiedCheckpoint::parse(&note).map_err(|error| told(&error))?;
    let (claimed, key) = (note.claimed().clone(), key.cloned());
    if let Some(key) = key.clone().filter(|key| key.name() == claimed.origin.as_str()) {
        note.verify(claimed.origin.as_str(), &[key], &[]).map_err(|error| told(&error))?;
    }
    let (size, root) = (claimed.size, claimed.root.to_base64());
    let held = Old { place, key, history: None, size, root, store: None, uncommitted: 0 };
    Ok(vec![(claimed.origin.to_string(), held)])
}

fn hold(report: &mut Report, name: &str, continued: &Predecessor, old: &Old<'_>) {
    let Predecessor { origin, size, root, note } = continued;
    let damage = |detail: String| {
        Damage::new(DamageKind::Contradiction, layout::ledger_dir(name), detail).of(name, 0, 1)
    };
    let place = &old.place;
    let parsed = UnverifiedCheckpoint::parse(note.as_bytes());
    let signed = old.key_for(*size).filter(|key| key.name() == origin);
    if let (Ok(parsed), Some(key)) = (parsed, signed)
        && let Err(error) = parsed.verify(origin, std::slice::from_ref(key), &[])
    {
        let detail = format!("the key of {origin} has not signed what this ledger says that it continues");
        report.damage.push(damage(format!("{detail}: {error}")));
        return;
    }
    let held = format!("{name}: continues {origin} at {size} entries");
    if old.size == *size {
        if old.root != *root {
            let detail = format!("{place} holds another tree of {origin} than the one that is continued");
            report.damage.push(damage(format!("{detail}, of {size} entries too: two histories were signed")));
            return;
        }
        report.notes.push(format!("{held}: exactly what {place} holds{}", lost(old, *size)));
        return;
    }
    if old.size < *size {
        let first = old.size;
        report.undecided.push(format!(
            "{held}; {place} ends at {first}: entries {first} to {} are lost from it, and whether it is the beginning of \
             that tree nothing here can show",
            size - 1
        ));
        return;
    }
    let Some((store, old_report)) = &old.store else {
        report.undecided.push(format!(
            "{held}; {place} tells of {}: whether that begins with it only the old store can show",
            old.size
        ));
        return;
    };
    if !old_report.damage.is_empty() {
        let count = old_report.damage.len();
        report
            .undecided
            .push(format!("{held}; {place} is damaged itself, in {count} places: verify it alone"));
        return;
    }
    let mut trial = old_report.clone();
    let checked = hold_against(&Directory::new(store), note.as_bytes(), &mut trial);
    let found = trial.damage.first().map(ToString::to_string).or(checked.err());
    match (found, trial.undecided.first()) {
        (Some(found), _) => {
            let detail = format!("{place} does not begin with the tree that this ledger says it continues");
            report.damage.push(damage(format!("{detail}: {found}")));
        }
        (None, Some(why)) => report.undecided.push(format!("{held}; {place}: {why}")),
        (None, None) => {
            report.notes.push(format!("{held}: {place} begins with that tree{}", lost(old, *size)));
        }
    }
}

/// What of the old ledger lies beyond what is continued.
fn lost(old: &Old<'_>, size: u64) -> String {
    let end = old.size + old.uncommitted;
    match end.saturating_sub(size) {
        0 => String::new(),
        more => format!(
            "; {more} entries of it, {size} to {}, lie beyond and are vouched for by that store alone",
            end - 1
        ),
    }
}
