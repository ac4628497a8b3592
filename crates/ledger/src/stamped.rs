//! Checkpoints that were time-stamped, each beside what stamps it (docs/format.md, section 2). Nothing of the ledger rests on
//! these files: tokens are on record too, and what calendars promise concerns nobody but who asks them.

use std::io;

use evidence::layout::{self, Stamped};

use crate::fault::{Doing, Fault};
use crate::shared::Shared;

/// Stores a file durably; one of this name is replaced as a whole.
pub(crate) fn keep(
    shared: &Shared,
    ledger: usize,
    size: u64,
    what: Stamped,
    bytes: &[u8],
) -> Result<(), Fault> {
    const DOING: &str = "storing a time-stamped checkpoint";
    let disk = shared.disk.as_ref();
    let dir = layout::stamped_dir(&shared.ledgers[ledger].name);
    let path = format!("{dir}/{}", layout::stamped_name(size, what));
    let temporary = format!("{path}.tmp");
    disk.create_dir(&dir).doing(DOING)?;
    disk.remove(&temporary).doing(DOING)?;
    let mut file = disk.create(&temporary).doing(DOING)?;
    file.append(bytes).doing(DOING)?;
    file.sync().doing(DOING)?;
    disk.rename(&temporary, &path).doing(DOING)?;
    disk.sync_dir(&dir).doing(DOING)
}

/// What there is, by rising size.
pub(crate) fn list(shared: &Shared, ledger: usize) -> Result<Vec<(u64, Stamped)>, Fault> {
    let dir = layout::stamped_dir(&shared.ledgers[ledger].name);
    let files = shared.disk.list(&dir).doing("listing time-stamped checkpoints")?;
    let mut found: Vec<_> = files.iter().filter_map(|file| layout::parse_stamped_name(&file.name)).collect();
    found.sort_unstable();
    Ok(found)
}

/// A file, `None` if it is not there.
pub(crate) fn read(
    shared: &Shared,
    ledger: usize,
    size: u64,
    what: Stamped,
) -> Result<Option<Vec<u8>>, Fault> {
    let dir = layout::stamped_dir(&shared.ledgers[ledger].name);
    match shared.disk.read(&format!("{dir}/{}", layout::stamped_name(size, what))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.doing("reading what stamps a checkpoint").map(Some),
    }
}
