use std::path::PathBuf;
use std::sync::Arc;

use env::SystemEnv;
use evidence::statefile;
use ledger::{Batch, Core, Options, Pending, Prepared, Request};
use record::commit::Seed;
use record::entry::Kind;
use record::facet::{FacetDraft, split};
use record::json;
use sha2::{Digest, Sha256};
use storage::{Disk, LocalDisk};
use tempfile::TempDir;

/// A store in a directory of its own.
pub struct Store {
    dir: TempDir,
}

impl Store {
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    pub fn keys(&self) -> PathBuf {
        self.dir.path().join("data-keys")
    }

    fn open(&self) -> Core {
        let open = |path: PathBuf| -> Arc<dyn Disk> { Arc::new(LocalDisk::open(&path).unwrap()) };
        let options = Options {
            ledgers: vec!["main".to_owned(), "second".to_owned()],
            settings: Some(Sha256::digest(SETTINGS).into()),
            seal_entries: 256,
            ..Options::default()
        };
        Core::open(open(self.data()), open(self.keys()), Arc::new(SystemEnv::new()), options).unwrap()
    }
}

/// Builds a store whose server was killed after its last checkpoint and before its partial tiles were on disk.
pub fn build_killed(events: u64) -> Store {
    let store = Store { dir: tempfile::tempdir().unwrap() };
    let mut core = store.open();
    append(&mut core, 0, 0..events);
    core.publish().unwrap();
    std::fs::write(store.data().join("ledgerstone.toml"), SETTINGS).unwrap();
    store
}

/// Builds a store with `events` events in the first ledger, a checkpoint, and records of its own that depend on it.
pub fn build_with(
    events: u64,
    in_order: bool,
    records: impl FnOnce(&Core) -> Vec<(Kind, FacetDraft)>,
) -> Store {
    let store = Store { dir: tempfile::tempdir().unwrap() };
    let mut core = store.open();
    append(&mut core, 0, 0..events);
    core.publish().unwrap();
    let records = records(&core);
    core.commit(vec![Request::Control { ledger: 0, records, pending: None }]).unwrap();
    core.publish().unwrap();
    while core.seal(false).unwrap() {}
    match in_order {
        true => core.stop().unwrap(),
        false => drop(core),
    }
    std::fs::write(store.data().join("ledgerstone.toml"), SETTINGS).unwrap();
    store
}

const SETTINGS: &[u8] = b"# settings\nheartbeat_seconds = 60\n";

/// Builds a store with `events` events in the first ledger and every type of file: segments of both classes,
/// tiles and bundles full and partial, a torn tail set aside, settings, tokens, a reserve, and a lock.
pub fn build(events: u64) -> Store {
    let store = Store { dir: tempfile::tempdir().unwrap() };
    let mut core = store.open();
    for first in (0..events).step_by(50) {
        append(&mut core, 0, first..(first + 50).min(events));
        core.publish().unwrap();
        while core.seal(false).unwrap() {}
    }
    append(&mut core, 1, 0..20);
    core.publish().unwrap();
    drop(core);
    // What a power cut may leave: the beginning of a group that was never acknowledged.
    let wal = std::fs::read_dir(store.data().join("wal"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .max()
        .unwrap();
    let mut bytes = std::fs::read(&wal).unwrap();
    bytes.extend_from_slice(b"LSGR torn");
    std::fs::write(&wal, bytes).unwrap();
    let mut core = store.open();
    append(&mut core, 0, events..events);
    core.publish().unwrap();
    core.stop().unwrap();
    let tokens = statefile::format("ledgerstone/tokens/v1", &json::parse(br#"{"tokens":[]}"#).unwrap());
    for (name, bytes) in [
        ("ledgerstone.toml", SETTINGS),
        ("tokens", &tokens[..]),
        ("reserve", &[0; 512]),
        ("lock", b""),
        ("admin.token", b"not covered"),
    ] {
        std::fs::write(store.data().join(name), bytes).unwrap();
    }
    store
}

fn append(core: &mut Core, ledger: usize, numbers: std::ops::Range<u64>) {
    if numbers.is_empty() {
        return;
    }
    let record = |number: u64| {
        let text = format!(
            r#"{{"class_uid":6003,"time":{number},"actor":{{"user":{{"name":"u{number}"}}}},"api":{{"operation":"read"}},"message":"secret {number}"}}"#
        );
        let draft = split(&json::parse(text.as_bytes()).unwrap());
        Prepared::new(Kind::Event, draft, text.as_bytes(), Seed([number as u8; 16]))
    };
    let records = numbers.map(record).collect();
    let batch = Batch { source: 1, numbered: None, records };
    let pending =
        Pending::new(|outcome| assert!(matches!(outcome, ledger::Outcome::Durable(_)), "{outcome:?}"));
    core.commit(vec![Request::Append { ledger, batch, pending }]).unwrap();
}
