//! The part that needs the store: what its keys are, the next one, and a change that waits for the next start.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use env::SystemEnv;
use evidence::keys::{CHANGE, CHANGE_REQUEST, format_change, parse_change};
use evidence::layout;
use evidence::register::Registered;
use evidence::verify::{LedgerReport, Report};
use ledger::{Fault, KeyStore};
use record::control::KeyChange;
use storage::{DiskObjects, LocalDisk, Objects};
use tlog::{KeyStatement, SigningKey, UnverifiedCheckpoint, VerifierKey};
use verifier::{Directory, Verdict};

use crate::cli::KeyStoreArgs;
use crate::client::verify::bar;
use crate::failure::{About, Failure};

/// A ledger of a store, which a server may be using.
pub(super) struct Place {
    data: PathBuf,
    pub keys: PathBuf,
    name: String,
}

/// A next key, and what the authority is to say of it.
pub(super) struct Prepared {
    pub old: String,
    pub statement: KeyStatement,
    checkpoint: String,
}

impl Prepared {
    /// The file that is signed.
    pub(super) fn request(&self) -> Vec<u8> {
        let checkpoint = self.checkpoint.clone();
        format_change(CHANGE_REQUEST, &KeyChange { statement: self.statement.to_text(), checkpoint })
    }
}

/// A change that the next start enters.
pub(super) struct Applied {
    pub file: PathBuf,
    pub old: String,
    pub new: String,
}

/// A store that was verified, and the one ledger of it.
pub(super) struct Verified {
    pub ledger: LedgerReport,
    report: Report,
}

impl Place {
    pub(super) fn of(args: &KeyStoreArgs) -> Result<Place, Failure> {
        let keys = args.keys.clone().unwrap_or_else(|| verifier::default_keys(&args.data));
        for (what, dir, option) in [("store", &args.data, "--data"), ("key directory", &keys, "--keys")] {
            if !dir.is_dir() {
                return Err(Failure::trouble(format!("there is no {what} at {}", dir.display()))
                    .hint(format!("say where it is with {option} DIR")));
            }
        }
        Ok(Place { data: args.data.clone(), keys, name: args.ledger.clone() })
    }

    /// Verifies the store, payloads apart.
    pub(super) fn verify(&self) -> Result<Verified, Failure> {
        let bar = bar("entries");
        let report = verifier::verify_dir(&self.data, None, None, &|done, total| {
            bar.set_length(total);
            bar.set_position(done);
        });
        bar.finish_and_clear();
        sound(&report, &self.data)?;
        match report.ledgers.iter().find(|ledger| ledger.name == self.name) {
            Some(ledger) => Ok(Verified { ledger: ledger.clone(), report }),
            None => Err(self.unknown(report.ledgers.iter().map(|ledger| ledger.name.as_str()))),
        }
    }

    fn unknown<'a>(&self, names: impl Iterator<Item = &'a str>) -> Failure {
        let names = Vec::from_iter(names).join(", ");
        Failure::trouble(format!("the store has no ledger {}", self.name))
            .hint(format!("it has {names}; choose one with --ledger NAME"))
    }

    /// The prepared key, if there is one.
    pub(super) fn next_key(&self) -> Result<Option<SigningKey>, Failure> {
        let path = layout::keys::signing_next(&self.name);
        match self.keys.join(&path).exists() {
            true => self.store()?.signing_key(&path).map(Some).map_err(|fault| trouble(&fault)),
            false => Ok(None),
        }
    }

    /// The change that waits, if there is one.
    pub(super) fn waiting(&self) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.keys.join(layout::keys::change(&self.name));
        match fs::read(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).about("read", &path),
        }
    }

    /// Makes the next key, or takes the one that is prepared, and binds it to the newest checkpoint.
    pub(super) fn prepare(&self) -> Result<Prepared, Failure> {
        if self.waiting()?.is_some() {
            return Err(Failure::trouble("a signed change of the key waits already")
                .hint("restart the server: the next start enters it"));
        }
        let path = self.data.join(layout::REGISTER);
        let register = fs::read(&path).about("read", &path)?;
        let register = Registered::parse(&register)
            .map_err(|error| Failure::no(format!("{}: {error}", path.display())))?;
        let ledger = register.ledgers.iter().find(|ledger| ledger.name == self.name);
        let names = register.ledgers.iter().map(|ledger| ledger.name.as_str());
        let ledger = ledger.ok_or_else(|| self.unknown(names))?;
        let path = self.data.join(layout::checkpoint(&self.name));
        let note = fs::read_to_string(&path).about("read", &path)?;
        let bad = |why: &dyn std::fmt::Display| Failure::no(format!("{}: {why}", path.display()));
        let key = VerifierKey::parse(&ledger.vkey).map_err(|error| bad(&error))?;
        let parsed = UnverifiedCheckpoint::parse(note.as_bytes()).map_err(|error| bad(&error))?;
        let verified = parsed.verify(&ledger.origin, &[key], &[]).map_err(|error| {
            bad(&error).hint(
                "if the server was cut off or waits for its witnesses, let it sign first; else: ledgerstone verify",
            )
        })?;
        let head = verified.checkpoint().clone();
        let next = layout::keys::signing_next(&self.name);
        let store = self.store()?;
        let key = store.create_signing_key(&SystemEnv::new(), &next, &ledger.origin);
        let key = key.map_err(|fault| trouble(&fault))?.verifying_key().clone();
        if key.to_string() == ledger.vkey {
            return Err(Failure::trouble("the last change of the key is not through yet")
                .hint("restart the server, and prepare the next one then"));
        }
        let statement = KeyStatement { origin: head.origin, size: head.size, root: head.root, key };
        Ok(Prepared { old: ledger.vkey.clone(), statement, checkpoint: note })
    }

    /// Checks a signed change against the store, and places it.
    pub(super) fn apply(&self, bytes: &[u8]) -> Result<Applied, Failure> {
        let no = |why: &dyn std::fmt::Display| Failure::no(format!("the change does not hold: {why}"));
        let change =
            parse_change(CHANGE, bytes).map_err(|error| match parse_change(CHANGE_REQUEST, bytes) {
                Ok(_) => no(&"it is not signed yet")
                    .hint("sign it first: ledgerstone key sign REQUEST --authority FILE"),
                Err(_) => no(&error),
            })?;
        let file = self.keys.join(layout::keys::change(&self.name));
        if self.waiting()?.is_some_and(|held| held != bytes) {
            return Err(Failure::trouble(format!("another change waits already: {}", file.display()))
                .hint("restart the server, which enters it; or remove it first"));
        }
        let Verified { ledger, mut report } = self.verify()?;
        let history = ledger.history.clone();
        let mut history = history.ok_or_else(|| no(&"the ledger has no genesis that was read"))?;
        // It will get the next index there is, or a later one; none is smaller than this.
        let index = ledger.size + ledger.uncommitted;
        let entered = history.push(index, change.statement.as_bytes(), change.checkpoint.as_bytes());
        let statement = entered.map_err(|error| no(&error))?.statement.clone();
        let held =
            verifier::hold_against(&Directory::new(&self.data), change.checkpoint.as_bytes(), &mut report);
        held.map_err(|error| no(&error))?;
        sound(&report, &self.data)?;
        match self.next_key()? {
            Some(next) if *next.verifying_key() == statement.key => {}
            found => {
                let path = self.keys.join(layout::keys::signing_next(&self.name));
                let what =
                    if found.is_some() { "another key is prepared" } else { "the new key is not here" };
                return Err(no(&format!("{what}: {}", path.display()))
                    .hint("apply it where it was prepared, or prepare and sign again"));
            }
        }
        let disk = LocalDisk::open(&self.keys).about("open", &self.keys)?;
        let put = DiskObjects::new(Arc::new(disk)).put(&layout::keys::change(&self.name), bytes);
        if let (Err(error), None) = (put, self.waiting()?) {
            return Err(Failure::trouble(format!("can't write {}: {error}", file.display())));
        }
        Ok(Applied { file, old: ledger.vkey, new: statement.key.to_string() })
    }

    fn store(&self) -> Result<KeyStore, Failure> {
        let disk = LocalDisk::open(&self.keys).about("open", &self.keys)?;
        KeyStore::open(Arc::new(disk), &SystemEnv::new(), false).map_err(|fault| trouble(&fault))
    }
}

fn sound(report: &Report, data: &std::path::Path) -> Result<(), Failure> {
    match report.verdict() {
        Verdict::Disproven => {
            let first = report.damage.first().map(ToString::to_string).unwrap_or_default();
            Err(Failure::no(format!("the store is damaged: {first}"))
                .hint(format!("see all of it: ledgerstone verify {}", data.display())))
        }
        _ => Ok(()),
    }
}

fn trouble(fault: &Fault) -> Failure {
    Failure::trouble(fault)
}
