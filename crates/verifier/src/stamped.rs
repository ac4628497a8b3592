//! Checkpoints that were time-stamped, and what stamps them: files of a store that nothing of its own verification rests on
//! (docs/format.md, section 2).

use std::collections::BTreeMap;

use evidence::layout::{self, Stamped};
use evidence::verify::{Damage, DamageKind, Medium, Report, hold_inside};
use timestamp::ots::DetachedFile;
use tlog::UnverifiedCheckpoint;

/// Files by ledger, as they were before the store was looked at: none is over more than its checkpoint.
pub(crate) type Listed = BTreeMap<String, Vec<(u64, Stamped)>>;

/// Looks at what there is.
pub(crate) fn list(data: &dyn Medium) -> Listed {
    let ledgers = data.list(layout::LEDGERS).unwrap_or_default().into_iter().filter(|(_, _, dir)| *dir);
    let files = |name: &str| {
        let files = data.list(&layout::stamped_dir(name)).unwrap_or_default();
        let mut files: Vec<_> =
            files.iter().filter_map(|(file, ..)| layout::parse_stamped_name(file)).collect();
        files.sort_unstable();
        files
    };
    ledgers.map(|(name, ..)| (name.clone(), files(&name))).filter(|(_, files)| !files.is_empty()).collect()
}

/// Checks that each note is of the ledger's tree, each OpenTimestamps file over its note, and each token on record. A store
/// that is damaged anyway is not looked at again.
pub(crate) fn check(data: &dyn Medium, listed: &Listed, report: &mut Report) {
    if !report.damage.is_empty() {
        return;
    }
    for at in 0..report.ledgers.len() {
        let name = report.ledgers[at].name.clone();
        if let Some(files) = listed.get(&name) {
            let (mut attested, mut promised) = (Vec::new(), 0);
            for (size, what) in files {
                let file = format!("{}/{}", layout::stamped_dir(&name), layout::stamped_name(*size, *what));
                match one(data, (at, *size, *what), &file, report) {
                    Ok(None) => {}
                    Ok(Some(blocks)) => match blocks.into_iter().min() {
                        Some(height) => attested.push((*size, height)),
                        None => promised += 1,
                    },
                    Err((kind, why)) => report.damage.push(Damage::new(kind, file, why)),
                }
            }
            report.notes.extend(told(&name, &attested, promised));
        }
    }
}

/// Checks one file; of an OpenTimestamps file it returns the heights that it leads to.
fn one(
    data: &dyn Medium,
    (at, size, what): (usize, u64, Stamped),
    file: &str,
    report: &mut Report,
) -> Result<Option<Vec<u64>>, (DamageKind, String)> {
    let unreadable = |error: std::io::Error| (DamageKind::Missing, error.to_string());
    let bytes = data.read(file).map_err(unreadable)?;
    let name = report.ledgers[at].name.clone();
    match what {
        Stamped::Checkpoint => {
            let note = UnverifiedCheckpoint::parse(&bytes)
                .map_err(|error| (DamageKind::Format, error.to_string()))?;
            if note.claimed().size != size {
                return Err((DamageKind::Contradiction, "a checkpoint of another size than its name".into()));
            }
            hold_inside(data, at, &bytes, file, report);
            Ok(None)
        }
        Stamped::Token(sha256) => {
            if timestamp::digest(&bytes) != sha256 {
                return Err((DamageKind::Hash, "not the token that its name says".into()));
            }
            let is_it =
                |stamp: &&evidence::verify::Stamp| stamp.ledger == name && stamp.record.token == bytes;
            match report.timestamps.iter().find(is_it) {
                Some(stamp) if stamp.record.size == size => Ok(None),
                Some(_) => Err((DamageKind::Contradiction, "the token is of another checkpoint".into())),
                None if !report.undecided.is_empty() => Ok(None),
                None => Err((DamageKind::Unexpected, "no record of the ledger holds this token".into())),
            }
        }
        Stamped::Ots => {
            let ots = DetachedFile::parse(&bytes).map_err(|error| (DamageKind::Format, error.to_string()))?;
            let note =
                format!("{}/{}", layout::stamped_dir(&name), layout::stamped_name(size, Stamped::Checkpoint));
            let note = data.read(&note).map_err(|error| {
                (DamageKind::Missing, format!("the checkpoint that it is over can't be read: {error}"))
            })?;
            let body = timestamp::body(&note).map_err(|error| (DamageKind::Format, error.to_string()))?;
            match ots.digest() == timestamp::digest(body.as_bytes()) {
                true => Ok(Some(ots.blocks())),
                false => Err((DamageKind::Contradiction, "it is over other data than the checkpoint".into())),
            }
        }
    }
}

fn told(name: &str, attested: &[(u64, u64)], promised: usize) -> Vec<String> {
    let mut told = Vec::new();
    if let Some((size, height)) = attested.iter().max() {
        told.push(format!(
            "{name}: OpenTimestamps: {} checkpoints lead to a Bitcoin block, that of {size} entries to block {height}; \
             the block's header must be looked up: ledgerstone verify FILE.ots",
            attested.len()
        ));
    }
    if promised > 0 {
        told.push(format!(
            "{name}: OpenTimestamps: {promised} checkpoints are promised by calendars, which proves nothing"
        ));
    }
    told
}
