use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use env::Env;
use storage::{Disk, DiskRegister, Held, Register, RegisterError};
use tlog::{
    AddCheckpoint, CosigningKey, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey, empty_root,
    origin_hash, verify_consistency,
};

use crate::answer::Answer;
use crate::forks::{self, Fork};
use crate::home::{self, Home, OpenError};
use crate::notice::{Level, Notice, Teller};
use crate::state::{self, Cosigned};

/// A witness with its key, the logs it cosigns, and what it last cosigned of each.
///
/// Only one may be open on a directory at a time: whoever opens it holds a lock on [`crate::LOCK_FILE`].
pub struct Witness {
    key: CosigningKey,
    /// By origin.
    logs: BTreeMap<String, Log>,
    /// Origin hash to origin, for the monitoring path.
    by_hash: BTreeMap<String, String>,
    disk: Arc<dyn Disk>,
    env: Arc<dyn Env>,
    teller: Teller,
    pub(crate) counters: Counters,
}

/// Counts since the start.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) answers: [AtomicU64; Answer::STATUSES.len()],
    pub(crate) forks: AtomicU64,
    pub(crate) storage_errors: AtomicU64,
}

struct Log {
    /// The keys that are trusted now; none if the log is not configured any more.
    keys: Vec<VerifierKey>,
    register: DiskRegister,
    /// Held from the check of the old size until the new state is durable: of two requests that both extend the same
    /// tree, the second finds the first one's.
    slot: Mutex<Slot>,
    /// When an inconsistent request was last told of, POSIX seconds.
    told_s: AtomicU64,
}

/// How long after an inconsistent request others of the same log are counted and not told: anyone can put a wrong proof
/// to a right checkpoint, and must not fill the log.
const QUIET_S: u64 = 60;

impl Log {
    fn is_due(&self, now_s: u64) -> bool {
        let due = now_s.abs_diff(self.told_s.load(Ordering::Relaxed)) >= QUIET_S;
        if due {
            self.told_s.store(now_s, Ordering::Relaxed);
        }
        due
    }
}

enum Slot {
    /// What the disk holds, and what that says.
    Known(Held, Option<Cosigned>),
    /// A write failed, or a thread died over it: nothing may be cosigned before the disk was read again.
    Unknown,
}

impl Witness {
    /// Opens the directory behind `disk`, or makes it a new witness called `name`, that cosigns the logs whose keys
    /// these are. The name of a log's key is its origin; several keys may have the same.
    ///
    /// # Errors
    /// What was cosigned is not known beyond doubt: a file is missing, changed, or does not fit the others.
    pub fn open(
        disk: Arc<dyn Disk>,
        name: Option<&str>,
        log_keys: &[VerifierKey],
        env: Arc<dyn Env>,
        teller: Teller,
    ) -> Result<Witness, OpenError> {
        let origins: BTreeSet<&str> = log_keys.iter().map(VerifierKey::name).collect();
        let Home { key, logs } = Home::open(&disk, name, &origins, env.as_ref())?;
        let by_hash = logs.keys().map(|origin| (origin_hash(origin), origin.clone())).collect();
        let logs = logs.into_iter().map(|(origin, kept)| {
            let keys = log_keys.iter().filter(|key| key.name() == origin).cloned().collect();
            let slot = Mutex::new(Slot::Known(kept.held, kept.last));
            (origin, Log { keys, register: kept.register, slot, told_s: AtomicU64::new(0) })
        });
        let logs = logs.collect();
        Ok(Witness { key, logs, by_hash, disk, env, teller, counters: Counters::default() })
    }

    /// Returns the verification key.
    pub fn vkey(&self) -> &VerifierKey {
        self.key.verifying_key()
    }

    /// Answers `add-checkpoint`. Waits for the disk; a 200 answer is durable.
    pub fn add_checkpoint(&self, body: &[u8]) -> Answer {
        let answer = self.decide(body).unwrap_or_else(|refused| refused);
        if let Some(at) = Answer::STATUSES.iter().position(|status| *status == answer.status()) {
            self.counters.answers[at].fetch_add(1, Ordering::Relaxed);
        }
        answer
    }

    /// The table of the specification from top to bottom. `Err` is a refusal too, found early.
    fn decide(&self, body: &[u8]) -> Result<Answer, Answer> {
        let request = AddCheckpoint::parse(body).map_err(|error| Answer::Malformed(error.to_string()))?;
        let checkpoint = UnverifiedCheckpoint::parse_with_extensions(request.checkpoint_note.as_bytes())
            .map_err(|error| Answer::Malformed(error.to_string()))?;
        let origin = checkpoint.claimed().origin.as_str().to_owned();
        let log = self.logs.get(&origin).filter(|log| !log.keys.is_empty()).ok_or_else(|| {
            Answer::UnknownLog(format!("no log of this origin is witnessed here: {origin}"))
        })?;
        // Signatures by anyone else, earlier cosignatures of our own included, are neither looked at nor kept.
        let checkpoint = checkpoint
            .verify(&origin, &log.keys, &[])
            .map_err(|error| Answer::NotSigned(error.to_string()))?;
        let size = checkpoint.checkpoint().size;
        if request.old > size {
            return Err(Answer::Malformed(format!(
                "old size {} is above that of the checkpoint, {size}",
                request.old
            )));
        }
        let mut slot = self.lock(log);
        let (held, last) = self.take(&mut slot, log, &origin)?;
        if let Some(why) = forks::contradiction(&request, &checkpoint, last.as_ref()) {
            self.keep_fork(&origin, &request, &checkpoint, last.as_ref(), &why);
        }
        if let Err(refused) = check(&request, &checkpoint, last.as_ref()) {
            if let Answer::Inconsistent(why) = &refused
                && log.is_due(self.now_s())
            {
                let message = format!("not cosigned: {why}");
                self.tell(Level::Warning, "inconsistent", &origin, Some(size), message);
            }
            *slot = Slot::Known(held, last);
            return Err(refused);
        }
        let Some(time) = self.time(last.as_ref()) else {
            *slot = Slot::Known(held, last);
            return Err(Answer::Unavailable("the clock of the witness is not set".to_owned()));
        };
        let cosignature = self.key.cosign_verified(&checkpoint, time);
        let note = format!("{}{cosignature}\n", checkpoint.note());
        // Asked for again within a second: that is durable already. Anyone can do so, and must not wear out the disk.
        if last.as_ref().is_some_and(|last| last.note == note) {
            *slot = Slot::Known(held, last);
            return Ok(Answer::Cosigned(cosignature));
        }
        self.check_clock(&origin, last.as_ref());
        let next = Cosigned { size, root: checkpoint.checkpoint().root, time, note };
        // From here until the swap has returned, a crash leaves either the old or the new state, and nobody was told.
        match log.register.swap(held, state::format(&origin, Some(&next))) {
            Ok(held) => *slot = Slot::Known(held, Some(next)),
            Err(error) => return Err(self.failed(&origin, &error)),
        }
        self.tell(Level::Info, "cosigned", &origin, Some(size), format!("cosigned {size} entries"));
        Ok(Answer::Cosigned(cosignature))
    }

    fn lock<'a>(&self, log: &'a Log) -> MutexGuard<'a, Slot> {
        log.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the state out and leaves [`Slot::Unknown`]: whoever can't put one back has made it so.
    fn take(&self, slot: &mut Slot, log: &Log, origin: &str) -> Result<(Held, Option<Cosigned>), Answer> {
        match std::mem::replace(slot, Slot::Unknown) {
            Slot::Known(held, last) => Ok((held, last)),
            Slot::Unknown => {
                let loaded = home::load(&log.register, origin, self.vkey());
                let loaded = loaded.map_err(|error| {
                    self.counters.storage_errors.fetch_add(1, Ordering::Relaxed);
                    self.tell(Level::Error, "storage", origin, None, error.to_string());
                    Answer::Unavailable("the witness can't read its state; nothing was cosigned".to_owned())
                })?;
                let size = loaded.1.as_ref().map(|last| last.size);
                self.tell(Level::Warning, "recovered", origin, size, "the state was read again".to_owned());
                Ok(loaded)
            }
        }
    }

    fn failed(&self, origin: &str, error: &RegisterError) -> Answer {
        self.counters.storage_errors.fetch_add(1, Ordering::Relaxed);
        self.tell(Level::Error, "storage", origin, None, error.to_string());
        Answer::Unavailable("the witness can't write its state; no cosignature was given".to_owned())
    }

    /// The time to sign: that of the clock, and never before what was signed. `None` if the clock is not set.
    fn time(&self, last: Option<&Cosigned>) -> Option<u64> {
        let before = last.map_or(0, |last| last.time);
        Some(self.now_s().max(before)).filter(|time| *time != 0)
    }

    fn check_clock(&self, origin: &str, last: Option<&Cosigned>) {
        let behind = last.map_or(0, |last| last.time.saturating_sub(self.now_s()));
        if behind > 0 {
            let message = format!("the clock is {behind} s behind the last cosignature");
            self.tell(Level::Warning, "clock", origin, None, message);
        }
    }

    pub(crate) fn now_s(&self) -> u64 {
        self.env.now_ms() / 1000
    }

    fn keep_fork(
        &self,
        origin: &str,
        request: &AddCheckpoint,
        checkpoint: &VerifiedCheckpoint,
        last: Option<&Cosigned>,
        why: &str,
    ) {
        self.counters.forks.fetch_add(1, Ordering::Relaxed);
        let size = Some(checkpoint.checkpoint().size);
        let now_s = self.now_s();
        match forks::keep(&self.disk, origin, request, checkpoint, last, why, now_s) {
            Ok(None) => {}
            Ok(Some(name)) => {
                let message = format!("the log signed {why}; kept as forks/{name}.*");
                self.tell(Level::Error, "fork", origin, size, message);
            }
            Err(error) => {
                self.counters.storage_errors.fetch_add(1, Ordering::Relaxed);
                let message = format!("the log signed {why}; it can't be kept: {error}");
                self.tell(Level::Error, "fork", origin, size, message);
            }
        }
    }

    fn tell(&self, level: Level, what: &'static str, origin: &str, size: Option<u64>, message: String) {
        (self.teller)(&Notice { level, what, origin: origin.to_owned(), size, message });
    }

    /// Returns the checkpoint that was cosigned last for the log with this origin hash, as the monitoring path gives
    /// it: the log's signatures that were verified, and our cosignature. `None` if there is none.
    pub fn latest(&self, origin_hash: &str) -> Option<String> {
        let log = self.logs.get(self.by_hash.get(origin_hash)?)?;
        match &*self.lock(log) {
            Slot::Known(_, last) => last.as_ref().map(|last| last.note.clone()),
            Slot::Unknown => None,
        }
    }

    /// Returns, for each log there is state of, its origin, whether it is cosigned now, and what was cosigned last;
    /// the outer `None` if that is not known since a write failed.
    pub fn logs(&self) -> Vec<(&str, bool, Option<Option<Cosigned>>)> {
        let each = self.logs.iter().map(|(origin, log)| {
            let last = match &*self.lock(log) {
                Slot::Known(_, last) => Some(last.clone()),
                Slot::Unknown => None,
            };
            (origin.as_str(), !log.keys.is_empty(), last)
        });
        each.collect()
    }

    /// Returns the refused forks that were kept.
    pub fn forks(&self) -> io::Result<Vec<Fork>> {
        forks::list(&self.disk)
    }
}

/// 409 and 422: whether the checkpoint extends what was cosigned last.
fn check(
    request: &AddCheckpoint,
    checkpoint: &VerifiedCheckpoint,
    last: Option<&Cosigned>,
) -> Result<(), Answer> {
    let (last_size, last_root) = last.map_or((0, empty_root()), |last| (last.size, last.root));
    if request.old != last_size {
        return Err(Answer::Conflict(last_size));
    }
    // From 0 the proof must be empty; of size 0 the root must be that of the empty tree; of equal sizes the roots
    // must be equal: all of that is `verify_consistency`.
    let new = checkpoint.checkpoint();
    verify_consistency(last_size, new.size, &last_root, &new.root, &request.proof)
        .map_err(|error| Answer::Inconsistent(error.to_string()))
}
