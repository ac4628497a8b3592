//! Stores written by the engine itself: the honest one, and those that a thief of its keys makes.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use evidence::layout;
use evidence::register::Registered;
use evidence::verify::{Medium, Report, Settings, verify_store};
use ledger::{Batch, Core, Options, Outcome, Pending, Prepared, Recorded, Request};
use record::commit::{Salt, Seed};
use record::entry::Kind;
use record::facet::{TABLE_VERSION, split};
use record::json;
use record::receipt::{Level, Receipt, ReceiptProof};
use sha2::{Digest, Sha256};
use storage::LocalDisk;
use tlog::VerifierKey;
use verifier::Directory;

use super::keyring::Keyring;
use crate::DrillError;
use crate::copy::copy_tree;
use crate::random::{Dice, SeededEnv};

/// Records in one group.
const GROUP: usize = 10;

/// A store and the keys of its server.
#[derive(Clone)]
pub(super) struct Site {
    pub data: PathBuf,
    pub keys: Keyring,
    /// Names of the ledgers; the first is the one that is attacked.
    pub ledgers: Vec<String>,
    pub settings: Option<[u8; 32]>,
    /// Whether there are keys: without them payloads are not opened.
    pub with_keys: bool,
}

/// One run of a server: from when on, by its clock, and what it records.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub seed: u64,
    pub from_ms: u64,
    pub events: Vec<u64>,
}

impl Site {
    /// A directory that a store is to be in.
    pub(super) fn new(data: PathBuf) -> Self {
        Self {
            data,
            keys: Keyring::default(),
            ledgers: vec!["main".to_owned()],
            settings: None,
            with_keys: true,
        }
    }

    /// A store that is there, in a copy.
    pub(super) fn there(data: PathBuf, keys: Keyring) -> Result<Self, DrillError> {
        let register = fs::read(data.join(layout::REGISTER))?;
        let registered =
            Registered::parse(&register).map_err(|error| DrillError::Demo(format!("register: {error}")))?;
        let ledgers = registered.ledgers.iter().map(|ledger| ledger.name.clone()).collect();
        let settings = match fs::read(data.join(layout::SETTINGS)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            other => Some(Sha256::digest(other?).into()),
        };
        let site = Self { data, keys, ledgers, settings, with_keys: true };
        site.unwitness()?;
        Ok(site)
    }

    /// The same again elsewhere.
    pub(super) fn copy(&self, to: &Path) -> Result<Self, DrillError> {
        copy_tree(&self.data, to)?;
        let keys = Keyring::of(self.keys.files());
        Ok(Self { data: to.to_owned(), keys, ..self.clone() })
    }

    /// Nothing yet, but with the keys that sign for this one.
    pub(super) fn another_history(&self, to: &Path) -> Self {
        let keys = self.keys.for_another_history();
        Self { data: to.to_owned(), keys, settings: None, ..self.clone() }
    }

    /// Lets the engine record, sign, seal and stop. Gives the receipts of what was recorded.
    pub(super) fn run(&self, run: &Run) -> Result<Vec<Receipt>, DrillError> {
        fs::create_dir_all(&self.data)?;
        let disk = Arc::new(LocalDisk::open(&self.data)?);
        let env = Arc::new(SeededEnv::new(run.seed, run.from_ms));
        let options = Options {
            ledgers: self.ledgers.clone(),
            settings: self.settings,
            reserve_bytes: 512,
            ..Options::default()
        };
        let mut core = Core::open(disk, Arc::new(self.keys.clone()), env, options)?;
        let recorded = Arc::new(Mutex::new(Vec::new()));
        for group in run.events.chunks(GROUP) {
            let (records, taken) =
                (group.iter().filter_map(|number| event(*number)).collect(), recorded.clone());
            let pending = Pending::new(move |outcome: Outcome| {
                if let Outcome::Durable(recorded) = outcome {
                    taken.lock().unwrap_or_else(PoisonError::into_inner).extend(recorded);
                }
            });
            let batch = Batch { source: 1, numbered: None, records };
            core.commit(vec![Request::Append { ledger: 0, batch, pending }])?;
            core.publish()?;
        }
        let reads = core.reads();
        let info = reads.ledgers().into_iter().next();
        let (Some(info), Some(published)) = (info, reads.published(0)) else {
            return Err(DrillError::Demo("nothing was published".to_owned()));
        };
        let recorded = recorded.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let receipt = |recorded: Recorded| -> Result<Receipt, DrillError> {
            let hashes = reads.inclusion(0, recorded.index, &published)?;
            Ok(Receipt {
                origin: info.origin.clone(),
                ledger_id: info.id,
                index: recorded.index,
                level: Level::Committed,
                entry: recorded.entry,
                table_version: TABLE_VERSION,
                salt_5: Salt::from_bytes(recorded.salt_raw),
                digests: recorded.digests,
                proof: Some(ReceiptProof { checkpoint: published.note.clone(), hashes }),
            })
        };
        let receipts = recorded.into_iter().map(receipt).collect::<Result<_, _>>()?;
        core.stop()?;
        Ok(receipts)
    }

    /// Verifies it as `verify DIR` does.
    pub(super) fn verify(&self, key: Option<&VerifierKey>) -> Report {
        let keys = self.keys.files();
        let settings = Settings { key, threads: 2, progress: &|_, _| {} };
        verify_store(&Directory::new(&self.data), self.with_keys.then_some(&keys as &dyn Medium), &settings)
    }

    pub(super) fn medium(&self) -> Directory {
        Directory::new(&self.data)
    }

    /// The newest checkpoint of the first ledger.
    pub(super) fn checkpoint(&self) -> Result<String, DrillError> {
        Ok(fs::read_to_string(self.data.join(layout::checkpoint(&self.ledgers[0])))?)
    }

    /// The checkpoint that witnesses have cosigned, as it lies beside it.
    pub(super) fn witnessed(&self) -> Option<Vec<u8>> {
        fs::read(self.witnessed_path()).ok()
    }

    pub(super) fn keep_witnessed(&self, note: &str) -> Result<(), DrillError> {
        Ok(fs::write(self.witnessed_path(), note)?)
    }

    /// Takes all of them away.
    pub(super) fn unwitness(&self) -> Result<(), DrillError> {
        for ledger in &self.ledgers {
            match fs::remove_file(self.data.join(layout::witnessed(ledger))) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
                _ => {}
            }
        }
        Ok(())
    }

    fn witnessed_path(&self) -> PathBuf {
        self.data.join(layout::witnessed(&self.ledgers[0]))
    }
}

/// The event of a number, the same each time.
fn event(number: u64) -> Option<Prepared> {
    let mut dice = Dice::new(number);
    let text = format!(
        r#"{{"class_uid":6005,"time":{number},"actor":{{"user":{{"name":"user{}"}}}},"api":{{"operation":"select"}},"message":"select * from t where id = {}"}}"#,
        dice.below(40),
        dice.next() % 100_000,
    );
    let value = json::parse(text.as_bytes()).ok()?;
    let seed = <[u8; 16]>::try_from(dice.bytes(16)).ok()?;
    Some(Prepared::new(Kind::Event, split(&value), text.as_bytes(), Seed(seed)))
}
