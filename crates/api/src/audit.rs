//! Puts accesses on record in the ledger [`access::SYSTEM`] (DESIGN I12): one record for each query or export, the
//! opening and closing of a stream, administration, each refusal of somebody known, start and stop.
//!
//! What strangers can cause in any number (bad tokens, unknown paths) and what a known caller repeats without end is
//! counted, and the counts are entered every minute, so that nobody fills the disk with refusals.

mod held;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use access::SYSTEM;
use env::Env;
use ledger::{Engine, Entered, Pending, Request};
use record::control::Heartbeat;
use record::entry::Kind;
use record::facet::{FacetDraft, split};
use record::json::{Object, Value};
use tokio::sync::oneshot;

use crate::auth::{Caller, Sight};
use crate::problem::Problem;
use held::Held;

/// Refusals of one token that are entered one by one within a minute.
const SINGLE_REFUSALS: u64 = 60;

/// Different counters kept at once; beyond it everything is counted together.
const MAX_COUNTERS: usize = 1024;

/// Writes the ledger of accesses.
pub(crate) struct Audit {
    engine: Arc<Engine>,
    system: usize,
    env: Arc<dyn Env>,
    counts: Mutex<BTreeMap<Counted, Count>>,
    /// Accesses during an outage of the ledger, to be entered once it records again.
    held: Arc<Held>,
}

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Counted {
    /// Id of the token; `None` for strangers.
    token: Option<String>,
    operation: &'static str,
    status: u16,
    ledger: Option<String>,
}

#[derive(Clone, Default)]
struct Count {
    /// Entered one by one.
    single: u64,
    /// Still to be entered as a number.
    counted: u64,
    first_ms: u64,
    last_ms: u64,
    /// Indexes that lie between those asked for.
    range: Option<Range<u64>>,
}

/// One access, as it is put on record.
#[derive(Clone, Debug, Default)]
pub(crate) struct Access {
    /// What was done: `search`, `show`, `export`..
    pub operation: &'static str,
    /// On which ledger.
    pub ledger: Option<String>,
    /// On what of it: an index, a range, a source, a token.
    pub object: Option<String>,
    /// What was looked for.
    pub query: Option<String>,
    /// What for.
    pub purpose: Option<String>,
    /// How many records, times or bytes, where that is known.
    pub count: Option<u64>,
    /// Status and kind of the refusal; `None` if it was allowed.
    pub refused: Option<(u16, String)>,
    /// More that is worth keeping, as members of `unmapped`.
    pub more: Vec<(&'static str, String)>,
}

impl Access {
    pub(crate) fn new(operation: &'static str) -> Self {
        Self { operation, ..Self::default() }
    }

    pub(crate) fn on(mut self, ledger: &str) -> Self {
        self.ledger = Some(ledger.to_owned());
        self
    }

    pub(crate) fn object(mut self, object: impl ToString) -> Self {
        self.object = Some(object.to_string());
        self
    }

    /// What the caller sees, and what for.
    pub(crate) fn seen(mut self, sight: &Sight) -> Self {
        match sight {
            Sight::Full(purpose) => self.purpose = purpose.clone(),
            Sight::Withheld => self.more.push(("withheld", "content, raw".to_owned())),
        }
        self
    }

    /// The record as an OCSF API Activity.
    fn draft(&self, caller: Option<&Caller>, now_ms: u64) -> FacetDraft {
        let mut event = Object::new();
        event.insert("activity_id", 99_u32);
        event.insert("category_uid", 6_u32);
        event.insert("class_uid", 6003_u32);
        event.insert("type_uid", 600_399_u32);
        event.insert("severity_id", if self.refused.is_some() { 3_u32 } else { 1 });
        event.insert("time", now_ms);
        let product = Object::from_iter([("name", "Ledgerstone"), ("version", env!("CARGO_PKG_VERSION"))]);
        event.insert("metadata", Object::from_iter([("product", product)]));
        let mut api = Object::new();
        api.insert("operation", self.operation);
        event.insert("api", api);
        let mut status = 1_u32;
        if let Some((code, kind)) = &self.refused {
            status = 2;
            // An act of the server itself has none.
            if *code > 0 {
                event.insert("status_code", code.to_string());
            }
            event.insert("status_detail", kind.clone());
        }
        event.insert("status_id", status);
        event.insert("status", if status == 1 { "Success" } else { "Failure" });
        let mut user = Object::new();
        match caller.map(Caller::grant) {
            None => user.insert("name", "the server itself"),
            Some(None) => user.insert("name", "unknown"),
            Some(Some(grant)) => {
                user.insert("name", grant.label.clone());
                user.insert("uid", grant.id.clone());
                let roles = grant.roles.iter().map(|role| Value::from(role.name()));
                let groups: Vec<Value<'static>> =
                    roles.map(|name| Value::Object(Object::from_iter([("name", name)]))).collect();
                user.insert("groups", groups)
            }
        };
        event.insert("actor", Object::from_iter([("user", user)]));
        if let Some(peer) = caller.and_then(|caller| caller.peer) {
            let mut endpoint = Object::new();
            endpoint.insert("ip", peer.0.ip().to_string());
            endpoint.insert("port", u32::from(peer.0.port()));
            event.insert("src_endpoint", endpoint);
        }
        if self.ledger.is_some() || self.object.is_some() {
            let mut resource = Object::new();
            resource.insert("type", "ledger");
            if let Some(ledger) = &self.ledger {
                resource.insert("name", ledger.clone());
            }
            if let Some(object) = &self.object {
                resource.insert("uid", object.clone());
            }
            event.insert("resources", vec![Value::Object(resource)]);
        }
        if let Some(count) = self.count {
            event.insert("count", count);
        }
        let mut unmapped = Object::new();
        for (name, text) in [("query", &self.query), ("purpose", &self.purpose)] {
            if let Some(text) = text {
                unmapped.insert(name, text.clone());
            }
        }
        for (name, text) in &self.more {
            unmapped.insert(*name, text.clone());
        }
        if !unmapped.is_empty() {
            event.insert("unmapped", unmapped);
        }
        split(&Value::Object(event))
    }
}

impl Audit {
    pub(crate) fn new(engine: Arc<Engine>, system: usize, env: Arc<dyn Env>) -> Self {
        Self { engine, system, env, counts: Mutex::default(), held: Arc::default() }
    }

    /// Puts an access on record. What it allows may go on once this returns: the record is durable, or, while nothing can
    /// be recorded at all, held until it can be, since reading goes on through an outage. Of those held, a server that is
    /// killed before the outage ends leaves the gap record of the outage only.
    ///
    /// # Errors
    /// 503 if it can't be recorded and too many are held already; then nothing may go on.
    pub(crate) async fn enter(&self, caller: &Caller, access: Access) -> Result<(), Problem> {
        let draft = access.draft(Some(caller), self.env.now_ms());
        let (answer, answered) = oneshot::channel();
        let pending = Pending::new(move |entered: Entered| {
            // Whoever asked may have gone; the record stays.
            let _ = answer.send(entered);
        });
        self.submit(self.system, vec![(Kind::Access, draft.clone())], Some(pending));
        match answered.await {
            Ok(Entered(true)) => Ok(()),
            _ if self.held.hold(draft) => Ok(()),
            _ => Err(Problem::unavailable("the access cannot be put on record, so it is refused", 1000)),
        }
    }

    /// Enters what was held during an outage, and how many accesses did not fit.
    pub(crate) fn enter_held(&self) {
        let Some(batch) = self.held.take() else { return };
        let mut drafts = batch.drafts.clone();
        if batch.lost > 0 {
            let lost = Access { count: Some(batch.lost), ..Access::new("accesses that were not recorded") };
            drafts.push(lost.draft(None, self.env.now_ms()));
        }
        let held = self.held.clone();
        // Without an answer they may be on record already: twice is better than never.
        let pending = Pending::new(move |entered: Entered| match entered {
            Entered(true) => held.entered(),
            Entered(false) => held.put_back(batch),
        });
        let records = drafts.into_iter().map(|draft| (Kind::Access, draft)).collect();
        self.submit(self.system, records, Some(pending));
    }

    /// Puts the reading of a range on record: the first of a token on a ledger like any access, those that follow within
    /// a counting interval as one, with their number and the range they span, since whoever verifies a server from afar
    /// takes a ledger out in many parts.
    ///
    /// # Errors
    /// As [`Audit::enter`].
    pub(crate) async fn enter_range(
        &self,
        caller: &Caller,
        access: Access,
        range: &Range<u64>,
    ) -> Result<(), Problem> {
        let what = Counted {
            token: caller.grant().map(|grant| grant.id.clone()),
            operation: access.operation,
            status: 200,
            ledger: access.ledger.clone(),
        };
        let first = {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            !counts.contains_key(&what) && {
                let now = self.env.now_ms();
                counts.insert(what.clone(), Count { first_ms: now, last_ms: now, ..Count::default() });
                true
            }
        };
        if first {
            let entered = self.enter(caller, access.object(format!("{}..{}", range.start, range.end))).await;
            if entered.is_err() {
                // Nothing is on record yet, so the next one is again a first.
                self.counts.lock().unwrap_or_else(PoisonError::into_inner).remove(&what);
            }
            return entered;
        }
        self.count(what.clone(), false);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&what) {
            let held = count.range.clone().unwrap_or(range.clone());
            count.range = Some(held.start.min(range.start)..held.end.max(range.end));
        }
        Ok(())
    }

    /// Puts on record what nobody waits for, such as the end of a stream.
    pub(crate) fn note(&self, caller: Option<&Caller>, access: &Access) {
        self.note_then(caller, access, || {});
    }

    /// Puts on record an act of the server itself and waits until it is durable, or held.
    pub(crate) fn note_and_wait(&self, access: &Access) {
        let (done, waiting) = std::sync::mpsc::channel();
        self.note_then(None, access, move || {
            // The receiver waits below.
            let _ = done.send(());
        });
        // Without a sender there is nothing left to wait for.
        let _ = waiting.recv();
    }

    fn note_then(&self, caller: Option<&Caller>, access: &Access, done: impl FnOnce() + Send + 'static) {
        let draft = access.draft(caller, self.env.now_ms());
        let (held, again) = (self.held.clone(), draft.clone());
        let pending = Pending::new(move |entered: Entered| {
            if !entered.0 {
                held.hold_or_count(again);
            }
            done();
        });
        self.submit(self.system, vec![(Kind::Access, draft)], Some(pending));
    }

    /// Puts a refusal on record: one by one for those who are known, up to a number a minute, else counted.
    pub(crate) async fn refused(&self, caller: &Caller, access: Access, single: bool) {
        let status = access.refused.as_ref().map_or(0, |(status, _)| *status);
        let token = caller.grant().map(|grant| grant.id.clone());
        let single = single && token.is_some();
        if self.count(Counted { token, operation: access.operation, status, ledger: None }, single) {
            // Refused either way: an error here changes nothing for the caller.
            drop(self.enter(caller, access).await);
        }
    }

    /// Counts an access that is too frequent to be entered by itself.
    pub(crate) fn counted(&self, caller: &Caller, operation: &'static str) {
        let token = caller.grant().map(|grant| grant.id.clone());
        self.count(Counted { token, operation, status: 200, ledger: None }, false);
    }

    /// Counts a refusal of somebody who did not get as far as a request.
    pub(crate) fn stranger(&self, operation: &'static str, status: u16) {
        self.count(Counted { token: None, operation, status, ledger: None }, false);
    }

    /// Counts; true if this one is to be entered by itself.
    fn count(&self, mut what: Counted, single: bool) -> bool {
        let now = self.env.now_ms();
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= MAX_COUNTERS && !counts.contains_key(&what) {
            what = Counted { token: None, operation: "others", status: 0, ledger: None };
        }
        let count = counts.entry(what).or_insert(Count { first_ms: now, ..Count::default() });
        count.last_ms = now;
        if single && count.single < SINGLE_REFUSALS {
            count.single += 1;
            return true;
        }
        if count.counted == 0 {
            count.first_ms = now;
        }
        count.counted += 1;
        false
    }

    /// Enters what was counted since the last time.
    pub(crate) fn flush(&self) {
        let counts = std::mem::take(&mut *self.counts.lock().unwrap_or_else(PoisonError::into_inner));
        for (what, count) in counts.into_iter().filter(|(_, count)| count.counted > 0) {
            let mut access = Access::new(what.operation);
            access.count = Some(count.counted);
            access.ledger = what.ledger;
            access.object = count.range.map(|range| format!("{}..{}", range.start, range.end));
            access.more.push(("from_ms", count.first_ms.to_string()));
            access.more.push(("to_ms", count.last_ms.to_string()));
            access.more.push(("token", what.token.unwrap_or_else(|| "unknown".to_owned())));
            if what.status != 200 {
                access.refused = Some((what.status, "counted".to_owned()));
            }
            self.note(None, &access);
        }
    }

    /// Enters the newest checkpoint of the ledger of accesses in every other ledger, so that it can't be rewritten
    /// without them.
    pub(crate) fn spread(&self) {
        let reads = self.engine.reads();
        let Some(published) = reads.published(self.system) else { return };
        for ledger in (0..reads.ledgers().len()).filter(|ledger| *ledger != self.system) {
            let heartbeat =
                Heartbeat { size: reads.progress(ledger).durable, system: Some(published.note.clone()) };
            self.submit(ledger, vec![(Kind::Heartbeat, heartbeat.to_draft())], None);
        }
    }

    fn submit(&self, ledger: usize, records: Vec<(Kind, FacetDraft)>, pending: Option<Pending<Entered>>) {
        self.engine.submit(Request::Control { ledger, records, pending });
    }
}

/// The position of the ledger of accesses among those of an engine.
pub(crate) fn system_of(engine: &Engine) -> Option<usize> {
    engine.reads().ledgers().iter().position(|ledger| ledger.name == SYSTEM)
}
