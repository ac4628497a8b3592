//! What follows from the answers of witnesses.

use std::time::Duration;

use net::{Answer, NetError};
use record::control::Clock;
use tlog::witness::{check_cosignatures, parse_size};
use tlog::{Checkpoint, Hash, Note, Signature, UnverifiedCheckpoint, VerifiedCheckpoint, VerifiedSignature};

use super::alarms::RECORDS_MAX;
use super::{Ask, Course, Moment, Step};
use crate::Head;
use crate::state::{AlarmKind, Phase, WitnessAlarm};
use crate::words::short;

/// So often in a row a witness may say that it has another size than it was asked about.
const MOVES: u32 = 3;
/// How far the time of a cosignature may lie outside of question and answer: it is in whole seconds, and clocks that are
/// kept by NTP differ by less than that.
const CLOCK_TOLERANCE_MS: u64 = 2000;

impl Course {
    /// What follows from an answer. `root` is the root of the first entries of the newest checkpoint, `jitter` from 0 to
    /// 1, `now_ms` the time of day.
    pub fn answered(
        &mut self,
        witness: usize,
        ask: &Ask,
        answer: Result<Answer, NetError>,
        newest: &Head,
        root: impl FnOnce(u64) -> Result<Option<Hash>, String>,
        at: Moment,
    ) -> Vec<Step> {
        self.witnesses[witness].busy = false;
        let mut steps = match ask {
            Ask::Submit { old, head } => self.submitted(witness, *old, head, answer, newest, at),
            Ask::Look { head } => self.looked(witness, head, answer, root, at),
        };
        steps.extend(self.tick(at.now));
        steps
    }

    /// A witness could not be asked, for a reason on our side.
    pub fn failed(&mut self, witness: usize, why: &str, at: Moment) -> Vec<Step> {
        self.witnesses[witness].busy = false;
        self.fail(witness, why.to_owned(), None, at);
        self.tick(at.now)
    }

    fn submitted(
        &mut self,
        witness: usize,
        old: u64,
        head: &Head,
        answer: Result<Answer, NetError>,
        newest: &Head,
        at: Moment,
    ) -> Vec<Step> {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return self.fail(witness, error.to_string(), None, at),
        };
        let size = head.checkpoint.size;
        match answer.status {
            200 => match self.check(witness, head, &answer.body) {
                Ok(signature) => self.agreed(witness, head, signature, at),
                Err(why) => self.fail(witness, format!("its answer is no cosignature: {why}"), None, at),
            },
            409 => match parse_size(&answer.body) {
                Err(error) => self.fail(witness, format!("its answer 409: {error}"), None, at),
                Ok(theirs) if theirs > newest.checkpoint.size => {
                    self.claims(witness, AlarmKind::Ahead, Some(theirs), newest)
                }
                Ok(theirs) => {
                    let mut steps = self.hears_size(witness, theirs, newest.checkpoint.size, at);
                    let state = &mut self.witnesses[witness];
                    state.moves += 1;
                    if theirs == old || state.moves > MOVES {
                        let why = format!(
                            "it says that it has cosigned {theirs} entries and refuses a proof from there"
                        );
                        steps.extend(self.fail(witness, why, None, at));
                    } else {
                        state.known = Some(theirs);
                    }
                    steps
                }
            },
            422 => self.claims(witness, AlarmKind::Conflict, Some(old), newest),
            403 => {
                let mut steps = self.alarm(witness, AlarmKind::Key, None, None, size, at);
                steps.extend(self.fail(
                    witness,
                    "it does not accept this ledger's signature".to_owned(),
                    None,
                    at,
                ));
                steps
            }
            404 => {
                let why = "it does not know this ledger: give it origin and verification key".to_owned();
                self.fail(witness, why, None, at)
            }
            status => {
                let said = short(&String::from_utf8_lossy(&answer.body));
                self.fail(witness, format!("it answers {status}: {}", said.trim()), answer.retry_after(), at)
            }
        }
    }

    fn check(&self, witness: usize, head: &Head, body: &[u8]) -> Result<VerifiedSignature, String> {
        let checkpoint = self.verified(head)?;
        let key = self.rules.policy.witnesses()[witness].key().clone();
        let signatures = check_cosignatures(&checkpoint, body, &[key]).map_err(|error| error.to_string())?;
        signatures.into_iter().next().ok_or_else(|| "there is none".to_owned())
    }

    fn verified(&self, head: &Head) -> Result<VerifiedCheckpoint, String> {
        let note = UnverifiedCheckpoint::parse(head.note.as_bytes()).map_err(|error| error.to_string())?;
        note.verify(&self.rules.origin, &self.rules.keys, &[]).map_err(|error| error.to_string())
    }

    /// A witness has cosigned: whatever it said before, this is the largest tree it has seen.
    fn agreed(&mut self, witness: usize, head: &Head, signature: VerifiedSignature, at: Moment) -> Vec<Step> {
        let (size, starting) = (head.checkpoint.size, self.phase == Phase::Starting);
        let mut steps = self.watch_clock(witness, &signature, at);
        let state = &mut self.witnesses[witness];
        state.known = Some(size);
        state.last = Some((size, signature, at.now));
        (state.largest, state.set_back) = (state.largest.max(Some(size)), None);
        (state.tried, state.failures, state.moves, state.trouble) = (true, 0, 0, None);
        // A note with our signature stays a contradiction, whatever the witness says now, and so does what it has forgotten.
        let withdrawn = |alarm: &WitnessAlarm| match alarm.kind {
            AlarmKind::Key => true,
            AlarmKind::Ahead | AlarmKind::Conflict => starting && alarm.note.is_none(),
            AlarmKind::Behind => false,
        };
        if state.alarm.as_ref().is_some_and(withdrawn) {
            state.alarm = None;
        }
        let (met, count) = self.quorum_of(size);
        let more = self.kept.is_none_or(|(kept, cosigned)| size > kept || size == kept && count > cosigned);
        if !met || !more || size == 0 || self.rules.policy.is_none() {
            return steps;
        }
        if let Ok(witnessed) = self.witnessed(head) {
            self.kept = Some((size, count));
            steps.push(Step::Keep(witnessed));
        }
        steps
    }

    /// A cosignature is given while it is waited for: if both clocks are right, its time lies between question and answer.
    /// What does not is told once, until the witness agrees again. Nothing else follows: either clock may be the wrong one.
    fn watch_clock(&mut self, witness: usize, signature: &VerifiedSignature, at: Moment) -> Vec<Step> {
        let Some(theirs) = signature.timestamp().map(|seconds| seconds.saturating_mul(1000)) else {
            return Vec::new();
        };
        let waited = self.rules.pace.timeout.as_millis() as u64;
        let ours = theirs.clamp(at.now_ms.saturating_sub(waited), at.now_ms);
        let off = (ours.abs_diff(theirs) > CLOCK_TOLERANCE_MS).then(|| millis(ours) - millis(theirs));
        let before = std::mem::replace(&mut self.witnesses[witness].clock_off_ms, off);
        if off.is_none() || before.is_some() || self.clocks >= RECORDS_MAX {
            return Vec::new();
        }
        self.clocks += 1;
        vec![Step::Clock(self.name(witness), Clock { expected_ms: theirs, wall_ms: ours })]
    }

    /// The checkpoint with the ledger's signature and the cosignatures on it, and nothing else.
    fn witnessed(&self, head: &Head) -> Result<Head, String> {
        let verified = self.verified(head)?;
        let by_log = verified.log_signatures().iter().map(VerifiedSignature::signature).cloned();
        let size = head.checkpoint.size;
        let by_witnesses =
            (0..self.witnesses.len()).filter_map(|at| Some(self.cosigned(at, size)?.signature().clone()));
        let signatures: Vec<Signature> = by_log.chain(by_witnesses).collect();
        let note = Note::new(verified.note().text(), signatures).map_err(|error| error.to_string())?;
        Ok(Head { checkpoint: head.checkpoint.clone(), note: note.to_string() })
    }

    fn looked(
        &mut self,
        witness: usize,
        newest: &Head,
        answer: Result<Answer, NetError>,
        root: impl FnOnce(u64) -> Result<Option<Hash>, String>,
        at: Moment,
    ) -> Vec<Step> {
        let Some((kind, claimed)) = self.witnesses[witness].claim.take() else { return Vec::new() };
        let shown = answer.ok().filter(|answer| answer.status == 200);
        let shown = shown.and_then(|answer| self.signed_by_us(&answer.body));
        let proof = match shown {
            None => None,
            Some((checkpoint, note)) => match root(checkpoint.size) {
                Ok(Some(ours)) if ours == checkpoint.root => None,
                Ok(Some(_)) => Some((AlarmKind::Conflict, checkpoint.size, note)),
                Ok(None) => Some((AlarmKind::Ahead, checkpoint.size, note)),
                Err(_) => None,
            },
        };
        let (kind, claimed, note) = match proof {
            Some((kind, size, note)) => (kind, Some(size), Some(note)),
            None => (kind, claimed, None),
        };
        let mut steps = self.alarm(witness, kind, claimed, note, newest.checkpoint.size, at);
        let state = &mut self.witnesses[witness];
        // What it has cosigned is not known any more: it is asked anew.
        (state.known, state.last) = (None, None);
        let why = match kind {
            AlarmKind::Ahead => "it has seen more of this ledger than this store holds",
            _ => "it has seen another tree of this ledger",
        };
        steps.extend(self.fail(witness, why.to_owned(), None, at));
        steps
    }

    /// A checkpoint that carries this ledger's signature, reduced to it.
    fn signed_by_us(&self, bytes: &[u8]) -> Option<(Checkpoint, String)> {
        let note = UnverifiedCheckpoint::parse_with_extensions(bytes).ok()?;
        let key = &self.rules.keys;
        let verified = note.verify(&self.rules.origin, key, &[]).ok()?;
        Some((verified.checkpoint().clone(), verified.note().to_string()))
    }

    /// Waits before a witness is asked again; the longer the more often it has failed.
    pub(super) fn fail(
        &mut self,
        witness: usize,
        why: String,
        retry: Option<Duration>,
        at: Moment,
    ) -> Vec<Step> {
        let pace = &self.rules.pace;
        let most = if self.phase == Phase::Starting { pace.retry_start } else { pace.retry_max };
        let state = &mut self.witnesses[witness];
        let wait =
            pace.retry.saturating_mul(1 << state.failures.min(16)).max(retry.unwrap_or_default()).min(most);
        state.failures = state.failures.saturating_add(1);
        (state.tried, state.moves, state.known) = (true, 0, None);
        state.trouble = Some(short(&why));
        // From three quarters to five quarters of it, so that many servers do not come at the same moment.
        state.due = at.now + wait.mul_f64(0.75 + at.jitter.clamp(0.0, 1.0) / 2.0);
        Vec::new()
    }
}

fn millis(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}
