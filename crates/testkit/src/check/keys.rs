use std::collections::HashMap;

use evidence::keys::{CHANGE, WrappedKey, parse_change, parse_signing, parse_wrapping};
use evidence::layout;
use evidence::seal::Sealer;
use storage::Disk;

use super::{Violation, broken, read};

/// The key directory, opened.
pub(super) struct Keys {
    data: HashMap<[u8; 16], Sealer>,
    /// Verification keys by file name.
    signing: HashMap<String, String>,
    /// Names of the files of changes that wait.
    changes: Vec<String>,
}

impl Keys {
    /// Reads and unwraps every key.
    pub(super) fn read(disk: &dyn Disk) -> Result<Self, Violation> {
        let wrapping = parse_wrapping(&read(disk, layout::keys::WRAPPING)?);
        let wrapping = wrapping.or_else(|error| broken(layout::keys::WRAPPING, error))?;
        let mut keys = Self { data: HashMap::new(), signing: HashMap::new(), changes: Vec::new() };
        for name in names(disk, layout::keys::DATA)? {
            let path = format!("{}/{name}", layout::keys::DATA);
            // A key that was being stored in a crash is no key: it has no name that a file could refer to.
            if name.ends_with(".tmp") {
                continue;
            }
            let wrapped = WrappedKey::parse(&read(disk, &path)?).or_else(|error| broken(&path, error))?;
            if layout::keys::data(&wrapped.id) != path {
                return broken(path, "the key has another id than its name");
            }
            match wrapped.unwrap(&wrapping) {
                Some(key) => drop(keys.data.insert(wrapped.id, key.sealer())),
                None => return broken(path, "the wrapping key does not open it"),
            }
        }
        for name in names(disk, "")?.into_iter().filter(|name| name != layout::keys::WRAPPING) {
            if name.ends_with(".key-change") {
                let change = parse_change(CHANGE, &read(disk, &name)?);
                change.or_else(|error| broken(&name, error))?;
                keys.changes.push(name);
                continue;
            }
            let key = parse_signing(&read(disk, &name)?).or_else(|error| broken(&name, error))?;
            keys.signing.insert(name, key.2);
        }
        Ok(keys)
    }

    /// The key of this id, which `file` is under.
    pub(super) fn data(&self, id: &[u8; 16], file: &str) -> Result<&Sealer, Violation> {
        match self.data.get(id) {
            Some(sealer) => Ok(sealer),
            None => broken(file, "its data key is missing"),
        }
    }

    /// Whether a change of a ledger's signing key waits.
    pub(super) fn has_change(&self, ledger: &str) -> bool {
        self.changes.contains(&layout::keys::change(ledger))
    }

    /// Verification key of a ledger's signing key.
    pub(super) fn vkey(&self, ledger: &str) -> Option<&str> {
        self.signing.get(&layout::keys::signing(ledger)).map(String::as_str)
    }
}

/// Names of the files in a directory.
pub(super) fn names(disk: &dyn Disk, dir: &str) -> Result<Vec<String>, Violation> {
    let entries = disk.list(dir).or_else(|error| broken(dir, error))?;
    Ok(entries.into_iter().filter(|entry| !entry.dir).map(|entry| entry.name).collect())
}
