use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::Arc;

use super::{FileId, parent};

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    File(FileId),
}

/// A change of names; each is atomic.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Link(Arc<str>, FileId),
    Unlink(Arc<str>),
    /// Old name, new name, the file.
    Rename(Arc<str>, Arc<str>, FileId),
    MakeDir(Arc<str>),
    /// The directory is empty: what is in it in a state that lacks earlier changes goes with it.
    RemoveDir(Arc<str>),
}

impl Change {
    /// A path whose directory this change belongs to.
    pub(super) fn path(&self) -> &str {
        match self {
            Self::Link(path, _) | Self::Rename(path, ..) => path,
            Self::Unlink(path) | Self::MakeDir(path) | Self::RemoveDir(path) => path,
        }
    }
}

/// All names by path. The root is not in it.
#[derive(Clone, Debug, Default)]
pub(super) struct Names(BTreeMap<Arc<str>, Node>);

impl Names {
    pub(super) fn get(&self, path: &str) -> Option<Node> {
        if path.is_empty() { Some(Node::Dir) } else { self.0.get(path).copied() }
    }

    pub(super) fn insert(&mut self, path: &str, node: Node) {
        self.0.insert(path.into(), node);
    }

    /// Applies a change, also onto a state in which earlier ones are missing.
    pub(super) fn apply(&mut self, change: &Change) {
        match change {
            Change::Link(path, file) => drop(self.0.insert(path.clone(), Node::File(*file))),
            Change::Unlink(path) => drop(self.0.remove(path)),
            Change::MakeDir(path) => drop(self.0.insert(path.clone(), Node::Dir)),
            Change::RemoveDir(path) => {
                let below = format!("{path}/");
                self.0.retain(|name, _| name != path && !name.starts_with(&below));
            }
            Change::Rename(from, to, file) => {
                self.0.remove(from);
                self.0.insert(to.clone(), Node::File(*file));
            }
        }
    }

    /// Removes every name whose directory is not there.
    pub(super) fn drop_orphans(&mut self) {
        // Parents sort before what is in them, so one pass in order sees every directory decided.
        let mut kept: BTreeMap<Arc<str>, Node> = BTreeMap::new();
        for (path, node) in &self.0 {
            let parent = parent(path);
            if parent.is_empty() || kept.get(parent) == Some(&Node::Dir) {
                kept.insert(path.clone(), *node);
            }
        }
        self.0 = kept;
    }

    /// Whether `path` leads to `file` here, every directory on the way included.
    pub(super) fn reaches(&self, path: &str, file: FileId) -> bool {
        let dirs = path.match_indices('/').map(|(at, _)| &path[..at]);
        self.get(path) == Some(Node::File(file))
            && dirs.into_iter().all(|dir| self.get(dir) == Some(Node::Dir))
    }

    /// The names in a directory, sorted.
    pub(super) fn children<'a>(&'a self, dir: &'a str) -> impl Iterator<Item = (&'a str, Node)> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let from = (Bound::Included(prefix.as_str()), Bound::Unbounded);
        let len = prefix.len();
        let below: Vec<_> = self
            .0
            .range::<str, _>(from)
            .take_while(|(path, _)| path.starts_with(&prefix))
            .map(|(path, node)| (&path[len..], *node))
            .filter(|(name, _)| !name.contains('/'))
            .collect();
        below.into_iter()
    }

    pub(super) fn files(&self) -> impl Iterator<Item = (&Arc<str>, FileId)> {
        self.0.iter().filter_map(|(path, node)| match node {
            Node::File(file) => Some((path, *file)),
            Node::Dir => None,
        })
    }

    /// Gives files new numbers.
    pub(super) fn renumber(&mut self, number: impl Fn(FileId) -> FileId) {
        for node in self.0.values_mut() {
            if let Node::File(file) = node {
                *file = number(*file);
            }
        }
    }

    pub(super) fn check_parent(&self, path: &str) -> io::Result<()> {
        let strange = |part: &str| part.is_empty() || part == "." || part == "..";
        if path.split('/').any(strange) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("not a path of ours: {path}")));
        }
        self.check_dir(parent(path))
    }

    pub(super) fn check_dir(&self, dir: &str) -> io::Result<()> {
        match self.get(dir) {
            Some(Node::Dir) => Ok(()),
            Some(Node::File(_)) => Err(io::ErrorKind::NotADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}
