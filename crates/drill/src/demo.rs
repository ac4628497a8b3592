//! Stores made for a drill: one with every type of file, and what an attacker would put in its place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use evidence::{layout, statefile};
use ledger::{Batch, Core, Fault, Options, Outcome, Pending, Prepared, Request};
use record::commit::Seed;
use record::control::Numbering;
use record::entry::Kind;
use record::facet::split;
use record::json;
use sha2::{Digest, Sha256};
use storage::{Disk, LocalDisk};

use crate::DrillError;
use crate::random::{Dice, SeededEnv};

const SETTINGS: &[u8] = b"[commit]\nheartbeat_s = 60\n";
/// The clock of demonstration stores starts here, unix milliseconds.
const START_MS: u64 = 1_767_225_600_000;
/// Events in the first half of the demonstration store, and in the second.
const HALF: u64 = 520;

/// A data directory and its key directory.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub data: PathBuf,
    pub keys: PathBuf,
}

impl Pair {
    fn below(dir: &Path, name: &str) -> Self {
        Self { data: dir.join(name), keys: dir.join(format!("{name}-keys")) }
    }
}

/// The demonstration store and its rivals.
pub(crate) struct Demo {
    pub store: Pair,
    /// The same store when it was half as long, stopped in order.
    pub older: Pair,
    /// The older store, gone on with other events by someone who has all keys.
    pub continued: Pair,
    /// Another history under the same signing keys.
    pub rewritten: Pair,
}

/// Makes the demonstration store and its rivals below `dir`.
pub(crate) fn build(dir: &Path, seed: u64) -> Result<Demo, DrillError> {
    let store = Pair::below(dir, "store");
    let older = Pair::below(dir, "older");
    grow(&store, seed, 0)?;
    copy(&store, &older).map_err(DrillError::Copy)?;
    grow(&store, seed ^ 1, HALF)?;

    let continued = Pair::below(dir, "continued");
    copy(&older, &continued).map_err(DrillError::Copy)?;
    grow(&continued, seed ^ 2, HALF + 50_000)?;

    let rewritten = Pair::below(dir, "rewritten");
    fs::create_dir_all(rewritten.keys.join(layout::keys::DATA)).map_err(DrillError::Copy)?;
    for entry in fs::read_dir(&store.keys).map_err(DrillError::Copy)? {
        let entry = entry.map_err(DrillError::Copy)?;
        if entry.path().is_file() {
            fs::copy(entry.path(), rewritten.keys.join(entry.file_name())).map_err(DrillError::Copy)?;
        }
    }
    grow(&rewritten, seed ^ 3, 0)?;
    grow(&rewritten, seed ^ 4, HALF)?;
    Ok(Demo { store, older, continued, rewritten })
}

/// Makes a store that has nothing to do with any other, to take pieces from.
pub(crate) fn foreign(dir: &Path, seed: u64) -> Result<Pair, DrillError> {
    let pair = Pair::below(dir, "foreign");
    grow(&pair, !seed, 0)?;
    Ok(pair)
}

/// Opens or creates a store, appends half of its events, leaves a torn tail, starts again, and stops in order.
fn grow(pair: &Pair, seed: u64, first: u64) -> Result<(), DrillError> {
    let mut core = open(pair, seed.rotate_left(8) & !1, first)?;
    let mut dice = Dice::new(seed);
    for number in (first..first + HALF).step_by(40) {
        append(&mut core, 0, number..number + 40, &mut dice)?;
        core.publish()?;
        while core.seal(false)? {}
    }
    append(&mut core, 1, first / 8..first / 8 + 60, &mut dice)?;
    open_source(&mut core)?;
    core.publish()?;
    drop(core);
    tear(&pair.data).map_err(DrillError::Copy)?;
    let mut core = open(pair, seed.rotate_left(8) | 1, first)?;
    append(&mut core, 0, first + HALF..first + HALF + 30, &mut dice)?;
    core.publish()?;
    core.stop()?;
    let tokens = json::parse(br#"{"tokens":[{"label":"first admin","role":"admin"}]}"#);
    let tokens = tokens.map(|tokens| statefile::format(layout::TOKENS_NAME, &tokens)).unwrap_or_default();
    let small: [(&str, &[u8]); 5] = [
        (layout::SETTINGS, SETTINGS),
        (layout::TOKENS, &tokens),
        (layout::RESERVE, &[0; 512]),
        (layout::LOCK, b""),
        (layout::ADMIN_TOKEN, b"not a token\n"),
    ];
    for (name, bytes) in small {
        fs::write(pair.data.join(name), bytes).map_err(DrillError::Copy)?;
    }
    Ok(())
}

fn open(pair: &Pair, seed: u64, first: u64) -> Result<Core, DrillError> {
    let disk = |path: &Path| -> Result<Arc<dyn Disk>, DrillError> {
        Ok(Arc::new(LocalDisk::open(path).map_err(DrillError::Copy)?))
    };
    let options = Options {
        ledgers: vec!["main".to_owned(), "second".to_owned(), "quiet".to_owned()],
        settings: Some(Sha256::digest(SETTINGS).into()),
        seal_entries: 256,
        wal_file_bytes: 16 << 10,
        reserve_bytes: 512,
        ..Options::default()
    };
    let clock = START_MS + (first + 1) * 10_000 + if seed & 1 == 0 { 0 } else { 5_000_000 };
    let env = Arc::new(SeededEnv::new(seed, clock));
    Ok(Core::open(disk(&pair.data)?, disk(&pair.keys)?, env, options)?)
}

/// Goes on with a store and is cut off.
#[cfg(test)]
pub(crate) fn cut_off(pair: &Pair, seed: u64) -> Result<(), DrillError> {
    let mut core = open(pair, seed, 3 * HALF)?;
    append(&mut core, 0, 3 * HALF..3 * HALF + 100, &mut Dice::new(seed))?;
    core.publish()?;
    append(&mut core, 1, 3 * HALF..3 * HALF + 10, &mut Dice::new(seed))
}

fn append(
    core: &mut Core,
    ledger: usize,
    numbers: std::ops::Range<u64>,
    dice: &mut Dice,
) -> Result<(), DrillError> {
    let mut records = Vec::new();
    for number in numbers {
        let (user, table) = (dice.below(40), dice.below(9));
        let text = format!(
            r#"{{"class_uid":6005,"time":{number},"actor":{{"user":{{"name":"user{user}"}}}},"api":{{"operation":"select"}},"message":"select * from t{table} where id = {}","src_endpoint":{{"ip":"192.0.2.{}"}}}}"#,
            dice.next() % 100_000,
            dice.below(250),
        );
        let Ok(value) = json::parse(text.as_bytes()) else { continue };
        let mut seed = [0; 16];
        seed.copy_from_slice(&dice.bytes(16));
        records.push(Prepared::new(Kind::Event, split(&value), text.as_bytes(), Seed(seed)));
    }
    let pending = Pending::new(|_: Outcome| {});
    let batch = Batch { source: 1, numbered: None, records };
    Ok(core.commit(vec![Request::Append { ledger, batch, pending }])?)
}

/// A source that numbers its events itself, so that the register has one.
fn open_source(core: &mut Core) -> Result<(), DrillError> {
    let pending = Pending::new(|_| {});
    let numbering = Numbering::Source;
    Ok(core.commit(vec![Request::Open {
        ledger: 0,
        source: None,
        numbering,
        previous_last: None,
        pending,
    }])?)
}

/// What a power cut may leave: the beginning of a group that was never acknowledged.
fn tear(data: &Path) -> io::Result<()> {
    let mut newest = None;
    for entry in fs::read_dir(data.join(layout::WAL))? {
        newest = newest.max(Some(entry?.path()));
    }
    let Some(newest) = newest else { return Ok(()) };
    let mut bytes = fs::read(&newest)?;
    bytes.extend_from_slice(b"LSGR torn by a power cut");
    fs::write(newest, bytes)
}

fn copy(from: &Pair, to: &Pair) -> io::Result<()> {
    crate::copy::copy_tree(&from.data, &to.data)?;
    crate::copy::copy_tree(&from.keys, &to.keys)
}

impl From<Fault> for DrillError {
    fn from(fault: Fault) -> Self {
        Self::Demo(format!("{fault:?}"))
    }
}
