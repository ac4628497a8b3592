//! One ledger and its witnesses, without I/O.

mod alarms;
mod answers;
mod ask;
mod pace;
mod start;

use std::time::Duration;

use tlog::{UnverifiedCheckpoint, VerifiedSignature, VerifierKey};

use crate::Head;
use crate::state::{LedgerStatus, Phase, Witness, WitnessStatus};

pub use ask::{Ask, Moment, Step};
pub use pace::{Pace, Rules};

/// The checkpoint that all witnesses are asked to cosign, until enough have or nobody is left who could.
#[derive(Debug)]
struct Round {
    head: Head,
    began: Duration,
}

/// One ledger and its witnesses.
#[derive(Debug)]
pub struct Course {
    rules: Rules,
    phase: Phase,
    witnesses: Vec<Witness>,
    round: Option<Round>,
    /// Since when a quorum has answered, at the start.
    quorum_since: Option<Duration>,
    /// Why nothing is signed, as last told.
    told: String,
    /// Size, and cosignatures, of what was kept last.
    kept: Option<(u64, usize)>,
    refusals: u64,
    /// Disagreements of clocks that were put on record.
    clocks: u64,
    size: u64,
}

impl Course {
    /// A course at its start; the ledger's gate is held.
    pub fn new(rules: Rules) -> Self {
        let witnesses = rules.policy.witnesses().iter().map(|witness| Witness {
            trouble: witness.url().is_none().then(|| "the policy does not say where it is".to_owned()),
            ..Witness::default()
        });
        let witnesses = witnesses.collect();
        Self {
            rules,
            phase: Phase::Starting,
            witnesses,
            round: None,
            quorum_since: None,
            told: String::new(),
            kept: None,
            refusals: 0,
            clocks: 0,
            size: 0,
        }
    }

    /// Learns from the witnessed checkpoint that was kept last who has cosigned how much in an earlier run. What does not
    /// verify says nothing.
    pub fn remember(&mut self, witnessed: &str) {
        let keys: Vec<VerifierKey> =
            self.rules.policy.witnesses().iter().map(|witness| witness.key().clone()).collect();
        let log = &self.rules.keys;
        let note = UnverifiedCheckpoint::parse(witnessed.as_bytes()).ok();
        let Some(checkpoint) = note.and_then(|note| note.verify(&self.rules.origin, log, &keys).ok()) else {
            return;
        };
        for (key, state) in keys.iter().zip(&mut self.witnesses) {
            if checkpoint.cosignatures().iter().any(|signature| signature.key() == key) {
                state.largest = state.largest.max(Some(checkpoint.checkpoint().size));
            }
        }
    }

    /// What never changes.
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// What to ask a witness now, if anything. Until [`Course::answered`] it is not asked again. `newest` is the newest
    /// checkpoint that was published.
    pub fn next(&mut self, witness: usize, newest: &Head, now: Duration) -> Option<Ask> {
        self.size = newest.checkpoint.size;
        if self.phase == Phase::Signing {
            self.advance(newest, now);
        }
        let asked = self.rules.policy.witnesses().get(witness)?.url().is_some();
        let state = &self.witnesses[witness];
        if !asked || state.busy || now < state.due {
            return None;
        }
        let ask = match (&state.claim, self.phase, &self.round) {
            (Some(_), ..) => Ask::Look { head: newest.clone() },
            (None, Phase::Signing, Some(round)) => {
                let size = round.head.checkpoint.size;
                if self.cosigned(witness, size).is_some() || state.known.is_some_and(|known| known > size) {
                    return None;
                }
                Ask::Submit { old: state.known.unwrap_or(size), head: round.head.clone() }
            }
            _ => {
                let size = newest.checkpoint.size;
                let renew = now.saturating_sub(self.rules.pace.fresh / 2);
                if state.last.as_ref().is_some_and(|(last, _, at)| *last == size && *at > renew) {
                    return None;
                }
                Ask::Submit { old: state.known.unwrap_or(size), head: newest.clone() }
            }
        };
        self.witnesses[witness].busy = true;
        Some(ask)
    }

    /// Goes on to the newest checkpoint once enough have cosigned the one before, or nobody is left who could.
    fn advance(&mut self, newest: &Head, now: Duration) {
        if let Some(round) = &self.round {
            let size = round.head.checkpoint.size;
            let over =
                self.quorum_of(size).0 || (0..self.witnesses.len()).all(|at| self.is_done(at, size, now));
            let rested = now >= round.began + self.rules.pace.interval;
            if newest.checkpoint.size <= size || !over || !rested {
                return;
            }
        }
        self.round = Some(Round { head: newest.clone(), began: now });
    }

    /// Whether nothing is to be expected of a witness for a checkpoint of this size at present.
    fn is_done(&self, witness: usize, size: u64, now: Duration) -> bool {
        let state = &self.witnesses[witness];
        let unreachable = self.rules.policy.witnesses()[witness].url().is_none();
        unreachable
            || self.cosigned(witness, size).is_some()
            || state.known.is_some_and(|known| known > size)
            || (!state.busy && now < state.due)
    }

    fn cosigned(&self, witness: usize, size: u64) -> Option<&VerifiedSignature> {
        let (last, signature, _) = self.witnesses[witness].last.as_ref()?;
        (*last == size).then_some(signature)
    }

    /// Whether the quorum has cosigned a checkpoint of this size, and how many witnesses have.
    fn quorum_of(&self, size: u64) -> (bool, usize) {
        self.quorum(|at| self.cosigned(at, size).is_some())
    }

    fn quorum(&self, counts: impl Fn(usize) -> bool) -> (bool, usize) {
        let witnesses = self.rules.policy.witnesses();
        let position = |key: &VerifierKey| witnesses.iter().position(|witness| witness.key() == key);
        let quorum = self.rules.policy.quorum(|key| position(key).is_some_and(&counts));
        (quorum.met, quorum.cosigned.len())
    }

    fn hold(&mut self, reason: String) -> Step {
        self.told.clone_from(&reason);
        Step::Hold(reason)
    }

    fn name(&self, witness: usize) -> String {
        self.rules.policy.witnesses()[witness].name()
    }

    /// How things stand.
    pub fn status(&self) -> LedgerStatus {
        let policy = &self.rules.policy;
        let own = |name: &str| self.rules.own.iter().any(|own| own == name);
        let witness = |(witness, state): (&tlog::PolicyWitness, &Witness)| WitnessStatus {
            name: witness.name(),
            vkey: witness.key().to_string(),
            url: witness.url().map(str::to_owned),
            own: own(&witness.name()),
            size: state.last.as_ref().map(|(size, ..)| *size),
            cosigned_s: state.last.as_ref().and_then(|(_, signature, _)| signature.timestamp()),
            clock_off_ms: state.clock_off_ms,
            trouble: state.trouble.clone(),
            alarm: state.alarm.clone(),
        };
        let is_own = |at: usize| own(&self.name(at));
        LedgerStatus {
            ledger: self.rules.ledger.clone(),
            phase: self.phase,
            size: self.size,
            witnessed: self.kept.map(|(size, _)| size),
            witnesses: policy.witnesses().iter().zip(&self.witnesses).map(witness).collect(),
            own_suffice: self.quorum(is_own).0,
            refusals: self.refusals,
        }
    }
}
