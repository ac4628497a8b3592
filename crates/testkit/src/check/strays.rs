use evidence::layout;
use evidence::register::Registered;
use record::control::Cut;
use sha2::{Digest, Sha256};
use storage::Disk;

use super::keys::names;
use super::{Violation, broken, read};

/// Checks that every torn tail was set aside whole and is on record in some ledger, and that no file there is
/// anything else (DESIGN I4). Returns their number.
pub(super) fn check_set_aside(
    data: &dyn Disk,
    cuts: &[Cut],
    torn: &[(u64, u64, Vec<u8>)],
) -> Result<usize, Violation> {
    let files = names(data, layout::SET_ASIDE)?;
    for name in &files {
        let path = format!("{}/{name}", layout::SET_ASIDE);
        let bytes = read(data, &path)?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let whole = |cut: &&Cut| cut.file == path && cut.length == bytes.len() as u64 && cut.sha256 == digest;
        if !cuts.iter().any(|cut| whole(&cut)) {
            return broken(path, "a torn tail that is not on record");
        }
    }
    for cut in cuts {
        if !files.iter().any(|name| format!("{}/{name}", layout::SET_ASIDE) == cut.file) {
            return broken(&cut.file, "a torn tail that is on record and not set aside");
        }
    }
    for (number, offset, bytes) in torn {
        let path = layout::set_aside(*number, *offset);
        if read(data, &path)? != *bytes {
            return broken(path, "not the torn tail of its file");
        }
    }
    Ok(files.len())
}

/// Checks that no file is there that nothing accounts for (DESIGN I10).
pub(super) fn check_names(data: &dyn Disk, register: &Registered) -> Result<(), Violation> {
    let known = [layout::REGISTER, layout::SETTINGS, layout::TOKENS, layout::ADMIN_TOKEN, layout::LOCK];
    for name in names(data, "")? {
        if !known.contains(&name.as_str()) && name != layout::RESERVE {
            return broken(name, "no such file belongs here");
        }
    }
    for entry in data.list(layout::LEDGERS).or_else(|error| broken(layout::LEDGERS, error))? {
        let dir = layout::ledger_dir(&entry.name);
        if !entry.dir || register.ledgers.iter().all(|ledger| ledger.name != entry.name) {
            return broken(dir, "not a ledger of the register");
        }
        if let Some(name) = names(data, &dir)?
            .into_iter()
            .find(|name| !["checkpoint", "checkpoint.witnessed"].contains(&&**name))
        {
            return broken(format!("{dir}/{name}"), "no such file belongs here");
        }
    }
    Ok(())
}
