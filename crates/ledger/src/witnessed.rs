//! The newest checkpoint that a quorum of witnesses cosigned, beside the one that only the ledger signed.

use std::io;
use std::sync::Arc;

use evidence::layout;
use tlog::checkpoint::{Checkpoint, UnverifiedCheckpoint};
use tlog::hash::Hash;

use crate::fault::{Doing, Fault};
use crate::shared::Shared;

/// A checkpoint of the ledger with the cosignatures of its witnesses.
#[derive(Clone, Debug)]
pub struct Witnessed {
    /// Origin, size and root.
    pub checkpoint: Checkpoint,
    /// The note with the ledger's signature and those of the witnesses, and no others.
    pub note: String,
    /// When it was stored, unix milliseconds.
    pub at_ms: u64,
}

/// Stores a cosigned checkpoint durably and shows it. Older than what is there, it is passed over.
pub(crate) fn keep(shared: &Shared, ledger: usize, witnessed: Witnessed) -> Result<(), Fault> {
    let name = &shared.ledgers[ledger].name;
    let newer = |held: &Arc<Witnessed>| held.checkpoint.size > witnessed.checkpoint.size;
    if shared.view.ledger(ledger).witnessed.as_ref().is_some_and(newer) {
        return Ok(());
    }
    let (path, disk) = (layout::witnessed(name), shared.disk.as_ref());
    let temporary = format!("{path}.tmp");
    disk.remove(&temporary).doing("storing a witnessed checkpoint")?;
    let mut file = disk.create(&temporary).doing("storing a witnessed checkpoint")?;
    file.append(witnessed.note.as_bytes()).doing("storing a witnessed checkpoint")?;
    file.sync().doing("storing a witnessed checkpoint")?;
    disk.rename(&temporary, &path).doing("storing a witnessed checkpoint")?;
    disk.sync_dir(&layout::ledger_dir(name)).doing("storing a witnessed checkpoint")?;
    shared.view.witness(ledger, Arc::new(witnessed));
    Ok(())
}

/// Shows what an earlier run stored. It must be signed by the ledger and of its tree: if it is not, the tree is not the
/// one that was witnessed.
///
/// `root` is the root of the tree's first entries, `None` if it has fewer.
pub(crate) fn restore(
    shared: &Shared,
    ledger: usize,
    at_ms: u64,
    root: impl FnOnce(u64) -> Result<Option<Hash>, Fault>,
) -> Result<(), Fault> {
    let identity = &shared.ledgers[ledger];
    let path = layout::witnessed(&identity.name);
    let damaged = |reason: String| Fault::damaged(&path, reason);
    let bytes = match shared.disk.read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.doing("reading the witnessed checkpoint")?,
    };
    let note = UnverifiedCheckpoint::parse(&bytes).map_err(|error| damaged(error.to_string()))?;
    let key = identity.in_force(note.claimed().size).clone();
    let note = note.verify(&identity.origin, &[key], &[]).map_err(|error| damaged(error.to_string()))?;
    let checkpoint = note.checkpoint().clone();
    match root(checkpoint.size)? {
        None => return Err(damaged(format!("witnesses saw more than the store holds: {}", checkpoint.size))),
        Some(root) if root != checkpoint.root => {
            return Err(damaged("witnesses saw another tree than the store holds".to_owned()));
        }
        Some(_) => {}
    }
    let note = String::from_utf8(bytes).map_err(|_| damaged("it is not text".to_owned()))?;
    shared.view.witness(ledger, Arc::new(Witnessed { checkpoint, note, at_ms }));
    Ok(())
}
