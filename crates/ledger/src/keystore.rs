use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use env::Env;
use evidence::keys::{self, WrappedKey};
use evidence::layout;
use evidence::predecessor::Succession;
use evidence::seal::{Key, Sealer};
use record::control::KeyChange;
use storage::{Disk, DiskObjects, Objects};
use tlog::KeyStatement;
use tlog::note::{Note, SigningKey, VerifierKey};

use crate::fault::{Doing, Fault};

/// The key directory: wrapping key, signing keys and wrapped data keys. It lies apart from the data, so that a
/// copy of the data is no copy of the keys.
pub struct KeyStore {
    disk: Arc<dyn Disk>,
    objects: DiskObjects,
    wrapping: Key,
    open: Mutex<HashMap<[u8; 16], Arc<Sealer>>>,
}

impl KeyStore {
    /// Opens the key directory. `create` makes a wrapping key if there is none: only for a new store, since
    /// another wrapping key opens nothing of an old one.
    pub fn open(disk: Arc<dyn Disk>, env: &dyn Env, create: bool) -> Result<Self, Fault> {
        let objects = DiskObjects::new(disk.clone());
        if disk.len(layout::keys::WRAPPING).doing("looking for the wrapping key")?.is_none() {
            if !create {
                return Err(Fault::damaged(layout::keys::WRAPPING, "the wrapping key is missing"));
            }
            disk.create_dir(layout::keys::DATA).doing("creating the key directory")?;
            let key = Key::new(env::random(env));
            objects
                .put(layout::keys::WRAPPING, &keys::format_wrapping(&key))
                .doing("storing the wrapping key")?;
        }
        let bytes = disk.read(layout::keys::WRAPPING).doing("reading the wrapping key")?;
        let wrapping = keys::parse_wrapping(&bytes).map_err(|e| Fault::damaged(layout::keys::WRAPPING, e))?;
        Ok(Self { disk, objects, wrapping, open: Mutex::default() })
    }

    /// Removes files that were being written when the server was cut off; nothing was encrypted under them.
    pub(crate) fn remove_leftovers(&self) -> Result<(), Fault> {
        for dir in ["", layout::keys::DATA] {
            for entry in self.disk.list(dir).doing("looking for leftovers")? {
                if !entry.dir && entry.name.ends_with(".tmp") {
                    let path = if dir.is_empty() { entry.name } else { format!("{dir}/{}", entry.name) };
                    self.disk.remove(&path).doing("removing a leftover")?;
                }
            }
        }
        Ok(())
    }

    /// Makes a data key for the file of this path below the data directory; it is durable on return.
    pub fn create_data_key(&self, env: &dyn Env, file: &str) -> Result<([u8; 16], Arc<Sealer>), Fault> {
        let (id, key): ([u8; 16], _) = (env::random(env), Key::new(env::random(env)));
        let wrapped = WrappedKey::wrap(&self.wrapping, &key, id, file, env::random(env));
        self.objects.put(&layout::keys::data(&id), &wrapped.format()).doing("storing a data key")?;
        let sealer = Arc::new(key.sealer());
        self.cache().insert(id, sealer.clone());
        Ok((id, sealer))
    }

    /// The data key of this id.
    pub fn data_key(&self, id: &[u8; 16]) -> Result<Arc<Sealer>, Fault> {
        if let Some(sealer) = self.cache().get(id) {
            return Ok(sealer.clone());
        }
        let path = layout::keys::data(id);
        let bytes = match self.disk.read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::damaged(path, "the data key is missing"));
            }
            other => other.doing("reading a data key")?,
        };
        let wrapped = WrappedKey::parse(&bytes).map_err(|error| Fault::damaged(&path, error))?;
        let key = wrapped.unwrap(&self.wrapping);
        let key = key.ok_or_else(|| Fault::damaged(path, "the wrapping key does not open this data key"))?;
        let sealer = Arc::new(key.sealer());
        self.cache().insert(*id, sealer.clone());
        Ok(sealer)
    }

    /// Destroys a data key: what it encrypted can never be read again.
    pub fn destroy_data_key(&self, id: &[u8; 16]) -> Result<(), Fault> {
        self.cache().remove(id);
        self.disk.remove(&layout::keys::data(id)).doing("destroying a data key")?;
        self.disk.sync_dir(layout::keys::DATA).doing("destroying a data key")
    }

    /// Makes a signing key of this name and stores it at `path` (see [`layout::keys`]). A key of the same name that
    /// is there already is kept: a crash may have come between storing it and telling the register.
    pub fn create_signing_key(&self, env: &dyn Env, path: &str, name: &str) -> Result<SigningKey, Fault> {
        if self.disk.len(path).doing("looking for a signing key")?.is_none() {
            let seed = zeroize::Zeroizing::new(env::random(env));
            let key = SigningKey::from_seed(name, *seed).map_err(|error| Fault::damaged(path, error))?;
            let vkey = key.verifying_key().to_string();
            self.objects
                .put(path, &keys::format_signing(name, &seed, &vkey))
                .doing("storing a signing key")?;
        }
        self.signing_key(path)
    }

    /// The signing key stored at `path`.
    pub fn signing_key(&self, path: &str) -> Result<SigningKey, Fault> {
        let bytes = match self.disk.read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Fault::damaged(path, "the signing key is missing"));
            }
            other => other.doing("reading a signing key")?,
        };
        let (name, seed, vkey) = keys::parse_signing(&bytes).map_err(|error| Fault::damaged(path, error))?;
        let key = SigningKey::from_seed(&name, *seed).map_err(|error| Fault::damaged(path, error))?;
        if key.verifying_key().to_string() != vkey {
            return Err(Fault::damaged(path, "the signing key is another one than its file says"));
        }
        Ok(key)
    }

    /// What a ledger that is about to be made continues, if anything.
    pub(crate) fn succession(&self, name: &str) -> Result<Option<Succession>, Fault> {
        let path = layout::keys::predecessor(name);
        let bytes = match self.disk.read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.doing("reading what a ledger continues")?,
        };
        Succession::parse(&bytes).map(Some).map_err(|error| Fault::damaged(path, error))
    }

    /// Stores in the key directory `disk` what a ledger of this name shall continue, for the start that makes it; it is
    /// durable on return.
    pub fn put_succession(disk: &Arc<dyn Disk>, name: &str, succession: &Succession) -> Result<(), Fault> {
        let put = DiskObjects::new(disk.clone()).put(&layout::keys::predecessor(name), &succession.format());
        put.doing("storing what a ledger continues")
    }

    /// Removes what a ledger continues, which its genesis tells from now on.
    pub(crate) fn remove_succession(&self, name: &str) -> Result<(), Fault> {
        let path = layout::keys::predecessor(name);
        if self.disk.len(&path).doing("looking for what a ledger continues")?.is_none() {
            return Ok(());
        }
        self.disk.remove(&path).doing("removing what a ledger continues")?;
        self.disk.sync_dir("").doing("removing what a ledger continues")
    }

    /// The signing key stored at `path`, if there is one.
    pub(crate) fn signing_key_if_any(&self, path: &str) -> Result<Option<SigningKey>, Fault> {
        match self.disk.len(path).doing("looking for a signing key")? {
            Some(_) => self.signing_key(path).map(Some),
            None => Ok(None),
        }
    }

    /// The change of a ledger's signing key that waits to be entered, if there is one.
    pub(crate) fn change(&self, name: &str) -> Result<Option<KeyChange>, Fault> {
        let path = layout::keys::change(name);
        let bytes = match self.disk.read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            other => other.doing("reading a change of a signing key")?,
        };
        keys::parse_change(keys::CHANGE, &bytes).map(Some).map_err(|error| Fault::damaged(path, error))
    }

    /// Puts the next signing key of a ledger into the place of the one before, which is gone from here then, and
    /// forgets the change that told of it. `key`, the new one, has signed a published checkpoint.
    pub(crate) fn finish_change(&self, name: &str, key: &VerifierKey) -> Result<(), Fault> {
        let (next, signing) = (layout::keys::signing_next(name), layout::keys::signing(name));
        // Another key under this name is being prepared for the change after this one.
        if self.signing_key_if_any(&next)?.is_some_and(|next| next.verifying_key() == key) {
            self.disk.rename(&next, &signing).doing("taking the next signing key")?;
            self.disk.sync_dir("").doing("taking the next signing key")?;
        }
        if self.change(name)?.is_some_and(|change| names(&change, key)) {
            self.disk.remove(&layout::keys::change(name)).doing("forgetting a change of a signing key")?;
            self.disk.sync_dir("").doing("forgetting a change of a signing key")?;
        }
        Ok(())
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 16], Arc<Sealer>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether a change is one to this key. Its signature is not looked at.
pub(crate) fn names(change: &KeyChange, key: &VerifierKey) -> bool {
    let text = Note::parse(change.statement.as_bytes()).map(|note| note.text().to_owned());
    text.is_ok_and(|text| KeyStatement::parse(&text).is_ok_and(|statement| statement.key == *key))
}
