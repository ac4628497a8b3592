use std::sync::Arc;
use std::time::Duration;

use net::{Answer, NetError, Request};
use record::control::{Refusal, RefusalReason};
use tlog::witness::{check_cosignatures, origin_hash, parse_size};
use tlog::{
    AddCheckpoint, Checkpoint, Hash, Note, Policy, Signature, UnverifiedCheckpoint, VerifiedCheckpoint,
    VerifiedSignature, VerifierKey,
};

use crate::Head;
use crate::state::{AlarmKind, LedgerStatus, Phase, Witness, WitnessAlarm, WitnessStatus};
use crate::words::{explain, short};

/// What never changes about a course.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The ledger's name on this server.
    pub ledger: String,
    /// Its origin.
    pub origin: String,
    /// The key that signs its checkpoints.
    pub key: VerifierKey,
    /// Whose cosignatures are wanted, and how many.
    pub policy: Arc<Policy>,
    /// Names of those witnesses of the policy that the owner of this server runs.
    pub own: Vec<String>,
    /// How fast.
    pub pace: Pace,
}

/// Times and limits of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// From looking up the name to the last byte of an answer.
    pub timeout: Duration,
    /// Shortest time between two checkpoints that are sent out.
    pub interval: Duration,
    /// How long the slower witnesses are waited for once a quorum has answered at the start: one of them may know more.
    pub grace: Duration,
    /// The first wait after a failure; each further one doubles it.
    pub retry: Duration,
    /// The longest wait after a failure.
    pub retry_max: Duration,
    /// The same while nothing is signed.
    pub retry_start: Duration,
    /// An answer counts at the start for so long, and is renewed after half of it.
    pub fresh: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self {
            timeout: seconds(10),
            interval: Duration::from_millis(500),
            grace: seconds(5),
            retry: seconds(1),
            retry_max: seconds(60),
            retry_start: seconds(5),
            fresh: seconds(60),
        }
    }
}

/// Longest answer that is read: a few cosignatures, or a checkpoint with many.
const MAX_ANSWER: u64 = 256 << 10;
/// So often in a row a witness may say that it has another size than it was asked about.
const MOVES: u32 = 3;
/// Most refusals of one run that are put on record: a witness that lies may say something new each time.
const RECORDS_MAX: u64 = 256;

/// A question to a witness.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Cosign this checkpoint, which extends what you cosigned at size `old`.
    Submit {
        /// The size.
        old: u64,
        /// The checkpoint.
        head: Head,
    },
    /// Show what you cosigned last, since you say that it is not ours.
    Look {
        /// Our newest checkpoint.
        head: Head,
    },
}

impl Ask {
    /// The request for it. `proof` is from `old` to the size of the checkpoint.
    pub fn request(&self, url: &str, origin: &str, proof: Vec<Hash>, timeout: Duration) -> Request {
        let url = url.trim_end_matches('/');
        let mut request = match self {
            Self::Submit { old, head } => {
                let body = AddCheckpoint { old: *old, proof, checkpoint_note: head.note.clone() };
                Request::post(
                    format!("{url}/add-checkpoint"),
                    "text/plain; charset=utf-8",
                    body.to_string().into_bytes(),
                )
            }
            Self::Look { .. } => Request::get(format!("{url}/{}/checkpoint", origin_hash(origin))),
        };
        request.timeout = timeout;
        request.max_answer = MAX_ANSWER;
        request
    }
}

/// What follows from an answer, in the order in which it must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Let the ledger sign.
    Release,
    /// Keep it from signing, and why.
    Hold(String),
    /// Store this checkpoint: a quorum cosigned it.
    Keep(Head),
    /// Put this on record.
    Record(Refusal),
}

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
            size: 0,
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
                    let state = &mut self.witnesses[witness];
                    state.moves += 1;
                    if theirs == old || state.moves > MOVES {
                        let why = format!(
                            "it says that it has cosigned {theirs} entries and refuses a proof from there"
                        );
                        return self.fail(witness, why, None, at);
                    }
                    state.known = Some(theirs);
                    Vec::new()
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
        note.verify(&self.rules.origin, std::slice::from_ref(&self.rules.key), &[])
            .map_err(|error| error.to_string())
    }

    /// A witness has cosigned: whatever it said before, this is the largest tree it has seen.
    fn agreed(&mut self, witness: usize, head: &Head, signature: VerifiedSignature, at: Moment) -> Vec<Step> {
        let (size, starting) = (head.checkpoint.size, self.phase == Phase::Starting);
        let state = &mut self.witnesses[witness];
        state.known = Some(size);
        state.last = Some((size, signature, at.now));
        (state.tried, state.failures, state.moves, state.trouble) = (true, 0, 0, None);
        // A note with our signature stays a contradiction, whatever the witness says now.
        let withdrawn =
            |alarm: &WitnessAlarm| alarm.kind == AlarmKind::Key || starting && alarm.note.is_none();
        if state.alarm.as_ref().is_some_and(withdrawn) {
            state.alarm = None;
        }
        let (met, count) = self.quorum_of(size);
        let more = self.kept.is_none_or(|(kept, cosigned)| size > kept || size == kept && count > cosigned);
        if !met || !more || size == 0 || self.rules.policy.is_none() {
            return Vec::new();
        }
        match self.witnessed(head) {
            Ok(witnessed) => {
                self.kept = Some((size, count));
                vec![Step::Keep(witnessed)]
            }
            Err(_) => Vec::new(),
        }
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

    /// A witness says that it has seen what we have not. Signing stops at once; what it can show for it comes after.
    fn claims(&mut self, witness: usize, kind: AlarmKind, claimed: Option<u64>, newest: &Head) -> Vec<Step> {
        self.witnesses[witness].claim = Some((kind, claimed));
        if self.phase == Phase::Starting {
            return Vec::new();
        }
        self.phase = Phase::Stopped;
        let alarm = WitnessAlarm { kind, held: newest.checkpoint.size, claimed, note: None, since_ms: 0 };
        vec![self.hold(explain(&self.name(witness), &alarm))]
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
        let key = std::slice::from_ref(&self.rules.key);
        let verified = note.verify(&self.rules.origin, key, &[]).ok()?;
        Some((verified.checkpoint().clone(), verified.note().to_string()))
    }

    /// Keeps a refusal in sight and, if it is new, puts it on record.
    fn alarm(
        &mut self,
        witness: usize,
        kind: AlarmKind,
        claimed: Option<u64>,
        note: Option<String>,
        held: u64,
        at: Moment,
    ) -> Vec<Step> {
        let (name, policy) = (self.name(witness), self.rules.policy.clone());
        let state = &mut self.witnesses[witness];
        let before = state.alarm.take();
        let since_ms = before.as_ref().map_or(at.now_ms, |before| before.since_ms);
        // What was proven once is not forgotten for a claim without proof.
        let note = note.or_else(|| before.as_ref().and_then(|before| before.note.clone()));
        let alarm = WitnessAlarm { kind, held, claimed, note, since_ms };
        let text = explain(&name, &alarm);
        let known = before.is_some_and(|before| {
            (before.kind, before.claimed, &before.note) == (kind, claimed, &alarm.note)
        });
        let mut steps = Vec::new();
        if kind.stops() && self.phase != Phase::Starting {
            self.phase = Phase::Stopped;
        }
        if !known {
            self.refusals += 1;
        }
        if !known && self.refusals <= RECORDS_MAX {
            steps.push(Step::Record(Refusal {
                party: policy.witnesses()[witness].key().to_string(),
                reason: match kind {
                    AlarmKind::Ahead => RefusalReason::Ahead,
                    AlarmKind::Conflict => RefusalReason::Conflict,
                    AlarmKind::Key => RefusalReason::Key,
                },
                size: held,
                claimed,
                note: alarm.note.clone(),
                stopped: kind.stops(),
                detail: text.clone(),
            }));
        }
        self.witnesses[witness].alarm = Some(alarm);
        if kind.stops() {
            steps.insert(0, self.hold(text));
        }
        steps
    }

    /// Waits before a witness is asked again; the longer the more often it has failed.
    fn fail(&mut self, witness: usize, why: String, retry: Option<Duration>, at: Moment) -> Vec<Step> {
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

    /// What follows from the time alone: at the start, whether the ledger may sign by now.
    pub fn tick(&mut self, now: Duration) -> Vec<Step> {
        if self.phase != Phase::Starting {
            return Vec::new();
        }
        let stopping = |state: &Witness| state.alarm.as_ref().is_some_and(|alarm| alarm.kind.stops());
        let refused = self.witnesses.iter().any(|state| stopping(state) || state.claim.is_some());
        let fresh = |at: usize| {
            let last = self.witnesses[at].last.as_ref();
            last.is_some_and(|(size, _, then)| {
                *size == self.size && now.saturating_sub(*then) <= self.rules.pace.fresh
            })
        };
        let (met, count) = self.quorum(fresh);
        if !met || refused {
            self.quorum_since = None;
            return match refused {
                true => Vec::new(),
                false => self.say_who_is_missing(count),
            };
        }
        let since = *self.quorum_since.get_or_insert(now);
        let done = |at: usize| self.witnesses[at].tried || self.rules.policy.witnesses()[at].url().is_none();
        if (0..self.witnesses.len()).all(done) || now.saturating_sub(since) >= self.rules.pace.grace {
            self.phase = Phase::Signing;
            self.told.clear();
            return vec![Step::Release];
        }
        Vec::new()
    }

    /// Tells once everybody has been asked, and again when it is another story.
    fn say_who_is_missing(&mut self, count: usize) -> Vec<Step> {
        let asked = |at: usize| self.witnesses[at].tried || self.rules.policy.witnesses()[at].url().is_none();
        if !(0..self.witnesses.len()).all(asked) {
            return Vec::new();
        }
        let all = self.rules.policy.witnesses().len();
        let troubles = self.rules.policy.witnesses().iter().zip(&self.witnesses);
        let troubles = troubles.filter_map(|(witness, state)| {
            Some(format!("{}: {}", witness.name(), state.trouble.as_deref()?))
        });
        let troubles: Vec<String> = troubles.take(5).collect();
        let mut text = format!(
            "the witnesses' quorum has not confirmed that this store is the newest: {count} of {all} have answered"
        );
        if !troubles.is_empty() {
            text.push_str(&format!(" ({})", troubles.join("; ")));
        }
        if text == self.told { Vec::new() } else { vec![self.hold(text)] }
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

/// When something happened, and how much of the wait after a failure is left to chance.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// By the steady clock.
    pub now: Duration,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// From 0 to 1, at random.
    pub jitter: f64,
}
