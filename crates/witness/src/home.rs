//! The directory of a witness: its key, the list of the logs it has state of, and that state.
//!
//! The list is what makes a lost state file noticed: a log that is in it and has none is damage, never a log that was
//! never seen. A state that is gone together with list and key is a new witness, with another key.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io;
use std::sync::Arc;

use env::Env;
use evidence::{keys, statefile};
use record::json::{Object, Value};
use storage::{Disk, DiskObjects, DiskRegister, Held, Objects, Register, RegisterError};
use tlog::note::KeyError;
use tlog::{CosigningKey, VerifierKey, origin_hash};
use zeroize::Zeroizing;

use crate::state::{self, Cosigned};

const LIST: &str = "witness";
const LIST_NAME: &str = "ledgerstone/witness/v1";
const KEY: &str = "key";
const NEW_KEY: &str = "key.new";

/// Name of the file that the process serving a directory holds locked.
pub const LOCK_FILE: &str = "lock";

/// Why a witness does not start. Nothing was cosigned.
#[derive(Debug)]
pub enum OpenError {
    /// The disk refused. May be tried again.
    Storage(io::Error),
    /// A file is missing, changed, or does not fit the others: it must not be guessed what was cosigned.
    Damaged {
        /// The file, within the directory.
        file: String,
        /// What is wrong with it.
        what: String,
    },
    /// The directory is new and no name was given for its key.
    NameMissing,
    /// The name is not that of the key which is there.
    OtherName {
        /// Name of the key.
        found: String,
    },
    /// The name can't be that of a key.
    BadName(KeyError),
}

impl OpenError {
    fn damaged(file: impl Into<String>, what: impl fmt::Display) -> Self {
        Self::Damaged { file: file.into(), what: what.to_string() }
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Storage(error) => write!(f, "the state can't be read or written: {error}"),
            Self::Damaged { file, what } => write!(f, "the state of the witness is damaged: {file}: {what}"),
            Self::NameMissing => f.write_str("a new witness needs a name for its key"),
            Self::OtherName { found } => write!(f, "this witness has another name: {found}"),
            Self::BadName(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<io::Error> for OpenError {
    fn from(error: io::Error) -> Self {
        Self::Storage(error)
    }
}

impl From<RegisterError> for OpenError {
    fn from(error: RegisterError) -> Self {
        match error {
            RegisterError::OutcomeUnknown(error) => Self::Storage(error),
            RegisterError::Changed => Self::Storage(io::Error::other("another process writes here")),
        }
    }
}

/// An opened directory.
pub(crate) struct Home {
    pub(crate) key: CosigningKey,
    /// Every log there is state of, configured now or not.
    pub(crate) logs: BTreeMap<String, Kept>,
}

/// The state of one log.
pub(crate) struct Kept {
    pub(crate) register: DiskRegister,
    pub(crate) held: Held,
    pub(crate) last: Option<Cosigned>,
}

/// The register of one log's state.
fn log_register(disk: &Arc<dyn Disk>, origin: &str) -> DiskRegister {
    DiskRegister::new(disk.clone(), &log_file(origin))
}

pub(crate) fn log_file(origin: &str) -> String {
    format!("log-{}", origin_hash(origin))
}

impl Home {
    /// Opens a directory, makes a new one whole, and takes the `origins` into its list that are not in it yet.
    pub(crate) fn open(
        disk: &Arc<dyn Disk>,
        name: Option<&str>,
        origins: &BTreeSet<&str>,
        env: &dyn Env,
    ) -> Result<Home, OpenError> {
        let list = DiskRegister::new(disk.clone(), LIST);
        let held = list.load()?;
        let key = open_key(disk, &list, held.as_ref(), name, env)?;
        let Some(held) = list.load()? else { return Err(OpenError::damaged(LIST, "there is none")) };
        let known = parse_list(held.bytes(), key.verifying_key())?;
        check_strangers(disk, &known, key.verifying_key())?;
        let new: BTreeSet<&str> = origins.iter().copied().filter(|origin| !known.contains(*origin)).collect();
        // First their empty state, then the list: so a log in the list has a state at any moment.
        for origin in &new {
            let register = log_register(disk, origin);
            if register.load()?.is_none() {
                register.create(state::format(origin, None))?;
            }
        }
        let all: BTreeSet<String> = known.into_iter().chain(new.iter().map(|o| (*o).to_owned())).collect();
        if !new.is_empty() {
            list.swap(held, format_list(key.verifying_key(), &all))?;
        }
        let mut logs = BTreeMap::new();
        for origin in all {
            let register = log_register(disk, &origin);
            let (held, last) = load(&register, &origin, key.verifying_key())?;
            logs.insert(origin, Kept { register, held, last });
        }
        Ok(Home { key, logs })
    }
}

/// Reads the state of a log that must have one.
pub(crate) fn load(
    register: &DiskRegister,
    origin: &str,
    own: &VerifierKey,
) -> Result<(Held, Option<Cosigned>), OpenError> {
    let file = log_file(origin);
    let Some(held) = register.load()? else {
        return Err(OpenError::damaged(file, format!("it is gone; it held what was cosigned of {origin}")));
    };
    let last = state::parse(held.bytes(), origin, own).map_err(|what| OpenError::damaged(file, what))?;
    Ok((held, last))
}

/// Returns the key. In a new directory makes it and an empty list.
///
/// The key gets its name last: a key that stands under it has a list beside it, else the list was lost.
fn open_key(
    disk: &Arc<dyn Disk>,
    list: &DiskRegister,
    held: Option<&Held>,
    name: Option<&str>,
    env: &dyn Env,
) -> Result<CosigningKey, OpenError> {
    let missing = |file, what| OpenError::damaged(file, what);
    let key = match (read(disk, KEY)?, held) {
        (Some(key), Some(_)) => parse_key(KEY, &key)?,
        (Some(_), None) => {
            return Err(missing(LIST, "it is gone, and with it the knowledge of what this key has cosigned"));
        }
        (None, Some(_)) => {
            let unfinished = read(disk, NEW_KEY)?.ok_or(missing(KEY, "it is gone"))?;
            let key = parse_key(NEW_KEY, &unfinished)?;
            finish_key(disk)?;
            key
        }
        (None, None) => {
            let stranded = disk.list("")?.into_iter().find(|entry| entry.name.starts_with("log-"));
            if let Some(stranded) = stranded {
                return Err(missing(LIST, &format!("it is gone, and {} is there", stranded.name)));
            }
            let name = name.ok_or(OpenError::NameMissing)?;
            let seed = Zeroizing::new(env::random(env));
            let key = CosigningKey::from_seed(name, *seed).map_err(OpenError::BadName)?;
            let vkey = key.verifying_key();
            disk.remove(NEW_KEY)?;
            let bytes = Zeroizing::new(keys::format_signing(name, &seed, &vkey.to_string()));
            DiskObjects::new(disk.clone())
                .put(NEW_KEY, &bytes)
                .map_err(|error| OpenError::Storage(io::Error::other(error.to_string())))?;
            list.create(format_list(vkey, &BTreeSet::new()))?;
            finish_key(disk)?;
            key
        }
    };
    match name.filter(|name| *name != key.verifying_key().name()) {
        Some(_) => Err(OpenError::OtherName { found: key.verifying_key().name().to_owned() }),
        None => Ok(key),
    }
}

fn finish_key(disk: &Arc<dyn Disk>) -> io::Result<()> {
    disk.rename(NEW_KEY, KEY)?;
    disk.sync_dir("")
}

fn parse_key(file: &str, bytes: &[u8]) -> Result<CosigningKey, OpenError> {
    let (name, seed, vkey) = keys::parse_signing(bytes).map_err(|error| OpenError::damaged(file, error))?;
    let key = CosigningKey::from_seed(&name, *seed).map_err(|error| OpenError::damaged(file, error))?;
    if key.verifying_key().to_string() != vkey {
        return Err(OpenError::damaged(file, "its two halves do not fit"));
    }
    Ok(key)
}

fn format_list(own: &VerifierKey, origins: &BTreeSet<String>) -> Vec<u8> {
    let mut object = Object::new();
    object.insert("key", Value::from(own.to_string()));
    let origins = origins.iter().map(|origin| Value::from(origin.clone())).collect();
    object.insert("logs", Value::Array(origins));
    statefile::format(LIST_NAME, &Value::Object(object))
}

fn parse_list(bytes: &[u8], own: &VerifierKey) -> Result<BTreeSet<String>, OpenError> {
    let bad = |what: &str| OpenError::damaged(LIST, what);
    let value = statefile::parse(LIST_NAME, bytes).map_err(|error| OpenError::damaged(LIST, error))?;
    let object = value.as_object().filter(|object| object.len() == 2).ok_or(bad("not two members"))?;
    let key = object.get("key").and_then(Value::str).ok_or(bad("no key"))?;
    if key != own.to_string() {
        return Err(bad("it belongs to another key"));
    }
    let origins = object.get("logs").and_then(Value::as_array).ok_or(bad("no logs"))?;
    origins.iter().map(|origin| origin.str().map(str::to_owned).ok_or(bad("not an origin"))).collect()
}

/// A state that is not in the list and of which something was cosigned: the list is older than it.
fn check_strangers(
    disk: &Arc<dyn Disk>,
    known: &BTreeSet<String>,
    own: &VerifierKey,
) -> Result<(), OpenError> {
    let known: BTreeSet<String> = known.iter().map(|origin| log_file(origin)).collect();
    for entry in disk.list("")? {
        let is_log = entry.name.starts_with("log-") && !entry.name.ends_with(".tmp");
        if is_log && !known.contains(&entry.name) {
            let bytes = disk.read(&entry.name)?;
            if !state::is_empty(&bytes, own) {
                return Err(OpenError::damaged(LIST, format!("{} is not in it", entry.name)));
            }
        }
    }
    Ok(())
}

fn read(disk: &Arc<dyn Disk>, path: &str) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match disk.read(path) {
        Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
