//! Verifying a mirror: a tiled log that lies in a directory, every entry and every tile of it.

use std::path::Path;

use ::monitor::{Bad, DiskSource, Source, Tree, TreeError, WITNESSED, walk};
use evidence::verify::{Anchor, Cosigned, Damage, DamageKind, LedgerReport, Report, cosigned};
use indicatif::ProgressBar;
use storage::LocalDisk;
use tlog::{Checkpoint, Policy, UnverifiedCheckpoint, VerifierKey};

use crate::failure::{About, Failure};

/// Whether a directory is a tiled log and no store of ours.
pub(super) fn is_mirror(path: &Path) -> bool {
    let ours = [evidence::layout::REGISTER, evidence::layout::WAL, evidence::layout::LEDGERS];
    path.join("checkpoint").is_file() && !ours.iter().any(|name| path.join(name).exists())
}

/// Verifies all of it. Without a key its checkpoint is believed, and the report says so.
///
/// # Errors
/// It can't be read.
pub(super) fn verify(
    path: &Path,
    key: Option<&VerifierKey>,
    policy: Option<&Policy>,
    bar: &ProgressBar,
) -> Result<Report, Failure> {
    let disk = LocalDisk::open(path).about("read", path)?;
    let source = DiskSource::new(&disk, path.display().to_string());
    let note = source.get("checkpoint", tlog::note::MAX_NOTE_LEN as u64).map_err(Failure::trouble)?;
    let mut report = Report::default();
    let note = note.unwrap_or_default();
    let checkpoint = match read(&note, key) {
        Ok(checkpoint) => checkpoint,
        Err(why) => {
            report.damage.push(Damage::new(DamageKind::Signature, "checkpoint", why));
            return Ok(report);
        }
    };
    let mut ledger = LedgerReport {
        origin: checkpoint.origin.to_string(),
        vkey: key.map(ToString::to_string).unwrap_or_default(),
        size: checkpoint.size,
        root: checkpoint.root.to_base64(),
        good_below: checkpoint.size,
        anchor: if key.is_some() { Anchor::Key } else { Anchor::None },
        ..LedgerReport::default()
    };
    if key.is_none() {
        report
            .undecided
            .push("no verification key was given, so the signature was not checked: use --key".to_owned());
    }
    bar.set_length(checkpoint.size);
    let mut held = None;
    let walked = match Tree::open(&source, None, checkpoint.size, checkpoint.root) {
        Ok(tree) => {
            if let (Some(policy), Some(key)) = (policy, key) {
                held = Some(hold(&source, &tree, &note, policy, key)?);
            }
            walk(&tree, 0, &|_, _| Ok(()), &|done| bar.set_position(done)).map_err(Failure::trouble)?.bad
        }
        Err(TreeError::Bad(bad)) => vec![*bad],
        Err(TreeError::Fetch(error)) => return Err(Failure::trouble(error)),
    };
    bar.finish_and_clear();
    for Bad { path, what, entries: (first, end), bytes } in walked {
        let kind = if bytes.is_some() { DamageKind::Hash } else { DamageKind::Missing };
        ledger.good_below = ledger.good_below.min(first);
        report.damage.push(Damage::new(kind, path, what).of(ledger.origin.as_str(), first, end));
    }
    report.notes.push("a mirror holds entries and no payloads".to_owned());
    report.ledgers.push(ledger);
    match held {
        Some(Ok(cosigned)) if cosigned.met => report.notes.push(format!(
            "{} of {} entries are cosigned by a quorum of the policy: {}",
            cosigned.checkpoint.size,
            checkpoint.size,
            cosigned.names.join(", ")
        )),
        Some(Ok(cosigned)) => report.undecided.push(format!(
            "{} of the policy's witnesses have cosigned {} entries, which is no quorum",
            cosigned.names.len(),
            cosigned.checkpoint.size
        )),
        Some(Err(damage)) => report.damage.push(damage),
        None if policy.is_some() && key.is_none() => {
            let why = "cosignatures are checked together with the log's signature: use --key";
            report.undecided.push(why.to_owned());
        }
        None => {}
    }
    Ok(report)
}

/// What witnesses have cosigned: the mirror's checkpoint, or the one that was kept beside it, which must be of the same tree.
fn hold(
    source: &DiskSource<'_>,
    tree: &Tree<'_>,
    note: &[u8],
    policy: &Policy,
    key: &VerifierKey,
) -> Result<Result<Cosigned, Damage>, Failure> {
    let beside = source.get(WITNESSED, tlog::note::MAX_NOTE_LEN as u64).map_err(Failure::trouble)?;
    let file = if beside.is_some() { WITNESSED } else { "checkpoint" };
    let damage = |kind, detail: String| Ok(Err(Damage::new(kind, file, detail)));
    let note = beside.as_deref().unwrap_or(note);
    let cosigned = match cosigned(note, key.name(), std::slice::from_ref(key), policy) {
        Ok(cosigned) => cosigned,
        Err(error) => return damage(DamageKind::Signature, error.to_string()),
    };
    let (size, root) = (cosigned.checkpoint.size, cosigned.checkpoint.root);
    if size > tree.size() {
        return damage(DamageKind::Contradiction, "witnesses saw more than the mirror holds".to_owned());
    }
    match tree.root_at(size) {
        Ok(ours) if ours == root => Ok(Ok(cosigned)),
        Ok(_) => damage(DamageKind::Contradiction, "witnesses have cosigned another tree".to_owned()),
        Err(TreeError::Bad(bad)) => damage(DamageKind::Hash, format!("{}: {}", bad.path, bad.what)),
        Err(TreeError::Fetch(error)) => Err(Failure::trouble(error)),
    }
}

/// The checkpoint, checked as far as a key allows.
fn read(note: &[u8], key: Option<&VerifierKey>) -> Result<Checkpoint, String> {
    let note = UnverifiedCheckpoint::parse_with_extensions(note).map_err(|error| error.to_string())?;
    let Some(key) = key else { return Ok(note.claimed().clone()) };
    let verified =
        note.verify(key.name(), std::slice::from_ref(key), &[]).map_err(|error| error.to_string())?;
    Ok(verified.checkpoint().clone())
}
