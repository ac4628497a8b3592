//! A log made in memory, in as many versions as a liar likes, and a monitor of it.

use std::sync::Arc;
use std::time::Duration;

use monitor::{Finding, HttpSource, Kind, LookError, Round, Source, State, Watch};
use net::Answer;
use storage::LocalDisk;
use tempfile::TempDir;
use testkit::{ScriptedNet, SimEnv};
use tlog::{
    Checkpoint, CosigningKey, Hash, Origin, Policy, SigningKey, Tile, TileStack, VerifierKey, bundle_path,
    encode_bundle, encode_tile, leaf_hash, sign_checkpoint,
};

pub const PREFIX: &str = "https://log.example/log";
const ORIGIN: &str = "log.example/log";

/// One history: the entries that a log says it has.
#[derive(Clone)]
pub struct History(Vec<Vec<u8>>);

impl History {
    /// Entries that say which they are; of many lengths, the empty one among them.
    pub fn of(size: u64) -> History {
        History((0..size).map(|n| vec![b'a' + (n % 7) as u8; (n % 40) as usize]).collect())
    }

    /// The same but for one entry.
    pub fn with(mut self, index: usize, entry: &[u8]) -> History {
        self.0[index] = entry.to_vec();
        self
    }

    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let mut tree = TileStack::new();
        self.0[..size as usize].iter().for_each(|entry| tree.push(leaf_hash(entry), &mut |_, _| {}));
        Checkpoint { origin: Origin::new(ORIGIN).unwrap(), size, root: tree.root() }
    }

    pub fn leaf(&self, index: usize) -> Hash {
        leaf_hash(&self.0[index])
    }

    pub fn signed(&self, size: u64) -> String {
        sign_checkpoint(&self.checkpoint(size), &key())
    }

    /// Path and bytes of every resource of the tree of `size` entries, the checkpoint left out.
    pub fn resources(&self, size: u64) -> Vec<(String, Vec<u8>)> {
        let mut out = Vec::new();
        let mut tree = TileStack::new();
        let mut full: Vec<(Tile, Vec<Hash>)> = Vec::new();
        let entries = &self.0[..size as usize];
        for entry in entries {
            tree.push(leaf_hash(entry), &mut |tile, hashes| full.push((tile, hashes.to_vec())));
        }
        for (tile, hashes) in &full {
            out.push((tile.path(), encode_tile(hashes)));
        }
        for (tile, hashes) in tree.partials() {
            out.push((tile.path(), encode_tile(hashes)));
        }
        for (index, bundle) in entries.chunks(256).enumerate() {
            out.push((bundle_path(index as u64, bundle.len() as u16), encode_bundle(bundle).unwrap()));
        }
        out
    }
}

pub fn key() -> SigningKey {
    SigningKey::from_seed(ORIGIN, [7; 32]).unwrap()
}

pub fn witness() -> CosigningKey {
    CosigningKey::from_seed("witness.example/w", [8; 32]).unwrap()
}

pub fn policy() -> Policy {
    Policy::parse(&format!("witness w {}\nquorum w\n", witness().verifying_key())).unwrap()
}

pub fn cosigned(history: &History, size: u64, time: u64) -> String {
    let checkpoint = history.checkpoint(size);
    format!("{}{}\n", sign_checkpoint(&checkpoint, &key()), witness().cosign(&checkpoint, time))
}

/// A monitor with its directory, and the network it looks at.
pub struct Bench {
    pub net: Arc<ScriptedNet>,
    pub dir: TempDir,
    pub clock: SimEnv,
    pub keys: Vec<VerifierKey>,
    pub policy: Option<Policy>,
    pub silence: Option<Duration>,
}

impl Bench {
    pub fn new() -> Bench {
        Bench {
            net: Arc::new(ScriptedNet::with(|_| Ok(Answer::new(404, "")))),
            dir: tempfile::tempdir().unwrap(),
            clock: SimEnv::new(1, 1_700_000_000_000),
            keys: vec![key().verifying_key().clone()],
            policy: None,
            silence: None,
        }
    }

    /// Has the log show a history up to a size, and nothing else.
    pub fn show(&self, history: &History, size: u64) {
        self.serve(history, size);
        self.put("checkpoint", history.signed(size));
    }

    pub fn serve(&self, history: &History, size: u64) {
        history.resources(size).into_iter().for_each(|(path, bytes)| self.put(&path, bytes));
    }

    pub fn put(&self, path: &str, bytes: impl Into<Vec<u8>>) {
        self.net.put(&format!("{PREFIX}/{path}"), Answer::new(200, bytes));
    }

    pub fn remove(&self, path: &str) {
        self.net.remove(&format!("{PREFIX}/{path}"));
    }

    pub fn source(&self) -> HttpSource {
        HttpSource::new(self.net.clone(), PREFIX, None)
    }

    pub fn disk(&self) -> LocalDisk {
        LocalDisk::open(&self.dir.path().join("state")).unwrap()
    }

    /// Runs something with the monitor as it is after a start.
    pub fn watch<T>(&self, near: Option<&dyn Source>, run: impl FnOnce(&Watch<'_>) -> T) -> T {
        let disk = self.disk();
        let state = State::open(&disk, ORIGIN).unwrap();
        let source = self.source();
        run(&Watch {
            source: &source,
            near,
            keys: &self.keys,
            policy: self.policy.as_ref(),
            silence: self.silence,
            state: &state,
            clock: &self.clock,
            pause: &|_| {},
        })
    }

    pub fn look(&self) -> Result<Round, LookError> {
        self.watch(None, |watch| watch.round())
    }

    /// The kinds of what a look finds.
    pub fn kinds(&self) -> Vec<Kind> {
        kinds(&self.look().unwrap().findings)
    }

    pub fn accepted(&self) -> u64 {
        self.look().unwrap().accepted.unwrap().0.size
    }
}

pub fn kinds(findings: &[(Finding, String)]) -> Vec<Kind> {
    findings.iter().map(|(finding, _)| finding.kind).collect()
}
