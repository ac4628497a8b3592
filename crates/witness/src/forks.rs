//! Refused forks: two notes, both signed by the log, that cannot both be true. Kept as files that speak for themselves.

use std::io;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use storage::{Disk, DiskObjects, Objects};
use tlog::{
    AddCheckpoint, Hash, ProofError, VerifiedCheckpoint, empty_root, origin_hash, verify_consistency,
};

use crate::state::Cosigned;

/// The most forks that are kept of one log. Whoever has its key can make as many as he likes.
pub const FORKS_MAX: usize = 64;

const DIR: &str = "forks";

/// A kept fork.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// Name of its files: `forks/<name>.txt` says what it is, `.refused` is the request as it came, `.held` the
    /// checkpoint that was cosigned before, if one is part of the contradiction.
    pub name: String,
    /// What the `.txt` says.
    pub summary: String,
}

/// Says why what the log signed cannot all be true, if that is so. That a proof does not hold says nothing: anyone
/// could have put a bad proof to a good checkpoint.
pub(crate) fn contradiction(
    request: &AddCheckpoint,
    checkpoint: &VerifiedCheckpoint,
    last: Option<&Cosigned>,
) -> Option<String> {
    let (size, root) = (checkpoint.checkpoint().size, checkpoint.checkpoint().root);
    if size == 0 && root != empty_root() {
        return Some("an empty tree with the root of another".to_owned());
    }
    let last = last?;
    if size == last.size && root != last.root {
        return Some(format!("two trees of {size} entries"));
    }
    if request.old != last.size || size <= last.size {
        return None;
    }
    // The proof may lead to the new root, and to another one for the old size: then it is the log's own tree that
    // does not begin with what it signed before.
    match verify_consistency(last.size, size, &last.root, &root, &request.proof) {
        Err(ProofError::Root { size: at, computed }) if at == last.size => {
            let begins = verify_consistency(last.size, size, &computed, &root, &request.proof);
            begins.is_ok().then(|| format!("a tree of {size} entries that begins with other {at} entries"))
        }
        _ => None,
    }
}

/// Stores a fork unless it is there already or there are too many. Returns its name if it is new.
pub(crate) fn keep(
    disk: &Arc<dyn Disk>,
    origin: &str,
    request: &AddCheckpoint,
    checkpoint: &VerifiedCheckpoint,
    last: Option<&Cosigned>,
    why: &str,
    now_s: u64,
) -> io::Result<Option<String>> {
    let log = &origin_hash(origin)[..16];
    let held = last.map(|last| last.note.as_str()).filter(|_| checkpoint.checkpoint().size != 0);
    // By what was signed, not by who signed when: the same contradiction is kept once.
    let digest = Sha256::new()
        .chain_update(checkpoint.note().text())
        .chain_update(held.and_then(|note| note.rsplit_once("\n\n")).map_or("", |(text, _)| text))
        .finalize();
    let name = format!("{log}-{}", &Hash::from_bytes(digest.into()).to_string()[..16]);
    let names: Vec<String> = disk.list(DIR)?.into_iter().map(|entry| entry.name).collect();
    let summaries = names.iter().filter(|known| known.starts_with(log) && known.ends_with(".txt"));
    if names.contains(&format!("{name}.txt")) || summaries.count() >= FORKS_MAX {
        return Ok(None);
    }
    disk.create_dir(DIR)?;
    let objects = DiskObjects::new(disk.clone());
    let put = |kind: &str, text: &str| {
        // What a crash left behind is of this very fork; it is written again.
        disk.remove(&format!("{DIR}/{name}.{kind}"))?;
        let stored = objects.put(&format!("{DIR}/{name}.{kind}"), text.as_bytes());
        stored.map_err(|error| io::Error::other(error.to_string()))
    };
    put("refused", &request.to_string())?;
    if let Some(held) = held {
        put("held", held)?;
    }
    let summary = summary(origin, &name, checkpoint, last.filter(|_| held.is_some()), why, now_s);
    put("txt", &summary)?;
    Ok(Some(name))
}

fn summary(
    origin: &str,
    name: &str,
    checkpoint: &VerifiedCheckpoint,
    held: Option<&Cosigned>,
    why: &str,
    now_s: u64,
) -> String {
    let new = checkpoint.checkpoint();
    let signers: Vec<String> =
        checkpoint.log_signatures().iter().map(|signature| signature.key().to_string()).collect();
    let mut text = format!(
        "log      {origin}\nsigned   {why}\nseen     {now_s} (POSIX seconds)\nkey      {}\n\
         refused  {} entries, root {}: {name}.refused\n",
        signers.join(" "),
        new.size,
        new.root.to_base64(),
    );
    if let Some(held) = held {
        text += &format!("held     {} entries, root {}: {name}.held\n", held.size, held.root.to_base64());
    }
    text
}

/// Returns the kept forks of the directory behind `disk`, by name.
pub fn list(disk: &Arc<dyn Disk>) -> io::Result<Vec<Fork>> {
    let mut forks = Vec::new();
    for entry in disk.list(DIR)? {
        if let Some(name) = entry.name.strip_suffix(".txt") {
            let summary = disk.read(&format!("{DIR}/{}", entry.name))?;
            let summary = String::from_utf8_lossy(&summary).into_owned();
            forks.push(Fork { name: name.to_owned(), summary });
        }
    }
    Ok(forks)
}
