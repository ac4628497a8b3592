//! One look at a log, and what it means given all looks before.

use std::fmt;
use std::io;
use std::time::Duration;

use env::Clock;
use tlog::{
    Checkpoint, CheckpointError, Hash, Policy, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey,
    verify_consistency,
};

use crate::finding::{Finding, Kind};
use crate::source::{FetchError, Source};
use crate::state::{Progress, State};
use crate::tree::{Bad, Tree, TreeError};

/// The checkpoint that a Ledgerstone server has cosigned by its witnesses.
const WITNESSED: &str = "checkpoint.witnessed";
/// How often a log that seems to have gone back, or not to serve what it signed, is asked again, and after how long:
/// copies on the way may be older than what they lead to.
const AGAIN: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];
const MAX_NOTE: u64 = tlog::note::MAX_NOTE_LEN as u64;

/// How to look at one log.
pub struct Watch<'a> {
    /// Where it is.
    pub source: &'a dyn Source,
    /// Its mirror, which may still have what the log no longer serves.
    pub near: Option<&'a dyn Source>,
    /// Its keys; their name is its origin.
    pub keys: &'a [VerifierKey],
    /// Who must have cosigned.
    pub policy: Option<&'a Policy>,
    /// How long it may be silent, and how long a quorum may be wanting.
    pub silence: Option<Duration>,
    /// What was seen before.
    pub state: &'a State<'a>,
    /// What time it is.
    pub clock: &'a dyn Clock,
    /// Waits.
    pub pause: &'a (dyn Fn(Duration) + Sync),
}

/// How a checkpoint relates to the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// There was none before.
    First,
    /// The same tree.
    Same,
    /// A tree that begins with the one before, of this size.
    Grown(u64),
    /// None that could be accepted.
    Refused,
}

/// What a look has shown.
#[derive(Clone, Debug)]
pub struct Round {
    /// How the log has got on.
    pub step: Step,
    /// The newest checkpoint that is accepted, and its bytes.
    pub accepted: Option<(Checkpoint, Vec<u8>)>,
    /// What it should not have done, and where that is kept.
    pub findings: Vec<(Finding, String)>,
}

/// What witnesses have said.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// What the log should not have done, and where that is kept.
    pub findings: Vec<(Finding, String)>,
    /// Witnesses that gave no usable answer, and why.
    pub silent: Vec<String>,
}

/// Why a look has shown nothing.
#[derive(Debug)]
pub enum LookError {
    /// The log can't be asked.
    Fetch(FetchError),
    /// Our own state can't be read or written.
    State(io::Error),
    /// Our own state is not signed by the key of the log.
    Kept(CheckpointError),
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LookError::Fetch(error) => error.fmt(f),
            LookError::State(error) => write!(f, "the state of the monitor can't be kept: {error}"),
            LookError::Kept(error) => write!(f, "the checkpoint that was kept is not of this log: {error}"),
        }
    }
}

impl std::error::Error for LookError {}

impl From<io::Error> for LookError {
    fn from(error: io::Error) -> LookError {
        LookError::State(error)
    }
}

impl From<FetchError> for LookError {
    fn from(error: FetchError) -> LookError {
        LookError::Fetch(error)
    }
}

/// A checkpoint whose signature holds, and its bytes.
struct Signed {
    verified: VerifiedCheckpoint,
    bytes: Vec<u8>,
}

impl Signed {
    fn checkpoint(&self) -> &Checkpoint {
        self.verified.checkpoint()
    }
}

impl<'a> Watch<'a> {
    /// Looks at the log once, keeps what is good, and says what is not.
    ///
    /// # Errors
    /// There is no telling now. [`Watch::lateness`] says whether that has been so for too long.
    pub fn round(&self) -> Result<Round, LookError> {
        let kept = self.kept()?;
        let mut findings = Vec::new();
        let mut step = Step::Refused;
        let mut pauses = AGAIN.iter();
        // Asked again while what is wrong may be on the way only.
        loop {
            findings.clear();
            match self.fetch(&mut findings)? {
                None => {}
                Some(shown) => match self.compare(kept.as_ref(), &shown, &mut findings)? {
                    Some(how) => {
                        self.state.accept(&shown.verified, &shown.bytes)?;
                        self.note_progress(how, &shown, &mut findings)?;
                        step = how;
                    }
                    None => step = Step::Refused,
                },
            }
            let passing =
                |finding: &Finding| matches!(finding.kind, Kind::Rollback | Kind::Damage | Kind::Signature);
            match pauses.next() {
                Some(pause) if step == Step::Refused && findings.iter().all(passing) => (self.pause)(*pause),
                _ => break,
            }
        }
        let accepted = self.kept()?.map(|kept| (kept.checkpoint().clone(), kept.bytes));
        Ok(Round { step, accepted, findings: self.keep(findings)? })
    }

    /// What is late by now, also if the log could not be asked at all.
    ///
    /// # Errors
    /// Our own state can't be read or written.
    pub fn lateness(&self) -> Result<Vec<(Finding, String)>, LookError> {
        let Some(progress) = self.state.progress()? else { return Ok(Vec::new()) };
        let mut findings = Vec::new();
        self.silence(progress, &mut findings);
        self.keep(findings)
    }

    /// Holds checkpoints that others have seen against the log: each must be of one history with what it shows us.
    ///
    /// # Errors
    /// There is no telling now. A note that is not by this log's key says nothing about it, and is an error too.
    pub fn compare_with(&self, notes: &[Vec<u8>]) -> Result<Vec<(Finding, String)>, LookError> {
        let Some(kept) = self.kept()? else { return Ok(Vec::new()) };
        let mut findings = Vec::new();
        for note in notes {
            let theirs = self.verify(note).map_err(LookError::Kept)?;
            if theirs.checkpoint().size > kept.checkpoint().size {
                let text = format!(
                    "others were shown {} entries, we only {}",
                    theirs.checkpoint().size,
                    kept.checkpoint().size
                );
                findings.push(both(Kind::Rollback, text, &kept.bytes, "theirs.checkpoint", note));
                continue;
            }
            self.extends(&theirs, &kept, "theirs.checkpoint", &mut findings)?;
        }
        self.keep(findings)
    }

    /// Asks witnesses what they have cosigned last (C2SP tlog-witness, `<prefix>/<origin hash>/checkpoint`): each must be
    /// of one history with what the log shows us. Gives also who could not be asked, and why.
    ///
    /// # Errors
    /// The log can't be asked, or our own state can't be read or written.
    pub fn ask_witnesses(&self, witnesses: &[(String, Box<dyn Source>)]) -> Result<Asked, LookError> {
        let mut asked = Asked::default();
        let Some(kept) = self.kept()? else { return Ok(asked) };
        let path = format!("{}/checkpoint", tlog::origin_hash(kept.checkpoint().origin.as_str()));
        let mut findings = Vec::new();
        for (name, witness) in witnesses {
            let theirs = match witness.get(&path, MAX_NOTE) {
                // It has never cosigned this log.
                Ok(None) => continue,
                Ok(Some(bytes)) => self.verify(&bytes).map_err(|error| error.to_string()),
                Err(error) => Err(error.to_string()),
            };
            let theirs = match theirs {
                Ok(theirs) => theirs,
                Err(why) => {
                    asked.silent.push(format!("witness {name}: {why}"));
                    continue;
                }
            };
            if theirs.checkpoint().size <= kept.checkpoint().size {
                self.extends(&theirs, &kept, "theirs.checkpoint", &mut findings)?;
            } else if let Some(shown) = self.stays_below(theirs.checkpoint().size)? {
                let text = format!(
                    "witness {name} has cosigned {} entries, the log shows {}",
                    theirs.checkpoint().size,
                    shown.checkpoint().size
                );
                findings.push(both(Kind::Rollback, text, &shown.bytes, "theirs.checkpoint", &theirs.bytes));
            }
        }
        asked.findings = self.keep(findings)?;
        Ok(asked)
    }

    /// What the log shows, if it goes on showing less than it has signed: it may ask its witnesses before it publishes.
    fn stays_below(&self, size: u64) -> Result<Option<Signed>, LookError> {
        let mut shown = None;
        for pause in AGAIN {
            (self.pause)(pause);
            shown = self.fetch(&mut Vec::new())?.filter(|shown| shown.checkpoint().size < size);
            if shown.is_none() {
                break;
            }
        }
        Ok(shown)
    }

    /// The tree of a checkpoint of this log.
    ///
    /// # Errors
    /// It can't be had, or is not what the checkpoint commits to.
    pub fn tree(&self, checkpoint: &Checkpoint) -> Result<Tree<'a>, TreeError> {
        Tree::open(self.source, self.near, checkpoint.size, checkpoint.root)
    }

    /// What was accepted before.
    fn kept(&self) -> Result<Option<Signed>, LookError> {
        match self.state.checkpoint()? {
            None => Ok(None),
            Some(bytes) => self.verify(&bytes).map(Some).map_err(LookError::Kept),
        }
    }

    fn verify(&self, bytes: &[u8]) -> Result<Signed, CheckpointError> {
        let cosigners: Vec<VerifierKey> = self
            .policy
            .iter()
            .flat_map(|policy| policy.witnesses())
            .map(|witness| witness.key().clone())
            .collect();
        let origin = self.keys.first().map_or("", VerifierKey::name);
        let verified =
            UnverifiedCheckpoint::parse_with_extensions(bytes)?.verify(origin, self.keys, &cosigners)?;
        Ok(Signed { verified, bytes: bytes.to_vec() })
    }

    /// The checkpoint that the log shows, if it is one of this log.
    fn fetch(&self, findings: &mut Vec<Finding>) -> Result<Option<Signed>, LookError> {
        let bytes = match self.source.get("checkpoint", MAX_NOTE) {
            Ok(Some(bytes)) => bytes,
            Ok(None) => {
                findings.push(Finding::new(Kind::Signature, "the log shows no checkpoint"));
                return Ok(None);
            }
            Err(error @ FetchError::TooLong { .. }) => {
                findings.push(Finding::new(Kind::Signature, error.to_string()));
                return Ok(None);
            }
            Err(error) => return Err(error.into()),
        };
        match self.verify(&bytes) {
            Ok(signed) => Ok(Some(signed)),
            Err(error) => {
                let text = format!("what the log shows as its checkpoint is not signed by it: {error}");
                findings.push(Finding::new(Kind::Signature, text).with("shown.checkpoint", bytes));
                Ok(None)
            }
        }
    }

    /// How the checkpoint that is shown relates to the one that was kept; `None` if it can't be accepted.
    fn compare(
        &self,
        kept: Option<&Signed>,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<Option<Step>, LookError> {
        let Some(kept) = kept else {
            // Nothing to compare with, but what is signed must be there.
            return match self.tree(shown.checkpoint()) {
                Ok(_) => Ok(Some(Step::First)),
                Err(error) => self.bad_tree(error, findings).map(|()| None),
            };
        };
        let (old, new) = (kept.checkpoint(), shown.checkpoint());
        if new.size < old.size {
            return self.went_back(kept, shown, findings).map(|()| None);
        }
        if !self.extends(kept, shown, "shown.checkpoint", findings)? {
            return Ok(None);
        }
        Ok(Some(if new.size == old.size { Step::Same } else { Step::Grown(old.size) }))
    }

    /// Whether `newer` is shown to begin with `older`. `name` is what the one that is not ours is called in evidence.
    fn extends(
        &self,
        older: &Signed,
        newer: &Signed,
        name: &'static str,
        findings: &mut Vec<Finding>,
    ) -> Result<bool, LookError> {
        let (old, new) = (older.checkpoint(), newer.checkpoint());
        let (ours, theirs) = if name == "shown.checkpoint" { (older, newer) } else { (newer, older) };
        if old.size == new.size {
            if old.root != new.root {
                let text = format!("two different trees of {} entries are signed", old.size);
                findings.push(both(Kind::Fork, text, &ours.bytes, name, &theirs.bytes));
            }
            return Ok(old.root == new.root);
        }
        let shown = self.tree(new).and_then(|tree| {
            Ok((
                tree.root_at(old.size)?,
                if old.size == 0 { Vec::new() } else { tree.consistency(old.size)? },
            ))
        });
        let (root, proof) = match shown {
            Ok(shown) => shown,
            Err(error) => return self.bad_tree(error, findings).map(|()| false),
        };
        // Twice, by code that shares nothing: from the tiles, and by the proof.
        let proven = verify_consistency(old.size, new.size, &old.root, &new.root, &proof).is_ok();
        if root == old.root && proven {
            return Ok(true);
        }
        findings.push(fork((old.size, new.size), &ours.bytes, (name, &theirs.bytes), &root, &proof));
        Ok(false)
    }

    fn went_back(&self, kept: &Signed, shown: &Signed, findings: &mut Vec<Finding>) -> Result<(), LookError> {
        let (old, new) = (kept.checkpoint(), shown.checkpoint());
        let back = format!("the log shows {} entries after it has shown {}", new.size, old.size);
        let another = self.state.notes()?.into_iter().find(|note| {
            self.verify(note)
                .is_ok_and(|seen| seen.checkpoint().size == new.size && seen.checkpoint().root != new.root)
        });
        if let Some(another) = another {
            let text = format!("{back}, and they are others than before");
            findings.push(both(Kind::Fork, text, &another, "shown.checkpoint", &shown.bytes));
            return Ok(());
        }
        // With a mirror, or if the log still serves its tiles, it can be told whether that is an older state or
        // another one.
        let before =
            self.tree(old).and_then(|tree| Ok((tree.root_at(new.size)?, tree.consistency(new.size)?)));
        let finding = match before {
            Ok((root, _)) if root == new.root => both(
                Kind::Rollback,
                format!("{back}; they are the first of those"),
                &kept.bytes,
                "shown.checkpoint",
                &shown.bytes,
            ),
            Ok((root, proof)) => {
                let text = format!("{back}, and they are others than before");
                both(Kind::Fork, text, &kept.bytes, "shown.checkpoint", &shown.bytes)
                    .with("proof", proof_text(new.size, old.size, &root, &proof))
            }
            Err(_) => {
                let text = format!("{back}; whether they are the same is not shown");
                both(Kind::Rollback, text, &kept.bytes, "shown.checkpoint", &shown.bytes)
            }
        };
        findings.push(finding);
        Ok(())
    }

    /// A tree that can't be had now is no answer; one that is wrong is a finding.
    fn bad_tree(&self, error: TreeError, findings: &mut Vec<Finding>) -> Result<(), LookError> {
        match error {
            TreeError::Fetch(error @ FetchError::TooLong { .. }) => {
                findings.push(Finding::new(Kind::Damage, error.to_string()));
                Ok(())
            }
            TreeError::Fetch(error) => Err(error.into()),
            TreeError::Bad(bad) => {
                findings.push(damage(&bad));
                Ok(())
            }
        }
    }

    /// Keeps when what was seen, and says what is late.
    fn note_progress(
        &self,
        step: Step,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<(), LookError> {
        let now = self.clock.now_ms();
        let mut progress =
            self.state.progress()?.unwrap_or(Progress { fresh_ms: now, seen_ms: now, witnessed_ms: now });
        if step != Step::Same {
            progress.fresh_ms = now;
        }
        progress.seen_ms = now;
        let mut newest = newest_cosignature(&shown.verified);
        let met = match self.policy {
            None => true,
            Some(policy) => {
                let (met, time) = self.quorum(policy, shown, findings)?;
                newest = newest.max(time);
                if met {
                    progress.witnessed_ms = now;
                }
                met
            }
        };
        // What is said to be from the future is from now.
        progress.fresh_ms = progress.fresh_ms.max(newest.saturating_mul(1000).min(now));
        self.state.keep_progress(progress)?;
        self.silence(progress, findings);
        let wanting = self.silence.is_none_or(|limit| is_over(now, progress.witnessed_ms, limit));
        if let (false, true, Some(policy)) = (met, wanting, self.policy) {
            let quorum = policy.quorum(|key| shown.verified.cosignatures().iter().any(|by| by.key() == key));
            let missing: Vec<String> = quorum.missing.iter().map(|witness| witness.name()).collect();
            let text = format!(
                "too few witnesses have cosigned the tree of {} entries; not among them: {}",
                shown.checkpoint().size,
                missing.join(", ")
            );
            findings.push(Finding::new(Kind::Quorum, text).with("shown.checkpoint", shown.bytes.clone()));
        }
        Ok(())
    }

    /// Whether enough witnesses have cosigned this checkpoint, or the one that the server shows as witnessed; and the
    /// newest time that one of them tells, in seconds.
    fn quorum(
        &self,
        policy: &Policy,
        shown: &Signed,
        findings: &mut Vec<Finding>,
    ) -> Result<(bool, u64), LookError> {
        let met = |signed: &Signed| {
            let by = |key: &VerifierKey| {
                let mut all = signed.verified.cosignatures().iter().filter(|by| by.key() == key);
                all.any(|by| by.timestamp().is_some_and(|time| time != 0))
            };
            policy.quorum(by).met
        };
        if met(shown) {
            return Ok((true, newest_cosignature(&shown.verified)));
        }
        // A log that publishes before its witnesses have answered shows what they have cosigned beside it.
        let Ok(Some(bytes)) = self.source.get(WITNESSED, MAX_NOTE) else { return Ok((false, 0)) };
        let Ok(witnessed) = self.verify(&bytes) else { return Ok((false, 0)) };
        let newest = newest_cosignature(&witnessed.verified);
        let of_one_history = witnessed.checkpoint().size <= shown.checkpoint().size
            && self.extends(&witnessed, shown, "witnessed.checkpoint", findings)?;
        Ok((of_one_history && met(&witnessed), newest))
    }

    fn silence(&self, progress: Progress, findings: &mut Vec<Finding>) {
        let now = self.clock.now_ms();
        if let Some(limit) = self.silence.filter(|limit| is_over(now, progress.fresh_ms, *limit)) {
            let age = now.saturating_sub(progress.fresh_ms) / 1000;
            let text = format!("nothing new for {age} s; {} s are allowed", limit.as_secs());
            findings.push(Finding::new(Kind::Silence, text));
        }
    }

    fn keep(&self, findings: Vec<Finding>) -> Result<Vec<(Finding, String)>, LookError> {
        let now = self.clock.now_ms();
        let mut kept = Vec::new();
        for finding in findings {
            // That a log is silent needs no file: it is shown by what there is not.
            let place = match finding.evidence.is_empty() {
                true => String::new(),
                false => self.state.keep_finding(&finding, now)?,
            };
            kept.push((finding, place));
        }
        Ok(kept)
    }
}

impl From<&Bad> for Finding {
    fn from(bad: &Bad) -> Finding {
        damage(bad)
    }
}

pub(crate) fn damage(bad: &Bad) -> Finding {
    let finding = Finding::new(Kind::Damage, bad.to_string());
    match &bad.bytes {
        Some(bytes) => finding.with("shown.bytes", bytes.clone()),
        None => finding,
    }
}

fn both(kind: Kind, text: String, ours: &[u8], name: &'static str, theirs: &[u8]) -> Finding {
    Finding::new(kind, text).with("kept.checkpoint", ours).with(name, theirs)
}

/// Two signed trees, of which the larger does not begin with the smaller: its first entries have another `root`.
pub(crate) fn fork(
    (old, new): (u64, u64),
    ours: &[u8],
    (name, theirs): (&'static str, &[u8]),
    root: &Hash,
    proof: &[Hash],
) -> Finding {
    let text = format!(
        "the tree of {new} entries does not begin with the tree of {old} entries that was signed as well"
    );
    both(Kind::Fork, text, ours, name, theirs).with("proof", proof_text(old, new, root, proof))
}

/// What lets others see that two roots can't both be true: the proof leads from `root`, which is not the one that was
/// signed, to the newer tree.
fn proof_text(old: u64, new: u64, root: &Hash, proof: &[Hash]) -> Vec<u8> {
    let mut text = format!("ledgerstone/fork/v1\nold {old}\nnew {new}\nroot {}\n", root.to_base64());
    proof.iter().for_each(|hash| text.push_str(&format!("{}\n", hash.to_base64())));
    text.into_bytes()
}

fn newest_cosignature(checkpoint: &VerifiedCheckpoint) -> u64 {
    checkpoint.cosignatures().iter().filter_map(tlog::VerifiedSignature::timestamp).max().unwrap_or(0)
}

fn is_over(now: u64, since: u64, limit: Duration) -> bool {
    u128::from(now.saturating_sub(since)) > limit.as_millis()
}
