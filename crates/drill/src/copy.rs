//! A copy of a store on disk that is damaged and put right again. Keys are held in memory and never written.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use evidence::verify::{Medium, Report, Settings, verify_store};
use verifier::Directory;

/// What reports put in front of the path of a key file.
pub(crate) const KEYS: &str = "keys:";

/// File contents that are to be: by name, `None` for a file that is to be gone. Key files begin with `keys:`.
pub(crate) type Changes = BTreeMap<String, Option<Vec<u8>>>;

/// A copy of a store.
pub(crate) struct Copy {
    dir: PathBuf,
    data: Directory,
    keys: Option<Files>,
    undo: Vec<(String, Option<Vec<u8>>)>,
}

impl Copy {
    /// Copies the store in `data` to `dir`; `keys` is read into memory.
    pub(crate) fn make(data: &Path, keys: Option<&Path>, dir: &Path) -> io::Result<Self> {
        copy_tree(data, dir)?;
        Self::take(dir, keys)
    }

    /// Takes a directory that is a copy already.
    pub(crate) fn take(dir: &Path, keys: Option<&Path>) -> io::Result<Self> {
        let keys = keys.map(Files::read).transpose()?;
        Ok(Self { dir: dir.to_owned(), data: Directory::new(dir), keys, undo: Vec::new() })
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    pub(crate) fn data(&self) -> &Directory {
        &self.data
    }

    pub(crate) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        match (name.strip_prefix(KEYS), &self.keys) {
            (Some(path), Some(keys)) => keys.read(path),
            (Some(_), None) => Err(io::ErrorKind::NotFound.into()),
            (None, _) => self.data.read(name),
        }
    }

    /// Names and lengths of all files, key files too.
    pub(crate) fn files(&self) -> io::Result<Vec<(String, u64)>> {
        let mut files = Vec::new();
        let mut dirs = vec![String::new()];
        while let Some(dir) = dirs.pop() {
            for (name, len, is_dir) in self.data.list(&dir)? {
                let path = if dir.is_empty() { name } else { format!("{dir}/{name}") };
                if is_dir { dirs.push(path) } else { files.push((path, len)) }
            }
        }
        for (path, bytes) in self.keys.iter().flat_map(|keys| &keys.0) {
            files.push((format!("{KEYS}{path}"), bytes.len() as u64));
        }
        files.sort();
        Ok(files)
    }

    /// Verifies the copy as it is now.
    pub(crate) fn verify(&self) -> Report {
        let keys = self.keys.as_ref().map(|keys| keys as &dyn Medium);
        verify_store(&self.data, keys, &Settings { key: None, threads: 1, progress: &|_, _| {} })
    }

    /// Makes files as they are to be, and remembers what they were.
    pub(crate) fn apply(&mut self, changes: &Changes) -> io::Result<()> {
        for (name, bytes) in changes {
            let old = match self.read(name) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                other => Some(other?),
            };
            self.undo.push((name.clone(), old));
            self.put(name, bytes.as_deref())?;
        }
        Ok(())
    }

    /// Puts right what [`Copy::apply`] changed.
    pub(crate) fn restore(&mut self) -> io::Result<()> {
        while let Some((name, old)) = self.undo.pop() {
            self.put(&name, old.as_deref())?;
        }
        Ok(())
    }

    fn put(&mut self, name: &str, bytes: Option<&[u8]>) -> io::Result<()> {
        if let Some(path) = name.strip_prefix(KEYS) {
            let keys = self.keys.get_or_insert_default();
            match bytes {
                Some(bytes) => drop(keys.0.insert(path.to_owned(), bytes.to_vec())),
                None => drop(keys.0.remove(path)),
            }
            return Ok(());
        }
        let path = self.dir.join(name);
        match bytes {
            Some(bytes) => {
                if let Some(parent) = path.parent() {
                    fs::create_dir_all(parent)?;
                }
                fs::write(path, bytes)
            }
            None => match fs::remove_file(path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => other,
            },
        }
    }
}

/// A directory in memory.
#[derive(Clone, Default)]
pub(crate) struct Files(pub(crate) BTreeMap<String, Vec<u8>>);

impl Files {
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let (mut files, mut dirs) = (BTreeMap::new(), vec![root.to_owned()]);
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir)? {
                let path = entry?.path();
                if path.is_dir() {
                    dirs.push(path);
                } else if let Ok(name) = path.strip_prefix(root) {
                    files.insert(name.to_string_lossy().into_owned(), fs::read(&path)?);
                }
            }
        }
        Ok(Self(files))
    }
}

impl Medium for Files {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let rest = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
        Ok(rest.and_then(|rest| rest.get(..len)).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn list(&self, dir: &str) -> io::Result<Vec<(String, u64, bool)>> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let mut names = BTreeMap::new();
        for (path, bytes) in self.0.range(prefix.clone()..) {
            let Some(rest) = path.strip_prefix(&prefix) else { break };
            match rest.split_once('/') {
                Some((name, _)) => names.insert(name.to_owned(), (0, true)),
                None => names.insert(rest.to_owned(), (bytes.len() as u64, false)),
            };
        }
        Ok(names.into_iter().map(|(name, (len, dir))| (name, len, dir)).collect())
    }
}

/// Copies a directory; nobody but the owner may look into the copy.
pub(crate) fn copy_tree(from: &Path, to: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_tree(&entry.path(), &target)?;
        } else if entry.file_type()?.is_file() {
            match fs::copy(entry.path(), target) {
                // A running server lets files go; the copy is verified before anything is made of it.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                other => drop(other?),
            }
        }
    }
    Ok(())
}

/// Bytes of the files in a directory.
pub(crate) fn bytes_in(dir: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        let meta = entry.metadata()?;
        // A file takes whole blocks.
        bytes += if meta.is_dir() { bytes_in(&entry.path())? } else { meta.len().next_multiple_of(4096) };
    }
    Ok(bytes)
}
