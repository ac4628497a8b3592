use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::{fs, io};

use super::source::Source;

/// The files that are part of the project, by their path from its root.
pub struct Tree {
    files: BTreeMap<String, File>,
    folders: BTreeSet<String>,
}

/// One file of the project.
pub struct File {
    /// Length in bytes.
    pub len: u64,
    /// The contents, unless they are not text.
    pub text: Option<String>,
    /// The same taken apart, for Rust.
    pub source: Option<Source>,
}

impl Tree {
    /// Reads all that git tracks or would track below `root`.
    pub fn read(root: &Path) -> io::Result<Self> {
        let listed = Command::new("git")
            .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
            .current_dir(root)
            .output()?;
        if !listed.status.success() {
            let said = String::from_utf8_lossy(&listed.stderr).trim().to_owned();
            return Err(io::Error::other(format!("git ls-files: {said}")));
        }
        let mut files = Vec::new();
        for path in String::from_utf8_lossy(&listed.stdout).split_terminator('\0') {
            // A file may have been deleted and not yet staged.
            match fs::read(root.join(path)) {
                Ok(bytes) => files.push((path.to_owned(), bytes)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io::Error::new(error.kind(), format!("{path}: {error}"))),
            }
        }
        Ok(Self::new(files))
    }

    /// A tree of the given files.
    pub fn new(files: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let mut tree = Self { files: BTreeMap::new(), folders: BTreeSet::from([String::new()]) };
        for (path, bytes) in files {
            for (slash, _) in path.match_indices('/') {
                tree.folders.insert(path[..slash].to_owned());
            }
            let len = bytes.len() as u64;
            let text = String::from_utf8(bytes).ok().filter(|text| !text.contains('\0'));
            let source = text.as_deref().filter(|_| path.ends_with(".rs")).map(Source::of);
            tree.files.insert(path, File { len, text, source });
        }
        tree
    }

    /// All files, sorted by path.
    pub fn files(&self) -> &BTreeMap<String, File> {
        &self.files
    }

    /// The texts among them.
    pub fn texts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.text.as_deref()?)))
    }

    /// The Rust sources among them.
    pub fn sources(&self) -> impl Iterator<Item = (&str, &Source)> {
        self.files.iter().filter_map(|(path, file)| Some((path.as_str(), file.source.as_ref()?)))
    }

    /// Contents of one text.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path)?.text.as_deref()
    }

    /// Whether there is a file or folder at `path`.
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.folders.contains(path)
    }
}
