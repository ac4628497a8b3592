//! Connects the ledgers to those who ask their witnesses.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use anchor::{Anchor, Clock, Head, Ledger, Pace, Refusal, Rules};
use env::Env;
use ledger::{Engine, LedgerInfo, Request, Witnessed};
use net::{HttpNet, Plain, TlsSettings};
use record::entry::Kind;
use tlog::Hash;

use super::log::log;
use super::plan::{Plan, Witnesses};
use crate::failure::Failure;

/// How long a stop waits for requests to witnesses.
pub(super) const PATIENCE: Duration = Duration::from_secs(2);

/// Starts to ask the witnesses, if the plan names any. Until they have answered nothing is signed.
pub(super) fn start(
    plan: &Plan,
    engine: &Arc<Engine>,
    env: &Arc<dyn Env>,
) -> Result<Option<Anchor>, Failure> {
    let Some(witnesses) = &plan.witness else { return Ok(None) };
    // Checkpoints are public and prove themselves, so they may go anywhere in the clear.
    let net = HttpNet::new(&TlsSettings::default(), Plain::Anywhere)
        .map_err(|error| Failure::trouble(format!("witnesses can't be asked: {error}")))?;
    let mut lanes: Vec<(Arc<dyn Ledger>, Rules)> = Vec::new();
    for (number, info) in engine.reads().ledgers().into_iter().enumerate() {
        if !plan.options.gates.has(&info.name) {
            continue;
        }
        let rules = rules(witnesses, &info);
        let ledger = Gated {
            engine: Arc::downgrade(engine),
            number,
            name: info.name,
            plan: plan.options.gates.clone(),
            env: env.clone(),
            nothing: Mutex::new(None),
            told: Mutex::new(None),
        };
        lanes.push((Arc::new(ledger), rules));
    }
    if let Some(missing) = missing(witnesses, &lanes) {
        return Err(Failure::trouble(format!("witness.ledgers names a ledger that is not there: {missing}")));
    }
    let anchor = Anchor::start(lanes, Arc::new(net), env.clone());
    anchor.map(Some).map_err(|error| Failure::trouble(format!("witnesses can't be asked: {error}")))
}

fn rules(witnesses: &Witnesses, info: &LedgerInfo) -> Rules {
    Rules {
        ledger: info.name.clone(),
        origin: info.origin.clone(),
        keys: info.keys.iter().map(|(_, key)| key.clone()).collect(),
        policy: witnesses.policy.clone(),
        own: witnesses.own.clone(),
        pace: Pace { timeout: witnesses.timeout, ..Pace::default() },
    }
}

fn missing<'a>(witnesses: &'a Witnesses, lanes: &[(Arc<dyn Ledger>, Rules)]) -> Option<&'a String> {
    let there = |name: &&String| lanes.iter().any(|(_, rules)| rules.ledger == **name);
    witnesses.ledgers.iter().flatten().find(|name| !there(name))
}

/// A ledger behind its gate. It does not keep the engine: a request to a witness may outlive it.
struct Gated {
    engine: Weak<Engine>,
    number: usize,
    name: String,
    plan: ledger::SigningGates,
    env: Arc<dyn Env>,
    /// The checkpoint of no entries, signed once.
    nothing: Mutex<Option<Head>>,
    /// Why nothing is signed, as it was logged last.
    told: Mutex<Option<String>>,
}

impl Gated {
    fn engine(&self) -> Result<Arc<Engine>, String> {
        self.engine.upgrade().ok_or_else(|| "the server is stopping".to_owned())
    }

    /// The newest checkpoint, or the one of nothing.
    fn nothing(&self, engine: &Engine) -> Result<Head, String> {
        let mut nothing = self.nothing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(head) = &*nothing {
            return Ok(head.clone());
        }
        let note = engine.reads().signed_nothing(self.number).map_err(|fault| fault.to_string())?;
        let parsed = tlog::UnverifiedCheckpoint::parse(note.as_bytes()).map_err(|error| error.to_string())?;
        Ok(nothing.insert(Head { checkpoint: parsed.claimed().clone(), note }).clone())
    }
}

impl Ledger for Gated {
    fn name(&self) -> &str {
        &self.name
    }

    fn head(&self) -> Result<Head, String> {
        let engine = self.engine()?;
        match engine.reads().published(self.number) {
            Some(at) => Ok(Head { checkpoint: at.checkpoint.clone(), note: at.note.clone() }),
            None => self.nothing(&engine),
        }
    }

    fn proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, String> {
        let reads = self.engine()?.reads();
        let at = reads.published(self.number).ok_or_else(|| "nothing is published yet".to_owned())?;
        reads.consistency_between(self.number, old, new, &at).map_err(|fault| fault.to_string())
    }

    fn root(&self, size: u64) -> Result<Option<Hash>, String> {
        let reads = self.engine()?.reads();
        match reads.published(self.number) {
            Some(at) => reads.root(self.number, size, &at).map_err(|fault| fault.to_string()),
            None => Ok((size == 0).then(tlog::empty_root)),
        }
    }

    fn release(&self) {
        self.plan.release(&self.name);
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take();
        log(
            self.env.as_ref(),
            &format!(
                "info: ledger {}: a quorum of witnesses has confirmed this store; checkpoints are signed",
                self.name
            ),
        );
    }

    fn hold(&self, reason: &str) {
        self.plan.hold(&self.name, self.env.now_ms(), reason);
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.as_deref() != Some(reason) {
            log(self.env.as_ref(), &format!("warning: ledger {}: nothing is signed: {reason}", self.name));
            *told = Some(reason.to_owned());
        }
    }

    fn witnessed(&self) -> Option<String> {
        let witnessed = self.engine().ok()?.reads().witnessed(self.number)?;
        Some(witnessed.note.clone())
    }

    fn keep(&self, witnessed: Head) -> Result<(), String> {
        let Head { checkpoint, note } = witnessed;
        let witnessed = Witnessed { checkpoint, note, at_ms: self.env.now_ms() };
        let kept = self.engine()?.keep_witnessed(self.number, witnessed);
        kept.map_err(|fault| {
            log(
                self.env.as_ref(),
                &format!("error: ledger {}: the witnessed checkpoint can't be stored: {fault}", self.name),
            );
            fault.to_string()
        })
    }

    fn record(&self, refusal: &Refusal) {
        log(self.env.as_ref(), &format!("error: ledger {}: {}", self.name, refusal.detail));
        if let Ok(engine) = self.engine() {
            let records = vec![(Kind::Cut, refusal.to_draft())];
            engine.submit(Request::Control { ledger: self.number, records, pending: None });
        }
    }

    fn record_clock(&self, witness: &str, clock: &Clock) {
        let Clock { expected_ms, wall_ms } = clock;
        let name = &self.name;
        let what =
            format!("its cosignature was given at {expected_ms} ms, when this machine had {wall_ms} ms");
        log(
            self.env.as_ref(),
            &format!("warning: ledger {name}: witness {witness} has another time: {what}"),
        );
        if let Ok(engine) = self.engine() {
            let records = vec![(Kind::Cut, clock.to_draft())];
            engine.submit(Request::Control { ledger: self.number, records, pending: None });
        }
    }
}
