//! Verifying a mirror: a tiled log that lies in a directory, every entry and every tile of it.

use std::path::Path;

use ::monitor::{Bad, DiskSource, Source, Tree, TreeError, walk};
use evidence::verify::{Anchor, Damage, DamageKind, LedgerReport, Report};
use indicatif::ProgressBar;
use storage::LocalDisk;
use tlog::{Checkpoint, UnverifiedCheckpoint, VerifierKey};

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
pub(super) fn verify(path: &Path, key: Option<&VerifierKey>, bar: &ProgressBar) -> Result<Report, Failure> {
    let disk = LocalDisk::open(path).about("read", path)?;
    let source = DiskSource::new(&disk, path.display().to_string());
    let note = source.get("checkpoint", tlog::note::MAX_NOTE_LEN as u64).map_err(Failure::trouble)?;
    let mut report = Report::default();
    let checkpoint = match read(&note.unwrap_or_default(), key) {
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
    let walked = match Tree::open(&source, None, checkpoint.size, checkpoint.root) {
        Ok(tree) => {
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
    Ok(report)
}

/// The checkpoint, checked as far as a key allows.
fn read(note: &[u8], key: Option<&VerifierKey>) -> Result<Checkpoint, String> {
    let note = UnverifiedCheckpoint::parse_with_extensions(note).map_err(|error| error.to_string())?;
    let Some(key) = key else { return Ok(note.claimed().clone()) };
    let verified =
        note.verify(key.name(), std::slice::from_ref(key), &[]).map_err(|error| error.to_string())?;
    Ok(verified.checkpoint().clone())
}
