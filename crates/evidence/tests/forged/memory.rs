use std::collections::BTreeMap;
use std::io;

use evidence::verify::{Medium, Report, Settings, verify_store};
use tlog::VerifierKey;

/// Files by their path.
pub type Files = BTreeMap<String, Vec<u8>>;

/// Verifies a store, without its keys if none are given.
pub fn verify(data: &Files, keys: Option<&Files>) -> Report {
    verify_with(data, keys, None)
}

/// Verifies a store with a key from outside.
pub fn verify_with(data: &Files, keys: Option<&Files>, key: Option<&VerifierKey>) -> Report {
    let keys = keys.map(Memory);
    let keys = keys.as_ref().map(|keys| keys as &dyn Medium);
    verify_store(&Memory(data), keys, &Settings { key, threads: 1, progress: &|_, _| {} })
}

/// A directory in memory.
pub struct Memory<'a>(pub &'a Files);

impl Medium for Memory<'_> {
    fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or(io::ErrorKind::NotFound.into())
    }

    fn read_at(&self, path: &str, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read(path)?;
        let range = bytes.get(offset as usize..offset as usize + len);
        Ok(range.ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
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
