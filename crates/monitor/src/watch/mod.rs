//! One look at a log, and what it means given all looks before.

mod history;
mod late;
mod others;

use std::fmt;
use std::io;
use std::time::Duration;

use env::Clock;
use tlog::{Checkpoint, CheckpointError, Policy, UnverifiedCheckpoint, VerifiedCheckpoint, VerifierKey};

use crate::finding::{Finding, Kind};
use crate::source::{FetchError, Source};
use crate::state::State;
use crate::tree::{Tree, TreeError};

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
