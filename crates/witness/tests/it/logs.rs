//! Logs that do what they should, and logs that do not; a witness in a simulated computer.

use std::sync::{Arc, Mutex};

use storage::Disk;
use testkit::{SimEnv, SimFs, SimHost};
use tlog::{
    AddCheckpoint, Checkpoint, CosigningKey, Hash, Origin, SigningKey, UnverifiedCheckpoint,
    VerifiedSignature, VerifierKey, check_cosignatures, empty_root, leaf_hash, node_hash, sign_checkpoint,
};
use witness::{Answer, Notice, OpenError, Witness};

pub const ORIGIN: &str = "example.com/log";
pub const NAME: &str = "witness.example/w1";
pub const NOW_MS: u64 = 1_700_000_000_000;

/// A log with all its leaves.
pub struct Log {
    pub key: SigningKey,
    pub leaves: Vec<Hash>,
}

impl Log {
    pub fn new(origin: &str, size: u64) -> Log {
        let leaves = (0..size).map(|n| leaf_hash(&n.to_be_bytes())).collect();
        Log { key: SigningKey::from_seed(origin, [1; 32]).unwrap(), leaves }
    }

    /// The same log, with the same key, as somebody else is shown it: other entries from `at` on.
    pub fn forked(&self, at: u64) -> Log {
        let other = |n: u64| leaf_hash(&[&n.to_be_bytes()[..], b"other"].concat());
        let leaves = self.leaves.iter().zip(0..).map(|(leaf, n)| if n < at { *leaf } else { other(n) });
        let key = SigningKey::from_seed(self.key.name(), [1; 32]).unwrap();
        Log { key, leaves: leaves.collect() }
    }

    pub fn vkey(&self) -> VerifierKey {
        self.key.verifying_key().clone()
    }

    pub fn checkpoint(&self, size: u64) -> Checkpoint {
        let origin = Origin::new(self.key.name()).unwrap();
        Checkpoint { origin, size, root: root(&self.leaves[..size as usize]) }
    }

    pub fn note(&self, size: u64) -> String {
        sign_checkpoint(&self.checkpoint(size), &self.key)
    }

    pub fn proof(&self, old: u64, new: u64) -> Vec<Hash> {
        if old == 0 { Vec::new() } else { subproof(old, &self.leaves[..new as usize], true) }
    }

    pub fn request(&self, old: u64, new: u64) -> AddCheckpoint {
        AddCheckpoint { old, proof: self.proof(old, new), checkpoint_note: self.note(new) }
    }
}

/// RFC 6962 §2.1, word by word.
fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => empty_root(),
        [single] => *single,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            node_hash(&root(left), &root(right))
        }
    }
}

/// RFC 6962 §2.1.2: SUBPROOF(m, D[n], whole).
fn subproof(m: u64, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() as u64 {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (left, right) = leaves.split_at(k);
    let (mut proof, sibling) = if m <= k as u64 {
        (subproof(m, left, whole), right)
    } else {
        (subproof(m - k as u64, right, false), left)
    };
    proof.push(root(sibling));
    proof
}

/// A witness, the computer it runs on, and what it told.
pub struct Site {
    pub host: SimHost,
    pub env: Arc<SimEnv>,
    pub witness: Witness,
    pub told: Arc<Mutex<Vec<Notice>>>,
}

impl Site {
    pub fn new(log_keys: &[VerifierKey]) -> Site {
        Site::on(SimHost::boot(SimFs::new(&["w"])), log_keys).unwrap()
    }

    pub fn on(host: SimHost, log_keys: &[VerifierKey]) -> Result<Site, OpenError> {
        let disk = Arc::new(host.disk("w"));
        Site::with_disk(host, disk, log_keys)
    }

    pub fn with_disk(
        host: SimHost,
        disk: Arc<dyn Disk>,
        log_keys: &[VerifierKey],
    ) -> Result<Site, OpenError> {
        let env = Arc::new(SimEnv::new(7, NOW_MS));
        let told: Arc<Mutex<Vec<Notice>>> = Arc::default();
        let teller = told.clone();
        let teller = Box::new(move |notice: &Notice| teller.lock().unwrap().push(notice.clone()));
        let witness = Witness::open(disk, Some(NAME), log_keys, env.clone(), teller)?;
        Ok(Site { host, env, witness, told })
    }

    /// Stops it and starts it again with the same or other logs.
    pub fn restart(self, log_keys: &[VerifierKey]) -> Result<Site, OpenError> {
        Site::on(SimHost::boot(self.host.fs()), log_keys)
    }

    pub fn add(&self, request: &AddCheckpoint) -> Answer {
        self.witness.add_checkpoint(request.to_string().as_bytes())
    }

    pub fn add_text(&self, body: &str) -> Answer {
        self.witness.add_checkpoint(body.as_bytes())
    }

    /// Cosigns, and checks the cosignature as a client must.
    pub fn cosigned(&self, log: &Log, old: u64, new: u64) -> VerifiedSignature {
        let request = log.request(old, new);
        let answer = self.add(&request);
        assert_eq!(answer.status(), 200, "{old} to {new}: {answer:?}");
        verify(&request.checkpoint_note, &answer, &log.vkey(), self.witness.vkey())
    }

    pub fn size(&self, origin: &str) -> Option<u64> {
        let log = self.witness.logs().into_iter().find(|(known, ..)| *known == origin)?;
        Some(log.2.unwrap()?.size)
    }

    pub fn words(&self) -> Vec<&'static str> {
        self.told.lock().unwrap().iter().map(|notice| notice.what).collect()
    }
}

pub fn verify(note: &str, answer: &Answer, log: &VerifierKey, witness: &VerifierKey) -> VerifiedSignature {
    let checkpoint = UnverifiedCheckpoint::parse_with_extensions(note.as_bytes()).unwrap();
    let checkpoint = checkpoint.verify(log.name(), std::slice::from_ref(log), &[]).unwrap();
    let found = check_cosignatures(&checkpoint, answer.body().as_bytes(), std::slice::from_ref(witness));
    found.unwrap().remove(0)
}

/// A cosigner that is not ours.
pub fn stranger() -> CosigningKey {
    CosigningKey::from_seed("stranger.example/w", [77; 32]).unwrap()
}
