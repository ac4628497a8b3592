//! The directories of a store: made for their owner alone, and held by one server at a time.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use evidence::layout;

use crate::failure::{About, Failure};
use crate::terminal;

/// Makes a directory that only its owner may enter, durably; of one that is there, checks the same.
pub(crate) fn prepare(dir: &Path) -> Result<(), Failure> {
    if !dir.exists() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir).about("create the directory", dir)?;
        let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(parent).and_then(|parent| parent.sync_all()).about("create the directory", dir)?;
    }
    let meta = fs::metadata(dir).about("open the directory", dir)?;
    if !meta.is_dir() {
        return Err(Failure::trouble(format!("this is no directory: {}", dir.display())));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        terminal::tell(&format!(
            "warning: others on this machine may enter {0}; close it with: chmod 700 {0}",
            dir.display()
        ));
    }
    Ok(())
}

/// Refuses keys inside the data directory, or data inside the key directory: a copy of one must not hold the other.
pub(crate) fn check_apart(data: &Path, keys: &Path) -> Result<(), Failure> {
    let (data_at, keys_at) = (resolve(data)?, resolve(keys)?);
    if data_at.starts_with(&keys_at) || keys_at.starts_with(&data_at) {
        return Err(Failure::trouble(format!(
            "keys and data must not lie inside one another: {} and {}",
            keys_at.display(),
            data_at.display()
        ))
        .hint("choose another place for the keys with --keys DIR, best one that is backed up apart"));
    }
    Ok(())
}

/// Refuses a file of TLS inside the data directory: a copy of the data would hold the key, and `verify` calls damage
/// what is not of the store.
pub(super) fn check_outside(data: &Path, file: &Path) -> Result<(), Failure> {
    match resolve(file)?.starts_with(resolve(data)?) {
        true => Err(Failure::trouble(format!(
            "this file must not lie inside the data directory: {}",
            file.display()
        ))
        .hint("put it beside that directory: only what the server writes lies in it, and a copy of the data must be no copy of a key")),
        false => Ok(()),
    }
}

/// The full path of a directory that may not be there yet: that of the part that is, and the rest.
fn resolve(dir: &Path) -> Result<PathBuf, Failure> {
    let absolute = std::path::absolute(dir).about("find", dir)?;
    let mut rest = Vec::new();
    let mut at = absolute.as_path();
    loop {
        match at.canonicalize() {
            Ok(found) => return Ok(rest.iter().rev().fold(found, |path, name| path.join(name))),
            Err(error) => match (at.parent(), at.file_name()) {
                (Some(parent), Some(name)) => {
                    rest.push(name.to_owned());
                    at = parent;
                }
                _ => return Err(error).about("find", dir),
            },
        }
    }
}

/// Takes the store for this process; it is given back when the file is dropped or the process ends in any way.
pub(crate) fn lock(data: &Path) -> Result<File, Failure> {
    lock_file(&data.join(layout::LOCK))?.map_err(|holder| {
        Failure::trouble(format!("{holder} serves this store already: {}", data.display()))
            .hint("use that server, stop it first, or give this one another directory with --data DIR")
    })
}

/// Locks a file, made if it is not there; else says who holds it.
pub(crate) fn lock_file(path: &Path) -> Result<Result<File, String>, Failure> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .about("open", path)?;
    match file.try_lock() {
        Ok(()) => Ok(Ok(file)),
        Err(TryLockError::WouldBlock) => Ok(Err(match holder(&file) {
            Some(pid) => format!("process {pid}"),
            None => "another process".to_owned(),
        })),
        Err(TryLockError::Error(error)) => Err(error).about("lock", path),
    }
}

/// The process that holds the lock on a file, where Linux tells it (proc(5), `/proc/locks`).
fn holder(file: &File) -> Option<u32> {
    let inode = file.metadata().ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        // 1: FLOCK ADVISORY WRITE 4711 08:02:131 0 EOF
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, "FLOCK", _, _, pid, place, ..] = fields[..] else { return None };
        (place.rsplit(':').next() == Some(inode.as_str())).then(|| pid.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn new_directories_are_closed_to_others() {
        let dir = tempfile::tempdir().expect("a directory");
        let data = dir.path().join("a/b");
        prepare(&data).expect("it is made");
        assert_eq!(fs::metadata(&data).expect("it is there").mode() & 0o777, 0o700);
        prepare(&data).expect("it is taken as it is");
    }

    #[test]
    fn keys_and_data_lie_apart() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        fs::create_dir(at("data")).expect("a directory");
        std::os::unix::fs::symlink(at("data"), at("link")).expect("a link");
        assert!(check_apart(&at("data"), &at("data-keys")).is_ok());
        for keys in ["data", "data/keys", "link/keys", "data/../data/keys", "."] {
            assert!(check_apart(&at("data"), &at(keys)).is_err(), "{keys}");
        }
    }

    #[test]
    fn a_key_lies_outside_the_data() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::create_dir(dir.path().join("data")).expect("a directory");
        let check = |key: &str| check_outside(&dir.path().join("data"), &dir.path().join(key));
        assert!(check("data/tls.key").is_err() && check("data/../data/a/tls.key").is_err());
        assert!(check("tls.key").is_ok() && check("data/../tls.key").is_ok());
    }

    #[test]
    fn a_store_is_held_once_and_its_holder_is_told() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = lock(dir.path()).expect("nobody holds it");
        let refused = lock(dir.path()).expect_err("it is held");
        assert!(refused.message().contains(&format!("process {}", std::process::id())), "{refused:?}");
        drop(held);
        lock(dir.path()).expect("it was given back");
    }
}
